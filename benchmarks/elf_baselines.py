"""What a network of the ELF has to beat.

    python benchmarks/elf_baselines.py data/labels [--fluid MODEL] [--local MODEL] [--out FOLDER]

Prints what `jovium elf evaluate` prints of the network of the package, beside the errors of the same network trained on
the fluid alone, of a local model (a network without convolutions, trained on the fluid; both are in this folder),
without and with corrections of its long waves, of a linear model and of superposed atoms; these are fitted to the fluid
of the split train. FOLDER gets evaluation.json and figures.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from elf_long_waves import fit_long_waves, low_pass
from elf_residuals import draw_residuals, residuals
from jaxtyping import Float
from scipy.optimize import least_squares

from jovium.base.cell import Cell
from jovium.base.files import existing_folder, write_json
from jovium.base.grid import GridField, wave_numbers
from jovium.base.localization import elf_from_chi
from jovium.cli.elf import print_evaluation
from jovium.cli.training import progress
from jovium.elf.invariants import REDUCED, WIDTHS
from jovium.elf.model import ElfModel, shipped_model
from jovium.elf.network import grid_invariants
from jovium.elf.samples import Sample, of_split, read_samples
from jovium.workflows.elf_accuracy import (
    LabelTopology,
    Predict,
    band_coverage,
    draw,
    evaluate,
    is_crystal,
    network_predictor,
    summarise,
)

FLUID_MODEL, LOCAL_MODEL = (Path(__file__).parent / f"{name}_model.safetensors" for name in ("fluid", "local"))

LONG_WAVE_CUTOFF = 2.5
"""|G| (1/bohr) below which the residual of the local model is corrected: waves longer than 2.5 bohr."""

TRAINING_STRIDE = 4
"""The baselines are fitted to every fourth structure of the split train."""


@dataclass(frozen=True)
class SuperposedAtoms:
    """ELF of the superposed densities of free atoms, by a gradient expansion of D/D0 fitted to labels.

    n(r) = sum_a exp(-2 |r - R_a|) / pi and chi = a + b s^2 + c q with the reduced gradient s and Laplacian q of n;
    (1, -40/27, 20/9) is the second-order gradient expansion, tau = tau_TF + tau_W / 9 + Laplacian n / 6; here all three
    are fitted.
    """

    coefficients: tuple[float, float, float]

    def __call__(self, sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        chi = np.tensordot(self.coefficients, reduced_derivatives(sample), axes=1)
        return elf_from_chi(np.maximum(chi, 0.0))


@dataclass(frozen=True)
class LinearModel:
    """ELF as a linear function of the invariants a field network is given, cut off at 0 and 1."""

    coefficients: Float[np.ndarray, "f"]
    constant: float
    widths: tuple[int, ...]

    def __call__(self, sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        fields = np.asarray(grid_invariants(sample.atoms, sample.shape, self.widths))
        return np.clip(np.tensordot(self.coefficients, fields, axes=1) + self.constant, 0.0, 1.0)


def fit_linear_model(
    samples: Sequence[Sample], widths: tuple[int, ...] = tuple(range(len(WIDTHS))), every: int = 41
) -> LinearModel:
    """Least squares in the ELF over every `every`-th grid point of the samples."""
    fields = [grid_invariants(sample.atoms, sample.shape, widths) for sample in samples]
    inputs = np.concatenate([np.asarray(field).reshape(len(field), -1)[:, ::every] for field in fields], axis=1)
    elf = np.concatenate([sample.elf.ravel()[::every] for sample in samples])
    solution = np.linalg.lstsq(np.vstack([inputs, np.ones_like(elf)]).T.astype(float), elf, rcond=None)[0]
    return LinearModel(solution[:-1], float(solution[-1]), widths)


def fit_superposed_atoms(samples: Sequence[Sample], every: int = 101) -> SuperposedAtoms:
    """Least squares in the ELF over every `every`-th grid point of the samples."""
    inputs = np.concatenate([reduced_derivatives(sample).reshape(3, -1)[:, ::every] for sample in samples], axis=1)
    elf = np.concatenate([sample.elf.ravel()[::every] for sample in samples])

    def residual(coefficients: Float[np.ndarray, "3"]) -> Float[np.ndarray, "p"]:
        return elf_from_chi(np.maximum(coefficients @ inputs, 0.0)) - elf

    a, b, c = least_squares(residual, [1.0, -0.5, 0.5]).x
    return SuperposedAtoms((float(a), float(b), float(c)))


def reduced_derivatives(sample: Sample) -> Float[np.ndarray, "3 nx ny nz"]:
    """1, s^2 = |grad n|^2 / (4 C n^(8/3)) and q = Laplacian n / (4 C n^(5/3)) of the superposed atoms."""
    density = superposed_density(sample.structure.cell, sample.structure.positions, sample.shape)
    n = np.maximum(density.values, 1e-6)
    laplacian = _laplacian(density)
    s2 = np.sum(density.gradient() ** 2, axis=0) / (REDUCED * n ** (8 / 3))
    return np.stack([np.ones_like(n), s2, laplacian / (REDUCED * n ** (5 / 3))])


def superposed_density(cell: Cell, positions: Float[np.ndarray, "n 3"], shape: tuple[int, int, int]) -> GridField:
    """sum_a exp(-2 |r - R_a|) / pi on a grid, from the form factor (1 + G^2/4)^-2 of the atom."""
    waves = _waves(cell, shape)
    fractional = cell.fractional(positions)
    frequencies = [np.fft.fftfreq(n, 1 / n) for n in shape]
    x, y, z = (np.exp(-2j * np.pi * fractional[:, i, None] * frequencies[i]) for i in range(3))
    factor = np.einsum("ax,ay,az->xyz", x, y, z, optimize=True)
    series = factor / (1 + np.sum(waves**2, -1) / 4) ** 2 / cell.volume
    return GridField(np.fft.ifftn(series, norm="forward").real, cell)


def _laplacian(field: GridField) -> Float[np.ndarray, "nx ny nz"]:
    square = np.sum(_waves(field.cell, field.shape) ** 2, -1)
    return np.fft.ifftn(-square * np.fft.fftn(field.values)).real


def _waves(cell: Cell, shape: tuple[int, int, int]) -> Float[np.ndarray, "nx ny nz 3"]:
    return wave_numbers(shape) @ cell.reciprocal


def baselines(local: ElfModel, training: Sequence[Sample]) -> dict[str, Predict]:
    """What a network has to beat, by name: the local model, with the long waves of its residual taken from the label
    (the most such a correction can do) and predicted from the structure, a linear model, superposed atoms."""
    chosen = training[::TRAINING_STRIDE]
    predict = network_predictor(local)
    return {
        "local model": predict,
        "local + long waves of the label": _add_true_long_waves(predict),
        "local + predicted long waves": _add_predicted_long_waves(predict, local.network.widths, chosen),
        "linear model": fit_linear_model(chosen),
        "superposed atoms": fit_superposed_atoms(chosen),
    }


def _add_true_long_waves(predict: Predict) -> Predict:
    def correct(sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        local = predict(sample)
        return _clip(local + low_pass(sample.elf - local, sample.structure.cell, LONG_WAVE_CUTOFF))

    return correct


def _add_predicted_long_waves(predict: Predict, widths: tuple[int, ...], training: Sequence[Sample]) -> Predict:
    def channels(sample: Sample, local: Float[np.ndarray, "nx ny nz"]) -> Float[np.ndarray, "c nx ny nz"]:
        fields = np.asarray(grid_invariants(sample.atoms, sample.shape, widths))
        return np.concatenate([np.ones_like(local)[None], local[None], fields])

    def examples() -> Iterator[tuple[np.ndarray, np.ndarray, Any]]:
        for sample in training:
            local = predict(sample)
            yield channels(sample, local), sample.elf - local, sample.structure.cell

    correction = fit_long_waves(examples(), LONG_WAVE_CUTOFF)

    def correct(sample: Sample) -> Float[np.ndarray, "nx ny nz"]:
        local = predict(sample)
        return _clip(local + correction(channels(sample, local), sample.structure.cell))

    return correct


def _clip(values: Float[np.ndarray, "nx ny nz"]) -> Float[np.ndarray, "nx ny nz"]:
    return np.clip(values, 0.0, 1.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables; write evaluation.json and figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, nargs="+", help="files or folders of labels")
    parser.add_argument("--model", type=Path, help="in place of the network of the package")
    parser.add_argument("--fluid", type=Path, default=FLUID_MODEL, help="another model of the fluid alone")
    parser.add_argument("--local", type=Path, default=LOCAL_MODEL, help="another local model")
    parser.add_argument("--out", type=Path, help="folder for evaluation.json and figures")
    options = parser.parse_args(arguments)
    samples = read_samples(options.labels)
    # Of the fluid and crystals: the network of the fluid alone refuses slabs.
    chosen = [s for s in samples if s.split.startswith("test") and s.split != "test-random"]
    model = ElfModel.load(options.model) if options.model else shipped_model()
    predictors = {"field network": network_predictor(model)}
    predictors["field network (fluid)"] = network_predictor(ElfModel.load(options.fluid))
    training = [sample for sample in of_split(samples, "train") if np.isfinite(sample.kelvin)]
    predictors |= baselines(ElfModel.load(options.local), training)
    truths = [LabelTopology.from_sample(sample) for sample in progress(chosen, "topology of the labels")]
    judged = {name: list(evaluate(progress(truths, name), predict)) for name, predict in predictors.items()}
    found = {name: summarise(evaluations) for name, evaluations in judged.items()}
    network = found.pop("field network") | {"band_coverage": band_coverage(model, chosen)}
    if options.out:
        write_json(existing_folder(options.out) / "evaluation.json", {**network, "baselines": found})
        draw(judged, options.out)
        fluid = {name: [j for j in judged[name] if not is_crystal(j.label.sample)] for name in list(judged)[:5]}
        if any(fluid.values()):
            every = [one for name in fluid for one in residuals(name, fluid[name])]
            draw_residuals(every, options.out / "residuals.png")
    print_evaluation({"field network": network, **found})


if __name__ == "__main__":
    main()
