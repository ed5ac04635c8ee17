"""What the README shows works as written."""

import re
from pathlib import Path

import pytest

from jovium.cli.main import parser

ROOT = Path(__file__).parents[2]


def test_python_examples_of_the_readme_run_and_find_phi(capsys, monkeypatch):
    """As written, but for the protocol: the cheap one takes a second."""
    monkeypatch.chdir(ROOT)
    network, engine = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    exec(network, {})
    phi, low, high = map(float, re.findall(r"[0-9.]+", capsys.readouterr().out))
    assert low < phi < high
    exec(engine.replace("PRODUCTION", "CHEAP"), {})
    assert float(capsys.readouterr().out) == pytest.approx(0.64, abs=0.03)


def test_every_command_line_of_the_docs_parses():
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for line in re.findall(r"^(?:`?)jovium ([^#`\n]+)", path.read_text(), flags=re.M):
            arguments = line.split()
            if not arguments[0].startswith("-"):
                parser().parse_args(arguments)
