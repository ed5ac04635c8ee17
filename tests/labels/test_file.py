"""Labels as files: what is read is what was computed, and damage never passes for data."""

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates, checksums, computed_record, label_file, unlucky, write_records

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, FormatError, InputError
from jovium.base.grid import GridField
from jovium.base.localization import THOMAS_FERMI, elf_from_chi
from jovium.base.structure import Structure
from jovium.cli.main import main
from jovium.labels.audit import audit
from jovium.labels.file import (
    FORMAT,
    PROTOCOL,
    archive,
    prepare_folder,
    protocol_values,
    read_head,
    read_record,
    record_files,
)
from jovium.labels.labelling import Outcome, label
from jovium.labels.reading import read_labels, read_protocol
from jovium.labels.record import (
    COLUMNS,
    Candidate,
    LabelProtocol,
    failed_record,
    ok_record,
    record_sha256,
    sample_fields,
    structure_sha256,
)
from jovium.reference.kohn_sham import CHEAP, PRODUCTION
from jovium.reference.state import GroundState


def test_label_holds_what_the_engine_returned(path):
    candidate = candidates(3)[1]
    state = ClosedForm().ground_state(candidate.structure, CHEAP)
    stored = list(read_labels(path))[1]
    assert np.array_equal(stored.structure.positions, candidate.structure.positions)
    assert np.array_equal(stored.structure.cell.vectors, candidate.structure.cell.vectors)
    assert stored.free_energy == pytest.approx(state.free_energy, abs=1e-10)
    assert stored.energy == pytest.approx(stored.free_energy + stored.entropy_term, abs=1e-14)
    assert stored.forces == pytest.approx(state.forces, abs=1e-10)
    assert stored.stress == pytest.approx(state.stress, abs=1e-12)
    assert (stored.split, stored.group, stored.step, stored.temperature_kelvin) == ("train", "a", 1, 3000.0)
    assert stored.k_mesh == CHEAP.mesh(candidate.structure.cell)
    assert stored.density.integral() == pytest.approx(3, abs=1e-6)


def test_rounding_of_the_stored_elf_is_below_one_part_in_a_hundred_thousand(path):
    """And a float16 of the same size would err thirty times more."""
    candidate = candidates(3)[1]
    exact = ClosedForm().ground_state(candidate.structure, CHEAP).localization().elf.values
    error = np.abs(list(read_labels(path))[1].elf.values - exact).max()
    assert 1e-6 < error < 7.7e-6
    assert np.abs(exact.astype(np.float16) - exact).max() > 20 * error


def test_fields_are_sampled_not_cut_down():
    """tau with a wave that the coarse grid cannot hold: at its points the ELF is that of the formula."""
    cell = Cell(np.array([[3.0, 0.2, 0.1], [0.1, 2.8, 0.3], [0.2, -0.1, 3.1]]))

    def on(shape):
        s = cell.fractional(GridField(np.zeros(shape), cell).points())
        return np.full(shape, 0.1), (0.6 + 0.3 * np.cos(2 * np.pi * 6 * s[..., 0])) * THOMAS_FERMI * 0.1 ** (5 / 3)

    density, tau = (GridField(values, cell) for values in on((20, 18, 20)))
    structure = Structure(cell, np.zeros((1, 3)), ("H",))
    state = GroundState(structure, CHEAP, "", 0, 0, None, None, density, density, tau)
    elf, sampled, _ = sample_fields(state, 0.32)
    assert elf.shape == cell.grid_shape(0.32) == (10, 9, 10)
    _, tau = on(elf.shape)
    assert elf == pytest.approx(elf_from_chi(tau / (THOMAS_FERMI * 0.1 ** (5 / 3))), abs=1e-12)
    assert sampled == pytest.approx(0.1, abs=1e-14)


def test_identity_ignores_rounding_and_sees_everything_else():
    general = candidates(1)[0].structure
    structure = Structure(general.cell, general.positions.round(8), general.symbols)
    near = Structure(structure.cell, structure.positions + 1e-12, structure.symbols)
    far = Structure(structure.cell, structure.positions + 1e-8, structure.symbols)
    wide = Structure(Cell(structure.cell.vectors * 1.0000001), structure.positions, structure.symbols)
    assert structure_sha256(near) == structure_sha256(structure)
    assert len({structure_sha256(s) for s in (structure, far, wide)}) == 3


def test_labels_are_read_by_group_and_step_in_whatever_order_they_were_made(path, tmp_path):
    work = [*candidates(3), *candidates(2, "test-crystal", "b", seed=1)]
    for candidate in work[::-1]:
        label([candidate], tmp_path / "backwards", KNOWN, open_engine=ClosedForm)
    expected = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    assert [(stored.group, stored.step) for stored in read_labels(path)] == expected
    assert [(stored.group, stored.step) for stored in read_labels(tmp_path / "backwards")] == expected


def test_a_file_alone_says_what_it_is_to_any_reader_of_arrays(path):
    """Units and protocol are read without Jovium and without the rest of the folder."""
    with np.load(label_file(path, candidates(2)[1]), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].item())
        elf = arrays["elf"].reshape(arrays["grid_shape"]) / 65535
    assert about["columns"]["elf"] == {"unit": "1/65535", "meaning": COLUMNS[18].meaning}
    assert list(about["columns"]) == [column.name for column in COLUMNS]
    assert about["licence"] == "CC-BY-4.0"
    protocol = about["protocol"]
    assert protocol["cutoff_hartree"] == 20.0
    assert (protocol["functional"], protocol["code"], protocol["code_version"]) == ("PBE", "closed form", "1")
    assert {"pseudopotential", "k_spacing_per_bohr", "elf_definition"} <= protocol.keys()
    assert json.loads((path / PROTOCOL).read_text()) == about
    assert elf == pytest.approx(list(read_labels(path))[1].elf.values, abs=1e-7)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive at all" * 99, b"PK\x03\x04" + bytes(99), archive({"elf": np.zeros(3)}), archive({})],
    ids=["empty", "text", "head of an archive", "other arrays", "no arrays"],
)
def test_files_of_something_else_are_refused_by_name(path, content, capsys):
    file = label_file(path, candidates(1)[0])
    file.write_bytes(content)
    for read in (read_record, read_head):
        with pytest.raises(FormatError, match=f"(?s){file.name}.*copy it again"):
            read(file)
    with pytest.raises(FormatError, match=file.name):
        list(read_labels(path))
    assert main(["reference", "verify", str(path)]) == 1
    assert f"WRONG: {file}" in capsys.readouterr().out


def test_missing_and_empty_places_are_refused(tmp_path, capsys):
    with pytest.raises(InputError, match="is not there"):
        list(read_labels(tmp_path / "labels"))
    with pytest.raises(InputError, match="no labels in"):
        read_protocol(tmp_path)
    write_records(tmp_path)
    assert main(["reference", "verify", str(tmp_path)]) == 2
    assert "no labels in" in capsys.readouterr().err


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.8, 0.999])
def test_a_file_cut_off_anywhere_is_refused_and_computed_again(path, fraction):
    file, lines = label_file(path, candidates(1)[0]), []
    content = file.read_bytes()
    file.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(FormatError, match="copy it again"):
        list(read_labels(path))
    work = [*candidates(3), unlucky()]
    assert label(work, path, KNOWN, open_engine=ClosedForm, progress=lines.append) == Outcome(1, 2, 0, 1)
    assert file.read_bytes() == content
    assert [file.name in line.damage for line in lines] == [True]


def test_a_damaged_file_of_another_structure_stops_no_work_and_is_left_to_verify(path):
    file = label_file(path, candidates(1)[0])
    file.write_bytes(b"")
    assert label(candidates(4)[2:], path, KNOWN, open_engine=ClosedForm) == Outcome(1, 1, 0, 0)
    assert file.read_bytes() == b""
    assert [str(file) in problem for problem in audit(path).problems] == [True]


def test_no_changed_bit_passes_for_data(path):
    file = label_file(path, candidates(1)[0])
    content, expected = file.read_bytes(), record_sha256(read_record(file)[1])
    rng, refused = random.Random(0), 0
    for _ in range(400):
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)
        try:
            assert record_sha256(read_record(file)[1]) == expected  # the bit was in what nobody reads, such as a date
        except FormatError:
            refused += 1
    assert refused > 200


def rewrite(file, **changes):
    """The file with other arrays under the old checksum, as a whole archive."""
    with np.load(file) as arrays:
        file.write_bytes(archive({**arrays, **changes}))


def test_changed_numbers_are_noticed_on_reading_and_by_verify(path, capsys):
    file = label_file(path, candidates(1)[0])
    rewrite(file, density=1.0001 * read_record(file)[1]["density"])
    with pytest.raises(FormatError, match=f"{file.name}: does not match its sha256"):
        list(read_labels(path))
    assert main(["reference", "verify", str(path)]) == 1
    assert f"{file.name}: does not match its sha256" in capsys.readouterr().out
    rewrite(file, density=read_record(label_file(path, candidates(2)[1]))[1]["density"].astype("<f8"))
    with pytest.raises(FormatError, match="density of type float64"):
        read_record(file)


def test_changed_numbers_are_computed_again_where_they_are_asked_for(path):
    file = label_file(path, candidates(1)[0])
    content = file.read_bytes()
    rewrite(file, density=1.0001 * read_record(file)[1]["density"])
    assert read_head(file)[1].status == "ok"
    assert label(candidates(3), path, KNOWN, open_engine=ClosedForm) == Outcome(1, 2, 0, 0)
    assert file.read_bytes() == content


def test_a_copy_under_another_name_is_no_second_label(path):
    file = label_file(path, candidates(1)[0])
    file.with_stem("copy").write_bytes(file.read_bytes())
    with pytest.raises(FormatError, match=r"copy\.npz: is not named after the structure"):
        list(read_labels(path))


OTHER_PROTOCOLS = [
    ({"protocol": replace(CHEAP, cutoff=25.0)}, "cutoff_hartree 20.0"),
    ({"protocol": replace(CHEAP, k_spacing=None, k_mesh=(2, 2, 2))}, "k_mesh unset"),
    ({"engine": "closed form (2)"}, "code_version 1"),
    ({"spacing": 0.39}, "grid_spacing_bohr 0.4"),
]


@pytest.mark.parametrize(("changes", "message"), OTHER_PROTOCOLS)
@pytest.mark.parametrize("without", ["nothing", PROTOCOL])
def test_another_protocol_in_the_folder_is_refused_and_named(path, changes, message, without):
    """Also where protocol.json was lost: every label knows its protocol."""
    (path / without).unlink(missing_ok=True)
    with pytest.raises(InputError, match=message):
        label(candidates(4), path, replace(KNOWN, **changes), open_engine=ClosedForm)
    assert len(record_files(path)) == 6


def test_of_two_protocols_that_begin_at_once_the_second_is_refused(tmp_path, monkeypatch):
    real, other = os.link, protocol_values(replace(KNOWN, spacing=0.39))

    def late(source, target):
        monkeypatch.setattr(os, "link", real)
        Path(source).rename(parked := tmp_path / "parked")
        prepare_folder(tmp_path, other)
        parked.rename(source)
        real(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(InputError, match=r"grid_spacing_bohr 0\.39"):
        prepare_folder(tmp_path, protocol_values(KNOWN))
    prepare_folder(tmp_path, other)
    assert [file.name for file in tmp_path.iterdir()] == [PROTOCOL]


def test_a_damaged_protocol_is_written_again_from_the_command(path):
    (path / PROTOCOL).write_text("{")
    with pytest.raises(FormatError, match=r"(?s)protocol\.json.*delete it and repeat"):
        label(candidates(3), path, KNOWN, open_engine=ClosedForm)
    assert any(PROTOCOL in problem for problem in audit(path).problems)
    (path / PROTOCOL).unlink()
    assert audit(path).problems == ()
    label(candidates(3), path, KNOWN, open_engine=ClosedForm)
    assert json.loads((path / PROTOCOL).read_text())["protocol"] == read_protocol(path)


def test_labels_of_two_protocols_in_one_folder_are_not_read(path, tmp_path):
    other = replace(KNOWN, spacing=0.39)
    label(candidates(1, seed=9), tmp_path / "other", other, open_engine=ClosedForm)
    (file,) = record_files(tmp_path / "other")
    file.rename(path / file.name)
    with pytest.raises(InputError, match=r"another protocol: .*grid_spacing_bohr"):
        list(read_labels(path))
    assert any("another protocol" in problem for problem in audit(path).problems)


def test_the_protocol_of_a_folder_is_that_of_each_of_its_files(path):
    expected = {"format": FORMAT, **KNOWN.attributes()}
    assert all(read_protocol(place) == expected for place in (path, *record_files(path)))


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan"), 0.6])
def test_spacings_that_lose_electrons_are_refused(spacing):
    with pytest.raises(InputError, match="grid spacing"):
        LabelProtocol(CHEAP, "closed form (1)", spacing)
    with pytest.raises(InputError, match=r"below 0\.186 angstrom"):
        LabelProtocol(PRODUCTION, "closed form (1)", 0.36)


@pytest.mark.parametrize("split", ["exam", "Train", "test_", ""])
def test_unknown_splits_are_refused(split):
    with pytest.raises(InputError, match=f"split '{split}'"):
        Candidate(candidates(1)[0].structure, split)


def test_states_of_another_engine_are_not_labelled():
    candidate = candidates(1)[0]
    state = replace(ClosedForm().ground_state(candidate.structure, CHEAP), engine="closed form (0)")
    with pytest.raises(EngineError, match="closed form"):
        ok_record(candidate, state, KNOWN)


def test_labels_do_not_depend_on_how_the_work_was_divided(path, tmp_path):
    work = [*candidates(3), *candidates(2, "test-crystal", "b", seed=1), unlucky()]
    for i in (2, 0, 1):
        label(work[i::3], tmp_path / "shards", KNOWN, open_engine=ClosedForm)
    assert checksums(tmp_path / "shards") == checksums(path)
    assert audit(tmp_path / "shards").problems == ()


def test_a_failure_never_takes_the_place_of_a_label(tmp_path):
    candidate = candidates(1)[0]
    good, bad = computed_record(candidate), failed_record(candidate, "EngineError: out of memory", 1.0, KNOWN)
    write_records(tmp_path, bad, good, bad)
    assert [read_head(file)[1].status for file in record_files(tmp_path)] == ["ok"]
    record_files(tmp_path)[0].write_bytes(b"")
    write_records(tmp_path, bad)
    assert [read_head(file)[1].status for file in record_files(tmp_path)] == ["failed"]
