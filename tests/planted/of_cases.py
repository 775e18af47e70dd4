"""Bugs in cases, imports, runs and lists, and in what is kept of free times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from bookend.adapters.dynamodb.actions import Actions
from bookend.adapters.dynamodb.imports import DynamoImports
from bookend.adapters.dynamodb.transact import Table as DynamoTable
from bookend.application import duplicates, import_plan, importing, invocation, remedying, reviewing
from bookend.domain import import_claims
from bookend.domain.answers import Answered
from bookend.domain.drift import LIVE
from bookend.domain.reviews import Choice
from tests.adapters.dynamodb import test_slots
from tests.adapters.dynamodb.place import Place
from tests.application import test_duplicates, test_importing, test_reconciling
from tests.application.remedies import test_decisions_overtaken, test_remedies
from tests.application.remedies.ward import Ward
from tests.planted.bug import Bug, Patch, one_test
from tests.support.tables.engines import engine


@contextmanager
def _place() -> Iterator[Place]:
    with engine("memory") as opened:
        yield Place(opened, "friseur1")


# Cases


def a_case_is_closed_by_the_answer(patch: Patch) -> None:
    """Not by what was read at Cal.com afterwards."""
    real = remedying._Run._remember

    def hasty(self: Any, case: Any, answers: Any) -> Any:
        if all(isinstance(each, Answered) for each in answers):
            ends = remedying.Close(remedying.Ending.BOOKED, "answered", case.appointment, answers[0].booking.uid)
            return self._do(self._work, case, ends)
        return real(self, case, answers)

    patch.setattr(remedying._Run, "_remember", hasty)


def closings_have_no_limit(patch: Patch) -> None:
    patch.setattr(remedying._Run, "_is_held_back", lambda *_: False)


def ours_is_kept_without_a_look_at_it(patch: Patch) -> None:
    """Whatever was read of a booking, it is taken for live."""
    real = reviewing.read

    def believing(*args: Any) -> Any:
        seen = real(*args)
        return None if seen is None else replace(seen, status=LIVE)

    patch.setattr(reviewing, "read", believing)


def what_was_taken_back_is_carried_out(patch: Patch) -> None:
    """By a run that has its cases from before: nothing it writes is bound to the case as read."""
    patch.setattr(DynamoTable, "only_if", lambda self, _check: self)


def a_list_says_which_booking_is_left(patch: Patch) -> None:
    patch.setattr(duplicates._Search, "_not_live", lambda *_: None)


# Imports, runs, lists


def a_twin_import_writes_over_the_other(patch: Patch) -> None:
    real = DynamoImports._put_progress

    def careless(self: DynamoImports, *args: Any) -> Any:
        put = dict(real(self, *args)["Put"])
        put["ConditionExpression"] = f"({put['ConditionExpression']}) OR attribute_exists(#anything)"
        put["ExpressionAttributeNames"] = {**put["ExpressionAttributeNames"], "#anything": "pk"}
        return {"Put": put}

    patch.setattr(DynamoImports, "_put_progress", careless)


def what_is_imported_is_called_verified(patch: Patch) -> None:
    real = import_plan.draft_of

    def claimed(*args: Any, now: Any) -> Any:
        draft = real(*args, now=now)
        return None if draft is None else replace(draft, verified_at=now)

    patch.setattr(importing, "draft_of", claimed)


def two_rows_may_have_one_booking(patch: Patch) -> None:
    patch.setattr(import_claims.Claims, "duplicate_of", lambda *_: None)


def a_run_takes_away_as_much_as_it_likes(patch: Patch) -> None:
    """The blast limit of the reconciliation."""
    patch.setattr(invocation.Invocation, "_reach_limit", lambda *_: None)
    patch.setattr(invocation.Invocation, "_limited", lambda _: False)


def a_list_that_contradicts_itself_is_gone_on_with(patch: Patch) -> None:
    patch.setattr(invocation.Invocation, "contradicted", lambda *_, **__: None)


# Free times


def an_answer_from_before_a_booking_is_kept_after_it(patch: Patch) -> None:
    """The generation of the slot cache never grows."""
    patch.setattr(Actions, "forget_slots_of", lambda *_: [])


BUGS = (
    Bug(
        a_case_is_closed_by_the_answer,
        '"gebucht" is kept of what nobody has read',
        one_test(test_remedies.test_it_is_closed_as_booked_only_after_it_was_read, ward=Ward),
    ),
    Bug(
        closings_have_no_limit,
        "one night closes everybody's cases",
        one_test(test_remedies.test_more_closings_than_on_any_ordinary_day_are_all_left_undone, ward=Ward),
    ),
    Bug(
        ours_is_kept_without_a_look_at_it,
        "a customer's last booking is cancelled as one too many",
        one_test(
            test_decisions_overtaken.test_ours_is_not_kept_where_its_own_booking_is_cancelled_there,
            ward=Ward,
        ),
    ),
    Bug(
        what_was_taken_back_is_carried_out,
        "an appointment is cancelled though whoever decided it took that back in time",
        one_test(
            test_decisions_overtaken.test_what_was_taken_back_is_not_carried_out_by_a_run_that_had_read_it_before,
            ward=Ward,
            choice=lambda: Choice.CANCEL,
        ),
    ),
    Bug(
        a_list_says_which_booking_is_left,
        "of two bookings the only live one is cancelled as made twice",
        one_test(
            test_duplicates.test_a_list_that_shows_our_cancelled_booking_as_live_loses_nobody_the_other_one,
            table=test_duplicates.Table,
            apply=lambda: True,
        ),
    ),
    Bug(
        a_twin_import_writes_over_the_other,
        "two imports of one file count twice",
        one_test(test_importing.test_two_at_once_do_not_count_twice, office=test_importing.Office),
    ),
    Bug(
        what_is_imported_is_called_verified,
        "an imported row is believed without a read",
        one_test(test_importing.test_nothing_is_verified_until_its_booking_has_been_read, office=test_importing.Office),
    ),
    Bug(
        two_rows_may_have_one_booking,
        "two imported appointments claim one booking (P2)",
        one_test(
            test_importing.test_several_rows_on_one_number_are_one_case_and_its_duplicates, office=test_importing.Office
        ),
    ),
    Bug(
        a_run_takes_away_as_much_as_it_likes,
        "one night with a wrong list ends the salon's book",
        one_test(test_reconciling.test_more_cancellations_than_are_ordinary_stop_the_run_and_change_nothing),
    ),
    Bug(
        a_list_that_contradicts_itself_is_gone_on_with,
        "nobody hears that Cal.com's list lies",
        one_test(test_reconciling.test_a_list_that_lies_changes_nothing_costs_little_and_pages, test_reconciling.half),
    ),
    Bug(
        an_answer_from_before_a_booking_is_kept_after_it,
        "a time that has just been booked is offered",
        one_test(
            test_slots.test_what_was_asked_before_a_change_is_never_kept_after_it,
            place=_place,
            change=lambda: "confirm",
            known=lambda: True,
        ),
    ),
)
