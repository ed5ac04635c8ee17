"""What `jovium free-energy`, `measure` and `sample` say of bad input; what they do: tests/runs."""

import dataclasses

import pytest

from jovium.cli.main import main, parser
from jovium.electrons.settings import ElectronSettings
from jovium.free_energy.settings import FreeEnergySettings


@pytest.mark.parametrize(
    ("command", "recipe"),
    [(["free-energy", "RUN"], FreeEnergySettings()), (["electrons", "train", "RUN", "h"], ElectronSettings("h"))],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_options_left_out_are_those_of_the_recipe(command, recipe):
    """A default stands in the help and in the recipe: they agree."""
    options = vars(parser().parse_args(command))
    for field in dataclasses.fields(recipe):
        expected = getattr(recipe, field.name)
        assert options[field.name] == (list(expected) if isinstance(expected, tuple) else expected), field.name


def test_options_have_full_names_too():
    """As in the configuration files of this field."""
    names = ["--system.n_protons", "16", "--system.rs", "1.3", "--system.kelvin", "5000", "--sampling.sweeps", "7"]
    options = parser().parse_args(["free-energy", "RUN", *names])
    assert (options.n, options.rs, options.kelvin, options.sweeps, options.twists) == (16, 1.3, 5000.0, 7, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["free-energy", "RUN", "--n", "3"], "an even number of atoms"),
        (["free-energy", "RUN", "--kelvin", "-5"], "rs and T above zero"),
        (["free-energy", "RUN", "--twists", "5"], "a multiple of 125"),
        (["measure", "RUN"], "holds no free-energy run"),
        (["sample", "RUN", "out.extxyz"], "holds no free-energy run"),
    ],
)
def test_errors_say_what_to_do(tmp_path, capsys, arguments, message):
    assert main([str(tmp_path / "run") if a == "RUN" else a for a in arguments]) != 0
    told = capsys.readouterr().err
    assert message in told
    assert "do:" in told
