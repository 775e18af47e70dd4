"""A salon with cases: opened as an import opens them, and remedied as the schedule does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.application.remedying import RemedyLimits, remedy
from bookend.application.reviewing import Decision, decide
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.cases import Case, CaseOrigin, CaseState, SyncFailure
from bookend.domain.contacts import Customer, customer_id, placeholder_email
from bookend.domain.remedy_report import RemedyReport
from bookend.domain.reviews import Choice
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import instant_text
from tests.application.convergence.world import TEN, TENANT, Layer, World, violations

CALL = "call_927bf219b2cc20cd24dc97c9f0b"
ROUND_S = 200.0
_NOT_THERE = frozenset({AppointmentState.FAILED, AppointmentState.CANCELLED})


def person(number: int, *, email: str = "", phone: str | None = None) -> Customer:
    """Somebody of the other system; with neither address nor number as it left 33 of them (incident I5)."""
    who = customer_id(TENANT.id, caller=phone, call=f"import|{number}")
    return Customer(who, f"Kunde {number}", email, phone)


class Ward:
    """The world, its cases, and a run of the remedies whenever the test wants one."""

    def __init__(self, *layers: Layer, tenant: Tenant = TENANT) -> None:
        self.world = World(*layers, tenant=tenant)
        self.cases = DynamoCases(self.world.salon.table)

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def open(
        self,
        number: int,
        failure: SyncFailure = SyncFailure.OTHER,
        *,
        start: datetime = TEN,
        service: str = "herrenhaarschnitt",
        staff: str = "fabian",
        customer: Customer | None = None,
        answers: tuple[str, ...] = (),
        **facts: str,
    ) -> Case:
        """A row of the other system that is not at Cal.com."""
        known = {"external_id": str(number), "service": service, "staff": staff, "start": instant_text(start)} | facts
        case = Case(
            id=f"import-{number}",
            state=CaseState.OPEN,
            failure=failure,
            origin=CaseOrigin.IMPORT,
            facts={name: text for name, text in known.items() if text},
            opened_at=self.now,
            changed_at=self.now,
            due=self.now,
            customer=customer or person(number, email=f"kunde{number}@web.example"),
            answers=answers,
            by="import",
        )
        assert self.cases.open(TENANT.id, case, now=self.now)
        return self.case(number)

    def case(self, name: int | str) -> Case:
        with self.world.at_peace():
            found = self.cases.case(TENANT.id, f"import-{name}" if isinstance(name, int) else name)
        assert found is not None
        return found

    def ours(self, case: Case) -> Appointment | None:
        with self.world.at_peace():
            return self.world.salon.appointments.appointment(TENANT.id, case.appointment)

    def confirmed(self) -> list[Appointment]:
        found = self.world.look().appointments.values()
        return [each for each in found if each.state is AppointmentState.CONFIRMED]

    def remedy(self, **limits: Any) -> RemedyReport:
        """One run, as the schedule does it."""
        return remedy(self.world.background(ROUND_S, "remedy"), self.cases, RemedyLimits(**limits))

    def rounds(self, number: int = 8, *, every: float = 900.0) -> None:
        """A few of them, with the sweeper in between as it comes every minute."""
        for _ in range(number):
            self.remedy()
            for _ in range(4):
                self.world.run(60.0)
                self.world.sweep()
            self.world.run(every - 240.0)

    def decide(self, name: str, choice: Choice, **more: Any) -> Decision:
        work = self.world.background(60.0, "command")
        return decide(work, self.cases, name, choice, **({"by": "Maria", "apply": True} | more))

    def placed(self, customer: Customer) -> str:
        return placeholder_email(customer.id, domain=TENANT.placeholder_domain)

    def audits(self, repair: str) -> list[dict[str, Any]]:
        return [row for row in self.world.rows("AUDIT") if row["repair"]["S"] == repair]

    def dump(self) -> list[tuple[str, str, str]]:
        """Everything in the table."""
        with self.world.at_peace():
            rows = self.world.client.scan(TableName=self.world.salon.table_name)["Items"]
        return sorted((row["pk"]["S"], row["sk"]["S"], repr(sorted(row.items()))) for row in rows)

    def breaches(self, *, open_allowed: bool = False) -> list[str]:
        """What is not as it must be: of both sides, and of what the cases claim."""
        found = list(violations(self.world, open_allowed=open_allowed))
        bookings = {each.uid: each for each in self.world.calendar.bookings.values()}
        for each in self.closed():
            if each.ending is not None and each.ending.value in {"booked", "equal"} and each.appointment:
                mine = self.ours(each)
                if each.id.startswith("stuck-") and mine is not None and mine.state in _NOT_THERE:
                    continue  # of what was stuck both sides agree as well when neither has it; `violations` has looked
                if mine is None or mine.state is not AppointmentState.CONFIRMED:
                    found.append(f"{each.id} is closed as {each.ending}, its appointment is {mine and mine.state}")
                elif any(bookings[s.uid or ""].status != "accepted" for s in mine.segments):
                    found.append(f"{each.id} is closed as {each.ending}, and Cal.com has no such booking")
        claimed = [
            each.appointment for each in self.closed() if each.ending and each.ending.value in {"booked", "equal"}
        ]
        found += [f"{name} ends two cases" for name in {*claimed} if claimed.count(name) > 1]
        return found

    def closed(self) -> list[Case]:
        with self.world.at_peace():
            names = [row["sk"]["S"] for row in self.world.rows("CASE#CLOSED")]
            return [case for name in names if (case := self.cases.case(TENANT.id, name)) is not None]


def later(**by: float) -> datetime:
    return TEN + timedelta(**by)


def with_number(case: Case, number: int) -> Case:
    return replace(case, facts=case.facts | {"booking_id": str(number)})
