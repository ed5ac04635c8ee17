"""The baselines are what they say: superposed atoms, and long waves by isotropic filters."""

from pathlib import Path

import numpy as np
import pytest
from elf_baselines import LOCAL_MODEL, fit_linear_model, fit_superposed_atoms, reduced_derivatives, superposed_density
from elf_long_waves import Waves, fit_long_waves, low_pass, radial_functions

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.grid import GridField, wave_numbers
from jovium.base.localization import THOMAS_FERMI, electron_localization, elf_from_chi
from jovium.elf.metrics import accuracy
from jovium.elf.model import ElfModel, shipped_model
from jovium.elf.network import grid_invariants
from jovium.elf.samples import Sample, read_samples

SHAPE = (16, 18, 20)


def sample(structure, elf=None):
    elf = np.zeros(SHAPE, np.float32) if elf is None else elf
    return Sample(structure, elf, "train", "a", 0, 3000.0)


def test_superposed_atoms_are_a_sum_of_exponentials(odd_structure):
    cell = odd_structure.cell
    shape = (50, 60, 72)
    density = superposed_density(cell, odd_structure.positions, shape)
    assert density.integral() == pytest.approx(5.0, abs=1e-9)
    images = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell.vectors
    point = (31, 11, 40)
    position = cell.cartesian(np.array(point) / np.array(shape))
    distances = np.linalg.norm(position - odd_structure.positions[:, None] - images, axis=-1)
    assert density.values[point] == pytest.approx(np.sum(np.exp(-2 * distances)) / np.pi, rel=1e-4)


def test_fit_finds_the_expansion_the_labels_were_made_with(odd_structure):
    chi = np.tensordot([1.1, -0.4, 0.3], reduced_derivatives(sample(odd_structure)), axes=1)
    made = sample(odd_structure, elf_from_chi(np.maximum(chi, 0.0)).astype(np.float32))
    model = fit_superposed_atoms([made], every=7)
    np.testing.assert_allclose(model.coefficients, [1.1, -0.4, 0.3], atol=2e-3)
    np.testing.assert_allclose(model(made), made.elf, atol=2e-3)


def test_linear_model_finds_the_coefficients_the_labels_were_made_with(odd_structure):
    shape = (16, 18, 20)
    fields = np.asarray(grid_invariants(sample(odd_structure).atoms, shape, (0, 1)), float)
    truth = np.random.default_rng(3).normal(size=len(fields)) * 0.02
    made = sample(odd_structure, (0.5 + np.tensordot(truth, fields, axes=1)).astype(np.float32))
    assert 0 < made.elf.min() < made.elf.max() < 1
    model = fit_linear_model([made], (0, 1), every=3)
    np.testing.assert_allclose(model(made), made.elf, atol=1e-4)
    assert model.constant == pytest.approx(0.5, abs=1e-2)


def test_gradient_expansion_of_the_docstring_is_that_of_the_definition(odd_structure):
    """D/D0 of tau = tau_TF + tau_W / 9 + Laplacian n / 6, by the one definition of the ELF."""
    shape = (50, 60, 72)
    one = sample(odd_structure, np.zeros(shape, np.float32))
    density = superposed_density(odd_structure.cell, odd_structure.positions, shape)
    n = density.values
    m = wave_numbers(shape)
    waves = np.sum((m @ odd_structure.cell.reciprocal) ** 2, -1)
    laplacian = np.fft.ifftn(-waves * np.fft.fftn(n)).real
    tau = THOMAS_FERMI * n ** (5 / 3) + np.sum(density.gradient() ** 2, 0) / (72 * n) + laplacian / 6
    expected = electron_localization(density, GridField(tau, density.cell)).elf.values
    chi = np.tensordot([1, -40 / 27, 20 / 9], reduced_derivatives(one), axes=1)
    smooth = n > 0.01
    np.testing.assert_allclose(elf_from_chi(np.maximum(chi, 0))[smooth], expected[smooth], atol=2e-3)


def channels(cell, seed):
    rng = np.random.default_rng(seed)
    return np.stack([low_pass(rng.normal(size=SHAPE), cell, 4.0) for _ in range(2)])


def test_filtered_field_keeps_long_waves_alone(odd_cell):
    values = np.random.default_rng(0).normal(size=SHAPE)
    kept = low_pass(values, odd_cell, 2.5)
    inside = Waves.from_grid(odd_cell, SHAPE, 2.5).inside
    spectrum, original = np.fft.fftn(kept), np.fft.fftn(values)
    np.testing.assert_allclose(spectrum[inside], original[inside], atol=1e-9)
    assert np.abs(spectrum[~inside]).max() < 1e-9
    np.testing.assert_allclose(low_pass(kept, odd_cell, 2.5), kept, atol=1e-12)


def test_long_waves_made_by_filters_are_predicted(odd_cell):
    largest = 3.0
    cells = [odd_cell, Cell(1.15 * odd_cell.vectors[::-1] * [1, 1, 1])]
    truth = np.random.default_rng(5).normal(size=(2, 6))

    def residual(fields, cell):
        waves = Waves.from_grid(cell, SHAPE, largest)
        spectrum = np.zeros(SHAPE, complex)
        filters = truth @ radial_functions(waves.lengths, largest).T
        spectrum[waves.inside] = sum(f * np.fft.fftn(x)[waves.inside] for f, x in zip(filters, fields, strict=True))
        return np.fft.ifftn(spectrum).real

    examples = [(channels(cell, seed), cell) for seed in range(3) for cell in cells]
    fit = fit_long_waves([(x, residual(x, cell), cell) for x, cell in examples], largest, ridge=1e-12)
    x = channels(odd_cell, 77)
    np.testing.assert_allclose(fit(x, odd_cell), residual(x, odd_cell), atol=1e-6)


def test_nothing_to_fit_is_refused():
    with pytest.raises(InputError, match="no examples"):
        fit_long_waves([], 2.0)


def test_the_local_model_is_worse():
    fluid = read_samples([Path(__file__).parents[2] / "data/labels/n32-rs1.3-5000K-1.labels.xz"])[5]
    errors = [
        accuracy([(either.predict(fluid.structure, fluid.shape).elf.values, fluid.elf)]).rmse
        for either in (shipped_model(), ElfModel.load(LOCAL_MODEL))
    ]
    assert errors[0] < 0.5 * errors[1]
