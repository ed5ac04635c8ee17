"""A finished model: the network, what it was trained on, and how far its errors reach."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.errors import InputError
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
"""Where the model that comes with the package is."""

WIDE_BAND = 0.3
"""Half width of the band where the model knows nothing: outside its domain it is at least this."""

MIN_BAND = 0.002
"""No band is narrower than the noise of the labels."""

DOMAIN_TOLERANCE = 0.02
"""How far beyond the range of the training data a structure still counts as inside, as a fraction of the limit."""


@dataclass(frozen=True)
class Domain:
    """Where the training data lie: Wigner-Seitz radii, the shortest distance of two protons and the radius of the
    largest sphere without one, bohr."""

    smallest_rs: float
    largest_rs: float
    shortest_distance: float
    largest_void: float

    @classmethod
    def from_samples(cls, samples: Sequence[Sample]) -> "Domain":
        """The domain of training data. Raises InputError for none."""
        if not samples:
            raise InputError("no samples", "the structures a model was trained on", "check the splits")
        radii = [sample.structure.rs for sample in samples]
        shortest = min(sample.structure.shortest_distance() for sample in samples)
        void = max(sample.structure.largest_void() for sample in samples)
        return cls(min(radii), max(radii), shortest, void)

    def reasons(self, structure: Structure) -> tuple[str, ...]:
        """Why a structure lies outside, in sentences; none when it does not."""
        reasons = []
        if not self.smallest_rs * (1 - DOMAIN_TOLERANCE) <= structure.rs <= self.largest_rs * (1 + DOMAIN_TOLERANCE):
            known = f"{self.smallest_rs:.2f} to {self.largest_rs:.2f}"
            reasons.append(f"rs {structure.rs:.3f} bohr: the model was trained from {known}")
        distance = structure.shortest_distance()
        if distance < self.shortest_distance * (1 - DOMAIN_TOLERANCE):
            known = self.shortest_distance * BOHR_ANGSTROM
            reasons.append(f"two protons {distance * BOHR_ANGSTROM:.3f} angstrom apart: trained down to {known:.3f}")
        void = structure.largest_void()
        if void > self.largest_void * (1 + DOMAIN_TOLERANCE):
            known = self.largest_void * BOHR_ANGSTROM
            reasons.append(f"a void of {void * BOHR_ANGSTROM:.2f} angstrom without a proton: trained up to {known:.2f}")
        return tuple(reasons)


@dataclass(frozen=True)
class ElfPrediction:
    """ELF with a band: the computed ELF lies within elf +- band at COVERAGE of the points. warnings: why it may not."""

    elf: GridField
    band: GridField
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ElfModel:
    """A trained network with its domain and the factor that makes its expected errors a band."""

    network: FieldNetwork
    settings: ElfSettings
    domain: Domain
    band_factor: float
    card: dict[str, Any]

    def predict(self, structure: Structure, shape: tuple[int, int, int]) -> ElfPrediction:
        """ELF of a structure on a grid. Raises StructureError for anything but hydrogen and for atoms that overlap."""
        require_hydrogen(structure)
        elf, spread = predict_fields(self.network, structure, shape)
        warnings = self.domain.reasons(structure)
        band = np.maximum(self.band_factor * spread.values, MIN_BAND)
        if warnings:
            band = np.maximum(band, WIDE_BAND)
        return ElfPrediction(elf, GridField(np.minimum(band, 1.0), structure.cell), warnings)

    def save(self, path: Path) -> None:
        """Write the model to one safetensors file, its card in the header. Raises OutputError."""
        facts = {
            "settings": self.settings.to_dict(),
            "domain": asdict(self.domain),
            "band_factor": self.band_factor,
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
        return cls(network, settings, Domain(**facts["domain"]), facts["band_factor"], facts["card"])


def shipped_model() -> ElfModel:
    """The model that comes with the package."""
    return ElfModel.load(MODELS / "field_network.safetensors")
