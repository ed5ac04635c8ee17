"""An engine whose electrons are known in closed form, structures for it, and label files made of them."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import NotConverged
from jovium.base.grid import GridField
from jovium.base.localization import THOMAS_FERMI
from jovium.base.structure import Structure
from jovium.labels.file import prepare_folder, protocol_values, read_record, record_files, write_record
from jovium.labels.record import Candidate, LabelProtocol, ok_record, record_sha256, structure_sha256
from jovium.reference.kohn_sham import CHEAP, KohnShamSettings
from jovium.reference.pseudopotential import valence_electrons
from jovium.reference.state import GroundState

KNOWN = LabelProtocol(CHEAP, "closed form (1)", spacing=0.4)
UNLUCKY = 0.123
"""A structure whose first coordinate is this number does not converge."""


class ClosedForm:
    """n = N/V (1 + 0.3 cos 2 pi s1), tau = |grad n|^2/8n + chi tau_TF with chi = 1/2 + 0.4 cos 2 pi s2; springs to the
    centre of mass."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        if structure.positions[0, 0] == UNLUCKY:
            raise NotConverged("self-consistent field not converged", "convergence", "give up")
        cell = structure.cell
        points = cell.fractional(GridField(np.zeros(cell.grid_shape(0.4)), cell).points())
        n = (
            valence_electrons(structure, protocol.functional)
            / cell.volume
            * (1 + 0.3 * np.cos(2 * np.pi * points[..., 0]))
        )
        density = GridField(n, cell)
        chi = 0.5 + 0.4 * np.cos(2 * np.pi * points[..., 1])
        tau = np.sum(density.gradient() ** 2, 0) / (8 * n) + chi * THOMAS_FERMI * n ** (5 / 3)
        displacements = structure.positions - structure.positions.mean(axis=0)
        return GroundState(
            structure,
            protocol,
            "closed form (1)",
            free_energy=0.01 * float(np.sum(displacements**2)),
            entropy_term=0.002,
            forces=-0.02 * displacements,
            stress=-0.01 * np.eye(3),
            density=density,
            windowed_density=density,
            windowed_kinetic_energy_density=GridField(tau, cell),
            seconds=0.1,
        )

    def close(self) -> None:
        pass


class Fatal(ClosedForm):
    """An engine that ends the process it is in."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        os._exit(9)


class FatalOnce(ClosedForm):
    """The same, unless the file that the environment names says that it did so before."""

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        mark = Path(os.environ["JOVIUM_TEST_MARK"])
        if not mark.exists():
            mark.write_text("")
            os._exit(9)
        return super().ground_state(structure, protocol)


def candidates(count: int, split: str = "train", group: str = "a", seed: int = 0) -> list[Candidate]:
    """Structures of 3 or 4 atoms at general positions of two triclinic cells."""
    rng = np.random.default_rng(seed)
    cell = np.array([[3.4, 0.2, -0.3], [0.8, 3.9, 0.5], [-0.6, 1.0, 4.1]])
    fractional = np.array([[0.05, 0.11, 0.07], [0.41, 0.62, 0.33], [0.77, 0.28, 0.71], [0.55, 0.05, 0.95]])
    chosen = []
    for step in range(count):
        n, box = (3, Cell(cell)) if step % 3 else (4, Cell(1.2 * cell))
        positions = box.cartesian(fractional[:n] + 0.02 * rng.normal(size=(n, 3)))
        chosen.append(Candidate(Structure(box, positions, ("H",) * n), split, group, 3000.0, step))
    return chosen


def compounds(split: str = "train", group: str = "a") -> list[Candidate]:
    """The same structures with other elements in them, hydrogen among them or not."""
    species = ["SHHH", "LaHH", "HLaH", "SiSiSiSi", "HSH", "LiHH"]
    named = [tuple(re.findall("[A-Z][a-z]?", word)) for word in species]
    found = candidates(len(named), split, group, seed=3)
    return [
        replace(c, structure=replace(c.structure, symbols=symbols), step=100 + c.step)
        for c, symbols in zip(found, named, strict=True)
    ]


def unlucky(split: str = "train", group: str = "a") -> Candidate:
    """A candidate on which the engine in closed form fails."""
    structure = candidates(1)[0].structure
    positions = structure.positions.copy()
    positions[0, 0] = UNLUCKY
    return Candidate(Structure(structure.cell, positions, structure.symbols), split, group, 3000.0, 99)


def computed_record(candidate: Candidate):
    return ok_record(candidate, ClosedForm().ground_state(candidate.structure, CHEAP), KNOWN)


def write_records(folder, *records):
    prepare_folder(folder, protocol_values(KNOWN))
    for record in records:
        write_record(folder, record, protocol_values(KNOWN))


def label_file(folder, candidate):
    return folder / f"{structure_sha256(candidate.structure)}.npz"


def checksums(folder):
    """Everything in a folder by structure, failures included, wall times not."""
    return {file.stem: record_sha256(read_record(file)[1]) for file in record_files(folder)}
