"""The known hydrides have their symmetry and their bonds, and the example files are what their commands make."""

import re
from pathlib import Path

import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.base.units import BOHR_ANGSTROM
from jovium.cli.main import main
from jovium.crystals import HYDRIDES, crystal
from jovium.formats.structures import read_structure
from jovium.formats.symmetry import found_group

EXAMPLES = Path(__file__).parents[1] / "examples" / "hydrides"
COMMANDS = re.findall(r"^jovium (.+)", (EXAMPLES / "README.md").read_text().replace("\\\n", " "), flags=re.M)


@pytest.mark.parametrize("name", HYDRIDES)
@pytest.mark.parametrize("a", [None, 4.1])
def test_space_group_is_the_stated_one_at_any_lattice_parameter(name, a):
    structure = crystal(name, a=a)
    assert found_group(structure)[1:] == (HYDRIDES[name].space_group, 48)
    assert structure.notes == ()
    assert structure.to_ase().get_chemical_formula("metal").lower() == name
    lattice_points = {225: 4, 229: 2}[HYDRIDES[name].space_group]
    cube = structure.cell.volume * lattice_points * BOHR_ANGSTROM**3
    assert cube ** (1 / 3) == pytest.approx(a or HYDRIDES[name].cell[0])


# In units of a: S-H 1/2; H-H sqrt(2)/4 in the sodalite cage; in LaH10 an H 32f has its H 8c at (0.25 - u) sqrt(3).
@pytest.mark.parametrize(
    ("name", "shortest"),
    [("h3s", 2.984 / 2), ("cah6", 3.501 * 2**0.5 / 4), ("yh6", 3.578 * 2**0.5 / 4), ("lah10", 4.9 * 0.13 * 3**0.5)],
)
def test_shortest_distance_is_that_of_the_cage(name, shortest):
    assert crystal(name).shortest_distance() * BOHR_ANGSTROM == pytest.approx(shortest)


def test_every_example_is_made_by_its_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        assert main(command.split()) == 0, capsys.readouterr().err
    assert capsys.readouterr().err == ""
    assert {path.name for path in EXAMPLES.glob("*.cif")} == {path.name for path in Path().glob("*.cif")}
    for path in Path().glob("*.cif"):
        made, kept, known = read_structure(path), read_structure(EXAMPLES / path.name), crystal(path.stem)
        for other in (kept, known):
            assert made.symbols == other.symbols
            metrics = [x.cell.vectors @ x.cell.vectors.T for x in (made, other)]
            np.testing.assert_allclose(*metrics, rtol=1e-9)
            fractions = [x.cell.fractional(x.positions) for x in (made, other)]
            np.testing.assert_allclose(*fractions, atol=1e-9)
        assert found_group(kept)[2] == 48, path  # no digit is lost that symmetry needs


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "h3s", "rs": 1.3}, "'h3s' with rs"),
        ({"name": "bcc", "a": 3.0}, "'bcc' with a"),
        ({"name": "h3s", "a": 0.0}, "a = 0"),
        ({"name": "h3s", "a": float("nan")}, "a = nan"),
        ({"name": "h3s", "space_group": 229}, "with space group"),
        ({"name": "h3s", "sites": [("H", 0, 0, 0)]}, "with sites"),
        ({}, "nothing else"),
        ({"space_group": 229}, "with space group"),
        ({"cell": 3.0, "sites": [("H", 0, 0, 0)]}, "with cell and sites"),
        ({"space_group": 229, "cell": 3.0}, "without sites"),
        ({"space_group": 229, "cell": 3.0, "a": 3.0, "sites": [("H", 0, 0, 0)]}, "and a"),
        ({"name": "h4s"}, "'h4s'"),
    ],
)
def test_names_lengths_and_sites_that_do_not_go_together_are_refused(arguments, said):
    with pytest.raises(InputError) as refused:
        crystal(**arguments)
    assert said in refused.value.got


def test_without_a_name_for_the_file_it_is_the_formula(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = "crystal --space-group 229 --cell 3.6 --site Y 0 0 0 --site H 0 .5 .25"
    assert main(command.split()) == 0
    assert read_structure("YH6.vasp").n_atoms == 7
    assert "Im-3m (229), shortest distance 1.2728 angstrom" in capsys.readouterr().out
    assert main([*command.split()[:4], "36", *command.split()[5:]]) == 0
    assert "are lengths in the right unit?" in capsys.readouterr().err
