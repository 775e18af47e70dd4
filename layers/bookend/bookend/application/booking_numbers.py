"""Bookings that are known by their numeric id alone: Cal.com takes it in no path, so a day's list must show them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from bookend.application.budget import callers_need_the_rest
from bookend.application.deadline import Deadline
from bookend.application.ports import Calendar, Clock, ListQuery, Page
from bookend.domain.drift import LIVE
from bookend.domain.timeslot import Slot

_LISTED_WITHIN_S = 20.0
_PAUSE_S = 5.0
_OVER_MIDNIGHT = timedelta(hours=12)


class CalendarSilent(Exception):
    """Cal.com does not list its bookings now; nothing can be concluded from that."""


class BookingNumbers:
    """Uids of bookings by their number, from one list a day; each day is asked for once."""

    def __init__(self, calendar: Calendar, clock: Clock) -> None:
        self._calendar, self._clock = calendar, clock
        self._days: dict[date, dict[int, tuple[str, bool]]] = {}
        """Of each number its booking's uid, and whether it is listed as live."""

    def uid(self, number: int, slot: Slot) -> str | None:
        """The uid of the live booking with this number on the day of `slot`; None: none is listed there.

        Raises:
            CalendarSilent: Cal.com did not answer.
        """
        uid, lives = self._of(slot.start.date()).get(number, ("", False))
        return uid if lives else None

    def ever(self, number: int, slot: Slot) -> str | None:
        """The same, whatever became of the booking: one that was cancelled or moved since was there.

        Raises:
            CalendarSilent: Cal.com did not answer.
        """
        return self._of(slot.start.date()).get(number, (None, False))[0]

    def _of(self, day: date) -> dict[int, tuple[str, bool]]:
        if day not in self._days:
            self._days[day] = self._listed(day)
        return self._days[day]

    def _listed(self, day: date) -> dict[int, tuple[str, bool]]:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        query = ListQuery(window=Slot(midnight, midnight + timedelta(days=1) + _OVER_MIDNIGHT))
        found: dict[int, tuple[str, bool]] = {}
        read = 0
        while True:
            while callers_need_the_rest(self._calendar):
                self._clock.sleep(_PAUSE_S)
            page = self._calendar.page(query, skip=read, deadline=Deadline.within(_LISTED_WITHIN_S, self._clock))
            if not isinstance(page, Page):
                raise CalendarSilent
            found |= {each.id: (each.uid, each.status == LIVE) for each in page.bookings}
            read += page.rows
            if not page.more or not page.rows:
                return found
