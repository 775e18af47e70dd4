"""Who may change an appointment: the number that calls, the name and the day.

A number can be forged, and hears the days (`find_appointments`), so neither alone changes anything; the name is never
read out, and a first name is none (reliability 6.2). What does not match is not told apart from what does not exist.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bookend.domain.appointment import Appointment, AppointmentState, ChangeKind
from bookend.domain.contacts import may_be_one_person, name_identity
from bookend.domain.timeslot import Slot

MOST_MISSES_PER_CALL = 3
MOST_MISSES_PER_DAY = 10
MOST_CHANGES_PER_DAY = 5
"""Per number; beyond each a person must help."""
CONFIRM_WITHIN = timedelta(minutes=5)
"""How long a question "shall I?" waits for its yes."""
_DIGEST = 8
"""Characters of a token that tell whose question it was."""
_MOST_WORDS_BEYOND = 2
"""Words a spoken name may have beyond the one on record, and never more than that has: a list is no name."""
_SMALL_WORDS = frozenset(
    {"al", "bin", "da", "de", "del", "den", "der", "di", "do", "dos", "du", "el", "la", "le"}
    | {"of", "ten", "ter", "the", "und", "van", "vom", "von", "zu", "zum", "zur"}
)
"""Words that many names have; like an initial, they alone name nobody."""


def token_of(call: str, customer: str, *, mark: str) -> str:
    """The token of a question that this caller is asked in this call; `mark` is random, and what nobody can guess."""
    return f"{mark}-{_digest(call, customer, mark)}"


def was_asked_here(token: str, call: str, customer: str) -> bool:
    """Whether it is the token of some question of this call, to this caller: an earlier one, if not the last.

    Whoever has it was asked; of appointments it tells nothing, and it confirms nothing.
    """
    mark, _, digest = token.rpartition("-")
    return hmac.compare_digest(digest.encode(), _digest(call, customer, mark).encode())


def _digest(call: str, customer: str, mark: str) -> str:
    return hashlib.sha256(f"{call}|{customer}|{mark}".encode()).hexdigest()[:_DIGEST]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A change that the caller was asked to confirm.

    `token` is the only thing that confirms it, in this call and while the appointment still has `version`. `op` is the
    operation it becomes, so that the same yes, said twice, is one change. `slot` is where a move goes, `parts` the busy
    parts of a composite there.
    """

    token: str
    op: str
    kind: ChangeKind
    appointment: str
    version: int
    expires: datetime
    slot: Slot | None = None
    parts: tuple[Slot, ...] = ()

    @property
    def busy(self) -> tuple[Slot, ...]:
        """What the new time takes of the stylist's; of a cancellation nothing."""
        return self.parts or ((self.slot,) if self.slot is not None else ())

    @property
    def op_if_kept(self) -> str:
        """The operation of a second try, where nothing came of the first and the caller lets us do it later."""
        return f"{self.op}k"

    @property
    def ops(self) -> frozenset[str]:
        """Every operation that this yes can become."""
        return frozenset({self.op, self.op_if_kept})


def upcoming(appointments: Iterable[Appointment], *, now: datetime) -> list[Appointment]:
    """Those a caller may hear of, and which have not begun: they stand, or nobody knows yet whether they will."""
    ended = {AppointmentState.FAILED, AppointmentState.CANCELLED}
    found = [each for each in appointments if each.state not in ended and each.slot.start > now]
    return sorted(found, key=lambda each: (each.slot.start, each.id))


def matching(
    appointments: Iterable[Appointment], *, name: str, day: date, at: datetime | None, zone: ZoneInfo
) -> list[Appointment]:
    """Those whose name and date were said; with `at`, only the one that begins then."""
    return [
        each
        for each in appointments
        if is_named(name, each.customer.name)
        and each.slot.start.astimezone(zone).date() == day
        and (at is None or each.slot.start == at)
    ]


def is_named(said: str, on_record: str) -> bool:
    """Whether a caller who gives this name can be the one on record."""
    words, known = name_identity(said).split(), name_identity(on_record).split()
    if not words or not known:  # a name in another script
        return said.strip().casefold() == on_record.strip().casefold() != ""
    if len(words) == 1 < len(known) and words[0] == known[0]:
        return False  # a first name alone: whoever forges a number may know that much
    telling = any(len(word) > 1 and word not in _SMALL_WORDS for word in set(words) & set(known))
    if not telling and words != known:
        return False
    return may_be_one_person(said, on_record) and len(words) <= len(known) + min(len(known), _MOST_WORDS_BEYOND)
