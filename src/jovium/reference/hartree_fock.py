"""Hartree-Fock of hydrogen in open space, from PySCF: what a wave function starts from."""

import numpy as np
from jaxtyping import Float

from jovium.base.errors import InputError

BASIS = "cc-pvdz"


def density_matrices(
    protons: Float[np.ndarray, "m 3"], one: Float[np.ndarray, "b n 3"], other: Float[np.ndarray, "b k 3"], n: int
) -> Float[np.ndarray, "b d n k"]:
    """sum_k phi_k(r) phi_k(r') over occupied orbitals of restricted Hartree-Fock, between two sets of positions (bohr).

    The first of n matrices is that of the ground state; in the others one pair of a high orbital, or one electron of
    it, is in one of the lowest empty ones: the states that resonate with it where bonds are long or orbitals are
    degenerate. Raises InputError for an odd number of protons, or when PySCF is missing."""
    try:
        from pyscf import gto, scf
    except ImportError as error:
        raise InputError("PySCF is not installed", "pip install pyscf", "or --pretraining 0") from error
    if len(protons) % 2:
        raise InputError(f"{len(protons)} protons", "an even number for a closed shell", "take --pretraining 0")
    molecule = gto.M(atom=[("H", tuple(r)) for r in protons], unit="bohr", basis=BASIS, verbose=0)
    field = scf.RHF(molecule).newton()
    field.kernel()
    n_occupied = len(protons) // 2

    def orbitals(positions: Float[np.ndarray, "b n 3"]) -> Float[np.ndarray, "b n o"]:
        values = molecule.eval_gto("GTOval_sph", positions.reshape(-1, 3)) @ field.mo_coeff
        return values.reshape(*positions.shape[:2], -1)

    fillings = _fillings(n_occupied, field.mo_coeff.shape[1], n)
    return np.einsum("bik,dkl,bjl->bdij", orbitals(one), fillings, orbitals(other))


def _fillings(n_occupied: int, n_orbitals: int, n: int) -> Float[np.ndarray, "d o o"]:
    """Which orbitals hold a pair: the lowest; then, by the number of orbitals passed, one pair lifted, and one electron
    of it, either of them, in turn."""
    moves = [(i, a) for i in range(n_occupied) for a in range(n_occupied, n_orbitals)]
    moves.sort(key=lambda move: (move[1] - move[0], move[1]))
    ground = np.diag((np.arange(n_orbitals) < n_occupied).astype(float))
    fillings = [ground]
    for i, a in moves:
        both, single = ground.copy(), ground.copy()
        both[i, i], both[a, a] = 0, 1
        single[i, i], single[i, a], single[a, i] = 0, 1, 1
        fillings += [both, single]
    return np.array((fillings + [ground] * n)[:n])
