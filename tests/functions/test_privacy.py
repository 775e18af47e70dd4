"""No person and no key in anything that leaves the process sideways: logs, metrics, warnings, exceptions.

Canaries are put into every input; Cal.com's part is played over HTTP, by a server that repeats whatever it was sent.
"""

from __future__ import annotations

import ast
import itertools
import json
import logging
import random
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bookend.adapters.calcom.client import CalcomCalendar
from bookend.observability import calcom_exchange
from tests.support.http import CALCOM_KEY, Doors, door, http_event
from tests.support.retell import KEY, body_of, function_call, lifecycle, phone_call, signature
from tests.support.salon import Salon
from tests.support.tables.faults import Fault

ROOT = Path(__file__).parents[2]
NAME = "Kanarinchen Quastenflosser"
EMAIL = "quastenflosser@kanarienvogel.example"
PHONE = "+4915799887766"
CALLER = "+4915711223344"
TEXT = "zaunkoenigsnest"
CANARIES = {
    "name": "quastenflosser",
    "e-mail": "kanarienvogel",
    "phone": "15799887766",
    "caller": "15711223344",
    "text": TEXT,
    "transcript": "papageientaucher",
    "access token": "eyJrYW5hcmk",
    "Retell key": KEY,
    "Cal.com key": CALCOM_KEY,
}


class Echo:
    """Cal.com over HTTP: it sells every half hour, and `mode` says how it answers a booking, echoing the request."""

    def __init__(self, doors_clock: Any) -> None:
        self.mode = "created"
        self.clock = doors_clock
        self.numbers = itertools.count(13_000_001)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        sent = request.content.decode()
        if request.url.path == "/v2/slots":
            return self._slots(request)
        if request.url.path.endswith("/cancel"):
            return httpx.Response(200 if self.mode != "wrong, stays" else 500, json={"status": "success", "data": {}})
        error = {"status": "error", "timestamp": "now", "path": "/v2/bookings", "error": {"code": "X", "message": sent}}
        echo = {**error, "error": {"code": "X", "message": "{}", "details": {"sent": sent}}}
        match self.mode:
            case "created" | "foreign" | "wrong" | "wrong, stays":
                return httpx.Response(201, json={"status": "success", "data": self._booking(json.loads(sent))})
            case "busy":
                text = "User either already has booking at this time or is not available"
                return httpx.Response(400, json={**echo, "error": {"message": text, "details": {"sent": sent}}})
            case "limit":
                return httpx.Response(400, json={**echo, "error": {"message": "booking_limit_reached " + sent}})
            case "html":
                return httpx.Response(502, text=f"<html>{sent} {request.headers['authorization']}</html>")
            case "plain":
                return httpx.Response(500, text=f"cannot book {NAME} {EMAIL}")
            case "no booking":
                return httpx.Response(200, json={"status": "success", "data": {"sent": sent}})
            case "timeout":
                raise httpx.ReadTimeout(f"timed out: {sent}", request=request)
            case "refused connection":
                raise httpx.ConnectError(f"refused: {sent}", request=request)
            case status:
                key = request.headers["authorization"]
                return httpx.Response(int(status), json={**echo, "error": {"message": f"{sent} {key}"}})

    def _slots(self, request: httpx.Request) -> httpx.Response:
        if self.mode == "slots down":
            return httpx.Response(500, text=f"{TEXT} {request.headers['authorization']}")
        times = [f"2025-10-27T{hour:02}:{minute}:00.000Z" for hour in range(7, 17) for minute in ("00", "30")]
        return httpx.Response(
            200, json={"status": "success", "data": {"2025-10-27": [{"start": each} for each in times]}}
        )

    def _booking(self, sent: dict[str, Any]) -> dict[str, Any]:
        now = self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        end = sent["start"][:14] + ("30" if sent["start"][14:16] == "00" else "59") + sent["start"][16:]
        metadata = sent["metadata"]
        if self.mode == "foreign":
            metadata = {"op_id": f"{NAME} {EMAIL}", "call_id": f'"{PHONE}"', "appointment": f"<{TEXT}>"}
        number = next(self.numbers)
        return {
            "id": number,
            "uid": f"uid{number}",
            "title": f"Termin mit {NAME}",
            "description": TEXT,
            "status": "accepted" if "wrong" not in self.mode else "pending",
            "start": sent["start"],
            "end": end,
            "duration": 30,
            "createdAt": now,
            "updatedAt": now,
            "eventTypeId": sent["eventTypeId"],
            "eventType": {"id": sent["eventTypeId"], "slug": "x"},
            "hosts": [{"id": {3672814: 28, 3672815: 29}[sent["eventTypeId"]], "name": "Fabian", "email": EMAIL}],
            "attendees": [{**sent["attendee"], "absent": False, "displayEmail": EMAIL}],
            "bookingFieldsResponses": {"email": sent["attendee"]["email"], "name": NAME},
            "metadata": metadata,
            "absentHost": False,
            "meetingUrl": "",
            "location": "",
            "guests": [],
        }


MODES = [
    "created", "foreign", "wrong", "wrong, stays", "busy", "limit", "html", "plain", "no booking", "timeout",
    "refused connection", "slots down", "400", "401", "403", "404", "409", "422", "429", "500", "503",
]  # fmt: skip


def call(call_id: str, **more: Any) -> dict[str, Any]:
    """A phone call full of canaries."""
    said = f"User: Ich heiße {NAME}, papageientaucher, {EMAIL}, {PHONE}.\n"
    return phone_call(
        call_id,
        from_number=CALLER,
        transcript=said,
        transcript_object=[{"role": "user", "content": said, "words": []}],
        transcript_with_tool_calls=[{"role": "tool_call_invocation", "arguments": json.dumps({"name": NAME})}],
        retell_llm_dynamic_variables={"user_name": NAME},
        access_token="eyJrYW5hcmkiOiIxIn0.x.y",
        metadata={"note": TEXT},
        **more,
    )


WISH = {
    "service": "Herrenhaarschnitt",
    "date": "2025-10-27",
    "time": "09:00",
    "name": NAME,
    "email": EMAIL,
    "phone": PHONE,
    "execution_message": f"Ich buche für {NAME}",
    "notes": TEXT,
}


class Aviary:
    """Doors whose Cal.com repeats everything, and what they let out."""

    def __init__(self, doors: Doors, echo: Echo) -> None:
        self.doors = doors
        self.echo = echo
        self.raised: list[str] = []
        self.requests = 0
        self.statuses: set[str] = set()

    def send(self, do: Callable[[], Any]) -> None:
        """One request; what it raises would be printed by Lambda."""
        self.requests += 1
        try:
            answer = do()
        except Exception as error:  # noqa: BLE001 - whatever it is, Lambda would print it
            self.raised += traceback.format_exception(error)
        else:
            self.statuses.add(answer.json["status"])

    def book(self, args: Any, call_id: str) -> None:
        """Book, with canaries."""
        self.send(lambda: self.doors.function("book_appointment", args, call=call(call_id)))

    def check(self, args: Any, call_id: str) -> None:
        """Ask, with canaries."""
        self.send(lambda: self.doors.function("check_availability", args, call=call(call_id)))

    def post(self, function: str, body: Any, **how: Any) -> None:
        """Any body."""
        self.send(lambda: self.doors.post(function, body, **how))

    def raw(self, function: str, body: bytes, headers: dict[str, str]) -> None:
        """Any event."""
        self.send(lambda: self.doors.raw(function, http_event(body, headers)))

    def end(self, one: dict[str, Any], event: Any = "call_ended") -> None:
        """A lifecycle event."""
        self.post("retell_events", lifecycle(event, call=one))

    def escaped(self) -> list[str]:
        out = (self.doors.heard.text + "".join(self.raised)).lower()
        return [what for what, canary in CANARIES.items() if canary.lower() in out]


@pytest.fixture
def aviary() -> Iterator[Aviary]:
    salon = Salon()
    echo = Echo(salon.clock)
    calendar = CalcomCalendar(
        base_url="https://cal.example",
        api_key=lambda: CALCOM_KEY,
        clock=salon.clock,
        observe=calcom_exchange,
        transport=httpx.MockTransport(echo),
    )
    with Doors(salon, calendar=calendar) as doors:
        yield Aviary(doors, echo)


def test_canaries_would_be_heard(aviary: Aviary) -> None:
    """The listener hears loggers of any library, plain prints and exceptions."""
    logging.getLogger("some.library").debug("x", extra={"who": {"deep": NAME}})
    with aviary.doors.heard.capturing():
        print(PHONE)
    aviary.send(lambda: 1 / len(EMAIL.split("kanarienvogel")[2:]))
    aviary.raised.append(EMAIL)
    assert aviary.escaped() == ["name", "e-mail", "phone"]


@pytest.mark.parametrize("mode", MODES)
def test_no_canary_escapes_from_any_outcome_of_a_booking(aviary: Aviary, mode: str) -> None:
    aviary.echo.mode = mode
    aviary.check(WISH, "call_a")
    aviary.book(WISH, "call_a")
    aviary.book(WISH, "call_a")
    aviary.book(WISH | {"time": "10:00"}, "call_b")
    aviary.end(call("call_a", recording_url=f"https://x.example/{NAME}"))
    assert aviary.escaped() == []
    assert aviary.raised == []
    print(f"{mode}: {sorted(aviary.statuses)}")


def test_the_outcomes_were_really_there(aviary: Aviary) -> None:
    for number, mode in enumerate([*MODES, "created"]):
        aviary.echo.mode = mode
        hour, half = divmod(number % len(MODES), 2)
        aviary.book(WISH | {"time": f"{8 + hour}:{30 * half:02}"}, f"call_{number}")
        aviary.doors.salon.clock.advance(120)
    assert {"booked", "slot_taken", "pending", "temporary_error", "already_booked"} <= aviary.statuses
    assert aviary.escaped() == []


@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER, Fault.CONFLICT, Fault.THROTTLE])
def test_no_canary_escapes_when_the_store_fails(aviary: Aviary, fault: Fault) -> None:
    doors, client = aviary.doors, aviary.doors.salon.client
    operations = ["batch_get_item", "get_item", "transact_write_items", "update_item"]
    operations = operations[2:] if fault is Fault.CONFLICT else operations
    for number, (operation, skip) in enumerate(itertools.product(operations, range(4))):
        client.faults.next(operation, fault, times=9, skip=skip)
        wish = WISH | {"time": f"{9 + number % 8}:00"}
        aviary.check(wish, f"call_{number}")
        aviary.book(wish, f"call_{number}")
        aviary.end(call(f"call_{number}"))
        client.faults.clear()
        doors.salon.clock.advance(61)
    assert "temporary_error" in aviary.statuses
    assert aviary.escaped() == []
    print(
        f"{fault.name}: {aviary.requests} requests, {sorted(aviary.statuses)}, {len(aviary.raised)} lines of traceback"
    )


def test_no_canary_escapes_from_errors_and_hostile_requests(aviary: Aviary) -> None:
    doors, rng = aviary.doors, random.Random(14)
    odd = [NAME, [NAME], {"x": NAME}, NAME * 200, f"{NAME}\u0000", f"\ud800{NAME}", f"{{{{{NAME}}}}}"]
    for value in odd:
        for argument in WISH:
            aviary.book(WISH | {argument: value}, "call_a")
            aviary.check({argument: value}, "call_a")
        for field in ("call_id", "agent_id", "from_number", "to_number", "direction"):
            odd_call = call("call_a") | {field: value}
            aviary.post("retell_functions", function_call("list_services", WISH, call=odd_call))
            aviary.end(odd_call)
        aviary.end(call("call_a"), value)
        aviary.post("retell_functions", {"name": value, "args": value, "call": value})
        aviary.post("retell_functions", function_call(value, WISH, call=call("call_a")))
        aviary.post("retell_events", {"event": value, "call": value})
    for name in ("retell_functions", "retell_events"):
        body = body_of(function_call("book_appointment", WISH, call=call("call_a")) | lifecycle("call_ended"))
        header = signature(body, at=doors.salon.clock.now())
        for _ in range(150):
            broken = bytearray(body)
            for _ in range(rng.randrange(1, 4)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            aviary.post(name, bytes(broken))
            aviary.raw(name, bytes(broken), {"X-Retell-Signature": header})
        aviary.post(name, WISH)
        aviary.post(name, body, key="key_wrong_00000000")
        aviary.post(name, body, signed=f"v=1,d={KEY}{NAME}")
        aviary.raw(name, body, {"X-Retell-Signature": KEY, "X-Who": NAME})
    assert aviary.escaped() == []
    assert aviary.raised == []
    print(f"errors and hostile: {aviary.requests} requests, {sorted(aviary.statuses)}")


def test_no_setting_of_the_environment_makes_the_logger_print_events(
    aviary: Aviary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    door.cache_clear()
    try:
        aviary.book(WISH, "call_a")
        aviary.end(call("call_a"))
    finally:
        door.cache_clear()
    assert aviary.escaped() == []


# What the source itself says

METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
LOGGED_FACTS = {"call_id", "function", "event", "op_id", "appointment", "tenant", "job", "attempt"}
PERSONAL = {
    "event", "body", "args", "request", "response", "error", "exc", "exception", "err", "e", "text", "detail", "answer",
    "headers", "customer", "who", "name", "email", "phone", "caller", "command", "said", "raw", "document", "secret",
    "key", "keys", "header", "signature", "booking",
}  # fmt: skip


def loose_talk(source: str) -> list[str]:
    """Calls of a logger that hand on more than a fixed text and named facts."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        what = ast.unparse(node)
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append(what)
        if not isinstance(node.func, ast.Attribute) or "logg" not in ast.unparse(node.func.value):
            continue
        names = {keyword.arg for keyword in node.keywords}
        if node.func.attr == "append_keys":
            wrong = not names <= LOGGED_FACTS
        elif node.func.attr in METHODS:
            constant = len(node.args) == 1 and isinstance(node.args[0], ast.Constant)
            wrong = not constant or not names <= {"extra"} or node.func.attr == "exception"
        else:
            wrong = False
        handed = [*node.args, *(keyword.value for keyword in node.keywords)]
        bare = {
            each.id for value in handed for each in _leaves(value) if isinstance(each, ast.Name) and each.id in PERSONAL
        }
        texts = [each for value in handed for each in ast.walk(value) if isinstance(each, ast.JoinedStr)]
        if wrong or bare or texts:
            found.append(what)
    return found


def _leaves(value: ast.AST) -> Iterator[ast.AST]:
    """The parts of an expression that are handed on whole: not `x` of `x.kind` or `x["kind"]`."""
    if isinstance(value, ast.Attribute | ast.Subscript):
        return
    yield value
    for child in ast.iter_child_nodes(value):
        yield from _leaves(child)


SOURCES = sorted([*(ROOT / "layers" / "bookend" / "bookend").rglob("*.py"), *(ROOT / "functions").rglob("*.py")])


@pytest.mark.parametrize("file", SOURCES, ids=[str(each.relative_to(ROOT)) for each in SOURCES])
def test_no_logger_is_handed_an_event_a_body_or_an_exception(file: Path) -> None:
    assert loose_talk(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "logger.info(event)",
        "logger.info('got', event)",
        "logger.info('got %s', body)",
        "logger.info(f'got {x}')",
        "logger.info('got', extra={'body': body})",
        "logger.info('got', extra={'why': str(error)})",
        "logger.info('got', extra={'why': f'{x.y}'})",
        "logger.error('failed', exc_info=True)",
        "logger.exception('failed')",
        "self._logger.warning('odd', extra={'args': args})",
        "logging.getLogger('x').info(event)",
        "logger.append_keys(name=x.y)",
        "logger.append_keys(call_id=event)",
        "print(event)",
    ],
)
def test_loose_talk_would_be_noticed(line: str) -> None:
    assert loose_talk(line) == [line]


@pytest.mark.parametrize("file", sorted((ROOT / "functions").rglob("handler.py")), ids=lambda file: file.parent.name)
def test_every_door_says_that_events_are_not_logged(file: Path) -> None:
    """Without the argument a variable of the environment decides."""
    assert "@logger.inject_lambda_context(clear_state=True, log_event=False)" in file.read_text(encoding="utf-8")
