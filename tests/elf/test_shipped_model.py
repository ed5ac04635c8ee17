"""The model that comes with the package gives the ELF of structures it was never trained on."""

from pathlib import Path

import numpy as np
import pytest

from jovium.elf.metrics import accuracy
from jovium.elf.model import MODELS, shipped_model
from jovium.elf.samples import read_samples
from jovium.elf.spectrum import Shape
from jovium.workflows.elf_accuracy import LabelTopology, evaluate, network_predictor, summarise

LABELS = Path(__file__).parents[2] / "data" / "labels"


def of(name, *places):
    samples = read_samples([LABELS / f"{name}.labels.xz"])
    assert all(sample.split.startswith("test") for sample in samples)
    return [samples[i] for i in places or range(len(samples))]


@pytest.fixture(scope="module")
def model():
    return shipped_model()


def test_fluid_and_crystals_never_seen(model):
    """Bars of the whole test set are met by a few of its members, with room for luck."""
    samples = [*of("n16-rs1.55-4000K-1", 0, 9), *of("n32-rs1.3-5000K-1", 0), *of("cs-iv-rs1.3"), *of("hcp-h2-rs1.8")]
    found = summarise(
        list(evaluate([LabelTopology.from_sample(sample) for sample in samples], network_predictor(model)))
    )
    assert found["rmse"] < 0.015
    assert found["r2"] > 0.998
    assert found["phi_3d"]["max_abs_error"] < 0.035
    for row in found["crystals"]:
        assert row["rmse"] < 0.01
        assert max(row["threshold_errors"].values()) < 0.02


def test_nothing_of_the_test_set_was_trained_on(model):
    trained = set(model.card["trained_on"]["groups"])
    for path in LABELS.glob("*.labels.xz"):
        split = read_samples([path])[0].split
        assert (path.name.removesuffix(".labels.xz") in trained) == (split == "train")


def test_a_supercell_has_the_field_of_the_cell(model):
    sample = of("cs-iv-rs1.3")[0]
    nx, ny, nz = 24, 24, 24
    single = model.predict(sample.structure, (nx, ny, nz)).elf.values
    double = model.predict(sample.structure.supercell((2, 1, 1)), (2 * nx, ny, nz)).elf.values
    np.testing.assert_allclose(double, np.concatenate([single, single]), atol=1e-3)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_finer_grids_have_the_same_error(model, factor):
    """Any grid spacing from the same weights: points shared with the label grid are as good on a finer grid."""
    sample = of("n16-rs1.55-4000K-1", 3)[0]
    every = int(factor)
    shape: Shape = tuple(every * n for n in sample.shape)
    found = model.predict(sample.structure, shape).elf.values[::every, ::every, ::every]
    assert accuracy([(found, sample.elf)]).rmse < 0.02


def test_weights_are_small():
    assert sum(path.stat().st_size for path in MODELS.iterdir()) < 10 * 2**20
