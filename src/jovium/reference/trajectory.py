"""A finished trajectory of fluid hydrogen: where it is in equilibrium, what it averages to, which frames are apart."""

import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jovium.base.errors import FormatError, InputError, reason
from jovium.base.statistics import Estimate, autocorrelation_time, equilibration_start, mean_with_error
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV, KELVIN_HARTREE, PRESSURE_GPA

Vectors = Float[np.ndarray, "n 3"]


class ShortTrajectory(InputError):
    """A trajectory with too few frames to tell where it is in equilibrium."""


@dataclass(frozen=True)
class Trajectory:
    """Frames of one sampler run after its random start, in atomic units. kinetic_temperature: mean k_B T over the block
    a frame ends; energy: potential energy per atom; pressure: with the ideal-gas part, at the force protocol `forces`.
    kT is the temperature of the thermostat."""

    name: str
    forces: str
    rs: float
    kT: float
    structures: tuple[Structure, ...]
    steps: Int[np.ndarray, "n"]
    kinetic_temperature: Float[np.ndarray, "n"]
    energy: Float[np.ndarray, "n"]
    pressure: Float[np.ndarray, "n"]

    @property
    def start(self) -> int:
        """Index of the first frame in equilibrium: where the energy has become stationary, the first eighth never."""
        return max(equilibration_start(self.energy), len(self.energy) // 8)

    def mean(self, series: Float[np.ndarray, "n"]) -> Estimate:
        """Equilibrium mean of one of the series, with its error."""
        return mean_with_error(series[self.start :])

    def decorrelate(self) -> list[int]:
        """Indices of equilibrium frames apart by the autocorrelation time of the energy (in frames, rounded)."""
        stride = max(1, round(autocorrelation_time(self.energy[self.start :])))
        return list(range(self.start, len(self.energy), stride))


def frame_lines(
    structure: Structure, facts: Mapping[str, object], digits: str = ".12f", momenta: Vectors | None = None
) -> list[str]:
    """One extended-XYZ frame with facts in its comment line: angstrom, momenta in atomic units, numbers to `digits`."""

    def words(numbers: Float[np.ndarray, "..."]) -> str:
        return " ".join(format(number, digits) for number in numbers.ravel())

    rows = structure.positions * BOHR_ANGSTROM
    columns = "species:S:1:pos:R:3"
    if momenta is not None:
        rows, columns = np.hstack([rows, momenta]), columns + ":momenta_au:R:3"
    header = f'Lattice="{words(structure.cell.vectors * BOHR_ANGSTROM)}" Properties={columns} pbc="T T T" '
    header += " ".join(f"{key}={value}" for key, value in facts.items())
    atoms = (f"{symbol} {words(row)}\n" for symbol, row in zip(structure.symbols, rows, strict=True))
    return [f"{structure.n_atoms}\n", header + "\n", *atoms]


def read_text(path: Path) -> str:
    """The text of a trajectory, plain or xz-compressed (.xz). Raises FormatError."""
    try:
        content = path.read_bytes()
        return (lzma.decompress(content) if path.suffix == ".xz" else content).decode()
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise FormatError(f"{path}: {reason(error)}", "a trajectory, plain or .xz", "copy the file again") from error


def whole_frames(text: str, n_atoms: int) -> list[list[str]]:
    """The lines of every frame of an extended-XYZ text, without one at the end that is not written to its end."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()
    length = n_atoms + 2
    return [lines[i : i + length] for i in range(0, len(lines) - length + 1, length)]


def read_fluid(path: Path) -> Trajectory:
    """The whole frames of the trajectory in a file written by `jovium reference sample`, plain or xz-compressed. Raises
    FormatError when it is not one, ShortTrajectory when it is too short to say anything."""
    from ase.io import read

    try:
        text = read_text(path)
        lines = (line for frame in whole_frames(text, int(text.split(maxsplit=1)[0])) for line in frame)
        images: Any = read(StringIO("".join(lines)), index=":", format="extxyz")[1:]
        facts = [image.info for image in images]
        column = {
            key: np.array([fact[key] for fact in facts], dtype=float)
            for key in ("step", "kinetic_temperature_kelvin", "potential_energy_ev", "pressure_gpa")
        }
    except (KeyError, ValueError, IndexError, OSError) as error:
        expected = "an extended-XYZ trajectory of `jovium reference sample`"
        raise FormatError(f"{path}: {reason(error)}", expected, "check the file") from error
    if len(images) < 8:
        raise ShortTrajectory(f"{path} holds {len(images)} frames", "at least 8", "continue the run with more --frames")
    return Trajectory(
        name=path.name.removesuffix(".xz").removesuffix(".extxyz"),
        forces=str(facts[0]["forces"]),
        rs=float(facts[0]["rs_bohr"]),
        kT=float(facts[0]["temperature_kelvin"]) * KELVIN_HARTREE,
        structures=tuple(Structure.from_ase(image) for image in images),
        steps=column["step"].astype(int),
        kinetic_temperature=column["kinetic_temperature_kelvin"] * KELVIN_HARTREE,
        energy=column["potential_energy_ev"] / HARTREE_EV / len(images[0]),
        pressure=column["pressure_gpa"] / PRESSURE_GPA,
    )
