"""The core of a free atom."""

import numpy as np
import pytest

from jovium.reference.pseudo_atom import core_radii, core_radius, pseudo_atom
from jovium.reference.pseudopotential import pseudopotential

SHELLS = {"Li": 2, "Be": 2, "Na": 8, "Mg": 8, "K": 8, "Ca": 8, "Rb": 8, "Sr": 8, "Cs": 8, "Ba": 8}


@pytest.mark.parametrize(("element", "electrons"), SHELLS.items())
def test_the_core_holds_the_electrons_of_its_shells(element, electrons):
    """To 0.1 to 0.2 electrons, as Kohout and Savin find for these elements."""
    potential = pseudopotential(element)
    r = np.arange(0.005, core_radius(potential), 0.005)
    density = sum(orbital.occupation * orbital(r) ** 2 for orbital in pseudo_atom(potential))
    assert np.sum(density * r**2) * 0.005 == pytest.approx(electrons, abs=0.2)


def test_without_a_shell_below_the_valence_the_core_is_that_of_the_potential():
    for element in ("B", "C", "Si", "S", "Cl"):
        potential = pseudopotential(element)
        assert core_radius(potential) == pytest.approx(2 * potential.r_loc)


def test_cores_grow_down_a_group_and_shrink_along_a_row():
    radii = core_radii(["H", "Li", "Na", "K", "Rb", "Cs", "Ca", "Sc", "Ti", "V", "D", "Ac"])
    assert [radii[x] for x in ("Li", "Na", "K", "Rb", "Cs")] == sorted(radii[x] for x in ("Li", "Na", "K", "Rb", "Cs"))
    assert [radii[x] for x in ("V", "Ti", "Sc", "Ca", "K")] == sorted(radii[x] for x in ("V", "Ti", "Sc", "Ca", "K"))
    assert not {"H", "D", "Ac"} & set(radii)  # hydrogen has no core, actinium no potential
