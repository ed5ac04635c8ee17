"""`jovium doctor`: what is installed and whether it works."""

import argparse
import os
import platform
import shutil
import sys
import tempfile
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version

from jovium.base.errors import EngineError, JoviumError
from jovium.base.files import json_text

HELP = "check the installation"
DESCRIPTION = "Show versions, engines and resources; with --run, compute the energy of the hydrogen molecule."

REQUIRED = ("numpy", "scipy", "numba", "ase", "spglib", "h5py", "jax", "equinox", "safetensors")
H2_ENERGY, H2_TOLERANCE = -1.155, 0.005
OPTIONAL = {"qepy": "first-principles engine", "pyscf": "cross-check engine (pip install pyscf)"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--run", action="store_true", dest="try_engine", help="compute H2 with the default engine")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print the facts; exit code 1 when something required is missing."""
    facts: dict[str, object] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "scratch_free_gb": round(shutil.disk_usage(tempfile.gettempdir()).free / 1e9, 1),
        **{name: installed_version(name) for name in ("jovium", *REQUIRED, *OPTIONAL)},
    }
    missing = [name for name in REQUIRED if facts[name] is None]
    problem = None
    try:
        facts |= {} if missing else device_facts()
    except JoviumError as error:
        facts["devices"], problem = None, error
    if options.try_engine:
        facts["h2_energy_hartree"] = energy = hydrogen_molecule_energy()
        if abs(energy - H2_ENERGY) > H2_TOLERANCE:
            raise EngineError(
                f"H2 at {energy:.4f} hartree",
                f"{H2_ENERGY} +- {H2_TOLERANCE} (PBE, cheap protocol)",
                "reinstall the engine: pip install --force-reinstall qepy",
            )
    if options.json:
        print(json_text(facts))
    else:
        notes = OPTIONAL | ({"devices": facts.pop("install")} if facts.get("install") else {})
        for name, value in facts.items():
            note = f"  ({notes[name]})" if name in notes else ""
            print(f"{name:>18}  {'missing' if value is None else value}{note}")
    for name in missing:
        print(f"jovium: {name} is missing\n  do: pip install {name}", file=sys.stderr)
    if problem:
        print(f"jovium: {problem}", file=sys.stderr)
    return 1 if missing or problem else 0


def device_facts() -> dict[str, object]:
    """Devices that arrays are computed on, whether they know double precision, and how to install for a GPU where there
    is none. Raises JoviumError when the device that JAX_PLATFORMS asks for is not there."""
    import jax

    from jovium.training.devices import INSTALL_CUDA, device_error

    try:
        devices = jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise device_error(error) or error from error
    with jax.enable_x64(True):
        third = jax.numpy.ones(()) / 3
    facts: dict[str, object] = {
        "devices": ", ".join(f"{device.device_kind} {device.id}" for device in devices),
        "double_precision": "works" if abs(float(third) - 1 / 3) < 1e-15 else "missing on this device",
    }
    return facts | ({"install": INSTALL_CUDA} if devices[0].platform == "cpu" else {})


def installed_version(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def hydrogen_molecule_energy() -> float:
    """Energy of H2 at 1.40 bohr in a box of 9 bohr by the default engine at the cheap protocol (hartree)."""
    import numpy as np

    from jovium.base.cell import Cell
    from jovium.base.structure import Structure
    from jovium.reference.engine import open_engine
    from jovium.reference.kohn_sham import CHEAP

    molecule = Structure(Cell(np.eye(3) * 9.0), np.array([[0.0, 0, 0], [0, 0, 1.4]]), ("H", "H"))
    with closing(open_engine()) as engine:
        return engine.ground_state(molecule, CHEAP, fields=False, stress=False).energy
