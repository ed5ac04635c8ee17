"""Energy above the exact one against the seconds of training, from the reports of runs.

    python benchmarks/energy_against_time.py [RUN ...] [--out FILE.png]

Runs of data/electrons are compared with the references of benchmarks/electron_energies.py. Seconds are those of the
machine the runs were made on, one core, compilation included.
"""

import argparse
from pathlib import Path

import numpy as np
from electron_energies import CASES
from jaxtyping import Float

from jovium.electrons.settings import ElectronSettings
from jovium.electrons.systems import electron_system
from jovium.report.data_figures import save
from jovium.training.run_folder import read_metrics, read_settings

DEFAULT = [f"data/electrons/{name}" for name in ("chain10_1.4", "chain10_1.8", "chain10_2.4", "bcc16_1.31")]
METRICS = "seconds", "energy", "energy_error"


def cumulative(seconds: Float[np.ndarray, "s"]) -> Float[np.ndarray, "s"]:
    """The seconds of a training that was continued, where every start counts from zero, one after the other."""
    restarts = np.flatnonzero(np.diff(seconds) < 0)
    return seconds + sum((np.arange(len(seconds)) > restart) * seconds[restart] for restart in restarts)


def main() -> None:
    """Draw all runs in one figure."""
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, default=[Path(run) for run in DEFAULT], metavar="RUN")
    parser.add_argument("--out", type=Path, default=Path("docs/electrons/energy_against_time.png"))
    options = parser.parse_args()
    unknown = [
        run.name for run in options.runs if not np.isfinite(CASES[run.name].exact if run.name in CASES else np.nan)
    ]
    if unknown:
        parser.error(f"no reference for {', '.join(unknown)}: name runs with one in benchmarks/electron_energies.py")
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for run in options.runs:
        settings, reports = read_settings(run, ElectronSettings), read_metrics(run)
        n = len(electron_system(settings.structure, settings.unpaired).protons)
        seconds, energy, error = (np.array([report[name] for report in reports]) for name in METRICS)
        seconds = cumulative(seconds)
        above = 1000 * (energy - CASES[run.name].exact) / n
        axes.errorbar(seconds, above, 1000 * error / n, fmt="o-", ms=3, capsize=1.5, label=run.name)
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_xscale("log")
    axes.axhline(0, color="0.8", lw=1, zorder=0)
    axes.set_xlabel("seconds of training on one core")
    axes.set_ylabel("energy above the reference (mHa per atom)")
    axes.legend(frameon=False)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save(figure, options.out)


if __name__ == "__main__":
    main()
