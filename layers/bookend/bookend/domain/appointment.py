"""An appointment (ours) and the states it may legally go through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bookend.domain.contacts import Customer
from bookend.domain.timeslot import Slot


class AppointmentState(StrEnum):
    """What is known of an appointment."""

    PENDING = "PENDING"
    """Recorded before Cal.com is asked; its outcome there is open."""
    CONFIRMED = "CONFIRMED"
    """Cal.com's answer was checked to be ours and committed here."""
    FAILED = "FAILED"
    """Cal.com has no booking of it, and its time is free again."""
    COMPENSATING = "COMPENSATING"
    """Cal.com has, or may have, a booking of it that must go; its time stays blocked until that is gone."""
    MOVING = "MOVING"
    """Confirmed, and a move is in flight; old and new time are both blocked."""
    CANCELLING = "CANCELLING"
    """Confirmed, and a cancellation is in flight; the time stays blocked until Cal.com agrees."""
    CANCELLED = "CANCELLED"
    """Gone on both sides."""


LEGAL_TRANSITIONS: Mapping[AppointmentState, frozenset[AppointmentState]] = {
    AppointmentState.PENDING: frozenset(
        {AppointmentState.CONFIRMED, AppointmentState.FAILED, AppointmentState.COMPENSATING}
    ),
    AppointmentState.COMPENSATING: frozenset({AppointmentState.FAILED}),
    AppointmentState.CONFIRMED: frozenset(
        {AppointmentState.MOVING, AppointmentState.CANCELLING, AppointmentState.CANCELLED}
    ),
    AppointmentState.MOVING: frozenset({AppointmentState.CONFIRMED, AppointmentState.CANCELLED}),
    AppointmentState.CANCELLING: frozenset({AppointmentState.CANCELLED, AppointmentState.CONFIRMED}),
    AppointmentState.FAILED: frozenset(),
    AppointmentState.CANCELLED: frozenset(),
}
"""Every step an appointment may take; the store's conditions name the old state of each."""


def may_become(old: AppointmentState, new: AppointmentState) -> bool:
    """Whether the step is legal."""
    return new in LEGAL_TRANSITIONS[old]


TRANSIENT = frozenset(
    state for state in AppointmentState if state.name in {"PENDING", "COMPENSATING", "MOVING", "CANCELLING"}
)
"""States that something must end: each such appointment has a lease and a due time."""


STANDING = frozenset({AppointmentState.CONFIRMED, AppointmentState.MOVING, AppointmentState.CANCELLING})
"""Its customer has it, whatever is being done about it."""
OPEN = frozenset({AppointmentState.PENDING, AppointmentState.COMPENSATING})
"""States in which it is not known yet whether there will be an appointment."""


@dataclass(frozen=True, slots=True)
class BookedSegment:
    """A busy part of an appointment: one stylist, one slot, one booking at Cal.com once there is one.

    `host` is the stylist's user at Cal.com as of then: the configuration may have lost them since. `uid` is Cal.com's
    id for paths; `booking_id` its numeric id, which it takes in no path (contracts: calcom 9.21). `updated_at` is
    Cal.com's own instant of the newest state that we know of this booking, where the appointment has several.
    """

    index: int
    staff: str
    slot: Slot
    event_type: int
    uid: str | None = None
    booking_id: int | None = None
    host: int | None = None
    updated_at: datetime | None = None


class Told(StrEnum):
    """What the caller was last told about the operation."""

    NOTHING = "nothing"
    BOOKED = "booked"
    NOT_BOOKED = "not_booked"
    PENDING = "pending"
    DONE = "done"
    """A change was made."""


class Amiss(StrEnum):
    """Why the parts of a composite are no longer the whole that was booked, since others changed one of them."""

    PART_GONE = "part_gone"
    GAP_TOO_SHORT = "gap_too_short"
    GAP_TOO_LONG = "gap_too_long"
    OTHER_STYLIST = "other_stylist"
    NOT_SOLD = "not_sold"
    """The salon's document does not have the service any more, or with fewer parts: nobody can tell."""


class ChangeKind(StrEnum):
    """What a caller wants of an appointment they have."""

    MOVE = "move"
    CANCEL = "cancel"


class WishedBy(StrEnum):
    """Whose wish a change is. The salon's rules, and the limits of a day, bind callers alone."""

    CALLER = "caller"
    PERSON = "person"
    """The salon's: somebody has decided it about a case."""
    PART = "part"
    """Nobody's: others have changed a part, and the rest goes after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A move or cancellation that is under way; the appointment is MOVING or CANCELLING for as long.

    `segments` are where it shall stand (none for a cancellation). `since` is when it was written down, `sent_at` when
    Cal.com may last have been asked: None as long as it surely was not. `told`: whether the caller was told that it is
    open, and so is owed a message. `keep_until`: the caller agreed that it is tried again until then. `absent_since` is
    the first look, after the last request, that did not find it done. `back`: some of its parts have gone and others
    cannot, so those that have are taken back, and why. `follows` is the number of the part of a composite that others
    moved or cancelled, and that the rest goes after; None: it is a wish. `wished_by` says whose.
    """

    op: str
    kind: ChangeKind
    call: str
    since: datetime
    segments: tuple[BookedSegment, ...] = ()
    sent_at: datetime | None = None
    told: Told = Told.NOTHING
    keep_until: datetime | None = None
    absent_since: datetime | None = None
    back: ChangeWhy | None = None
    follows: int | None = None
    wished_by: WishedBy = WishedBy.CALLER

    @property
    def slot(self) -> Slot:
        """Where the appointment shall stand.

        Raises:
            IndexError: it is a cancellation.
        """
        return Slot(self.segments[0].slot.start, self.segments[-1].slot.end)


class ChangeWhy(StrEnum):
    """Why a change was not made."""

    NONE = ""
    TAKEN = "taken"
    TEMPORARY = "temporary"
    """Nothing could be sent."""
    NOT_FOUND = "not_found"
    POLICY = "policy"
    REFUSED = "refused"
    TOO_LATE = "too_late"
    """The time for which it was kept is over, or the appointment has begun."""
    NEVER_ARRIVED = "never_arrived"
    APART = "apart"
    """The rest of a composite could not go after what was moved or cancelled of it, nor that be brought back: its parts
    stand apart, and a person rings."""
    CHANGED_THERE = "changed_there"
    """Others changed the appointment meanwhile: what was confirmed was another one."""
    CANCELLED_THERE = "cancelled_there"


class ChangeEnd(StrEnum):
    """How a change ended."""

    DONE = "done"
    NOT_DONE = "not_done"


@dataclass(frozen=True, slots=True)
class ChangeEnded:
    """The last change of an appointment that came to its end, for whoever asks for it again.

    `version` is the appointment's right after: as long as it still has it, nothing else has happened.
    """

    op: str
    kind: ChangeKind
    end: ChangeEnd
    why: ChangeWhy = ChangeWhy.NONE
    version: int = 0


@dataclass(frozen=True, slots=True)
class Appointment:
    """One appointment. `op` is the operation that last changed it, `version` grows with every change.

    `lease` is the instant until which its operation may still be working on it. `why` says for what reason it ended
    where it is: the refusal's name, never Cal.com's text. `absent_since` is the instant since which every look has
    found no booking of it. `calendar_updated_at` is Cal.com's own instant of the newest state of it that we know.
    """

    id: str
    state: AppointmentState
    op: str
    version: int
    service: str
    segments: tuple[BookedSegment, ...]
    customer: Customer
    call: str
    source: str
    created_at: datetime
    request: str
    lease: datetime | None = None
    told: Told = Told.NOTHING
    why: str | None = None
    verified_at: datetime | None = None
    absent_since: datetime | None = None
    calendar_updated_at: datetime | None = None
    change: Change | None = None
    """Exactly while it is MOVING or CANCELLING."""
    last_change: ChangeEnded | None = None
    moves: int = 0
    """How often its customer has moved it; what the salon moves does not count."""
    amiss: Amiss | None = None
    """Of a composite: what others have left of it is not the whole that was booked, and a person knows."""

    @property
    def slot(self) -> Slot:
        """From its first minute to its last. Others may move a part of it before the one that it came after."""
        starts, ends = zip(*((each.slot.start, each.slot.end) for each in self.segments), strict=True)
        return Slot(min(starts), max(ends))

    @property
    def staff(self) -> str:
        """The stylist of the first segment, whose name the caller hears."""
        return self.segments[0].staff

    @property
    def under_way(self) -> Change:
        """The change it is in.

        Raises:
            ValueError: none; it is neither MOVING nor CANCELLING.
        """
        if self.change is None:
            msg = "no change is under way"
            raise ValueError(msg)
        return self.change
