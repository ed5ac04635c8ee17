"""The protocol: meshes, weights, and what it refuses."""

import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.reference.kohn_sham import CHEAP, PRODUCTION, KohnShamSettings


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("mesh", [(1, 1, 1), (2, 3, 4), (5, 2, 3)])
def test_reduced_mesh_integrates_like_the_full_mesh(odd_cell, mesh, offset):
    """An even function of k has the same mean over the reduced, weighted mesh and over all points."""
    points, weights = KohnShamSettings(k_spacing=None, k_mesh=mesh, k_offset=offset).k_points(odd_cell)
    steps = np.stack(np.meshgrid(*map(np.arange, mesh), indexing="ij"), -1).reshape(-1, 3)
    every = (steps + offset) / mesh

    def even(k: np.ndarray) -> np.ndarray:
        waves = np.array([[1, 0, 0], [0, 2, 1], [3, -1, 2], [2, 3, 4]])
        return np.cos(2 * np.pi * k @ waves.T).sum(axis=1)

    assert weights.sum() == pytest.approx(1)
    assert weights @ even(points) == pytest.approx(even(every).mean(), abs=1e-12)
    assert len(points) <= len(every)


def test_time_reversal_halves_a_shifted_even_mesh(odd_cell):
    points, _ = KohnShamSettings(k_spacing=None, k_mesh=(4, 4, 4)).k_points(odd_cell)
    assert len(points) == 32


def test_mesh_follows_the_reciprocal_lengths(odd_cell):
    mesh = KohnShamSettings(k_spacing=0.3).mesh(odd_cell)
    lengths = np.linalg.norm(odd_cell.reciprocal, axis=1)
    assert all(length / n <= 0.3 < length / max(n - 1, 1e-9) for length, n in zip(lengths, mesh, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"functional": "B3LYP"}, "functional 'B3LYP'"),
        ({"cutoff": -1.0}, "cutoff -1.0"),
        ({"cutoff": float("nan")}, "cutoff nan"),
        ({"electronic_kT": 0.0}, "electronic_kT 0.0"),
        ({"k_mesh": (2, 2, 2)}, "exactly one of the two"),
        ({"k_mesh": (0, 1, 1), "k_spacing": None}, "three integers >= 1"),
        ({"k_offset": 1.0}, "k_offset 1.0"),
        ({"window": -2.0}, "window -2.0"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        KohnShamSettings(**changes)


def test_every_setting_is_in_the_record():
    record = PRODUCTION.to_dict()
    assert record["functional"] == "PBE"
    assert record["electronic_temperature_kelvin"] == pytest.approx(3000)
    assert len(record) == 10
    assert CHEAP.to_dict() != record
