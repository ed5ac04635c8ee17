"""From one file to its hydrogen network: structure or field in, a self-contained `Analysis` out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from jovium.base.errors import InputError
from jovium.base.files import existing_folder, write_json
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM, HARTREE_EV
from jovium.elf.calibration import COVERAGE
from jovium.elf.model import shipped_model
from jovium.formats.fields import is_field_file, read_field, require_elf, write_field
from jovium.formats.structures import read_structure
from jovium.reference.engine import open_engine
from jovium.reference.kohn_sham import PRODUCTION, KohnShamSettings
from jovium.report.analysis import Analysis
from jovium.report.page import write_page
from jovium.superconductivity.dos import hydrogen_dos
from jovium.superconductivity.fits import critical_temperatures
from jovium.topology.critical_points import critical_points
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import hydrogen_network

SPACING = 0.1 / BOHR_ANGSTROM
"""Default distance of ELF grid points, 0.1 angstrom in bohr."""

COARSE_SPACING = 0.25 / BOHR_ANGSTROM
"""Distance of grid points, 0.25 angstrom in bohr, above which saddles are not resolved and a warning is due."""

LEAST_POINTS = 40
"""Grid points along the shortest lattice vector at least, unless the grid is asked for: small cells get finer grids."""


@dataclass(frozen=True)
class AnalysisSettings:
    """What is asked about one file.

    spacing: distance of the ELF grid points (bohr) when the ELF is computed, None for the default; shape: the grid
    itself instead.
    elf_convention: see `jovium.formats.fields.read_field`. persistence: critical points below it are noise.
    hydrogen_dos: hydrogen share of the density of states at the Fermi level, or dos_file to read it from.
    engine: what makes the ELF of a structure: "network", or a first-principles engine, "espresso" or "pyscf". compare:
    predict by the network and compute with the engine as well (espresso, if the engine is the network).
    """

    engine: str = "network"
    compare: bool = False
    protocol: KohnShamSettings = PRODUCTION
    spacing: float | None = None
    shape: tuple[int, int, int] | None = None
    elf_convention: str = "auto"
    persistence: float = 0.02
    hydrogen_dos: float | None = None
    dos_file: Path | None = None
    fermi_energy_ev: float | None = None


@dataclass(frozen=True)
class ElfField:
    """An ELF on a grid and what is known about it: how it was made, warnings, and whether the system is a metal
    (None: not known). band: how far a predicted field may be off."""

    field: GridField
    record: dict[str, object]
    warnings: tuple[str, ...]
    is_metal: bool | None
    band: GridField | None = None


def analyse(path: Path, question: AnalysisSettings, progress: Callable[[str], None] = lambda stage: None) -> Analysis:
    """ELF, thresholds, critical points and Tc estimates of a structure file or an ELF field file."""
    require_answerable(question)
    if is_field_file(path):
        progress("reading the ELF field")
        structure, elf = elf_from_file(path, question.elf_convention)
    else:
        structure = read_structure(path)
        if question.engine == "network" or question.compare:
            progress(f"predicting the ELF of {structure.n_atoms} atoms")
            elf = predicted_elf(structure, question)
        else:
            progress(f"computing the electrons of {structure.n_atoms} atoms")
            elf = first_principles_elf(structure, question)
    analysis = analysis_of(path.stem, structure, elf, question, progress)
    if not question.compare or is_field_file(path):
        return analysis
    progress(f"computing the electrons of {structure.n_atoms} atoms to compare with")
    same_grid = replace(question, shape=analysis.elf.shape)
    computed = analysis_of(path.stem, structure, first_principles_elf(structure, same_grid), question, progress)
    return replace(analysis, computed=computed)


def elf_from_file(path: Path, elf_convention: str) -> tuple[Structure, ElfField]:
    """Structure and ELF of a field file, with what the file tells about its origin."""
    file = read_field(path, elf_convention=elf_convention)
    field = require_elf(file.field)
    record: dict[str, object] = {
        "engine": "none: field file",
        "field_file": path.name,
        "code": file.provenance.code,
        "code_version": file.provenance.version,
        "elf_correction": file.provenance.elf_correction,
    }
    return file.structure, ElfField(field, record, file.provenance.warnings, None)


def predicted_elf(structure: Structure, question: AnalysisSettings) -> ElfField:
    """ELF of a structure by the network."""
    model = shipped_model()
    found = model.predict(structure, asked_shape(structure, question))
    covered = f"{COVERAGE:.0%} of the points"
    record: dict[str, object] = {"engine": "network", "band_covers": covered, **model.card}
    warnings = [f"outside the training data, {reason}" for reason in found.warnings]
    return ElfField(found.elf, record, tuple(warnings), None, found.band)


def asked_shape(structure: Structure, question: AnalysisSettings) -> tuple[int, int, int]:
    """The grid of the ELF."""
    spacing = question.spacing or min(SPACING, float(structure.cell.lengths.min()) / LEAST_POINTS)
    return question.shape or structure.cell.grid_shape(spacing)


def first_principles_elf(structure: Structure, question: AnalysisSettings) -> ElfField:
    """ELF of a structure by the engine."""
    shape = asked_shape(structure, question)
    engine = open_engine("espresso" if question.engine == "network" else question.engine)
    try:
        state = engine.ground_state(structure, question.protocol, stress=False)
    finally:
        engine.close()
    localization = state.localization(shape)
    warnings = []
    if state.band_gap is not None and state.band_gap > 0:
        gap = f"{state.band_gap * HARTREE_EV:.2f} eV"
        warnings.append(f"a band gap of {gap} over the k-mesh: no density of states at the Fermi level, no Tc")
    share = localization.n_negative / localization.elf.values.size
    if share > 0.01:
        warnings.append(f"D = tau - |grad n|^2/8n is slightly negative (set to 0) on {share:.1%} of the grid points")
    if localization.n_vacuum:
        warnings.append(f"{localization.n_vacuum} grid points below the density floor count as vacuum (ELF 0)")
    is_metal = None if state.band_gap is None else state.band_gap <= 0
    return ElfField(localization.elf, state.record(), tuple(warnings), is_metal)


def require_answerable(question: AnalysisSettings) -> None:
    """Raise InputError for settings that would only be refused after the calculation."""
    if not question.persistence >= 0:
        raise InputError(f"persistence {question.persistence}", "a number >= 0", "0.02 is the default")
    if question.hydrogen_dos is not None and not 0 <= question.hydrogen_dos <= 1:
        raise InputError(f"hydrogen DOS share {question.hydrogen_dos}", "a number in [0, 1]", "check --h-dos")
    if question.dos_file is not None and not question.dos_file.exists():
        raise InputError(f"no file {question.dos_file}", "a table of the density of states", "check --dos-file")


def analysis_of(
    name: str,
    structure: Structure,
    elf: ElfField,
    question: AnalysisSettings,
    progress: Callable[[str], None] = lambda stage: None,
) -> Analysis:
    """Thresholds, critical points and Tc estimates of an ELF field at hand."""
    warnings = list(elf.warnings)
    if elf.field.spacings.max() > COARSE_SPACING:
        widest = elf.field.spacings.max() * BOHR_ANGSTROM
        warnings.append(f"grid points up to {widest:.2f} angstrom apart: thresholds may belong to other saddles")
    dos = hydrogen_dos(structure, question.hydrogen_dos, question.dos_file, question.fermi_energy_ev)
    if elf.is_metal is False:
        dos = None
    if elf.is_metal is None and structure.is_pure_hydrogen:
        warnings.append("Tc assumes that this hydrogen is a metal: it was not checked")
    progress("following the hydrogen network")
    hydrogens = structure.positions[structure.hydrogens]
    network = hydrogen_network(elf.field, hydrogens if len(hydrogens) else None)
    intervals = None
    if elf.band is not None:
        progress("finding how far the thresholds may be off")
        intervals = threshold_intervals(network, elf.field, elf.band, hydrogens)
    progress("finding critical points")
    points = critical_points(elf.field, persistence=question.persistence)
    tc = critical_temperatures(
        network.phi_3d.value,
        network.phi_star.value if network.phi_star else None,
        len(hydrogens) / structure.n_atoms,
        dos,
    )
    return Analysis(
        structure,
        elf.field,
        network,
        points,
        tc,
        elf.record,
        tuple(warnings),
        name,
        hydrogen_dos=dos,
        intervals=intervals,
    )


def write_analysis(analysis: Analysis, folder: Path) -> dict[str, Path]:
    """Write elf.cube, analysis.json and page.html into `folder`; the paths by kind."""
    folder = existing_folder(folder)
    paths = {"cube": folder / "elf.cube", "json": folder / "analysis.json", "page": folder / "page.html"}
    write_field(paths["cube"], analysis.structure, analysis.elf, comment=f"ELF of {analysis.name}")
    write_json(paths["json"], analysis.to_json())
    write_page(paths["page"], analysis)
    return paths
