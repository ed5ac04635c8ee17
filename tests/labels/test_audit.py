"""`reference verify` finds every kind of wrong label."""

import json
import re

import numpy as np
import pytest
from known_labels import candidates, computed_record, label_file, unlucky, write_records

from jovium.base.units import PRESSURE_GPA, kelvin_to_hartree
from jovium.cli.main import main
from jovium.labels.audit import audit
from jovium.labels.record import (
    structure_sha256,
)


def test_verify_prints_the_table_of_states(path, capsys):
    assert main(["reference", "verify", str(path)]) == 0
    out = capsys.readouterr().out
    volume = candidates(2)[1].structure.cell.volume
    pressure = (0.01 + 3 * kelvin_to_hartree(3000) / volume) * PRESSURE_GPA
    assert f"| 1.595 | 3000 | 3 | train | 1 | 2 | 0 | {pressure:.1f} |" in out
    file = label_file(path, unlucky()).name
    assert f"failed: {file} (a, step 99): NotConverged: self-consistent field not converged" in out
    assert "all checks passed" in out
    assert main(["reference", "verify", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["labels"] == 5
    assert sum(state["failed"] for state in facts["states"]) == len(facts["failures"]) == 1
    assert facts["problems"] == []


def spoiled(name, change):
    record = computed_record(candidates(2)[1])
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
def test_verify_finds_every_kind_of_wrong_label(tmp_path, record, message):
    good = candidates(3)[2]
    write_records(tmp_path / "labels", computed_record(good), record)
    problems = audit(tmp_path / "labels").problems
    assert any(re.search(message, problem) for problem in problems), problems
    assert not any(structure_sha256(good.structure) in problem for problem in problems)


def test_verify_finds_groups_in_two_splits(tmp_path):
    train, test = candidates(2)[0], candidates(2, split="test")[1]
    write_records(tmp_path / "labels", computed_record(train), computed_record(test))
    assert audit(tmp_path / "labels").problems == ("group a is in the splits test and train",)
