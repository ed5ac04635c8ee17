"""From a structure or an ELF field to its hydrogen network: a self-contained `Analysis`."""

import os
from dataclasses import dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from jovium.base.errors import InputError
from jovium.base.files import existing_folder, write_json, write_lines
from jovium.base.structure import Structure
from jovium.base.units import BOHR_ANGSTROM
from jovium.base.validity import plausibility
from jovium.elf.model import SPACING, elf_grid_shape
from jovium.formats.fields import is_field_file, write_field
from jovium.formats.structures import Source, as_structure
from jovium.reference.compounds import protocol_for
from jovium.reference.feasibility import time_needed
from jovium.reference.kohn_sham import COMPARISON, PRODUCTION, KohnShamSettings
from jovium.reference.pseudo_atom import core_radii
from jovium.report.analysis import Analysis
from jovium.report.page import write_page
from jovium.superconductivity.dos import DensityOfStates, HydrogenDos, hydrogen_dos
from jovium.superconductivity.fits import critical_temperatures
from jovium.topology.critical_points import critical_points
from jovium.topology.crystal_path import crystal_path
from jovium.topology.intervals import threshold_intervals
from jovium.topology.network import hydrogen_network
from jovium.workflows.convergence import finer_protocols, protocol_error, protocol_row
from jovium.workflows.elf_convention import phi_of_both_conventions
from jovium.workflows.elf_sources import (
    ElfField,
    Progress,
    compute_elf,
    predict_elf,
    read_elf,
    with_states,
)

COARSE_SPACING = 0.25 / BOHR_ANGSTROM
"""Distance of grid points, 0.25 angstrom in bohr, above which saddles are not resolved and a warning is due."""

ROUGH = "both codes computed on few k-points: compare them, but take phi, P, H_DOS and Tc from an analysis without it"
"""The warning of a compound by two codes."""


@dataclass(frozen=True)
class AnalysisSettings:
    """How an ELF is made and analysed.

    spacing: distance of the ELF grid points (bohr) when the ELF is computed, None for the default; shape: the grid
    itself instead.
    elf_convention: see `jovium.formats.fields.read_field`. persistence: critical points below it are noise.
    hydrogen_dos: hydrogen fraction of the density of states at the Fermi level, or dos_file to read it from.
    engine: what makes the ELF of a structure: "network", or a first-principles engine, "espresso" or "pyscf"; None: the
    network for pure hydrogen, espresso for a compound. protocol: of the engine, taken as it is; None for that of
    `protocol_for`. compare: hydrogen by the network and by the engine (espresso, if the engine is the network); a
    compound by espresso and by pyscf, both on the few k-points of `COMPARISON` when no protocol is given. sure: compute
    also what is large or has much empty space, see `jovium.reference.feasibility.require_feasible`. convergence:
    compute again with a higher cutoff and with a denser k-mesh, to see what the protocol leaves in phi; three to four
    times the time."""

    engine: str | None = None
    compare: bool = False
    sure: bool = False
    convergence: bool = False
    protocol: KohnShamSettings | None = None
    spacing: float | None = None
    shape: tuple[int, int, int] | None = None
    elf_convention: str = "auto"
    persistence: float = 0.02
    hydrogen_dos: float | None = None
    dos_file: Path | None = None
    fermi_energy_ev: float | None = None


DEFAULTS = AnalysisSettings()


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
    if path and holds_elf:
        check_effects(settings, holds_elf=True)
        progress("reading the ELF field")
        return analyse_field(path.stem, *read_elf(path, settings.elf_convention, progress), settings, progress)
    structure = as_structure(source)
    engines = engines_for(structure, settings)
    check_effects(settings, holds_elf=False, predicts_only=engines == ("network",))
    dos_of_settings(structure, settings)  # refused now, not after the calculation
    name = path.stem if path else structure.to_ase().get_chemical_formula("metal")
    shape = settings.shape or elf_grid_shape(structure, settings.spacing or SPACING)
    analysis, *others = (
        analyse_field(name, structure, elf_by(engine, structure, shape, settings, progress), settings, progress)
        for engine in engines
    )
    if settings.convergence:
        analysis = replace(analysis, protocol_error=_protocol_error(analysis, settings, progress))
    if not others:
        return analysis
    is_rough = not structure.is_pure_hydrogen and protocol_of(structure, settings).k_mesh == COMPARISON.k_mesh
    return replace(analysis, computed=others[0], warnings=(*analysis.warnings, *([ROUGH] if is_rough else ())))


def _protocol_error(analysis: Analysis, settings: AnalysisSettings, progress: Progress) -> float:
    """What cutoff and k-mesh leave in phi of an analysis by the plane-wave engine."""
    structure, finer = analysis.structure, []
    for name, protocol in finer_protocols(structure, protocol_of(structure, settings)).items():
        progress(f"computing the electrons again with a finer {name}{time_needed(structure, protocol)}")
        finer.append(protocol_row(name, structure, protocol, analysis.elf.shape, sure=settings.sure))
    return protocol_error(analysis.network.phi_3d.value, finer)


def engines_for(structure: Structure, settings: AnalysisSettings) -> tuple[str, ...]:
    """What makes the ELF of a structure, and what it is compared with."""
    first = settings.engine or ("network" if structure.is_pure_hydrogen else "espresso")
    if not settings.compare:
        return (first,)
    if structure.is_pure_hydrogen:
        return "network", "espresso" if first == "network" else first
    return "espresso", "pyscf"


def protocol_of(structure: Structure, settings: AnalysisSettings) -> KohnShamSettings:
    """The protocol of a structure by the settings."""
    by_two_codes = settings.compare and not structure.is_pure_hydrogen
    return settings.protocol or protocol_for(structure, COMPARISON if by_two_codes else PRODUCTION)


def elf_by(
    engine: str, structure: Structure, shape: tuple[int, int, int], settings: AnalysisSettings, progress: Progress
) -> ElfField:
    """The ELF of a structure by one of the engines, on a grid."""
    if engine == "network":
        progress(f"predicting the ELF of {structure.n_atoms} atoms")
        predicted = predict_elf(structure, shape)
        return predicted if settings.compare else with_states(predicted, structure)
    protocol = protocol_of(structure, settings)
    points = f" at {len(protocol.k_points(structure.cell)[0])} k-points or more, in minutes to hours"
    needed = time_needed(structure, protocol) if engine == "espresso" else points
    progress(f"computing the electrons of {structure.n_atoms} atoms by {engine}{needed}")
    return compute_elf(structure, shape, engine, protocol, sure=settings.sure)


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


def check_effects(settings: AnalysisSettings, *, holds_elf: bool, predicts_only: bool = False) -> None:
    """Raise InputError for changed settings without an effect on a file that holds the ELF, on a structure, or on one
    that the network alone sees."""
    unused = ["elf_convention"]
    if holds_elf:
        unused = ["engine", "compare", "convergence", "sure", "protocol", "spacing", "shape"]
    elif predicts_only:
        unused += ["protocol", "sure", "convergence"]
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
    insulates = elf.states is not None and elf.states.is_metal is False
    dos = None if insulates else dos_of_settings(structure, settings) or elf.hydrogen_dos
    warnings += dos.warnings if dos else ()
    if structure.is_pure_hydrogen and elf.states is None:
        warnings.append("Tc assumes that this hydrogen is a metal: its states were not computed (--engine dft does)")
    progress("following the hydrogen network")
    hydrogens = structure.positions[structure.hydrogens]
    network = hydrogen_network(elf.field, hydrogens if len(hydrogens) else None)
    if elf.may_lack_factor:
        warnings.append(phi_of_both_conventions(network.phi_3d.value))
    intervals = None
    if elf.band is not None:
        progress("bounding the thresholds")
        intervals = threshold_intervals(network, elf.field, elf.band, hydrogens, elf.widenings)
    path = crystal_path(elf.field, structure, core_radii(structure.symbols))
    warnings += path.warnings
    progress("finding critical points")
    points = critical_points(elf.field, persistence=settings.persistence)
    phi_star = network.phi_star.value if network.phi_star else None
    share = (dos.value, dos.uncertainty) if dos else (None, None)
    tc = critical_temperatures(network.phi_3d.value, phi_star, len(hydrogens) / structure.n_atoms, *share)
    if insulates:
        tc = tuple(replace(estimate, note="an insulator: no states at the Fermi level") for estimate in tc)
    facts = elf.record, tuple(warnings), name
    return Analysis(
        structure,
        elf.field,
        network,
        points,
        tc,
        *facts,
        hydrogen_dos=dos,
        intervals=intervals,
        path=path,
        states=elf.states,
    )


def write_analysis(analysis: Analysis, folder: Path) -> dict[str, Path]:
    """Write elf.cube, analysis.json, page.html and, with states, dos.dat into `folder`; the paths by kind."""
    folder = existing_folder(folder)
    paths = {"cube": folder / "elf.cube", "json": folder / "analysis.json", "page": folder / "page.html"}
    write_field(paths["cube"], analysis.structure, analysis.elf, comment=f"ELF of {analysis.name}")
    write_json(paths["json"], analysis.to_json())
    write_page(paths["page"], analysis)
    if analysis.states is not None and analysis.states.hydrogen is not None:
        paths["dos"] = folder / "dos.dat"
        write_lines(paths["dos"], dos_lines(analysis.states))
    return paths


def dos_lines(states: DensityOfStates) -> list[str]:
    """The table of a density of states as --dos-file reads it, energies from the Fermi level."""
    assert states.hydrogen is not None
    rows = zip(states.energy_ev, states.total, states.hydrogen, strict=True)
    return ["# energy_eV total hydrogen\n", *(f"{energy:.3f} {total:.6f} {part:.6f}\n" for energy, total, part in rows)]
