"""Packed labels are the labels: every number but the density, the ELF to half a thousandth."""

from dataclasses import replace

import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates, unlucky

from jovium.base.errors import FormatError, InputError
from jovium.cli.main import main
from jovium.labels.labelling import label
from jovium.labels.packed import pack, read_packed
from jovium.labels.reading import read_labels, read_protocol, structure_identities
from jovium.labels.record import structure_sha256
from jovium.reference.trajectory import frame_lines


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "labels"
    several = [*candidates(5, group="a/1"), *candidates(3, split="test", group="b", seed=7), unlucky(group="a/1")]
    label(several, path, KNOWN, open_engine=ClosedForm)
    return path


def test_unpacked_labels_are_the_packed_ones(labelled, tmp_path):
    files = pack(labelled, tmp_path)
    assert [file.name for file in files] == ["a_1.labels.xz", "b.labels.xz"]
    originals = list(read_labels(labelled))
    packed = list(read_labels(tmp_path))
    assert [(label.group, label.step) for label in packed] == [(label.group, label.step) for label in originals]
    for unpacked, original in zip(packed, originals, strict=True):
        assert np.abs(unpacked.elf.values - original.elf.values).max() < 5.1e-4
        assert unpacked.density is None
        assert np.array_equal(unpacked.elf.cell.vectors, original.elf.cell.vectors)
        for name in ("energy", "free_energy", "entropy_term", "split", "temperature_kelvin", "k_mesh"):
            assert getattr(unpacked, name) == getattr(original, name)
        for name in ("forces", "stress"):
            np.testing.assert_array_equal(getattr(unpacked, name), getattr(original, name))
        np.testing.assert_array_equal(unpacked.structure.positions, original.structure.positions)
    assert read_protocol(tmp_path) == read_protocol(labelled)


def test_order_of_the_work_does_not_change_the_packed_file(labelled, tmp_path):
    again = tmp_path / "again"
    label(candidates(5, group="a/1")[::-1], again, KNOWN, open_engine=ClosedForm)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    pack(labelled, tmp_path / "first")
    pack(again, tmp_path / "second")
    first, second = (tmp_path / name / "a_1.labels.xz" for name in ("first", "second"))
    assert [stored.step for stored in read_labels(first)] == [0, 1, 2, 3, 4]
    for before, after in zip(read_packed(first)[1], read_packed(second)[1], strict=True):
        assert all(np.array_equal(before[name], after[name]) for name in before if name != "seconds")
    assert read_packed(first)[0]["cutoff_hartree"] == KNOWN.protocol.cutoff


def test_packing_adds_to_what_is_there(labelled, tmp_path):
    pack(labelled, tmp_path)
    before = [stored.elf.values for stored in read_labels(tmp_path / "a_1.labels.xz")]
    more = tmp_path / "more"
    label(candidates(7, group="a/1")[4:], more, KNOWN, open_engine=ClosedForm)
    pack(more, tmp_path)
    after = list(read_labels(tmp_path / "a_1.labels.xz"))
    assert [stored.step for stored in after] == [0, 1, 2, 3, 4, 5, 6]
    for elf, stored in zip(before, after, strict=False):
        np.testing.assert_array_equal(elf, stored.elf.values)
    fine = tmp_path / "fine"
    label(candidates(1, group="a/1"), fine, replace(KNOWN, spacing=0.3), open_engine=ClosedForm)
    with pytest.raises(InputError, match="another protocol"):
        pack(fine, tmp_path)


def test_structures_of_labels_packed_or_not_are_known(labelled, tmp_path):
    """Failures are none."""
    pack(labelled, tmp_path)
    several = [*candidates(5, group="a/1"), *candidates(3, split="test", group="b", seed=7)]
    expected = {structure_sha256(candidate.structure) for candidate in several}
    assert structure_identities(tmp_path) == structure_identities(labelled) == expected


def test_known_structures_are_not_labelled_again(labelled, tmp_path, capsys):
    pack(labelled, tmp_path)
    several = candidates(5, group="a/1")
    source = tmp_path / "frames.extxyz"
    source.write_text("".join(line for c in several for line in frame_lines(c.structure, {"group": "a/1"})))
    command = ["reference", "label", str(source), str(tmp_path / "new"), "--known", str(tmp_path)]
    assert main(command) == 0
    assert "every structure is labelled" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_differences_wrap_around_and_come_back():
    from jovium.labels.packed import _differences, _values

    values = np.random.default_rng(0).integers(0, 1024, size=(4, 5, 6)).astype(np.uint16)
    np.testing.assert_array_equal(_values(_differences(values)), values)


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"no xz" + c])
def test_damaged_files_are_refused(labelled, tmp_path, damage):
    file = pack(labelled, tmp_path)[0]
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(FormatError, match="pack"):
        read_packed(file)


def test_nothing_to_read_or_to_pack_is_refused(tmp_path):
    with pytest.raises(InputError, match="no labels"):
        list(read_labels(tmp_path))
    with pytest.raises(InputError, match="no labels"):
        pack(tmp_path, tmp_path)
    with pytest.raises(InputError, match="not there"):
        read_packed(tmp_path / "a.labels.xz")
    nameless = tmp_path / "nameless"
    label(candidates(1, group=""), nameless, KNOWN, open_engine=ClosedForm)
    with pytest.raises(InputError, match="group"):
        pack(nameless, tmp_path)


def test_verify_takes_packed_labels(labelled, tmp_path, capsys):
    pack(labelled, tmp_path)
    assert main(["reference", "verify", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "8 labels, 0 failed" in out
    assert "electron number unknown (no density)" in out
    assert "all checks passed" in out


def test_verify_finds_packed_labels_of_two_protocols_and_in_two_splits(labelled, tmp_path, capsys):
    pack(labelled, tmp_path)
    fine = tmp_path / "fine"
    label(candidates(1, split="test", group="c"), fine, replace(KNOWN, spacing=0.3), open_engine=ClosedForm)
    pack(fine, tmp_path)
    assert main(["reference", "verify", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "c.labels.xz: another protocol" in out
    assert "in the splits test and train" in out


def test_command_names_its_files(labelled, tmp_path, capsys):
    assert main(["reference", "pack", str(labelled), str(tmp_path)]) == 0
    assert "b.labels.xz" in capsys.readouterr().out
