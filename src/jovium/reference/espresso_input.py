"""The text that tells Quantum ESPRESSO what to compute."""

import math

import numpy as np
from ase.data import atomic_masses

from jovium.base.structure import Structure
from jovium.base.units import RYDBERG_HARTREE
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.pseudopotential import pseudopotentials, valence_electrons


def number_of_bands(structure: Structure, protocol: KohnShamSettings) -> int:
    """Bands that hold the thermal tail of the Fermi-Dirac occupations up to about 10 kT above the Fermi energy. From
    the free-electron count N(E) ~ E^(3/2) at the density of the structure: N/2 (1 + 10 kT/E_F)^(3/2), and at least four
    empty bands. The engine checks the occupation of the highest band afterwards."""
    n_electrons = valence_electrons(structure, protocol.functional)
    radius = (3 * structure.cell.volume / (4 * np.pi * n_electrons)) ** (1 / 3)
    fermi_energy = 0.5 * (9 * np.pi / 4) ** (2 / 3) / radius**2
    occupied = n_electrons / 2
    thermal = occupied * (1 + 10 * protocol.electronic_kT / fermi_energy) ** 1.5
    return int(np.ceil(max(thermal, occupied) + 4))


def number_of_waves(structure: Structure, protocol: KohnShamSettings) -> float:
    """Plane waves of a band, V (2 E)^(3/2) / (6 pi^2)."""
    return structure.cell.volume * (2 * protocol.cutoff) ** 1.5 / (6 * np.pi**2)


def diagonalization(structure: Structure, protocol: KohnShamSettings) -> str:
    """david, quick, but of a subspace of twice the bands: where that is nearly all plane waves its overlap is singular,
    and the library stops ("cdiaghg: S matrix not positive definite") or counts another charge. cg has no subspace."""
    return "david" if number_of_waves(structure, protocol) > 4 * number_of_bands(structure, protocol) else "cg"


def espresso_input(
    structure: Structure, protocol: KohnShamSettings, *, trajectory: bool = False, more_bands: float = 1.0
) -> str:
    """pw.x input (rydberg, bohr) for one self-consistent calculation with forces and stress.

    For hydrogen spatial symmetry is off, so that tau summed over the mesh needs no symmetrisation; the k-points are
    written out, one of each time-reversed pair. For compounds the library reduces the mesh by the symmetry of the
    crystal, and what is summed over it is averaged over the space group afterwards. With `trajectory`, later position
    sets continue a molecular-dynamics run: density and wave functions are extrapolated to second order in time (Arias
    et al., Phys. Rev. B 45, 1538 (1992))."""
    rydberg = 1 / RYDBERG_HARTREE
    potentials = pseudopotentials(structure, protocol.functional)
    atoms = structure.to_ase()
    masses = dict(zip(atoms.get_chemical_symbols(), atomic_masses[atoms.numbers], strict=True))
    n_bands = math.ceil(more_bands * number_of_bands(structure, protocol))
    lines = [
        "&control",
        f"  calculation='{'md' if trajectory else 'scf'}', prefix='hydrogen', outdir='./out', pseudo_dir='./'",
        "  disk_io='nowf', tprnfor=.true., tstress=.true., verbosity='low'",
        "/",
        "&system",
        f"  ibrav=0, nat={structure.n_atoms}, ntyp={len(potentials)}, nbnd={n_bands}",
        f"  nosym={'.false.' if uses_symmetry(structure) else '.true.'}",
        f"  ecutwfc={protocol.cutoff * rydberg:.10f}",
        f"  occupations='smearing', smearing='fd', degauss={protocol.electronic_kT * rydberg:.12f}",
        "/",
        "&electrons",
        f"  conv_thr={protocol.scf_threshold * structure.n_atoms * rydberg:.6e}, electron_maxstep=100",
        f"  diagonalization='{diagonalization(structure, protocol)}', mixing_beta=0.6",
        "/",
        "&ions",
        "  pot_extrapolation='second_order', wfc_extrapolation='second_order'",
        "/",
        "ATOMIC_SPECIES",
        *(f"{element} {mass:.3f} {element}.upf" for element, mass in masses.items()),
        *_k_points(structure, protocol),
        "CELL_PARAMETERS bohr",
        *(" ".join(f"{x:.14f}" for x in row) for row in structure.cell.vectors),
        "ATOMIC_POSITIONS bohr",
        *(
            f"{element} " + " ".join(f"{x:.14f}" for x in row)
            for element, row in zip(atoms.get_chemical_symbols(), structure.positions, strict=True)
        ),
        "",
    ]
    return "\n".join(lines)


def uses_symmetry(structure: Structure) -> bool:
    """Whether the engine computes the k-points of the irreducible wedge alone: for compounds."""
    return not structure.is_pure_hydrogen


def _k_points(structure: Structure, protocol: KohnShamSettings) -> list[str]:
    """The card of the k-points: the mesh, of which the engine takes the irreducible points; or one of each
    time-reversed pair written out."""
    if uses_symmetry(structure):
        shift = int(2 * protocol.k_offset)
        return ["K_POINTS automatic", " ".join(map(str, [*protocol.mesh(structure.cell), shift, shift, shift]))]
    k_points, weights = protocol.k_points(structure.cell)
    points = (" ".join(f"{x:.14f}" for x in [*k, w]) for k, w in zip(k_points, weights, strict=True))
    return ["K_POINTS crystal", str(len(weights)), *points]
