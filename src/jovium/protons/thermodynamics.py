"""From the density of labelled particles to the free energy of particles that are alike.

With Z = 1 / (N! Lambda^3N) int exp(-beta U) dx and a model p that covers one of `copies` equal regions,

    beta F <= E_p[ln p + beta U] + ln N! - ln copies + 3 N ln Lambda,      Lambda = sqrt(2 pi / (m kT)) (hbar = 1),

the last term the momentum part. N! and the copies are counted here and nowhere else.
"""

import math

import numpy as np


def thermal_wavelength(mass: float, temperature: float) -> float:
    """Lambda in bohr; mass in electron masses, temperature as kT in hartree."""
    return math.sqrt(2 * math.pi / (mass * temperature))


def momentum_term(n_particles: int, wavelength: float) -> float:
    """3 N ln Lambda, the momentum part of beta F."""
    return 3 * n_particles * math.log(wavelength)


def labelling_term(n_particles: int, log_copies: float) -> float:
    """ln N! - ln copies: what beta F gains because particles are alike."""
    return math.lgamma(n_particles + 1) - log_copies


def excess_term(n_particles: int, volume: float, log_copies: float) -> float:
    """beta F - beta F_ideal less E_p[ln p + beta U]: N ln V - ln copies."""
    return n_particles * float(np.log(volume)) - log_copies
