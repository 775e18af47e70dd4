"""What a look at Cal.com shows of the parts of a composite that is being moved or cancelled, and standing as it shows.

Each part is looked for by its uid, and along its moves: no turn's memory is needed for what has gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bookend.application.background import Background
from bookend.application.chain import where_it_stands
from bookend.application.change_ends import give_up
from bookend.application.following import put_before_a_person
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Amiss, Appointment, BookedSegment, Change, ChangeWhy
from bookend.domain.composites import what_is_amiss
from bookend.domain.drift import DEAD, LIVE, Drift, Flag
from bookend.domain.move_answers import as_it_stands
from bookend.domain.timeslot import Slot


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the appointment: where it stood, where it shall go (None: nowhere), and what is there of it now.

    `home` is the uid under which it last stood where it stood: others may have moved it away and back since it was
    written down, and it is from there that we move it.
    """

    own: BookedSegment
    target: BookedSegment | None
    seen: Booking
    home: str

    @property
    def index(self) -> int:
        """The number of the part."""
        return self.own.index

    @property
    def slot(self) -> Slot:
        """Where its booking is now."""
        return Slot(self.seen.start, self.seen.end)

    @property
    def is_gone(self) -> bool:
        """It is cancelled."""
        return self.seen.status in DEAD

    @property
    def is_home(self) -> bool:
        """It is where it stood: never moved, or brought back."""
        return self._lives and self.slot == self.own.slot

    @property
    def is_there(self) -> bool:
        """It is where it shall go; by us, and perhaps of another length, if the salon has changed the event type's."""
        if self.target is None:
            return False
        if self.target.slot == self.own.slot:
            return self.is_home
        ours = self.seen.rescheduled_from == self.home and self.seen.start == self.target.slot.start
        return self._lives and ours

    @property
    def _lives(self) -> bool:
        return self.seen.status == LIVE and (self.own.host is None or self.seen.host == self.own.host)


@dataclass(frozen=True, slots=True)
class Looked:
    """The parts as they are now. `all_there`: else Cal.com says of the missing ones that they do not exist."""

    parts: tuple[Part, ...]
    all_there: bool


def look(work: Background, appointment: Appointment) -> Looked | None:
    """Every part as it is now; None: of one that cannot be told, or somebody must confirm it at Cal.com first."""
    targets = {each.index: each for each in appointment.under_way.segments}
    found: list[Part] = []
    for own in appointment.segments:
        seen = work.calendar.booking(own.uid or "", deadline=work.deadline)
        if isinstance(seen, NotThere):
            continue
        now_is = where_it_stands(work, appointment, seen) if isinstance(seen, Booking) else None
        home = _home(work, own, now_is) if now_is is not None else None
        if now_is is None or home is None or now_is.status not in {LIVE, *DEAD}:
            return None
        found.append(Part(own, targets.get(own.index), now_is, home))
    return Looked(tuple(found), all_there=len(found) == len(appointment.segments))


def _home(work: Background, own: BookedSegment, now_is: Booking) -> str | None:
    """Under which uid it stood where it stood, before it was where it is now; None: that cannot be read now."""
    known, before = own.uid or "", now_is.rescheduled_from
    if Slot(now_is.start, now_is.end) == own.slot:
        return now_is.uid
    if before is None or known in {before, now_is.uid}:
        return known
    came_from = work.calendar.booking(before, deadline=work.deadline)
    if isinstance(came_from, NotThere):
        return known
    if not isinstance(came_from, Booking):
        return None
    return before if Slot(came_from.start, came_from.end) == own.slot else known


def seen_of(parts: Sequence[Part]) -> dict[int, Booking]:
    """Their bookings by the number of the part."""
    return {each.index: each.seen for each in parts}


def restored(change: Change, *, nothing_done: bool) -> Change | None:
    """What the change goes back to after a round of which no request may still take effect; None: it stays as sent.

    Of what was never sent nothing can have happened: once its time is over it is given up without a look. So a change
    of which anything is done is never again one that was not sent, whoever did it.
    """
    return change if nothing_done or change.sent_at is not None else None


def stand_as_seen(
    work: Background,
    appointment: Appointment,
    why: ChangeWhy,
    seen: Mapping[int, Booking],
    *,
    answer: str = "",
    flag: bool = False,
) -> bool:
    """It stands as Cal.com has it, whole or not. A person is told first of each part that is not where it was; of a
    change that came to nothing where all stand as before if `flag`.
    """
    after = as_it_stands(appointment, seen)
    kept = {each.index: each.slot for each in after}
    amiss: Amiss | None = None
    if any(kept.get(each.index) != each.slot for each in appointment.segments):
        amiss = what_is_amiss(work.tenant.service(appointment.service), after)
        why, flag = ChangeWhy.APART, False
    for each in appointment.segments:
        if kept.get(each.index) != each.slot and each.index in seen:
            put_before_a_person(work, Flag(seen[each.index], Drift.PART, appointment, amiss))
    return give_up(work, appointment, why, answer=answer, flag=flag, seen=seen, amiss=amiss)
