"""`jovium reference`: first-principles molecular dynamics of fluid hydrogen."""

import argparse
import json
from pathlib import Path

HELP = "sample fluid hydrogen by first-principles molecular dynamics"
DESCRIPTION = "First-principles work that makes data."

SAMPLE = """Born-Oppenheimer Langevin dynamics of N protons at (rs, T). OUT.extxyz is the whole state of the run:
repeat the command to continue it after a kill, or with a larger --frames to extend it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command and its subcommands."""
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    sample = commands.add_parser("sample", help="molecular dynamics at one (rs, T, N)", description=SAMPLE)
    sample.add_argument("out", metavar="OUT.extxyz", type=Path)
    sample.add_argument("--n-atoms", type=int, required=True, help="number of protons")
    sample.add_argument("--rs", type=float, required=True, metavar="BOHR", help="Wigner-Seitz radius")
    sample.add_argument("--kelvin", type=float, required=True, help="temperature")
    sample.add_argument("--seed", type=int, default=0)
    sample.add_argument("--frames", type=int, default=40, help="frames after the start (default 40)")
    sample.add_argument("--time-step-fs", type=float, help="default: 0.5, above 4000 K 0.5 sqrt(4000 / T)")
    sample.add_argument("--block", type=int, default=40, help="steps per frame (default 40)")
    sample.add_argument("--json", action="store_true", help="one JSON line per frame")
    sample.set_defaults(run=run_sample)


def run_sample(options: argparse.Namespace) -> int:
    """Run or continue a trajectory, one line per frame."""
    from jovium.base.units import PRESSURE_GPA, TIME_FEMTOSECOND, hartree_to_kelvin, kelvin_to_hartree
    from jovium.reference.dynamics import FluidState, sample
    from jovium.reference.espresso import Espresso

    time_step_fs = options.time_step_fs or 0.5 * min(1.0, 4000 / max(options.kelvin, 1.0)) ** 0.5
    state = FluidState(
        options.n_atoms,
        options.rs,
        kelvin_to_hartree(options.kelvin),
        seed=options.seed,
        time_step=time_step_fs / TIME_FEMTOSECOND,
        block=options.block,
    )
    with Espresso(trajectory=True) as engine:
        for frame in sample(state, options.out, options.frames, engine):
            facts = {
                "frame": frame.step // state.block,
                "time_fs": round(frame.step * state.time_step * TIME_FEMTOSECOND, 3),
                "kinetic_kelvin": round(hartree_to_kelvin(frame.temperature), 1),
                "pressure_gpa": round(frame.pressure * PRESSURE_GPA, 2),
                "energy_hartree_per_atom": round(frame.energy / state.n_atoms, 6),
            }
            line = json.dumps(facts) if options.json else "  ".join(f"{k} {v}" for k, v in facts.items())
            print(line, flush=True)
    return 0
