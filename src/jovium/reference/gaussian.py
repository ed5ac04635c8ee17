"""PySCF with Gaussian orbitals: the independent engine for cross-checks, same pseudopotential, other basis and code."""

import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float

from jovium.base.errors import EngineMissing, InputError, NotConverged, reason
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.validity import require_apart
from jovium.reference.feasibility import require_feasible
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.pseudopotential import Pseudopotential, pseudopotential, pseudopotentials, valence_electrons
from jovium.reference.state import GroundState

_FUNCTIONAL = {"PBE": "pbe,pbe", "LDA": "lda,pw"}
MAX_ITERATIONS = 100

EVEN_TEMPERED = "even-tempered"
RATIO = 1.8
"""Of successive exponents. The levels of the free pseudo-atoms of H, Li, B, Mg, Si, S, Ca, Y and La then add up to the
limit within 0.7 mHa; with 2 those of La lack 4.6 mHa, as LaH2 does. Of the late lanthanides 4f lacks 5 to 12 mHa."""
WIDEST = (0.15, 0.15, 0.2, 0.5)
"""Exponents (1/bohr^2) of s, p, d and f. In a crystal under pressure the tails of the neighbours do the work of wider
functions, which are nearly combinations of the others: with 0.1 in place of 0.15 LiH gains 0.09 mHa per atom."""
WIDEST_OF_HYDROGEN = (0.2, 0.4, 0.8)
STEEPEST_POLARISATION = 3.0
"""Over l, where an l has neither electrons nor projectors: two f lower SH3 by 0.3 and YH2 by 1.0 mHa per atom."""


@dataclass(frozen=True)
class Gaussian:
    """Periodic Gaussian-basis engine; energy, density and kinetic-energy density, no forces and no stress. basis: a
    PySCF basis name or "even-tempered" (`even_tempered`), None for gth-cc-tzvp of pure hydrogen and even-tempered of
    compounds. The protocol's cutoff sets the density grid here, not the orbitals: a plane-wave cutoff E allows
    densities up to 4 E. sure: see `jovium.reference.feasibility.require_feasible`."""

    basis: str | None = None
    sure: bool = False

    def __post_init__(self):
        if find_spec("pyscf") is None:
            raise EngineMissing("no PySCF", "the Python package pyscf", "pip install pyscf")

    def close(self) -> None:
        """Nothing to release."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        """See `Engine.ground_state`; `stress` is ignored. Raises NotConverged, and as `require_feasible`."""
        protocol = protocol.for_cell(structure.cell)
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside the library
            field = self.self_consistent_field(structure, protocol)
            density, tau = _densities(field, structure) if fields else (None, None)
        return GroundState(
            structure=structure,
            protocol=protocol,
            engine=f"PySCF {version('pyscf')} ({self.basis_name(structure)})",
            free_energy=float(field.e_free),
            entropy_term=float(field.e_tot - field.e_free),
            density=density,
            windowed_density=density,  # Gaussians do not ring: nothing to window
            windowed_kinetic_energy_density=tau,
            scf_iterations=int(field.cycles),
            top_occupation=float(max(f[-1] for f in field.mo_occ)),
            seconds=time.perf_counter() - started,
        )

    def basis_name(self, structure: Structure) -> str:
        """The basis used for a structure."""
        return self.basis or ("gth-cc-tzvp" if structure.is_pure_hydrogen else EVEN_TEMPERED)

    def self_consistent_field(self, structure: Structure, protocol: KohnShamSettings) -> Any:
        """The converged object of PySCF. Raises as `ground_state`."""
        from pyscf.pbc import dft
        from pyscf.pbc.scf.addons import smearing_

        require_apart(structure)
        require_feasible(structure, protocol, sure=self.sure)
        cell = self._cell(structure, protocol)
        n_electrons = valence_electrons(structure, protocol.functional)
        k_points, weights = protocol.k_points(structure.cell)
        if not np.allclose(weights, weights[0]) or n_electrons * len(k_points) % 2:
            k_points = _full_mesh(k_points)
        if n_electrons * len(k_points) % 2:
            # PySCF fills pairs over the whole mesh and would round an odd count up, silently.
            raise InputError(
                f"{n_electrons} electrons at {len(k_points)} k-points",
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

    def _cell(self, structure: Structure, protocol: KohnShamSettings) -> Any:
        from pyscf.lib.exceptions import BasisNotFoundError
        from pyscf.pbc import gto

        potentials = pseudopotentials(structure, protocol.functional)
        elements = [pseudopotential(symbol, protocol.functional).element for symbol in structure.symbols]
        basis = self.basis_name(structure)
        cell: Any = gto.Cell()
        cell.unit = "B"
        cell.a = structure.cell.vectors
        cell.atom = [(element, tuple(r)) for element, r in zip(elements, structure.positions, strict=True)]
        cell.basis = {x: even_tempered(p) if basis == EVEN_TEMPERED else basis for x, p in potentials.items()}
        # in capitals the name would be looked up in another table, which has a newer sodium
        cell.pseudo = {element: potential.name.lower() for element, potential in potentials.items()}
        cell.ke_cutoff = 4 * protocol.cutoff
        cell.verbose = 0
        cell.spin = valence_electrons(structure, protocol.functional) % 2
        try:
            cell.build()
        except BasisNotFoundError as error:
            raise InputError(
                f"basis {basis!r} for {', '.join(potentials)}: {reason(error)}",
                f"a basis of PySCF with all of the elements, or {EVEN_TEMPERED}",
                f"take {EVEN_TEMPERED}, which is made for any element",
            ) from error
        cell.spin = 0  # fractional occupations hold an odd number of electrons in doubly occupied orbitals
        return cell


def even_tempered(potential: Pseudopotential) -> list[Any]:
    """Uncontracted Gaussians near the limit of a compressed crystal: s, p, d, and f of all but hydrogen. Exponents go
    in steps of `RATIO` up to the first beyond 1/radius^2 of the potential where an l has electrons or projectors, else
    as far as polarisation needs. Near-linear combinations (overlap eigenvalues below 1e-6) are dropped by PySCF."""
    widest = WIDEST_OF_HYDROGEN if potential.element == "H" else WIDEST
    radii = {l: potential.r_loc for l, n_electrons in enumerate(potential.configuration) if n_electrons}
    radii |= {channel.l: min(channel.radius, potential.r_loc) for channel in potential.channels}
    basis = []
    for l, smallest in enumerate(widest):
        steepest = radii[l] ** -2 if l in radii else STEEPEST_POLARISATION / l
        n_steps = int(np.ceil(np.log(steepest / smallest) / np.log(RATIO) - 1e-9))
        basis += [[l, [float(smallest * RATIO**step), 1.0]] for step in range(n_steps + 1)]
    return basis


def _full_mesh(k_points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "m 3"]:
    """Both members of every time-reversed pair, so that all weights are equal."""
    paired = (np.abs(2 * k_points - np.round(2 * k_points)) > 1e-9).any(axis=1)
    return np.vstack([k_points, -k_points[paired]])


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
