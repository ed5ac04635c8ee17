"""One structure has one phi, however it is written down: the shipped network on six forms of four structures."""

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.structure import Structure
from jovium.crystals import crystal
from jovium.elf.model import elf_grid_shape, shipped_model
from jovium.labels.random_structures import random_structure
from jovium.workflows.thresholds import phi_and_phi_star

MOVED, ROTATED = np.array([0.37, -1.13, 2.9]), np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]

STRUCTURES = {
    "bcc": lambda: crystal("bcc", 1.3),
    "cs-iv": lambda: crystal("cs-iv", 1.25),
    "c2/c-24": lambda: crystal("c2/c-24", 1.45),
    "of a search": lambda: random_structure("mixed", np.random.default_rng(5)),
}

FORMS = {
    "permuted": lambda s: Structure(s.cell, s.positions[::-1], s.symbols),
    "translated": lambda s: Structure(s.cell, s.positions + MOVED, s.symbols),
    "rotated": lambda s: Structure(Cell(s.cell.vectors @ ROTATED), s.positions @ ROTATED, s.symbols),
    "axes in another order": lambda s: Structure(Cell(s.cell.vectors[[2, 0, 1]]), s.positions, s.symbols),
    "another cell of the lattice": lambda s: Structure(
        Cell(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ s.cell.vectors), s.positions, s.symbols
    ),
    "supercell": lambda s: s.supercell((1, 2, 1)),
}


def phi(structure):
    elf = shipped_model().predict(structure, elf_grid_shape(structure)).elf
    return phi_and_phi_star(elf, structure.positions)[0]


@pytest.mark.parametrize("name", STRUCTURES)
def test_phi_is_that_of_every_equivalent_structure(name):
    structure = STRUCTURES[name]()
    assert {form: phi(of(structure)) for form, of in FORMS.items()} == pytest.approx(
        dict.fromkeys(FORMS, phi(structure)), abs=1e-3
    )
