"""Bugs in moves and cancellations: what is sent again, what an answer proves, what is kept, what is on record first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.application import change_commit, change_ends, change_settling
from bookend.application.change_outcomes import CancelledNow, Moved
from bookend.application.ports import Cancelled
from bookend.domain.answers import Answered, Booking, Judgement, Refusal, Refused, Unclear, Verdict
from bookend.domain.appointment import ChangeKind
from tests.application import changes
from tests.application.convergence import test_changes_directed as told
from tests.application.convergence.world import Layer
from tests.planted.bug import Battery, Bug, Patch, changed, one_test
from tests.support.invariants import Heard, violations

MOVE, CANCEL = ChangeKind.MOVE, ChangeKind.CANCEL
real_judge_move = change_commit.judge_move


def lost(_calendar: Any, _uid: str) -> Any:
    return Unclear("ReadTimeout")


def done_unseen(calendar: Any, uid: str) -> Any:
    """It is done, nobody says so, and no reason is left with it: that may be half of a move of the salon's."""
    calendar.bookings[uid] = replace(calendar.bookings[uid], status="cancelled")
    return Unclear("ReadTimeout")


def not_allowed(_calendar: Any, _uid: str) -> Any:
    return Refused(Refusal.NOT_ALLOWED, "HTTP 400")


def in_the_turn(kind: ChangeKind, *faults: Callable[[Any, str], Any]) -> Battery:
    """A change, and a look at the world right after it: nobody has repaired anything yet."""

    def breaches() -> Iterator[str]:
        salon = changes.salon_with_one()
        phone = salon.call("call_2")
        asked = changes.question(phone, kind)
        salon.calendar.cancel_faults.extend(faults)
        outcome = changes.yes(phone, kind, asked.token)
        heard = Heard(phone.as_call.id, outcome, appointment=changes.only(salon).id)
        yield from violations(salon, [heard])

    return Battery(f"{kind.value} in the turn: {', '.join(each.__name__ for each in faults) or 'well'}", breaches)


def a_move_of_any_length_is_done(patch: Patch) -> None:
    def trusting(answer: Any, *args: Any, **rest: Any) -> Judgement:
        return Judgement(Verdict.OK, "2xx") if isinstance(answer, Answered) else real_judge_move(answer, *args, **rest)

    patch.setattr(change_commit, "judge_move", trusting)


def moved_is_said_before_it_is_written(patch: Patch) -> None:
    def hasty(turn: Any, appointment: Any, _booking: Any) -> Any:
        return Moved(appointment.under_way.slot, appointment.staff, turn.today())

    patch.setattr(change_commit, "_moved", hasty)


def cancelled_is_said_before_it_is_written(patch: Patch) -> None:
    patch.setattr(
        change_commit, "_cancelled", lambda turn, appointment, _: CancelledNow(appointment.slot, turn.today())
    )


def an_unclear_move_is_a_no(patch: Patch) -> None:
    def refused(turn: Any, appointment: Any, asked: Any, answer: Any, _why: str, until: Any) -> Any:
        return change_commit.refused(turn, appointment, asked, answer, until)

    patch.setattr(change_commit, "unknown", refused)


def an_unclear_cancellation_is_done(patch: Patch) -> None:
    patch.setattr(change_commit, "second_answer", lambda *_: Cancelled())


def a_no_after_an_unclear_answer_is_believed(patch: Patch) -> None:
    patch.setattr(change_commit, "second_answer", lambda _first, second: second)


def no_request_needs_time_to_have_its_effect(patch: Patch) -> None:
    patch.setattr(change_settling, "did_nothing", lambda *_, **__: True)


def a_request_is_over_at_the_second_look(patch: Patch) -> None:
    patch.setattr(change_ends, "SETTLE", timedelta(0))


def a_kept_wish_is_kept_for_ever(patch: Patch) -> None:
    for module in (change_ends, change_settling):
        patch.setattr(module, "is_over", lambda *_, **__: False)


def a_kept_wish_is_dropped(patch: Patch) -> None:
    patch.setattr(change_settling, "_cancel_again", change_ends.wait)


def half_of_the_salons_move_is_the_cancellation(patch: Patch) -> None:
    def hasty(turn: Any, uid: str) -> Any:
        seen = turn.calendar.booking(uid, deadline=turn.deadline)
        return seen if isinstance(seen, Booking) and seen.status == "cancelled" else None

    patch.setattr(change_commit, "is_cancelled", hasty)


def what_the_salon_did_is_our_move(patch: Patch) -> None:
    for module in (change_commit, change_settling):
        patch.setattr(module, "judge_moved", lambda *_, **__: Judgement(Verdict.OK, "somewhere"))


def where_it_went_is_not_looked_at(patch: Patch) -> None:
    patch.setattr(change_settling, "where_it_stands", lambda _work, _appointment, seen: seen)


def who_was_told_that_it_is_open_is_owed_nothing(patch: Patch) -> None:
    real = DynamoChanges.given_up

    def silent(self: DynamoChanges, *args: Any, **how: Any) -> Any:
        return real(self, *args, **how | {"owes_text": False})

    patch.setattr(DynamoChanges, "given_up", silent)


def the_new_time_is_not_taken(patch: Patch) -> None:
    """The old one stays in the ledger alone while the move is under way."""
    patch.setattr(DynamoChanges, "_take", lambda *_, **__: [])


def nothing_is_looked_for_while_the_caller_waits(patch: Patch) -> None:
    """The turn believes what it has not seen."""

    def guessing(_turn: Any, _appointment: Any, _own: Any, answer: Any, _judgement: Any) -> Any:
        return answer, Judgement(Verdict.REJECT if isinstance(answer, Unclear) else Verdict.UNKNOWN, "guessed")

    patch.setattr(change_commit, "look_for_move", guessing)


BUGS = (
    Bug(
        a_move_of_any_length_is_done,
        '"umgebucht" is said of a booking of another length (P3)',
        changed(Layer.SWEEPER, MOVE, "moved longer"),
        "I3",
    ),
    Bug(
        moved_is_said_before_it_is_written,
        "what was said stands nowhere, until somebody looks (P4)",
        in_the_turn(MOVE),
        "I5",
    ),
    Bug(
        cancelled_is_said_before_it_is_written,
        "what was said stands nowhere, until somebody looks (P4)",
        in_the_turn(CANCEL),
        "I5",
    ),
    Bug(
        an_unclear_move_is_a_no,
        '"nicht umgebucht" is said of what may have happened (P4)',
        changed(Layer.SWEEPER, MOVE, "moved 100 s later"),
        "I3",
    ),
    Bug(
        an_unclear_cancellation_is_done,
        '"storniert" is said of what may stand (P4)',
        in_the_turn(CANCEL, lost, lost),
        "I3",
    ),
    Bug(
        a_no_after_an_unclear_answer_is_believed,
        "a refusal is believed that our own first request caused",
        in_the_turn(CANCEL, done_unseen, not_allowed),
        "I3",
    ),
    Bug(
        no_request_needs_time_to_have_its_effect,
        "a move is given up that Cal.com carries out later",
        changed(Layer.SWEEPER, MOVE, "moved 100 s later"),
        "I3",
    ),
    Bug(
        a_request_is_over_at_the_second_look,
        "a move is given up that Cal.com carries out later",
        changed(Layer.SWEEPER, MOVE, "moved 125 s later, and not shown"),
        "I3",
    ),
    Bug(
        a_kept_wish_is_kept_for_ever,
        "a change happens long after it was promised (P4)",
        one_test(told.test_a_wish_is_kept_no_longer_than_was_said),
    ),
    Bug(
        a_kept_wish_is_dropped,
        "what was promised for later never happens (P4)",
        one_test(told.test_a_cancellation_that_is_kept_is_repeated_until_it_is_done),
    ),
    Bug(
        half_of_the_salons_move_is_the_cancellation,
        "a customer the salon has moved is told that they are cancelled",
        one_test(told.test_half_of_the_salons_move_is_not_taken_for_the_cancellation, "in the turn"),
    ),
    Bug(
        what_the_salon_did_is_our_move,
        '"umgebucht" is said of another time (P4)',
        changed(Layer.SWEEPER, MOVE, "the salon moved it, and lost"),
        "I5",
    ),
    Bug(
        where_it_went_is_not_looked_at,
        "a move that happened is taken for a cancellation",
        changed(Layer.SWEEPER, MOVE, "moved and not shown"),
        "I3",
    ),
    Bug(
        who_was_told_that_it_is_open_is_owed_nothing,
        'who heard "noch offen" never hears the end (P4)',
        changed(Layer.SWEEPER, MOVE, "lost before"),
        "I6",
    ),
    Bug(
        the_new_time_is_not_taken,
        "the time an appointment is moved to is sold meanwhile (P1)",
        changed(Layer.SWEEPER, MOVE, "lost before"),
        "I2",
    ),
    Bug(
        nothing_is_looked_for_while_the_caller_waits,
        '"nicht umgebucht" is said of what has happened (P4)',
        changed(Layer.SWEEPER, MOVE, "moved and lost"),
        "I3",
    ),
)
