"""Configurations that proton densities learn from: sampled, or read from a file."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jovium.base.errors import InputError
from jovium.base.files import atomic_write
from jovium.protons.assignment import shortest_displacements
from jovium.protons.flow import Flow
from jovium.protons.losses import FlowMatching
from jovium.protons.settings import ProtonSettings
from jovium.protons.systems import initial_flow
from jovium.protons.targets import Target
from jovium.sampling.hamiltonian import trajectories
from jovium.sampling.metropolis import init_chains

DATA = "data.npz"


def flow_matching_loss(
    flow: Flow, configurations: Float[np.ndarray, "m n d"], target: Target, recipe: ProtonSettings
) -> FlowMatching:
    """Pairs of starts and data between which little is travelled."""
    starts = np.asarray(
        jax.vmap(flow.base.sample)(jax.random.split(jax.random.key(recipe.seed + 2), len(configurations)))
    )
    if target.n_particles == 1:
        return FlowMatching(starts, configurations - starts, 2 * recipe.batch)
    moves = [shortest_displacements(start, end, target.cell) for start, end in zip(starts, configurations, strict=True)]
    return FlowMatching(starts, np.array(moves), 2 * recipe.batch)


def training_data(folder: Path, recipe: ProtonSettings, target: Target) -> Float[np.ndarray, "m n d"]:
    """Configurations (bohr) to learn from: those of the run, else of a file, else sampled by Hamiltonian Monte
    Carlo."""
    path = folder / DATA
    if not path.exists():
        configurations = read_configurations(Path(recipe.data), target) if recipe.data else sampled(recipe, target)
        with atomic_write(path) as part, part.open("wb") as file:
            np.savez_compressed(file, configurations=configurations.astype(np.float32))
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["configurations"]


def read_configurations(path: Path, target: Target) -> Float[np.ndarray, "m n 3"]:
    """Positions (bohr) of the frames of a file. Raises InputError when their number of particles or cell is another."""
    from jovium.formats.structures import read_structures

    structures = list(read_structures(path))
    for number, structure in enumerate(structures):
        if structure.n_atoms != target.n_particles:
            raise InputError(
                f"{path}: frame {number} has {structure.n_atoms} particles",
                f"{target.n_particles}, as the system",
                "check --n",
            )
        if target.cell is None or not np.allclose(structure.cell.vectors, target.cell.vectors, rtol=1e-3, atol=1e-3):
            raise InputError(
                f"{path}: frame {number} has another cell than the system",
                "the cell of the system" if target.cell is None else f"{target.cell.vectors.tolist()} bohr",
                "check the density and the units",
            )
    return np.array([structure.positions for structure in structures])


def sampled(recipe: ProtonSettings, target: Target) -> Float[np.ndarray, "m n d"]:
    """Equilibrium configurations: chains from the base density, Hamiltonian Monte Carlo, every second trajectory.
    Raises InputError for hydrogen, whose energies are too dear for that."""
    if recipe.system.name == "hydrogen":
        raise InputError(
            "no configurations of hydrogen to learn from",
            "--data FILE.extxyz, a trajectory of `jovium reference sample`, or --matching 0 --likelihood 0",
            "sample one, it takes minutes to hours",
        )
    flow = initial_flow(recipe.system, target, recipe.form, recipe.n_steps, recipe.seed)
    begin = _relaxed(
        target, jax.vmap(flow.base.sample)(jax.random.split(jax.random.key(recipe.seed + 3), recipe.n_chains))
    )
    width = 0.1 * float(np.asarray(begin).std(axis=(0, 1)).max()) / target.n_particles ** (1 / 3)
    chains = trajectories(
        target.beta_energy, init_chains(target.beta_energy, np.asarray(begin), width, recipe.seed), 60, tune=True
    )
    frames = []
    for _ in range(recipe.n_frames):
        chains = trajectories(target.beta_energy, chains, 2)
        frames.append(np.asarray(chains.positions))
    return np.concatenate(frames)


def _relaxed(target: Target, begin: Float[Array, "c n d"]) -> Float[Array, "c n d"]:
    """Starts whose particles were driven apart: steps down the energy, short ones where forces are large."""

    def step(x: Float[Array, "n d"], _: None) -> tuple[Float[Array, "n d"], None]:
        slope = jax.grad(target.beta_energy)(x)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        return x - 0.05 * slope / (1 + jnp.sqrt(jnp.sum(slope**2, axis=-1, keepdims=True))), None

    return jax.vmap(lambda x: jax.lax.scan(step, x, None, length=100)[0])(begin)
