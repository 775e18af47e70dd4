"""Erasure of a person: nothing of them is left here, what is ahead is not touched, and the log still holds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.callbacks import DynamoCallbacks
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.adapters.dynamodb.people import BY, DynamoPeople
from bookend.application.background import Background
from bookend.application.budget import Limits
from bookend.application.change_outcomes import Confirm
from bookend.application.converging import converge
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.erasing import Erasure, erase, plan
from bookend.application.ports import BookingRequest, Progress, StoreUnavailable
from bookend.application.ports.erasure import RecordKind
from bookend.application.reconciling import new_full, reconcile
from bookend.application.texting import Texting, send_text
from bookend.domain.appointment import Appointment, ChangeKind
from bookend.domain.callbacks import Callback, CallbackReason, CallbackState, callback_id
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending, SyncFailure
from bookend.domain.contacts import Customer
from bookend.domain.texts import MessageState
from tests.application.changes import ask, book, salon_with_one, yes
from tests.support.invariants import look_at
from tests.support.salon import CountedIds, HeardAlerts, Salon
from tests.support.stream import Audited
from tests.support.tables.faults import Crash, Fault
from tests.support.texts import HANS as AT_TEN
from tests.support.texts import REFUSED, TextWorld, owing

HANS, ERIKA = "+491701234567", "+491709999999"
NAME, MAIL = "Kanarinchen Quastenflosser", "quastenflosser@kanarienvogel.example"
TRACES = ("quastenflosser", "1701234567", "kanarienvogel")


class Left:
    """A salon that Hans was at, and where Erika still is."""

    def __init__(self) -> None:
        self.salon = Salon()
        self.audited = Audited(self.salon)
        salon_with_one(self.salon)
        self.tenant = self.salon.tenant.id
        self.people = DynamoPeople(self.salon.table)
        self.hans = self._named(next(iter(self.appointments)))
        book(self.salon, "2025-10-28", "14:00", call="call_9", name="Erika Muster", caller=ERIKA)

    @property
    def appointments(self) -> dict[str, Appointment]:
        return dict(look_at(self.salon).appointments)

    def _named(self, name: str) -> Appointment:
        """With data that can be looked for, and an answer that repeats them."""
        who = {"name": NAME, "email": MAIL, "phone": HANS}
        key = keys.appointment(self.tenant, name)
        self.salon.client.update_item(
            TableName=self.salon.table_name,
            Key=key,
            UpdateExpression="SET #c.#n = :n, #c.#e = :e, #c.#p = :p, #a = :a, #v = #v + :one",
            ExpressionAttributeNames={
                "#c": "customer",
                "#n": "name",
                "#e": "email",
                "#p": "phone",
                "#a": "answer",
                "#v": "ver",
            },
            ExpressionAttributeValues={
                ":n": {"S": NAME},
                ":e": {"S": MAIL},
                ":p": {"S": HANS},
                ":a": {"S": json.dumps(who)},
                ":one": {"N": "1"},
            },
        )
        mine = self.appointments[name]
        self.salon.client.put_item(
            TableName=self.salon.table_name, Item=items.customer_to_item(self.tenant, mine.customer)
        )
        return mine

    def everything_else(self) -> None:
        """A wish to be rung, two deliveries (one is not done), a closed case with large answers."""
        now = self.salon.clock.now()
        wish = Callback(
            id=callback_id(self.tenant, "call_5"),
            call="call_5",
            name=NAME,
            phone=HANS,
            signed=True,
            service=None,
            wished=None,
            reason=CallbackReason.BOOK,
            asked_at=now,
            changed_at=now,
        )
        DynamoCallbacks(self.salon.table).note(self.tenant, wish, counted_as="c", day=now.date())
        inbox = DynamoInbox(self.salon.table)
        inbox.store(self.tenant, "done", json.dumps({"attendees": [{"email": MAIL.upper()}]}), now=now, due=now)
        inbox.finish(self.tenant, "done", outcome="done", now=now)
        inbox.store(self.tenant, "erikas", json.dumps({"attendees": [{"email": "erika@m.example"}]}), now=now, due=now)
        cases = DynamoCases(self.salon.table)
        case = self.case()
        assert cases.open(self.tenant, case, now=now)
        read = cases.case(self.tenant, case.id)
        assert read is not None
        closed = replace(read, state=CaseState.CLOSED, ending=Ending.HISTORICAL)
        assert cases.change(self.tenant, read, closed, now=now)

    def at_calcom(self, name: str, *, phone: str | None = None, day: int = 29) -> str:
        """Somebody books at Cal.com with Hans's address; what that is here."""
        salon = self.salon
        event_type = salon.tenant.services[0].busy[0].event_types["fabian"]
        start = datetime(2025, 10, day, 12, tzinfo=UTC)
        asked = BookingRequest(event_type, start, name, MAIL, phone, "Europe/Berlin", "de", {})
        booking = replace(salon.calendar.insert(asked), attendee_name=name, attendee_phone=phone)
        salon.calendar.bookings[booking.uid] = booking
        work = Background(
            tenant=salon.tenant,
            appointments=salon.appointments,
            adoptions=DynamoAdoptions(salon.table),
            changes=salon.changes,
            calendar=salon.calendar,
            alerts=salon.alerts,
            clock=salon.clock,
            deadline=Deadline.within(900, salon.clock),
        )
        before = {*self.appointments}
        converge(work, booking)
        (made,) = {*self.appointments} - before
        return made

    def case(self, name: str = "import-1") -> Case:
        now = self.salon.clock.now()
        return Case(
            id=name,
            state=CaseState.OPEN,
            failure=SyncFailure.OTHER,
            origin=CaseOrigin.IMPORT,
            facts={},
            opened_at=now,
            changed_at=now,
            customer=Customer(self.hans.customer.id, NAME, MAIL, HANS),
            answers=(f"{NAME} {MAIL}",),
        )

    def over(self) -> None:
        self.salon.clock.advance(timedelta(days=10).total_seconds())
        self.texts_end()

    def texts_end(self) -> None:
        """Whoever was owed a text has it, or needs none."""
        deadline = Deadline.within(ONE_S, self.salon.clock)
        work = Texting(
            tenant=self.salon.tenant,
            outbox=DynamoOutbox(self.salon.table),
            messengers={},
            alerts=HeardAlerts(),
            ids=CountedIds("claim"),
            clock=self.salon.clock,
            deadline=deadline,
        )
        for row in self.salon.items("OUT"):
            send_text(work, row["pk"]["S"].rpartition("#")[2])

    def planned(self, **who: Any) -> Erasure:
        wanted = who or {"customer": self.hans.customer.id, "phone": None}
        return plan(self.people.of(self.tenant, **wanted), now=self.salon.clock.now())

    def erase(self, **who: Any) -> list[str]:
        now = self.salon.clock.now()
        return [*erase(self.tenant, self.planned(**who), people=self.people, now=now).changed]

    def text(self) -> str:
        rows = self.salon.client.scan(TableName=self.salon.table_name)["Items"]
        return json.dumps([*rows, *self.audited.rows()], default=lambda each: bytes(each).decode("latin-1")).lower()

    def traces(self) -> list[str]:
        return [each for each in TRACES if each in self.text()]


@pytest.mark.parametrize("by", ["customer", "phone"])
def test_nothing_of_the_person_is_left_and_nothing_of_anybody_else_is_gone(by: str) -> None:
    left = Left()
    left.everything_else()
    left.over()
    assert left.traces() == [*TRACES]
    erikas = left.salon.items("CUSTOMER")
    who = {"customer": left.hans.customer.id, "phone": None} if by == "customer" else {"customer": "", "phone": HANS}
    assert left.erase(**who) == []
    assert left.traces() == []
    now_is = left.appointments[left.hans.id]
    assert (now_is.customer.id, now_is.slot, now_is.state) == (left.hans.customer.id, left.hans.slot, left.hans.state)
    assert "erika muster" in left.text()
    assert "erika@m.example" in left.text()
    assert [each["pk"] for each in left.salon.items("CUSTOMER")] == [
        each["pk"] for each in erikas if left.hans.customer.id not in each["pk"]["S"]
    ]


def test_the_log_holds_before_and_after_and_tells_that_and_by_whom_it_was_done() -> None:
    left = Left()
    left.everything_else()
    left.over()
    left.audited.catch_up()
    before = left.audited.rows()
    left.erase()
    left.audited.catch_up()
    assert left.audited.verified().findings == []
    rows = left.audited.rows()
    assert [row for row in before if row not in rows] == []
    cleared = next(each for each in left.audited.entries(left.hans.id)[::-1] if each.kind == "changed")
    assert cleared.by == BY
    assert json.loads(cleared.after)["customer"] == {
        "id": left.hans.customer.id,
        "name": None,
        "email": None,
        "phone": None,
    }
    repairs = [row for row in rows if row["kind"]["S"] == "repaired" and row["by"]["S"] == BY]
    assert len(repairs) == 5  # appointment, customer, wish, delivery, case
    assert left.traces() == []


def test_what_is_ahead_keeps_everything_as_it_is_until_it_is_cancelled() -> None:
    left = Left()
    left.everything_else()
    before = left.text()
    planned = left.planned()
    assert [each.id for each in planned.ahead] == [left.hans.id]
    with pytest.raises(ValueError):
        left.erase()
    assert left.text() == before
    asked = ask(left.salon.call("call_7"), ChangeKind.CANCEL, name=NAME)
    assert isinstance(asked, Confirm)
    yes(left.salon.call("call_7"), ChangeKind.CANCEL, asked.token)
    left.texts_end()
    assert left.erase() == []
    assert left.traces() == []


def test_an_appointment_of_yesterday_is_still_compared_and_waits() -> None:
    left = Left()
    left.salon.clock.advance((left.hans.slot.end - left.salon.clock.now()).total_seconds() + 86_400)
    left.texts_end()
    assert [each.id for each in left.planned().ahead] == [left.hans.id]
    left.salon.clock.advance(86_401)
    assert left.planned().is_possible


def test_what_somebody_works_with_waits_but_a_wish_to_be_rung_ends() -> None:
    left = Left()
    left.over()
    now = left.salon.clock.now()
    DynamoInbox(left.salon.table).store(left.tenant, "new", f'{{"phone": "{HANS}"}}', now=now, due=now)
    assert DynamoCases(left.salon.table).open(left.tenant, left.case("import-2"), now=now)
    assert sorted(each.name for each in left.planned().waiting) == ["import-2", "new"]
    DynamoInbox(left.salon.table).finish(left.tenant, "new", outcome="x", now=now)
    assert [each.name for each in left.planned().waiting] == ["import-2"]


def test_an_open_wish_to_be_rung_is_erased() -> None:
    left = Left()
    left.everything_else()
    left.over()
    (wish,) = DynamoCallbacks(left.salon.table).listed(left.tenant)
    assert wish.state is CallbackState.OPEN
    left.erase()
    assert DynamoCallbacks(left.salon.table).listed(left.tenant) == ()


def test_a_second_run_finds_nothing_but_what_calcom_has() -> None:
    left = Left()
    left.everything_else()
    left.over()
    left.erase()
    again = left.planned()
    assert (again.appointments, again.records) == ([], [])
    assert again.bookings == [left.hans.segments[0].uid]


def test_what_changes_meanwhile_is_told_and_the_customer_stays_to_be_found_by() -> None:
    left = Left()
    left.over()
    planned = left.planned()
    left._named(left.hans.id)
    erased = erase(left.tenant, planned, people=left.people, now=left.salon.clock.now())
    assert [*erased.changed] == [f"appointment {left.hans.id}"]
    assert any(left.hans.customer.id in each["pk"]["S"] for each in left.salon.items("CUSTOMER"))
    assert left.erase() == []
    assert left.traces() == []


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.NOT_SENT])
def test_what_breaks_at_any_write_is_ended_by_doing_it_again(fault: Fault) -> None:
    for skip in range(5):
        left = Left()
        left.everything_else()
        left.over()
        left.salon.client.faults.next("transact_write_items", fault, skip=skip)
        with pytest.raises((StoreUnavailable, Crash)):
            left.erase()
        left.erase()
        left.audited.catch_up()
        assert left.traces() == [], skip
        assert left.audited.verified().findings == []


def test_whoever_calls_again_is_known_anew() -> None:
    left = Left()
    left.over()
    left.erase()
    left.salon.open("2025-11-11")
    again = book(left.salon, "2025-11-11", "10:00", call="call_8", name="Hans Schuster")
    assert again.customer.name == "Hans Schuster"
    assert again.customer.id == left.hans.customer.id


# The same person, known by something else


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.NOT_SENT])
@pytest.mark.parametrize("skip", range(3))
def test_what_the_same_person_booked_at_calcom_goes_as_well_whatever_breaks(fault: Fault | None, skip: int) -> None:
    left = Left()
    web = left.at_calcom("Quastenflosser")
    left.over()
    left.salon.clock.advance(timedelta(days=5).total_seconds())
    if fault is not None:
        left.salon.client.faults.next("transact_write_items", fault, skip=skip)
        with pytest.raises((StoreUnavailable, Crash)):
            left.erase(customer="", phone=HANS)
    assert left.erase(customer="", phone=HANS) == []
    assert left.appointments[web].customer.is_nobody
    assert left.traces() == []


def test_whoever_only_shares_the_address_is_named_and_left() -> None:
    """A family's address, or the salon's own (I1)."""
    left = Left()
    family, other = left.at_calcom("Quastenflosser", phone=ERIKA), left.at_calcom("Bernd Beispiel", day=30)
    left.over()
    left.salon.clock.advance(timedelta(days=5).total_seconds())
    planned = left.planned(customer="", phone=HANS)
    assert [each.id for each in planned.appointments] == [left.hans.id]
    assert planned.doubtful == sorted({left.appointments[each].customer.id for each in (family, other)})
    assert left.erase(customer="", phone=HANS) == []
    assert left.appointments[other].customer.name == "Bernd Beispiel"


def erasure_of(world: TextWorld, people: DynamoPeople) -> Erasure:
    return plan(people.of(world.tenant.id, customer=AT_TEN.id, phone=None), now=world.clock.now())


@pytest.mark.parametrize("without", ["call", "appt"])
def test_a_wish_to_be_rung_without_a_number_is_known_by_what_it_is_about_or_the_call(without: str) -> None:
    """Who booked at Cal.com has no call; rows that were written before name no appointment."""
    world = owing("not_booked", customer=replace(AT_TEN, phone=None))
    world.play_on()
    assert [each.phone for each in world.rung()] == ["-"]
    (wish,) = (
        each for each in world.client.scan(TableName=world.table.name)["Items"] if "#CALLBACK" in each["pk"]["S"]
    )
    kept = {name: value for name, value in wish.items() if name != without}
    world.client.put_item(TableName=world.table.name, Item=kept | ({"call": {"S": ""}} if without == "call" else {}))
    people = DynamoPeople(world.table)
    planned = erasure_of(world, people)
    assert RecordKind.CALLBACK in {each.kind for each in planned.records}
    assert erase(world.tenant.id, planned, people=people, now=world.clock.now()).changed == []
    assert world.rung() == ()


def test_a_text_that_is_owed_is_told_first() -> None:
    world = owing("not_booked")
    people = DynamoPeople(world.table)
    planned = erasure_of(world, people)
    assert (planned.is_possible, [each.kind for each in planned.waiting]) == (False, [RecordKind.TEXT])
    world.play_on()
    assert (world.state, erasure_of(world, people).is_possible) == ("SENT", True)


def test_a_text_that_is_resent_after_the_erasure_needs_nobody() -> None:
    world = owing("not_booked", REFUSED)
    world.play_on()
    people = DynamoPeople(world.table)
    planned = erasure_of(world, people)
    erase(world.tenant.id, planned, people=people, now=world.clock.now())
    owed = world.outbox.owed(world.tenant.id, world.op)
    assert owed is not None
    world.outbox.resolve(world.tenant.id, owed.message, MessageState.NEW, by="maria", now=world.clock.now())
    world.play_on()
    assert (world.state, world.row()["why"], world.rung(), world.bodies) == ("SKIPPED", "erased", (), [])


def test_a_run_that_looks_back_finds_nobody_missing_who_was_erased() -> None:
    """Whose booking it was nobody here knows any more; that is no difference that a person could decide about."""
    left = Left()
    salon, uid = left.salon, left.hans.segments[0].uid or ""
    salon.calendar.bookings[uid] = replace(salon.calendar.bookings[uid], attendees=(MAIL,))
    left.over()
    left.erase()
    work = Background(
        tenant=salon.tenant,
        appointments=salon.appointments,
        adoptions=DynamoAdoptions(salon.table),
        changes=salon.changes,
        calendar=salon.calendar,
        alerts=salon.alerts,
        clock=salon.clock,
        deadline=Deadline.within(900, salon.clock),
    )
    now = salon.clock.now()
    report = reconcile(
        work, new_full(now, Progress(), today=now.date(), back=30, ahead=30), runs=None, limits=Limits(requests=1000)
    )
    assert [each.drift for each in report.findings if each.appointment == left.hans.id] == []
    assert not DynamoCases(salon.table).unclosed(left.tenant)
