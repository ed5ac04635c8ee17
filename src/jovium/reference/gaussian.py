"""PySCF with Gaussian orbitals: the independent engine for cross-checks, same pseudopotential, other basis and code."""

import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.base.errors import EngineMissing, InputError, NotConverged
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.validity import require_hydrogen
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.pseudopotential import pseudopotential
from jovium.reference.state import GroundState

_FUNCTIONAL = {"PBE": "pbe,pbe", "LDA": "lda,pw"}
MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Gaussian:
    """Periodic Gaussian-basis engine; energy, density and kinetic-energy density, no forces and no stress. basis: a
    PySCF basis name. The protocol's cutoff sets the density grid here, not the orbitals: a plane-wave cutoff E allows
    densities up to 4 E."""

    basis: str = "gth-cc-tzvp"

    def __post_init__(self):
        if find_spec("pyscf") is None:
            raise EngineMissing("no PySCF", "the Python package pyscf", "pip install pyscf")

    def close(self) -> None:
        """Nothing to release."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        """See `Engine.ground_state`; `stress` is ignored. Raises NotConverged or StructureError."""
        require_hydrogen(structure)
        protocol = protocol.for_cell(structure.cell)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside the library
            field = self._self_consistent_field(structure, protocol)
            density, tau = _densities(field, structure) if fields else (None, None)
        return GroundState(
            structure=structure,
            protocol=protocol,
            engine=f"PySCF {version('pyscf')} ({self.basis})",
            free_energy=float(field.e_free),
            entropy_term=float(field.e_tot - field.e_free),
            density=density,
            windowed_density=density,  # Gaussians do not ring: nothing to window
            windowed_kinetic_energy_density=tau,
            scf_iterations=int(field.cycles),
            top_occupation=float(max(f[-1] for f in field.mo_occ)),
            seconds=time.perf_counter() - started,
        )

    def _self_consistent_field(self, structure: Structure, protocol: KohnShamSettings) -> Any:
        from pyscf.pbc import dft, gto
        from pyscf.pbc.scf.addons import smearing_

        cell: Any = gto.Cell()
        cell.unit = "B"
        cell.a = structure.cell.vectors
        cell.atom = [("H", tuple(position)) for position in structure.positions]
        cell.basis = self.basis
        cell.pseudo = pseudopotential("H", protocol.functional).name.lower()
        cell.ke_cutoff = 4 * protocol.cutoff
        cell.verbose = 0
        cell.spin = structure.n_atoms % 2
        cell.build()
        cell.spin = 0  # fractional occupations hold an odd number of electrons in doubly occupied orbitals
        k_points, weights = protocol.k_points(structure.cell)
        if not np.allclose(weights, weights[0]):
            k_points, _ = _full_mesh(k_points, weights)
        if structure.n_atoms * len(k_points) % 2:
            # PySCF fills pairs over the whole mesh and would round an odd count up, silently.
            raise InputError(
                f"{structure.n_atoms} electrons at {len(k_points)} k-points",
                "an even number of electrons in the whole mesh for PySCF",
                "use a mesh with an even number of points, or the default engine",
            )
        field = dft.KRKS(cell, kpts=cell.get_abs_kpts(k_points))
        field.xc = _FUNCTIONAL[protocol.functional]
        field.conv_tol = protocol.scf_threshold * structure.n_atoms
        field.max_cycle = MAX_ITERATIONS
        field = smearing_(field.multigrid_numint(), sigma=protocol.electronic_kT, method="fermi")
        field.kernel()
        if not field.converged:
            raise NotConverged(
                f"PySCF self-consistent field not converged after {field.max_cycle} iterations",
                f"a change below {field.conv_tol:.1e} hartree",
                "raise the electronic temperature, or check the structure for very short distances",
            )
        return field


def _full_mesh(
    k_points: Float[np.ndarray, "k 3"], weights: Float[np.ndarray, "k"]
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, "m"]]:
    """Both members of every time-reversed pair, so that all weights are equal."""
    both = np.vstack([k_points, -k_points[weights > 1.5 * weights.min()]])
    return both, np.full(len(both), 1 / len(both))


def _densities(field: Any, structure: Structure) -> tuple[GridField, GridField]:
    """n = sum f |psi|^2 and tau = 1/2 sum f |grad psi|^2 on the uniform grid of the cell."""
    cell = field.cell
    shape = tuple(int(n) for n in cell.mesh)
    coordinates = cell.gen_uniform_grids(shape, wrap_around=False)
    density, tau = np.zeros(len(coordinates)), np.zeros(len(coordinates))
    for k, orbitals, occupations in zip(field.kpts, field.mo_coeff, field.mo_occ, strict=True):
        weight = np.asarray(occupations) / len(field.kpts)
        occupied = weight > 1e-14
        basis = cell.pbc_eval_gto("GTOval_sph_deriv1", coordinates, kpt=k)  # (value and 3 derivatives, points, basis)
        psi = basis @ np.asarray(orbitals)[:, occupied]
        density += np.sum(weight[occupied] * np.abs(psi[0]) ** 2, axis=-1)
        tau += 0.5 * np.sum(weight[occupied] * np.sum(np.abs(psi[1:]) ** 2, axis=0), axis=-1)
    return GridField(density.reshape(shape), structure.cell), GridField(tau.reshape(shape), structure.cell)
