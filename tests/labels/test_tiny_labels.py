"""Three production labels of the fluid, kept with the tests: they are whole, and first principles still give them."""

from pathlib import Path

import numpy as np
import pytest

from jovium.labels.audit import audit
from jovium.labels.file import Labels
from jovium.labels.record import DEFAULT_SPACING, sampled_fields
from jovium.reference.espresso import Espresso
from jovium.reference.kohn_sham import PRODUCTION

TINY = Path(__file__).parents[1] / "data" / "tiny_labels.h5"


def test_the_kept_labels_verify_and_hold_every_split():
    found = audit(TINY)
    assert found.problems == found.failures == ()
    assert {state.split for state in found.states} == {"train", "validation", "test"}
    assert found.largest_electron_error is not None
    assert found.largest_electron_error < 1e-4


@pytest.mark.parametrize("group", ["n16-rs1.55-4000K-1"])
def test_production_still_gives_the_kept_label(group):
    with Labels(TINY) as labels:
        label = labels[int(labels.select(group=group)[0])]
    with Espresso() as engine:
        state = engine.ground_state(label.structure, PRODUCTION)
    elf, density, _ = sampled_fields(state, DEFAULT_SPACING)
    assert np.abs(elf - label.elf.values).max() < 2e-4
    assert np.abs(density - label.density.values).max() < 2e-4
    assert state.energy == pytest.approx(label.energy, abs=1e-6)
    assert np.abs(state.forces - label.forces).max() < 1e-4
