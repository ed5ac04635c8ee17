"""The example of two atoms, which a student reads, lowers F to near its exact value from above."""

import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_atoms.py"


def test_the_example_is_short_and_lowers_the_free_energy(capsys):
    assert EXAMPLE.read_text().count("\n") <= 80
    example = runpy.run_path(str(EXAMPLE))
    free_energy = example["main"](41)
    first = float(capsys.readouterr().out.splitlines()[0].split()[4])
    assert -1.4040 - 3 * free_energy.error < free_energy.value < first
    assert free_energy.value < -1.37
