"""How many critical points of a crystal survive the noise of its own label.

    python benchmarks/critical_point_noise.py data/labels

To the ELF of every crystal a smooth random field (waves longer than 1.6 bohr) of a given RMSE is added, and the
critical points are matched as `jovium elf evaluate` matches those of a prediction. The cutoff of the labels alone
leaves an RMSE of 0.001 to 0.0025 (docs/data_card.md).
"""

import argparse
from pathlib import Path

import numpy as np

from jovium.base.grid import GridField
from jovium.elf.long_waves import filtered
from jovium.elf.run import read_samples
from jovium.elf.samples import Sample
from jovium.workflows.elf_accuracy import (
    CANDIDATE_PERSISTENCE,
    PERSISTENCE,
    Evaluation,
    LabelTopology,
    Topology,
    is_crystal,
)

LARGEST_WAVE = 4.0


def disturbed(sample: Sample, rmse: float, rng: np.random.Generator) -> np.ndarray:
    """The ELF of a label with a smooth random field added."""
    noise = filtered(rng.normal(size=sample.shape), sample.structure.cell, LARGEST_WAVE)
    field = GridField(sample.elf + noise * (rmse / noise.std()), sample.structure.cell)
    return np.clip(field.values, 0.0, 1.0).astype(np.float32)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--rmse", type=float, nargs="+", default=[0.0003, 0.001, 0.002])
    options = parser.parse_args()
    truths = [LabelTopology.of(sample) for sample in read_samples([options.labels]) if is_crystal(sample)]
    print(f"| RMSE of the noise | found above {PERSISTENCE} | found above {CANDIDATE_PERSISTENCE} |")
    print("|---|---|---|")
    rng = np.random.default_rng(0)
    for rmse in options.rmse:
        fields = [(truth, disturbed(truth.sample, rmse, rng)) for truth in truths]
        judged = [Evaluation(truth, field, Topology.of(field, truth.sample)) for truth, field in fields]
        shares = []
        for candidates in (PERSISTENCE, CANDIDATE_PERSISTENCE):
            found = [j.matching(candidates) for j in judged]
            shares.append(100 * sum(m.matched for m in found) / sum(m.expected for m in found))
        print(f"| {rmse} | {shares[0]:.1f} % | {shares[1]:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
