"""What signatures say is checked while tests run: types, and the shapes of arrays, equal letters for equal lengths."""

from importlib.util import find_spec
from pathlib import Path

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float


def check_signatures() -> None:
    """Check every call inside of jovium from now on; to be called before any of it is imported.

    Modules with compiled loops are left out: numba compiles functions, not what a checker makes of them."""
    spec = find_spec("jovium")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    source = Path(spec.submodule_search_locations[0])
    files = [path for path in source.rglob("*.py") if path.name != "__init__.py" and "njit" not in path.read_text()]
    names = [".".join(path.relative_to(source.parent).with_suffix("").parts) for path in files]
    install_import_hook(names, "contracts.checked")
