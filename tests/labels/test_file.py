"""The file of labels: what is read is what was computed, and damage never passes for data."""

import json
import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates, unlucky

from jovium.base.cell import Cell
from jovium.base.errors import EngineError, FormatError, InputError
from jovium.base.grid import GridField
from jovium.base.localization import THOMAS_FERMI, elf_from_chi
from jovium.base.structure import Structure
from jovium.base.units import PRESSURE_GPA, kelvin_to_hartree
from jovium.cli.main import main
from jovium.labels.audit import audit
from jovium.labels.file import Labels, LabelWriter, merge
from jovium.labels.labelling import label
from jovium.labels.record import (
    COLUMNS,
    Candidate,
    LabelProtocol,
    ok_record,
    record_sha256,
    sampled_fields,
    structure_sha256,
)
from jovium.reference.kohn_sham import CHEAP, PRODUCTION
from jovium.reference.state import GroundState


@pytest.fixture
def path(tmp_path):
    """Five labels in two splits, and a failure."""
    path = tmp_path / "labels.h5"
    work = [*candidates(3), *candidates(2, "test-crystal", "b", seed=1), unlucky()]
    label(work, path, KNOWN, open_engine=ClosedForm)
    return path


def record_of(candidate: Candidate):
    return ok_record(candidate, ClosedForm().ground_state(candidate.structure, CHEAP), KNOWN)


def write(path, *records):
    with LabelWriter(path, KNOWN) as writer:
        for record in records:
            writer.append(record)


def test_label_holds_what_the_engine_returned(path):
    candidate = candidates(3)[1]
    state = ClosedForm().ground_state(candidate.structure, CHEAP)
    with Labels(path) as labels:
        found = labels[1]
    assert np.array_equal(found.structure.positions, candidate.structure.positions)
    assert np.array_equal(found.structure.cell.vectors, candidate.structure.cell.vectors)
    assert found.free_energy == pytest.approx(state.free_energy, abs=1e-10)
    assert found.energy == pytest.approx(found.free_energy + found.entropy_term, abs=1e-14)
    assert found.forces == pytest.approx(state.forces, abs=1e-10)
    assert found.stress == pytest.approx(state.stress, abs=1e-12)
    assert (found.split, found.group, found.step, found.temperature_kelvin) == ("train", "a", 1, 3000.0)
    assert found.k_mesh == CHEAP.mesh(candidate.structure.cell)
    assert found.density.integral() == pytest.approx(3, abs=1e-6)


def test_rounding_of_the_stored_elf_is_below_one_part_in_a_hundred_thousand(path):
    """And a float16 of the same size would err thirty times more."""
    candidate = candidates(3)[1]
    exact = ClosedForm().ground_state(candidate.structure, CHEAP).localization().elf.values
    with Labels(path) as labels:
        error = np.abs(labels[1].elf.values - exact).max()
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
    elf, sampled, _ = sampled_fields(state, 0.32)
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


def test_splits_and_groups_are_selected(path):
    with Labels(path) as labels:
        assert len(labels) == 5
        assert labels.select(split="train").tolist() == [0, 1, 2]
        assert labels.select(group="b").tolist() == [3, 4]
        assert labels.select().tolist() == [0, 1, 2, 3, 4]
        assert [found.group for found in labels] == ["a"] * 3 + ["b"] * 2
        with pytest.raises(InputError, match="one of: test-crystal, train"):
            labels.select(split="validation")


def test_file_says_what_it_is_to_any_hdf5_reader(path):
    """Units and protocol are read without Jovium."""
    with h5py.File(path) as h5:
        assert h5.attrs["cutoff_hartree"] == 20.0
        assert h5.attrs["licence"] == "CC-BY-4.0"
        assert h5.attrs["functional"] == "PBE"
        assert h5.attrs["code"] == "closed form"
        assert h5.attrs["code_version"] == "1"
        assert {"pseudopotential", "k_spacing_per_bohr", "elf_definition", "created", "jovium_version"} <= set(h5.attrs)
        assert all(h5[c.name].attrs["unit"] == c.unit and h5[c.name].attrs["meaning"] for c in COLUMNS)
        start, end = h5["grid_offset"][1:3]
        elf = h5["elf"][start:end].reshape(h5["grid_shape"][1]) * h5["elf"].attrs["scale"]
    with Labels(path) as labels:
        assert elf == pytest.approx(labels[1].elf.values, abs=1e-7)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"not HDF5 at all" * 99, "signature"), (b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "labels.h5")],
)
def test_files_of_something_else_are_refused(tmp_path, content, message):
    (tmp_path / "labels.h5").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        Labels(tmp_path / "labels.h5")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        Labels(tmp_path / "labels.h5")


def test_hdf5_of_something_else_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as h5:
        h5["elf"] = np.zeros(3)
    with pytest.raises(FormatError, match=r"other\.h5"):
        Labels(tmp_path / "other.h5")


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.8, 0.999])
def test_file_cut_off_anywhere_is_refused_by_reader_and_writer(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match="copy it again"):
        Labels(path)
    with pytest.raises(FormatError):
        LabelWriter(path, KNOWN)


def test_changed_numbers_are_noticed_on_reading_and_by_verify(path, capsys):
    with h5py.File(path, "r+") as h5:
        h5["density"][7] *= 1.0001
    with Labels(path) as labels:
        with pytest.raises(FormatError, match="row 0 does not match its sha256"):
            labels[0]
        assert labels[1].split == "train"
    assert main(["reference", "verify", str(path)]) == 1
    assert "WRONG: row 0 (a, step 0): does not match its sha256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": replace(CHEAP, cutoff=25.0)}, "cutoff_hartree 20.0"),
        ({"protocol": replace(CHEAP, k_spacing=None, k_mesh=(2, 2, 2))}, "k_mesh unset"),
        ({"engine": "closed form (2)"}, "code_version 1"),
        ({"spacing": 0.39}, "grid_spacing_bohr 0.4"),
    ],
)
def test_another_protocol_in_the_file_is_refused_and_named(path, changes, message):
    with pytest.raises(InputError, match=message):
        LabelWriter(path, replace(KNOWN, **changes))


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


def test_verify_prints_the_table_of_states(path, capsys):
    assert main(["reference", "verify", str(path)]) == 0
    out = capsys.readouterr().out
    volume = candidates(2)[1].structure.cell.volume
    pressure = (0.01 + 3 * kelvin_to_hartree(3000) / volume) * PRESSURE_GPA
    assert f"| 1.595 | 3000 | 3 | train | 1 | 2 | 0 | {pressure:.1f} |" in out
    assert "failed: row 5 (a, step 99): NotConverged: self-consistent field not converged" in out
    assert "all checks passed" in out
    assert main(["reference", "verify", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["labels"] == 5
    assert sum(state["failed"] for state in facts["states"]) == len(facts["failures"]) == 1
    assert facts["problems"] == []


def spoiled(name, change):
    record = record_of(candidates(2)[1])
    record[name] = np.array(change(record[name]), dtype=record[name].dtype)
    return record


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (spoiled("energy", lambda e: np.nan), "energy not finite"),
        (spoiled("density", lambda n: 1.01 * n), "3.03000 electrons for 3 atoms"),
        (spoiled("forces", lambda f: f + 0.001), "net force"),
        (spoiled("free_energy", lambda f: f + 1e-6), "F differs from E - T S"),
        (spoiled("positions", lambda r: r + 0.1), "not the structure its identity names"),
        (spoiled("positions", lambda r: r * np.nan), "finite coordinates|nan"),
        (spoiled("k_mesh", lambda k: k + 1), "k-mesh"),
        (spoiled("grid_shape", lambda n: n[::-1]), "a grid of"),
        (spoiled("stress", lambda s: s + np.diag([1e-3, 1e-3], 1)), "asymmetric stress"),
        (spoiled("status", lambda s: b"perhaps"), "status 'perhaps'"),
        (spoiled("status", lambda s: b"failed"), "failed without a reason"),
        (spoiled("split", lambda s: b"exam"), "split 'exam'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_verify_finds_every_kind_of_wrong_row(tmp_path, record, message):
    write(tmp_path / "labels.h5", record_of(candidates(3)[2]), record)
    problems = audit(tmp_path / "labels.h5").problems
    assert any(re.search(message, problem) for problem in problems), problems
    assert not any("row 0" in problem for problem in problems)


def test_verify_finds_structures_and_groups_in_two_splits(tmp_path):
    train, test = candidates(1)[0], candidates(1, split="test", group="b")[0]
    other = candidates(2, split="test")[1]
    write(tmp_path / "labels.h5", record_of(train), record_of(test), record_of(other))
    problems = audit(tmp_path / "labels.h5").problems
    assert any(p.startswith("structure ") and p.endswith("in the splits test and train") for p in problems)
    assert "group a is in the splits test and train" in problems


def test_verify_of_a_file_without_labels_is_wrong(tmp_path):
    write(tmp_path / "labels.h5")
    assert audit(tmp_path / "labels.h5").problems == ("no structures",)


def rows(path):
    """Everything in a file by structure, checksums included, wall times not."""
    with Labels(path) as labels:
        found = {}
        for row in [*labels.ok, *labels.failed]:
            record = labels.checked_record(int(row))
            found[record["structure_sha256"].item()] = record_sha256(record)
        return found


def test_merge_does_not_depend_on_how_the_work_was_divided(path, tmp_path):
    work = [*candidates(3), *candidates(2, "test-crystal", "b", seed=1), unlucky()]
    for i in range(3):
        label(work[i::3], tmp_path / f"shard-{i}.h5", KNOWN, open_engine=ClosedForm)
    shards = [tmp_path / f"shard-{i}.h5" for i in (2, 0, 1)]
    assert merge(tmp_path / "merged.h5", shards) == (5, 1)
    assert rows(tmp_path / "merged.h5") == rows(path)
    assert merge(tmp_path / "one.h5", [path]) == (5, 1)
    with Labels(tmp_path / "merged.h5") as merged, Labels(tmp_path / "one.h5") as one:
        names = [name for name in merged.columns if name != "seconds"]
        assert all(
            np.array_equal(merged.columns[name], one.columns[name], equal_nan=True)
            for name in names
            if merged.columns[name].dtype.kind == "f"
        )
        assert all(np.array_equal(merged.columns[n], one.columns[n]) for n in names if one.columns[n].dtype.kind != "f")
    assert audit(tmp_path / "merged.h5").problems == ()


def test_merge_adds_to_what_is_there_and_drops_duplicates(path, tmp_path):
    label(candidates(1, "test", "c", seed=5), tmp_path / "more.h5", KNOWN, open_engine=ClosedForm)
    before = rows(path)
    assert merge(path, [tmp_path / "more.h5", tmp_path / "more.h5", path]) == (6, 1)
    assert before.items() <= rows(path).items()


def test_merge_prefers_a_label_to_a_failure(tmp_path):
    class Lucky(ClosedForm):
        def ground_state(self, structure, protocol, *, fields=True, stress=True):
            moved = Structure(structure.cell, structure.positions + 1e-11, structure.symbols)
            return replace(super().ground_state(moved, protocol), structure=structure)

    label([unlucky()], tmp_path / "failed.h5", KNOWN, open_engine=ClosedForm)
    label([unlucky()], tmp_path / "ok.h5", KNOWN, open_engine=Lucky)
    assert merge(tmp_path / "out.h5", [tmp_path / "failed.h5", tmp_path / "ok.h5"]) == (1, 0)


def test_merge_refuses_other_protocols_and_leaking_splits(path, tmp_path):
    fine = replace(KNOWN, spacing=0.35)
    label(candidates(1, seed=7), tmp_path / "fine.h5", fine, open_engine=ClosedForm)
    with pytest.raises(InputError, match=r"grid_spacing_bohr 0\.35"):
        merge(tmp_path / "out.h5", [path, tmp_path / "fine.h5"])
    label(candidates(1, "test", "a", seed=7), tmp_path / "leak.h5", KNOWN, open_engine=ClosedForm)
    assert main(["reference", "merge", str(tmp_path / "out.h5"), str(path), str(tmp_path / "leak.h5")]) == 2
    assert not (tmp_path / "out.h5").exists()
    with pytest.raises(InputError, match="No such file"):
        merge(tmp_path / "out.h5", [tmp_path / "absent.h5"])
