"""``python -m tests.planted [--json evidence/planted.json]``: plays every planted bug, and says which are caught."""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "bookend")]

from tests.evidence.record import Record  # noqa: E402 - the layer must be found first
from tests.planted.registry import LAYERS, rows  # noqa: E402


def main() -> int:
    """The number of those that nothing noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted")
    parser.add_argument("--json", type=Path, nargs="?", const=Path("evidence/planted.json"), help="keep it there")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began, found = datetime.now(UTC), []
    for row in rows():
        found.append(row)
        print(f"{'caught' if row['caught'] else 'MISSED':7} {row['name']:60} {row['battery']}", flush=True)
    missed = [row["name"] for row in found if not row["caught"]]
    redundant = [row for row in found if row["room"] == "redundant"]
    counts = {
        "planted": len(found) - len(redundant),
        "caught": sum(row["caught"] for row in found if row not in redundant),
        "redundant": len(redundant),
        "layers": len(LAYERS),
    }
    print(", ".join(f"{name} {number}" for name, number in counts.items()))
    if options.json is not None:
        seconds = (datetime.now(UTC) - began).total_seconds()
        command = f"python -m tests.planted --json {options.json}"
        record = Record(options.json.stem, command, counts, broken=missed, seconds=seconds, rows=found)
        record.stamped(began).write(options.json.parent)
    return len(missed)


if __name__ == "__main__":
    sys.exit(bool(main()))
