"""The field's words: none of the private ones that once stood for them is left where a user or a reader meets names."""

import argparse
import ast
import json
import re
from pathlib import Path

import pytest

from jovium.cli.main import parser

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "jovium"

OPTIONS = """
    n configurations electrons sweeps stride lessons rate proton-rate proton-damping slowing keep largest kept looks
    batches later every start protons psi times channels radial integration-steps flows sides mover matching likelihood
    energy scores anneal annealed waiting system.n_protons batch"""

WORDS = re.compile(
    r"\b(lessons?|looks|kept|waiting|lag|stride|slowing|told|heard|tilt|mended|objection|weighs?|sweeps)\b", re.I
)

NAMES = """
    HydrogenRecipe HydrogenState MeasuredHydrogen Recipe Question SystemChoice Lesson Learnt FromHamiltonian
    ByLikelihood ByMatching PlaneWavePairs AtomPairs PairFunction COLDNESS MISSING TILT ATOM_TILT hops
    Surroundings Seen heard told mine places starts protons_moved electrons_moved drawn carried Kept kept
    level_of log_shares works share strength table lag objection mended forgetful minimised advanced
    dilation_force STAGES COUPLINGS WEIGHTS Space between smooth_between FEW CHUNK MANY FEWEST APART ASKED
    Judgement Truth Protocol lesson looks found"""

KEYS = "n_protons kept kept_asked lag lag_error looks batches lesson effective_share moved_protons moved_electrons"


def parsers(top: argparse.ArgumentParser, name: str = "jovium") -> list[tuple[str, argparse.ArgumentParser]]:
    found = [(name, top)]
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, below in action.choices.items():
                found += parsers(below, f"{name} {word}")
    return found


@pytest.mark.parametrize(
    ("name", "command"), parsers(parser()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_private_word_in_help(name, command):
    text = command.format_help()
    assert not WORDS.search(text), WORDS.search(text)
    options = {option for action in command._actions for option in action.option_strings}
    assert not options & {f"--{old}" for old in OPTIONS.split()}


def public_names(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            names |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def test_no_private_word_among_public_names():
    for path in sorted(SOURCE.rglob("*.py")):
        assert not public_names(path) & {*NAMES.split()}, (path, public_names(path) & {*NAMES.split()})


def keys(value) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_no_private_word_among_the_keys_of_shipped_files():
    for path in sorted((ROOT / "data").glob("*/*/*.json")):
        assert not keys(json.loads(path.read_text())) & {*KEYS.split()}, path
    for path in sorted((ROOT / "data").glob("*/*/metrics.jsonl")):
        assert not keys([json.loads(line) for line in path.read_text().splitlines()]) & {*KEYS.split()}, path


def test_no_private_word_on_the_pages():
    """The texts that pages are made of."""
    for path in [*sorted((SOURCE / "report").glob("*.py")), *sorted((SOURCE / "report" / "web").glob("*"))]:
        assert not re.search(r"\bweighs?\b|\blooks\b|\blessons?\b", path.read_text()), path
