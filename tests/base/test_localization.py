"""The ELF: exact values of the uniform gas and of one orbital, and the Quantum ESPRESSO prefactor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jovium.base.errors import InputError
from jovium.base.grid import GridField
from jovium.base.localization import (
    THOMAS_FERMI,
    chi_from_elf,
    corrected_qe_elf,
    electron_localization,
    elf_from_chi,
)


def test_uniform_gas_has_elf_one_half(odd_cell):
    n = 3 / (4 * np.pi * 1.31**3)
    density = GridField(np.full((5, 7, 9), n), odd_cell)
    # tau = 3/10 (3 pi^2)^(2/3) n^(5/3) of the unpolarised uniform gas
    kinetic = GridField(np.full((5, 7, 9), 0.3 * (3 * np.pi**2) ** (2 / 3) * n ** (5 / 3)), odd_cell)
    result = electron_localization(density, kinetic)
    np.testing.assert_allclose(result.elf.values, 0.5, atol=1e-14)
    assert (result.n_negative, result.n_vacuum) == (0, 0)


def one_orbital(cell, shape):
    """Density and kinetic energy density of a doubly occupied psi = 1 + 0.2 cos(G1 r) + 0.1 sin((G2 - G3) r)."""
    g1, g2 = cell.reciprocal[0], cell.reciprocal[1] - cell.reciprocal[2]
    r = GridField(np.zeros(shape), cell).points()
    psi = 1 + 0.2 * np.cos(r @ g1) + 0.1 * np.sin(r @ g2)
    slope = -0.2 * np.sin(r @ g1)[..., None] * g1 + 0.1 * np.cos(r @ g2)[..., None] * g2
    # n = 2 psi^2 and tau = 1/2 * 2 |grad psi|^2
    return GridField(2 * psi**2, cell), GridField(np.sum(slope**2, axis=-1), cell)


@pytest.mark.parametrize("shape", [(9, 11, 13), (10, 12, 14)])
def test_one_doubly_occupied_orbital_has_elf_one_everywhere(odd_cell, shape):
    result = electron_localization(*one_orbital(odd_cell, shape))
    np.testing.assert_allclose(result.elf.values, 1.0, atol=1e-12)


def test_spin_convention_would_change_the_elf_of_the_uniform_gas():
    # With the polarised reference 2^(2/3) D0 the same gas would read 1/(1 + 2^(-4/3)) = 0.716.
    assert elf_from_chi(np.array([2 ** (-2 / 3)])) == pytest.approx(0.7159, abs=1e-4)
    assert pytest.approx(2.871234, abs=1e-6) == THOMAS_FERMI


def test_vacuum_has_elf_zero_and_is_counted(odd_cell):
    density, kinetic = one_orbital(odd_cell, (9, 11, 13))
    thin = GridField(density.values * 1e-7, odd_cell)
    result = electron_localization(thin, GridField(kinetic.values * 1e-7, odd_cell))
    assert result.n_vacuum == density.values.size
    assert np.all(result.elf.values == 0)


def test_negative_excess_is_clamped_and_counted(odd_cell):
    density, kinetic = one_orbital(odd_cell, (9, 11, 13))
    result = electron_localization(density, GridField(kinetic.values - 0.01, odd_cell))
    assert result.n_negative == density.values.size
    np.testing.assert_allclose(result.elf.values, 1.0)


def test_elf_refuses_two_grids(odd_cell):
    with pytest.raises(InputError, match="same grid"):
        electron_localization(GridField(np.ones((3, 4, 5)), odd_cell), GridField(np.ones((3, 4, 6)), odd_cell))


@settings(deadline=None, max_examples=50)
@given(st.floats(0.001, 1.0))
def test_chi_and_elf_are_inverse(elf):
    assert elf_from_chi(chi_from_elf(np.array([elf]))) == pytest.approx(elf, rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.0, 50.0))
def test_correction_restores_what_quantum_espresso_divided_out(chi):
    written = elf_from_chi(np.array([chi / 2 ** (2 / 3)]))
    assert corrected_qe_elf(written) == pytest.approx(elf_from_chi(np.array([chi])), rel=1e-9, abs=1e-15)


def test_correction_keeps_the_ends_and_lowers_the_middle():
    np.testing.assert_allclose(corrected_qe_elf(np.array([0.0, 1.0])), [0.0, 1.0])
    # 1 / (1 + 2^(4/3) (1/0.603 - 1)) of the handbook's formula, by hand
    assert corrected_qe_elf(np.array([0.793])) == pytest.approx(1 / (1 + 2 ** (4 / 3) * (1 / 0.793 - 1)), rel=1e-12)
    assert corrected_qe_elf(np.array([0.7159])) == pytest.approx(0.5, abs=1e-4)
