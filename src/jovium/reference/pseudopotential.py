"""The hydrogen pseudopotential: local, norm-conserving, in the analytic form of Goedecker, Teter and Hutter.

    V(r) = -1/r erf(r / (sqrt 2 r_loc)) + exp(-(r/r_loc)^2 / 2) [C1 + C2 (r/r_loc)^2]

Goedecker, Teter and Hutter, Phys. Rev. B 54, 1703 (1996), eq. 1, hydrogen in LDA from its table I; PBE parameters
from Krack, Theor. Chem. Acc. 114, 145 (2005). Hydrogen has no projectors: the potential is the same for every l.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import erf

from jovium.base.errors import InputError

RADIAL_STEP, RADIAL_END = 0.01, 10.0


@dataclass(frozen=True)
class LocalPotential:
    """Parameters of the local potential: r_loc (bohr), C1 and C2 (hartree)."""

    name: str
    r_loc: float
    c1: float
    c2: float

    def __call__(self, r: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """V(r) in hartree; at r = 0 the finite limit -sqrt(2/pi)/r_loc + C1."""
        r = np.asarray(r, dtype=float)
        x = r / self.r_loc
        # erf(x / sqrt 2) / r tends to sqrt(2/pi) / r_loc: below 1e-8 bohr the limit is exact in double precision.
        near = r < 1e-8
        long_range = np.where(near, np.sqrt(2 / np.pi) / self.r_loc, erf(x / np.sqrt(2)) / np.where(near, 1.0, r))
        return -long_range + np.exp(-(x**2) / 2) * (self.c1 + self.c2 * x**2)


HYDROGEN = {
    "PBE": LocalPotential("GTH-PBE-q1", 0.2, -4.17890044, 0.72446331),
    "LDA": LocalPotential("GTH-PADE-q1", 0.2, -4.18023680, 0.72507482),
}


def hydrogen_potential(functional: str) -> LocalPotential:
    """The hydrogen pseudopotential made for a functional. Raises InputError when there is none."""
    if functional not in HYDROGEN:
        raise InputError(f"functional {functional!r}", " or ".join(HYDROGEN), "choose one of them")
    return HYDROGEN[functional]


def upf(functional: str) -> str:
    """The hydrogen pseudopotential as a UPF 2.0.1 file (rydberg, bohr) on a uniform radial mesh. Orbital and density
    are those of the free atom, 2 r e^-r: starting guesses, without influence on the result."""
    potential = hydrogen_potential(functional)
    r = np.arange(0.0, RADIAL_END + RADIAL_STEP / 2, RADIAL_STEP)
    orbital = 2 * r * np.exp(-r)
    header = (
        f'generated="analytic" author="Jovium" date="" comment="{potential.name}" element="H" pseudo_type="NC" '
        'relativistic="no" is_ultrasoft="F" is_paw="F" is_coulomb="F" has_so="F" has_wfc="F" has_gipaw="F" '
        f'paw_as_gipaw="F" core_correction="F" functional="{_QE_FUNCTIONAL[functional]}" z_valence="1.0" '
        'total_psenergy="0.0" wfc_cutoff="0.0" rho_cutoff="0.0" l_max="0" l_max_rho="0" l_local="0" '
        f'mesh_size="{len(r)}" number_of_wfc="1" number_of_proj="0"'
    )
    chi = 'index="1" label="1S" l="0" occupation="1.0" n="1" pseudo_energy="-1.0"'
    return "\n".join(
        [
            '<UPF version="2.0.1">',
            f"<PP_INFO>{potential.name}: local hydrogen pseudopotential</PP_INFO>",
            f"<PP_HEADER {header}/>",
            f'<PP_MESH dx="{RADIAL_STEP}" mesh="{len(r)}" xmin="0.0" rmax="{RADIAL_END}" zmesh="1.0">',
            _block("PP_R", r),
            _block("PP_RAB", np.full_like(r, RADIAL_STEP)),
            "</PP_MESH>",
            _block("PP_LOCAL", 2 * potential(r)),  # hartree -> rydberg
            "<PP_NONLOCAL></PP_NONLOCAL>",
            "<PP_PSWFC>",
            _block("PP_CHI.1", orbital, chi),
            "</PP_PSWFC>",
            _block("PP_RHOATOM", orbital**2),
            "</UPF>\n",
        ]
    )


_QE_FUNCTIONAL = {"PBE": "PBE", "LDA": "SLA PW NOGX NOGC"}


def _block(tag: str, values: Float[np.ndarray, "n"], attributes: str = "") -> str:
    rows = [" ".join(f"{v:.15e}" for v in values[i : i + 4]) for i in range(0, len(values), 4)]
    return f'<{tag} type="real" size="{len(values)}" columns="4" {attributes}>\n' + "\n".join(rows) + f"\n</{tag}>"
