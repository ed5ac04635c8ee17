"""How many critical points of a crystal survive the noise of its own label.

    python benchmarks/critical_point_noise.py data/labels

To the ELF of every crystal a smooth random field (waves longer than 1.6 bohr) of a given RMSE is added, and the
critical points are matched as `jovium elf evaluate` matches those of a prediction. The cutoff of the labels alone
leaves an RMSE of 0.001 to 0.0025 (docs/data_card.md).
"""

import argparse
from pathlib import Path

import numpy as np
from elf_long_waves import low_pass

from jovium.base.grid import GridField
from jovium.elf.samples import Sample, read_samples
from jovium.workflows.elf_accuracy import (
    CANDIDATE_PERSISTENCE,
    PERSISTENCE,
    Evaluation,
    LabelTopology,
    Topology,
    is_crystal,
    recall,
)

LARGEST_WAVE = 4.0


def disturb(sample: Sample, rmse: float, rng: np.random.Generator) -> np.ndarray:
    """The ELF of a label with a smooth random field added."""
    noise = low_pass(rng.normal(size=sample.shape), sample.structure.cell, LARGEST_WAVE)
    field = GridField(sample.elf + noise * (rmse / noise.std()), sample.structure.cell)
    return np.clip(field.values, 0.0, 1.0).astype(np.float32)


def main() -> None:
    """Print a row per RMSE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--rmse", type=float, nargs="+", default=[0.0003, 0.001, 0.002])
    options = parser.parse_args()
    labels = [LabelTopology.from_sample(sample) for sample in read_samples([options.labels]) if is_crystal(sample)]
    print(f"| RMSE of the noise | matched above {PERSISTENCE} | matched above {CANDIDATE_PERSISTENCE} |")
    print("|---|---|---|")
    rng = np.random.default_rng(0)
    for rmse in options.rmse:
        fields = [(label, disturb(label.sample, rmse, rng)) for label in labels]
        evaluations = [Evaluation(label, field, Topology.from_elf(field, label.sample)) for label, field in fields]
        strict, candidates = (100 * recall(evaluations, p) for p in (PERSISTENCE, CANDIDATE_PERSISTENCE))
        print(f"| {rmse} | {strict:.1f} % | {candidates:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
