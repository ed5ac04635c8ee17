"""The error of labels, below which no model can be: how far two labels of one structure differ, and in which waves.

    python benchmarks/label_noise.py frames data/trajectories noise.json
    python benchmarks/label_noise.py sizes data/labels

`frames` takes one frame of each of several trajectories and compares k-meshes (at 20 hartree, against a mesh of spacing
0.15 / bohr) and protocols (cutoff, functional, electronic temperature; against production). Columns: RMSE and largest
difference of the ELF, RMSE of its waves longer than 4 bohr, between 2 and 4, and shorter than 2, and the shifts of phi
and phi*. Repeating the command continues. `sizes` compares the same (rs, T) in cells of different size, from labels.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from jovium.base.files import write_json
from jovium.base.grid import GridField, wave_numbers
from jovium.base.statistics import mean_with_error
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA, kelvin_to_hartree
from jovium.reference.espresso import Espresso
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.reference.trajectory import read_fluid
from jovium.topology.network import hydrogen_network
from jovium.workflows.data_card import read_label_points
from jovium.workflows.thresholds import PHI_SPACING

TRAJECTORIES = (
    "n16-rs1.4-3000K-1",
    "n16-rs1.15-3000K-1",
    "n32-rs1.7-2000K-1",
    "n32-rs1.55-1500K-1",
    "n32-rs1.4-1500K-1",
    "n32-rs1.2-8000K-1",
    "n54-rs1.4-3000K-1",
)
WAVELENGTHS = (4.0, 2.0)
"""Borders between long, middle and short waves, bohr."""


def meshes(structure: Structure) -> dict[str, KohnShamSettings]:
    """Protocols that differ in the k-mesh alone, the densest last."""
    base = replace(PRODUCTION, cutoff=20.0, k_spacing=None, k_mesh=(1, 1, 1))
    return {
        "Gamma": replace(base, k_offset=0.0),
        "mean-value point": replace(base, k_offset=0.25),
        "shifted 2x2x2": replace(base, k_mesh=(2, 2, 2)),
        "production mesh": replace(base, k_mesh=PRODUCTION.mesh(structure.cell)),
        "dense mesh": replace(base, k_mesh=replace(PRODUCTION, k_spacing=0.15).mesh(structure.cell)),
    }


def protocols(structure: Structure) -> dict[str, KohnShamSettings]:
    """Protocols that differ from production in one respect, production itself last."""
    settings = {"30 hartree": replace(PRODUCTION, cutoff=30.0)}
    if structure.n_atoms <= 32:
        settings["80 hartree"] = replace(PRODUCTION, cutoff=80.0)
    settings["LDA"] = replace(PRODUCTION, functional="LDA")
    settings["electrons at 6000 K"] = replace(PRODUCTION, electronic_kT=kelvin_to_hartree(6000.0))
    return settings | {"production": PRODUCTION}


def elf(structure: Structure, protocol: KohnShamSettings) -> GridField:
    """ELF on a grid of 0.15 bohr."""
    with Espresso() as engine:
        state = engine.ground_state(structure, protocol, stress=False)
    return state.localization(structure.cell.grid_shape(PHI_SPACING)).elf


def comparison(field: GridField, reference: GridField, structure: Structure) -> dict[str, float]:
    """How `field` differs from `reference`."""
    difference = field.values - reference.values
    networks = [hydrogen_network(elf, structure.positions) for elf in (field, reference)]
    assert networks[0].phi_star is not None
    assert networks[1].phi_star is not None
    waves = np.linalg.norm(wave_numbers(field.shape) @ structure.cell.reciprocal, axis=-1)
    power = np.abs(np.fft.fftn(difference, norm="forward")) ** 2
    long, short = (2 * np.pi / length for length in WAVELENGTHS)
    bands = {"long": waves < long, "middle": (waves >= long) & (waves < short), "short": waves >= short}
    return {
        "rmse": float(np.sqrt(np.mean(difference**2))),
        "largest": float(np.abs(difference).max()),
        **{name: float(np.sqrt(power[inside].sum())) for name, inside in bands.items()},
        "phi": networks[0].phi_3d.value - networks[1].phi_3d.value,
        "phi_star": networks[0].phi_star.value - networks[1].phi_star.value,
    }


def series(structure: Structure, settings: dict[str, KohnShamSettings]) -> list[dict[str, object]]:
    """Every protocol compared to the last one."""
    *names, last = settings
    best = elf(structure, settings[last])
    return [
        {"protocol": name, "against": last, **comparison(elf(structure, settings[name]), best, structure)}
        for name in names
    ]


def run_frames(options: argparse.Namespace) -> None:
    """Compute what is missing and print the table."""
    store = json.loads(options.store.read_text()) if options.store.exists() else {}
    print("| trajectory | protocol | against | RMSE | largest | > 4 bohr | 2 to 4 | < 2 | phi | phi* |")
    print("|" + "---|" * 10)
    for name in TRAJECTORIES:
        for kind, settings in (("meshes", meshes), ("protocols", protocols)):
            key = f"{name} {kind}"
            if key not in store:
                path = next(p for p in options.folder.glob(name + ".extxyz*") if not p.name.endswith(".csv"))
                fluid = read_fluid(path)
                structure = fluid.structures[fluid.decorrelate()[-1]]
                store[key] = series(structure, settings(structure))
                write_json(options.store, store)
            for r in store[key]:
                numbers = " | ".join(f"{r[k]:.4f}" for k in ("rmse", "largest", "long", "middle", "short"))
                shifts = f"{r['phi']:+.4f} | {r['phi_star']:+.4f}"
                print(f"| {name} | {r['protocol']} | {r['against']} | {numbers} | {shifts} |", flush=True)


def run_sizes(options: argparse.Namespace) -> None:
    """Print the table of equal states in different cells."""
    points = [point for path in options.labels for point in read_label_points(path)]
    states = defaultdict(lambda: defaultdict(list))
    for p in sorted(points, key=lambda p: (p.group, p.step)):
        if np.isfinite(p.kelvin):
            states[round(p.rs, 3), round(p.kelvin)][p.n_atoms].append(p)
    print("| rs (bohr) | T (K) | N | labels | P (GPa) | mean ELF | phi | spread of phi | phi* | spread of phi* |")
    print("|" + "---|" * 10)
    for (rs, kelvin), sizes in sorted(states.items()):
        for n, members in sorted(sizes.items()) if len(sizes) > 1 else ():
            pressure = mean_with_error(np.array([p.pressure for p in members]) * PRESSURE_GPA)
            figures = [
                f"{rs:g}",
                f"{kelvin}",
                f"{n}",
                f"{len(members)}",
                f"{pressure.value:.1f} +- {pressure.error:.1f}",
            ]
            mean = mean_with_error(np.array([p.mean_elf for p in members]))
            figures.append(f"{mean.value:.4f} +- {mean.error:.4f}")
            for values in ([p.phi for p in members], [p.phi_star for p in members]):
                mean = mean_with_error(np.array(values))
                figures += [f"{mean.value:.3f} +- {mean.error:.3f}", f"{np.std(values, ddof=1):.3f}"]
            print("| " + " | ".join(figures) + " |")


def main() -> None:
    """Compare labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    frames = commands.add_parser("frames")
    frames.add_argument("folder", type=Path)
    frames.add_argument("store", type=Path)
    frames.set_defaults(run=run_frames)
    sizes = commands.add_parser("sizes")
    sizes.add_argument("labels", type=Path, nargs="+")
    sizes.set_defaults(run=run_sizes)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
