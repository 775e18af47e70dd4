"""Every outcome of finding, moving and cancelling, and what is said of it in each language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from bookend.adapters.retell.change_replies import ChangeSpeaker
from bookend.adapters.retell.replies import Reply
from bookend.application import change_outcomes as c
from bookend.application import outcomes as o
from bookend.domain.appointment import ChangeKind
from bookend.domain.availability import Offer
from bookend.domain.failures import FailureClass
from bookend.domain.policy import BeyondHorizon, CancelTooLate, MovedTooOften, MoveTooLate, TooSoon
from bookend.domain.saying import Language
from bookend.domain.standing import OpenPoint
from bookend.domain.timeslot import Slot
from bookend.domain.when.facts import EVENING, MORNING
from tests.support.salon import example_tenant

TENANT = example_tenant()
TODAY = date(2025, 10, 11)
WEDNESDAY, THURSDAY = date(2025, 10, 15), date(2025, 10, 16)
NOW = datetime(2025, 10, 11, 6, 53, 2, tzinfo=UTC)
MOVE, CANCEL = ChangeKind.MOVE, ChangeKind.CANCEL
F = FailureClass


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A wall time in Berlin."""
    return datetime.combine(day, time(hour, minute), TENANT.zone).astimezone(UTC)


def slot(day: date, hour: int, minute: int = 0) -> Slot:
    return Slot.of(at(day, hour, minute), 30)


def offers(*slots: Slot) -> tuple[Offer, ...]:
    return tuple(
        Offer(f"id{n:05}", "op", "herrenhaarschnitt", "fabian", each, NOW, NOW + timedelta(seconds=120))
        for n, each in enumerate(slots, 1)
    )


NINE, HALF_PAST = slot(WEDNESDAY, 9), slot(WEDNESDAY, 9, 30)
THREE = (slot(WEDNESDAY, 10), slot(WEDNESDAY, 11, 30), slot(THURSDAY, 9))
WITH_THREE = (slot(WEDNESDAY, 10), slot(WEDNESDAY, 11, 30), slot(WEDNESDAY, 15))


def not_changed(kind: ChangeKind, failure: FailureClass, **more: object) -> c.NotChanged:
    wanted = HALF_PAST if kind is MOVE else None
    outcome = c.NotChanged(kind=kind, failure=failure, today=TODAY, current=NINE, wanted=wanted)
    return replace(outcome, **more)  # type: ignore[arg-type]


def own(where: Slot, service: str = "herrenhaarschnitt", **more: object) -> c.Own:
    return c.Own(where, service, **more)  # type: ignore[arg-type]


TODAY_AT_FIVE = own(slot(TODAY, 17))
OPEN_POINTS = {
    "the booking": own(NINE, open=OpenPoint.BOOKING, message=True),
    "the booking, and nobody says how": own(NINE, open=OpenPoint.BOOKING),
    "the move": own(NINE, "dauerwelle", open=OpenPoint.MOVE, message=True),
    "the move, and nobody says how": own(NINE, "dauerwelle", open=OpenPoint.MOVE),
    "the cancellation": own(NINE, "", open=OpenPoint.CANCEL, message=True),
}
FOUND: dict[str, c.FindOutcome] = {
    "found none": c.Found((), TODAY),
    "found one": c.Found((own(NINE),), TODAY),
    "found one, of a service that is gone": c.Found((own(NINE, "bartpflege"),), TODAY),
    "found two": c.Found((TODAY_AT_FIVE, own(NINE, "dauerwelle")), TODAY),
    "found two, one of them not whole": c.Found((TODAY_AT_FIVE, own(NINE, changed=True)), TODAY),
    "found next year": c.Found((own(slot(date(2026, 1, 5), 10)),), TODAY),
    "found seven": c.Found(tuple(own(slot(WEDNESDAY + timedelta(days=n), 9)) for n in range(7)), TODAY),
    "found, number withheld": c.AskAPerson(),
    **{f"found, open is {what}": c.Found((each,), TODAY) for what, each in OPEN_POINTS.items()},
    "found two, of one the booking is open": c.Found((TODAY_AT_FIVE, OPEN_POINTS["the booking"]), TODAY),
}
CHANGED: dict[str, tuple[ChangeKind, c.ChangeOutcome]] = {
    "not identified": (CANCEL, c.NotIdentified()),
    "not the last question": (MOVE, c.NotTheLastQuestion()),
    **{
        f"{kind.value}: not noted, open is {what}": (kind, c.NotNoted(kind, each, TODAY))
        for kind in (MOVE, CANCEL)
        for what, each in OPEN_POINTS.items()
    },
    "a person must move it": (MOVE, c.AskAPerson()),
    "a person must cancel it": (CANCEL, c.AskAPerson()),
    "which of two": (CANCEL, c.WhichOne((NINE, slot(WEDNESDAY, 15)), TODAY)),
    "times on that day": (MOVE, c.NewTimes(WEDNESDAY, offers(*THREE[:2]), TODAY)),
    "times on that day and after": (MOVE, c.NewTimes(WEDNESDAY, offers(*THREE), TODAY)),
    "one time": (MOVE, c.NewTimes(WEDNESDAY, offers(HALF_PAST), TODAY)),
    "times on another day only": (MOVE, c.NewTimes(WEDNESDAY, offers(THREE[2]), TODAY)),
    "no times": (MOVE, c.NewTimes(WEDNESDAY, (), TODAY)),
    "times in the morning and besides": (MOVE, c.NewTimes(WEDNESDAY, offers(*WITH_THREE), TODAY, MORNING.window)),
    "times not in the evening": (MOVE, c.NewTimes(WEDNESDAY, offers(*WITH_THREE), TODAY, EVENING.window)),
    "shall I move it": (MOVE, c.Confirm(MOVE, "t1", NINE, HALF_PAST, TODAY, service="herrenhaarschnitt")),
    "shall I move it to another day": (MOVE, c.Confirm(MOVE, "t1", NINE, THREE[2], TODAY, service="dauerwelle")),
    "shall I cancel it": (CANCEL, c.Confirm(CANCEL, "t1", NINE, None, TODAY, service="herrenhaarschnitt")),
    "shall I cancel it, of a service that is gone": (CANCEL, c.Confirm(CANCEL, "t1", NINE, None, TODAY)),
    "asked too long ago": (MOVE, c.AskedTooLongAgo(MOVE)),
    "already there": (MOVE, c.AlreadyThere(NINE, TODAY)),
    "has one there": (MOVE, c.HasOneThere(HALF_PAST, TODAY)),
    "moved": (MOVE, c.Moved(HALF_PAST, "fabian", TODAY)),
    "moved to today": (MOVE, c.Moved(slot(TODAY, 17), "fabian", TODAY)),
    "cancelled": (CANCEL, c.CancelledNow(NINE, TODAY)),
    "move: which name": (MOVE, o.NeedInfo(o.Missing.OWN_NAME)),
    "move: which day": (MOVE, o.NeedInfo(o.Missing.OWN_DATE)),
    "move: where to": (MOVE, o.NeedInfo(o.Missing.NEW_TIME)),
    "move: not a time": (MOVE, o.NotATime()),
    "move: past": (MOVE, o.PastTime(TODAY)),
    "kept: move": (MOVE, c.KeptForLater(MOVE, NINE, NOW + timedelta(hours=2), TODAY)),
    "kept: move, perhaps done": (MOVE, c.KeptForLater(MOVE, None, NOW + timedelta(hours=2), TODAY)),
    "kept: cancel": (CANCEL, c.KeptForLater(CANCEL, NINE, NOW + timedelta(hours=2), TODAY)),
    "move: temporary": (MOVE, not_changed(MOVE, F.TEMPORARY)),
    "move: temporary, may be kept": (MOVE, not_changed(MOVE, F.TEMPORARY, token="t1")),
    "move: temporary, in a minute": (MOVE, not_changed(MOVE, F.TEMPORARY, token="t1", retry_after_s=42.4)),
    "move: temporary and open": (MOVE, not_changed(MOVE, F.TEMPORARY, open=True)),
    "move: temporary and open, may be kept": (MOVE, not_changed(MOVE, F.TEMPORARY, open=True, token="t1")),
    "move: not found": (MOVE, not_changed(MOVE, F.NOT_FOUND)),
    "move: error": (MOVE, not_changed(MOVE, F.ERROR)),
    "move: taken, three instead": (MOVE, not_changed(MOVE, F.SLOT_TAKEN, offers=offers(*THREE))),
    "move: taken, instead on the day that was wished": (
        MOVE,
        not_changed(MOVE, F.SLOT_TAKEN, wanted=THREE[2], offers=offers(slot(THURSDAY, 9, 45), slot(THURSDAY, 10, 30))),
    ),
    "move: taken, nothing instead": (MOVE, not_changed(MOVE, F.SLOT_TAKEN)),
    "move: the calendar's rule": (MOVE, not_changed(MOVE, F.POLICY)),
    "move: too late": (MOVE, not_changed(MOVE, F.POLICY, refusal=MoveTooLate(at(TODAY, 8)))),
    "move: too often": (MOVE, not_changed(MOVE, F.POLICY, refusal=MovedTooOften(2))),
    "move: too soon": (MOVE, not_changed(MOVE, F.POLICY, refusal=TooSoon(at(TODAY, 10, 53)))),
    "move: too far": (MOVE, not_changed(MOVE, F.POLICY, refusal=BeyondHorizon(THURSDAY))),
    "move: open": (MOVE, not_changed(MOVE, F.PENDING, open=True)),
    "cancel: temporary": (CANCEL, not_changed(CANCEL, F.TEMPORARY)),
    "cancel: temporary, may be kept": (CANCEL, not_changed(CANCEL, F.TEMPORARY, token="t1")),
    "cancel: temporary and open, may be kept": (CANCEL, not_changed(CANCEL, F.TEMPORARY, open=True, token="t1")),
    "cancel: not found": (CANCEL, not_changed(CANCEL, F.NOT_FOUND)),
    "cancel: error": (CANCEL, not_changed(CANCEL, F.ERROR)),
    "cancel: taken": (CANCEL, not_changed(CANCEL, F.SLOT_TAKEN)),
    "cancel: the calendar's rule": (CANCEL, not_changed(CANCEL, F.POLICY)),
    "cancel: too late": (CANCEL, not_changed(CANCEL, F.POLICY, refusal=CancelTooLate(at(TODAY, 8)))),
    "cancel: open": (CANCEL, not_changed(CANCEL, F.PENDING, open=True)),
}


def table() -> Iterator[tuple[str, str, Reply]]:
    """Language, name of the outcome, and its reply."""
    for language in Language:
        speaker = ChangeSpeaker(replace(TENANT, language=language))
        yield from ((language.value, name, speaker.found(each)) for name, each in FOUND.items())
        yield from ((language.value, name, speaker.changed(kind, each)) for name, (kind, each) in CHANGED.items())
