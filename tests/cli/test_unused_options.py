"""An option that would have no effect is refused, on the command line and from Python: silence would mislead."""

from dataclasses import replace

import pytest

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.crystals import crystal
from jovium.elf.model import shipped_model
from jovium.formats.fields import write_field
from jovium.formats.structures import write_structure
from jovium.protons.settings import OF_SYSTEMS, SYSTEMS
from jovium.reference.kohn_sham import CHEAP
from jovium.workflows import analyse as analysis

FIRST_PRINCIPLES = "--protocol production, --functional PBE, --cutoff 40, --k-mesh 2 2 2, --electronic-kelvin 3000"
OF_STRUCTURES = f"--engine network, --engine dft, --compare, --spacing 0.2, --grid 20 20 20, {FIRST_PRINCIPLES}".split(
    ", "
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A structure, a compound, and the field of an ELF, in triclinic cells."""
    folder = tmp_path_factory.mktemp("place")
    structure = crystal("c2/c-24", 1.4)
    write_structure(folder / "structure.vasp", structure)
    metal = ("La", *structure.symbols[1:])
    write_structure(folder / "compound.vasp", replace(structure.at_rs(1.8), symbols=metal))
    write_field(folder / "field.cube", structure, shipped_model().predict(structure, (24, 24, 24)).elf)
    return folder


@pytest.fixture
def no_work(monkeypatch):
    for name in ("predict_elf", "compute_elf", "read_elf"):
        monkeypatch.setattr(analysis, name, lambda *_, **__: pytest.fail("work began"))


@pytest.mark.parametrize("options", FIRST_PRINCIPLES.split(", "))
def test_options_of_the_engine_are_taken_for_a_compound(place, monkeypatch, options):
    """It goes to the engine by itself."""
    asked = []

    def computed(structure, shape, engine, protocol, *, sure):
        asked.append((engine, protocol))
        raise InputError("computed", "nothing", "nothing")

    monkeypatch.setattr(analysis, "compute_elf", computed)
    command = ["analyse", str(place / "compound.vasp"), "--no-files"]
    assert main([*command, *options.split()]) == main(command) == 2
    assert [engine for engine, _ in asked] == ["espresso"] * 2
    is_default = options.split()[1] in ("production", "PBE", "3000")
    assert (asked[0][1] == asked[1][1]) == is_default


def refused(place, capsys, command, options):
    assert main([word.replace("IN/", f"{place}/") for word in (command + " " + options).split()]) == 2
    said = capsys.readouterr().err
    assert options.split()[0] in said.splitlines()[0], said
    assert "do: " in said


@pytest.mark.parametrize("options", OF_STRUCTURES)
def test_options_of_a_structure_are_refused_for_a_field(place, capsys, no_work, options):
    refused(place, capsys, "analyse IN/field.cube --no-files", options)


@pytest.mark.parametrize("options", ["--elf-convention true", "--elf-convention auto", *FIRST_PRINCIPLES.split(", ")])
def test_options_of_a_field_or_an_engine_are_refused_for_the_network(place, capsys, no_work, options):
    refused(place, capsys, "analyse IN/structure.vasp --no-files", options)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("analyse IN/structure.vasp --no-files", "--fermi 3"),
        ("analyse IN/structure.vasp --no-files", "--out IN/out"),
        ("analyse IN/field.cube", "--fermi 3"),
        ("crystal", "--rs 1.4"),
        ("crystal", "--out IN/x.vasp"),
        ("protons measure IN/", "--ais-samples 64"),
        *(("convert IN/structure.vasp IN/x.cif", options) for options in ("--grid 20 20 20", "--elf-convention qe")),
        ("convert IN/field.cube IN/x.vasp", "--elf-convention true"),
    ],
)
def test_options_without_another_one_are_refused(place, capsys, no_work, command, options):
    refused(place, capsys, command, options)


OF_PARTICLES = "--n-atoms 8, --coupling 5, --screening 3, --density 0.4, --temperature 1, --rs 1.3, --kelvin 5000"


@pytest.mark.parametrize("system", SYSTEMS)
def test_options_of_another_system_are_refused_and_those_of_its_own_taken(place, capsys, system):
    for options in (*OF_PARTICLES.split(", "), "--side both", "--crystal bcc"):
        command = f"protons train IN/run --system {system} --print-config"
        if options.split()[0].lstrip("-").replace("-", "_") in OF_SYSTEMS[system].split():
            assert main(f"{command} {options}".split()) == 0
        else:
            refused(place, capsys, command, options)


def test_spacing_and_grid_exclude_each_other(place, capsys):
    for command in ("analyse IN/structure.vasp", "elf predict IN/structure.vasp --out IN/x.cube"):
        with pytest.raises(SystemExit) as stop:
            refused(place, capsys, command, "--spacing 0.2 --grid 20 20 20")
        assert stop.value.code == 2
        assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("field.cube", {"engine": "pyscf"}, "engine"),
        ("field.cube", {"compare": True}, "compare"),
        ("field.cube", {"protocol": CHEAP}, "protocol"),
        ("field.cube", {"sure": True}, "sure"),
        ("field.cube", {"spacing": 0.3}, "spacing"),
        ("field.cube", {"shape": (20, 20, 20)}, "shape"),
        ("field.cube", {"fermi_energy_ev": 1.0}, "fermi_energy_ev"),
        ("structure.vasp", {"elf_convention": "qe"}, "elf_convention"),
        ("structure.vasp", {"protocol": CHEAP}, "protocol"),
        ("structure.vasp", {"sure": True}, "sure"),
        ("compound.vasp", {"protocol": CHEAP, "engine": "network"}, "protocol"),
        ("structure.vasp", {"spacing": 0.3, "shape": (20, 20, 20)}, "spacing"),
        ("structure.vasp", {"spacing": float("inf")}, "spacing"),
        ("structure.vasp", {"fermi_energy_ev": float("nan")}, "Fermi"),
    ],
)
def test_settings_without_an_effect_are_refused_from_python(place, no_work, name, changes, message):
    with pytest.raises(InputError, match=message):
        analysis.analyse(place / name, **changes)


def test_settings_with_an_effect_are_taken(place, monkeypatch):
    class Taken(Exception):
        pass

    def taken(*_, **__):
        raise Taken

    for name in ("predict_elf", "compute_elf", "read_elf"):
        monkeypatch.setattr(analysis, name, taken)
    for name, changes in (
        ("field.cube", {"elf_convention": "qe", "persistence": 0.1}),
        ("structure.vasp", {"spacing": 0.3}),
        ("structure.vasp", {"shape": (20, 20, 20)}),
        ("structure.vasp", {"protocol": CHEAP, "compare": True}),
        ("structure.vasp", {"protocol": CHEAP, "engine": "pyscf"}),
        ("compound.vasp", {"protocol": CHEAP}),
        ("compound.vasp", {"sure": True}),
    ):
        with pytest.raises(Taken):
            analysis.analyse(place / name, **changes)
