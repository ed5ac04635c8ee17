"""The text that tells Quantum ESPRESSO what to compute."""

import numpy as np

from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.base.units import RYDBERG_HARTREE
from jovium.reference.kohn_sham import KohnShamSettings

PSEUDOPOTENTIAL_FILE = "H.upf"


def number_of_bands(structure: Structure, protocol: KohnShamSettings) -> int:
    """Bands that hold the thermal tail of the Fermi-Dirac occupations up to about 10 kT above the Fermi energy. From
    the free-electron count N(E) ~ E^(3/2) at the density of the structure: N/2 (1 + 10 kT/E_F)^(3/2), and at least four
    empty bands. The engine checks the occupation of the highest band afterwards."""
    fermi_energy = 0.5 * (9 * np.pi / 4) ** (2 / 3) / structure.rs**2
    occupied = structure.n_atoms / 2
    thermal = occupied * (1 + 10 * protocol.electronic_kT / fermi_energy) ** 1.5
    return int(np.ceil(max(thermal, occupied) + 4))


def number_of_waves(structure: Structure, protocol: KohnShamSettings) -> float:
    """Plane waves of a band, V (2 E)^(3/2) / (6 pi^2)."""
    return structure.cell.volume * (2 * protocol.cutoff) ** 1.5 / (6 * np.pi**2)


def diagonalization(structure: Structure, protocol: KohnShamSettings) -> str:
    """david, quick, but of a subspace of twice the bands: where that is nearly all plane waves its overlap is singular,
    and the library stops ("cdiaghg: S matrix not positive definite") or counts another charge. cg has no subspace."""
    return "david" if number_of_waves(structure, protocol) > 4 * number_of_bands(structure, protocol) else "cg"


def require_feasible(structure: Structure, protocol: KohnShamSettings) -> None:
    """Raise InputError when the plane waves are too many or too few. More than ten million do not fit into a common
    memory; fewer than the bands cannot hold the thermal tail."""
    n_waves = number_of_waves(structure, protocol)
    if n_waves > 1e7:
        raise InputError(
            f"a cell of {structure.cell.volume:.3g} bohr^3 at {protocol.cutoff:g} hartree: {n_waves:.1e} plane waves",
            "at most 1e7",
            "check the units of the cell, take less vacuum or a lower cutoff",
        )
    is_hot = number_of_bands(structure, protocol) > structure.n_atoms / 2 + 5  # else they are as few as can be
    if number_of_bands(structure, protocol) > 0.5 * n_waves:
        raise InputError(
            f"{number_of_bands(structure, protocol)} bands for {n_waves:.0f} plane waves",
            "at least twice as many plane waves as bands",
            "raise the cutoff, or give a structure of more atoms"
            + (" or a lower electronic temperature" if is_hot else ""),
        )


def espresso_input(structure: Structure, protocol: KohnShamSettings, *, trajectory: bool = False) -> str:
    """pw.x input (rydberg, bohr) for one self-consistent calculation with forces and stress.

    Spatial symmetry is off, so that tau summed over the mesh needs no symmetrisation; the k-points are written out,
    one of each time-reversed pair. With `trajectory`, later position sets continue a molecular-dynamics run: density
    and wave functions are extrapolated to second order in time (Arias et al., Phys. Rev. B 45, 1538 (1992))."""
    require_feasible(structure, protocol)
    k_points, weights = protocol.k_points(structure.cell)
    rydberg = 1 / RYDBERG_HARTREE
    lines = [
        "&control",
        f"  calculation='{'md' if trajectory else 'scf'}', prefix='hydrogen', outdir='./out', pseudo_dir='./'",
        "  disk_io='nowf', tprnfor=.true., tstress=.true., verbosity='low'",
        "/",
        "&system",
        f"  ibrav=0, nat={structure.n_atoms}, ntyp=1, nosym=.true., nbnd={number_of_bands(structure, protocol)}",
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
        f"H 1.008 {PSEUDOPOTENTIAL_FILE}",
        "K_POINTS crystal",
        str(len(weights)),
        *(" ".join(f"{x:.14f}" for x in [*k, w]) for k, w in zip(k_points, weights, strict=True)),
        "CELL_PARAMETERS bohr",
        *(" ".join(f"{x:.14f}" for x in row) for row in structure.cell.vectors),
        "ATOMIC_POSITIONS bohr",
        *("H " + " ".join(f"{x:.14f}" for x in row) for row in structure.positions),
        "",
    ]
    return "\n".join(lines)
