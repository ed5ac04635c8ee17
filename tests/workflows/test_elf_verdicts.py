"""A model keeps its promises about labels, or says that it may not."""

import numpy as np
import pytest

from jovium.base.grid import GridField
from jovium.crystals import crystal
from jovium.elf.model import Domain, ElfModel, ElfPrediction
from jovium.elf.samples import Sample
from jovium.elf.settings import ElfSettings
from jovium.elf.step import untrained_network
from jovium.topology.intervals import SHARPEST
from jovium.workflows.elf_verdicts import (
    Verdict,
    by_family,
    conformal_quantile,
    family,
    label_network,
    summary,
    verdict,
    widening,
)

ANY = Sample(crystal("bcc", 1.3), np.zeros((4, 4, 4), np.float32), "test", "a", 0, float("nan"))


def a_verdict(sample=ANY, *, error=0.0, half_width=0.01, rmse=0.01, expected=0.01, warnings=()):
    values = dict.fromkeys(("phi_1d", "phi_2d", "phi_3d", "phi_star"), 0.5)
    computed = {name: value + error for name, value in values.items()}
    intervals = dict.fromkeys(values, (0.5 - half_width, 0.5 + half_width))
    return Verdict(sample, rmse, expected, 0.9, values, computed, intervals, warnings)


@pytest.mark.parametrize(
    ("facts", "broken"),
    [
        ({}, False),
        ({"error": 0.019}, False),
        ({"error": -0.019}, False),
        ({"error": 0.021}, True),
        ({"error": -0.021}, True),
        ({"rmse": 0.019}, False),
        ({"rmse": 0.021}, True),
    ],
)
def test_a_promise_is_broken_at_twice_what_was_said(facts, broken):
    assert a_verdict(**facts).is_broken == broken


def test_broken_promises_without_a_warning_are_silent():
    verdicts = [
        a_verdict(),
        a_verdict(error=0.1),
        a_verdict(error=0.1, warnings=("far",)),
        a_verdict(warnings=("far",)),
    ]
    found = summary(verdicts)
    assert (found["flagged"], found["broken"], found["silent"], found["flagged_well"]) == (2, 2, 1, 1)
    assert found["interval_holds"]["phi_3d"] == 0.5


def test_conformal_quantile_covers_a_new_structure_as_often_as_is_said():
    """Exactly: P(new score <= quantile of n) = ceil((n + 1) c) / (n + 1)."""
    rng = np.random.default_rng(1)
    inside = [rng.random() <= conformal_quantile(list(rng.random(19)), 0.9) for _ in range(4000)]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.015)


def test_a_widening_holds_nine_in_ten_whatever_the_band_says_of_them():
    """Errors of known scale: in proportion to the distance, constant, and both; of few structures as of many."""
    rng = np.random.default_rng(2)
    for factor, offset in ((0.5, 0.0), (0.0, 0.01), (0.3, 0.005)):
        distances = np.exp(rng.uniform(np.log(0.002), np.log(0.1), 2000))
        errors = rng.exponential(size=2000) * (factor * distances + offset)
        found = widening(errors.tolist(), distances.tolist())
        for part in (distances < 0.01, distances > 0.03):
            held = errors[part] <= np.maximum(SHARPEST, found[0] * distances[part] + found[1])
            assert 0.87 < held.mean() < 0.95
        assert found[0] == pytest.approx(np.log(10) * factor, rel=0.15, abs=0.02)
        assert found[1] == pytest.approx(np.log(10) * offset, rel=0.15, abs=5e-4)


def test_errors_below_the_noise_of_labels_widen_nothing():
    factor, offset = widening([0.001] * 30, [0.002] * 30)
    assert factor * 0.002 + offset <= SHARPEST


def sample(structure, split, group, kelvin=float("nan"), shape=(12, 15, 16), noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    elf = np.clip(0.5 + noise * rng.normal(size=shape), 0, 1).astype(np.float32)
    return Sample(structure, elf, split, group, 0, kelvin)


def test_families_are_kinds_of_structures(odd_structure):
    names = {
        ("test", "n16-rs1.5-3000K-1", 3000.0): "test: fluid",
        ("sealed-fluid", "n16-rs2-4000K-1", 4000.0): "sealed-fluid: fluid",
        ("test-random", "free-8", float("nan")): "test-random: free",
        ("sealed-seed", "relaxed-free-9", float("nan")): "sealed-seed: relaxed",
        ("validation", "expanded-n16-rs1.48-2500K-1", float("nan")): "validation: expanded",
        ("sealed-window", "free-window", float("nan")): "sealed-window",
        ("test-crystal", "bcc-rs1.2", float("nan")): "test-crystal",
        ("validation", "layers-7", float("nan")): "validation: layers",
    }
    for (split, group, kelvin), expected in names.items():
        assert family(sample(odd_structure, split, group, kelvin)) == expected
    verdicts = [a_verdict(sample(odd_structure, "test-random", f"free-{i}")) for i in (8, 9)]
    assert {name: len(group) for name, group in by_family(verdicts).items()} == {
        "test-random": 2,
        "test-random: free": 2,
    }


class Wavy(ElfModel):
    """A model whose ELF is a wave with a constant expected error of 0.02, plus `shift`."""

    def __init__(self, shift=0.0, widenings=None):
        recipe = ElfSettings(field_channels=2, vector_channels=0, hidden_width=4, convolutions=0, gaussian_widths=1)
        super().__init__(untrained_network(recipe), recipe, Domain(1.0, 2.0, 1.0, 10.0), 2.3, {}, widenings or {})
        object.__setattr__(self, "shift", shift)

    def predict(self, structure, shape):
        s = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1)
        values = 0.5 + 0.2 * np.cos(2 * np.pi * s).sum(-1) / 3 + self.shift
        cell, band = structure.cell, np.full(shape, 0.046)
        return ElfPrediction(GridField(values, cell), GridField(band, cell), (), 0.02, self.widenings)


def test_a_verdict_compares_the_model_with_the_label(odd_structure):
    shape = (18, 20, 20)
    truth = Wavy().predict(odd_structure, shape).elf.values.astype(np.float32)
    label = Sample(odd_structure, truth, "test", "a", 0, 3000.0)
    found = verdict(Wavy(shift=0.01), label, label_network(label))
    assert found.rmse == pytest.approx(0.01, rel=1e-3)
    assert found.expected == 0.02
    assert found.coverage == 1.0
    assert found.error("phi_3d") == pytest.approx(0.01, abs=1e-3)
    assert found.holds("phi_3d")
    assert not found.is_broken
    narrow = verdict(Wavy(shift=0.01, widenings={"phi_3d": (0.05, 0.0)}), label, label_network(label))
    low, high = narrow.intervals["phi_3d"]
    assert high - low == pytest.approx(2 * 0.003, abs=1e-6)
    assert not narrow.holds("phi_3d")
