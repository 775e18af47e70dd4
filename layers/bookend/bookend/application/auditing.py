"""The audit log: what the table's stream tells becomes entries of chains, once each; and whether the chains hold.

The stream tells everything at least once, and of one item in order. A second telling is known by the appointment's
version, or by the event it is about. What is counted for health is counted with the entry, so once as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from bookend.application.ports import Clock, StoreUnavailable
from bookend.application.ports.audit_trail import AuditedState, AuditTrail, Happened, Standing
from bookend.domain.audit_chain import (
    AuditKey,
    AuditKind,
    End,
    Entry,
    Finding,
    Flaw,
    Head,
    Stored,
    end_of,
    head_of,
    linked,
    shortened,
    sound_entries,
    verify,
)
from bookend.domain.health import tallied
from bookend.domain.timeslot import instant_text

_TRIES = 8
_LOOKS = 4
_BETWEEN_LOOKS_S = 2.0
_MAY_BE_LATE = frozenset({Flaw.CUT_OFF, Flaw.TURNED_BACK})
"""What a chain looks like while an appointment is being changed: an entry comes a second after its change."""
_VERSIONED = frozenset({AuditKind.CREATED, AuditKind.CHANGED})


class Recorded(Enum):
    """What became of an event."""

    NEW = auto()
    KNOWN = auto()
    """It was told before."""


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The key that seals, and all that may have sealed, by their ids."""

    newest: AuditKey
    known: Mapping[str, AuditKey]

    @classmethod
    def of(cls, texts: Sequence[str]) -> AuditKeys:
        """The newest comes first.

        Raises:
            IndexError: there is none.
        """
        keys = [AuditKey.of(text) for text in texts]
        return cls(keys[0], {key.id: key for key in keys})


def record(happened: Happened, *, trail: AuditTrail, keys: AuditKeys) -> Recorded:
    """Make an entry of an event, unless it has one.

    Raises:
        StoreUnavailable: the store did not answer, or others were faster again and again; to be done once more.
    """
    for _ in range(_TRIES):
        last = trail.last(happened.tenant, happened.appointment)
        rows: Sequence[Stored] = () if last is None else (last,)
        end = end_of(happened.tenant, happened.appointment, rows, keys.known)
        if last is not None and not end.kind:  # what stands last is none of ours
            rows = trail.chain(happened.tenant, happened.appointment)
            end = end_of(happened.tenant, happened.appointment, rows, keys.known)
        past = () if _goes_by_version(happened, end) else _past(happened, trail, keys)
        returned = any(entry.kind == AuditKind.REMOVED for entry in past)
        if happened.kind in _VERSIONED and not returned:
            known = happened.version <= end.version
        else:
            known = any(entry.about == happened.about for entry in past)
        if known:
            return Recorded.KNOWN
        counts = tallied(*happened.of) if happened.kind in _VERSIONED else {}
        if trail.append(linked(_entry(happened, end, returned=returned), end, keys.newest), counts, hour=happened.at):
            return Recorded.NEW
    raise StoreUnavailable("contention")


def _goes_by_version(happened: Happened, end: End) -> bool:
    """Whether the version alone tells if it is known: it grows with every change, until the appointment is deleted."""
    return happened.kind in _VERSIONED and end.kind in {"", *_VERSIONED}


def _past(happened: Happened, trail: AuditTrail, keys: AuditKeys) -> Sequence[Entry]:
    """Everything in the chain, for the events that have no version of their own."""
    rows = trail.chain(happened.tenant, happened.appointment)
    return list(sound_entries(happened.tenant, happened.appointment, rows, keys.known))


def _entry(happened: Happened, end: End, *, returned: bool) -> Entry:
    about_itself = happened.kind in _VERSIONED or happened.kind is AuditKind.REMOVED
    kind = AuditKind.RETURNED if returned and happened.kind in _VERSIONED else happened.kind
    return Entry(
        tenant=happened.tenant,
        appointment=happened.appointment,
        seq=end.seq,
        kind=kind.value,
        about=happened.about,
        version=happened.version if about_itself else end.version,
        at=instant_text(happened.at),
        by=happened.by,
        call=happened.call,
        before=happened.before,
        after=happened.after,
        key="",
        prev="",
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification has looked at, and what is wrong; with nothing wrong, `heads` are worth keeping elsewhere."""

    chains: int
    entries: int
    findings: Sequence[Finding]
    heads: Mapping[str, Head] = field(default_factory=dict)


def verify_one(
    tenant: str, appointment: str, *, trail: AuditTrail, state: AuditedState, keys: AuditKeys, clock: Clock
) -> Verified:
    """One chain, against the appointment and its repairs as they are now."""
    rows = trail.chain(tenant, appointment)
    findings = _settled(tenant, [appointment], trail=trail, state=state, keys=keys, clock=clock, begun="")
    return Verified(1, len(rows), findings)


def verify_all(
    tenant: str,
    *,
    trail: AuditTrail,
    state: AuditedState,
    keys: AuditKeys,
    clock: Clock,
    begun: str = "",
    kept: Mapping[str, Head] | None = None,
    progress: Callable[[int, int], None] = lambda _chains, _entries: None,
) -> Verified:
    """Every chain of a tenant, and every appointment and repair that should have one.

    `begun`: since when there is a log (UTC text); what is older and has not changed since then needs no entry.
    `kept` are the heads that an earlier verification found, kept elsewhere. `progress` is told how many chains and
    entries were read.
    """
    standings, repairs = state.standings(tenant), state.repairs(tenant)
    entries, seen = 0, set[str]()
    suspects: list[str] = []
    lost, heads = {} if kept is None else dict(kept), dict[str, Head]()
    missing = {*standings, *repairs}
    for name, rows in trail.chains(tenant):
        seen.add(name)
        entries += len(rows)
        missing.discard(name)
        if name in lost and shortened(name, rows, lost[name]) is None:
            del lost[name]
        if (head := head_of(rows)) is not None:
            heads[name] = head
        if _compared(
            tenant, name, rows, standing=standings.get(name), repairs=repairs.get(name, ()), keys=keys, begun=begun
        ):
            suspects.append(name)
        progress(len(seen), entries)
    looked_at = list(dict.fromkeys([*suspects, *sorted(missing)]))
    findings = _settled(tenant, looked_at, trail=trail, state=state, keys=keys, clock=clock, begun=begun)
    for name, head in sorted(lost.items()):
        finding = shortened(name, trail.chain(tenant, name), head)
        findings += [finding] if finding is not None else []
    return Verified(len(seen), entries, findings, heads)


def _settled(
    tenant: str,
    names: Sequence[str],
    *,
    trail: AuditTrail,
    state: AuditedState,
    keys: AuditKeys,
    clock: Clock,
    begun: str,
) -> list[Finding]:
    """What is wrong with these chains. What may only be late is looked at again, a few times."""
    found: dict[str, list[Finding]] = {name: [] for name in names}
    pending = list(names)
    for look in range(_LOOKS):
        repairs = state.repairs(tenant) if pending else {}
        for name in pending:
            now_is, rows = state.standing(tenant, name), trail.chain(tenant, name)
            found[name] = _compared(
                tenant, name, rows, standing=now_is, repairs=repairs.get(name, ()), keys=keys, begun=begun
            )
        pending = [name for name in pending if found[name] and {each.flaw for each in found[name]} <= _MAY_BE_LATE]
        if pending and look + 1 < _LOOKS:
            clock.sleep(_BETWEEN_LOOKS_S)
    return [finding for name in names for finding in found[name]]


def _compared(
    tenant: str,
    name: str,
    rows: Sequence[Stored],
    *,
    standing: Standing | None,
    repairs: Sequence[str],
    keys: AuditKeys,
    begun: str,
) -> list[Finding]:
    is_older = not rows and standing is not None and standing.created_at < begun
    version = None if standing is None or is_older else standing.version
    since = [about for about in repairs if about >= begun]
    return verify(tenant, name, rows, keys.known, version=version, repairs=since)
