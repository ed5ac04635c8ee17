"""F, E, S and P of dense hydrogen per atom, from independent configurations of protons."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from jovium.base.statistics import Estimate
from jovium.observe.virial import virial_pressure
from jovium.protons.thermodynamics import labelling_term, momentum_term, thermal_wavelength


def plain_mean(values: Float[np.ndarray, "s"]) -> Estimate:
    """Of independent configurations of protons."""
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), len(values))


@dataclass(frozen=True)
class ThermodynamicState:
    """n atoms in a volume (bohr^3) at a temperature (kT, hartree), nuclei of a mass (electron masses); mean: how the
    mean of one figure per configuration of protons is found, and its error."""

    n: int
    volume: float
    temperature: float
    mass: float
    mean: Callable[[Float[np.ndarray, "s"]], Estimate] = plain_mean

    @property
    def momentum_and_labels(self) -> float:
        """ln N! + 3 N ln Lambda, what beta F has beside E_p[ln p + beta E]."""
        return labelling_term(self.n, 0.0) + momentum_term(self.n, thermal_wavelength(self.mass, self.temperature))

    def free_energy(self, work: Float[np.ndarray, "s"]) -> Estimate:
        """F per atom (hartree) from kT ln p + E_el of independent configurations: an upper bound for exact E_el."""
        return self.mean((work + self.temperature * self.momentum_and_labels) / self.n)

    def energy(self, energies: Float[np.ndarray, "s"]) -> Estimate:
        """E per atom (hartree), the nuclei's 3/2 kT included, from E_el."""
        return self.mean(energies / self.n + 1.5 * self.temperature)

    def entropy(self, log_densities: Float[np.ndarray, "s"]) -> Estimate:
        """S = (E - F) / T per atom (k_B): -E_p[ln p] and what momenta and labels add."""
        return self.mean((-log_densities - self.momentum_and_labels) / self.n + 1.5)

    def pressure(
        self,
        kinetic: Float[np.ndarray, "s"],
        energies: Float[np.ndarray, "s"],
        pulay: Float[np.ndarray, "s"] | float = 0.0,
    ) -> Estimate:
        """P (hartree / bohr^3) = [K + E - pulay] / 3 V + n kT / V: the virial of electrons and potential, and the ideal
        gas of the nuclei. With the `pulay_term` (hartree) of a wave function that is no eigenstate it is -dF/dV of the
        F that this wave function has; without, it errs by the square root of what F errs by."""
        virial = virial_pressure(self.mean(energies + kinetic - pulay), self.volume)
        return replace(virial, value=virial.value + self.n * self.temperature / self.volume)
