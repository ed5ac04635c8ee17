"""Random structures keep their rules, and nothing of the sealed families comes from another."""

from collections import Counter

import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import InputError
from jovium.base.structure import Structure
from jovium.cli.main import main
from jovium.formats.structures import read_frames
from jovium.labels import random_structures
from jovium.labels.candidates import read_candidates
from jovium.labels.random_structures import (
    KINDS,
    LARGEST_CELL,
    LARGEST_VOID,
    PER_FAMILY,
    RADII,
    SEALED_GROUPS,
    SEALED_SEED,
    SEALED_SIZE,
    SEALED_WINDOW,
    SHORTEST,
    SPLITS,
    Rules,
    random_frames,
    random_structure,
)
from jovium.labels.record import structure_sha256

SEEDS = (*SPLITS, SEALED_SEED)


@pytest.fixture(scope="module")
def frames():
    return [frame for seed in SEEDS for frame in random_frames(seed)]


def test_the_same_seed_gives_the_same_file(tmp_path, capsys):
    paths = [tmp_path / f"{name}.extxyz" for name in ("one", "same", "other")]
    for path, seed in zip(paths, ("3", "3", "4"), strict=True):
        assert main(["reference", "random", str(path), "--seed", seed]) == 0
    one, same, other = (path.read_text() for path in paths)
    assert one == same != other
    n_structures = PER_FAMILY * len(KINDS)
    assert f"{n_structures} structures" in capsys.readouterr().out
    assert len({structure_sha256(candidate.structure) for candidate in read_candidates(paths[0])}) == n_structures


def test_a_written_structure_is_the_drawn_one(tmp_path):
    random_structures.write_random_frames(tmp_path / "out.extxyz", 7)
    for (structure, facts), (read, said) in zip(random_frames(7), read_frames(tmp_path / "out.extxyz"), strict=True):
        np.testing.assert_allclose(read.positions, structure.positions, atol=1e-10)
        np.testing.assert_allclose(read.cell.vectors, structure.cell.vectors, atol=1e-10)
        assert said == facts


def test_protons_are_apart_and_voids_are_small(frames):
    for structure, facts in frames:
        assert structure.is_pure_hydrogen, facts
        assert 1 <= structure.n_atoms <= LARGEST_CELL, facts
        assert structure.shortest_distance() >= SHORTEST, facts
        assert structure.largest_void() <= LARGEST_VOID, facts
        if not facts["group"].startswith(("slabs", "lattices")):  # of which the gap and the strain change the density
            assert RADII[0] - 1e-9 <= structure.rs <= RADII[1] + 1e-9, (facts, structure.rs)


def test_the_sealed_window_and_size_are_in_their_families_alone(frames):
    low, high = SEALED_WINDOW
    for structure, facts in frames:
        assert (low < structure.rs < high) == facts["group"].endswith("-window"), facts
        assert (structure.n_atoms == SEALED_SIZE) == facts["group"].endswith("-size"), facts


def test_a_group_lies_in_one_split_and_has_every_number_once(frames):
    splits = {facts["group"]: facts["split"] for _, facts in frames}
    assert all(splits[facts["group"]] == facts["split"] for _, facts in frames)
    assert set(Counter(facts["group"] for _, facts in frames).values()) == {PER_FAMILY}
    assert len({(facts["group"], facts["step"]) for _, facts in frames}) == len(frames)
    sealed = {group for group, split in splits.items() if split.startswith("sealed")}
    assert sealed == {group for group in splits if group.endswith(("-9", "-window", "-size", "-groups"))}
    assert {splits[f"free-{seed}"] for seed in SPLITS} == {"train", "validation", "test-random"}


@pytest.mark.parametrize("kind", ["symmetric", "phases"])
@pytest.mark.parametrize("sealed", [True, False])
def test_sealed_space_groups_are_built_by_their_families_alone(monkeypatch, kind, sealed):
    """What is built, not what is found: atoms may lie more symmetrically than they were asked to."""
    asked, build = [], random_structures.structure_of_sites

    def recorded(group, *rest):
        asked.append(int(str(group).partition(":")[0]))
        return build(group, *rest)

    monkeypatch.setattr(random_structures, "structure_of_sites", recorded)
    for seed in range(6):
        random_structure(kind, np.random.default_rng(seed), Rules(groups=sealed))
    assert len(set(asked)) > 1
    assert all((group in SEALED_GROUPS) == sealed for group in asked)


def test_radii_are_uniform_beside_the_sealed_window():
    rng, (low, high) = np.random.default_rng(0), SEALED_WINDOW
    radii = np.array([Rules().rs(rng) for _ in range(4000)])
    assert not ((low < radii) & (radii < high)).any()
    below, above = low - RADII[0], RADII[1] - high
    assert np.mean(radii < low) == pytest.approx(below / (below + above), abs=0.03)
    assert np.ptp(radii) > 0.99 * (RADII[1] - RADII[0])
    window = np.array([Rules(window=True).rs(rng) for _ in range(100)])
    assert ((low < window) & (window < high)).all()


def test_cells_have_the_sealed_size_or_never():
    rng = np.random.default_rng(0)
    assert {Rules(size=True).n_atoms(rng) for _ in range(20)} == {SEALED_SIZE}
    assert {Rules().n_atoms(rng) for _ in range(400)} == set(range(2, LARGEST_CELL + 1, 2)) - {SEALED_SIZE}


def test_rules_refuse_what_they_say():
    """Simple cubic supercells: rs = (3 / 4 pi)^(1/3) a, the void between eight protons has a radius of sqrt(3)/2 a."""

    def cubic(edge, *multiples):
        cell = Cell(edge * np.eye(3))
        return Structure(cell, np.zeros((1, 3)), ("H",)).supercell(multiples or (1, 1, 1))

    window = np.mean(SEALED_WINDOW) * (4 * np.pi / 3) ** (1 / 3)
    assert Rules().allows(cubic(2.0))
    assert not Rules(window=True).allows(cubic(2.0))
    assert Rules(window=True).allows(cubic(window))
    assert not Rules().allows(cubic(window))
    assert Rules(size=True).allows(cubic(2.0, 7, 2, 1))
    assert not Rules().allows(cubic(2.0, 7, 2, 1))
    assert not Rules().allows(cubic(2.0, 5, 5, 1))
    assert not Rules().allows(cubic(0.99 * SHORTEST))
    assert not Rules().allows(cubic(1.1 * LARGEST_VOID * 2 / 3**0.5))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_drawn_in_many_forms(kind):
    structures = [random_structure(kind, np.random.default_rng(seed)) for seed in range(12)]
    assert len({structure.n_atoms for structure in structures}) > 2
    assert np.std([structure.rs for structure in structures]) > 0.08


@pytest.mark.parametrize("seed", [0, 10, 4294967295])
def test_a_seed_without_a_split_is_refused(tmp_path, capsys, seed):
    with pytest.raises(InputError, match=f"seed {seed}"):
        list(random_frames(seed))
    assert main(["reference", "random", str(tmp_path / "out.extxyz"), "--seed", str(seed)]) == 2
    assert "1, 2, 3" in capsys.readouterr().err
    assert not (tmp_path / "out.extxyz").exists()
