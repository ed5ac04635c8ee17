"""The command line in a shell: names of all kinds, pipes that close, disks that are full, Ctrl-C."""

import json
import os
import subprocess
import sys

import pytest

from jovium.base.errors import InputError, JoviumError, reason
from jovium.base.files import json_text, require_other_file
from jovium.cli import main as command_line
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.formats.structures import write_structure

NAMES = ["[bold]", "[red]x", "a[link=x]b", ":smile:", "two words", "µ✓", "-dash", "x" * 120, "100%", "a'b\"c"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_with_any_name_is_analysed_and_its_name_printed_as_it_is(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    write_structure("POSCAR", crystal("bcc", 1.4))
    os.rename("POSCAR", f"{name}.vasp")
    assert main(["analyse", "--no-files", "--spacing", "0.4", "--", f"{name}.vasp"]) == 0
    assert f"{name}: 1 atoms" in capsys.readouterr().out


def test_a_name_with_a_new_line_or_of_no_encoding_gives_no_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("new\nline.vasp", os.fsdecode(b"\xff\xfe.vasp")):
        write_structure("POSCAR", crystal("bcc", 1.4))
        os.rename("POSCAR", name)
        assert main(["screen", name, "out", "--spacing", "0.4", "--json"]) == 0
        os.remove("out.csv")
        os.truncate(name, 0)
        assert main(["screen", name, "out"]) == 2
        said = capsys.readouterr().err
        assert said.splitlines()[-3].startswith("jovium: ")
        assert said.splitlines()[-1].startswith("  do: ")


def command(arguments, **how):
    return subprocess.run([sys.executable, "-m", "jovium.cli.main", *arguments], text=True, **how)


def test_a_closed_pipe_ends_quietly(tmp_path):
    for arguments in (["crystal"], ["cite"], ["--help"], ["reference", "label", "--help"]):
        reading, writing = os.pipe()
        os.close(reading)
        done = command(arguments, stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path)
        os.close(writing)
        assert done.returncode == 141 or "--help" in arguments  # argparse prints as much as it can
        assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_output_is_an_error_of_three_lines(tmp_path):
    with open("/dev/full", "w") as full:
        done = command(["crystal"], stdout=full, stderr=subprocess.PIPE, cwd=tmp_path)
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 3


def test_an_output_that_is_closed_is_no_error(tmp_path):
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m jovium.cli.main crystal >&-"], stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (OSError(), 4),
        (OSError(28, "No space left on device"), 4),
        (MemoryError(), 1),
        (JoviumError("two\nlines", "one", "less"), 1),
    ],
    ids=repr,
)
def test_whatever_ends_a_command_is_said_in_three_lines(monkeypatch, capsys, error, code):
    def end(_):
        raise error

    monkeypatch.setattr(command_line.COMMANDS["cite"], "run", end)
    assert main(["cite"]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (0 if code == 141 else 3)
    assert all(line.split(": ", 1)[1].strip() for line in lines)


def test_the_reason_of_an_exception_is_never_empty():
    for error, text in (
        (AssertionError(), "AssertionError"),
        (AssertionError(""), "AssertionError"),
        (ValueError("  "), "ValueError"),
        (KeyError("rs"), "KeyError: 'rs'"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
    ):
        assert reason(error) == text


def test_json_holds_no_number_that_is_none():
    values = {"a": float("nan"), "b": [1.0, float("inf")], "c": (1, {"d": -float("inf")}), "e": "NaN", "f": True}
    assert json.loads(json_text(values)) == {"a": None, "b": [1.0, None], "c": [1, {"d": None}], "e": "NaN", "f": True}


def test_an_output_is_never_its_input(tmp_path, capsys):
    path = tmp_path / "in.extxyz"
    write_structure(path, crystal("bcc", 1.4))
    before = path.read_bytes()
    (tmp_path / "link.xsf").symlink_to(path)
    require_other_file(tmp_path / "other", path)
    with pytest.raises(InputError, match="the input"):
        require_other_file(tmp_path / "link.xsf", path)
    for arguments in (["screen", path, tmp_path / "in"], ["elf", "predict", path, "--out", tmp_path / "link.xsf"]):
        assert main([str(word) for word in arguments]) == 2
        assert "another file" in capsys.readouterr().err
        assert path.read_bytes() == before


@pytest.mark.parametrize("frames", ["9", "7:", "5:5", "a:b", "1.5", "1:2:0", "::::", " "])
def test_frames_that_are_not_there_are_an_error(tmp_path, capsys, frames):
    import ase.io

    ase.io.write(tmp_path / "in.extxyz", [crystal("bcc", 1.4).to_ase()] * 3)
    for command in (["screen"], ["reference", "label"]):
        assert main([*command, str(tmp_path / "in.extxyz"), str(tmp_path / "out"), f"--frames={frames}"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 3
