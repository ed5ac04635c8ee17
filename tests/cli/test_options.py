"""Every option of every command, given what it cannot be: a message, never a traceback, never hours of work."""

import argparse
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

import jovium.cli.main as command_line
from jovium.cli.arguments import named_path
from jovium.crystals import crystal
from jovium.electrons.settings import ElectronSettings
from jovium.elf.settings import ElfSettings
from jovium.formats.structures import write_structure
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.protons.settings import ProtonSettings
from jovium.reference.trajectory import frame_lines
from jovium.training.settings import check_of

WORK = [
    "workflows.analyse.predict_elf",
    "workflows.analyse.compute_elf",
    "workflows.screening.screen_structure",
    "elf.model.shipped_model",
    "elf.training.train",
    "free_energy.training.train",
    "protons.training.train",
    "electrons.training.train",
    "free_energy.equation_of_state.scan",
    "reference.dynamics.sample",
    "labels.labelling.label",
    "labels.relaxed_structures.towards_rest",
    "cli.doctor.hydrogen_molecule_energy",
]
"""What takes long."""

READING = [
    "elf.training.finished_model",
    "elf.samples.read_samples",
    "free_energy.measurement.measure_run",
    "free_energy.measurement.write_samples",
    "workflows.fluid_report.report_run",
    "protons.measurement.measure_run",
    "protons.measurement.sample_run",
    "electrons.measurement.measure_run",
    "labels.fluid_frames.read_trajectories",
]
"""What reads its input before it takes long."""

SHORTEST = {
    "analyse": "STRUCTURE",
    "screen": "STRUCTURE out",
    "convert": "STRUCTURE out.cif",
    "crystal": "bcc --rs 1.4 --out out.vasp",
    "free-energy train": "out",
    "free-energy measure": "RUN",
    "free-energy sample": "RUN out.extxyz",
    "free-energy report": "RUN",
    "free-energy eos": "out --rs 1.4 --kelvin 3000",
    "elf train": "out STRUCTURE",
    "elf export": "RUN STRUCTURE --out out.safetensors",
    "elf evaluate": "STRUCTURE",
    "elf improve": "STRUCTURE folder STRUCTURE",
    "elf predict": "STRUCTURE --out out.cube",
    "protons train": "out",
    "protons measure": "RUN --ais-stages 4",
    "protons sample": "RUN out.extxyz",
    "electrons train": "out h2:1.4",
    "electrons measure": "RUN",
    "reference pseudopotential": "La --out out.upf",
    "reference sample": "out.extxyz --n-atoms 4 --rs 1.6 --kelvin 3000",
    "reference plan": "PLAN out",
    "reference crystals": "out.extxyz",
    "reference random": "out.extxyz",
    "reference relax": "FRAMES out.extxyz",
    "reference expand": "FRAMES out.extxyz",
    "reference collect": "PLAN RUN out.extxyz",
    "reference card": "PLAN RUN STRUCTURE",
    "reference label": "STRUCTURE out",
    "reference pack": "RUN out",
    "reference verify": "RUN",
    "index": "RUN",
    "doctor": "",
    "cite": "",
}
"""The words without which a command does nothing."""

SETTINGS = {
    "free-energy train": FreeEnergySettings,
    "free-energy eos": FreeEnergySettings,
    "free-energy measure": MeasurementSettings,
    "free-energy sample": MeasurementSettings,
    "elf train": ElfSettings,
    "protons train": ProtonSettings,
    "electrons train": ElectronSettings,
}

HUGE = "1" + "0" * 30
NUMBERS = ("-1", "0", "nan", "inf", "", "word", HUGE)
POSSIBLE = {
    "--persistence": {"0", HUGE},
    "--fermi": {"-1", "0", HUGE},
    "--seed": {"0"},
    "screen --frames": {"-1", "0"},
    "reference label --frames": {"-1", "0"},
    "reference sample --frames": {"0"},
    "--ais-stages": {"0"},
    "--steps-per-state": {"0"},
    "--h-dos": {"0"},
}
"""What looks odd and can be, beside numbers that are only too large to be wanted."""


class Reached(Exception):
    """The work would begin."""


def stop_at(names: list[str], monkeypatch) -> None:
    def reached(*_, **__):
        raise Reached

    for name in names:
        module, _, function = name.rpartition(".")
        monkeypatch.setattr(import_module(f"jovium.{module}"), function, reached)


def leaves(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield name.strip(), parser
    for action in below:
        for word, child in action.choices.items():
            yield from leaves(child, f"{name} {word}")


LEAVES = dict(leaves(command_line.parser()))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a structure, a plan and an empty folder in it, where no long work begins."""
    monkeypatch.chdir(tmp_path)
    write_structure("POSCAR", crystal("bcc", 1.4))
    Path("plan.csv").write_text("n_atoms,rs_bohr,kelvin,seed,frames,split\n4,2.0,3000,1,12,train\n")
    Path("frames.extxyz").write_text("".join(frame_lines(crystal("bcc", 1.4), {"group": "a", "step": 0})))
    Path("folder").mkdir()

    stop_at(WORK, monkeypatch)
    top = command_line.parser()
    monkeypatch.setattr(command_line, "parser", lambda: top)
    return tmp_path


def words(command: str) -> list[str]:
    names = {"STRUCTURE": "POSCAR", "PLAN": "plan.csv", "RUN": "folder", "FRAMES": "frames.extxyz"}
    return [*command.split(), *(names.get(word, word) for word in SHORTEST[command].split())]


def outcome(arguments: list[str], capsys) -> tuple[int | str, str]:
    """Exit code, or "work" where it would begin, and what was said."""
    try:
        code: int | str = command_line.main(arguments)
    except SystemExit as stop:
        code = f"usage {stop.code}"
    except Reached:
        code = "work"
    return code, capsys.readouterr().err


def assert_refused(
    code: int | str, said: str, option: str, arguments: list[str], codes: tuple[int, ...] = (2,)
) -> None:
    if code == "usage 2":
        assert option in said, (arguments, said)
    else:
        assert code in codes, (arguments, code, said)
        assert re.search(r"jovium: .*\S.*\n  expected: .*\S.*\n  do: .*\S", said), (arguments, said)


def may_be(command: str, action: argparse.Action, text: str) -> bool:
    """Whether a number is a possible one: the settings know it of themselves, the others are listed."""
    option = action.option_strings[0]
    items = {item.name: item for item in fields(SETTINGS[command])} if command in SETTINGS else {}
    if action.dest not in items or (command == "free-energy eos" and option in ("--rs", "--kelvin")):
        return text in POSSIBLE.get(option, set()) | POSSIBLE.get(f"{command} {option}", set()) or text == HUGE
    assert callable(action.type)
    return check_of(items[action.dest]).holds(action.type(text))


def test_every_command_has_its_shortest_form():
    assert set(LEAVES) == set(SHORTEST)


@pytest.mark.parametrize("command", LEAVES)
def test_every_number_is_one_that_can_be_or_is_refused(command, place, capsys, monkeypatch):
    stop_at(READING, monkeypatch)
    for action in LEAVES[command]._actions:
        if not action.option_strings or action.nargs == 0 or action.choices or action.type in (None, named_path):
            continue
        option = action.option_strings[0]
        for text in NUMBERS:
            count = action.nargs if isinstance(action.nargs, int) else 1
            arguments = [*words(command), option, *[text] * count]
            code, said = outcome(arguments, capsys)
            if code == "work" or code == 0:
                assert may_be(command, action, text), (arguments, "begins")
            else:
                assert_refused(code, said, option, arguments)


INPUTS = {
    *("analyse file", "analyse --dos-file", "screen file", "convert source", "elf predict file", "elf predict --model"),
    *("elf train labels", "elf export run_folder", "elf export labels", "elf evaluate labels", "elf evaluate --model"),
    *(f"{family} measure run_folder" for family in ("free-energy", "protons", "electrons")),
    *("free-energy sample run_folder", "free-energy report run_folder", "protons sample run_folder"),
    *("reference plan plan", "reference collect plan", "reference card plan", "reference card labels"),
    *(
        "reference relax source",
        "reference expand source",
        "reference label structures",
        "reference label --known",
        "reference pack folder",
        "reference verify folder",
    ),
    *("index folder", "cite run_folder"),
}
"""Files and folders that have to be there."""

NAMES = ("", "missing", "folder", "POSCAR/below", "x" * 300, "new\nline", "[bold]x[/bold]", "\u00b5 \u2713", "-dash")


def named(command: str) -> Iterator[tuple[str, int | None, argparse.Action]]:
    """What of a command names a file: a title, the place among its words of a positional one, the action."""
    parser = LEAVES[command]
    positionals = [action for action in parser._actions if not action.option_strings]
    for action in parser._actions:
        if action.type is named_path:
            place = None if action.option_strings else len(command.split()) + positionals.index(action)
            yield f"{command} {(action.option_strings or [action.dest])[0]}", place, action


def clear(place: Path) -> None:
    """Remove what commands made."""
    for path in place.iterdir():
        if path.name not in ("POSCAR", "plan.csv", "frames.extxyz", "folder"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("command", [name for name in LEAVES if any(named(name))])
def test_every_name_is_one_that_can_be_or_is_refused(command, place, capsys):
    for title, position, action in named(command):
        for name in NAMES:
            clear(place)
            arguments = words(command)
            if position is None:
                arguments = [word for word in arguments if word != action.option_strings[0]]
                arguments.append(f"{action.option_strings[0]}={name}")
            else:
                arguments[position : position + 1] = [f"./{name}" if name.startswith("-") else name]
            code, said = outcome(arguments, capsys)
            if code in ("work", 0):
                assert name, (arguments, "an empty name is taken")
                assert title not in INPUTS or (title, name) == ("cite run_folder", "folder"), (arguments, "begins")
            else:
                codes = (2,) if title in INPUTS or not name else (2, 4)
                assert_refused(code, said, action.dest, arguments, codes)
