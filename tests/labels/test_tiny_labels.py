"""Three production labels of the fluid, kept with the tests: they are whole, and first principles still give them."""

from pathlib import Path

import numpy as np
import pytest

from jovium.labels.audit import audit
from jovium.labels.reading import read_labels
from jovium.labels.record import DEFAULT_SPACING, sample_fields
from jovium.reference.espresso import Espresso
from jovium.reference.kohn_sham import PRODUCTION

TINY = Path(__file__).parents[1] / "data" / "tiny_labels"


def test_the_kept_labels_verify_and_hold_every_split():
    report = audit(TINY)
    assert report.problems == report.failures == ()
    assert {state.split for state in report.states} == {"train", "validation", "test"}
    assert report.largest_electron_error is not None
    assert report.largest_electron_error < 1e-4


@pytest.mark.parametrize("group", ["n16-rs1.55-4000K-1"])
def test_production_still_gives_the_kept_label(group):
    (label,) = (label for label in read_labels(TINY) if label.group == group)
    with Espresso() as engine:
        state = engine.ground_state(label.structure, PRODUCTION)
    elf, density, _ = sample_fields(state, DEFAULT_SPACING)
    assert np.abs(elf - label.elf.values).max() < 2e-4
    assert np.abs(density - label.density.values).max() < 2e-4
    assert state.energy == pytest.approx(label.energy, abs=1e-6)
    assert np.abs(state.forces - label.forces).max() < 1e-4
