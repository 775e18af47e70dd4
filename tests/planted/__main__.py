"""``python -m tests.planted [--json]``: plays every planted bug; a table, or `evidence/planted.json`."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

from tests.planted.record import ROOT, record
from tests.planted.registry import LAYERS, rows

began, found = datetime.now(UTC), []
logging.disable(logging.CRITICAL)
for row in rows():
    found.append(row)
    print(f"{'caught' if row['caught'] else 'MISSED':7} {row['name']:60} {row['battery']}", flush=True)
missed = [row["name"] for row in found if not row["caught"]]
redundant = sum(row["room"] == "redundant" for row in found)
counts = {
    "planted": len(found) - redundant,
    "caught": sum(row["caught"] for row in found if row["room"] != "redundant"),
    "redundant": redundant,
    "layers": len(LAYERS),
}
print(", ".join(f"{name} {number}" for name, number in counts.items()))
if "--json" in sys.argv[1:]:
    record(
        ROOT / "evidence" / "planted.json",
        command="python -m tests.planted --json",
        began=began,
        counts=counts,
        broken=missed,
        rows=found,
    )
sys.exit(bool(missed))
