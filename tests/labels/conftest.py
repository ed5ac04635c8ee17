import pytest
from known_labels import KNOWN, ClosedForm, candidates, unlucky

from jovium.labels.labelling import label


@pytest.fixture
def path(tmp_path):
    """Five labels in two splits, and a failure."""
    path = tmp_path / "labels"
    work = [*candidates(3), *candidates(2, "test-crystal", "b", seed=1), unlucky()]
    label(work, path, KNOWN, open_engine=ClosedForm)
    return path
