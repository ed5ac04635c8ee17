"""Seconds per molecular-dynamics step and per label, beside a plain run of the same library at the same settings.

    python benchmarks/reference_speed.py --atoms 16 32 54 [--protocol production|cheap]

The plain run starts the library once per structure with the same input and asks for energy, forces and stress: what a
script around pw.x does. A step of ours continues the wave functions in time; a label of ours adds tau, the ELF and a
process start. All on one core, all in one run.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jovium.base.structure import Structure
from jovium.base.units import KELVIN_HARTREE, PROTON_MASS
from jovium.reference.dynamics import FluidState, first_frame, force_protocol
from jovium.reference.espresso import Espresso
from jovium.reference.espresso_input import espresso_input
from jovium.reference.kohn_sham import PROTOCOLS, KohnShamSettings
from jovium.reference.pseudopotential import pseudopotential
from jovium.reference.upf import upf

PLAIN = """
from qepy.driver import Driver
import os
driver = Driver("pw.in", logfile="pw.out")
driver.scf()
driver.get_forces()
driver.get_stress()
os._exit(0)
"""


def plain_seconds(structure: Structure, protocol: KohnShamSettings) -> float:
    """Wall seconds of one run of the library from nothing, process start included."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pw.in").write_text(espresso_input(structure, protocol.for_cell(structure.cell)))
        (Path(folder) / "H.upf").write_text(upf(pseudopotential("H", protocol.functional)))
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", PLAIN], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def step_seconds(state: FluidState, protocol: KohnShamSettings, n_steps: int) -> float:
    """Mean wall seconds of a ballistic molecular-dynamics step after the first three."""
    frame = first_frame(state)
    positions, seconds = frame.structure.positions.copy(), []
    with Espresso(trajectory=True) as engine:
        for _ in range(n_steps + 3):
            started = time.perf_counter()
            structure = Structure(state.box, positions, frame.structure.symbols)
            engine.ground_state(structure, protocol, fields=False, stress=False)
            seconds.append(time.perf_counter() - started)
            positions = positions + state.time_step * frame.momenta / PROTON_MASS
    return sum(seconds[3:]) / n_steps


def label_seconds(structure: Structure, protocol: KohnShamSettings, spacing: float) -> float:
    """Wall seconds of one label from nothing: ground state, forces, stress, density and ELF on the label grid."""
    started = time.perf_counter()
    with Espresso() as engine:
        state = engine.ground_state(structure, protocol)
    state.localization(structure.cell.grid_shape(spacing))
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atoms", type=int, nargs="+", default=[16, 32, 54])
    parser.add_argument("--rs", type=float, default=1.4)
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), default="production")
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    protocol = PROTOCOLS[options.protocol]
    print("| N | step (s) | plain step (s) | ratio | label (s) | plain label (s) | ratio |")
    print("|---|---|---|---|---|---|---|")
    for n in options.atoms:
        state = FluidState.at(n, options.rs, 3000 * KELVIN_HARTREE)
        structure = first_frame(state).structure
        step = step_seconds(state, force_protocol(state), options.steps)
        plain_step = plain_seconds(structure, force_protocol(state))
        label = label_seconds(structure, protocol, 0.25)
        plain_label = plain_seconds(structure, protocol)
        ratios = f"{plain_step / step:.1f} | {label:.1f} | {plain_label:.1f} | {plain_label / label:.2f}"
        print(f"| {n} | {step:.2f} | {plain_step:.2f} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
