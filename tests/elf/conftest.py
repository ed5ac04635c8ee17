"""What a network is judged against is a benchmark: its modules are imported from there."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
