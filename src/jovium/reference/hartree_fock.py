"""Hartree-Fock of hydrogen in open space, from PySCF: what a wave function starts from."""

import numpy as np
from jaxtyping import Float

from jovium.base.errors import InputError

BASIS = "cc-pvdz"


def density_matrix(
    protons: Float[np.ndarray, "m 3"], one: Float[np.ndarray, "b n 3"], other: Float[np.ndarray, "b k 3"]
) -> Float[np.ndarray, "b n k"]:
    """sum_k phi_k(r) phi_k(r') over occupied orbitals of restricted Hartree-Fock, between two sets of positions (bohr).

    Raises InputError for an odd number of protons, or when PySCF is missing."""
    try:
        from pyscf import gto, scf
    except ImportError as error:
        raise InputError("PySCF is not installed", "pip install pyscf", "or --pretraining 0") from error
    if len(protons) % 2:
        raise InputError(f"{len(protons)} protons", "an even number for a closed shell", "take --pretraining 0")
    molecule = gto.M(atom=[("H", tuple(r)) for r in protons], unit="bohr", basis=BASIS, verbose=0)
    field = scf.RHF(molecule).newton()
    field.kernel()
    occupied = field.mo_coeff[:, field.mo_occ > 0]

    def orbitals(positions: Float[np.ndarray, "b n 3"]) -> Float[np.ndarray, "b n o"]:
        values = molecule.eval_gto("GTOval_sph", positions.reshape(-1, 3)) @ occupied
        return values.reshape(*positions.shape[:2], -1)

    return np.einsum("bik,bjk->bij", orbitals(one), orbitals(other))
