"""Systems that proton densities are trained for, by name: target, base density and the box of the velocity."""

import os

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.crystals import cubic_lattice_sites
from jovium.protons.base_density import BaseDensity, GaussianCloud, GaussianPoint, Lattice, UniformTorus
from jovium.protons.born_oppenheimer import BornOppenheimer
from jovium.protons.flow import Flow
from jovium.protons.settings import ProtonSettings
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


def target_of(settings: ProtonSettings) -> Target:
    """The system with its energy."""
    n = settings.n_atoms
    match settings.system:
        case "ocp":
            return OneComponentPlasma(n, settings.coupling)
        case "yukawa":
            return Yukawa(n, settings.coupling, settings.screening)
        case "lj":
            return LennardJones(n, settings.density, settings.temperature)
        case "hydrogen":
            return BornOppenheimer(n, settings.rs, settings.kelvin, workers=len(os.sched_getaffinity(0)))
        case "lj13":
            return LennardJonesCluster()
        case "dw4":
            return FourParticleDoubleWell()
        case "harmonic":
            cell = Cell.cubic(n, 1.0)
            sites = cubic_lattice_sites(settings.crystal or "bcc", n, cell)
            return HarmonicCrystal(cell, sites, settings.coupling, 1.05 * _nearest(sites, cell))
        case _:
            return DoubleWell(settings.side)


def initial_flow(settings: ProtonSettings, target: Target, ode_steps: int | None = None) -> Flow:
    """A flow that is the base density. Raises InputError for a torus without a cell."""
    key, n_steps = jax.random.key(settings.seed), ode_steps or settings.ode_steps
    base = _base_density(settings, target)
    sizes = {"n_knots": settings.flow_knots, "n_radial": settings.flow_radial, "n_channels": settings.flow_channels}
    if target.cell is not None:
        velocity = _periodic_velocity(target.cell, target.n_particles, key, settings.torus, **sizes)
        return Flow(base, velocity, n_steps)
    if settings.torus:
        raise InputError(f"a torus for {settings.system}", "a system in a cell", "leave --torus out")
    if settings.system == "double-well":
        return Flow(base, PointVelocity.of(2, scale=1.5, key=key), n_steps)
    box = Box.open(*{"dw4": (2, 9.0), "lj13": (3, 5.0)}[settings.system])
    return Flow(base, PairVelocity.of(box, key=key, **sizes), n_steps)


def flow_template(settings: ProtonSettings, ode_steps: int) -> Flow:
    """Names, shapes and types of such a flow, to load one into."""
    return eqx.filter_eval_shape(initial_flow, settings, target_of(settings), ode_steps)


def fluid_flow(cell: Cell, n: int, n_steps: int, seed: int, *, torus: bool = False, **sizes: int) -> Flow:
    """A flow that is n particles anywhere in a cell; torus, sizes: as in `initial_flow`."""
    return Flow(UniformTorus.of(cell, n), _periodic_velocity(cell, n, jax.random.key(seed), torus, **sizes), n_steps)


def gaussian_flow(data: Float[np.ndarray, "m n d"] | None, n_steps: int, seed: int, **sizes: int) -> Flow:
    """A flow that is a Gaussian in open space, as wide as the data (bohr). Raises InputError where there are none."""
    if data is None:
        raise InputError("a target in open space alone", "data, or a flow to begin with", "give either")
    (_, n, d), key = data.shape, jax.random.key(seed)
    if n == 1:
        width = float(data.std(axis=0).mean())
        point = GaussianPoint.of(tuple(data.mean(axis=(0, 1))), width)
        return Flow(point, PointVelocity.of(d, scale=width, key=key), n_steps)
    u = data - data.mean(axis=1, keepdims=True)
    # The centroid takes one of n coordinates of each axis; no pair is farther apart than twice the largest radius.
    cloud = GaussianCloud.of(n, d, float(u.std()) * np.sqrt(n / (n - 1)))
    box = Box.open(d, 2.4 * float(np.linalg.norm(u, axis=-1).max()))
    return Flow(cloud, PairVelocity.of(box, key=key, **sizes), n_steps)


def _periodic_velocity(cell: Cell, n: int, key: PRNGKeyArray, torus: bool, **sizes: int) -> PairVelocity:
    # Waves down to 0.86 of the spacing of particles, and in a small cell to a third of its longest wave.
    longest = np.linalg.norm(cell.reciprocal, axis=1).min()
    largest = max(7.3 / (cell.volume / n) ** (1 / 3), 3.01 * float(longest))
    return (TorusVelocity if torus else PairVelocity).of(Box.periodic(cell, largest), key=key, **sizes)


def _base_density(settings: ProtonSettings, target: Target) -> BaseDensity:
    if settings.system == "double-well":
        return GaussianPoint.of((-2.5 if settings.side == "left" else 2.2, 0.0), 0.5)
    if target.cell is None:
        return GaussianCloud.of(target.n_particles, *{"dw4": (2, 2.0), "lj13": (3, 0.8)}[settings.system])
    lattice = settings.crystal or ("bcc" if settings.system == "harmonic" else "")
    if not lattice:
        return UniformTorus.of(target.cell, target.n_particles)
    sites = cubic_lattice_sites(lattice, target.n_particles, target.cell)
    nearest = _nearest(sites, target.cell)
    # Springs know their sites; any other energy is the same for all labellings.
    return Lattice.of(target.cell, sites, 0.08 * nearest, np.inf if settings.system == "harmonic" else nearest / 4)


def _nearest(sites: Float[np.ndarray, "n 3"], cell: Cell) -> float:
    """Shortest distance of two sites, or of a site and its own image."""
    return Structure(cell, sites, ("H",) * len(sites)).shortest_distance()
