"""Labels of compounds: their elements and electrons are kept, beside hydrogen, whose files are what they were."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.data import chemical_symbols
from ase.spacegroup import crystal
from known_labels import (
    KNOWN,
    ClosedForm,
    candidates,
    checksums,
    compounds,
    computed_record,
    label_file,
    unlucky,
    write_records,
)

from jovium.base.errors import FormatError, StructureError
from jovium.cli.main import main
from jovium.elf.samples import read_samples
from jovium.labels import file as labels_file
from jovium.labels.audit import audit
from jovium.labels.file import PROTOCOL, archive, read_record, write_record
from jovium.labels.labelling import Outcome, label
from jovium.labels.packed import pack, read_packed
from jovium.labels.reading import read_labels
from jovium.labels.record import COLUMNS, COMPOUND_COLUMNS, Candidate, structure_sha256
from jovium.reference.compounds import protocol_for
from jovium.reference.engine import ground_state
from jovium.reference.kohn_sham import CHEAP
from jovium.reference.pseudopotential import pseudopotential, valence_electrons
from jovium.workflows.data_card import read_label_points

run = partial(label, label_protocol=KNOWN, open_engine=ClosedForm)
WORK = [*candidates(3), *compounds(), *compounds("test", "b")[:1]]
WORK[-1] = replace(WORK[-1], structure=WORK[-1].structure.at_rs(1.6))
TINY = Path(__file__).parents[1] / "data" / "tiny_labels"


@pytest.fixture
def mixed(tmp_path):
    """Hydrogen and compounds in one folder, most of them in one group."""
    run(WORK, tmp_path / "mixed")
    return tmp_path / "mixed"


@pytest.fixture(params=["files", "packed"])
def place(request, mixed):
    if request.param == "files":
        return mixed
    pack(mixed, mixed.parent)
    return mixed.parent


def spoil(record, **changes):
    return record | {name: np.array(value, dtype=record[name].dtype) for name, value in changes.items()}


def test_a_compound_is_read_as_it_was_labelled(place):
    engine = ClosedForm()
    for stored, candidate in zip(read_labels(place), WORK, strict=True):
        state = engine.ground_state(candidate.structure, CHEAP)
        assert stored.structure.symbols == candidate.structure.symbols
        assert np.array_equal(stored.structure.positions, candidate.structure.positions)
        assert stored.energy == pytest.approx(state.energy, abs=1e-9)
        assert stored.forces == pytest.approx(state.forces, abs=1e-9)
        elf = state.localization().elf.values
        assert np.abs(stored.elf.values - elf).max() < (5.1e-4 if stored.density is None else 8e-6)
        if stored.density is not None:
            electrons = sum(pseudopotential(symbol).charge for symbol in stored.structure.symbols)
            assert stored.density.integral() == pytest.approx(electrons, abs=1e-5)
    assert audit(place).problems == ()


def test_half_done_and_repeated_the_labels_are_those_of_one_run(mixed, tmp_path):
    assert run(WORK[::2], tmp_path / "half").labelled == len(WORK[::2])
    assert run(WORK, tmp_path / "half").present == len(WORK[::2])
    assert checksums(tmp_path / "half") == checksums(mixed)


def test_the_identity_of_a_compound_is_that_of_its_elements_too():
    structure = candidates(1)[0].structure
    species = [("H",) * 4, ("S", "H", "H", "H"), ("H", "S", "H", "H"), ("Se", "H", "H", "H"), ("S",) * 4]
    assert len({structure_sha256(replace(structure, symbols=names)) for names in species}) == len(species)


@pytest.mark.parametrize("names", ["HHHH", "SHHH"])
def test_isotopes_have_the_label_of_hydrogen(tmp_path, names):
    """Nothing in a label depends on the mass of a nucleus, so none is kept."""
    c = candidates(1)[0]
    light, heavy = (
        replace(c, structure=replace(c.structure, symbols=tuple(word))) for word in (names, names[0] + "DTH")
    )
    assert run([light, heavy], tmp_path / "labels") == Outcome(1, 0, 0, 0)
    run([heavy], tmp_path / "heavy")
    assert checksums(tmp_path / "heavy") == checksums(tmp_path / "labels")
    assert next(read_labels(tmp_path / "heavy")).structure.symbols == tuple(names)


def test_hydrogen_written_again_is_the_same_to_the_last_byte(tmp_path, monkeypatch):
    for file in TINY.glob("*.npz"):
        protocol, record = read_record(file)
        with np.load(file) as arrays:
            monkeypatch.setattr(labels_file, "__version__", json.loads(arrays["about"].item())["jovium_version"])
        labels_file.prepare_folder(tmp_path, protocol)
        write_record(tmp_path, record, protocol)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == {f.name: f.read_bytes() for f in TINY.iterdir()}


def test_hydrogen_beside_compounds_keeps_its_record(mixed, tmp_path):
    run(candidates(3), tmp_path / "alone")
    for candidate in candidates(3):
        beside, alone = (label_file(folder, candidate).read_bytes() for folder in (mixed, tmp_path / "alone"))
        assert beside == alone
    (packed,) = pack(tmp_path / "alone", tmp_path)
    before = packed.read_bytes()
    pack(mixed, tmp_path)  # the compounds join the group, and the hydrogen in it stays as it was
    records = {record["structure_sha256"].item().decode(): record for record in read_packed(packed)[1]}
    for candidate in candidates(3):
        assert "atomic_numbers" not in records[structure_sha256(candidate.structure)]
    assert packed.read_bytes() != before
    run(candidates(3), tmp_path / "again")
    packed.unlink()
    pack(tmp_path / "again", tmp_path)
    assert packed.read_bytes() == before


def test_a_file_of_a_compound_says_what_it_is_to_any_reader_of_arrays(mixed):
    with np.load(label_file(mixed, WORK[4]), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].item())
        assert arrays["pseudopotentials"].item() == b"H GTH-PBE-q1, La GTH-PBE-q11"
        assert arrays["atomic_numbers"].tolist() == [57, 1, 1]
        assert arrays["valence_electrons"] == 13
    assert list(about["columns"]) == [column.name for column in COMPOUND_COLUMNS]
    words = json.dumps(about).replace(json.dumps(about["columns"]["atomic_numbers"]), "")
    assert "every atom is hydrogen" not in words
    assert "dense hydrogen" not in words
    assert "protons" not in words


def test_protocol_of_a_folder_explains_the_columns_of_compounds_as_soon_as_there_are_some(tmp_path):
    run(candidates(2), tmp_path)
    assert list(json.loads((tmp_path / PROTOCOL).read_text())["columns"]) == [column.name for column in COLUMNS]
    run(WORK, tmp_path)
    described = (tmp_path / PROTOCOL).read_text()
    assert list(json.loads(described)["columns"]) == [column.name for column in COMPOUND_COLUMNS]
    run(candidates(4), tmp_path)
    assert (tmp_path / PROTOCOL).read_text() == described


def test_verify_names_compounds_and_pack_keeps_them(mixed, tmp_path, capsys):
    assert main(["reference", "pack", str(mixed), str(tmp_path)]) == 0
    for folder in (mixed, tmp_path):
        capsys.readouterr()
        assert main(["reference", "verify", str(folder)]) == 0
        out = capsys.readouterr().out
        for row in ("3 | train", "4 (H3S) | train", "4 (H3S) | test", "3 (LaH2) | train", "3 (LiH2) |", "4 (Si) |"):
            assert f"| {row}" in out, out
        assert main(["reference", "verify", str(folder), "--json"]) == 0
        states = json.loads(capsys.readouterr().out)["states"]
        assert {state["formula"] for state in states} == {"H", "H2S", "H3S", "LaH2", "LiH2", "Si"}


def test_a_compound_that_does_not_converge_is_recorded_as_one(tmp_path):
    failing = unlucky()
    failing = replace(failing, structure=replace(failing.structure, symbols=("H", "S", "H", "H")))
    assert run([failing, *compounds()], tmp_path / "labels").failed == 1
    found = audit(tmp_path / "labels")
    assert (found.problems, len(found.failures)) == ((), 1)
    assert [state.formula for state in found.states if state.failed] == ["H3S"]


class Particular(ClosedForm):
    """An engine that finds out at work that a structure is not for it."""

    def ground_state(self, structure, protocol, *, fields=True, stress=True):
        if "S" in structure.symbols:
            raise StructureError("an odd number of electrons", "an even one", "double the cell")
        return super().ground_state(structure, protocol)


def test_what_the_engine_refuses_at_work_is_recorded_and_the_rest_is_labelled(tmp_path):
    outcome = label(WORK, tmp_path, KNOWN, open_engine=Particular)
    assert (outcome.labelled, outcome.failed) == (7, 3)
    assert all("StructureError: an odd number of electrons" in failure for failure in audit(tmp_path).failures)


LANTHANUM, SULPHUR = computed_record(compounds()[1]), computed_record(compounds()[0])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (spoil(LANTHANUM, density=LANTHANUM["density"] * 3 / 13), "3.00000 electrons for 3 atoms with 13 valence"),
        (spoil(LANTHANUM, valence_electrons=3), "13.00000 electrons for 3 atoms with 3 valence"),
        (spoil(LANTHANUM, atomic_numbers=[58, 1, 1]), "not the structure its identity names"),
        (spoil(LANTHANUM, atomic_numbers=[1, 57, 1]), "not the structure its identity names"),
        (spoil(LANTHANUM, atomic_numbers=[1, 1, 1]), "not the structure its identity names"),
        (spoil(LANTHANUM, atomic_numbers=[0, 1, 1]), "label '0'"),
        (spoil(LANTHANUM, atomic_numbers=[200, 1, 1]), "label '200'"),
        (spoil(LANTHANUM, atomic_numbers=[-57, 1, 1]), "label '-57'"),
        (spoil(LANTHANUM, pseudopotentials=b"H GTH-PBE-q1, S GTH-PBE-q6"), "pseudopotentials 'H .*' for LaH2"),
        (spoil(LANTHANUM, pseudopotentials=b"GTH-PBE-q1"), "pseudopotentials 'GTH-PBE-q1' for LaH2"),
        (spoil(LANTHANUM, pseudopotentials=b"H GTH-PBE-q0, La GTH-PBE-q11"), "H GTH-PBE-q0 beside H GTH-PBE-q1: two"),
    ],
    ids=lambda value: value[:32] if isinstance(value, str) else "",
)
def test_verify_finds_every_kind_of_wrong_compound(tmp_path, record, message):
    write_records(tmp_path / "labels", record, SULPHUR)
    problems = audit(tmp_path / "labels").problems
    assert any(re.search(message, problem) for problem in problems), problems


@pytest.mark.parametrize("lost", [column.name for column in COMPOUND_COLUMNS[len(COLUMNS) :]])
def test_a_compound_whose_columns_are_lost_passes_for_nothing_else(mixed, lost):
    file = label_file(mixed, WORK[4])
    with np.load(file) as arrays:
        content = {name: arrays[name] for name in arrays if name != lost}
    about = json.loads(content["about"].item())
    for text in (json.dumps(about), json.dumps(about | {"columns": {c.name: {} for c in COLUMNS}})):
        file.write_bytes(archive(content | {"about": np.array(text.encode())}))
        with pytest.raises(FormatError, match=file.name):
            read_record(file)


def test_elements_without_a_pseudopotential_are_refused_before_anything_is_computed(tmp_path):
    structure = candidates(1)[0].structure
    refused = []
    for symbol in chemical_symbols[1:]:
        compound = Candidate(replace(structure, symbols=(symbol, "H", "H", "H")))
        try:
            valence_electrons(compound.structure, "PBE")
        except StructureError:
            refused.append(symbol)
            with pytest.raises(StructureError, match=f"^{symbol}: no pseudopotential"):
                label([*WORK, compound], tmp_path / "labels", KNOWN, open_engine=partial(pytest.fail, "work began"))
    assert {"Fr", "U", "Og"} < set(refused)
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize("read", [lambda path: read_samples([path]), read_label_points])
def test_the_network_of_hydrogen_and_its_data_card_take_no_compound(place, read):
    with pytest.raises(StructureError, match=r"^a label of (H3S|LaH2|LiH2|Si) \(group"):
        read(place)


def test_training_on_compounds_is_refused_in_three_lines(mixed, tmp_path, capsys):
    assert main(["elf", "train", str(tmp_path / "run"), str(mixed), "--steps", "1"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "a label of" in said[0]
    assert "hydrogen alone" in said[1]


def test_every_compound_has_the_cutoff_of_its_elements_and_the_mesh_of_a_compound(tmp_path):
    """Lithium at the cutoff of hydrogen has a pressure that is off by hundreds of gigapascal."""
    asked = {}

    class Watched(ClosedForm):
        def ground_state(self, structure, protocol, **parts):
            asked[structure_sha256(structure)] = protocol
            return super().ground_state(structure, protocol, **parts)

    run(WORK, tmp_path / "labels", open_engine=Watched)
    for candidate in WORK:
        structure, record = candidate.structure, read_record(label_file(tmp_path / "labels", candidate))[1]
        protocol = protocol_for(structure, CHEAP)
        assert asked[structure_sha256(structure)] == protocol
        assert tuple(record["k_mesh"]) == protocol.mesh(structure.cell)
        assert structure.is_pure_hydrogen or (record["cutoff"], record["k_offset"]) == (
            protocol.cutoff,
            protocol.k_offset,
        )
    assert {asked[structure_sha256(c.structure)].cutoff for c in WORK} > {20.0}


def test_the_label_of_a_crystal_is_its_ground_state(tmp_path, capsys):
    """H3S, Im-3m, from first principles, through the command."""
    atoms = crystal(
        ["S", "H"], [(0, 0, 0), (0, 0.5, 0.5)], spacegroup=229, cellpar=[2.984] * 3 + [90] * 3, primitive_cell=True
    )
    ase.io.write(tmp_path / "H3S.cif", atoms)
    command = ["reference", "label", str(tmp_path / "H3S.cif"), str(tmp_path / "labels"), "--protocol", "cheap"]
    assert main(command) == 0
    assert "N 4 (H3S)" in capsys.readouterr().out
    (stored,) = read_labels(tmp_path / "labels")
    state = ground_state(stored.structure, protocol_for(stored.structure, CHEAP))
    assert stored.energy == pytest.approx(state.energy, abs=1e-8)
    assert stored.pressure == pytest.approx(state.pressure, abs=1e-9)
    assert np.abs(state.localization(stored.elf.shape).elf.values - stored.elf.values).max() < 1e-4
    assert state.record()["pseudopotential"] == "H GTH-PBE-q1, S GTH-PBE-q6"
    assert main(["reference", "verify", str(tmp_path / "labels")]) == 0
