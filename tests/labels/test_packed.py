"""Packed labels are the labels: every number but the density, the ELF to half a thousandth."""

from dataclasses import replace

import numpy as np
import pytest
from known_labels import KNOWN, ClosedForm, candidates, unlucky

from jovium.base.errors import FormatError, InputError
from jovium.cli.main import main
from jovium.labels.file import Labels
from jovium.labels.fluid_frames import frame_lines
from jovium.labels.labelling import label
from jovium.labels.packed import pack, packed_structures, read_packed, read_records
from jovium.labels.record import structure_sha256


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "labels.h5"
    several = [*candidates(5, group="a/1"), *candidates(3, split="test", group="b", seed=7), unlucky(group="a/1")]
    label(several, path, KNOWN, open_engine=ClosedForm)
    return path


def test_unpacked_labels_are_the_packed_ones(labelled, tmp_path):
    files = pack(labelled, tmp_path)
    assert [file.name for file in files] == ["a_1.labels.xz", "b.labels.xz"]
    with Labels(labelled) as originals:
        expected = {(one.group, one.step): one for one in originals}
    found = read_packed(tmp_path)
    assert {(one.group, one.step) for one in found} == set(expected)
    for one in found:
        other = expected[one.group, one.step]
        assert np.abs(one.elf.values - other.elf.values).max() < 5.1e-4
        assert one.density is None
        assert np.array_equal(one.elf.cell.vectors, other.elf.cell.vectors)
        for name in ("energy", "free_energy", "entropy_term", "split", "temperature_kelvin", "k_mesh"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("forces", "stress"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.structure.positions, other.structure.positions)


def test_order_of_the_work_does_not_change_the_packed_file(labelled, tmp_path):
    other = tmp_path / "other.h5"
    label(candidates(5, group="a/1")[::-1], other, KNOWN, open_engine=ClosedForm)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    pack(labelled, tmp_path / "one")
    pack(other, tmp_path / "two")
    one, two = (read_packed(tmp_path / name / "a_1.labels.xz") for name in ("one", "two"))
    assert [label.step for label in one] == [label.step for label in two] == [0, 1, 2, 3, 4]
    assert read_records(tmp_path / "one" / "a_1.labels.xz")[0]["cutoff_hartree"] == KNOWN.protocol.cutoff


def test_packing_adds_to_what_is_there(labelled, tmp_path):
    pack(labelled, tmp_path)
    before = [one.elf.values for one in read_packed(tmp_path / "a_1.labels.xz")]
    more = tmp_path / "more.h5"
    label(candidates(7, group="a/1")[4:], more, KNOWN, open_engine=ClosedForm)
    pack(more, tmp_path)
    after = read_packed(tmp_path / "a_1.labels.xz")
    assert [one.step for one in after] == [0, 1, 2, 3, 4, 5, 6]
    for one, other in zip(before, after, strict=False):
        np.testing.assert_array_equal(one, other.elf.values)
    other_protocol = tmp_path / "other.h5"
    label(candidates(1, group="a/1"), other_protocol, replace(KNOWN, spacing=0.3), open_engine=ClosedForm)
    with pytest.raises(InputError, match="another protocol"):
        pack(other_protocol, tmp_path)


def test_structures_of_packed_labels_are_known(labelled, tmp_path):
    pack(labelled, tmp_path)
    assert packed_structures(tmp_path) == {
        structure_sha256(one.structure)
        for one in [*candidates(5, group="a/1"), *candidates(3, split="test", group="b", seed=7)]
    }


def test_known_structures_are_not_labelled_again(labelled, tmp_path, capsys):
    pack(labelled, tmp_path)
    several = candidates(5, group="a/1")
    source = tmp_path / "frames.extxyz"
    source.write_text("".join(line for c in several for line in frame_lines(c.structure, {"group": "a/1"})))
    command = ["reference", "label", str(source), str(tmp_path / "new.h5"), "--known", str(tmp_path)]
    assert main(command) == 0
    assert "every structure is labelled" in capsys.readouterr().out
    assert not (tmp_path / "new.h5").exists()


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
    with pytest.raises(InputError, match="packed labels"):
        read_packed(tmp_path)
    with pytest.raises(InputError, match="not there"):
        read_packed(tmp_path / "a.labels.xz")
    nameless = tmp_path / "nameless.h5"
    label(candidates(1, group=""), nameless, KNOWN, open_engine=ClosedForm)
    with pytest.raises(InputError, match="group"):
        pack(nameless, tmp_path)


def test_verify_takes_packed_labels(labelled, tmp_path, capsys):
    pack(labelled, tmp_path)
    assert main(["reference", "verify", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "8 labels, 0 failed" in out
    assert "electron number unknown (packed)" in out
    assert "all checks passed" in out


def test_verify_finds_packed_labels_of_two_protocols_and_in_two_splits(labelled, tmp_path, capsys):
    pack(labelled, tmp_path)
    other = tmp_path / "other.h5"
    label(candidates(1, split="test", group="c"), other, replace(KNOWN, spacing=0.3), open_engine=ClosedForm)
    pack(other, tmp_path)
    assert main(["reference", "verify", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "c.labels.xz: another protocol" in out
    assert "in the splits test and train" in out


def test_command_names_its_files(labelled, tmp_path, capsys):
    assert main(["reference", "pack", str(labelled), str(tmp_path)]) == 0
    assert "b.labels.xz" in capsys.readouterr().out
