"""`jovium elf`: train and judge the network that gives the ELF straight from atomic positions."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jovium.base.files import json_text
from jovium.cli.arguments import WORKERS, add_command, add_json, add_number, given_grid, named_path, tell
from jovium.cli.training import configure_training, run_training, training_settings
from jovium.elf.settings import ElfSettings
from jovium.training.settings import POSITIVE, at_least

if TYPE_CHECKING:
    from jovium.training.loop import Report

HELP = "train and judge the network that gives the ELF straight from atomic positions"
DESCRIPTION = "The electron localization function by a neural network."

TRAIN = """Train on the split train of the labels, judge on validation; RUN holds the state and a line per report in
metrics.jsonl. Repeat the command to continue after a kill."""

EXPORT = """Make a model file of a run: the averaged weights, the range of the training data, and the band that covers
90 % of the errors on the split validation, with a card that says all that."""

EVALUATE = """Errors of a model on labels of one split: of the ELF, of phi and of phi*, altogether and by state, and the
share of the grid points inside the band."""

IMPROVE = """Teach a network the structures of a file, hydrogen of a kind it does not know. Some are set aside and
labelled first; of the others each round labels those of the largest expected error, at the production protocol, and
trains on them, beside the labels the network comes from. A line per round says what it is worth on those set aside;
FOLDER holds labels, round-1.safetensors, ... (for --model of `elf predict` and `elf evaluate`) and curve.json. Repeat
the command to continue after a kill."""

PREDICT = "The ELF of a structure (the last one of a trajectory) by a model, as a field file that VESTA and ASE read."


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command and its subcommands."""
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    model: dict[str, Any] = {
        "metavar": "MODEL.safetensors",
        "type": named_path,
        "help": "default: the one of the package",
    }
    labels: dict[str, Any] = {
        "metavar": "LABELS",
        "type": named_path,
        "nargs": "+",
        "help": "files or folders of labels",
    }
    train = add_command(commands, "train", run_train, "train a network on labels", TRAIN)
    configure_training(train, ElfSettings, 500)
    train.add_argument("labels", **labels)
    export = add_command(commands, "export", run_export, "a model file of a run", EXPORT, run_folder="RUN")
    export.add_argument("labels", **dict(labels, help="the labels of the run"))
    export.add_argument("--out", metavar="MODEL.safetensors", type=named_path, required=True)
    evaluate = add_command(commands, "evaluate", run_evaluate, "errors of a model on labels", EVALUATE)
    evaluate.add_argument("--model", **model)
    evaluate.add_argument("labels", **labels)
    evaluate.add_argument("--split", default="test", help="which labels (default: test and everything test-...)")
    evaluate.add_argument("--out", metavar="FOLDER", type=named_path, help="write evaluation.json and figures there")
    add_json(evaluate)
    paths = {"structures": "STRUCTURES: any file of structures that ASE reads", "folder": "FOLDER: of the results"}
    improved = add_command(commands, "improve", run_improve, "teach a network structures of your own", IMPROVE, **paths)
    improved.add_argument("labels", **dict(labels, help="the labels of the network, e.g. data/labels"))
    improved.add_argument("--model", **model)
    add_number(improved, "--set-aside", 10, "structures that measure the rounds", "N", at_least(1))
    add_number(improved, "--choose", 10, "structures labelled in a round", "N", at_least(1))
    add_number(improved, "--rounds", 3, "rounds", "N", at_least(1))
    add_number(improved, "--steps", 1000, "training steps of a round", "N", at_least(1))
    add_number(improved, "--workers", 1, "calculations at a time", "K", WORKERS)
    add_json(improved, "one JSON line per round")
    predict = add_command(commands, "predict", run_predict, "the ELF of a structure by a model", PREDICT, file="FILE")
    predict.add_argument("--model", **model)
    predict.add_argument("--out", metavar="FIELD", type=named_path, required=True, help="cube, ELFCAR or XSF")
    grid = predict.add_mutually_exclusive_group()
    add_number(grid, "--spacing", 0.1, "of the grid points", "ANGSTROM", POSITIVE)
    grid.add_argument("--grid", type=int, nargs=3, metavar=("NX", "NY", "NZ"), help="the grid itself")


def run_train(options: argparse.Namespace) -> int:
    """Train or continue, one line per report."""
    settings = training_settings(options, ElfSettings)

    def reports() -> Iterator["Report"]:
        from jovium.elf.samples import read_samples
        from jovium.elf.training import train

        return train(options.run_folder, read_samples(options.labels), settings, options.report_every)

    def line(report: "Report") -> str:
        return f"RMSE {report['rmse']:.4f}  validation {report['validation_rmse']:.4f}  {report.seconds:.0f} s"

    return run_training(options, settings, line, reports)


def run_export(options: argparse.Namespace) -> int:
    """Write the model file and print its card."""
    from dataclasses import asdict

    from jovium.cli.training import progress
    from jovium.elf.samples import read_samples
    from jovium.elf.training import finished_model
    from jovium.labels.reading import read_protocol
    from jovium.workflows.elf_verdicts import calibrated

    samples = read_samples(options.labels)
    model = finished_model(options.run_folder, samples, read_protocol(options.labels[0]))
    model = calibrated(model, samples, lambda some: progress(some, "intervals of thresholds"))
    model.save(options.out)
    facts = {"band_factor": model.band_factor, "widenings": dict(model.widenings)}
    print(json_text({**facts, "domain": asdict(model.domain), **model.card}, indent=2))
    return 0


def run_evaluate(options: argparse.Namespace) -> int:
    """Print the errors of a model."""
    from jovium.base.errors import InputError
    from jovium.base.files import existing_folder, write_json
    from jovium.cli.training import progress
    from jovium.elf.model import ElfModel, shipped_model
    from jovium.elf.samples import read_samples
    from jovium.workflows.elf_accuracy import LabelTopology, band_coverage, draw, evaluate, network_predictor, summarise
    from jovium.workflows.elf_verdicts import by_family, summary, verdict

    samples = read_samples(options.labels)
    chosen = [s for s in samples if s.split == options.split or s.split.startswith(options.split + "-")]
    if not chosen:
        known = ", ".join(sorted({sample.split for sample in samples}))
        raise InputError(f"no labels of split '{options.split}'", f"one of: {known}", "choose one of them")
    model = ElfModel.load(options.model) if options.model else shipped_model()
    filled = [sample for sample in chosen if not model.domain.has_vacuum(sample.structure)]
    if not filled:
        raise InputError(f"{len(chosen)} labels, all with vacuum", "structures the model knows", "choose others")
    if len(filled) < len(chosen):
        tell([f"{len(chosen) - len(filled)} labels left out: the model refuses vacuum"])
    chosen = filled
    truths = [LabelTopology.from_sample(sample) for sample in progress(chosen, "topology of the labels")]
    judged = list(evaluate(progress(truths, "field network"), network_predictor(model)))
    verdicts = [verdict(model, t.sample, t.topology.network) for t in progress(truths, "bands and intervals")]
    families = {name: summary(members) for name, members in by_family(verdicts).items()}
    found = {**summarise(judged), "band_coverage": band_coverage(model, chosen), "families": families}
    if options.out:
        write_json(existing_folder(options.out) / "evaluation.json", found)
        draw({"field network": judged}, options.out)
    if options.json:
        print(json_text(found))
    else:
        print_evaluation({"field network": found})
    return 0


def run_improve(options: argparse.Namespace) -> int:
    """Improve a model, one line per round."""
    from concurrent.futures import ThreadPoolExecutor
    from dataclasses import asdict

    from jovium.cli.reference_label import installed_protocol
    from jovium.workflows.elf_improvement import Plan, improve

    plan = Plan(options.set_aside, options.choose, options.rounds, options.steps)

    def show_stage(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with ThreadPoolExecutor(options.workers) as executor:
        how = {"model": options.model, "progress": show_stage, "executor": executor}
        for one in improve(options.structures, options.folder, options.labels, installed_protocol(), plan, **how):
            errors = f"RMSE {one.rmse_median:.4f} (largest {one.rmse_largest:.4f})"
            errors += f"  phi {one.phi_median:.4f} (largest {one.phi_largest:.4f})"
            text = f"round {one.number}: {one.n_labels} labels  {errors}"
            print(json_text(asdict(one)) if options.json else text, flush=True)
    return 0


def run_predict(options: argparse.Namespace) -> int:
    """Write the predicted field; warnings go to standard error."""
    from jovium.base.files import require_other_file
    from jovium.base.units import BOHR_ANGSTROM
    from jovium.base.validity import plausibility
    from jovium.elf.model import ElfModel, elf_grid_shape, shipped_model
    from jovium.formats.fields import write_field
    from jovium.formats.structures import as_structure

    require_other_file(options.out, options.file)
    structure = as_structure(options.file)
    shape = given_grid(options) or elf_grid_shape(structure, options.spacing / BOHR_ANGSTROM)
    model = ElfModel.load(options.model) if options.model else shipped_model()
    predicted = model.predict(structure, shape)
    write_field(options.out, structure, predicted.elf, comment=f"ELF of {options.file.stem} by a network")
    print(f"{options.out}: grid {' x '.join(map(str, shape))}, band +- {predicted.band.mean():.3f} on average")
    tell((*plausibility(structure), *predicted.warnings))
    return 0


def print_evaluation(evaluations: dict[str, dict[str, Any]]) -> None:
    """The errors as tables: every predictor altogether, then the first, the network, by state and crystal."""
    found = next(iter(evaluations.values()))
    print_rows("predictor", list(evaluations.items()))
    print()
    print_rows("state", [(row["group"], row) for row in found["by_state"]])
    if found["all_crystals"]:
        print()
        print_rows("all crystals", [(name, one["all_crystals"]) for name, one in evaluations.items()])
        print()
        print_rows("crystal", [(row["group"], row) for row in found["crystals"]])
        recall = "critical_point_recall"
        strict, among = (100 * found["all_crystals"][name] for name in (recall, f"{recall}_among_candidates"))
        print(
            "\ncritical points of the crystals above persistence 0.02 found within 0.1 angstrom: "
            f"{strict:.1f} % among those predicted above 0.02, {among:.1f} % among those above 0.01"
        )
    print(f"\n{100 * found['band_coverage']:.1f} % of the grid points lie inside the band of 90 %\n")
    print_families(found.get("families", {}))


def print_families(families: dict[str, dict[str, Any]]) -> None:
    """Errors, warnings and kept promises of every family, if there are any."""
    if not families:
        return
    print(
        "| family | n | RMSE: median | 95 % | largest | phi: median | 95 % | largest | phi*: largest | flagged |",
        end="",
    )
    print(" broken | silently | band right | phi inside |")
    print("|---" * 14 + "|")
    for name, row in families.items():
        errors = [row[key][one] for key in ("rmse", "phi") for one in ("median", "p95", "max")]
        share, inside = row["coverage_share"], (row["interval_holds"] or {}).get("phi_3d")
        kept = ["-" if x is None else f"{x:.2f}" for x in (share, inside)]
        numbers = [*(f"{x:.4f}" for x in (*errors, row["phi_star_max"])), row["flagged"], row["broken"], row["silent"]]
        print("|", " | ".join(map(str, (name, row["n"], *numbers, *kept))), "|")


def print_rows(title: str, rows: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """One table of errors."""
    print(f"| {title} | n | R^2 | RMSE | MAE | phi: median | fraction within 0.025 | phi: largest | phi*: median |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, row in rows:
        phi, phi_star = row["phi_3d"], row["phi_star"]
        print(
            f"| {name} | {row['n_structures']} | {row['r2']:.4f} | {row['rmse']:.4f} | {row['mae']:.4f} | "
            f"{phi['median_abs_error']:.4f} | {phi['fraction_within_0.025']:.2f} | {phi['max_abs_error']:.4f} | "
            f"{phi_star['median_abs_error']:.4f} |"
        )
