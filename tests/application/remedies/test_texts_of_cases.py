"""No text is sent for what a remedy books or a person decides: not even in a salon that confirms what callers hear."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.texting import Texting, send_text
from bookend.domain.contacts import Customer, customer_id
from bookend.domain.reviews import Choice
from bookend.domain.tenant import TextSettings
from bookend.domain.texts import Channel
from tests.application.convergence.world import TENANT
from tests.application.remedies.test_reviews import of_another_guest, stands
from tests.application.remedies.ward import Ward, later
from tests.support.salon import CountedIds
from tests.support.texts import Provider

CONFIRMS = TextSettings(sms=True, email_from=None, sender_id="Friseur1", phone="+493033081738", confirmations=True)


@pytest.fixture
def ward() -> Ward:
    return Ward(tenant=replace(TENANT, texts=CONFIRMS))


def texts(ward: Ward) -> list[str]:
    """What goes out, of all that is on record by now."""
    ward.world.run(300)
    provider, table, clock = Provider(), ward.world.salon.table, ward.world.clock
    with ward.world.at_peace():
        deadline = Deadline.within(ONE_S, clock)
        work = Texting(
            tenant=ward.world.tenant,
            outbox=DynamoOutbox(table),
            messengers={Channel.SMS: provider},
            alerts=ward.world.alerts,
            ids=CountedIds("claim"),
            clock=clock,
            deadline=deadline,
        )
        for row in ward.world.rows("OUT"):
            send_text(work, keys.name_of(row))
    return [each.body for each in provider.arrived]


def test_whoever_books_by_phone_gets_the_confirmation_that_the_salon_wants(ward: Ward) -> None:
    stands(ward)
    (said,) = texts(ward)
    assert "10:00 Uhr bei Fabian Spitzer ist gebucht" in said


def test_whom_a_remedy_has_booked_was_told_long_ago(ward: Ward) -> None:
    for number in range(3):
        phone = f"+4917011111{number:02}"
        who = Customer(customer_id(TENANT.id, caller=phone, call=""), "Kunde", f"k{number}@web.example", phone)
        ward.open(number, start=later(hours=number), customer=who)
    ward.remedy()
    assert len(ward.confirmed()) == 3
    waits = DynamoDueWork(ward.world.salon.table).due(now=later(days=1), most=50)
    assert not [each for each in waits if each.kind == "text"], "and nothing has to find that out"
    assert texts(ward) == []


@pytest.mark.parametrize("choice", [Choice.CANCEL, Choice.MOVE])
def test_what_a_person_decides_they_tell_the_customer_themselves(ward: Ward, choice: Choice) -> None:
    _, case = of_another_guest(ward)
    texts(ward)
    ward.decide(case.id, choice, to=later(hours=3) if choice is Choice.MOVE else None)
    ward.rounds(1)
    standing = [each.slot.start for each in ward.confirmed()]
    assert standing == ([later(hours=3)] if choice is Choice.MOVE else [])
    assert texts(ward) == []


def test_what_the_salon_cancels_later_is_told_to_nobody_twice(ward: Ward) -> None:
    """What was said of the appointment is over: Cal.com mails its own."""
    ward.open(1)
    ward.remedy()
    (mine,) = ward.confirmed()
    ward.world.calendar.change(mine.segments[0].uid or "", status="cancelled")
    ward.world.run(300)
    ward.world.reconcile()
    assert not ward.confirmed()
    assert texts(ward) == []
