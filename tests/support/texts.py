"""A salon that owes somebody a text, a provider that counts what really goes out, and a world that plays on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.callbacks import DynamoCallbacks
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.ports import Audit, Changed, Confirmed, Job, Released, Started, StoreUnavailable
from bookend.application.ports.texts import NotSent, Refused, SendAnswer, Sent, Unclear
from bookend.application.sweeping import sweep
from bookend.application.texting import Texting, TextOutcome, send_text
from bookend.domain.appointment import Appointment, Told
from bookend.domain.callbacks import Callback
from bookend.domain.contacts import Customer, customer_id
from bookend.domain.tenant import Tenant, TextSettings
from bookend.domain.texts import Channel, Text
from bookend.domain.timeslot import Slot
from tests.adapters.dynamodb.place import NOW, Place, at, booked, wished
from tests.support.salon import CountedIds, HeardAlerts, KeptQueue, example_tenant
from tests.support.tables.engines import Store
from tests.support.tables.faults import Crash
from tests.support.tables.memory import MemoryDynamoDB

SLOT, LATER = at("28T09:00"), at("28T13:00")
"""10:00 and 14:00 in Berlin, tomorrow."""
PHONE = "+491701111111"
SALON = replace(
    example_tenant(),
    texts=TextSettings(sms=True, email_from="termine@friseur1.example", sender_id="Friseur1", phone="+493033081738"),
)
HANS = Customer(
    customer_id(SALON.id, caller=PHONE, call="call_1"), "Hans Schuster", "kunde-hans@kunden.friseur1.example", PHONE
)

OK, REFUSED, NOT_SENT = "ok", "refused", "not sent"
UNCLEAR_WITH, UNCLEAR_WITHOUT = "unclear, and it arrives", "unclear, and it does not"
DIES_BEFORE, DIES_AFTER = "dies before the request", "dies after the request"
FATES = (OK, REFUSED, NOT_SENT, UNCLEAR_WITH, UNCLEAR_WITHOUT, DIES_BEFORE, DIES_AFTER)


@dataclass
class Provider:
    """The `Messenger` port. `fates` are what becomes of the next texts; after them all is well."""

    fates: list[str] = field(default_factory=list)
    arrived: list[Text] = field(default_factory=list)
    asked: int = 0
    meanwhile: Callable[[], None] = lambda: None
    """What happens while it is asked."""

    def send(self, text: Text, *, deadline: Deadline) -> SendAnswer:
        self.asked += 1
        self.meanwhile()
        fate = self.fates.pop(0) if self.fates else OK
        if fate == DIES_BEFORE:
            raise Crash("before the request")
        if fate in {OK, UNCLEAR_WITH, DIES_AFTER}:
            self.arrived.append(text)
        if fate == DIES_AFTER:
            raise Crash("after the request")
        answers: dict[str, SendAnswer] = {
            OK: Sent(f"m{self.asked}"),
            REFUSED: Refused("invalid_address"),
            NOT_SENT: NotSent("Throttling"),
        }
        return answers.get(fate, Unclear("ReadTimeoutError"))


@dataclass
class TextWorld:
    """One appointment of Hans's tomorrow at ten, and what he is owed of it."""

    tenant: Tenant = SALON
    customer: Customer = HANS
    provider: Provider = field(default_factory=Provider)

    def __post_init__(self) -> None:
        self.client: Any = MemoryDynamoDB()
        self.place = Place(Store("memory", self.client, "texts"), self.tenant.id, name="")
        self.clock = self.place.clock
        self.table: Table = self.place.table
        self.outbox = DynamoOutbox(self.table)
        self.adoptions = DynamoAdoptions(self.table)
        self.queue, self.alerts, self.ids = KeptQueue(), HeardAlerts(), CountedIds("claim")
        self.appointment = wished("a1", SLOT, who=self.customer)
        self.op = self.appointment.op

    # What is owed

    def open(self) -> Appointment:
        """A booking whose caller was told "noch offen"."""
        assert self.place.start(self.appointment) == Started()
        assert self.place.leave_open(self.appointment)
        return self.place.now_is("a1")

    def owe(self, kind: str, told: Told = Told.PENDING) -> None:
        """BOOKED or NOT_BOOKED, by the operation's own transaction."""
        if told is Told.PENDING:
            self.open()
        else:
            assert self.place.start(self.appointment) == Started()
        stored = self.place.now_is("a1")
        if kind == "booked":
            confirmed = self.place.appointments.confirm(
                self.tenant.id, stored, booked(stored), told=told, now=self.clock.now()
            )
            assert confirmed == Confirmed()
        else:
            assert self.place.release(stored, owes_text=True) == Released()

    # What others do

    def salon_moves(self, slot: Slot = LATER, **segment: Any) -> None:
        before = self.place.now_is("a1")
        after = replace(before, segments=(replace(before.segments[0], slot=slot, **segment),))
        days = {(each.staff, d) for x in (before, after) for each in x.segments for d in each.slot.utc_days()}
        moved = self.adoptions.follow(
            self.tenant.id,
            before,
            after,
            booking=replace(booked(after)[0], updated_at=self.clock.now() + timedelta(seconds=2)),
            days=self.place.appointments.staff_days(self.tenant.id, days),
            conflict=False,
            alert=None,
            audit=Audit("start", "follow", "uid1", "a1", {}, {}, "worker"),
            now=self.clock.now(),
        )
        assert moved is Changed.DONE

    def salon_cancels(self) -> None:
        before = self.place.now_is("a1")
        gone = replace(booked(before)[0], status="cancelled", updated_at=self.clock.now() + timedelta(seconds=2))
        audit = Audit("ghost_here", "end", "uid1", "a1", {}, {}, "worker")
        assert self.adoptions.end(self.tenant.id, before, booking=gone, audit=audit, now=self.clock.now())

    # The background

    def texting(self) -> Texting:
        deadline = Deadline.within(ONE_S, self.clock)
        return Texting(
            tenant=self.tenant,
            outbox=self.outbox.within(deadline),
            messengers={Channel.SMS: self.provider, Channel.EMAIL: self.provider},
            alerts=self.alerts,
            ids=self.ids,
            clock=self.clock,
            deadline=deadline,
        )

    def work(self, op: str | None = None) -> TextOutcome:
        """One job."""
        return send_text(self.texting(), op or self.op)

    def sweep(self) -> dict[str, int]:
        return dict(
            sweep(
                due_work=DynamoDueWork(self.table),
                inbox=None,  # type: ignore[arg-type]  # there are no events
                outbox=self.outbox,
                queue=self.queue,
                background=lambda _tenant, _share: None,
                alerts=self.alerts,
                clock=self.clock,
                deadline=Deadline.within(50, self.clock),
            )
        )

    def play_on(self, *, copies: int = 2, rounds: int = 150) -> None:
        """A sweep every minute, and every job it makes `copies` times over, until nothing is due any more."""
        for _ in range(rounds):
            self.clock.advance(60)
            self.sweep()
            jobs, self.queue.jobs = self.queue.jobs, []
            for job in [each for each, _ in jobs for _ in range(copies)]:
                self._deliver(job)
            if not self._due():
                return
        raise AssertionError("it never ends")

    def _deliver(self, job: Job) -> None:
        assert job.kind == "text"
        try:
            self.work(job.name)
        except (Crash, StoreUnavailable):
            return  # the queue brings it back; so does the sweeper

    def _due(self) -> bool:
        return any("#OUT#" in each["pk"] and "due" in each for each in self.place.all_items())

    # What there is to see

    def row(self, op: str | None = None) -> dict[str, Any]:
        return self.place.there(keys.outbox(self.tenant.id, op or self.op))

    @property
    def state(self) -> str:
        return str(self.row()["state"])

    @property
    def bodies(self) -> list[str]:
        return [text.body for text in self.provider.arrived]

    def rung(self) -> tuple[Callback, ...]:
        """Who is to be rung."""
        return DynamoCallbacks(self.table).listed(self.tenant.id)


def moment(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def owing(kind: str = "booked", *fates: str, told: Told = Told.PENDING, **world: Any) -> TextWorld:
    made = TextWorld(provider=Provider(list(fates)), **world)
    made.owe(kind, told)
    return made


def once(do: Callable[[], None]) -> Callable[[], None]:
    left = [do]

    def run() -> None:
        if left:
            left.pop()()

    return run
