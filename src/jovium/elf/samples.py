"""Labels as the field network takes them: atoms and the ELF on the label grid, in single precision."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.elf.network import INNER_SPACING, Atoms
from jovium.elf.spectrum import Shape
from jovium.labels.reading import read_labels
from jovium.labels.record import DEFAULT_SPACING, Label, require_hydrogen_label


@dataclass(frozen=True)
class Sample:
    """One labelled structure. group: trajectory or family; kelvin: NaN when it has no temperature; pressure: of
    the label, hartree/bohr^3."""

    structure: Structure
    elf: Float[np.ndarray, "nx ny nz"]
    split: str
    group: str
    step: int
    kelvin: float
    pressure: float = float("nan")

    @property
    def shape(self) -> Shape:
        """The label grid."""
        nx, ny, nz = self.elf.shape
        return nx, ny, nz

    @property
    def inner_shape(self) -> Shape:
        """The grid of the hidden fields: one for every label grid, no coarser than INNER_SPACING unless that is."""
        step = max(DEFAULT_SPACING, np.max(self.structure.cell.lengths / self.shape))
        # The same number of points for every cell with this label grid: that of a box with its steps along the axes.
        needed = Cell(np.diag(np.multiply(self.shape, step))).grid_shape(INNER_SPACING)
        nx, ny, nz = np.minimum(needed, self.shape).tolist()
        return nx, ny, nz

    @property
    def sorted_shape(self) -> Shape:
        """The label grid of `with_sorted_axes`."""
        nx, ny, nz = sorted(self.elf.shape)
        return nx, ny, nz

    def with_sorted_axes(self) -> "Sample":
        """The same with lattice vectors in the order of their grid points: fewer shapes to compile for."""
        order = np.argsort(self.elf.shape, kind="stable")
        cell = Cell(self.structure.cell.vectors[order])
        structure = replace(self.structure, cell=cell)
        return replace(self, structure=structure, elf=np.ascontiguousarray(self.elf.transpose(*order)))

    @property
    def atoms(self) -> Atoms:
        """What the network is given."""
        return network_atoms(self.structure.cell, self.structure.positions)


def read_samples(paths: Iterable[Path]) -> list[Sample]:
    """The labels at several paths, each what `jovium.labels.reading.read_labels` reads. Raises StructureError for a
    label of a compound."""
    return [elf_sample(label) for path in paths for label in read_labels(path)]


def elf_sample(label: Label) -> Sample:
    """What the network needs of a label. Raises StructureError for that of a compound."""
    require_hydrogen_label(label)
    elf = label.elf.values.astype(np.float32)
    return Sample(label.structure, elf, label.split, label.group, label.step, label.temperature_kelvin, label.pressure)


def of_split(samples: Sequence[Sample], split: str) -> list[Sample]:
    """The samples of one split."""
    return [sample for sample in samples if sample.split == split]


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 of the samples of the splits train and validation, in their order."""
    digest = hashlib.sha256()
    for sample in (*of_split(samples, "train"), *of_split(samples, "validation")):
        for values in (sample.structure.cell.vectors, sample.structure.positions, sample.elf):
            digest.update(f"{sample.split} {values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def network_atoms(cell: Cell, positions: Float[np.ndarray, "n 3"]) -> Atoms:
    """Cell and protons (bohr) in single precision. Positions are wrapped first, so that no digits are lost."""
    fractional = cell.fractional(positions)
    fractional -= np.floor(fractional)
    return Atoms(
        jnp.asarray(fractional, jnp.float32),
        jnp.asarray(cell.reciprocal, jnp.float32),
        jnp.asarray(cell.volume, jnp.float32),
    )
