"""How E, P, ELF and phi of one structure converge with cutoff, k-mesh and smearing: the tables of the protocol page.

    python benchmarks/reference_protocol.py compute STRUCTURE RESULTS.json [--cutoffs ...] [--meshes ...]
    python benchmarks/reference_protocol.py table RESULTS.json

`compute` is resumable: every finished calculation is a line in RESULTS.json and its ELF a file beside it. Each series
varies one setting from a base protocol; `table` prints each row beside the last (finest) row of its series.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, PRESSURE_GPA, kelvin_to_hartree
from jovium.formats.structures import read_structure
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import KohnShamSettings
from jovium.topology.network import hydrogen_network

Series = list[tuple[str, KohnShamSettings]]


def series(options: argparse.Namespace) -> dict[str, Series]:
    """The three series: each varies one setting, coarse to fine, about the base protocol."""
    base = KohnShamSettings(cutoff=options.base_cutoff, k_spacing=None, k_mesh=mesh_of(options.base_mesh)[0])
    return {
        "cutoff (hartree)": [(f"{c:g}", replace(base, cutoff=c)) for c in options.cutoffs],
        "sharp cutoff (hartree)": [(f"{c:g}", replace(base, cutoff=c, window=0.0)) for c in options.cutoffs],
        "k-mesh": [
            (name, replace(base, k_mesh=mesh, k_offset=offset))
            for name, (mesh, offset) in ((name, mesh_of(name)) for name in options.meshes)
        ],
        "electronic temperature (K)": [
            (f"{kelvin:g}", replace(base, electronic_kT=kelvin_to_hartree(kelvin))) for kelvin in options.smearings
        ],
        "functional": [(name, replace(base, functional=name)) for name in ("LDA", "PBE")],
    }


def mesh_of(name: str) -> tuple[tuple[int, int, int], float]:
    """'gamma', 'mean-value', or 'AxBxC' (shifted by half a step), with '@0' behind it for a Gamma-centred mesh."""
    if name == "gamma":
        return (1, 1, 1), 0.0
    if name == "mean-value":
        return (1, 1, 1), 0.25
    counts, _, offset = name.partition("@")
    a, b, c = (int(n) for n in counts.split("x"))
    return (a, b, c), float(offset) if offset else 0.5


def compute(options: argparse.Namespace) -> None:
    """Run what is missing."""
    structure = read_structure(options.structure)
    shape = structure.cell.grid_shape(options.spacing / BOHR_ANGSTROM)
    rows = json.loads(options.results.read_text()) if options.results.exists() else []
    done = {(row["series"], row["setting"]) for row in rows}
    for name, settings in series(options).items():
        for setting, protocol in settings:
            if (name, setting) in done:
                continue
            row = calculate(structure, protocol, shape, field_path(options.results, name, setting))
            rows.append({"series": name, "setting": setting, "structure": options.structure.name, **row})
            options.results.write_text(json.dumps(rows, indent=1))
            print(name, setting, row, flush=True)


def field_path(results: Path, name: str, setting: str) -> Path:
    """Where the ELF of a row is saved."""
    return results.with_name(f"{results.stem}-{name.split()[0]}-{setting.replace('@', '_')}.npy")


def calculate(
    structure: Structure, protocol: KohnShamSettings, shape: tuple[int, int, int], path: Path
) -> dict[str, object]:
    """One calculation: energies, pressure, thresholds; the ELF goes to `path`."""
    engine = open_engine()
    started = time.perf_counter()
    try:
        state = engine.ground_state(structure, protocol)
    finally:
        engine.close()
    localization = state.localization(shape)
    np.save(path, localization.elf.values.astype(np.float32))
    network = hydrogen_network(localization.elf, structure.positions)
    assert network.phi_star is not None
    return {
        "energy_hartree_per_atom": state.energy / structure.n_atoms,
        "pressure_gpa": state.pressure * PRESSURE_GPA,
        "phi": network.phi_3d.value,
        "phi_star": network.phi_star.value,
        "negative_fraction": localization.n_negative / localization.elf.values.size,
        "seconds": time.perf_counter() - started,
    }


def print_series(options: argparse.Namespace) -> None:
    """Print the series as Markdown tables; differences are to the last row of the series."""
    rows = json.loads(options.results.read_text())
    for name in dict.fromkeys(row["series"] for row in rows):
        series_rows = [row for row in rows if row["series"] == name]
        finest = np.load(field_path(options.results, name, series_rows[-1]["setting"])).astype(float)
        print(f"\n| {name} | E (mHa/atom) | P (GPa) | ELF RMSE | ELF max | phi | phi* | seconds |")
        print("|---|---|---|---|---|---|---|---|")
        for row in series_rows:
            elf = np.load(field_path(options.results, name, row["setting"])).astype(float)
            difference = elf - finest
            energy = 1e3 * (row["energy_hartree_per_atom"] - series_rows[-1]["energy_hartree_per_atom"])
            print(
                f"| {row['setting']} | {energy:+.2f} | {row['pressure_gpa']:.1f} | "
                f"{np.sqrt(np.mean(difference**2)):.4f} | {np.abs(difference).max():.3f} | "
                f"{row['phi']:.4f} | {row['phi_star']:.4f} | {row['seconds']:.0f} |"
            )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("compute")
    run.add_argument("structure", type=Path)
    run.add_argument("results", type=Path)
    run.add_argument("--base-cutoff", type=float, default=30.0)
    run.add_argument("--base-mesh", default="2x2x2")
    run.add_argument("--cutoffs", type=float, nargs="+", default=[15, 20, 30, 45, 60, 90])
    run.add_argument("--meshes", nargs="+", default=["gamma", "mean-value", "2x2x2", "3x3x3", "4x4x4"])
    run.add_argument("--smearings", type=float, nargs="+", default=[6000, 3000, 1000])
    run.add_argument("--spacing", type=float, default=0.1, help="ELF grid, angstrom")
    run.set_defaults(run=compute)
    show = commands.add_parser("table")
    show.add_argument("results", type=Path)
    show.set_defaults(run=print_series)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
