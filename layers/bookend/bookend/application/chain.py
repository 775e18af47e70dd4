"""Where a booking stands by now. Cal.com moves one by cancelling it and making another: a chain of uids.

Mostly the old one names the new one. Where it names nobody, it may be the half of a move whose other half is not shown
yet, or a copy may stand in its place: before a cancellation is believed, both are looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from bookend.application.background import Background
from bookend.application.own_bookings import successor
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment
from bookend.domain.drift import DEAD, is_half_of_a_move

LONGEST = 10
"""How many moves of one booking are followed in a row."""


@dataclass(frozen=True, slots=True)
class Stands:
    """The end of the chain: it lives, or waits for a word of the salon. `moved_from`: the link before."""

    booking: Booking
    moved_from: Booking | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The end of the chain: cancelled or rejected, and moved nowhere."""

    booking: Booking


@dataclass(frozen=True, slots=True)
class Unread:
    """That cannot be told now."""

    why: str


@dataclass(frozen=True, slots=True)
class Endless:
    """A circle, or longer than anybody moves a booking: a matter for a person."""


ChainEnd = Stands | Gone | Unread | Endless


def end_of_chain(work: Background, appointment: Appointment, seen: Booking, *, told: Booking | None = None) -> ChainEnd:
    """Follow a booking as it was just read to where it stands. Reads only.

    `told` is the booking that led here: an event may have said of it that somebody cancelled it.
    """
    now_is, before, passed = _as_told(seen, told), None, {seen.uid}
    while now_is.status in DEAD:
        after = moved_to(work, appointment, now_is)
        if not isinstance(after, str):
            return after
        if after in passed or len(passed) > LONGEST:
            return Endless()
        passed.add(after)
        read = work.calendar.booking(after, deadline=work.deadline)
        if not isinstance(read, Booking):
            return Unread("the successor cannot be read")
        now_is, before = _as_told(read, told), now_is
    return Stands(now_is, before)


def where_it_stands(work: Background, appointment: Appointment, seen: Booking) -> Booking | None:
    """The same for whoever waits where it cannot be told. What is endless a run puts before a person."""
    match end_of_chain(work, appointment, seen):
        case Stands(booking) | Gone(booking):
            return booking
        case Unread() | Endless():
            return None
        case other:
            assert_never(other)


def moved_to(work: Background, appointment: Appointment, dead: Booking) -> str | Gone | Unread:
    """The uid after one that is cancelled or rejected."""
    if dead.rescheduled_to is not None:
        return dead.rescheduled_to
    if dead.called_off or dead.status != "cancelled":
        return Gone(dead)
    now = work.clock.now()
    found = successor(appointment, dead, calendar=work.calendar, now=now, deadline=work.deadline)
    if found is None:
        return Unread("whether it was moved cannot be read")
    if found:
        return found[0].uid
    return Unread("it may be half of a move") if is_half_of_a_move(dead, now=now) else Gone(dead)


def first_of_chain(work: Background, moved: Booking) -> Booking | None:
    """The booking that the moves began with; None: that cannot be read now."""
    for _ in range(LONGEST):
        if moved.rescheduled_from is None:
            return moved
        read = work.calendar.booking(moved.rescheduled_from, deadline=work.deadline)
        if not isinstance(read, Booking):
            return None
        moved = read
    return None


def _as_told(read: Booking, told: Booking | None) -> Booking:
    if told is None:
        return read
    return replace(read, called_off=read.called_off or (told.called_off and told.uid == read.uid))
