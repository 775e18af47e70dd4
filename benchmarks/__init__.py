"""How many requests a turn of a call makes, and how much of the caller's wait is ours: `python -m benchmarks`."""

import sys
from pathlib import Path

# The layer is a package on Lambda only; here it is found where it lies.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "layers" / "bookend"))
