"""The audit chain of one appointment: entries that each seal the one before, under a key that the table never sees.

An entry's hash is an HMAC over everything in it and the hash before it. Whoever can write the table but has no key can
neither change an entry nor put one in or take one out without the chain showing it; only its end can be cut off, and
that is found by comparing it with what the appointment is now.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

_MARK_LENGTH = 8
"""Hexadecimal digits of a mark: enough to see that something changed, too few to tell whose number it was."""


class AuditKind(StrEnum):
    """What an entry tells of."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    """The appointment itself was deleted, which nothing of ours does."""
    RETURNED = "returned"
    """It was created again, or changed, after it had been deleted once."""
    UNVERSIONED = "unversioned"
    """The appointment was changed and its version did not grow, which nothing of ours does."""
    REPAIRED = "repaired"
    """The record of a repair: which difference, what was done about it, and by whom."""


@dataclass(frozen=True, slots=True)
class AuditKey:
    """A key that seals entries; `id` names it in them and says nothing of it."""

    id: str
    secret: bytes

    @classmethod
    def of(cls, text: str) -> AuditKey:
        """The key in the form the secret has it."""
        secret = text.encode()
        return cls(hashlib.sha256(b"audit key|" + secret).hexdigest()[:8], secret)

    def mark(self, *about: str) -> str:
        """Stands for something of people's: the same for the same, in the same place of the same appointment."""
        return self._digest(["mark", *about])[:_MARK_LENGTH]

    def seal(self, facts: Mapping[str, Any]) -> str:
        """The hash of an entry's facts."""
        return self._digest(["entry", dict(facts)])

    def _digest(self, value: Any) -> str:
        return hmac.new(self.secret, canonical(value).encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, linked. `seq` counts from 1; `version` is the appointment's after it (0: there is none any more).

    `about` names the event: no two entries of a chain are about the same one. `before` and `after` are what changed, as
    JSON in canonical form, and hold marks for what belongs to people. `at` is UTC text, `key` the id of the key.
    """

    tenant: str
    appointment: str
    seq: int
    kind: str
    about: str
    version: int
    at: str
    by: str
    call: str
    before: str
    after: str
    key: str
    prev: str
    hash: str = ""

    def is_sealed_by(self, key: AuditKey) -> bool:
        """Whether nothing of it was changed since it was written with this key."""
        return hmac.compare_digest(self.hash.encode(), _hash(self, key).encode())


@dataclass(frozen=True, slots=True)
class End:
    """Where a chain goes on: the next free place, the hash to link to, and what the appointment's version was."""

    seq: int = 1
    prev: str = ""
    version: int = 0
    kind: str = ""
    """Of the last entry; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of the table: its place in the chain, and the entry that is there (None: it cannot be read as one)."""

    place: str
    entry: Entry | None


class Flaw(StrEnum):
    """What is wrong with a chain."""

    CHANGED = "changed"
    """The entry is not as it was written."""
    INSERTED = "inserted"
    """Nobody of ours has written it: the chain is whole without it."""
    MISSING = "missing"
    """There was an entry, and it is gone."""
    REORDERED = "reordered"
    """It is as it was written, and stands in another place: moved, or doubled."""
    CUT_OFF = "cut_off"
    """The appointment, or a repair, goes further than the chain."""
    WRONG_KEY = "wrong_key"
    """Sealed by a key that the secret does not hold (any more)."""
    NOT_RECORDED = "not_recorded"
    """A version between two entries never came to be recorded."""
    UNVERSIONED = "unversioned"
    """The appointment was changed past the state machine."""
    REMOVED = "removed"
    """The appointment was deleted."""
    TURNED_BACK = "turned_back"
    """The appointment is older than the chain, as after an old state was put back."""
    SHORTENED = "shortened"
    """The chain had gone further, or otherwise, when its head was kept elsewhere."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw: where it is (`place`: the entry's, or empty) and, in ids and numbers, what was expected."""

    flaw: Flaw
    appointment: str
    place: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain, as somebody has kept it where the table cannot be written from."""

    seq: int
    hash: str


def head_of(rows: Sequence[Stored]) -> Head | None:
    """The head of a chain in which nothing is wrong; None: it has no entry."""
    last = rows[-1].entry if rows else None
    return None if last is None else Head(last.seq, last.hash)


def shortened(appointment: str, rows: Sequence[Stored], head: Head) -> Finding | None:
    """What is wrong with a chain if it does not go through a head that was kept of it: a chain only grows."""
    if any(row.entry is not None and head_of([row]) == head for row in rows):
        return None
    return Finding(Flaw.SHORTENED, appointment, place_of(head.seq), "it reached this entry when its head was kept")


def canonical(value: Any) -> str:
    """The one way in which a value is written: sorted names, no spaces.

    Raises:
        TypeError: it is not made of text, whole numbers, truth values, lists and maps.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def place_of(seq: int) -> str:
    """Where an entry stands: text that sorts as the numbers do."""
    return f"{seq:012d}"


def end_of(tenant: str, appointment: str, rows: Sequence[Stored], keys: Mapping[str, AuditKey]) -> End:
    """Where the chain goes on. Only entries that are ours count: whoever puts one in must not end the chain with it."""
    end = End()
    for entry in sound_entries(tenant, appointment, rows, keys):
        end = End(entry.seq + 1, entry.hash, entry.version, entry.kind)
    taken = {row.place for row in rows}
    seq = end.seq
    while place_of(seq) in taken:
        seq += 1
    return replace(end, seq=seq)


def sound_entries(
    tenant: str, appointment: str, rows: Sequence[Stored], keys: Mapping[str, AuditKey]
) -> Iterator[Entry]:
    """The entries that are as they were written, and where."""
    for row in rows:
        if row.entry is not None and _flaw(tenant, appointment, row, keys) is None:
            yield row.entry


def linked(entry: Entry, end: End, key: AuditKey) -> Entry:
    """The entry as the next one of a chain; what it says of its place and key is set here."""
    placed = replace(entry, seq=end.seq, prev=end.prev, key=key.id)
    return replace(placed, hash=_hash(placed, key))


def verify(
    tenant: str,
    appointment: str,
    rows: Sequence[Stored],
    keys: Mapping[str, AuditKey],
    *,
    version: int | None,
    repairs: Sequence[str] = (),
) -> list[Finding]:
    """Everything that is wrong with a chain; none: it is whole, and goes as far as the appointment does.

    `rows` in the order of their places. `version` is the appointment's now, None: there is none. `repairs` are what the
    repairs on record are about.
    """
    found: list[Finding] = []
    sound: list[Entry] = []
    doubtful: list[tuple[Stored, Entry | None]] = []
    for row in rows:
        flaw = _flaw(tenant, appointment, row, keys)
        if flaw is None and row.entry is not None:
            sound.append(row.entry)
        elif flaw is Flaw.CHANGED:
            doubtful.append((row, sound[-1] if sound else None))
        elif flaw is not None:
            found.append(Finding(flaw, appointment, row.place, f"key {row.entry.key}" if row.entry else ""))
    for row, before in doubtful:
        is_whole = _is_whole_without(before, sound, version or 0)
        found.append(Finding(Flaw.INSERTED if is_whole else Flaw.CHANGED, appointment, row.place))
    excused = {row.place for row in rows} - {place_of(each.seq) for each in sound}
    found += _gaps(appointment, sound, excused)
    found += [Finding(Flaw(e.kind), appointment, place_of(e.seq), e.at) for e in sound if e.kind in _IS_A_FLAW]
    found += _end(appointment, sound, version or 0, repairs)
    return found


_IS_A_FLAW = frozenset({AuditKind.REMOVED, AuditKind.UNVERSIONED})


def _hash(entry: Entry, key: AuditKey) -> str:
    return key.seal({name: value for name, value in asdict(entry).items() if name != "hash"})


def _flaw(tenant: str, appointment: str, row: Stored, keys: Mapping[str, AuditKey]) -> Flaw | None:
    """What can be said of a row by itself."""
    entry = row.entry
    if entry is None:
        return Flaw.CHANGED
    key = keys.get(entry.key)
    if key is None:
        return Flaw.WRONG_KEY
    if not entry.is_sealed_by(key):
        return Flaw.CHANGED
    at_home = (entry.tenant, entry.appointment, place_of(entry.seq)) == (tenant, appointment, row.place)
    return None if at_home else Flaw.REORDERED


def _is_whole_without(before: Entry | None, sound: Sequence[Entry], version: int) -> bool:
    """Whether nothing is missing behind an entry (None: at the beginning), though a row there is none of ours."""
    last, reached = ("", 0) if before is None else (before.hash, before.version)
    follows = [each for each in sound if each.prev == last and each.version <= reached + 1]
    return bool(follows) or (bool(sound) and before == sound[-1] and reached == version)


def _gaps(appointment: str, sound: Sequence[Entry], excused: set[str]) -> Iterator[Finding]:
    """Places without an entry, links that do not hold, versions that were skipped. `excused`: told of already."""
    seq, last, version = 0, "", 0
    for entry in sound:
        place = place_of(entry.seq)
        gone = [place_of(each) for each in range(seq + 1, entry.seq) if place_of(each) not in excused]
        yield from (Finding(Flaw.MISSING, appointment, each) for each in gone)
        if entry.seq == seq + 1 and entry.prev != last:
            yield Finding(Flaw.MISSING, appointment, place, "it was linked to another entry")
        if version and entry.seq == seq + 1 and entry.version > version + 1:
            yield Finding(Flaw.NOT_RECORDED, appointment, place, f"versions {version + 1} to {entry.version - 1}")
        seq, last, version = entry.seq, entry.hash, entry.version


def _end(appointment: str, sound: Sequence[Entry], version: int, repairs: Sequence[str]) -> Iterator[Finding]:
    """What the chain does not reach."""
    reached = sound[-1].version if sound else 0
    if version > reached:
        yield Finding(
            Flaw.CUT_OFF, appointment, "", f"versions {reached + 1} to {version}" if sound else "no entry at all"
        )
    elif version < reached:
        yield Finding(Flaw.TURNED_BACK, appointment, "", f"version {version} now, {reached} in the chain")
    told = {entry.about for entry in sound if entry.kind == AuditKind.REPAIRED}
    yield from (Finding(Flaw.CUT_OFF, appointment, "", f"repair {about}") for about in repairs if about not in told)
