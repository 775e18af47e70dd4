"""Cal.com behind work that no caller waits for: a key that it rejects is told of, at one place and once an hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from bookend.application import alerts as alert
from bookend.application.deadline import Deadline
from bookend.application.ports import (
    Adoptions,
    Alerts,
    BookingRequest,
    Calendar,
    CalendarTrouble,
    CancelAnswer,
    Clock,
    FreeStarts,
    ListQuery,
    Page,
    StoreUnavailable,
)
from bookend.domain.answers import Booking, CreateAnswer, KeyRejected
from bookend.domain.timeslot import Slot

_T = TypeVar("_T")


class KeyWatch:
    """The `Calendar` port around another one, for one tenant.

    Settling, converging and reconciling treat a rejected key as "look again later", and would do so for ever in
    silence. The guard of the hour is in the store, so however many pieces of work meet it, a person hears of it once.
    """

    def __init__(
        self, calendar: Calendar, adoptions: Adoptions, *, tenant: str, by: str, alerts: Alerts, clock: Clock
    ) -> None:
        self._calendar = calendar
        self._adoptions = adoptions
        self._tenant = tenant
        self._by = by
        self._alerts = alerts
        self._clock = clock
        self._told_in: str | None = None

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        answers = self._calendar.free_starts(event_types, window, deadline=deadline, moving=moving)
        for each in answers.values():
            self._heard("slots", each)
        return answers

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        return self._heard("create", self._calendar.book(request, deadline=deadline))

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        return tuple(self._heard("create", each) for each in self._calendar.book_all(requests, deadline=deadline))

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        return self._heard("reschedule", self._calendar.reschedule(uid, start, reason, deadline=deadline))

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        answers = self._calendar.reschedule_all(moves, reason, deadline=deadline)
        return tuple(self._heard("reschedule", each) for each in answers)

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        return self._heard("cancel", self._calendar.cancel(uid, reason, deadline=deadline))

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        return tuple(self._heard("cancel", each) for each in self._calendar.cancel_all(uids, reason, deadline=deadline))

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        return self._heard("get", self._calendar.booking(uid, deadline=deadline))

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        return self._heard("list", self._calendar.find(email, window, deadline=deadline))

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        return self._heard("list", self._calendar.page(query, skip=skip, deadline=deadline))

    def headroom(self) -> int | None:
        return self._calendar.headroom()

    def _heard(self, asked: str, answer: _T) -> _T:
        now = self._clock.now()
        hour = f"{now:%Y-%m-%dT%H}"
        if not isinstance(answer, KeyRejected) or hour == self._told_in:
            return answer
        raised = alert.key_rejected_behind(asked, self._by)
        try:
            is_first = self._adoptions.flag(self._tenant, raised, about=f"key-{hour}", now=now)
        except StoreUnavailable:
            return answer  # what met it comes back, and tells then
        self._told_in = hour
        if is_first:
            self._alerts.raise_(raised)
        return answer
