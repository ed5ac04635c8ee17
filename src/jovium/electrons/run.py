"""A wave function from Python: trained in memory or in a folder, then measured."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jovium.electrons.measurement import ElectronMeasurement, measure, measure_run
from jovium.electrons.settings import ElectronSettings
from jovium.electrons.systems import ElectronSystem
from jovium.electrons.training import ElectronTraining, load_run, precision, train
from jovium.electrons.wave_function import WaveFunction
from jovium.training.loop import Report, TrainingState


@dataclass(frozen=True)
class ElectronRun:
    """A trained wave function: its settings, its state, and its folder; in memory None, and the system it is of."""

    settings: ElectronSettings
    state: TrainingState
    folder: Path | None = None
    system: ElectronSystem | None = None

    @property
    def psi(self) -> WaveFunction:
        """The wave function."""
        return self.state.model

    def measure(self, steps: int = 50, seed: int = 1) -> ElectronMeasurement:
        """Energy in parts, variance, pressure and g(r), with errors, over so many steps of the walkers."""
        if self.folder:
            return measure_run(self.folder, steps, seed)
        with precision(self.settings, self.system):
            return measure(self.settings, self.state, steps, seed, system=self.system)


def wave_function(
    structure: str | Path,
    *,
    folder: str | Path | None = None,
    on_report: Callable[[Report], object] | None = None,
    report_every: int = 20,
    **settings: Any,
) -> ElectronRun:
    """Train a neural wave function of hydrogen at fixed protons by variational Monte Carlo.

        run = wave_function("h2:1.4", steps=100, on_report=print)
        print(run.measure().energy)

    structure: a file of hydrogen atoms, or a name like h2:1.4 (see `jovium.electrons.systems`). folder: a run folder,
    which is continued if it holds this run; None: in memory. settings: any other setting by its name, see
    `ElectronSettings`. Raises InputError for settings or structures that cannot be."""
    chosen = ElectronSettings.from_dict({"structure": str(structure), **settings}, "wave_function")
    if folder is not None:
        for report in train(Path(folder), chosen, report_every):
            if on_report:
                on_report(report)
        return ElectronRun(*load_run(Path(folder)), Path(folder))
    with precision(chosen):
        training = ElectronTraining(chosen)
        for report in training.run(report_every):
            if on_report:
                on_report(report)
    return ElectronRun(chosen, training.state, system=training.system)
