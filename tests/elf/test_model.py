"""A model says how far it can be trusted, and where it cannot."""

import equinox as eqx
import numpy as np
import pytest

from jovium.base.cell import Cell
from jovium.base.errors import FormatError, InputError, StructureError
from jovium.base.structure import Structure
from jovium.elf.model import WIDE_BAND, Domain, ElfModel
from jovium.elf.samples import Sample
from jovium.elf.settings import ElfSettings
from jovium.elf.step import untrained_network

SETTINGS = ElfSettings(field_channels=2, vector_channels=2, hidden_width=4, convolutions=1)
SHAPE = (12, 15, 16)


@pytest.fixture(scope="module")
def network():
    """Its expected errors are some per cent everywhere, as those of a trained one."""
    network = untrained_network(SETTINGS)
    return eqx.tree_at(lambda n: n.spread.weights, network, [0.1 * weight for weight in network.spread.weights])


@pytest.fixture
def model(network, odd_structure):
    domain = Domain(
        odd_structure.rs - 0.1, odd_structure.rs + 0.1, odd_structure.shortest_distance(), 2.0 * odd_structure.rs
    )
    return ElfModel(network, SETTINGS, domain, 2.5, {"trained_on": "nothing"})


def scaled(structure, factor):
    cell = Cell(factor * structure.cell.vectors)
    return Structure(cell, factor * structure.positions, structure.symbols)


def test_inside_its_domain_a_model_gives_its_own_band(model, odd_structure):
    found = model.predict(odd_structure, SHAPE)
    assert found.warnings == ()
    assert found.elf.shape == found.band.shape == SHAPE
    assert found.band.values.max() < WIDE_BAND


def test_outside_its_domain_it_warns_and_widens_the_band(model, odd_structure):
    thin = model.predict(scaled(odd_structure, 1.2), SHAPE)
    assert "rs" in thin.warnings[0]
    assert thin.band.values.min() >= WIDE_BAND
    positions = odd_structure.positions.copy()
    positions[1] = positions[0] + [0.5, 0.0, 0.0]
    close = model.predict(Structure(odd_structure.cell, positions, odd_structure.symbols), SHAPE)
    assert "apart" in close.warnings[0]


def test_vacuum_is_refused_whatever_the_mean_density(model, odd_structure):
    """A slab with as many atoms per volume as the fluid of the training data."""
    vectors = odd_structure.cell.vectors.copy()
    vectors[2] *= 3
    triple = Structure(Cell(vectors), np.concatenate([odd_structure.positions] * 3), ("H",) * 15)
    slab = Structure(triple.cell, triple.positions + np.repeat(0.4 * np.eye(3), 5, axis=0), triple.symbols)
    assert slab.rs == pytest.approx(odd_structure.rs)
    assert model.domain.has_vacuum(slab)
    with pytest.raises(StructureError, match="vacuum"):
        model.predict(slab, (12, 15, 40))


def test_hydrides_are_refused_with_what_to_do(model, odd_structure):
    hydride = Structure(odd_structure.cell, odd_structure.positions, ("La", *odd_structure.symbols[1:]))
    with pytest.raises(StructureError, match="field file"):
        model.predict(hydride, SHAPE)


def test_saved_model_is_the_model(model, odd_structure, tmp_path):
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = ElfModel.load(path)
    assert (again.settings, again.domain, again.card) == (model.settings, model.domain, model.card)
    one, other = model.predict(odd_structure, SHAPE), again.predict(odd_structure, SHAPE)
    np.testing.assert_array_equal(one.elf.values, other.elf.values)
    np.testing.assert_array_equal(one.band.values, other.band.values)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError):
        ElfModel.load(path)


def test_domain_is_that_of_the_samples(odd_structure):
    samples = [
        Sample(structure, np.zeros(SHAPE, np.float32), "train", "a", 0, 3000.0)
        for structure in (odd_structure, scaled(odd_structure, 1.1))
    ]
    found = Domain.from_samples(samples)
    assert found.largest_rs == pytest.approx(1.1 * found.smallest_rs)
    assert found.shortest_distance == pytest.approx(odd_structure.shortest_distance())
    assert found.largest_void == pytest.approx(1.1 * odd_structure.largest_void(), rel=0.05)
    with pytest.raises(InputError):
        Domain.from_samples([])
