"""`jovium free-energy`: protons and electrons of dense hydrogen, trained together, measured, shown."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jovium.cli.training import configure_training, run_training
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.training.settings import add_options, settings_from

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

    def add(name: str, text: str, help_text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=help_text, description=text)

    train = add("train", TRAIN, "train protons and electrons at rs and T")
    configure_training(train, FreeEnergySettings, 20)
    train.set_defaults(run=run_train)

    measure = add("measure", MEASURE, "F, E, S, P with errors of a trained run")
    measure.add_argument("run_folder", metavar="RUN", type=Path)
    add_options(measure, MeasurementSettings)
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    measure.set_defaults(run=run_measure)

    sample = add("sample", SAMPLE, "configurations of a trained run, as extxyz")
    sample.add_argument("run_folder", metavar="RUN", type=Path)
    sample.add_argument("out", metavar="OUT", type=Path)
    sample.add_argument("--samples", type=int, default=100, metavar="N", help="how many (default 100)")
    add_options(sample, MeasurementSettings, leave_out=("samples", "electron_samples"))
    sample.set_defaults(run=run_sample)

    report = add("report", REPORT, "one page of a measured run: F, E, S, P, g(r), ELF")
    report.add_argument("run_folder", metavar="RUN", type=Path)
    report.add_argument("--out", metavar="FOLDER", type=Path, help="write page.html there (default: RUN)")
    report.add_argument("--samples", type=int, default=40, metavar="N", help="configurations (default 40)")
    report.add_argument("--seed", type=int, default=1, metavar="N")
    report.add_argument("--json", action="store_true", help="print one JSON object")
    report.set_defaults(run=run_report)

    eos = add("eos", EOS, "equation of state: F, E, S, P over rs and T")
    configure_training(eos, FreeEnergySettings, 20, leave_out=("rs", "kelvin"))
    states = eos.add_argument_group("states")
    states.add_argument("--rs", type=float, nargs="+", required=True, metavar="RS", help="Wigner-Seitz radii [bohr]")
    states.add_argument("--kelvin", type=float, nargs="+", required=True, metavar="T", help="temperatures [K]")
    states.add_argument(
        "--steps-per-state", type=int, default=120, metavar="N", help="of every state but the first (default 120)"
    )
    measuring = eos.add_argument_group("measurement of every state")
    measuring.add_argument("--samples", type=int, metavar="N", help="configurations of protons (default: 8 batches)")
    measuring.add_argument("--electron-samples", type=int, default=32, metavar="N", help="of each (default 32)")
    measuring.add_argument("--accept-fraction", type=float, default=1.0, metavar="X", help="see measure (default 1)")
    eos.set_defaults(run=run_eos)


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    settings = settings_from(options, FreeEnergySettings)

    def reports() -> Any:
        from jovium.free_energy.training import train
        from jovium.training.devices import idle_devices, is_writer, join_processes

        join_processes()
        warning = idle_devices(settings.proton_walkers)
        if warning and is_writer():
            print(warning, file=sys.stderr)
        return train(options.run_folder, settings, options.report_every)

    def cost() -> dict[str, Any]:
        from jovium.free_energy.training import cost

        return cost(settings)

    def draw(path: Path, metrics: list[dict[str, Any]]) -> None:
        from jovium.report.free_energy_figures import draw_training

        draw_training(path, metrics)

    return run_training(options, settings, reports, report_line, cost=cost, draw=draw)


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
    from jovium.cli.progress import progress
    from jovium.free_energy.measurement import measure_run
    from jovium.report.published import published_lines

    how = settings_from(options, MeasurementSettings)
    if options.print_config:
        print(how.to_yaml(), end="")
        return 0
    measurement = measure_run(options.run_folder, how, progress)
    record = measurement.record()
    if options.json:
        print(json.dumps(record))
        return 0
    print(measurement)
    for line in published_lines(record):
        print(line)
    return 0


def run_sample(options: argparse.Namespace) -> int:
    """Write the samples."""
    from jovium.free_energy.measurement import write_samples

    how = settings_from(options, MeasurementSettings)
    write_samples(options.run_folder, options.out, how.samples or 100, how.seed, how.accept_fraction)
    print(f"{options.out}: {how.samples} configurations")
    return 0


def run_report(options: argparse.Namespace) -> int:
    """Write the page, say where it is."""
    from jovium.cli.progress import progress
    from jovium.workflows.fluid_report import PAGE, report_run

    out = options.out or options.run_folder
    bonding = report_run(options.run_folder, options.samples, options.seed, progress, out).bonding
    if options.json:
        thresholds = {"phi_3d": bonding.phi_3d.tolist(), "phi_star": bonding.phi_star.tolist()}
        print(json.dumps({**thresholds, "warnings": bonding.warnings, "page": str(out / PAGE)}))
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
    if options.print_config:
        print(settings.to_yaml(), end="")
        return 0
    if options.dry_run:
        from jovium.free_energy.training import cost

        print(json.dumps({**settings.to_dict(), "states": plan.states, **cost(settings)}, indent=2))
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
            print(json.dumps(result) if options.json else f"{name}  {line}", flush=True)
            continue
        record = json.dumps({"state": name, **result.record()})
        print(record if options.json else f"{name}  step {result.step:5d}  {report_line(result)}", flush=True)
    return 0
