"""`jovium protons`: train, sample and measure generative densities of protons and other classical particles."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HELP = "generative densities of protons: free energy, independent samples, g(r)"
DESCRIPTION = """A normalizing flow is the density of particles: every sample is independent and comes with its exact
probability, so free energy and entropy follow without thermodynamic integration."""

TRAIN = """Train a density in the folder RUN by up to four lessons, one after the other: from data by matching
velocities and by maximum likelihood, from the Hamiltonian by pathwise gradients and by scores of energies alone. Repeat
the command to continue after a kill. RUN gets config.json, state.safetensors, metrics.jsonl and training.png, redrawn
while it runs."""

MEASURE = """Draw independent samples of a trained density and print free energy, energy and acceptance with errors, as
an upper bound and exactly by reweighting. Writes measure.json, g_of_r.csv and g_of_r.png into RUN."""

SAMPLE = """Write independent configurations of a trained density as a trajectory, each with ln p and its weight."""

SYSTEMS = """ocp: charges in a background (--n, --coupling); hydrogen: atoms on their first-principles surface (--n,
--rs, --kelvin, --data); yukawa: screened charges (and --screening); lj: Lennard-Jones (--n, --density, --temperature);
harmonic: a crystal of springs (--n, --crystal); lj13, dw4, double-well (--side)"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command and its subcommands."""
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    train = commands.add_parser("train", help="train a density", description=TRAIN, epilog="systems: " + SYSTEMS)
    train.add_argument("run_folder", metavar="RUN", type=Path)
    _system_options(train)
    _lesson_options(train)
    _model_options(train)
    train.add_argument("--every", type=int, default=25, help="steps per report and save (default 25)")
    train.add_argument(
        "--dry-run", action="store_true", help="print settings, parameters, memory and time; train nothing"
    )
    train.add_argument("--json", action="store_true", help="one JSON line per report")
    train.set_defaults(run=run_train)
    for name, text, function in (("measure", MEASURE, run_measure), ("sample", SAMPLE, run_sample)):
        command = commands.add_parser(name, help=text.split(".")[0].lower(), description=text)
        command.add_argument("run_folder", metavar="RUN", type=Path)
        if name == "sample":
            command.add_argument("out", metavar="OUT.extxyz", type=Path)
            command.add_argument("--exact", action="store_true", help="as independence Metropolis accepts them")
        else:
            command.add_argument(
                "--anneal", type=int, default=0, metavar="K", help="also move samples to the target in K stages"
            )
            command.add_argument("--annealed", type=int, default=1024, help="how many of them (default 1024)")
        default = 8192 if name == "measure" else 100
        command.add_argument("--samples", type=int, default=default, help=f"how many (default {default})")
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.set_defaults(run=function)


def _system_options(train: argparse.ArgumentParser) -> None:
    system = train.add_argument_group("system")
    system.add_argument("--system", default="ocp", metavar="NAME", help="see below (default ocp)")
    system.add_argument("--n", type=int, default=16, help="particles (default 16)")
    system.add_argument(
        "--coupling", type=float, default=10.0, metavar="GAMMA", help="e^2 / (rs kT); stiffness of springs"
    )
    system.add_argument("--screening", type=float, default=2.0, metavar="KAPPA", help="in 1 / rs (default 2)")
    system.add_argument("--density", type=float, default=0.5, help="N sigma^3 / V (default 0.5)")
    system.add_argument("--temperature", type=float, default=2.0, help="kT / epsilon (default 2)")
    system.add_argument("--rs", type=float, default=1.4, metavar="BOHR", help="of hydrogen (default 1.4)")
    system.add_argument("--kelvin", type=float, default=6000.0, help="of hydrogen (default 6000)")
    system.add_argument("--side", default="left", help="left, right or both wells (default left)")
    system.add_argument("--crystal", default="", metavar="LATTICE", help="sc, bcc or fcc: particles stay near sites")


def _lesson_options(train: argparse.ArgumentParser) -> None:
    lessons = train.add_argument_group("lessons, steps of each")
    lessons.add_argument("--matching", type=int, default=1000, help="from data, velocities of paths (default 1000)")
    lessons.add_argument("--likelihood", type=int, default=0, help="from data, maximum likelihood (default 0)")
    lessons.add_argument("--energy", type=int, default=300, help="from the Hamiltonian, pathwise (default 300)")
    lessons.add_argument("--scores", type=int, default=0, help="from energies alone, by scores (default 0)")
    lessons.add_argument(
        "--data", metavar="FILE.extxyz", type=Path, help="configurations (default: sampled by the run)"
    )
    lessons.add_argument(
        "--start", metavar="RUN", type=Path, help="begin with another run, of as many or fewer channels"
    )
    lessons.add_argument("--optimiser", default="adam", help="adam or natural (default adam)")
    lessons.add_argument("--rate", type=float, default=4e-3, help="learning rate (default 0.004)")
    lessons.add_argument("--batch", type=int, default=128, help="samples per step (default 128)")
    lessons.add_argument("--seed", type=int, default=0)
    lessons.add_argument("--frames", type=int, default=60, help="per chain of the data it samples (default 60)")


def _model_options(train: argparse.ArgumentParser) -> None:
    model = train.add_argument_group("model")
    model.add_argument("--channels", type=int, default=4, help="surroundings a particle is told of (default 4)")
    model.add_argument("--radial", type=int, default=14, help="Gaussians of radial functions (default 14)")
    model.add_argument("--times", type=int, default=4, help="times at which the velocity has parameters (default 4)")
    model.add_argument(
        "--torus", action="store_true", help="distances without an edge at half the cell, for cells of few particles"
    )
    model.add_argument("--integration-steps", type=int, default=6, metavar="K", help="of Runge and Kutta (default 6)")


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    from dataclasses import asdict

    from jovium.protons.settings import ProtonSettings
    from jovium.protons.systems import ProtonSystemSettings
    from jovium.protons.training import cost, train
    from jovium.report.proton_figures import draw_training
    from jovium.training.run_folder import read_metrics, record

    system = ProtonSystemSettings(
        options.system, options.n, options.coupling, options.screening, options.density, options.temperature,
        options.rs, options.kelvin, options.side, options.crystal,
    )  # fmt: skip
    recipe = ProtonSettings(
        system=system,
        matching=options.matching,
        likelihood=options.likelihood,
        energy=options.energy,
        scores=options.scores,
        optimiser=options.optimiser,
        rate=options.rate,
        batch=options.batch,
        n_steps=options.integration_steps,
        n_times=options.times,
        n_radial=options.radial,
        n_channels=options.channels,
        torus=options.torus,
        n_frames=options.frames,
        seed=options.seed,
        data=str(options.data or ""),
        start=str(options.start or ""),
    )
    if options.dry_run:
        print(json.dumps({**asdict(recipe), **cost(recipe)}, indent=2))
        return 0
    label = "free energy (kT per particle)" if system.target().cell else "-ln Z per particle"
    for report in train(options.run_folder, recipe, options.every):
        print(json.dumps(record(report)) if options.json else line_of(report), flush=True)
        draw_training(options.run_folder / "training.png", read_metrics(options.run_folder), label)
    return 0


def line_of(report: Any) -> str:
    """A report in one line."""
    line = (
        f"step {report.step:5d}  {report.lesson:10s}  F {report.free_energy:.4f} +- {report.free_energy_error:.4f}  "
        f"reweighted {report.reweighted:.4f}  effective {100 * report.effective_share:.1f} %  "
        f"acceptance {report.acceptance:.2f}  gradient {report.gradient_norm:.3g}  {report.seconds:.0f} s"
    )
    return f"{line}  [{report.note}]" if report.note else line


def run_measure(options: argparse.Namespace) -> int:
    """Print the figures of a trained density."""
    from jovium.cli.progress import progress
    from jovium.protons.measurement import measure_run
    from jovium.report.proton_figures import draw_pairs

    found = measure_run(options.run_folder, options.samples, options.seed, progress, options.anneal, options.annealed)
    if found.pairs and found.model_pairs:
        draw_pairs(options.run_folder / "g_of_r.png", found.pairs, found.model_pairs)
    record = found.record()
    if options.json:
        print(json.dumps(record))
        return 0
    for name, value in record.items():
        shown = estimate(value) if isinstance(value, dict) else f"{value:.6g}"
        print(f"{name:40s} {shown}")
    if found.n_infinite:
        print(f"warning: {found.n_infinite} samples overlap or left their sites; they weigh nothing", file=sys.stderr)
    if found.free_energy.effective_samples < 50:
        print("warning: few samples carry the weight; reweighted figures and their errors mean little", file=sys.stderr)
    return 0


def estimate(value: dict[str, Any]) -> str:
    """A value with its error, or that there is none."""
    if value["value"] is None or value["error"] is None:
        return "infinite: some samples cannot exist"
    return f"{value['value']:.5f} +- {value['error']:.5f}"


def run_sample(options: argparse.Namespace) -> int:
    """Write configurations."""
    from jovium.protons.measurement import sample_run

    different = sample_run(options.run_folder, options.out, options.samples, options.seed, options.exact)
    record = {"file": str(options.out), "frames": options.samples, "different": different}
    print(json.dumps(record) if options.json else f"{options.out}: {options.samples} frames, {different} different")
    return 0
