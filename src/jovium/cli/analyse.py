"""`jovium analyse`: one file, its hydrogen network."""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from jovium.base.errors import InputError
from jovium.base.files import json_text
from jovium.cli.arguments import (
    NOT_NEGATIVE,
    add_json,
    add_number,
    checked,
    given_grid,
    named_path,
    refuse_unused,
    tell,
    terminal,
)
from jovium.training.settings import FINITE, POSITIVE

if TYPE_CHECKING:
    from jovium.base.structure import Structure
    from jovium.reference.kohn_sham import KohnShamSettings
    from jovium.report.analysis import Analysis
    from jovium.workflows.analyse import AnalysisSettings

HELP = "ELF, networking value phi, critical points and Tc of a structure or an ELF field"
DESCRIPTION = """Analyse FILE: a structure (POSCAR, CIF, extxyz, XSF, .res, ...) of hydrogen, whose ELF a neural network
predicts in seconds, or of a compound (or with --engine dft), which is computed from first principles; or an ELF field
(cube, ELFCAR, XSF) that is used as it is. Writes elf.cube, analysis.json and page.html."""

MEANINGS = {
    "phi_1d": "the network first connects along one direction",
    "phi_2d": "along two directions",
    "phi_3d": "along three: networking value phi",
    "phi_star": "first contact of two H: molecularity index phi*",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("file", type=named_path, help="structure (the last one of a trajectory) or ELF field")
    parser.add_argument("--out", type=named_path, help="folder of the results (default: FILE-jovium)")
    add_json(parser, "print one JSON object and nothing else")
    parser.add_argument("--no-files", action="store_true", help="write no files, only print")
    add_number(parser, "--persistence", 0.02, "ignore critical points below it", "PERSISTENCE", NOT_NEGATIVE)
    source = parser.add_argument_group("where the ELF of a structure comes from")
    about = "network (default for hydrogen) or first principles (default for compounds): dft is espresso"
    source.add_argument("--engine", choices=["network", "dft", "espresso", "pyscf"], help=about)
    about = "hydrogen by the network and from first principles, a compound by two codes; and the difference"
    source.add_argument("--compare", action="store_true", help=about)
    engine = parser.add_argument_group("first-principles calculation")
    engine.add_argument("--protocol", choices=["production", "cheap"], help="default: production")
    engine.add_argument("--functional", choices=["PBE", "LDA"])
    engine.add_argument("--cutoff", type=float, metavar="HARTREE", help="plane-wave cutoff")
    engine.add_argument("--k-mesh", type=int, nargs=3, metavar=("N1", "N2", "N3"), help="k-points along each axis")
    about = "compute again with a higher cutoff and a denser k-mesh: what they leave in phi"
    engine.add_argument("--convergence", action="store_true", help=about)
    engine.add_argument("--electronic-kelvin", type=float, metavar="T", help="temperature of the electrons")
    about = "compute also a compound of more than 150 valence electrons, or with much empty space"
    engine.add_argument("--yes", action="store_true", help=about)
    grid = source.add_mutually_exclusive_group()
    about = "distance of ELF grid points (default 0.1, less in small cells)"
    spacing = checked("--spacing", float, POSITIVE)
    grid.add_argument("--spacing", type=spacing, metavar="ANGSTROM", help=about)
    grid.add_argument("--grid", type=int, nargs=3, metavar=("NX", "NY", "NZ"), help="the ELF grid itself")
    field = parser.add_argument_group("ELF field files")
    about = "'qe': undo the factor Quantum ESPRESSO 7.0-7.5 loses; 'true': take as is; 'auto': find out where it can"
    field.add_argument("--elf-convention", choices=["auto", "true", "qe"], help=about)
    tc = parser.add_argument_group("superconductivity")
    tc.add_argument("--h-dos", type=float, help="hydrogen fraction of the density of states at the Fermi level")
    about = "file to read it from: DOSCAR, .pdos_tot, or a table headed '# energy_eV total hydrogen'"
    tc.add_argument("--dos-file", type=named_path, help=about)
    fermi = checked("--fermi", float, FINITE)
    tc.add_argument("--fermi", type=fermi, metavar="EV", help="Fermi energy on the scale of the DOS file")


def run(options: argparse.Namespace) -> int:
    """Analyse, print, write."""
    from jovium.base.files import existing_folder
    from jovium.formats.fields import is_field_file
    from jovium.formats.structures import as_structure
    from jovium.workflows.analyse import analyse, write_analysis

    if not options.file.exists():
        raise InputError(f"no file {options.file}", "a structure or an ELF field file", "check the path")
    structure = None if is_field_file(options.file) else as_structure(options.file)
    refuse_unused_settings(options, structure)
    settings = read_settings(options, structure)
    folder = options.out or options.file.with_name(options.file.name + "-jovium")
    if not options.no_files:
        existing_folder(folder)

    def progress(stage: str) -> None:
        if sys.stderr.isatty() or not options.json:
            print(f"  {stage} ...", file=sys.stderr, flush=True)

    analysis = analyse(options.file, settings, progress)
    if options.json:
        print(json_text(analysis.to_json()), flush=True)
    else:
        print_analysis(analysis)
    paths = {} if options.no_files else write_analysis(analysis, folder)
    for kind, path in paths.items() if not options.json else ():
        print(f"{kind:>6}: {path}")
    return 0


def refuse_unused_settings(options: argparse.Namespace, structure: "Structure | None") -> None:
    """Raise InputError when options are given that have no effect on the file, or beside the others."""
    physical = "protocol functional cutoff k_mesh electronic_kelvin convergence yes"
    if structure is None:
        do = "leave them out, or give the structure instead of its ELF field"
        of_structures = f"engine compare {physical} spacing grid"
        refuse_unused(options, of_structures, f"for {options.file}, which holds the ELF", do)
    else:
        do = "leave it out, or give the ELF field"
        refuse_unused(options, "elf_convention", f"for {options.file}, a structure", do)
    predicts = options.engine == "network" or (options.engine is None and structure and structure.is_pure_hydrogen)
    if predicts and not options.compare:
        do = "add --engine dft, or --compare to see the network beside it"
        refuse_unused(options, physical, "for the network", do)
    if not options.dos_file:
        refuse_unused(options, "fermi", "without --dos-file", "name the file of the density of states")
    if options.no_files:
        refuse_unused(options, "out", "with --no-files", "leave one of them out")


def read_protocol(options: argparse.Namespace, structure: "Structure") -> "KohnShamSettings | None":
    """The protocol that the options give for a structure, None without any."""
    from dataclasses import replace

    from jovium.base.units import kelvin_to_hartree
    from jovium.reference.compounds import protocol_for
    from jovium.reference.kohn_sham import COMPARISON, PRODUCTION, PROTOCOLS

    kelvin, mesh, functional = options.electronic_kelvin, options.k_mesh, options.functional
    changes = {
        "cutoff": options.cutoff,
        "electronic_kT": None if kelvin is None else kelvin_to_hartree(kelvin),
        "k_mesh": tuple(mesh) if mesh else None,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if not (changes or functional or options.protocol):
        return None
    by_two_codes = options.compare and not structure.is_pure_hydrogen
    protocol = PROTOCOLS.get(options.protocol) or (COMPARISON if by_two_codes else PRODUCTION)
    protocol = protocol_for(structure, replace(protocol, functional=functional or protocol.functional))
    return replace(protocol, **changes | ({"k_spacing": None} if mesh else {}))


def read_settings(options: argparse.Namespace, structure: "Structure | None") -> "AnalysisSettings":
    """The settings that the options give for a structure, or for an ELF field, in atomic units."""
    from jovium.base.units import BOHR_ANGSTROM
    from jovium.workflows.analyse import AnalysisSettings

    return AnalysisSettings(
        engine="espresso" if options.engine == "dft" else options.engine,
        elf_convention=options.elf_convention or "auto",
        protocol=None if structure is None else read_protocol(options, structure),
        sure=options.yes,
        spacing=options.spacing / BOHR_ANGSTROM if options.spacing else None,
        shape=given_grid(options),
        hydrogen_dos=options.h_dos,
        fermi_energy_ev=options.fermi,
        **{name: getattr(options, name) for name in ("compare", "convergence", "persistence", "dos_file")},
    )


def print_analysis(analysis: "Analysis") -> None:
    """The result as a table on standard output, warnings on standard error."""
    from rich.table import Table

    from jovium.report.analysis import path_rows

    facts: dict[str, Any] = analysis.to_json()
    console, table = terminal(), Table("quantity", "value", "meaning")
    console.print(analysis.title(), soft_wrap=True)
    for key, meaning in MEANINGS.items():
        value, interval = facts[key], (analysis.intervals or {}).get(key)
        within = f"  [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
        table.add_row(key, "-" if value is None else f"{value:.4f}{within}", meaning)
    if analysis.computed:
        for key, point in analysis.computed.thresholds().items():
            table.add_row(
                f"{key}, computed",
                "-" if point is None else f"{point.value:.4f}",
                str(analysis.computed.protocol["engine"]),
            )
        errors = analysis.errors()
        others = f"R^2 {errors['r2']:.4f}, largest {errors['largest']:.3f}"
        table.add_row("RMSE of the ELF", f"{errors['rmse']:.4f}", others)
    for row in path_rows(analysis):
        table.add_row(*row)
    if analysis.protocol_error is not None:
        table.add_row("phi_3d, protocol", f"+- {analysis.protocol_error:.4f}", "what cutoff and k-mesh leave in phi_3d")
    points = facts["critical_points"]
    for kind in ("maxima", "bonds", "rings", "cages"):
        table.add_row(
            kind,
            str(points[kind]),
            f"Morse sum {points['morse_sum']}: maxima - bonds + rings - cages" if kind == "maxima" else "",
        )
    if facts["pressure_gpa"] is not None:
        table.add_row(
            "P", f"{facts['pressure_gpa']:.1f} GPa", "static, of the electrons in the field of nuclei at rest"
        )
    if analysis.states is not None:
        table.add_row(
            "N(E_F)", f"{analysis.states.at_fermi:.3g} /eV", f"states per cell, both spins: {analysis.states.kind}"
        )
    table.add_row("H_f", f"{analysis.hydrogen_fraction:.4f}", "share of hydrogen among the atoms")
    if analysis.hydrogen_dos:
        dos = analysis.hydrogen_dos
        error = "" if dos.uncertainty is None else f" +- {dos.uncertainty:.2f}"
        table.add_row("H_DOS", f"{dos.value:.4f}" if not error else f"{dos.value:.2f}{error}", str(dos))
    for estimate in analysis.tc:
        error = "" if estimate.rmse_kelvin is None else f" +- {estimate.rmse_kelvin:.0f}"
        of_dos = estimate.hydrogen_dos_kelvin
        part = "" if of_dos is None else f"+- {of_dos:.0f} K of it from H_DOS"
        value = "-" if estimate.kelvin is None else f"{estimate.kelvin:.0f}{error} K"
        table.add_row(f"Tc {estimate.name}", value, part)
    console.print(table)
    for note in dict.fromkeys(estimate.note for estimate in analysis.tc if estimate.note):
        names = ", ".join(estimate.name for estimate in analysis.tc if estimate.note == note)
        print(f"Tc {names}: {note}")
    tell(analysis.warnings)
