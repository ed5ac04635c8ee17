"""`jovium free-energy`, `measure` and `sample` as a user meets them."""

import json

import pytest

from jovium.cli.main import main

TINY = (
    "--configurations 4 --electrons 2 --sweeps 2 --channels 1 --radial 4 --times 2 --integration-steps 2 --features 4"
)


def test_two_atoms_from_training_to_samples(tmp_path, capsys):
    run = tmp_path / "pair"
    command = ["free-energy", str(run), "--steps", "4", "--waiting", "2", "--every", "2", *TINY.split()]
    assert main([*command, "--json"]) == 0
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["step"] for report in reports] == [2, 4]
    assert (run / "training.png").stat().st_size > 1000
    assert main(["measure", str(run), "--batches", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("F_Ha_per_atom", "E_Ha_per_atom", "S_kB_per_atom", "P_GPa"):
        assert set(found[name]) == {"value", "error"}
    assert main(["sample", str(run), str(tmp_path / "out.extxyz"), "--samples", "2"]) == 0
    assert "2 configurations" in capsys.readouterr().out
    assert main(command) == 0
    assert capsys.readouterr().out == ""


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
