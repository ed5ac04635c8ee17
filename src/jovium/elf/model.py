"""A finished model: the network, what it was trained on, and how far its errors reach."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError, StructureError
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import require_hydrogen
from jovium.elf.network import FieldNetwork
from jovium.elf.prediction import predict_fields
from jovium.elf.samples import Sample
from jovium.elf.settings import ElfSettings
from jovium.elf.step import network_template
from jovium.training import checkpoint
from jovium.training.devices import single_precision

MODELS = Path(__file__).parent / "weights"
SHIPPED = MODELS / "field_network.safetensors"
"""The model that comes with the package, and its folder."""

WIDE_BAND = 0.3
"""Half width of the band where the model knows nothing: of a flagged structure it is at least this."""

SPACING = 0.1 / BOHR_ANGSTROM
"""Default distance of ELF grid points, 0.1 angstrom in bohr."""

MIN_POINTS = 40
"""Least number of grid points along the shortest lattice vector, unless a grid or another distance is given."""

LARGEST_EXCESS = 0.1
"""`Scales.excess` from which a structure is flagged."""

MIN_BAND = 0.002
"""No band is narrower than the noise of the labels."""

DOMAIN_TOLERANCE = 0.02
"""How far beyond the range of the training data a structure still counts as inside, as a fraction of the limit."""


def elf_grid_shape(structure: Structure, spacing: float = SPACING) -> tuple[int, int, int]:
    """The grid of an ELF, by the distance of its points (bohr); by default at least MIN_POINTS along every vector."""
    if spacing == SPACING:
        spacing = min(SPACING, float(structure.cell.lengths.min()) / MIN_POINTS)
    return structure.cell.grid_shape(spacing)


@dataclass(frozen=True)
class Domain:
    """Where the training data lie: Wigner-Seitz radii, the shortest distance of two protons and the radius of the
    largest sphere without one, bohr. largest_error: expected RMSE of the ELF from which a structure is flagged."""

    smallest_rs: float
    largest_rs: float
    shortest_distance: float
    largest_void: float
    largest_error: float = 1.0

    @classmethod
    def from_samples(cls, samples: Sequence[Sample]) -> "Domain":
        """The domain of training data, without the largest error. Raises InputError for none."""
        if not samples:
            raise InputError("no samples", "the structures a model was trained on", "check the splits")
        radii = [sample.structure.rs for sample in samples]
        shortest = min(sample.structure.shortest_distance() for sample in samples)
        void = max(sample.structure.largest_void() for sample in samples)
        return cls(min(radii), max(radii), shortest, void)

    def has_vacuum(self, structure: Structure) -> bool:
        """Whether a structure is emptier anywhere than the training data: no label can say what its ELF is there."""
        return structure.largest_void() > self.largest_void * (1 + DOMAIN_TOLERANCE)

    def require_filled(self, structure: Structure) -> None:
        """Raise StructureError for a structure with vacuum."""
        if self.has_vacuum(structure):
            void = structure.largest_void()
            known = self.largest_void * BOHR_ANGSTROM
            raise StructureError(
                f"a sphere of {void * BOHR_ANGSTROM:.2f} angstrom radius without a proton: vacuum",
                f"at most {known:.2f}: the network knows nothing of slabs, chains and molecules in vacuum",
                "compute it from first principles (--engine dft); an isolated H2 has ELF 1 wherever it has density",
            )

    def reasons(self, structure: Structure, excess: float, error: float) -> tuple[str, ...]:
        """Why a structure lies outside, in sentences; none when it does not. excess: `Scales.excess`; error: the
        expected RMSE of its ELF."""
        reasons = []
        if not self.smallest_rs * (1 - DOMAIN_TOLERANCE) <= structure.rs <= self.largest_rs * (1 + DOMAIN_TOLERANCE):
            known = f"{self.smallest_rs:.2f} to {self.largest_rs:.2f}"
            reasons.append(f"rs {structure.rs:.3f} bohr: the model was trained from {known}")
        distance = structure.shortest_distance()
        if distance < self.shortest_distance * (1 - DOMAIN_TOLERANCE):
            known = self.shortest_distance * BOHR_ANGSTROM
            reasons.append(f"two protons {distance * BOHR_ANGSTROM:.3f} angstrom apart: trained down to {known:.3f}")
        if excess > LARGEST_EXCESS:
            reasons.append(f"its inputs are {excess:.0%} of their range beyond those of the training data")
        if error > self.largest_error:
            reasons.append(f"an expected error of the ELF of {error:.3f}: it is unlike the training data")
        return tuple(reasons)


@dataclass(frozen=True)
class ElfPrediction:
    """ELF with a band: the computed ELF lies within elf +- band at COVERAGE of the points. warnings: why it may not.
    expected_error: expected RMSE of the ELF. widenings: see `ElfModel`."""

    elf: GridField
    band: GridField
    warnings: tuple[str, ...]
    expected_error: float
    widenings: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class ElfModel:
    """A trained network with its domain and the factor that makes its expected errors a band. widenings: for
    every threshold the factor and offset by which the interval that the band gives it is narrowed or widened to hold
    the computed value in COVERAGE of the structures (`jovium.topology.intervals.Widening`)."""

    network: FieldNetwork
    settings: ElfSettings
    domain: Domain
    band_factor: float
    card: dict[str, Any]
    widenings: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def predict(self, structure: Structure, shape: tuple[int, int, int]) -> ElfPrediction:
        """ELF of a structure on a grid. Raises StructureError for anything but hydrogen, atoms that overlap, and
        vacuum."""
        require_hydrogen(structure)
        self.domain.require_filled(structure)
        elf, spread, excess = predict_fields(self.network, structure, shape)
        # Of a Laplace distribution of scale s the mean square is 2 s^2.
        error = float(np.sqrt(2 * np.mean(spread.values**2)))
        warnings = self.domain.reasons(structure, excess, error)
        band = np.maximum(self.band_factor * spread.values, MIN_BAND)
        if warnings:
            band = np.maximum(band, WIDE_BAND)
        band = GridField(np.minimum(band, 1.0), structure.cell)
        return ElfPrediction(elf, band, warnings, error, {} if warnings else self.widenings)

    def save(self, path: Path) -> None:
        """Write the model to one safetensors file, its card in the header. Raises OutputError."""
        facts = {
            "settings": self.settings.to_dict(),
            "domain": asdict(self.domain),
            "band_factor": self.band_factor,
            "widenings": dict(self.widenings),
            "card": self.card,
        }
        checkpoint.save(path, self.network, facts)

    @classmethod
    @single_precision()
    def load(cls, path: Path) -> "ElfModel":
        """A model from its file. Raises InputError when it is not there, FormatError when it is something else."""
        facts = checkpoint.read_facts(path)
        settings = ElfSettings.from_dict(facts["settings"], str(path))
        network = checkpoint.load(path, network_template(settings))
        widenings = {name: (factor, offset) for name, (factor, offset) in facts.get("widenings", {}).items()}
        return cls(network, settings, Domain(**facts["domain"]), facts["band_factor"], facts["card"], widenings)


def shipped_model() -> ElfModel:
    """The model that comes with the package."""
    return ElfModel.load(SHIPPED)
