"""Pseudopotentials as UPF 2.0.1 files, which plane-wave codes read (rydberg, bohr, a uniform radial mesh)."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import block_diag

from jovium.base.units import RYDBERG_HARTREE
from jovium.reference.pseudo_atom import occupied_shells
from jovium.reference.pseudopotential import Pseudopotential

RADIAL_STEP, RADIAL_END = 0.01, 10.0
FUNCTIONALS = {"GTH-PBE": "PBE", "GTH-PADE": "SLA PW NOGX NOGC"}


def upf(potential: Pseudopotential) -> str:
    """The file of a pseudopotential. Orbitals and density are starting guesses, without influence on the result: 2 r
    e^-r of the free atom for hydrogen, those of the pseudo-atom for the others."""
    r = np.arange(0.0, RADIAL_END + RADIAL_STEP / 2, RADIAL_STEP)
    orbitals, density = _starting_guess(potential, r)
    mesh = f'dx="{RADIAL_STEP}" mesh="{len(r)}" xmin="0.0" rmax="{RADIAL_END}" zmesh="{potential.charge:.1f}"'
    return "\n".join(
        [
            '<UPF version="2.0.1">',
            f"<PP_INFO>{potential.name}: {potential.element}, {potential.charge} valence electrons</PP_INFO>",
            f"<PP_HEADER {_header(potential, len(r), len(orbitals))}/>",
            f"<PP_MESH {mesh}>",
            _block("PP_R", r),
            _block("PP_RAB", np.full_like(r, RADIAL_STEP)),
            "</PP_MESH>",
            _block("PP_LOCAL", potential(r) / RYDBERG_HARTREE),
            _nonlocal(potential, r),
            "<PP_PSWFC>",
            *orbitals,
            "</PP_PSWFC>",
            _block("PP_RHOATOM", density),
            "</UPF>\n",
        ]
    )


def _header(potential: Pseudopotential, n_points: int, n_orbitals: int) -> str:
    n_projectors = sum(len(channel.coefficients) for channel in potential.channels)
    functional = FUNCTIONALS[potential.name.rpartition("-")[0]]
    l_max = max([channel.l for channel in potential.channels if channel.coefficients], default=0)
    return (
        f'generated="analytic" author="Jovium" date="" comment="{potential.name}" element="{potential.element}" '
        'pseudo_type="NC" relativistic="no" is_ultrasoft="F" is_paw="F" is_coulomb="F" has_so="F" has_wfc="F" '
        f'has_gipaw="F" paw_as_gipaw="F" core_correction="F" functional="{functional}" '
        f'z_valence="{potential.charge:.1f}" total_psenergy="0.0" wfc_cutoff="0.0" rho_cutoff="0.0" l_max="{l_max}" '
        f'l_max_rho="0" l_local="{-1 if n_projectors else 0}" mesh_size="{n_points}" number_of_wfc="{n_orbitals}" '
        f'number_of_proj="{n_projectors}"'
    )


def _starting_guess(potential: Pseudopotential, r: Float[np.ndarray, "n"]) -> tuple[list[str], Float[np.ndarray, "n"]]:
    """The blocks PP_CHI of the orbitals and the density 4 pi r^2 n."""
    if potential.element == "H":
        shells = [(0, 1.0, -1.0, 2 * r * np.exp(-r))]
    else:
        shells = [(o.l, o.occupation, o.energy / RYDBERG_HARTREE, r * o(r)) for o in occupied_shells(potential)]
    blocks = []
    for number, (l, occupation, energy, orbital) in enumerate(shells, 1):
        label = f'index="{number}" label="{number}{"SPDF"[l]}" l="{l}" occupation="{occupation}" n="{number}"'
        blocks.append(_block(f"PP_CHI.{number}", orbital, f'{label} pseudo_energy="{energy}"'))
    density = sum(occupation * orbital**2 for _, occupation, _, orbital in shells)
    return blocks, np.asarray(density)


def _nonlocal(potential: Pseudopotential, r: Float[np.ndarray, "n"]) -> str:
    """The block of the projectors r p(r) and their coefficients D = h, in rydberg."""
    projectors = [(channel, i) for channel in potential.channels for i in range(len(channel.coefficients))]
    if not projectors:
        return "<PP_NONLOCAL></PP_NONLOCAL>"  # on one line: the reader of Quantum ESPRESSO 7.2 misses its end on two
    cutoff = f'cutoff_radius_index="{len(r)}" cutoff_radius="{r[-1]}"'
    blocks = [
        _block(f"PP_BETA.{n}", r * channel.projector(i, r), f'index="{n}" angular_momentum="{channel.l}" {cutoff}')
        for n, (channel, i) in enumerate(projectors, 1)
    ]
    coefficients = np.array(
        block_diag(*(channel.coefficients for channel in potential.channels if channel.coefficients))
    )
    blocks.append(_block("PP_DIJ", coefficients.ravel() / RYDBERG_HARTREE))
    return "\n".join(["<PP_NONLOCAL>", *blocks, "</PP_NONLOCAL>"])


def _block(tag: str, values: Float[np.ndarray, "n"], attributes: str = "") -> str:
    rows = [" ".join(f"{v:.15e}" for v in values[i : i + 4]) for i in range(0, len(values), 4)]
    return f'<{tag} type="real" size="{len(values)}" columns="4" {attributes}>\n' + "\n".join(rows) + f"\n</{tag}>"
