"""From a structure or an ELF field to its hydrogen network: a self-contained `Analysis`."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from jovium.base.errors import InputError
from jovium.base.files import existing_folder, write_json
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV
from jovium.base.validity import plausibility
from jovium.elf.calibration import COVERAGE
from jovium.elf.model import shipped_model
from jovium.formats.fields import elf_of, is_field_file, read_field, write_field
from jovium.formats.structures import Source, as_structure
from jovium.reference.engine import open_engine
from jovium.reference.feasibility import time_needed
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.reference.pseudo_atom import core_radii
from jovium.report.analysis import Analysis
from jovium.report.page import write_page
from jovium.superconductivity.dos import HydrogenDos, hydrogen_dos
from jovium.superconductivity.fits import critical_temperatures
from jovium.topology.critical_points import critical_points
from jovium.topology.crystal_path import crystal_path
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import hydrogen_network
from jovium.workflows.elf_convention import (
    ConventionCheck,
    check_convention,
    may_lack_factor,
    phi_of_both_conventions,
)

Progress = Callable[[str], object]
"""What is told the stage that begins."""

SPACING = 0.1 / BOHR_ANGSTROM
"""Default distance of ELF grid points, 0.1 angstrom in bohr."""

COARSE_SPACING = 0.25 / BOHR_ANGSTROM
"""Distance of grid points, 0.25 angstrom in bohr, above which saddles are not resolved and a warning is due."""

MIN_POINTS = 40
"""Least number of grid points along the shortest lattice vector, unless a grid is given."""


@dataclass(frozen=True)
class AnalysisSettings:
    """How an ELF is made and analysed.

    spacing: distance of the ELF grid points (bohr) when the ELF is computed, None for the default; shape: the grid
    itself instead.
    elf_convention: see `jovium.formats.fields.read_field`. persistence: critical points below it are noise.
    hydrogen_dos: hydrogen fraction of the density of states at the Fermi level, or dos_file to read it from.
    engine: what makes the ELF of a structure: "network", or a first-principles engine, "espresso" or "pyscf". compare:
    predict by the network and compute with the engine as well (espresso, if the engine is the network). sure: compute
    also what is large or has much empty space, see `jovium.reference.feasibility.require_feasible`."""

    engine: str = "network"
    compare: bool = False
    sure: bool = False
    protocol: KohnShamSettings = PRODUCTION
    spacing: float | None = None
    shape: tuple[int, int, int] | None = None
    elf_convention: str = "auto"
    persistence: float = 0.02
    hydrogen_dos: float | None = None
    dos_file: Path | None = None
    fermi_energy_ev: float | None = None


DEFAULTS = AnalysisSettings()


@dataclass(frozen=True)
class ElfField:
    """An ELF on a grid and what is known about it: how it was made, warnings, and whether the system is a metal
    (None: not known). band: how far a predicted field may be off. may_lack_factor: see
    `jovium.workflows.elf_convention`."""

    field: GridField
    record: dict[str, object]
    warnings: tuple[str, ...]
    is_metal: bool | None
    band: GridField | None = None
    may_lack_factor: bool = False


def analyse(
    source: Source, settings: AnalysisSettings = DEFAULTS, progress: Progress = lambda stage: None, **changes: Any
) -> Analysis:
    """ELF, thresholds (phi_1d, phi_2d, phi_3d, phi_star), critical points and Tc estimates of a structure or a field.

        analysis = analyse("POSCAR")                     # or a Structure, or ASE Atoms: the network, in seconds
        analysis = analyse(atoms, engine="espresso")     # from first principles, in minutes

    source: a structure file, an ELF field file (cube, ELFCAR, XSF), or a structure of Jovium or ASE. changes: settings
    by their names, see `AnalysisSettings`. progress: called with what is done next. The numbers are
    `analysis.network.phi_3d.value`, `analysis.intervals["phi_3d"]`, `analysis.tc`; its name is that of the file, or the
    chemical formula. Raises InputError for settings that cannot be, StructureError for atoms that overlap or that the
    network does not know, FormatError for a file that is none."""
    try:
        settings = replace(settings, **changes)
    except TypeError as error:
        known = ", ".join(field.name for field in fields(AnalysisSettings))
        raise InputError(f"settings {', '.join(changes)}", f"some of: {known}", "check the names") from error
    check_settings(settings)
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    holds_elf = path is not None and is_field_file(path)
    check_effects(settings, holds_elf)
    if path and holds_elf:
        progress("reading the ELF field")
        return analyse_field(path.stem, *read_elf(path, settings.elf_convention, progress), settings, progress)
    structure = as_structure(source)
    dos_of_settings(structure, settings)  # refused now, not after the calculation
    name = path.stem if path else structure.to_ase().get_chemical_formula()
    predicting = settings.engine == "network" or settings.compare
    progress(f"predicting the ELF of {structure.n_atoms} atoms" if predicting else _computing(structure, settings))
    elf = predict_elf(structure, settings) if predicting else compute_elf(structure, settings)
    analysis = analyse_field(name, structure, elf, settings, progress)
    if not settings.compare:
        return analysis
    progress(f"{_computing(structure, settings)}, to compare with")
    same_grid = replace(settings, shape=analysis.elf.shape)
    computed = analyse_field(name, structure, compute_elf(structure, same_grid), settings, progress)
    return replace(analysis, computed=computed)


def _computing(structure: Structure, settings: AnalysisSettings) -> str:
    return f"computing the electrons of {structure.n_atoms} atoms" + time_needed(structure, settings.protocol)


def read_elf(path: Path, elf_convention: str, progress: Progress = lambda stage: None) -> tuple[Structure, ElfField]:
    """Structure and ELF of a field file, with what the file tells about its origin. When it may lack the factor that
    Quantum ESPRESSO loses, and a comparison is quick, the file is mended or taken as it stands by what that says."""
    file = read_field(path, elf_convention=elf_convention)
    field, doubts = elf_of(file, is_sure=elf_convention != "auto")
    check = None
    if may_lack_factor(file.provenance):
        progress("comparing the ELF with one made for its atoms")
        check = check_convention(file.structure, field)
        if isinstance(check, ConventionCheck) and check.convention:
            file = read_field(path, elf_convention=check.convention)
            field, doubts = elf_of(file)
        if file.provenance.elf_correction != "none":
            verdict = {"applied": "mended", "suspected": "not certain whether to be mended"}
            doubts += (f"the ELF was {verdict[file.provenance.elf_correction]}: {check}",)
    record: dict[str, object] = {
        "engine": "none: field file",
        "field_file": path.name,
        "code": file.provenance.code,
        "code_version": file.provenance.version,
        "elf_correction": file.provenance.elf_correction,
        "elf_convention_check": str(check) if check else None,
    }
    lacks = may_lack_factor(file.provenance)
    return file.structure, ElfField(field, record, file.provenance.warnings + doubts, None, may_lack_factor=lacks)


def predict_elf(structure: Structure, settings: AnalysisSettings) -> ElfField:
    """ELF of a structure by the network."""
    model = shipped_model()
    predicted = model.predict(structure, elf_grid_shape(structure, settings))
    covered = f"{COVERAGE:.0%} of the points"
    record: dict[str, object] = {"engine": "network", "band_covers": covered, **model.card}
    warnings = [f"outside the training data, {reason}" for reason in predicted.warnings]
    return ElfField(predicted.elf, record, tuple(warnings), None, predicted.band)


def elf_grid_shape(structure: Structure, settings: AnalysisSettings) -> tuple[int, int, int]:
    """The grid of the ELF."""
    spacing = settings.spacing or min(SPACING, float(structure.cell.lengths.min()) / MIN_POINTS)
    return settings.shape or structure.cell.grid_shape(spacing)


def compute_elf(structure: Structure, settings: AnalysisSettings) -> ElfField:
    """ELF of a structure by the engine."""
    shape = elf_grid_shape(structure, settings)
    name = "espresso" if settings.engine == "network" else settings.engine
    with closing(open_engine(name, sure=settings.sure)) as engine:
        state = engine.ground_state(structure, settings.protocol)
    localization = state.localization(shape)
    warnings = []
    if state.band_gap is not None and state.band_gap > 0:
        gap = f"{state.band_gap * HARTREE_EV:.2f} eV"
        warnings.append(f"a band gap of {gap} over the k-mesh: no density of states at the Fermi level, no Tc")
    fraction = localization.n_negative / localization.elf.values.size
    if fraction > 0.01:
        warnings.append(f"D = tau - |grad n|^2/8n is slightly negative (set to 0) on {fraction:.1%} of the grid points")
    if localization.n_vacuum:
        warnings.append(f"{localization.n_vacuum} grid points below the density floor count as vacuum (ELF 0)")
    is_metal = None if state.band_gap is None else state.band_gap <= 0
    return ElfField(localization.elf, state.record(), tuple(warnings), is_metal)


def check_settings(settings: AnalysisSettings) -> None:
    """Raise InputError for settings that would only be refused after the calculation."""
    if not settings.persistence >= 0:
        raise InputError(f"persistence {settings.persistence}", "a number >= 0", "0.02 is the default")
    if settings.hydrogen_dos is not None and not 0 <= settings.hydrogen_dos <= 1:
        raise InputError(f"hydrogen DOS fraction {settings.hydrogen_dos}", "a number in [0, 1]", "check --h-dos")
    spacing, fermi = settings.spacing, settings.fermi_energy_ev
    if spacing is not None and not (isfinite(spacing) and spacing > 0):
        raise InputError(f"a spacing of {spacing} bohr", "a positive distance", "e.g. 0.1 angstrom")
    if fermi is not None and not isfinite(fermi):
        raise InputError(f"a Fermi energy of {fermi} eV", "a finite number", "check --fermi")
    if settings.dos_file is not None and not Path(settings.dos_file).is_file():
        raise InputError(f"no file {settings.dos_file}", "a table of the density of states", "check --dos-file")


def dos_of_settings(structure: Structure, settings: AnalysisSettings) -> HydrogenDos | None:
    """H_DOS of a structure by the settings. Raises as `hydrogen_dos`."""
    return hydrogen_dos(structure, settings.hydrogen_dos, settings.dos_file, settings.fermi_energy_ev)


def check_effects(settings: AnalysisSettings, holds_elf: bool) -> None:
    """Raise InputError for changed settings without an effect on a file that holds the ELF, or on a structure."""
    unused = ["elf_convention"]
    if holds_elf:
        unused = ["engine", "compare", "sure", "protocol", "spacing", "shape"]
    elif settings.engine == "network" and not settings.compare:
        unused += ["protocol", "sure"]
    if settings.shape is not None:
        unused += ["spacing"]
    if settings.dos_file is None:
        unused += ["fermi_energy_ev"]
    changed = [name for name in unused if getattr(settings, name) != getattr(DEFAULTS, name)]
    if changed:
        what = "an ELF field" if holds_elf else "a structure"
        raise InputError(
            f"{', '.join(changed)} for {what} and these settings", "settings with an effect", "leave them out"
        )


def analyse_field(
    name: str, structure: Structure, elf: ElfField, settings: AnalysisSettings, progress: Progress = lambda stage: None
) -> Analysis:
    """Thresholds, critical points and Tc estimates of an ELF field at hand."""
    warnings = [*plausibility(structure), *elf.warnings]
    if elf.field.spacings.max() > COARSE_SPACING:
        widest = elf.field.spacings.max() * BOHR_ANGSTROM
        warnings.append(f"grid points up to {widest:.2f} angstrom apart: thresholds may belong to other saddles")
    dos = None if elf.is_metal is False else dos_of_settings(structure, settings)
    warnings += dos.warnings if dos else ()
    if elf.is_metal is None and structure.is_pure_hydrogen:
        warnings.append("Tc assumes that this hydrogen is a metal: it was not checked")
    progress("following the hydrogen network")
    hydrogens = structure.positions[structure.hydrogens]
    network = hydrogen_network(elf.field, hydrogens if len(hydrogens) else None)
    if elf.may_lack_factor:
        warnings.append(phi_of_both_conventions(network.phi_3d.value))
    intervals = None
    if elf.band is not None:
        progress("bounding the thresholds")
        intervals = threshold_intervals(network, elf.field, elf.band, hydrogens)
    path = crystal_path(elf.field, structure, core_radii(structure.symbols))
    warnings += path.warnings
    progress("finding critical points")
    points = critical_points(elf.field, persistence=settings.persistence)
    phi_star = network.phi_star.value if network.phi_star else None
    share = dos.value if dos else None
    tc = critical_temperatures(network.phi_3d.value, phi_star, len(hydrogens) / structure.n_atoms, share)
    facts = elf.record, tuple(warnings), name
    return Analysis(structure, elf.field, network, points, tc, *facts, hydrogen_dos=dos, intervals=intervals, path=path)


def write_analysis(analysis: Analysis, folder: Path) -> dict[str, Path]:
    """Write elf.cube, analysis.json and page.html into `folder`; the paths by kind."""
    folder = existing_folder(folder)
    paths = {"cube": folder / "elf.cube", "json": folder / "analysis.json", "page": folder / "page.html"}
    write_field(paths["cube"], analysis.structure, analysis.elf, comment=f"ELF of {analysis.name}")
    write_json(paths["json"], analysis.to_json())
    write_page(paths["page"], analysis)
    return paths
