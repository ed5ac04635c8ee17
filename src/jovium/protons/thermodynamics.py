"""From the density of labelled particles to the free energy of particles that are alike.

With Z = 1 / (N! Lambda^3N) int exp(-beta U) dx and a model p that covers one of `copies` equal regions,

    beta F <= E_p[ln p + beta U] + ln N! - ln copies + 3 N ln Lambda,      Lambda = sqrt(2 pi / (m kT)) (hbar = 1),

the last term the momentum part. N! and the copies are counted here and nowhere else.
"""

import math

import numpy as np

from jovium.protons.flow import Flow
from jovium.protons.targets import Target


def thermal_wavelength(mass: float, temperature: float) -> float:
    """Lambda in bohr; mass in electron masses, temperature as kT in hartree."""
    return math.sqrt(2 * math.pi / (mass * temperature))


def momentum_term(n_particles: int, wavelength: float) -> float:
    """3 N ln Lambda, the momentum part of beta F."""
    return 3 * n_particles * math.log(wavelength)


def labelling_term(n_particles: int, log_copies: float) -> float:
    """ln N! - ln copies: what beta F gains because particles are alike."""
    return math.lgamma(n_particles + 1) - log_copies


def excess_offset(target: Target, flow: Flow) -> float:
    """beta F - beta F_ideal less E_p[ln p + beta U]: N ln V - ln copies in a cell; in open space beta F is -ln Z, and
    lacks nothing."""
    if target.cell is None:
        return 0.0
    return target.n_particles * float(np.log(target.cell.volume)) - flow.base.log_copies
