"""Analyses to report on: a cubic crystal, a triclinic one, each with an ELF-like field of known shape."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.formats.fields import write_field
from jovium.report.analysis import Analysis
from jovium.superconductivity.fits import TcEstimate
from jovium.topology.critical_points import critical_points
from jovium.topology.crystal_path import crystal_path
from jovium.topology.network import hydrogen_network

FITS = (
    TcEstimate("SR5", 212.34, 41.0, "10.1000/fit.5", "hydrides"),
    TcEstimate("SR2", None, None, "10.1000/fit<2>", "needs H_DOS <not given>"),
)


def bumps(structure: Structure, shape: tuple[int, int, int], width: float) -> GridField:
    """A smooth toy ELF: g / (0.1 + g), where g sums periodic Gaussians of `width` (bohr) on the atoms."""
    points = GridField(np.zeros(shape), structure.cell).points()
    overlap = np.zeros(shape)
    images = structure.cell.cartesian(np.array(list(product((-1, 0, 1), repeat=3))))
    for centre in (structure.cell.wrap(structure.positions)[:, None] + images).reshape(-1, 3):
        overlap += np.exp(-np.sum((points - centre) ** 2, axis=-1) / (2 * width**2))
    return GridField(overlap / (0.1 + overlap), structure.cell)


def analysis_of(structure: Structure, elf: GridField, **changes) -> Analysis:
    """A complete analysis of a field."""
    contents = {
        "structure": structure,
        "elf": elf,
        "network": hydrogen_network(elf, structure.positions),
        "critical_points": critical_points(elf),
        "tc": FITS,
        "path": crystal_path(elf, structure, {}),
        "protocol": {"engine": "toy", "cutoff_hartree": 60.0, "k_mesh": (2, 2, 2), "smearing": {"kelvin": 3000}},
        "name": "bcc hydrogen",
    }
    return Analysis(**(contents | changes))


@pytest.fixture(scope="session")
def cubic() -> Analysis:
    """Body-centred cubic hydrogen, two atoms in the cell."""
    cell = Cell(np.eye(3) * 4.2)
    structure = Structure(cell, cell.cartesian(np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])), ("H", "H"))
    return analysis_of(structure, bumps(structure, (32, 32, 32), 0.9), warnings=("two atoms are few",))


@pytest.fixture(scope="session")
def triclinic() -> Analysis:
    """Five hydrogens at general positions in a strongly triclinic cell, on a grid with three different axes."""
    cell = Cell(np.array([[5.1, 0.3, -0.4], [1.9, 6.3, 0.7], [-1.4, 2.6, 7.2]]))
    fractional = np.array(
        [[0.05, 0.11, 0.07], [0.31, 0.52, 0.13], [0.72, 0.21, 0.38], [0.44, 0.83, 0.61], [0.87, 0.67, 0.88]]
    )
    structure = Structure(cell, cell.cartesian(fractional), ("H",) * 5)
    return analysis_of(structure, bumps(structure, (30, 36, 42), 0.8), name="triclinic")


@pytest.fixture
def hydride_file(tmp_path, odd_cell) -> Path:
    """The cube of an ELF-like field on two hydrogens and a lanthanum."""
    fractional = np.array([[0.05, 0.11, 0.07], [0.31, 0.52, 0.13], [0.72, 0.21, 0.38]])
    structure = Structure(odd_cell, odd_cell.cartesian(fractional), ("H", "La", "D"))
    write_field(tmp_path / "hydride.cube", structure, bumps(structure, (16, 18, 20), 0.9))
    return tmp_path / "hydride.cube"
