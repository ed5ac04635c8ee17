"""Quantum ESPRESSO through its Python library QEpy: plane waves, the default engine."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, EngineMissing, NotConverged, OutputError, reason
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import RYDBERG_HARTREE
from jovium.base.validity import require_apart
from jovium.reference.espresso_input import espresso_input, uses_symmetry
from jovium.reference.feasibility import require_feasible, require_paired
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.reference.levels import Levels
from jovium.reference.pseudo_atom import AtomicOrbital, empty_shells, occupied_shells
from jovium.reference.pseudopotential import pseudopotentials, valence_electrons
from jovium.reference.state import GroundState
from jovium.reference.symmetry import idealised, space_group_operations, standard_orientation, symmetrise
from jovium.reference.upf import upf

MAXIMUM_TOP_OCCUPATION = 1e-3
"""Occupation of the highest band above which the thermal tail is cut off and the result is refused."""

MORE_BANDS = (1.5, 2.5, 4.0)
"""Factors on the number of bands that are tried when the highest one is occupied: open structures have more states
than a gas of their mean density."""

ADVICE = {
    "diaghg": "raise the cutoff, or check the structure for very short distances",
    "rgen": "check the unit of the lengths: the cell is too small for any crystal, or take a supercell",
    "": "check memory, disk space for scratch files (TMPDIR) and the structure",
}
"""What to do when the library stops, by the routine that it names; the last one for any other."""


def espresso_version() -> str:
    """Name and version of the engine, e.g. "Quantum ESPRESSO (qepy 7.2.1rc0)". Raises EngineMissing."""
    try:
        installed = version("qepy")
    except PackageNotFoundError:
        installed = None
    if installed is None or find_spec("qepy") is None:
        raise EngineMissing(
            "no Quantum ESPRESSO library", "the Python package qepy", 'pip install "qepy>=7.2.1rc0" (Linux wheels)'
        )
    return f"Quantum ESPRESSO (qepy {installed})"


SCRATCH_PREFIX = f"jovium-espresso-{platform.node()}-"


def remove_stale_scratch() -> None:
    """Remove scratch folders whose process on this machine was killed and could not remove them itself."""
    for folder in Path(tempfile.gettempdir()).glob(SCRATCH_PREFIX + "*"):
        owner = folder.name.removeprefix(SCRATCH_PREFIX).split("-")[0]
        try:
            os.kill(int(owner), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue


class Espresso(AbstractContextManager["Espresso"]):
    """Plane-wave engine. One worker process at a time, reused with its wave functions while cell, number of atoms and
    protocol stay the same. `trajectory=True` extrapolates them in time: the positions then have to come as the
    successive, equally spaced steps of a molecular-dynamics run, which halves the cost of a step. sure: see
    `jovium.reference.feasibility.require_feasible`."""

    def __init__(self, *, trajectory: bool = False, threads: int = 1, sure: bool = False):
        self._worker: subprocess.Popen[str] | None = None
        self._key: tuple[object, ...] | None = None
        self._scratch: Path | None = None
        self.version = espresso_version()
        self.trajectory = trajectory
        self.threads = threads
        self.sure = sure

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self):
        self.close()

    def close(self) -> None:
        """End the worker process and remove its scratch directory."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._worker = self._scratch = self._key = None

    def ground_state(
        self, structure: Structure, protocol: KohnShamSettings, *, fields: bool = True, stress: bool = True
    ) -> GroundState:
        """See `Engine.ground_state`. Raises NotConverged, EngineError, EngineMissing, and as `require_feasible`
        and `require_apart`."""
        require_apart(structure)
        protocol = protocol.for_cell(structure.cell)
        started = time.perf_counter()
        computed, rotation = structure, np.eye(3)
        if uses_symmetry(structure):
            computed = idealised(structure)
            rotation = standard_orientation(computed)
            cell = Cell(computed.cell.vectors @ rotation.T)
            computed = replace(computed, cell=cell, positions=computed.positions @ rotation.T)
        answer, arrays = self._converged(computed, protocol, fields, stress)
        levels = Levels(
            arrays["levels"] * RYDBERG_HARTREE,
            arrays["weights"],
            valence_electrons(structure, protocol.functional),
            protocol.electronic_kT,
            answer["fermi_energy_rydberg"] * RYDBERG_HARTREE,
            arrays.get("occupied"),
            arrays.get("empty"),
        )
        require_paired(structure, levels)
        reduced_by = arrays["rotations"], arrays["translations"]  # within the tolerance of the library
        operations = space_group_operations(computed)

        def field(name: str) -> GridField | None:
            if name not in arrays:
                return None
            return symmetrise(symmetrise(GridField(arrays[name], structure.cell), reduced_by), operations)

        return GroundState(
            structure=structure,
            protocol=protocol,
            engine=self.version,
            free_energy=answer["free_energy_rydberg"] * RYDBERG_HARTREE,
            entropy_term=-answer["smearing_energy_rydberg"] * RYDBERG_HARTREE,
            forces=(arrays["forces"] @ rotation) * RYDBERG_HARTREE,
            # positive under compression in the library
            stress=-(rotation.T @ arrays["pressure_tensor"] @ rotation) * RYDBERG_HARTREE
            if "pressure_tensor" in arrays
            else None,
            density=field("density"),
            windowed_density=field("windowed_density"),
            windowed_kinetic_energy_density=field("windowed_tau"),
            scf_iterations=answer["scf_iterations"],
            top_occupation=answer["top_occupation"],
            levels=levels,
            seconds=time.perf_counter() - started,
        )

    def _converged(
        self, structure: Structure, protocol: KohnShamSettings, fields: bool, stress: bool
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Numbers and arrays of a converged calculation, with as many bands as hold the thermal tail."""
        request: dict[str, object] = {"positions": structure.positions.tolist(), "fields": fields, "stress": stress}
        request |= _shells(structure, protocol, wanted=fields and not structure.is_pure_hydrogen)
        request |= {"cutoff": protocol.cutoff, "window": protocol.window}
        # the library keeps the symmetry of the positions it began with
        key = (structure.cell.vectors.tobytes(), structure.symbols, protocol)
        key += (structure.positions.tobytes(),) if uses_symmetry(structure) else ()
        if key != self._key:
            self.close()
            self._start(structure, protocol)
            self._key = key
        answer = self._ask(request)
        for more_bands in MORE_BANDS:
            if not answer["converged"] or answer["top_occupation"] <= MAXIMUM_TOP_OCCUPATION:
                break
            self.close()
            self._start(structure, protocol, more_bands)
            self._key = key
            answer = self._ask(request)
        if not answer["converged"]:
            self.close()
            raise NotConverged(
                f"self-consistent field not converged after {answer['scf_iterations']} iterations "
                f"(error {answer['scf_error_rydberg'] * RYDBERG_HARTREE:.1e} hartree)",
                f"an error below {protocol.scf_threshold:.1e} hartree per atom",
                "raise the electronic temperature or the cutoff, or check the structure for very short distances",
            )
        if answer["top_occupation"] > MAXIMUM_TOP_OCCUPATION:
            self.close()
            raise EngineError(
                f"the highest of {answer['n_bands']} bands holds {answer['top_occupation']:.1e} electrons",
                f"at most {MAXIMUM_TOP_OCCUPATION:.0e}",
                "check the cell for large empty parts, or lower the electronic temperature",
            )
        assert self._scratch is not None
        with np.load(self._scratch / "reply.npz", allow_pickle=False) as arrays:
            return answer, dict(arrays)

    def _start(self, structure: Structure, protocol: KohnShamSettings, more_bands: float = 1.0) -> None:
        require_feasible(structure, protocol, sure=self.sure)
        text = espresso_input(structure, protocol, trajectory=self.trajectory, more_bands=more_bands)
        remove_stale_scratch()
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-"))
            (self._scratch / "pw.in").write_text(text)
            for element, potential in pseudopotentials(structure, protocol.functional).items():
                (self._scratch / f"{element}.upf").write_text(upf(potential))
        except OSError as error:
            self.close()
            raise OutputError(
                f"scratch files in {tempfile.gettempdir()}: {error.strerror or reason(error)}",
                "room for some megabytes",
                "free space there, or set TMPDIR to another folder",
            ) from error
        threads = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        with (self._scratch / "pw.err").open("w") as errors:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "jovium.reference.espresso_worker"],
                cwd=self._scratch,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **threads},
            )

    def _ask(self, request: dict[str, object]) -> dict[str, Any]:
        assert self._worker is not None
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        try:
            self._worker.stdin.write(json.dumps(request) + "\n")
            self._worker.stdin.flush()
            reply = self._worker.stdout.readline()
        except BrokenPipeError:
            reply = ""
        except BaseException:  # an interrupt leaves an answer on its way, which the next question must not receive
            self.close()
            raise
        if not reply:
            message = self._last_words()
            self.close()
            raise EngineError(
                f"Quantum ESPRESSO stopped: {message}",
                "a finished calculation",
                next((advice for routine, advice in ADVICE.items() if routine in message), ADVICE[""]),
            )
        return json.loads(reply)

    def _last_words(self) -> str:
        assert self._scratch is not None
        assert self._worker is not None
        status = self._worker.wait()
        paths = [path for name in ("pw.out", "pw.err") if (path := self._scratch / name).exists()]
        text = "".join(path.read_text(errors="replace") for path in paths)
        lines = [line.strip() for line in text.splitlines() if line.strip(" %\n")]
        error = [i for i, line in enumerate(lines) if "Error in routine" in line]
        last = lines[error[-1] : error[-1] + 2] if error else lines[-2:]
        return " ".join(last) or f"exit status {status}"


def _shells(structure: Structure, protocol: KohnShamSettings, *, wanted: bool) -> dict[str, object]:
    """The shells of every element, on which the levels are projected, as the worker takes them."""
    if not wanted:
        return {"shells": None}

    def plain(shells: list[AtomicOrbital]) -> list[dict[str, object]]:
        return [vars(shell) | {"coefficients": shell.coefficients.tolist()} for shell in shells]

    potentials = pseudopotentials(structure, protocol.functional)
    shells = {
        "occupied": {element: plain(occupied_shells(potential)) for element, potential in potentials.items()},
        "empty": {element: plain(empty_shells(potential)) for element, potential in potentials.items()},
    }
    return {"shells": shells, "elements": structure.to_ase().get_chemical_symbols()}
