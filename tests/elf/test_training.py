"""Training learns, and goes on after a kill as if nothing had happened."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, InputError
from jovium.base.structure import Structure
from jovium.elf.network import HEAD_WIDTHS, INNER_WIDTHS
from jovium.elf.prediction import structure_invariants
from jovium.elf.samples import Sample
from jovium.elf.settings import ElfSettings
from jovium.elf.step import initial_state, untrained_network
from jovium.elf.training import ElfTraining, epoch_order, load_network, standardisation, train, validation_rmse
from jovium.training import checkpoint
from jovium.training.run_folder import STATE, read_metrics

SETTINGS = ElfSettings(
    steps=60, learning_rate=1e-2, field_channels=3, vector_channels=2, hidden_width=8, convolutions=1
)


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


def labels(n_training, n_validation):
    """Samples of both splits."""
    training = samples(n_training)
    return training + [replace(sample, split="validation") for sample in samples(n_validation, seed=1)]


def leaves(folder):
    settings = load_network(folder)[0]
    state = checkpoint.load(folder / STATE, ElfTraining(settings, labels(1, 1)).template({}))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def test_training_lowers_the_error(tmp_path):
    training = [sample for sample in labels(6, 2) if sample.split == "train"]
    validation = [sample for sample in labels(6, 2) if sample.split == "validation"]
    before = validation_rmse(untrained_network(SETTINGS, *standardisation(training, SETTINGS)), validation)
    reports = list(train(tmp_path / "run", labels(6, 2), SETTINGS, report_every=20))
    assert [report.step for report in reports] == [20, 40, 60]
    assert reports[-1]["validation_rmse"] < 0.5 * before
    assert reports[-1]["rmse"] < reports[0]["rmse"]
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == [20, 40, 60]


FORMS = {
    "local": {"convolutions": 0, "gaussian_widths": 2},
    "scalars": {"vector_channels": 0},
    "vectors of vectors": {"convolutions": 2},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_learns_all_but_its_scales(tmp_path, form):
    settings = replace(SETTINGS, steps=6, **FORMS[form])
    before = untrained_network(settings, *standardisation(samples(2), settings))
    list(train(tmp_path / "run", labels(2, 1), settings, report_every=3))
    read, after = load_network(tmp_path / "run")
    assert read == settings
    old, new = ((n.inner, n.outer) for n in (before, after))
    for one, other in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5)
    old, new = ((n.mixers, n.filters, n.vector_filters, n.head) for n in (before, after))
    for one, other in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True):
        assert np.isfinite(other).all()
        assert other.size == 0 or np.abs(other - one).max() > 0


def test_the_scales_are_those_of_the_samples():
    """Mean and spread of points chosen by chance; the range is that of all of them."""
    made = samples(3)
    for scales, widths in zip(standardisation(made, SETTINGS), (INNER_WIDTHS, HEAD_WIDTHS), strict=True):
        values = np.stack([structure_invariants(s.structure, s.shape, widths) for s in made], axis=1)
        values = values.reshape(len(values), -1)
        np.testing.assert_allclose(scales.low, values.min(axis=1), rtol=1e-6)
        np.testing.assert_allclose(scales.high, values.max(axis=1), rtol=1e-6)
        assert (np.abs(scales.centre - values.mean(axis=1)) < 0.15 * values.std(axis=1)).all()
        np.testing.assert_allclose(scales.scale, values.std(axis=1), rtol=0.15)


def test_killed_training_continues_bit_by_bit(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(train(whole, labels(4, 1), SETTINGS, report_every=30))
    reports = train(parts, labels(4, 1), SETTINGS, report_every=30)
    next(reports)
    reports.close()
    assert [report.step for report in train(parts, labels(4, 1), SETTINGS, report_every=30)] == [60]
    for leaf, expected in zip(leaves(parts), leaves(whole), strict=True):
        np.testing.assert_array_equal(leaf, expected)
    assert list(train(parts, labels(4, 1), SETTINGS)) == []


def test_a_loss_that_is_no_number_goes_back_to_the_last_good_state(tmp_path):
    """Labels that break in the middle of training: before, the broken state took the place of the good one."""
    broken = labels(2, 1)
    reports = train(tmp_path / "run", broken, SETTINGS, report_every=10)
    next(reports)
    good = broken[0].elf.copy()
    broken[0].elf[:] = np.nan
    report = next(reports)
    assert "not a number; back to step 10" in report.note
    assert report.step == 10
    assert all(np.isfinite(leaf).all() for leaf in leaves(tmp_path / "run"))
    broken[0].elf[:] = good
    assert next(reports).step == 20


def test_every_structure_is_seen_once_in_an_epoch_and_every_grid_compiled_once():
    shapes = [(8, 8, 8 + i % 5) for i in range(23)]
    for at_once in (1, 2, 5):
        order = epoch_order(shapes, at_once, np.random.default_rng(3))
        assert sorted(order) == list(range(23))
        held, compiled = set(), []
        for index in order:
            if shapes[index] not in held:
                held = set() if len(held) >= at_once else held
                held.add(shapes[index])
                compiled.append(shapes[index])
        assert len(compiled) == 5
    assert order != sorted(order)


def test_other_settings_do_not_continue_a_run(tmp_path):
    folder = tmp_path / "run"
    reports = train(folder, labels(2, 1), SETTINGS, report_every=5)
    next(reports)
    reports.close()
    with pytest.raises(InputError, match="steps 60 -> 61"):
        next(train(folder, labels(2, 1), replace(SETTINGS, steps=61)))
    with pytest.raises(FormatError, match="does not fit"):
        checkpoint.load(folder / STATE, initial_state(replace(SETTINGS, field_channels=5)))


def test_a_run_begins_with_the_weights_of_another(tmp_path):
    list(train(tmp_path / "first", labels(2, 1), replace(SETTINGS, steps=4), report_every=2))
    again = ElfTraining(replace(SETTINGS, init_from=str(tmp_path / "first")), labels(2, 1))
    expected = load_network(tmp_path / "first")[1]
    for leaf, other in zip(jax.tree.leaves(again.state.model.network), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-6)  # the running mean of what is constant is rounded


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"something else"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, {"a": np.ones(100)}, {})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError):
        checkpoint.load(path, {"a": np.ones(100)})


def test_nothing_to_learn_from_is_refused(tmp_path):
    with pytest.raises(InputError, match="no samples"):
        next(train(tmp_path / "run", [], SETTINGS))
    with pytest.raises(InputError, match="is not there"):
        checkpoint.read_facts(tmp_path / "absent.safetensors")
    for wrong in ({"steps": 0}, {"learning_rate": 1.5}, {"gaussian_widths": 6}, {"weight_average": 1.0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            ElfSettings(**wrong)
