"""The free energy of dense hydrogen from Python: train in memory or in a folder, then measure, sample, report."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.free_energy.measurement import FreeEnergyMeasurement, measure, measure_run, sample
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.free_energy.training import FreeEnergyTraining, load_run, precision, train
from jovium.report.fluid_page import FluidReport
from jovium.training import checkpoint
from jovium.training.devices import all_devices
from jovium.training.loop import Report, TrainingState, run_in_folder
from jovium.training.run_folder import STATE, append_report, check_steps, read_metrics
from jovium.workflows.fluid_report import report_run

OnReport = Callable[[Report], object]


@dataclass(frozen=True)
class FreeEnergyRun:
    """A trained run: its settings, the state that training continues from, its reports as plain values, and its folder,
    None in memory."""

    settings: FreeEnergySettings
    state: TrainingState
    reports: tuple[dict[str, Any], ...]
    folder: Path | None = None

    def measure(
        self, samples: int | None = None, electron_samples: int = 32, accept_fraction: float = 1.0, seed: int = 1
    ) -> FreeEnergyMeasurement:
        """F, E, S per atom and P with errors, from protons drawn afresh: see `MeasurementSettings` for what is asked.
        A run in a folder gets measure.json. Raises InputError for fewer than four samples."""
        how = MeasurementSettings(samples, electron_samples, accept_fraction, seed)
        return measure_run(self.folder, how) if self.folder else measure(self.settings, self.state, how)

    def sample(self, n: int = 100, seed: int = 1, accept_fraction: float = 1.0) -> list[Structure]:
        """n independent configurations of protons."""
        return sample(self.settings, self.state, n, seed, accept_fraction)[0]

    def report(self, folder: str | Path, samples: int = 40, seed: int = 1) -> FluidReport:
        """The measured run as one page, FOLDER/page.html: F, E, S, P, g(r), and the ELF of samples by the network. A
        run in memory is measured with the defaults for it."""
        if self.folder:
            return report_run(self.folder, samples, seed, out=Path(folder))
        with TemporaryDirectory() as scratch:
            saved = self.save(Path(scratch) / "run")
            saved.measure()
            return saved.report(folder, samples, seed)

    def train(self, steps: int, on_report: OnReport | None = None, report_every: int = 20) -> "FreeEnergyRun":
        """The run continued until it has done so many steps altogether."""
        settings = replace(self.settings, steps=steps)
        if self.folder:
            return _train_in_folder(self.folder, settings, on_report, report_every)
        return _train_in_memory(settings, on_report, report_every, self.state, self.reports)

    def save(self, folder: str | Path) -> "FreeEnergyRun":
        """The run in a folder, which `jovium free-energy` takes. Raises InputError when the folder holds a run."""
        folder = Path(folder)
        if (folder / STATE).exists():
            raise InputError(f"{folder} holds a run", "a new folder", "give another folder")
        with run_in_folder(folder, self.settings, 2):
            facts = {"good": None, "ode_steps": self.state.model.flow.n_steps}
            checkpoint.save(folder / STATE, self.state, facts)
            for record in self.reports:
                append_report(folder, record)
        return replace(self, folder=folder)

    def __repr__(self) -> str:
        settings, last = self.settings, self.reports[-1] if self.reports else {}
        where = f", folder '{self.folder}'" if self.folder else ""
        F = f", F = {last['free_energy']:.5f} Ha per atom" if last.get("free_energy") is not None else ""
        state = f"N = {settings.n_atoms}, rs = {settings.rs:g} bohr, T = {settings.kelvin:g} K"
        return f"FreeEnergyRun({state}, {int(self.state.step)} steps{F}{where})"


def free_energy(
    n_atoms: int = 16,
    rs: float = 1.25,
    kelvin: float = 6000.0,
    *,
    folder: str | Path | None = None,
    on_report: OnReport | None = None,
    report_every: int = 20,
    **settings: Any,
) -> FreeEnergyRun:
    """Train the variational free energy F = E[kT ln p + E] of n_atoms hydrogen atoms at rs (bohr) and a temperature
    (kelvin): a flow for the protons and a neural wave function for the electrons.

        run = free_energy(n_atoms=2, twists=1, steps=80, on_report=print)
        print(run.measure())

    folder: a run folder, which is continued if it holds this run; None: in memory. on_report: called with every
    `Report`, one per `report_every` steps. settings: any other setting by its name, see `FreeEnergySettings`. The
    defaults are sixteen atoms with 4^3 twists: about an hour for 400 steps on a core. Raises InputError for settings
    that cannot be."""
    chosen = FreeEnergySettings.from_dict({"n_atoms": n_atoms, "rs": rs, "kelvin": kelvin, **settings}, "free_energy")
    if folder is not None:
        return _train_in_folder(Path(folder), chosen, on_report, report_every)
    return _train_in_memory(chosen, on_report, report_every)


def open_run(folder: str | Path) -> FreeEnergyRun:
    """The free-energy run in a folder. Raises InputError when there is none."""
    folder = Path(folder)
    settings, state = load_run(folder)
    return FreeEnergyRun(settings, state, tuple(read_metrics(folder)), folder)


def _train_in_folder(
    folder: Path, settings: FreeEnergySettings, on_report: OnReport | None, report_every: int
) -> FreeEnergyRun:
    for report in train(folder, settings, report_every):
        if on_report:
            on_report(report)
    return open_run(folder)


def _train_in_memory(
    settings: FreeEnergySettings,
    on_report: OnReport | None,
    report_every: int,
    state: TrainingState | None = None,
    before: tuple[dict[str, Any], ...] = (),
) -> FreeEnergyRun:
    reports = list(before)
    with run_in_folder(None, settings, report_every), precision(settings), all_devices():
        training = FreeEnergyTraining(settings, state=state)
        check_steps(settings, int(training.state.step))
        for report in training.run(report_every):
            reports.append(report.record())
            if on_report:
                on_report(report)
    return FreeEnergyRun(settings, training.state, tuple(reports))
