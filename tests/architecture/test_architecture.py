"""The shape of the code: what may import what, where constants live, that docs and docstrings keep their word."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "jovium"
FILES = sorted(SOURCE.rglob("*.py"))

# Every package may import itself, those named here, and theirs.
ALLOWED = {
    "base": set(),
    "training": {"base"},
    "formats": {"base"},
    "topology": {"base"},
    "superconductivity": {"base"},
    "crystals": {"base", "formats"},
    "observe": {"base"},
    "coulomb": {"base"},
    "sampling": {"base"},
    "optimise": {"base"},
    "reference": {"base"},
    "labels": {"base", "formats", "crystals", "observe", "reference"},
    "elf": {"base", "training", "labels"},
    "protons": {"base", "training", "formats", "crystals", "coulomb", "sampling", "optimise", "observe", "reference"},
    "electrons": {"base", "training", "crystals", "coulomb", "sampling", "optimise", "observe", "protons"},
    "free_energy": {
        "base",
        "training",
        "formats",
        "coulomb",
        "sampling",
        "optimise",
        "observe",
        "protons",
        "electrons",
    },
    "calculator": {"base", "elf", "topology"},
    "report": {"base", "observe", "topology", "superconductivity"},
    "workflows": {"base", "training", "formats", "topology", "superconductivity", "crystals", "reference", "observe"}
    | {"labels", "elf", "free_energy", "report"},
    # The command line is wiring: physics only behind a lazy import inside a function.
    "cli": {"base", "training", "formats", "crystals", "reference", "observe", "report", "workflows"}
    | {"labels", "elf", "protons", "electrons", "free_energy"},
}


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> set[str]:
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_in_the_allowed_direction(path: Path):
    package = package_of(path)
    if package == "__init__":
        return
    for name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "jovium" and len(parts) > 1:
            assert parts[1] in ALLOWED[package] | {package}, f"{package} imports {name}"


def test_the_command_line_imports_nothing_heavy_before_a_command_runs():
    light = {"argparse", "sys", "json", "os", "platform", "shutil", "tempfile", "pathlib", "collections.abc", "typing"}
    light |= {"contextlib", "signal", "threading", "hashlib", "difflib", "io", "re", "importlib"}
    for path in sorted((SOURCE / "cli").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name in imports(node):
                    assert name in light | {
                        "jovium",
                        "jovium.base.errors",
                        "jovium.base.files",
                        "jovium.cli",
                        "jovium.cli.compiled",
                        "jovium.cli.arguments",
                        "jovium.cli.training",
                        "jovium.training.settings",
                        "jovium.protons.settings",
                        "jovium.electrons.settings",
                        "jovium.elf.settings",
                        "jovium.free_energy.settings",
                        "importlib.metadata",
                    }, name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_the_text_of_an_exception_is_taken_by_reason_alone(path: Path):
    """str of an exception may be empty, and a message must not; the text of a JoviumError never is."""
    for handler in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ExceptHandler)):
        caught = ast.unparse(handler.type) if handler.type else ""
        if not handler.name or re.fullmatch(
            r"\(?(\w*(Jovium|Input|Format|Structure|Engine|Output)Error(, )?)+\)?", caught
        ):
            continue
        either = [node for node in ast.walk(handler) if isinstance(node, ast.BoolOp) and "reason(" in ast.unparse(node)]
        allowed = {id(node) for parent in either for node in ast.walk(parent)}
        for node in (node for node in ast.walk(handler) if id(node) not in allowed):
            shown = node.value if isinstance(node, ast.FormattedValue) else None
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("str", "repr") and node.args:
                shown = node.args[0]
            assert not (isinstance(shown, ast.Name) and shown.id == handler.name), f"{path.name}:{node.lineno}"


# Values of conversions that people type from memory; they belong in base/units.py and nowhere else.
CONVERSION = re.compile(r"0\.5291|27\.211|13\.605|29421|3\.1668|315775|1836\.15|3670\.48|0\.0241888")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_conversions_are_written_in_units_only(path: Path):
    if path.name == "units.py":
        return
    assert not CONVERSION.search(path.read_text())


def public_definitions(tree: ast.Module) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found += [
                    m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")
                ]  # fmt: skip
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_every_module_and_public_name_has_a_docstring_that_is_a_sentence(path: Path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), path
    for node in public_definitions(tree):
        assert isinstance(node, ast.FunctionDef | ast.ClassDef)
        text = ast.get_docstring(node)
        assert text, f"{path.name}: {node.name}"
        assert len(text) > 10, f"{path.name}: {node.name}"


def test_no_package_holds_more_than_a_seventh_of_the_lines():
    lines = {path: path.read_text().count("\n") for path in FILES}
    packages = {package_of(path) for path in FILES}
    shares = {name: sum(n for path, n in lines.items() if package_of(path) == name) for name in packages}
    largest = max(shares, key=lambda name: shares[name])
    print({name: f"{n / sum(lines.values()):.1%}" for name, n in sorted(shares.items())})
    assert shares[largest] <= 0.14 * sum(lines.values()), largest


def test_files_and_functions_stay_readable():
    functions = []
    for path in FILES:
        text = path.read_text()
        assert text.count("\n") <= 420, f"{path} is too long to be one noun"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                functions.append((node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.name}"))
    lengths = sorted(functions, reverse=True)
    short = sum(1 for n, _ in lengths if n <= 30) / len(lengths)
    print(f"{len(FILES)} files, {len(lengths)} functions, {short:.0%} within 30 lines; longest: {lengths[:5]}")
    assert short >= 0.9
    assert lengths[0][0] <= 80, lengths[0]


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATH_IN_DOCS = re.compile(r"`((?:src|docs|tests|benchmarks|examples|\.ci)/[\w./-]+)`")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_path_named_in_the_docs_exists(path: Path):
    for name in PATH_IN_DOCS.findall(path.read_text()):
        assert (ROOT / name).exists(), f"{path.name} names {name}"


def test_every_command_named_in_the_docs_exists():
    from jovium.cli.main import COMMANDS

    for path in DOCUMENTS:
        for name in re.findall(r"(?:^|`|\s)(?<!import )jovium ([a-z][a-z-]*)", path.read_text()):
            assert name in COMMANDS, f"{path.name} names jovium {name}"


MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9_.])/(work|tmp|root|home)/[a-z]")


@pytest.mark.parametrize("path", [*FILES, *DOCUMENTS], ids=lambda p: p.name)
def test_no_path_of_one_machine(path: Path):
    assert not MACHINE_PATH.search(path.read_text())
