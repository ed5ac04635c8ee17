"""From one file to its hydrogen network: structure or field in, a self-contained `Analysis` out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jovium.base.files import existing_folder, write_json
from jovium.base.grid import GridField
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.formats.fields import is_field_file, read_field, require_elf, write_field
from jovium.formats.structures import read_structure
from jovium.reference.engine import open_engine
from jovium.reference.protocol import PRODUCTION, Protocol
from jovium.report.analysis import Analysis
from jovium.report.page import write_page
from jovium.superconductivity.dos import hydrogen_dos
from jovium.superconductivity.fits import critical_temperatures
from jovium.topology.critical_points import critical_points
from jovium.topology.network import hydrogen_network

SPACING = 0.1 / BOHR_ANGSTROM
"""Default distance of ELF grid points, 0.1 angstrom in bohr."""

LEAST_POINTS = 40
"""Grid points along the shortest lattice vector at least, unless the grid is asked for: small cells get finer grids."""


@dataclass(frozen=True)
class Question:
    """What is asked about one file.

    spacing: distance of the ELF grid points (bohr) when the ELF is computed, None for the default; shape: the grid
    itself instead.
    elf_convention: see `jovium.formats.fields.read_field`. persistence: critical points below it are noise.
    hydrogen_dos: hydrogen share of the density of states at the Fermi level, or dos_file to read it from.
    """

    engine: str = "espresso"
    protocol: Protocol = PRODUCTION
    spacing: float | None = None
    shape: tuple[int, int, int] | None = None
    elf_convention: str = "auto"
    persistence: float = 0.02
    hydrogen_dos: float | None = None
    dos_file: Path | None = None
    fermi_energy_ev: float | None = None


def analyse(path: Path, question: Question, progress: Callable[[str], None] = lambda stage: None) -> Analysis:
    """ELF, thresholds, critical points and Tc estimates of a structure file or an ELF field file."""
    if is_field_file(path):
        progress("reading the ELF field")
        file = read_field(path, elf_convention=question.elf_convention)
        require_elf(file.field)
        record: dict[str, object] = {
            "engine": "none: field file",
            "field_file": path.name,
            "code": file.provenance.code,
            "code_version": file.provenance.version,
            "elf_correction": file.provenance.elf_correction,
        }
        return analysis_of(path.stem, file.structure, file.field, record, question, file.provenance.warnings, progress)
    structure = read_structure(path)
    progress(f"computing the electrons of {structure.n_atoms} atoms")
    elf, record, warnings = first_principles_elf(structure, question)
    return analysis_of(path.stem, structure, elf, record, question, warnings, progress)


def first_principles_elf(
    structure: Structure, question: Question
) -> tuple[GridField, dict[str, object], tuple[str, ...]]:
    """ELF of a structure by the engine, the record of how it was made, and warnings."""
    engine = open_engine(question.engine)
    try:
        state = engine.ground_state(structure, question.protocol, stress=False)
    finally:
        engine.close()
    spacing = question.spacing or min(SPACING, float(structure.cell.lengths.min()) / LEAST_POINTS)
    shape = question.shape or structure.cell.grid_shape(spacing)
    localization = state.localization(shape)
    warnings = []
    share = localization.n_negative / localization.elf.values.size
    if share > 0.01:
        warnings.append(f"D = tau - |grad n|^2/8n is slightly negative (set to 0) on {share:.1%} of the grid points")
    if localization.n_vacuum:
        warnings.append(f"{localization.n_vacuum} grid points below the density floor count as vacuum (ELF 0)")
    return localization.elf, state.record(), tuple(warnings)


def analysis_of(
    name: str,
    structure: Structure,
    elf: GridField,
    record: dict[str, object],
    question: Question,
    warnings: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda stage: None,
) -> Analysis:
    """Thresholds, critical points and Tc estimates of an ELF field already at hand."""
    progress("following the hydrogen network")
    hydrogens = structure.positions[structure.hydrogens]
    network = hydrogen_network(elf, hydrogens if len(hydrogens) else None)
    progress("finding critical points")
    points = critical_points(elf, persistence=question.persistence)
    dos = hydrogen_dos(structure, question.hydrogen_dos, question.dos_file, question.fermi_energy_ev)
    tc = critical_temperatures(
        network.phi_3d.value,
        network.phi_star.value if network.phi_star else None,
        len(hydrogens) / structure.n_atoms,
        dos,
    )
    return Analysis(structure, elf, network, points, tc, record, warnings, name)


def write_analysis(analysis: Analysis, folder: Path) -> dict[str, Path]:
    """Write elf.cube, analysis.json and page.html into `folder`; the paths by kind."""
    folder = existing_folder(folder)
    paths = {"cube": folder / "elf.cube", "json": folder / "analysis.json", "page": folder / "page.html"}
    write_field(paths["cube"], analysis.structure, analysis.elf, comment=f"ELF of {analysis.name}")
    write_json(paths["json"], analysis.to_json())
    write_page(paths["page"], analysis)
    return paths
