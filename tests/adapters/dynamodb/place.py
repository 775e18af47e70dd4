"""A stylist, some customers and the adapters under test, in few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.slots import DynamoSlotCache
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Alert, CallRecord, Held, HoldLost, StartOutcome
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.availability import HOLD, Offer
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import Interval, StaffDay, StaffDays
from bookend.domain.timeslot import Slot
from tests.support.salon import StoppedClock, table_request
from tests.support.tables.engines import Store

NOW = datetime(2025, 10, 27, 9, 0, tzinfo=UTC)
LEASE = timedelta(seconds=14)
HANS = Customer("c-hans", "Hans Schuster", "kunde-c-hans@kunden.example", "+491701111111")
UTE = Customer("c-ute", "Ute Neumann", "ute@web.example", "+491702222222")
ALERT = Alert("ForeignBookingReturned", {"op": "op1", "uid": "uid9"})


def at(text: str, minutes: int = 30) -> Slot:
    """Day and time of October 2025, UTC: at("28T10:00")."""
    return Slot.of(datetime.fromisoformat(f"2025-10-{text}").replace(tzinfo=UTC), minutes)


def offer(name: str, slot: Slot, *, staff: str = "fabian", op: str = "hold1", expires: datetime = NOW + HOLD) -> Offer:
    return Offer(name, op, "herrenhaarschnitt", staff, slot, offered_at=NOW, expires=expires)


def wished(name: str, slot: Slot, *, who: Customer = HANS, **changed: Any) -> Appointment:
    """An appointment about to be started; its op and its request key are made from its name."""
    start = Appointment(
        id=name,
        state=AppointmentState.PENDING,
        op=f"op-{name}",
        version=1,
        service="herrenhaarschnitt",
        segments=(BookedSegment(0, changed.pop("staff", "fabian"), slot, 3672814),),
        customer=who,
        call="call_1",
        source="phone",
        created_at=NOW,
        request=f"wish-{name}",
        lease=NOW + LEASE,
    )
    return replace(start, **changed)


def booked(appointment: Appointment, uid: str = "uid1", number: int = 13_000_001) -> dict[int, Booking]:
    """Cal.com's answer to it."""
    segment = appointment.segments[0]
    return {
        0: Booking(
            uid=uid,
            id=number,
            status="accepted",
            start=segment.slot.start,
            end=segment.slot.end,
            created_at=NOW,
            updated_at=NOW + timedelta(seconds=1),
            host=28,
            event_type=segment.event_type,
            attendees=(appointment.customer.email,),
            metadata={"op_id": appointment.op},
        )
    }


class Counted:
    """A client that knows how often it was asked what, on every engine."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.requests: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name in {"exceptions", "meta", "faults"}:
            return attribute

        def ask(**request: Any) -> Any:
            self.requests[name] += 1
            return attribute(**request)

        return ask


@dataclass
class Place:
    """One tenant, in a table of its own unless `name` says which."""

    store: Store
    tenant: str
    name: str = ""
    limit_s: float = 5.0
    given_up: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = StoppedClock(NOW)
        if not self.name:
            self.name = f"{self.store.table}-{self.tenant}"
            self.store.client.create_table(**table_request(self.name))
        self.client = Counted(self.store.client)
        self.table = Table(
            self.client,
            self.name,
            clock=self.clock,
            on_give_up=lambda: self.given_up.append("gave up"),
            limit_s=self.limit_s,
        )
        self.appointments = DynamoAppointments(self.table)
        self.due_work = DynamoDueWork(self.table)
        self.slots = DynamoSlotCache(self.table)

    # What is there

    def item(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """An item as plain values."""
        found = self.store.client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")
        return None if found is None else items.from_wire(found)

    def there(self, key: dict[str, Any]) -> dict[str, Any]:
        """An item that must exist."""
        found = self.item(key)
        assert found is not None, key
        return found

    def days(self, *days: str, staff: str = "fabian") -> StaffDays:
        """The stylist's days of October 2025, as they are now."""
        wanted = {(staff, date(2025, 10, int(day))) for day in days or ("28",)}
        return self.appointments.look(self.tenant, call="nobody", days=wanted).days

    def day(self, day: str = "28", staff: str = "fabian") -> StaffDay:
        return self.days(day, staff=staff).day(staff, date(2025, 10, int(day)))

    def intervals(self, day: str = "28", staff: str = "fabian") -> dict[str, str]:
        """Key and state of what is in the ledger that day."""
        return {key: each.state.value for key, each in self.day(day, staff).intervals.items()}

    def interval(self, key: str, day: str = "28") -> Interval:
        return self.day(day).intervals[key]

    def now_is(self, name: str) -> Appointment:
        """The appointment as it is stored."""
        found = self.appointments.appointment(self.tenant, name)
        assert found is not None, name
        return found

    def all_items(self) -> list[dict[str, Any]]:
        """Everything of this tenant."""
        request: dict[str, Any] = {"TableName": self.name}
        found = []
        while True:
            page = self.store.client.scan(**request)
            found += [items.from_wire(each) for each in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return [each for each in found if each["pk"].startswith(f"T#{self.tenant}#")]
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def snapshot(self) -> list[dict[str, Any]]:
        """The same, comparable."""
        return sorted(self.all_items(), key=lambda each: (each["pk"], each["sk"]))

    # What is done

    def record(self, call: str = "call_1") -> CallRecord:
        return self.appointments.look(self.tenant, call=call).record

    def hold(
        self, *offers: Offer, call: str = "call_1", record: CallRecord | None = None, days: StaffDays | None = None
    ) -> Held | HoldLost:
        """HOLD, on the ledger as it is now unless `days` says otherwise."""
        record = record or self.record(call)
        touched = {(each.staff, day) for each in (*record.offers, *offers) for day in each.slot.utc_days()}
        seen = days or self.appointments.look(self.tenant, call=call, days=touched).days
        return self.appointments.hold(self.tenant, record, offers, days=seen, now=self.clock.now())

    def start(
        self,
        appointment: Appointment,
        *,
        hold: Offer | None = None,
        days: StaffDays | None = None,
        freeing: Collection[str] = (),
        replaces: str | None = None,
        known: Customer | None = None,
    ) -> StartOutcome:
        """START, on the ledger as it is now unless `days` says otherwise."""
        touched = {(each.staff, day) for each in appointment.segments for day in each.slot.utc_days()}
        seen = days or self.appointments.look(self.tenant, call="nobody", days=touched).days
        return self.appointments.start(
            self.tenant,
            appointment,
            hold=hold,
            days=seen,
            freeing=freeing,
            replaces=replaces,
            known=known,
            now=self.clock.now(),
        )

    def confirm(self, appointment: Appointment, uid: str = "uid1", number: int = 13_000_001) -> Any:
        return self.appointments.confirm(
            self.tenant, appointment, booked(appointment, uid, number), told=Told.BOOKED, now=self.clock.now()
        )

    def release(self, appointment: Appointment, alert: Alert | None = None, **more: Any) -> Any:
        return self.appointments.release(
            self.tenant, appointment, why="taken", answer="HTTP 400", alert=alert, now=self.clock.now(), **more
        )

    def leave_open(self, appointment: Appointment) -> bool:
        return self.appointments.leave_open(
            self.tenant, appointment, why="ReadTimeout", answer="none", alert=ALERT, now=self.clock.now()
        )

    def must_undo(self, appointment: Appointment, uid: str = "uid1") -> bool:
        return self.appointments.must_undo(
            self.tenant, appointment, booked(appointment, uid), why="differs in host", alert=ALERT, now=self.clock.now()
        )

    def guard(self, appointment: Appointment) -> dict[str, Any] | None:
        """The customer guard of the appointment."""
        who, slot = appointment.customer, appointment.slot
        return self.item(keys.customer_guard(self.tenant, who.id, slot.start, appointment.service))
