"""`jovium protons`: train, sample and measure generative densities of protons and other classical particles."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from jovium.base.files import json_text
from jovium.cli.arguments import add_command, add_json, add_number, add_seed, checked, refuse_unused
from jovium.cli.training import configure_training, progress, run_training, training_settings
from jovium.protons.settings import OF_SYSTEMS, ProtonSettings
from jovium.training.settings import at_least

if TYPE_CHECKING:
    from jovium.training.loop import Report

HELP = "generative densities of protons: free energy, independent samples, g(r)"
DESCRIPTION = """A normalizing flow is the density of particles: every sample is independent and comes with its exact
probability, so free energy and entropy follow without thermodynamic integration."""

TRAIN = """Train a density in the folder RUN by up to four losses, one stage after the other: from data by flow matching
and by maximum likelihood, from the Hamiltonian by pathwise gradients and by scores of energies alone. Repeat the
command to continue after a kill. RUN gets config.json, state.safetensors, metrics.jsonl and training.png, redrawn while
it runs."""

MEASURE = """Draw independent samples of a trained density and print free energy, energy and acceptance with errors, as
an upper bound and exactly by reweighting. Writes measure.json, g_of_r.csv and g_of_r.png into RUN."""

SAMPLE = """Write independent configurations of a trained density as a trajectory, each with ln p and its weight."""

SYSTEMS = """systems: ocp: charges in a background (--n-atoms, --coupling); hydrogen: atoms on their first-principles
surface (--n-atoms, --rs, --kelvin, --data); yukawa: screened charges (and --screening); lj: Lennard-Jones (--n-atoms,
--density, --temperature); harmonic: a crystal of springs (--n-atoms, --crystal); lj13, dw4, double-well (--side)"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command and its subcommands."""
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    train = add_command(commands, "train", run_train, "train a density", TRAIN)
    train.epilog = SYSTEMS
    configure_training(train, ProtonSettings, 25)
    for name, text, run, samples in (("measure", MEASURE, run_measure, 8192), ("sample", SAMPLE, run_sample, 100)):
        paths = {"run_folder": "RUN"} | ({"out": "OUT.extxyz"} if name == "sample" else {})
        command = add_command(commands, name, run, text.split(".")[0].lower(), text, **paths)
        if name == "sample":
            command.add_argument("--exact", action="store_true", help="as independence Metropolis accepts them")
        else:
            about = "annealed importance sampling: also move samples to the target in K stages"
            add_number(command, "--ais-stages", 0, about, "K", at_least(0))
            ais_samples = checked("--ais-samples", int, at_least(2))
            command.add_argument("--ais-samples", type=ais_samples, metavar="N", help="of them (default 1024)")
        add_number(command, "--samples", samples, "how many", check=at_least(1))
        add_seed(command)
        add_json(command)


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    settings = training_settings(options, ProtonSettings)
    others = {*" ".join(OF_SYSTEMS.values()).split()} - {*OF_SYSTEMS[settings.system].split()}
    do = "leave it out, or choose another --system"
    refuse_unused(options, " ".join(sorted(others)), f"for --system {settings.system}", do)
    label = "-ln Z per particle" if settings.in_open_space else "free energy (kT per particle)"
    return run_training(options, settings, report_line, label=label)


def report_line(report: "Report") -> str:
    """The figures of a report in one line."""
    from jovium.base.statistics import round_to_error

    return (
        f"{report['stage']:13s}  F {round_to_error(report['free_energy'], report['free_energy_error'])}  "
        f"reweighted {report['reweighted']:.4f}  effective {100 * report['effective_fraction']:.1f} %  "
        f"acceptance {report['acceptance']:.2f}  gradient {report['gradient_norm']:.3g}  {report.seconds:.0f} s"
    )


def run_measure(options: argparse.Namespace) -> int:
    """Print the figures of a trained density."""
    from jovium.protons.measurement import measure_run
    from jovium.report.proton_figures import draw_pairs

    if not options.ais_stages:
        refuse_unused(options, "ais_samples", "without --ais-stages", "give the number of stages too")
    ais = options.ais_stages, options.ais_samples or 1024
    measurement = measure_run(options.run_folder, options.samples, options.seed, progress, *ais)
    if measurement.pairs and measurement.model_pairs:
        draw_pairs(options.run_folder / "g_of_r.png", measurement.pairs, measurement.model_pairs)
    record = measurement.record()
    if options.json:
        print(json_text(record))
        return 0
    for name, value in record.items():
        print(f"{name:40s} {shown_value(value) if isinstance(value, dict) else f'{value:.6g}'}")
    if measurement.n_infinite:
        print(f"warning: {measurement.n_infinite} samples overlap or left their sites, weight zero", file=sys.stderr)
    if measurement.free_energy.effective_samples < 50:
        print("warning: few samples carry the weight; reweighted figures and their errors mean little", file=sys.stderr)
    return 0


def shown_value(value: dict[str, Any]) -> str:
    """A value with its error, or that there is none."""
    from jovium.base.statistics import round_to_error

    if value["value"] is None or value["error"] is None:
        return "infinite: some samples cannot exist"
    return round_to_error(value["value"], value["error"])


def run_sample(options: argparse.Namespace) -> int:
    """Write configurations."""
    from jovium.protons.measurement import sample_run

    different = sample_run(options.run_folder, options.out, options.samples, options.seed, options.exact)
    record = {"file": str(options.out), "frames": options.samples, "different": different}
    print(json_text(record) if options.json else f"{options.out}: {options.samples} frames, {different} different")
    return 0
