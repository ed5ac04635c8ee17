"""`jovium reference label`, `pack` and `verify`: folders of labels."""

import argparse
from typing import TYPE_CHECKING, Any

from jovium.base.files import json_text
from jovium.cli.arguments import WORKERS, add_command, add_frames, add_json, add_number, checked, named_path, tell
from jovium.training.settings import POSITIVE

if TYPE_CHECKING:
    from jovium.labels.audit import Audit
    from jovium.labels.labelling import Progress
    from jovium.labels.record import LabelProtocol

LABEL = """ELF, density, energies, forces and stress of every structure of IN, hydrogen or a compound, each as a file in
FOLDER. Repeat the command to continue: what is there is not computed again, a damaged file is, and a kill loses at most
the structures being computed. Several commands, on several machines too, may write into one folder at once. split,
group, temperature_kelvin and step come from the comment lines of an extended-XYZ file."""

PACK = """Write the ok labels of FOLDER, without the density and with the ELF in 10 bits, to one small file per group in
the folder OUT: what is stored, shared and trained on. A file that is there already is added to."""

VERIFY = """Check every label of a folder, packed or not, and print the table of its states. Exit code 1 when something
is wrong; a failure recorded with its reason is not."""


def configure(commands: Any) -> None:
    """Add the subcommands to the subparsers of `jovium reference`."""
    paths = {"structures": "IN: any file of structures that ASE reads"}
    paths |= {"folder": "FOLDER: where the labels are; made when missing"}
    about = "ELF, density, energies and forces of structures"
    label = add_command(commands, "label", run_label, about, LABEL, **paths)
    add_frames(label)
    label.add_argument(
        "--shard", metavar="i/N", help="every N-th structure from the i-th on, the first is 0 (job arrays)"
    )
    add_number(label, "--workers", 1, "calculations at a time", "K", WORKERS)
    label.add_argument("--protocol", choices=["production", "cheap"], default="production")
    spacing, about = checked("--spacing", float, POSITIVE), "distance of grid points (default 0.13)"
    label.add_argument("--spacing", type=spacing, metavar="ANGSTROM", help=about)
    label.add_argument("--known", metavar="LABELS", type=named_path, help="leave out structures with a label there")
    label.add_argument("--retry-failed", action="store_true", help="compute failed structures again")
    add_json(label, "one JSON line per structure")
    about = "small files of labels, one per group, to keep"
    add_command(commands, "pack", run_pack, about, PACK, folder="FOLDER", out="OUT")
    of_labels = "FOLDER: of labels, packed or not, or a single file"
    about = "check a folder of labels, print its states"
    add_json(add_command(commands, "verify", run_verify, about, VERIFY, folder=of_labels))


def run_label(options: argparse.Namespace) -> int:
    """Label what is missing, one line per structure; exit code 3 when a structure is left without a label."""
    from concurrent.futures import ThreadPoolExecutor

    from jovium.base.units import BOHR_ANGSTROM
    from jovium.base.validity import plausibility
    from jovium.labels.candidates import read_candidates
    from jovium.labels.labelling import label
    from jovium.labels.reading import structure_identities
    from jovium.labels.record import structure_sha256
    from jovium.labels.shard import shard

    spacing = None if options.spacing is None else options.spacing / BOHR_ANGSTROM
    label_protocol = installed_protocol(options.protocol, spacing)
    candidates, folder = read_candidates(options.structures, options.frames), options.folder
    if options.shard:
        index, count = shard(options.shard)
        candidates = candidates[index::count]
    if options.known is not None:
        known = structure_identities(options.known)
        candidates = [c for c in candidates if structure_sha256(c.structure) not in known]
        if not candidates:
            print(f"every structure is labelled in {options.known}")
            return 0
    for candidate in candidates:
        tell(f"{candidate.group} step {candidate.step}: {doubt}" for doubt in plausibility(candidate.structure))

    def show(progress: "Progress") -> None:
        facts = progress_facts(progress)
        print(json_text(facts) if options.json else progress_line(facts), flush=True)

    # Threads: each waits for an engine, and every engine computes in a process of its own.
    with ThreadPoolExecutor(options.workers) as executor:
        how = {"executor": executor, "retry_failed": options.retry_failed, "progress": show}
        outcome = label(candidates, folder, label_protocol, **how)
    if not options.json:
        print(f"{folder}: {outcome.labelled} labelled, {outcome.present} there before, {outcome.failed} failed")
        if outcome.failed_before:
            print(f"{outcome.failed_before} failed before and were not tried again (--retry-failed)")
    return 3 if outcome.failed or outcome.failed_before else 0


def installed_protocol(name: str = "production", spacing: float | None = None) -> "LabelProtocol":
    """A protocol of labels by its name, with the code that is installed. spacing: bohr, None for that of all labels.
    Raises EngineMissing."""
    from jovium.labels.record import DEFAULT_SPACING, LabelProtocol
    from jovium.reference.espresso import espresso_version
    from jovium.reference.kohn_sham import PROTOCOLS

    return LabelProtocol(PROTOCOLS[name], espresso_version(), DEFAULT_SPACING if spacing is None else spacing)


def progress_facts(progress: "Progress") -> dict[str, object]:
    """One finished structure and what is left, for people (units in the keys) and programs."""
    from jovium.base.units import PRESSURE_GPA
    from jovium.labels.record import structure_of, text

    record = progress.record
    facts: dict[str, object] = {
        "done": progress.done,
        "total": progress.total,
        "group": text(record["group"]),
        "step": int(record["step"]),
        "n_atoms": len(record["positions"]),
        "formula": structure_of(record).formula,
        "rs": round(float(record["rs"]), 4),
        "status": text(record["status"]),
        "seconds": round(float(record["seconds"]), 1),
        "seconds_left": round(progress.seconds_left),
    }
    if progress.damage:
        facts["in_place_of"] = progress.damage
    if progress.ok:
        return facts | {"static_pressure_gpa": round(float(-record["stress"].trace()) / 3 * PRESSURE_GPA, 2)}
    return facts | {"reason": text(record["reason"])}


def progress_line(facts: dict[str, Any]) -> str:
    """The facts of a structure on one line."""
    result = f"{facts['static_pressure_gpa']:.1f} GPa" if facts["status"] == "ok" else f"FAILED: {facts['reason']}"
    minutes, seconds = divmod(facts["seconds_left"], 60)
    left = f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {seconds:02d} s"
    step = f" step {facts['step']}" if facts["step"] >= 0 else ""
    return (
        f"{facts['done']}/{facts['total']}  {facts['group']}{step}  N {size(facts)}  "
        f"rs {facts['rs']:.4f}  {facts['seconds']:.1f} s  {result}  {left} left"
        + (f"\n  in place of a damaged file: {facts['in_place_of']}" if "in_place_of" in facts else "")
    )


def size(facts: dict[str, Any]) -> str:
    """The number of atoms, of a compound with its formula."""
    return f"{facts['n_atoms']}" + (f" ({facts['formula']})" if facts["formula"] != "H" else "")


def run_pack(options: argparse.Namespace) -> int:
    """Pack a folder of labels, one line per group."""
    from jovium.base.files import existing_folder
    from jovium.labels.packed import pack

    for path in pack(options.folder, existing_folder(options.out)):
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """Check a folder of labels; exit code 1 when something is wrong."""
    from jovium.labels.audit import audit

    report = audit(options.folder)
    if options.json:
        print(json_text(audit_facts(report)))
    else:
        print_audit(report)
    return 1 if report.problems else 0


def audit_facts(report: "Audit") -> dict[str, Any]:
    """An audit as plain values, pressures in gigapascal."""
    from dataclasses import asdict

    from jovium.base.units import PRESSURE_GPA

    states = []
    for state in report.states:
        facts = asdict(state)
        pressure = facts.pop("pressure")
        states.append(facts | {"pressure_gpa": None if pressure is None else round(pressure * PRESSURE_GPA, 3)})
    return {**asdict(report), "states": states}


def print_audit(report: "Audit") -> None:
    """The table of states, failures and problems."""
    print("| rs | T (K) | N | split | trajectories | structures | failed | P (GPa, static + ideal) |")
    print("|---|---|---|---|---|---|---|---|")
    for state in audit_facts(report)["states"]:
        kelvin = "-" if state["temperature_kelvin"] is None else f"{state['temperature_kelvin']:g}"
        pressure = "-" if state["pressure_gpa"] is None else f"{state['pressure_gpa']:.1f}"
        counts = f"{state['trajectories']} | {state['structures']} | {state['failed']}"
        print(f"| {state['rs']:.3f} | {kelvin} | {size(state)} | {state['split']} | {counts} | {pressure} |")
    electrons = report.largest_electron_error
    error = "unknown (no density)" if electrons is None else f"{electrons:.1e}"
    print(
        f"{report.labels} labels, {len(report.failures)} failed; largest error of the electron number {error}, "
        f"largest net force {report.largest_net_force:.1e} hartree/bohr"
    )
    lines = [f"failed: {failure}" for failure in report.failures] + [f"WRONG: {fault}" for fault in report.problems]
    print(*lines, "something is wrong" if report.problems else "all checks passed", sep="\n")
