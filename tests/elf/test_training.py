"""Training learns, and goes on after a kill as if nothing had happened."""

import jax
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, InputError
from jovium.base.structure import Structure
from jovium.elf.samples import Sample
from jovium.elf.training import ElfSettings, standardisation, train, untrained, validation_rmse
from jovium.training import checkpoint

RECIPE = ElfSettings(steps=60, learning_rate=1e-2, n_channels=3, n_hidden=8, n_layers=1)


def samples(count, seed=0):
    """Three atoms in a triclinic cell; the field is 0.9 near an atom and falls off with the distance to the nearest."""
    rng = np.random.default_rng(seed)
    cell = Cell(np.array([[4.1, 0.3, -0.4], [0.8, 4.5, 0.5], [-0.6, 0.9, 4.3]]))
    shape = (12, 15, 12)
    grid = cell.cartesian(np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1))
    made = []
    for step in range(count):
        positions = cell.cartesian(rng.random((3, 3)))
        distances = cell.minimum_image(grid[:, :, :, None] - positions)
        nearest = np.sqrt((distances**2).sum(-1)).min(-1)
        elf = (0.9 * np.exp(-((nearest / 1.5) ** 2))).astype(np.float32)
        made.append(Sample(Structure(cell, positions, ("H",) * 3), elf, "train", "a", step, 3000.0))
    return made


def weights(state):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def test_training_lowers_the_error(tmp_path):
    shown, held_out = samples(6), samples(2, seed=1)
    before = validation_rmse(untrained(RECIPE, *standardisation(shown, RECIPE.n_widths)).network, held_out)
    reports = list(train(shown, held_out, RECIPE, tmp_path / "state.safetensors", every=20))
    assert [report.step for report in reports] == [20, 40, 60]
    assert reports[-1].validation_rmse < 0.5 * before
    assert reports[-1].rmse < reports[0].rmse


def test_killed_training_continues_bit_by_bit(tmp_path):
    shown, held_out = samples(4), samples(1, seed=1)
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    list(train(shown, held_out, RECIPE, whole, every=30))
    next(train(shown, held_out, RECIPE, parts, every=30))
    assert [report.step for report in train(shown, held_out, RECIPE, parts, every=30)] == [60]
    like = untrained(RECIPE)
    for one, other in zip(weights(checkpoint.load(whole, like)), weights(checkpoint.load(parts, like)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(train(shown, held_out, RECIPE, parts)) == []


def test_another_recipe_does_not_continue_a_file(tmp_path):
    shown, held_out = samples(2), samples(1, seed=1)
    path = tmp_path / "state.safetensors"
    next(train(shown, held_out, RECIPE, path, every=5))
    with pytest.raises(InputError, match="another recipe"):
        next(train(shown, held_out, ElfSettings(steps=61), path))
    wider = untrained(ElfSettings(n_channels=5, n_hidden=8, n_layers=1))
    with pytest.raises(FormatError, match="does not fit"):
        checkpoint.load(path, wider)


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"something else"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, {"a": np.ones(100)}, {})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError):
        checkpoint.load(path, {"a": np.ones(100)})


def test_nothing_to_learn_from_is_refused(tmp_path):
    with pytest.raises(InputError, match="no samples"):
        next(train([], [], RECIPE, tmp_path / "state.safetensors"))
    with pytest.raises(InputError, match="is not there"):
        checkpoint.read_facts(tmp_path / "absent.safetensors")
    with pytest.raises(InputError, match="positive"):
        ElfSettings(steps=0)
