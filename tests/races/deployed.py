"""The load through the whole deployed project: signed HTTP calls, real Lambda runtimes, a real engine, webhooks.

    with deployed(instances=4, scratch=tmp_path) as salon:
        round_ = play(salon, callers=50, seed=1, ahead=3)
        assert round_.breaches == []

What is true afterwards is read from the table with boto3 and from Cal.com's own rows, and compared with what each
caller was told; then the invariants of every other test are asked as well.
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from bookend.adapters.tenants.document import read_tenant
from bookend.bootstrap import RandomIds, SystemClock
from bookend.domain.answers import Booking
from sandbox.calcom.models import WEEKDAYS
from sandbox.salon import calendar, retell
from sandbox.salon.records import Records
from sandbox.salon.running import REGULAR_MAIL, Salon, running
from tests.races.load import STYLIST, Json, Wish, at_once, overlapping, wishes_of
from tests.support.invariants import violations
from tests.support.salon import Salon as Looked

PATIENCE_S = 300.0
"""Of a caller's HTTP request: who waits for a free instance waits on this machine, not on Lambda."""
HOURS = {
    "weekly": {day: [("06:00", "22:00")] for day in WEEKDAYS},
    "every": 15,
    "requests_per_minute": 0,  # the load would be told 429 after two seconds, and that would be all to see
}
FINAL = {"CONFIRMED", "FAILED", "CANCELLED"}
ROUNDS_OF_SWEEPING = 10
TRIES_TO_CATCH_UP = 3


@dataclass
class Round:
    """What came of one load."""

    wishes: list[Wish]
    counts: dict[str, int] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)
    seconds: float = 0.0


@contextmanager
def deployed(*, instances: int, scratch: Path) -> Iterator[Salon]:
    """The stack, with at most so many instances of each function; open every day, and no rate limit at Cal.com."""
    with running(scratch=scratch, pool_size=instances, progress=lambda _: None) as salon:
        salon.start_anew(mail=REGULAR_MAIL, **HOURS)
        yield salon


def instances_started(salon: Salon) -> int:
    """How many processes of the function have answered callers so far; each has a log of its own."""
    name = salon.stack.stack.functions["RetellFunctionsFunction"].name
    return sum(each.startswith(f"{name}-") for each in salon.stack.logs())


def world_of(salon: Salon, *, api_key: str) -> Json:
    """The same Cal.com for whoever books there without us."""
    return calendar.world(salon.tenant, api_key=api_key, **HOURS)


def play(salon: Salon, *, callers: int, seed: int, ahead: int) -> Round:
    """So many callers at once, for a day so far ahead; then the dust settles, all hang up, and it is looked at."""
    day = (salon.now().astimezone(ZoneInfo(salon.tenant["zone"])) + timedelta(days=ahead)).date()
    round_ = Round(wishes_of(salon.tenant, callers=callers, seed=seed, day=day))
    lines = [_line(salon) for _ in round_.wishes]
    asked_before = Counter(f"{each['method']} {each['template']}" for each in salon.standin.log())
    began = time.monotonic()
    heard = at_once(lambda wish: _conversation(salon, lines[wish.caller], wish), round_.wishes)
    round_.seconds = time.monotonic() - began
    asked = Counter(f"{each['method']} {each['template']}" for each in salon.standin.log()) - asked_before
    answers = [each[-1] for each in heard]
    told = Counter(
        "booked at the offered time" if len(each) > 1 and status_of(each[-1]) == "booked" else status_of(each[-1])
        for each in heard
    )
    late = _settle(salon)
    for line in lines:
        _post(salon, "events", retell.call_ended(line, salon.now()))
    truth = salon.records()
    round_.breaches = [*late, *held_against(salon, round_.wishes, lines, answers, truth), *_invariants(salon)]
    ours = [each for line in lines for each in truth.of_call(line.call_id) if each["state"] == "CONFIRMED"]
    there = _at_calcom(salon, lines, truth)
    pairs = overlapping([_times(booking) for _, booking in there])
    parts = Counter(caller for caller, _ in there)
    round_.counts = {
        "callers": callers,
        **{f"told {status}": number for status, number in sorted(told.items())},
        "refused at first": sum(status_of(each[0]) == "slot_taken" for each in heard),
        "appointments confirmed": len(ours),
        "composites confirmed": sum(len(each["segments"]) > 1 for each in ours),
        "composites booked in part": sum(0 < parts[wish.caller] < len(wish.parts) for wish in round_.wishes),
        "bookings accepted": len(there),
        "overlapping pairs": len(pairs),
        "callers with an overlap": len({there[position][0] for pair in pairs for position in pair}),
        "bookings asked of Cal.com": asked["POST /v2/bookings"],
        "requests to Cal.com": asked.total(),
    }
    return round_


def _at_calcom(salon: Salon, lines: Sequence[retell.Line], truth: Records) -> list[tuple[int, Json]]:
    """What lives at Cal.com for these callers, by Cal.com's own rows, each with whose it is."""
    callers = {each["id"]: caller for caller, line in enumerate(lines) for each in truth.of_call(line.call_id)}
    bookings = [each for each in salon.standin.bookings() if each["status"] == "accepted"]
    return [(callers[name], each) for each in bookings if (name := each["metadata"].get("appointment")) in callers]


def status_of(answer: retell.Answer) -> str:
    """What the agent was told, in one word."""
    return str(answer.body.get("status")) if answer.http_status == 200 else f"HTTP {answer.http_status}"


def held_against(
    salon: Salon, wishes: Sequence[Wish], lines: Sequence[retell.Line], answers: Sequence[retell.Answer], truth: Records
) -> list[str]:
    """Every difference between what was said, what the table has and what Cal.com has."""
    found = []
    bookings = {each["uid"]: each for each in salon.standin.bookings()}
    accepted = {uid: each for uid, each in bookings.items() if each["status"] == "accepted"}
    host = next(each["calcom_user"] for each in salon.tenant["staff"] if each["id"] == STYLIST)
    there = [each for each in accepted.values() if each["hosts"][0]["id"] == host]
    pairs = overlapping(
        [(datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])) for each in there]
    )
    found += [f"Cal.com: {there[one]['uid']} overlaps {there[other]['uid']}" for one, other in pairs]
    live = [each for each in truth.appointments if each["state"] not in {"FAILED", "CANCELLED"}]
    taken = [(each["id"], *_times(part)) for each in live for part in each["segments"]]
    found += [f"{taken[one][0]} overlaps {taken[other][0]}" for one, other in overlapping([each[1:] for each in taken])]
    owners = Counter(part["uid"] for each in live for part in each["segments"])
    found += [f"{uid} belongs to {number} appointments" for uid, number in owners.items() if number > 1]
    found += [f"{uid} lives at Cal.com and belongs to nobody" for uid in accepted.keys() - owners.keys()]
    for wish, line, answer in zip(wishes, lines, answers, strict=True):
        own = truth.of_call(line.call_id)
        standing = [each for each in own if each["state"] == "CONFIRMED"]
        owed = [kind for name, kind in truth.owed_texts if name in {each["id"] for each in own}]
        untrue = untrue_of(answer, standing, owed)
        found += [f"caller {wish.caller} was told {status_of(answer)}: {what}" for what in untrue]
        for each in standing:
            found += [f"caller {wish.caller}: {what}" for what in _not_whole(each, wish, accepted, host)]
    return found


def untrue_of(answer: retell.Answer, standing: Sequence[Json], owed: Sequence[str]) -> Iterator[str]:
    """What of an answer is not so, at rest: `standing` is what the caller has, `owed` what messages were promised."""
    match status_of(answer):
        case "booked":
            told = datetime.fromisoformat(answer.body["start"])
            if [datetime.fromisoformat(each["start"]) for each in standing] != [told]:
                yield f"at {told}, and there stand {[each['start'] for each in standing]}"
        case "pending":
            if list(owed) != (so := ["booked" if standing else "not_booked"]):
                yield f"and is owed the messages {owed}, where {so} is so"
        case _:
            if standing:
                yield f"and {standing[0]['id']} stands"


def _not_whole(appointment: Json, wish: Wish, accepted: Json, host: int) -> Iterator[str]:
    """Each busy part is one accepted booking at its time, with its stylist, under this appointment's name."""
    if len(appointment["segments"]) != len(wish.parts):
        yield f"{appointment['id']} has {len(appointment['segments'])} of {len(wish.parts)} parts"
    for part in appointment["segments"]:
        booking = accepted.get(part["uid"])
        if booking is None:
            yield f"{appointment['id']} is confirmed, and {part['uid']} is not accepted at Cal.com"
            continue
        there = (*_times(booking), booking["hosts"][0]["id"], booking["metadata"].get("appointment"))
        if there != (*_times(part), host, appointment["id"]):
            yield f"{appointment['id']} is confirmed as {part}, and Cal.com has {there}"


def _invariants(salon: Salon) -> list[str]:
    """What every other test asks of the table and the calendar at rest; what was told is `untrue_of` above."""
    rows = {each["uid"]: _as_port_sees_it(each) for each in salon.standin.bookings()}
    tenant = read_tenant(json.dumps(salon.tenant).encode())
    looked = Looked(
        tenant=tenant,
        client=SimpleNamespace(scan=_appointments_and_all(salon)),
        table_name=salon.stack.table_name,
        calendar=SimpleNamespace(bookings=rows),
        clock=SystemClock(),
        ids=RandomIds(),
    )
    return list(violations(looked, []))


def _appointments_and_all(salon: Salon) -> Callable[..., Json]:
    """A scan without the rows that belong to no day of the salon's: routes, breakers, the list of tenants."""
    client = salon.stack.dynamodb()

    def scan(**request: Any) -> Json:
        page: Json = client.scan(**request)
        return page | {"Items": [each for each in page["Items"] if each["pk"]["S"].startswith("T#")]}

    return scan


def _as_port_sees_it(row: Json) -> Booking:
    return Booking(
        uid=row["uid"],
        id=row["id"],
        status=row["status"],
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        created_at=datetime.fromisoformat(row["createdAt"]),
        updated_at=datetime.fromisoformat(row["updatedAt"]),
        host=row["hosts"][0]["id"],
        event_type=row["eventTypeId"],
        attendees=tuple(each["email"] for each in row["attendees"]),
        metadata=row["metadata"],
    )


def _settle(salon: Salon) -> list[str]:
    """Webhooks come, the worker ends; what is open is brought to its end by the sweeper, minute by minute."""
    late = _not_ended(salon)
    for _ in range(ROUNDS_OF_SWEEPING):
        if late or all(each["state"] in FINAL for each in salon.records().appointments):
            break
        salon.set_time(salon.now() + timedelta(minutes=1))
        salon.sweep()
        late = _not_ended(salon)
    salon.real_time()
    rows = salon.records().appointments
    return [*late, *(f"{each['id']} stays {each['state']}" for each in rows if each["state"] not in FINAL)]


def _not_ended(salon: Salon) -> list[str]:
    """Wait for webhooks and worker, longer than a replay does: this machine may be busy."""
    for left in reversed(range(TRIES_TO_CATCH_UP)):
        try:
            salon.caught_up()
        except RuntimeError as late:
            if not left:
                return [str(late)]
        else:
            break
    return []


def _line(salon: Salon) -> retell.Line:
    call = f"call_{secrets.token_hex(13)}"
    return retell.Line(call, salon.agent, salon.number, f"+4917{secrets.randbelow(10**9):09d}", salon.now())


def _conversation(salon: Salon, line: retell.Line, wish: Wish) -> list[retell.Answer]:
    """The wish; and if it is not free, the first of the times that are offered instead."""
    said = {"service": wish.service, "staff": "Fabian", "name": "Erika Muster"}
    asked = said | {"date": f"{wish.start:%Y-%m-%d}", "time": f"{wish.start:%H:%M}"}
    heard = [_post(salon, "functions", retell.function_call(line, "book_appointment_v17", asked))]
    if status_of(heard[0]) == "slot_taken" and (offers := heard[0].body["offers"]):
        taken = said | {"offer_id": offers[0]["offer_id"], "start": offers[0]["start"]}
        heard.append(_post(salon, "functions", retell.function_call(line, "book_appointment_v17", taken)))
    return heard


def _post(salon: Salon, door: str, body: Json) -> retell.Answer:
    """As `retell.send`, with patience."""
    raw, target = json.dumps(body, ensure_ascii=False).encode(), urlsplit(salon.stack.url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=PATIENCE_S)
    began = time.monotonic()
    try:
        signed = retell.signature(raw, key=salon.retell_key, now=salon.now())
        headers = {"content-type": "application/json", "x-retell-signature": signed}
        connection.request("POST", f"{target.path}/retell/{door}", raw, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return retell.Answer(answer.status, json.loads(text) if text else {}, time.monotonic() - began)
    finally:
        connection.close()


def _times(row: Any) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"])
