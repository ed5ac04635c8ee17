"""What `jovium free-energy`, `measure` and `sample` say of bad input; what they do: tests/runs."""

import pytest

from jovium.cli.main import main


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
