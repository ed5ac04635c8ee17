"""docs/troubleshooting.md from the messages in the source: python docs/make_troubleshooting.py"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jovium.base import errors

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "jovium"

ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}

AREAS = {
    "cli": "Commands and options",
    "training": "Settings, run folders and devices",
    "base": "Structures, cells, grids and results on disk",
    "formats": "Files of structures and fields",
    "superconductivity": "H_DOS and Tc",
    "workflows": "`jovium analyse`, `jovium screen` and runs from Python",
    "elf": "`jovium elf`: the network that predicts the ELF",
    "topology": "Networks and critical points",
    "calculator": "The ASE calculator",
    "crystals": "`jovium crystal`",
    "report": "Pages and sources",
    "free_energy": "`jovium free-energy`",
    "electrons": "`jovium electrons`",
    "protons": "`jovium protons`",
    "coulomb": "Coulomb sums",
    "sampling": "Sampling",
    "optimise": "Step rules",
    "observe": "Estimates",
    "reference": "First-principles engines and `jovium reference`",
    "labels": "Labels and data sets",
}
"""Packages in the order of the page, and what a reader calls them."""

HEAD = """# Troubleshooting

First what has no message; then every error and warning, by what was being done. An error has three parts: what was got,
what was expected, what to do. `<name>` stands for what is filled in. `jovium doctor` says what is installed;
`docs/which_knob.md` goes from what a report shows to the setting. Made by `python docs/make_troubleshooting.py`.

## Without a message
"""

WITHOUT_MESSAGE = [
    (
        "the first command takes a minute, the next one seconds",
        "programs are compiled once and kept in the user's cache",
        "wait; `JAX_COMPILATION_CACHE_DIR` names a folder where the home folder cannot be written",
    ),
    (
        "every command is slow to start",
        "Python's packages or the cache are on a slow network disk",
        "install on a local disk, and set `JAX_COMPILATION_CACHE_DIR` to one",
    ),
    (
        "no GPU is used",
        "the array library is the one for CPUs",
        "`jovium doctor` lists devices; `pip install 'jovium[cuda13]'`, or `'jovium[cuda12]'` where the driver is older"
        " than 580",
    ),
    ("a GPU takes all its memory at once", "the library reserves it", "`XLA_PYTHON_CLIENT_PREALLOCATE=false`"),
    (
        "all cores are busy, and others on the machine complain",
        "threads of the compiler and of NumPy",
        "`OMP_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false`",
    ),
    (
        "the process is killed without a word",
        "no memory is left",
        "`--dry-run` of a training prints what it takes; fewer `--proton-walkers`, `--walkers` or `--workers`, a larger"
        " `--spacing`",
    ),
    (
        "a training waits for a minute before its first line",
        "the environment speaks of several processes",
        "start all of them, or say `JAX_NUM_PROCESSES=1` for one alone (`docs/free_energy.md`)",
    ),
    (
        "Tc is missing",
        "an insulator has none; of an ELF file of a compound, H_DOS is not known",
        "`--h-dos`, or `--dos-file` with `--fermi`; the structure in place of the file has it computed",
    ),
]

SAME = ["tolist", "strip", "splitlines", "encode", "replace", "values", "join", "round"]
"""Methods whose result is called what their object or first argument is called."""

BUILT_IN = ["len", "str", "round", "sorted", "list", "tuple", "set", "max", "min", "int", "float", "repr", "map"]

WARNED = re.compile(r"^(warnings?|reasons?)$")


class Message(NamedTuple):
    """What is printed: an error with its three parts, or a warning with nothing to expect or do."""

    area: str
    parts: tuple[str, ...]


def troubleshooting_page() -> str:
    """The whole page."""
    messages = list(dict.fromkeys(found for path in sorted(SOURCE.rglob("*.py")) for found in messages_of(path)))
    page = HEAD + _table(("symptom", "cause", "what to do"), WITHOUT_MESSAGE)
    for area, heading in AREAS.items():
        of_area = [message.parts for message in messages if message.area == area]
        three, one = ([parts for parts in of_area if len(parts) == n] for n in (3, 1))
        page += f"\n## {heading}\n" if of_area else ""
        page += _table(("symptom", "cause: expected was", "what to do"), [tuple(map(_code, row)) for row in three])
        page += _table(("warning",), [tuple(map(_code, row)) for row in one])
    return page


def messages_of(path: Path) -> Iterator[Message]:
    """The messages in a file, in order."""
    tree, area = ast.parse(path.read_text()), path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert area in AREAS or not any(_error_parts(node) for node in ast.walk(tree)), f"a heading for {area}"
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in sorted(ast.walk(tree), key=lambda node: getattr(node, "lineno", 0)):
        warned = list(_warned(node))
        said = _error_parts(node)
        if not (warned or said):
            continue
        scopes = [body for body in functions if body.lineno <= node.lineno <= (body.end_lineno or 0)]
        scope = {name: value for body in (tree, *scopes) for name, value in _assigned(body, node.lineno)}
        if said:
            parts = tuple(_text(part, scope) for part in said)
            told = [re.sub(r"<[^>]*>", "", part).strip(": ") for part in parts]
            if told[2]:  # not one that is passed on
                yield Message(area, parts)
        for text in (_text(each, scope).removeprefix("warning: ") for each in warned):
            if len(text.split()) > 2:
                yield Message(area, (text,))


def _error_parts(node: ast.AST) -> list[ast.expr]:
    """The three parts of an error that a call makes, or none."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[_, _, _]) if name in ERRORS:
            return node.args
        case ast.Call(func=ast.Name(id="refuse_unused"), args=[_, _, case, do]):
            got = ast.BinOp(ast.Constant("<options> "), ast.Add(), case)
            return [got, ast.Constant("options that have an effect"), do]
    return []


def _warned(node: ast.AST) -> Iterator[ast.AST]:
    """The texts that a statement adds to the warnings of a result, or prints as one."""
    values: list[ast.AST] = []
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        values = [node.value] if any(isinstance(t, ast.Name) and WARNED.match(t.id) for t in targets) else []
    elif isinstance(node, ast.Call):
        called, owner = getattr(node.func, "attr", getattr(node.func, "id", "")), getattr(node.func, "value", None)
        if called in ("append", "extend") and isinstance(owner, ast.Name) and WARNED.match(owner.id):
            values = [*node.args]
        elif called == "print" and node.args and re.match("warning: [^<]", _text(node.args[0], {})):
            values = [node.args[0]]
    return (text for value in values for text in _texts(value))


def _texts(node: ast.AST) -> Iterator[ast.AST]:
    """Whole strings below a node, none inside another."""
    is_sum = isinstance(node, ast.BinOp) and isinstance(node.left, ast.JoinedStr | ast.Constant)
    is_text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    if is_text or is_sum:
        yield node
    elif isinstance(node, ast.IfExp):
        yield from (text for branch in (node.body, node.orelse) for text in _texts(branch))
    else:
        yield from (text for child in ast.iter_child_nodes(node) for text in _texts(child))


def _assigned(body: ast.Module | ast.FunctionDef, before: int) -> Iterator[tuple[str, ast.AST]]:
    """Names and what they were given, of a module or of a function up to a line."""
    nodes = (
        body.body if isinstance(body, ast.Module) else [n for n in ast.walk(body) if getattr(n, "lineno", 0) < before]
    )
    for node in nodes:
        if isinstance(node, ast.NamedExpr) or (isinstance(node, ast.Assign) and len(node.targets) == 1):
            target = node.target if isinstance(node, ast.NamedExpr) else node.targets[0]
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            yield from ((each.id, value) for each, value in pairs if isinstance(each, ast.Name))


def _text(node: ast.AST, scope: dict[str, ast.AST]) -> str:
    """A string as it is printed, fields by their names."""
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr(values=values):
            return "".join(_text(value, scope) for value in values)
        case ast.FormattedValue(value=ast.Constant(value=value)):
            return str(value)
        case ast.FormattedValue(value=ast.Name(id=name)) if _is_text(scope.get(name)):
            return _text(scope[name], scope | {name: ast.Constant(f"<{name}>")})
        case ast.FormattedValue(value=value):
            return _text(value, scope) if _is_text(value) else f"<{_name(value)}>"
        case ast.Subscript(value=ast.JoinedStr() as value):
            return _text(value, scope)
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.Tuple(elts=[first, *_])]) if _is_text(first):
            return _text(first, scope)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, scope) + _text(right, scope)
        case ast.IfExp(body=body, orelse=orelse):
            either = [text for text in (_text(body, scope), _text(orelse, scope)) if text]
            return " / ".join(either)
        case ast.Name(id=name) if _is_text(scope.get(name)):
            return _text(scope[name], scope | {name: ast.Constant(f"<{name}>")})
    return f"<{_name(node)}>"


def _is_text(node: ast.AST | None) -> bool:
    match node:
        case ast.Constant(value=str()) | ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_text(left) or _is_text(right)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_text(body) and _is_text(orelse)
    return False


def _name(node: ast.AST) -> str:
    """What a reader may call the value of an expression: its last name."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr="name", value=ast.Name(id=name)):
            return name.strip("_").replace("_", " ")
        case ast.Attribute(attr="__name__", value=value):
            return _name(value)
        case ast.Attribute(attr=name):
            return name.replace("_", " ")
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), *_]):
            return key
        case ast.Call(func=ast.Attribute(attr="sum" | "count_nonzero")):
            return "number"
        case ast.Call(func=ast.Attribute(attr=attr, value=value), args=args) if attr in SAME:
            return _name(args[0] if args and attr in ("join", "round") else value)
        case ast.Call(func=ast.Name(id=name), args=[*_, last]) if name in BUILT_IN:
            return _name(last if name == "map" else node.args[0])
        case ast.Call(func=func):
            return _name(func).removesuffix(" of")
        case ast.Set(elts=[first, *_]) | ast.Tuple(elts=[first, *_]):
            return _name(first)
        case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
            return f"{key.replace('_', ' ')}"
        case ast.Subscript(value=value) | ast.Starred(value=value) | ast.UnaryOp(operand=value):
            return _name(value)
        case ast.GeneratorExp(generators=[first, *_]) | ast.ListComp(generators=[first, *_]):
            return _name(first.iter)
        case ast.BinOp(left=left, right=right):
            return _name(right if _name(left).isdigit() or isinstance(left, ast.Constant) else left)
        case ast.BoolOp(values=[first, *_]):
            return _name(first)
        case ast.IfExp(body=body):
            return _name(body)
        case ast.Constant(value=value):
            return str(value)
    return "..."


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = f"\n| {' | '.join(names)} |\n|{'---|' * len(names)}\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _code(part: str) -> str:
    """A part of a message as code, in one line."""
    line = " ".join(part.split()).replace("|", "\\|")
    return f"`` {line} ``" if "`" in line else f"`{line}`"


if __name__ == "__main__":
    (ROOT / "docs" / "troubleshooting.md").write_text(troubleshooting_page())
