"""Hot fluid in larger cells: the same neighbours, thinner, of the splits that may be learned from alone."""

import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.cli.main import main
from jovium.formats.structures import read_frames
from jovium.labels.expanded_frames import PER_TRAJECTORY, RADII, expanded, write_expanded_frames
from jovium.reference.trajectory import frame_lines


def write_fluid(path, structure, **facts):
    known = {"split": "train", "group": "n3", "temperature_kelvin": 3000, "step": 0} | facts
    with path.open("a") as file:
        file.writelines(frame_lines(structure, known))


def test_an_expanded_frame_keeps_its_fractional_coordinates_in_a_thin_strained_cell(odd_structure):
    thin = expanded(odd_structure, np.random.default_rng(1))
    assert RADII[0] <= thin.rs <= RADII[1]
    before, after = (s.cell.fractional(s.positions) for s in (odd_structure, thin))
    np.testing.assert_allclose(after, before, atol=1e-12)
    stretch = np.linalg.solve(odd_structure.cell.vectors, thin.cell.vectors)
    stretch /= np.linalg.det(stretch) ** (1 / 3)
    np.testing.assert_allclose(stretch, stretch.T, atol=1e-12)  # no rotation
    assert 0.01 < np.abs(stretch - np.eye(3)).max() < 0.3


def test_hot_frames_of_what_may_be_learned_from_are_taken_always_the_same(tmp_path, odd_structure):
    source, out = tmp_path / "frames.extxyz", tmp_path / "out.extxyz"
    for step in range(PER_TRAJECTORY + 3):
        write_fluid(source, odd_structure, step=step)
    write_fluid(source, odd_structure, group="few", split="validation", step=7)
    for split in ("test", "sealed-fluid"):
        write_fluid(source, odd_structure, group=split, split=split)
    write_fluid(source, odd_structure, group="cool", temperature_kelvin=1000)
    assert main(["reference", "expand", str(source), str(out)]) == 0
    facts = [facts for _, facts in read_frames(out)]
    assert [fact["group"] for fact in facts] == ["expanded-n3"] * PER_TRAJECTORY + ["expanded-few"]
    assert (facts[-1]["split"], facts[-1]["step"]) == ("validation", 7)
    assert "temperature_kelvin" not in facts[0]  # it is in no equilibrium
    first = out.read_bytes()
    write_expanded_frames(source, out)
    assert out.read_bytes() == first


def test_the_frames_are_not_overwritten(tmp_path, odd_structure):
    source = tmp_path / "frames.extxyz"
    write_fluid(source, odd_structure)
    before = source.read_bytes()
    assert main(["reference", "expand", str(source), str(source)]) == 2
    assert source.read_bytes() == before


def test_a_file_without_hot_fluid_is_refused(tmp_path, odd_structure):
    source, out = tmp_path / "frames.extxyz", tmp_path / "out.extxyz"
    write_fluid(source, odd_structure, temperature_kelvin=1000)
    with pytest.raises(InputError, match="no hot fluid"):
        write_expanded_frames(source, out)
    assert not out.exists()
