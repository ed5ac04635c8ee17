"""Pressure and energy of fluid hydrogen beside published first-principles values.

    python benchmarks/published_pressures.py data/trajectories published.json [--frames 4]

The trajectories are those of the cheap force protocol. On a few uncorrelated frames the production protocol is computed
with the electrons at the temperature of the protons, and with a higher cutoff on the first of them; the differences
are added to the mean of the whole trajectory. The last columns say how far the functional alone moves the pressure of
the first frame: two functionals with non-local correlation, minus PBE. Repeating the command continues the file.
Published: F. Cozza et al., arXiv:2501.12925 (SCAN+vv10, CC BY 4.0), their table of states, linear in density between
its lines.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from jovium.base.files import write_json
from jovium.base.statistics import Estimate, mean_with_error
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA, RYDBERG_HARTREE
from jovium.reference.espresso import Espresso
from jovium.reference.espresso_input import espresso_input
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.reference.pseudopotential import pseudopotential
from jovium.reference.trajectory import Trajectory, read_fluid
from jovium.reference.upf import upf

PUBLISHED = {
    "n54-rs1.3918-5000K-1": ("5000 K, 1.0 g/cm^3", 262.6, 0.1, -0.49594),
    "n54-rs1.3098-8000K-1": ("8000 K, 1.2 g/cm^3", 441.3, 0.1, -0.46174),
    "n32-rs1.7-2000K-1": ("2000 K, 0.549 g/cm^3", 62.8, 0.1, -0.55297),
}
"""State, pressure (GPa) with its error, energy (hartree per atom, without the motion of the protons)."""

HIGH_CUTOFF = 80.0

FUNCTIONALS = ("vdw-df2", "rvv10")
"""Functionals with non-local correlation that the library holds without libxc."""

PLAIN = """
from qepy.driver import Driver
import os, sys
driver = Driver("pw.in", logfile="pw.out")
driver.scf()
print(driver.get_stress().trace() / 3)
sys.stdout.flush()
os._exit(0)
"""


def compute(structure: Structure, protocol: KohnShamSettings, store: dict, key: str, path: Path) -> dict:
    """Static pressure (hartree/bohr^3) and energy per atom, from the file when they are there."""
    if key not in store:
        with Espresso() as engine:
            state = engine.ground_state(structure, protocol, fields=False)
        store[key] = {"pressure": state.pressure, "energy": state.energy / structure.n_atoms}
        write_json(path, store)
    return store[key]


def functional_pressure(structure: Structure, functional: str, store: dict, key: str, path: Path) -> float:
    """Static pressure (hartree/bohr^3) with another functional, from the file when it is there."""
    if key not in store:
        text = espresso_input(structure, PRODUCTION).replace("&system", f"&system\n  input_dft='{functional}'")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "pw.in").write_text(text)
            (Path(folder) / "H.upf").write_text(upf(pseudopotential("H")))
            process = subprocess.run(
                [sys.executable, "-c", PLAIN], cwd=folder, check=True, capture_output=True, text=True
            )
        store[key] = float(process.stdout.split()[-1]) * RYDBERG_HARTREE
        write_json(path, store)
    return store[key]


def row(fluid: Trajectory, n_frames: int, store: dict, path: Path) -> str:
    """One line of the table."""
    state, published, published_error, published_energy = PUBLISHED[fluid.name]
    uncorrelated = fluid.decorrelate()
    frames = [uncorrelated[i] for i in np.linspace(0, len(uncorrelated) - 1, n_frames).round().astype(int)]
    hot = replace(PRODUCTION, electronic_kT=fluid.kT)
    ideal = fluid.structures[0].n_atoms * fluid.kT / fluid.structures[0].cell.volume
    shifts, energies = [], []
    for index in frames:
        label = compute(fluid.structures[index], hot, store, f"{fluid.name} {fluid.steps[index]} production", path)
        shifts.append(label["pressure"] + ideal - fluid.pressure[index])
        energies.append(label["energy"] - fluid.energy[index])
    first = frames[0]
    high = replace(hot, cutoff=HIGH_CUTOFF)
    limit = compute(fluid.structures[first], high, store, f"{fluid.name} {fluid.steps[first]} high", path)
    low = compute(fluid.structures[first], hot, store, f"{fluid.name} {fluid.steps[first]} production", path)
    basis, energy_basis = limit["pressure"] - low["pressure"], limit["energy"] - low["energy"]
    force, shift = fluid.mean(fluid.pressure), mean_with_error(np.array(shifts))
    pressure = Estimate(force.value + shift.value + basis, float(np.hypot(force.error, shift.error)), 0)
    potential = fluid.mean(fluid.energy)
    energy = potential.value + float(np.mean(energies)) + energy_basis
    pressures = [
        functional_pressure(fluid.structures[first], name, store, f"{fluid.name} {fluid.steps[first]} {name}", path)
        for name in ("pbe", *FUNCTIONALS)
    ]
    unit = PRESSURE_GPA
    return (
        f"| {fluid.name} | {state} | {force.value * unit:.1f} +- {force.error * unit:.1f} | "
        f"{shift.value * unit:+.1f} +- {shift.error * unit:.1f} | {basis * unit:+.1f} | "
        f"{pressure.value * unit:.1f} +- {pressure.error * unit:.1f} | {published} +- {published_error} | "
        f"{100 * (pressure.value * unit / published - 1):+.1f} % | "
        f"{energy:.5f} +- {potential.error:.5f} | {published_energy} | "
        + " | ".join(f"{(value - pressures[0]) * unit:+.1f}" for value in pressures[1:])
        + " |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--frames", type=int, default=4)
    options = parser.parse_args()
    store = json.loads(options.store.read_text()) if options.store.exists() else {}
    print(
        "| trajectory | state | P, forces (GPa) | production, hot electrons | basis limit | P (GPa) | published "
        "| difference | E (Ha/atom) | published E | " + " | ".join(f"P({name}) - P(PBE)" for name in FUNCTIONALS) + " |"
    )
    print("|" + "---|" * 12)
    for name in PUBLISHED:
        paths = [path for path in options.folder.glob(name + ".extxyz*") if not path.name.endswith(".csv")]
        if paths:
            print(row(read_fluid(paths[0]), options.frames, store, options.store), flush=True)


if __name__ == "__main__":
    main()
