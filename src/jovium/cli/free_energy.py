"""`jovium free-energy`: protons and electrons of dense hydrogen, trained together, measured, shown."""

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jovium.base.files import json_text
from jovium.cli.arguments import add_command, add_json, add_number, add_seed, checked, named_path
from jovium.cli.training import configure_training, printed_only, progress, run_training, training_settings
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.training.settings import POSITIVE, add_options, at_least, settings_from

if TYPE_CHECKING:
    from jovium.training.loop import Report

HELP = "free energy, entropy and pressure of dense hydrogen at rs and T"
DESCRIPTION = """A flow of protons and a wave function of electrons lower one number, F = E[kT ln p + E], an upper bound
of the free energy.

  jovium free-energy train RUN --rs 1.25 --kelvin 6000   sixteen atoms, 4^3 twists; repeat to continue
  jovium free-energy measure RUN                         F, E, S, P with errors, from protons drawn afresh
  jovium free-energy sample RUN OUT.extxyz               configurations, for jovium analyse and jovium screen
  jovium free-energy report RUN                          one page: F, E, S, P, g(r), the ELF of its configurations
  jovium free-energy eos FOLDER --rs ... --kelvin ...    the same over rs and T"""

TRAIN = """Train in the folder RUN. Repeat the command to continue after a kill, with more --steps to go on. All devices
share the configurations of a step, those of all tasks after `srun jovium free-energy train ...`; the numbers do not
depend on how many there are. RUN gets config.json, state.safetensors, metrics.jsonl and training.png, redrawn while it
runs."""

MEASURE = """Draw fresh independent protons from the run in RUN, equilibrate electrons among them, and print F, E, S per
atom and P with errors that count independent configurations of protons. Writes measure.json into RUN."""

SAMPLE = """Draw independent configurations of protons from the run in RUN and write them to OUT (any format of ASE that
holds many structures, by its suffix). jovium analyse and jovium screen read them."""

REPORT = """Draw protons from the measured run in RUN, predict the ELF of every configuration by the network, and write
page.html: F, E, S, P of measure.json, F as it was lowered, g(r), the distributions of phi and phi*, an ELF."""

EOS = """Train and measure a run at every rs and temperature in the folder FOLDER, each begun where its neighbour ended,
the first with --init-from, --init-flow or --init-wavefunction. Repeat the command to continue after a kill. FOLDER gets
eos.csv and eos.h5 (columns with errors, units in their names), eos.png beside published points, and a run folder of
every state."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command and its subcommands."""
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    train = add_command(commands, "train", run_train, "train protons and electrons at rs and T", TRAIN)
    configure_training(train, FreeEnergySettings, 20)

    about = "F, E, S, P with errors of a trained run"
    measure = add_command(commands, "measure", run_measure, about, MEASURE, run_folder="RUN")
    add_options(measure, MeasurementSettings)
    add_json(measure)

    about = "configurations of a trained run, as extxyz"
    sample = add_command(commands, "sample", run_sample, about, SAMPLE, run_folder="RUN", out="OUT")
    sample.add_argument("--samples", type=int, default=argparse.SUPPRESS, metavar="N", help="how many (default: 100)")
    add_options(sample, MeasurementSettings, leave_out=("samples", "electron_samples"))

    about = "one page of a measured run: F, E, S, P, g(r), ELF"
    report = add_command(commands, "report", run_report, about, REPORT, run_folder="RUN")
    report.add_argument("--out", metavar="FOLDER", type=named_path, help="write page.html there (default: RUN)")
    add_number(report, "--samples", 40, "configurations", check=at_least(1))
    add_seed(report)
    add_json(report)

    eos = add_command(commands, "eos", run_eos, "equation of state: F, E, S, P over rs and T", EOS)
    configure_training(eos, FreeEnergySettings, 20, leave_out=("rs", "kelvin"))
    states = eos.add_argument_group("states")
    for option, metavar, about in (("--rs", "RS", "Wigner-Seitz radii [bohr]"), ("--kelvin", "T", "temperatures [K]")):
        number = checked(option, float, POSITIVE)
        states.add_argument(option, type=number, nargs="+", required=True, metavar=metavar, help=about)
    add_number(states, "--steps-per-state", 120, "of every state but the first", check=at_least(0))
    measuring = eos.add_argument_group("measurement of every state")
    measuring.add_argument("--samples", type=int, metavar="N", help="configurations of protons (default: 8 batches)")
    add_number(measuring, "--electron-samples", 32, "of each")
    add_number(measuring, "--accept-fraction", 1.0, "see measure", metavar="X")


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    settings = training_settings(options, FreeEnergySettings)

    def reports() -> Iterator["Report"]:
        from jovium.free_energy.training import train
        from jovium.training.devices import idle_devices, is_writer, join_processes

        join_processes()
        warning = idle_devices(settings.proton_walkers)
        if warning and is_writer():
            print(warning, file=sys.stderr)
        return train(options.run_folder, settings, options.report_every)

    return run_training(options, settings, report_line, reports)


def report_line(report: "Report") -> str:
    """The figures of a report in one line."""
    from jovium.base.statistics import round_to_error
    from jovium.base.units import PRESSURE_GPA

    free_energy = round_to_error(report["free_energy"], report["free_energy_error"])
    energy = round_to_error(report["energy"], report["energy_error"])
    bias = round_to_error(report["equilibration_bias"], report["equilibration_bias_error"])
    return (
        f"F {free_energy}  E {energy} Ha/atom  S {report['entropy']:.3f} kB  "
        f"P_virial {PRESSURE_GPA * report['virial_pressure']:.0f} GPa  variance {report['variance']:.4f}  "
        f"equilibration bias {bias}  integration error {report['integration_error']:.0e}  "
        f"acceptance {report['acceptance']:.2f}  {report.seconds:.0f} s"
    )


def run_measure(options: argparse.Namespace) -> int:
    """Print the figures, what they have to be read with, and published ones of the same state."""
    from jovium.free_energy.measurement import measure_run
    from jovium.report.published import published_lines

    how = settings_from(options, MeasurementSettings)
    if printed_only(options, how):
        return 0
    measurement = measure_run(options.run_folder, how, progress)
    record = measurement.record()
    print(json_text(record) if options.json else "\n".join([str(measurement), *published_lines(record)]))
    return 0


def run_sample(options: argparse.Namespace) -> int:
    """Write the samples."""
    from jovium.free_energy.measurement import write_samples

    how = settings_from(options, MeasurementSettings)
    if printed_only(options, how):
        return 0
    n_samples = how.samples or 100
    write_samples(options.run_folder, options.out, n_samples, how.seed, how.accept_fraction)
    print(f"{options.out}: {n_samples} configurations")
    return 0


def run_report(options: argparse.Namespace) -> int:
    """Write the page, say where it is."""
    from jovium.workflows.fluid_report import PAGE, report_run

    out = options.out or options.run_folder
    bonding = report_run(options.run_folder, options.samples, options.seed, progress, out).bonding
    if options.json:
        thresholds = {"phi_3d": bonding.phi_3d.tolist(), "phi_star": bonding.phi_star.tolist()}
        print(json_text({**thresholds, "warnings": bonding.warnings, "page": str(out / PAGE)}))
        return 0
    means = f"phi {bonding.phi_3d.mean():.3f}, phi* {bonding.phi_star.mean():.3f}"
    print(f"{out / PAGE}: {means} of {options.samples} configurations")
    return 0


def run_eos(options: argparse.Namespace) -> int:
    """Scan, one line per report and per state."""
    from jovium.base.statistics import round_to_error
    from jovium.free_energy.equation_of_state import Scan, scan
    from jovium.report.free_energy_figures import draw_equation_of_state

    rs, kelvin = tuple(options.rs), tuple(options.kelvin)
    settings = settings_from(options, FreeEnergySettings, rs=rs[0], kelvin=kelvin[0])
    measurement = MeasurementSettings(options.samples, options.electron_samples, options.accept_fraction)
    plan = Scan(settings, rs, kelvin, options.steps_per_state, measurement)
    if printed_only(options, settings, states=plan.states):
        return 0
    rows = []
    for name, result in scan(options.run_folder, plan, options.report_every):
        if isinstance(result, dict):
            rows.append(result)
            draw_equation_of_state(options.run_folder / "eos.png", rows)
            line = "  ".join(
                f"{key} {round_to_error(result[key], result[key + '_error'])}"
                for key in ("F_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom", "P_GPa")
            )
            print(json_text(result) if options.json else f"{name}  {line}", flush=True)
            continue
        record = json_text({"state": name, **result.record()})
        print(record if options.json else f"{name}  step {result.step:5d}  {report_line(result)}", flush=True)
    return 0
