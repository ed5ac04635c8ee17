"""The crystals kept for tests: all of them, none overlapping, none in the training split."""

import numpy as np
import pytest

from jovium.base.errors import InputError
from jovium.base.validity import require_hydrogen
from jovium.cli.main import main
from jovium.crystals import CRYSTALS, hcp_h2
from jovium.labels.candidates import read_candidates
from jovium.labels.crystal_frames import DENSITIES, STRETCH_RS, STRETCHED_BONDS, crystal_frames


def test_every_known_crystal_is_tested_and_only_tested():
    frames = crystal_frames()
    assert set(DENSITIES) == set(CRYSTALS)
    assert all(str(facts["split"]).startswith("test-") for _, facts in frames)
    assert len({facts["group"] for _, facts in frames}) == len(frames)
    for structure, _ in frames:
        require_hydrogen(structure)
        assert structure.shortest_distance() > 1.0


def test_the_stretched_bond_is_the_shortest_distance_until_molecules_touch():
    distances = [hcp_h2(STRETCH_RS, bond).shortest_distance() for bond in STRETCHED_BONDS]
    assert distances == pytest.approx(list(STRETCHED_BONDS))
    assert all(hcp_h2(STRETCH_RS, bond).rs == pytest.approx(STRETCH_RS) for bond in STRETCHED_BONDS)
    with pytest.raises(InputError, match="farther apart"):
        hcp_h2(1.2, 2.4)


def test_written_crystals_are_read_as_candidates_of_labels(tmp_path, capsys):
    path = tmp_path / "crystals.extxyz"
    assert main(["reference", "crystals", str(path)]) == 0
    candidates = read_candidates(path)
    frames = crystal_frames()
    assert f"{len(frames)} crystals" in capsys.readouterr().out
    for candidate, (structure, facts) in zip(candidates, frames, strict=True):
        assert (candidate.split, candidate.group) == (facts["split"], facts["group"])
        assert np.allclose(candidate.structure.positions, structure.positions, atol=1e-10)
        assert np.allclose(candidate.structure.cell.vectors, structure.cell.vectors, atol=1e-10)
