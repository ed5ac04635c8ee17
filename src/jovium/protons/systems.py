"""Systems that proton densities are trained for, by name: target, base density and the space of the velocity."""

import os
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.crystals import CUBIC_LATTICES, cubic_lattice_sites
from jovium.protons.base_density import BaseDensity, GaussianCloud, GaussianPoint, Lattice, UniformTorus
from jovium.protons.born_oppenheimer import BornOppenheimer
from jovium.protons.flow import Flow
from jovium.protons.targets import (
    DoubleWell,
    FourParticleDoubleWell,
    HarmonicCrystal,
    LennardJones,
    LennardJonesCluster,
    OneComponentPlasma,
    Target,
    Yukawa,
)
from jovium.protons.torus_velocity import TorusVelocity
from jovium.protons.velocity import PairVelocity, PointVelocity


@dataclass(frozen=True)
class ProtonSystemSettings:
    """What to model. name: see NAMES. n: particles. coupling, screening: of charges. density, temperature: of
    Lennard-Jones fluids. rs (bohr), kelvin: of hydrogen. side: of the double well. crystal: "" for a fluid, or the
    lattice its particles stay near."""

    name: str = "ocp"
    n: int = 16
    coupling: float = 10.0
    screening: float = 2.0
    density: float = 0.5
    temperature: float = 2.0
    rs: float = 1.4
    kelvin: float = 6000.0
    side: str = "left"
    crystal: str = ""

    def __post_init__(self):
        if self.name not in NAMES:
            raise InputError(f"system '{self.name}'", f"one of: {', '.join(NAMES)}", "choose one of them")
        if self.crystal and self.crystal not in CUBIC_LATTICES:
            raise InputError(
                f"crystal '{self.crystal}'", f"one of: {', '.join(CUBIC_LATTICES)}", "leave it out for a fluid"
            )

    def target(self) -> Target:
        """The system with its energy."""
        match self.name:
            case "ocp":
                return OneComponentPlasma(self.n, self.coupling)
            case "yukawa":
                return Yukawa(self.n, self.coupling, self.screening)
            case "lj":
                return LennardJones(self.n, self.density, self.temperature)
            case "hydrogen":
                return BornOppenheimer(self.n, self.rs, self.kelvin, workers=len(os.sched_getaffinity(0)))
            case "lj13":
                return LennardJonesCluster()
            case "dw4":
                return FourParticleDoubleWell()
            case "harmonic":
                cell = Cell.cubic(self.n, 1.0)
                sites = cubic_lattice_sites(self.crystal or "bcc", self.n, cell)
                return HarmonicCrystal(cell, sites, self.coupling, 1.05 * _nearest(sites, cell))
            case _:
                return DoubleWell(self.side)


NAMES = ("ocp", "hydrogen", "yukawa", "lj", "lj13", "dw4", "double-well", "harmonic")


def initial_flow(choice: ProtonSystemSettings, target: Target, form: dict[str, Any], n_steps: int, seed: int) -> Flow:
    """A flow that is the base density: form: sizes of the velocity (n_times, n_radial, n_channels), and whether it is
    one of a torus. Raises InputError for a torus without a cell."""
    key = jax.random.key(seed)
    base = _base(choice, target)
    if target.cell is not None:
        return Flow(base, _periodic_velocity(target.cell, target.n_particles, form, key), n_steps)
    sizes = dict(form)
    if sizes.pop("torus", False):
        raise InputError(f"a torus for {choice.name}", "a system in a cell", "leave --torus out")
    if choice.name == "double-well":
        return Flow(base, PointVelocity.of(2, scale=1.5, key=key), n_steps)
    space = Box.open(*{"dw4": (2, 9.0), "lj13": (3, 5.0)}[choice.name])
    return Flow(base, PairVelocity.of(space, key=key, **sizes), n_steps)


def fluid_flow(cell: Cell, n: int, form: dict[str, Any], n_steps: int, seed: int) -> Flow:
    """A flow that is n particles anywhere in a cell, with a velocity of that form."""
    return Flow(UniformTorus.of(cell, n), _periodic_velocity(cell, n, form, jax.random.key(seed)), n_steps)


def _periodic_velocity(cell: Cell, n: int, form: dict[str, Any], key: PRNGKeyArray) -> PairVelocity:
    sizes = dict(form)
    kind = TorusVelocity if sizes.pop("torus", False) else PairVelocity
    return kind.of(Box.periodic(cell, _largest_wave(cell, n)), key=key, **sizes)


def form_of(choice: ProtonSystemSettings, target: Target, form: dict[str, Any], n_steps: int) -> Flow:
    """Names, shapes and types of such a flow, to load one into."""
    return eqx.filter_eval_shape(initial_flow, choice, target, form, n_steps, 0)


def _largest_wave(cell: Cell, n: int) -> float:
    """Waves down to 0.86 of the spacing of particles, and in a small cell to a third of its longest wave."""
    longest = np.linalg.norm(cell.reciprocal, axis=1).min()
    return max(7.3 / (cell.volume / n) ** (1 / 3), 3.01 * float(longest))


def _base(choice: ProtonSystemSettings, target: Target) -> BaseDensity:
    if choice.name == "double-well":
        return GaussianPoint.of((-2.5 if choice.side == "left" else 2.2, 0.0), 0.5)
    if target.cell is None:
        return GaussianCloud.of(
            target.n_particles, 2 if choice.name == "dw4" else 3, {"dw4": 2.0, "lj13": 0.8}[choice.name]
        )
    lattice = choice.crystal or ("bcc" if choice.name == "harmonic" else "")
    if not lattice:
        return UniformTorus.of(target.cell, target.n_particles)
    sites = cubic_lattice_sites(lattice, target.n_particles, target.cell)
    nearest = _nearest(sites, target.cell)
    # Springs know their sites; any other energy is the same for all labellings.
    return Lattice.of(target.cell, sites, 0.08 * nearest, np.inf if choice.name == "harmonic" else nearest / 4)


def _nearest(sites: Float[np.ndarray, "n 3"], cell: Cell) -> float:
    """Shortest distance of two sites, or of a site and its own image."""
    from jovium.base.structure import Structure

    return Structure(cell, sites, ("H",) * len(sites)).shortest_distance()
