"""Training data of proton densities: configurations, sampled or read from a file."""

import contextlib
import zlib
from pathlib import Path
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.files import atomic_write
from jovium.protons.assignment import shortest_displacements
from jovium.protons.base_density import Lattice
from jovium.protons.flow import Flow
from jovium.protons.losses import FlowMatching
from jovium.protons.settings import ProtonSettings
from jovium.protons.systems import initial_flow
from jovium.protons.targets import Target
from jovium.sampling.hamiltonian import trajectories
from jovium.sampling.metropolis import init_chains
from jovium.training.run_folder import CONFIG

DATA = "data.npz"

DAMAGED = OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error
"""What numpy raises for a file of arrays that is damaged or another."""

Configurations = Float[np.ndarray, "m n d"]


def flow_matching_loss(
    flow: Flow, configurations: Configurations, cell: Cell | None, batch: int, key: PRNGKeyArray
) -> FlowMatching:
    """Flow matching along short paths: a fresh start from the base density for every configuration, relabelled and
    shifted where particles are alike."""
    starts = np.asarray(jax.vmap(flow.base.sample)(jax.random.split(key, len(configurations))))
    if configurations.shape[1] == 1:
        return FlowMatching(starts, configurations - starts, batch)
    pairs = zip(starts, configurations, strict=True)
    return FlowMatching(starts, np.array([shortest_displacements(*pair, cell) for pair in pairs]), batch)


def assign_sites(flow: Flow, configurations: Configurations, cell: Cell | None) -> Configurations:
    """Configurations with particle i near site i of a lattice, whatever the order of the data; of any other base
    density as they are."""
    if not isinstance(flow.base, Lattice) or cell is None:
        return configurations
    sites = np.array(flow.base.sites)
    return sites + np.array([shortest_displacements(sites, x, cell) for x in configurations])


def training_data(folder: Path, settings: ProtonSettings, target: Target) -> Configurations:
    """Training configurations (bohr): those that the folder holds for its run, whole, else of a file, else sampled by
    Hamiltonian Monte Carlo."""
    path, made_with = folder / DATA, (folder / CONFIG).read_text()
    with contextlib.suppress(*DAMAGED), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        if str(arrays["made_with"]) == made_with:
            return arrays["configurations"]
    given = read_configurations(Path(settings.data), target) if settings.data else sample_data(settings, target)
    configurations = given.astype(np.float32)
    with atomic_write(path) as part, part.open("wb") as stream:
        np.savez_compressed(stream, configurations=configurations, made_with=made_with)
    return configurations


def read_configurations(path: Path, target: Target) -> Configurations:
    """Positions (bohr) of the frames of a file. Raises InputError when their number of particles or cell is another."""
    from jovium.formats.structures import read_structures

    structures = list(read_structures(path))
    for number, structure in enumerate(structures):
        frame, n = f"{path}: frame {number}", structure.n_atoms
        if n != target.n_particles:
            raise InputError(f"{frame} has {n} particles", f"{target.n_particles}, as the system", "check --n-atoms")
        if target.cell is None or not np.allclose(structure.cell.vectors, target.cell.vectors, rtol=1e-3, atol=1e-3):
            expected = "the cell of the system" if target.cell is None else f"{target.cell.vectors.tolist()} bohr"
            raise InputError(f"{frame} has another cell than the system", expected, "check the density and the units")
    return np.array([structure.positions for structure in structures])


def sample_data(settings: ProtonSettings, target: Target) -> Configurations:
    """Equilibrium configurations: chains from the base density, Hamiltonian Monte Carlo, every second trajectory.
    Raises InputError for hydrogen, whose energies are too dear for that."""
    if settings.system == "hydrogen":
        expected = "--data FILE.extxyz, a trajectory of `jovium reference sample`, or --flow-matching-steps 0"
        raise InputError("no configurations of hydrogen to train on", expected, "sample one, it takes minutes to hours")
    energy, keys = target.beta_energy, jax.random.split(jax.random.key(settings.seed + 3), settings.chains)
    starts = np.asarray(_relax(target, jax.vmap(initial_flow(settings, target).base.sample)(keys)))
    width = 0.1 * float(starts.std(axis=(0, 1)).max()) / target.n_particles ** (1 / 3)
    chains = trajectories(energy, init_chains(energy, starts, width, settings.seed), 60, tune=True)
    frames = []
    for _ in range(settings.frames):
        chains = trajectories(energy, chains, 2)
        frames.append(np.asarray(chains.positions))
    return np.concatenate(frames)


def _relax(target: Target, starts: Float[Array, "c n d"]) -> Float[Array, "c n d"]:
    """Starts with their particles driven apart: steps down the energy, short ones where forces are large."""

    def step(x: Float[Array, "n d"], _: None) -> tuple[Float[Array, "n d"], None]:
        gradient = jax.grad(target.beta_energy)(x)
        gradient = jnp.where(jnp.isfinite(gradient), gradient, 0.0)
        return x - 0.05 * gradient / (1 + jnp.sqrt(jnp.sum(gradient**2, axis=-1, keepdims=True))), None

    return jax.vmap(lambda x: jax.lax.scan(step, x, None, length=100)[0])(starts)
