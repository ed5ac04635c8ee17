"""One field is one setting: option, YAML key, check, message and page come from it."""

import argparse
from dataclasses import MISSING, dataclass, fields
from typing import ClassVar

import pytest

from jovium.base.errors import InputError
from jovium.electrons.settings import ElectronSettings
from jovium.elf.settings import ElfSettings
from jovium.free_energy.settings import FreeEnergySettings, MeasurementSettings
from jovium.protons.settings import ProtonSettings
from jovium.training.settings import (
    POSITIVE,
    Settings,
    add_options,
    at_least,
    option_of,
    setting,
    settings_from,
    settings_table,
)

KINDS = [FreeEnergySettings, ProtonSettings, ElectronSettings, ElfSettings, MeasurementSettings]


@dataclass(frozen=True)
class Fluid(Settings):
    """A fluid to test with."""

    kind: ClassVar[str] = "fluid"

    rs: float = setting(1.25, "Wigner-Seitz radius", "bohr", check=POSITIVE)
    n_atoms: int = setting(16, "atoms", check=at_least(2))
    twist: tuple[float, float, float] = setting((0.0, 0.0, 0.0), "twist")
    unpaired: int | None = setting(None, "unpaired electrons")
    torus: bool = setting(False, "on a torus")
    name: str = setting("", "a name")


def settings_of(*arguments, kind=Fluid):
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    return settings_from(parser.parse_args(list(arguments)), kind)


def test_an_option_sets_its_field():
    found = settings_of("--rs", "1.4", "--n-atoms", "4", "--twist", "0.5", "0", "0.25", "--unpaired", "2", "--torus")
    assert found == Fluid(1.4, 4, (0.5, 0.0, 0.25), 2, True)


def test_options_win_over_files_and_later_files_over_earlier_ones(tmp_path):
    (tmp_path / "a.yaml").write_text("rs: 1.5\nn_atoms: 8\nname: first\n")
    (tmp_path / "b.yaml").write_text("n-atoms: 32\ntwist: [0.5, 0.5, 0.5]\n")
    files = ["--config", str(tmp_path / "a.yaml"), "--config", str(tmp_path / "b.yaml")]
    assert settings_of(*files, "--rs", "1.6") == Fluid(1.6, 32, (0.5, 0.5, 0.5), name="first")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_what_print_config_prints_is_a_config_of_the_same_settings(kind, tmp_path):
    given = {item.name: "h2:1.4" for item in fields(kind) if item.default is MISSING}
    settings = kind(**given)
    (tmp_path / "all.yaml").write_text(settings.to_yaml())
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    assert settings_from(parser.parse_args(["--config", str(tmp_path / "all.yaml")]), kind, **given) == settings


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_setting_has_a_meaning_an_option_and_a_row(kind):
    parser = argparse.ArgumentParser()
    add_options(parser, kind)
    text, table = parser.format_help(), settings_table(kind)
    for item in fields(kind):
        assert len(item.metadata["meaning"]) > 3, item.name
        assert f"`{option_of(item)}`" in table
        assert item.default is MISSING or option_of(item) in text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rs": -1.0}, "rs -1.0"),
        ({"rs": float("nan")}, "above zero"),
        ({"rs": float("inf")}, "finite"),
        ({"n_atoms": 1}, "2 or more"),
        ({"n_atom": 4}, "did you mean 'n_atoms'"),
        ({"n_atoms": 4.5}, "a whole number"),
        ({"n_atoms": "four"}, "a whole number"),
        ({"n_atoms": True}, "a whole number"),
        ({"n_atoms": None}, "a whole number"),
        ({"rs": [1.0]}, "a number"),
        ({"torus": "perhaps"}, "true or false"),
        ({"twist": [0.0, 0.5]}, "twist"),
        ({"twist": 1.0}, "twist"),
        ({"name": 3}, "text"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(values, message):
    with pytest.raises(InputError, match="do:") as caught:
        Fluid.from_dict(values)
    assert message in str(caught.value)


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path):
    (tmp_path / "a.yaml").write_text("rs: 1e-1\nunpaired: null\n")
    assert settings_of("--config", str(tmp_path / "a.yaml")).rs == 0.1


@pytest.mark.parametrize("text", ["", "- 1\n", "rs: [\n", "just words", "\x00", "rs 1.3"])
def test_a_file_that_holds_no_settings_is_an_error(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=r"a\.yaml"):
        settings_of("--config", str(tmp_path / "a.yaml"))


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match="print-config"):
        settings_of("--config", str(tmp_path / "nowhere.yaml"))


def test_the_file_with_the_unknown_key_is_named(tmp_path):
    (tmp_path / "good.yaml").write_text("rs: 1.3\n")
    (tmp_path / "bad.yaml").write_text("kelvn: 3\n")
    with pytest.raises(InputError, match=r"bad\.yaml: unknown setting 'kelvn'"):
        settings_of("--config", str(tmp_path / "good.yaml"), "--config", str(tmp_path / "bad.yaml"))
