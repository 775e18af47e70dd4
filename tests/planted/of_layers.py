"""Whole safety layers taken out, and bugs that stay unseen because another layer covers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bookend.adapters.dynamodb.actions import Actions
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.application import receiving, reconciling, settling
from bookend.application.converged import Converged
from bookend.application.invocation import Invocation
from bookend.application.ports import Started
from bookend.domain.appointment import ChangeKind, Told
from tests.adapters.dynamodb import test_starting
from tests.adapters.dynamodb.place import Place
from tests.application.convergence import test_directed
from tests.application.convergence.test_layers_alone import LATE
from tests.application.convergence.world import Layer
from tests.planted.bug import Bug, Patch, Redundant, alone, changed, directed, one_test
from tests.support.tables.engines import engine

ANYTHING = "attribute_not_exists(#pk) OR attribute_exists(#pk)"


@contextmanager
def _place() -> Iterator[Place]:
    with engine("memory") as opened:
        yield Place(opened, "friseur1")


def wishes_are_not_guarded(patch: Patch) -> None:
    """The request guard."""
    real = Actions.put_request

    def unguarded(self: Actions, *args: Any) -> Any:
        put = {name: value for name, value in real(self, *args)["Put"].items() if not name.endswith("Values")}
        return {"Put": put | {"ConditionExpression": ANYTHING, "ExpressionAttributeNames": {"#pk": "pk"}}}

    patch.setattr(Actions, "put_request", unguarded)


def nothing_is_settled(patch: Patch) -> None:
    """Whoever comes to an open operation leaves it as it is."""
    patch.setattr(settling, "_find_out", lambda *_: settling.Settled.WAITING)


def events_are_not_worked_on(patch: Patch) -> None:
    """Webhooks and worker."""
    patch.setattr(receiving, "converge", lambda *_: Converged.EQUAL)


def the_sweeper_finds_nothing(patch: Patch) -> None:
    patch.setattr(DynamoDueWork, "due", lambda *_, **__: [])


def a_run_looks_at_nothing(patch: Patch) -> None:
    """The reconciliation."""
    patch.setattr(reconciling, "_look_for", lambda *_, **__: None)
    patch.setattr(Invocation, "look_closer", lambda *_: None)


def calcom_is_asked_before_it_is_on_record(patch: Patch) -> None:
    """The write-ahead record: what dies on the way to Cal.com is known to nobody."""
    patch.setattr(DynamoAppointments, "start", lambda *_, **__: Started())


BUGS = (
    Bug(
        wishes_are_not_guarded,
        "one wish, said twice, becomes two appointments",
        one_test(test_starting.test_the_same_wish_again_is_told_what_it_led_to, place=_place),
    ),
    Bug(
        nothing_is_settled,
        'who heard "noch offen" never hears the end (P4)',
        alone(Layer.SWEEPER, "lost and shown"),
        "I6",
    ),
    Bug(events_are_not_worked_on, "what changes at Cal.com is not seen", alone(Layer.WEBHOOKS, LATE), "EQ"),
    Bug(the_sweeper_finds_nothing, "what is open stays open", alone(Layer.SWEEPER, "lost before"), "I6"),
    Bug(
        a_run_looks_at_nothing,
        "what no event told of is never repaired",
        directed(test_directed.bookings_that_show_only_after_the_poll),
    ),
    Bug(
        calcom_is_asked_before_it_is_on_record,
        "a booking at Cal.com is known to nobody",
        alone(Layer.SWEEPER, "done well"),
        "I",
    ),
)
LAYERS: Mapping[str, str] = {
    "signature": "an_unsigned_call_is_let_in",
    "webhook signature": "an_unsigned_event_is_let_in",
    "caller's number and name": "numbers_are_not_compared",
    "confirmation token": "every_token_is_right",
    "request guard": wishes_are_not_guarded.__name__,
    "customer guard": "the_customer_is_not_guarded",
    "uid guard": "uids_are_not_guarded",
    "ledger version": "ledger_written_without_its_version",
    "hold check": "holds_block_nobody",
    "open ones block": "open_bookings_expire",
    "classifier": "any_2xx_is_ours",
    "write-ahead record": calcom_is_asked_before_it_is_on_record.__name__,
    "settling": nothing_is_settled.__name__,
    "settle time": "nothing_needs_time_to_settle",
    "webhooks": events_are_not_worked_on.__name__,
    "sweeper": the_sweeper_finds_nothing.__name__,
    "reconciliation": a_run_looks_at_nothing.__name__,
    "blast limit": "a_run_takes_away_as_much_as_it_likes",
    "inbox before the answer": "an_event_is_acknowledged_though_it_is_not_kept",
    "a text's claim": "a_text_is_sent_without_a_claim",
    "audit chain": "a_seal_is_not_checked",
    "a case's read": "a_case_is_closed_by_the_answer",
    "imports' guards": "two_rows_may_have_one_booking",
}
"""Each safety layer, and the bug that takes all of it out."""


# Covered by another


def what_was_told_of_a_change_is_not_noted(patch: Patch) -> None:
    patch.setattr(DynamoChanges, "leave_open", lambda *_, **__: True)


def who_was_told_nothing_of_a_change_is_owed_nothing(patch: Patch) -> None:
    real = DynamoChanges.given_up

    def only_who_heard(self: DynamoChanges, tenant: str, appointment: Any, **how: Any) -> Any:
        owes = appointment.under_way.told is Told.PENDING
        return real(self, tenant, appointment, **how | {"owes_text": owes})

    patch.setattr(DynamoChanges, "given_up", only_who_heard)


REDUNDANT: tuple[Redundant, ...] = (
    Redundant(
        what_was_told_of_a_change_is_not_noted,
        who_was_told_nothing_of_a_change_is_owed_nothing,
        "of whom nothing is noted it is not known what they heard: they are told how it ended as well",
        changed(Layer.SWEEPER, ChangeKind.MOVE, "lost before"),
        "I5",
    ),
)
