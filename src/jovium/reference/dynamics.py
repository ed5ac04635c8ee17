"""First-principles molecular dynamics of fluid hydrogen: canonical samples of proton positions.

Langevin dynamics by the BAOAB splitting (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34, eq. 10), whose
configurational averages carry the smallest time-step error of the splittings with one force per step.

A trajectory is one extended-XYZ file and nothing else. Every frame ends a block of steps, and every block starts from
what the file says, with a fresh engine and random numbers that depend on the seed and the step alone. A killed run
therefore loses at most one block, and repeating the command continues the same trajectory: to the last digit if the
forces repeat so, and for Quantum ESPRESSO, whose forces differ by rounding between processes, until chaos amplifies it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, FormatError, InputError, OutputError, reason
from jovium.base.files import append_durably, sole_writer
from jovium.base.structure import Structure
from jovium.base.units import (
    BOHR_ANGSTROM,
    HARTREE_EV,
    KELVIN_HARTREE,
    PRESSURE_GPA,
    PROTON_MASS,
    TIME_FEMTOSECOND,
    hartree_to_kelvin,
)
from jovium.reference.engine import Engine
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.state import GroundState
from jovium.reference.trajectory import frame_lines, whole_frames

LARGEST = {"n_atoms": 10**4, "rs": 1e3, "kT": 1e3, "time_step": 1e4, "friction_time": 1e9, "block": 10**9}
"""What nobody wants to exceed and no calculation could, in the units of `FluidState`."""


@dataclass(frozen=True)
class FluidState:
    """A thermodynamic state of fluid hydrogen and how it is sampled, in atomic units. n_atoms protons in a cubic box at
    Wigner-Seitz radius rs (bohr) and temperature kT (hartree), started from a random arrangement drawn with `seed`.
    time_step and friction time are in atomic units of time, block in steps per frame."""

    n_atoms: int
    rs: float
    kT: float
    seed: int = 0
    time_step: float = 0.5 / TIME_FEMTOSECOND
    friction_time: float = 40.0 / TIME_FEMTOSECOND
    block: int = 40

    def __post_init__(self):
        if self.seed < 0:
            raise InputError(f"seed = {self.seed}", "a whole number >= 0", "check the state asked for")
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if not 0 < value <= largest:
                raise InputError(f"{name} = {value}", f"above 0, {largest:g} at most", "check the state asked for")

    @classmethod
    def at(cls, n_atoms: int, rs: float, kT: float, seed: int = 0) -> "FluidState":
        """The state with the default time step: 0.5 fs, above 4000 K shorter with the thermal velocity."""
        shortening = min(1.0, 4000 * KELVIN_HARTREE / kT) ** 0.5 if kT > 0 else 1.0
        return cls(n_atoms, rs, kT, seed, time_step=0.5 / TIME_FEMTOSECOND * shortening)

    @property
    def box(self) -> Cell:
        """Cubic cell of edge rs (4 pi N / 3)^(1/3)."""
        return Cell.cubic(self.n_atoms, self.rs)


def force_protocol(state: FluidState) -> KohnShamSettings:
    """Settings of the forces: electrons at the temperature of the protons, a cutoff and mesh cheaper than for labels.
    The mean-value point from 24 atoms on, below that the shifted 2x2x2 mesh. At this threshold three iterations per
    step leave an error of 0.1 % in the forces (54 atoms, rs 1.4), far below the noise of the thermostat."""
    large = state.n_atoms >= 24
    return KohnShamSettings(
        cutoff=20.0,
        k_spacing=None,
        k_mesh=(1, 1, 1) if large else (2, 2, 2),
        k_offset=0.25 if large else 0.5,
        electronic_kT=max(state.kT, 1000 * KELVIN_HARTREE),
        scf_threshold=1e-6,
    )


@dataclass(frozen=True)
class Frame:
    """One point of a trajectory, atomic units: positions (unwrapped), momenta, and means over the block it ends.
    temperature: mean kinetic temperature k_B T of the block; energy: potential (Mermin) energy of the last step;
    pressure: static pressure plus the ideal-gas part n kT at the last step."""

    step: int
    structure: Structure
    momenta: Float[np.ndarray, "n 3"]
    temperature: float
    energy: float
    pressure: float


def random_structure(state: FluidState) -> Structure:
    """A random arrangement without close pairs: each proton is the farthest from the others of 200 candidates."""
    rng = np.random.default_rng(state.seed)
    cell = state.box
    positions = cell.cartesian(rng.random((1, 3)))
    while len(positions) < state.n_atoms:
        candidates = cell.cartesian(rng.random((200, 3)))
        displacements = cell.minimum_image((candidates[:, None] - positions[None]).reshape(-1, 3))
        nearest = np.linalg.norm(displacements, axis=1).reshape(200, -1).min(axis=1)
        positions = np.vstack([positions, candidates[np.argmax(nearest)]])
    return Structure(cell, positions, ("H",) * state.n_atoms)


def first_frame(state: FluidState) -> Frame:
    """Step 0: a random arrangement with Maxwell-Boltzmann momenta."""
    rng = np.random.default_rng([state.seed, 0])
    momenta = rng.normal(size=(state.n_atoms, 3)) * np.sqrt(PROTON_MASS * state.kT)
    return Frame(0, random_structure(state), momenta, state.kT, float("nan"), float("nan"))


def next_frame(state: FluidState, frame: Frame, engine: Engine, protocol: KohnShamSettings) -> Frame:
    """One block of BAOAB steps: half kick, half drift, Ornstein-Uhlenbeck, half drift, half kick."""
    step_length, keep = state.time_step, np.exp(-state.time_step / state.friction_time)
    positions, momenta = frame.structure.positions.copy(), frame.momenta.copy()
    structure, kinetic, last = frame.structure, [], frame.step + state.block
    engine.close()  # a cold start: the block depends on its first frame alone
    ground = engine.ground_state(structure, protocol, fields=False, stress=False)
    for step in range(frame.step + 1, last + 1):
        noise = np.random.default_rng([state.seed, step]).normal(size=positions.shape)
        momenta += 0.5 * step_length * _forces(ground)
        positions += 0.5 * step_length * momenta / PROTON_MASS
        momenta = keep * momenta + np.sqrt((1 - keep**2) * PROTON_MASS * state.kT) * noise
        positions += 0.5 * step_length * momenta / PROTON_MASS
        structure = Structure(state.box, positions, structure.symbols)
        ground = engine.ground_state(structure, protocol, fields=False, stress=step == last)
        momenta += 0.5 * step_length * _forces(ground)
        kinetic.append(np.sum(momenta**2) / (3 * state.n_atoms * PROTON_MASS))
    pressure = ground.pressure + state.n_atoms * state.kT / state.box.volume
    return Frame(last, structure, momenta, float(np.mean(kinetic)), ground.free_energy, pressure)


def _forces(ground: GroundState) -> Float[np.ndarray, "n 3"]:
    if ground.forces is None:
        raise EngineError(f"no forces from {ground.engine}", "an engine with forces", "sample with espresso")
    return ground.forces


def sample(
    state: FluidState, path: Path, n_frames: int, engine: Engine, protocol: KohnShamSettings | None = None
) -> Iterator[Frame]:
    """Run or continue the trajectory in `path` until it holds `n_frames` frames after the start; yield each new one.
    Raises InputError when the file belongs to another state or another process is writing it, FormatError when it is
    damaged, OutputError when it cannot be written, EngineError when a force calculation fails."""
    protocol = protocol or force_protocol(state)
    if n_frames < 0:
        raise InputError(f"{n_frames} frames", "a number >= 0", "ask for the frames the file shall hold in the end")
    with sole_writer(path):
        frames = read_trajectory(path, state, protocol)
        if not frames:
            append_durably(path, frame_text(state, first_frame(state), protocol))
            frames = read_trajectory(path, state, protocol)
        frame = frames[-1]
        for _ in range(len(frames) - 1, n_frames):
            text = frame_text(state, next_frame(state, frame, engine, protocol), protocol)
            if not path.exists():
                do = "repeat the command: it begins again"
                raise OutputError(f"{path} was taken away while it was written", "a file that stays", do)
            append_durably(path, text)
            frame = _parse_frame(text.splitlines(), state, protocol, path)  # the next block starts from the file
            yield frame


def _identity(state: FluidState, protocol: KohnShamSettings) -> dict[str, int | float | str]:
    """What a trajectory file must agree on to be continued: the state, the step and the protocol of the forces."""
    mesh = "x".join(map(str, protocol.mesh(state.box)))
    electrons = f"{hartree_to_kelvin(protocol.electronic_kT):.0f}K-{protocol.scf_threshold:g}Ha"
    return {
        "rs_bohr": state.rs,
        "temperature_kelvin": hartree_to_kelvin(state.kT),
        "seed": state.seed,
        "time_step_fs": state.time_step * TIME_FEMTOSECOND,
        "friction_fs": state.friction_time * TIME_FEMTOSECOND,
        "block": state.block,
        "forces": f"{protocol.functional}-{protocol.cutoff:g}Ha-k{mesh}+{protocol.k_offset:g}-{electrons}",
    }


def frame_text(state: FluidState, frame: Frame, protocol: KohnShamSettings) -> str:
    """One extended-XYZ frame (angstrom; momenta in atomic units) with every digit of its doubles."""
    facts = {
        **_identity(state, protocol),
        "step": frame.step,
        "time_fs": frame.step * state.time_step * TIME_FEMTOSECOND,
        "kinetic_temperature_kelvin": hartree_to_kelvin(frame.temperature),
        "potential_energy_ev": frame.energy * HARTREE_EV,
        "pressure_gpa": frame.pressure * PRESSURE_GPA,
    }
    words = {key: value if isinstance(value, str) else f"{value:.17g}" for key, value in facts.items()}
    return "".join(frame_lines(frame.structure, words, ".17g", frame.momenta))


def read_trajectory(path: Path, state: FluidState, protocol: KohnShamSettings) -> list[Frame]:
    """The complete frames of a trajectory; a frame torn by a kill is cut off the file. Raises InputError when the file
    was made at another state or with other forces, or is no trajectory at all: nothing is cut off a file that does not
    begin as this trajectory would. Raises FormatError for a frame in the middle that is damaged or missing."""
    text = path.read_text(encoding="utf-8", errors="replace")
    whole = whole_frames(text, state.n_atoms)
    frames: list[Frame] = []
    for number, lines in enumerate(whole):
        try:
            frames.append(_parse_frame(lines, state, protocol, path))
            if frames[-1].step != number * state.block:
                raise ValueError(f"step {frames[-1].step} in place of {number * state.block}")
        except (ValueError, IndexError, KeyError) as error:
            line = number * len(lines) + 1
            do = f"cut the file off before line {line} and repeat the command: the rest is computed again"
            raise FormatError(f"{path}, line {line}: {reason(error)}", "the frames of one run", do) from error
    if not frames and not frame_text(state, first_frame(state), protocol).startswith(text):
        raise InputError(f"{path} is not this trajectory", "no file yet, or one to continue", "give another file name")
    kept = "".join(line for lines in whole for line in lines)
    if kept != text:
        os.truncate(path, len(kept.encode()))
    return frames


def _parse_frame(lines: list[str], state: FluidState, protocol: KohnShamSettings, path: Path) -> Frame:
    from ase.io.extxyz import key_val_str_to_dict

    facts = key_val_str_to_dict(lines[1].strip())
    expected = {"n_atoms": state.n_atoms, **_identity(state, protocol)}
    written = {**facts, "n_atoms": lines[0].strip()}
    differing = [name for name in expected if not _same(written.get(name), expected[name])]
    if differing:
        raise InputError(
            f"{path} holds " + ", ".join(f"{name} {written.get(name)}" for name in differing),
            ", ".join(f"{name} {expected[name]}" for name in differing),
            "give another file name, or the settings the file was started with",
        )
    rows = np.array([line.split()[1:] for line in lines[2:]], dtype=float)
    return Frame(
        int(facts["step"]),
        Structure(state.box, rows[:, :3] / BOHR_ANGSTROM, ("H",) * state.n_atoms),
        rows[:, 3:].copy(),
        float(facts["kinetic_temperature_kelvin"]) * KELVIN_HARTREE,
        float(facts["potential_energy_ev"]) / HARTREE_EV,
        float(facts["pressure_gpa"]) / PRESSURE_GPA,
    )


def _same(written: object, expected: object) -> bool:
    if isinstance(expected, str):
        return written == expected
    try:
        return bool(np.isclose(float(str(written)), float(str(expected)), rtol=1e-12))
    except ValueError:
        return False
