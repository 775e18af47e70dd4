"""The output of one run, as it lies under `evidence/`; what each field means is in `evidence/README.md`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HOME = ROOT / "evidence"
PROFILES = ("ci", "long")
STAMPS = ("name", "command", "date", "commit", "seeds", "counts", "broken", "seconds")
"""What every file must have."""
_OURS = (":!evidence", ":!docs/evidence.md")


@dataclass(frozen=True)
class Record:
    """One run's numbers. `broken` has a line for everything that did not hold."""

    name: str
    command: str
    counts: Mapping[str, Any]
    seeds: Sequence[int] = ()
    broken: Sequence[str] = ()
    seconds: float = 0.0
    rows: Sequence[Mapping[str, Any]] = ()
    rates: Mapping[str, Any] = field(default_factory=dict)
    date: str = ""
    commit: str = ""

    def stamped(self, now: datetime) -> Record:
        """With the time it began and the commit it is about."""
        return replace(self, date=now.strftime("%Y-%m-%dT%H:%M:%SZ"), commit=commit())

    def write(self, folder: Path) -> Path:
        """Into a file of its name."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        content = {name: value for name, value in asdict(self).items() if name in STAMPS or value}
        content["seconds"] = round(self.seconds, 1)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Record:
        """One that was written, by a run of ours or by another program that keeps to the shape.

        Raises:
            ValueError: it lacks a stamp.
        """
        content = json.loads(path.read_text(encoding="utf-8"))
        if missing := [name for name in STAMPS if name not in content]:
            msg = f"{path}: {', '.join(missing)} missing; see evidence/README.md"
            raise ValueError(msg)
        return cls(**{name: content[name] for name in cls.__dataclass_fields__ if name in content})


def read_all(folder: Path) -> dict[str, Record]:
    """Those of a profile, by name."""
    return {path.stem: Record.read(path) for path in sorted(folder.glob("*.json"))}


def now() -> datetime:
    """When a run begins."""
    return datetime.now(UTC)


@cache
def commit() -> str:
    """The commit that is run, with "+" if anything but the evidence itself has changed since; `COMMIT` overrides it."""
    if given := os.environ.get("COMMIT"):
        return given
    changed = _git("status", "--porcelain", "--", ".", *_OURS)
    return _git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _git(*arguments: str) -> str:
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    done = subprocess.run(["git", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"
