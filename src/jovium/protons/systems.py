"""Systems that proton densities are trained for, by name: target, base density and the box of the velocity."""

import os
from dataclasses import dataclass

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from jovium.base.box import Box
from jovium.base.cell import Cell
from jovium.base.errors import InputError
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

LATTICES = {
    "sc": [[0, 0, 0]],
    "bcc": [[0, 0, 0], [0.5, 0.5, 0.5]],
    "fcc": [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
}
"""Sites of the cubic lattices in units of their cube."""


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
        if self.crystal and self.crystal not in LATTICES:
            raise InputError(f"crystal '{self.crystal}'", f"one of: {', '.join(LATTICES)}", "leave it out for a fluid")

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
                cell = Cell(np.eye(3) * (4 * np.pi * self.n / 3) ** (1 / 3))
                sites = lattice_sites(self.crystal or "bcc", self.n, cell)
                return HarmonicCrystal(cell, sites, self.coupling, 1.05 * _nearest(sites, cell))
            case _:
                return DoubleWell(self.side)


NAMES = ("ocp", "hydrogen", "yukawa", "lj", "lj13", "dw4", "double-well", "harmonic")


def lattice_sites(lattice: str, n: int, cell: Cell) -> Float[np.ndarray, "n 3"]:
    """Sites (bohr) of n particles on a cubic lattice that fills a cell. Raises InputError when n does not fit."""
    motif = np.array(LATTICES[lattice], float)
    edge = round((n / len(motif)) ** (1 / 3))
    if edge**3 * len(motif) != n:
        fits = ", ".join(str(len(motif) * k**3) for k in range(1, 5))
        raise InputError(f"{n} particles on a {lattice} lattice in a cube", f"{fits}, ...", "change n")
    corners = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    return ((corners + motif).reshape(-1, 3) / edge) @ cell.vectors


def initial_flow(
    system: ProtonSystemSettings, target: Target, n_steps: int, seed: int, *, torus: bool = False, **sizes: int
) -> Flow:
    """A flow that is the base density. sizes: of the velocity (n_knots, n_radial, n_channels); torus: `TorusVelocity`.
    Raises InputError for a torus without a cell."""
    key = jax.random.key(seed)
    base = _base_density(system, target)
    if target.cell is not None:
        return Flow(base, _periodic_velocity(target.cell, target.n_particles, key, torus, **sizes), n_steps)
    if torus:
        raise InputError(f"a torus for {system.name}", "a system in a cell", "leave --torus out")
    if system.name == "double-well":
        return Flow(base, PointVelocity.of(2, scale=1.5, key=key), n_steps)
    box = Box.open(*{"dw4": (2, 9.0), "lj13": (3, 5.0)}[system.name])
    return Flow(base, PairVelocity.of(box, key=key, **sizes), n_steps)


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
    velocity = TorusVelocity if torus else PairVelocity
    return velocity.of(Box.periodic(cell, _largest_wave(cell, n)), key=key, **sizes)


def flow_template(
    system: ProtonSystemSettings, target: Target, n_steps: int, *, torus: bool = False, **sizes: int
) -> Flow:
    """Names, shapes and types of such a flow, to load one into."""
    return eqx.filter_eval_shape(initial_flow, system, target, n_steps, 0, torus=torus, **sizes)


def _largest_wave(cell: Cell, n: int) -> float:
    """Waves down to 0.86 of the spacing of particles, and in a small cell to a third of its longest wave."""
    longest = np.linalg.norm(cell.reciprocal, axis=1).min()
    return max(7.3 / (cell.volume / n) ** (1 / 3), 3.01 * float(longest))


def _base_density(system: ProtonSystemSettings, target: Target) -> BaseDensity:
    if system.name == "double-well":
        return GaussianPoint.of((-2.5 if system.side == "left" else 2.2, 0.0), 0.5)
    if target.cell is None:
        return GaussianCloud.of(
            target.n_particles, 2 if system.name == "dw4" else 3, {"dw4": 2.0, "lj13": 0.8}[system.name]
        )
    lattice = system.crystal or ("bcc" if system.name == "harmonic" else "")
    if not lattice:
        return UniformTorus.of(target.cell, target.n_particles)
    sites = lattice_sites(lattice, target.n_particles, target.cell)
    nearest = _nearest(sites, target.cell)
    # Springs know their sites; any other energy is the same for all labellings.
    return Lattice.of(target.cell, sites, 0.08 * nearest, np.inf if system.name == "harmonic" else nearest / 4)


def _nearest(sites: Float[np.ndarray, "n 3"], cell: Cell) -> float:
    """Shortest distance of two sites, or of a site and its own image."""
    from jovium.base.structure import Structure

    return Structure(cell, sites, ("H",) * len(sites)).shortest_distance()
