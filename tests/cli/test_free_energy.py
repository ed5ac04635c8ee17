"""What `jovium free-energy` says of bad input; what it does: tests/free_energy."""

import pytest
import yaml

from jovium.cli.main import main, parser
from jovium.electrons.settings import ElectronSettings
from jovium.elf.settings import ElfSettings
from jovium.free_energy.settings import FreeEnergySettings
from jovium.protons.settings import ProtonSettings
from jovium.training.settings import settings_from


@pytest.mark.parametrize(
    ("command", "settings", "given"),
    [
        (["free-energy", "train", "RUN"], FreeEnergySettings(), {}),
        (["electrons", "train", "RUN", "h"], ElectronSettings("h"), {"structure": "h"}),
        (["protons", "train", "RUN"], ProtonSettings(), {}),
        (["elf", "train", "RUN", "LABELS"], ElfSettings(), {}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_options_left_out_are_those_of_the_settings(command, settings, given):
    assert settings_from(parser().parse_args(command), type(settings), **given) == settings


def test_the_default_is_a_state_of_matter_with_twists():
    """Sixteen atoms with 4^3 twists, not two without."""
    settings = settings_from(parser().parse_args(["free-energy", "train", "RUN"]), FreeEnergySettings)
    assert (settings.n_atoms, settings.twists, settings.rs, settings.kelvin) == (16, 4, 1.25, 6000.0)


def test_settings_of_a_sample_come_from_a_file_and_are_printed_without_a_run(tmp_path, capsys):
    (tmp_path / "how.yaml").write_text("samples: 7\naccept_fraction: 0.5\n")
    sample = ["free-energy", "sample", str(tmp_path / "run"), str(tmp_path / "out.extxyz")]
    assert main([*sample, "--config", str(tmp_path / "how.yaml"), "--seed", "3", "--print-config"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert (printed["samples"], printed["accept_fraction"], printed["seed"]) == (7, 0.5, 3)
    assert not (tmp_path / "out.extxyz").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "RUN", "--n-atoms", "3"], "an even number"),
        (["train", "RUN", "--kelvin", "-5"], "kelvin -5.0"),
        (["train", "RUN", "--twists", "5"], "a multiple of 125"),
        (["train", "RUN", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (["train", "RUN", "--report-every", "1"], "two or more"),
        (["eos", "RUN", "--rs", "1.25", "-1", "--kelvin", "6000"], "rs -1.0"),
        (["measure", "RUN"], "holds no run"),
        (["measure", "RUN", "--accept-fraction", "0"], "0.01 to 1"),
        (["sample", "RUN", "out.extxyz"], "holds no run"),
        (["report", "RUN"], "holds no run"),
        (["report", "data/protons/n2_6000K"], "a run of kind 'protons'"),
    ],
)
def test_errors_say_what_to_do(tmp_path, capsys, arguments, message):
    run = str(tmp_path / "run")
    assert main(["free-energy", *(run if argument == "RUN" else argument for argument in arguments)]) != 0
    error = capsys.readouterr().err
    assert message in error
    assert "do:" in error


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["analize", "POSCAR"], "analyse"),
        (["free-energy", "trian", "RUN"], "train"),
        (["free-energy", "train", "RUN", "--n-atom", "4"], "--n-atoms"),
        (["free-energy", "train", "RUN", "--learning-rat=0.1"], "--learning-rate"),
    ],
)
def test_a_mistyped_command_or_option_names_the_nearest_one(capsys, arguments, meant):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert f"did you mean '{meant}'" in capsys.readouterr().err
