"""What a run leaves in `evidence/`, in the shape that `evidence/README.md` names."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def record(
    path: Path,
    *,
    command: str,
    began: datetime,
    counts: Mapping[str, float],
    broken: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    seeds: Sequence[int] = (),
) -> None:
    """Write it, in place of the run before."""
    said = {
        "name": path.stem,
        "command": command,
        "date": began.isoformat(timespec="seconds"),
        "commit": _commit(),
        "seeds": list(seeds),
        "counts": dict(counts),
        "broken": list(broken),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "rows": list(rows),
        "rates": {},
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _commit() -> str:
    """Of which commit, with `+` if files had changed since; empty outside a clone."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if head and _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
