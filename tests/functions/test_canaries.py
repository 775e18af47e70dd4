"""Canaries as names, numbers, addresses, notes and services at every door, job, schedule and command.

Each handler of functions/ and each command stands in a table; one that does not fails the test of completeness. After
all of it nothing may have left the process sideways (logs, metrics, output, exceptions, messages of the queue, facts of
alerts), and in the tables canaries stand only where docs/data-model.md says that people's data do.
"""

from __future__ import annotations

import argparse
import json
import re
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from bookend import bootstrap, cli
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.retell.wire import FunctionName
from bookend.adapters.sqs.queue import SqsQueue
from bookend.application.ports import Job
from bookend.domain.answers import NotSent, Refusal, Refused, Unclear
from bookend.domain.cases import Case, CaseOrigin, CaseState, SyncFailure
from bookend.domain.contacts import Customer
from bookend.domain.texts import Channel
from tests.support.calendar import lost_before
from tests.support.http import CALCOM_ARN, CALCOM_KEY, FUNCTIONS, WEBHOOK_SECRET, Doors, LambdaContext, door
from tests.support.retell import KEY, phone_call
from tests.support.salon import EXAMPLE, Salon
from tests.support.stream import AUDIT, SECRET, Audited
from tests.support.tables.faults import Fault
from tests.support.texts import REFUSED, UNCLEAR_WITHOUT, Provider

MODEL = Path(__file__).parents[2] / "docs" / "data-model.md"
AUDIT_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:audit-keys"
MONDAY = "2025-10-27"
NAME, EMAIL, CALLER, PHONE = (
    "Kanarinchen Quastenflosser", "quastenflosser@kanarienvogel.example", "+4915711223344", "+4915799887766",
)  # fmt: skip
NOTE = "zaunkoenigsnest"
PEOPLE = ["quastenflosser", "kanarienvogel", "kanarinchen", "15711223344", "15799887766", NOTE]
KEYS = [KEY, CALCOM_KEY, WEBHOOK_SECRET, SECRET]
SAID = f"HTTP 400 {NAME} {EMAIL} {PHONE} {NOTE} {CALCOM_KEY}"
ALLOWED = {
    ("APPT", "customer"), ("CUSTOMER", "name"), ("CUSTOMER", "email"), ("CUSTOMER", "phone"), ("CASE", "customer"),
    ("CASE", "answers"), ("CASEPART", "bytes"), ("APPT", "answer"), ("WH", "body"),
    ("CALLBACK", "name"), ("CALLBACK", "phone"), ("CALLBACK", "service"), ("CALLBACK", "wished"),
}  # fmt: skip
"""Where people's data may stand: kind of item, attribute."""
WISH = {
    "service": "Herrenhaarschnitt", "date": MONDAY, "time": "10:00", "name": NAME, "email": EMAIL, "phone": PHONE,
    "notes": NOTE, "execution_message": f"Ich buche für {NAME}", "new_date": MONDAY, "new_time": "11:00",
    "wish": NOTE, "reason": NOTE, "call_id": NAME, "confirmation_token": None,
}  # fmt: skip


class Pipe:
    """SQS: what was sent to it, whole."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **request: Any) -> None:
        self.sent.append(request)

    def take(self) -> list[str]:
        """The bodies that nobody has taken yet."""
        bodies = [each["MessageBody"] for each in self.sent if not each.get("taken")]
        self.sent = [each | {"taken": True} for each in self.sent]
        return bodies


class Loud:
    """Cal.com, which cannot be read: each answer repeats people, and so does each exception."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.trouble: Any = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if self.trouble is None or name not in {"booking", "find", "page", "free_starts", "reschedule", "cancel"}:
            return found
        if isinstance(self.trouble, Exception):
            return self._raise
        return lambda *args, **_: dict.fromkeys(args[0], self.trouble) if name == "free_starts" else self.trouble

    def _raise(self, *_args: Any, **_more: Any) -> Any:
        raise self.trouble


class Nest(Doors):
    """A salon whose every name is a canary, and everything that it lets out."""

    def __init__(self) -> None:
        salon = Salon()
        for day in (MONDAY, "2025-10-28"):
            salon.open(day)
        self.audited = Audited(salon)
        self.loud = Loud(salon.calendar)
        super().__init__(salon, calendar=self.loud)
        self.pipe, self.provider = Pipe(), Provider()
        self.deps.queue = SqsQueue(self.pipe, "https://sqs.example/1/sync")
        self.deps.messengers = {Channel.SMS: self.provider, Channel.EMAIL: self.provider}
        self.vault.secrets[AUDIT_ARN] = {"keys": [SECRET]}
        self.deps.settings = replace(self.deps.settings, audit_table_name=AUDIT, audit_keys_secret_arn=AUDIT_ARN)
        self.raised: list[str] = []
        self.printed: list[str] = []
        self.told = 0

    def do(self, what: Callable[[], Any]) -> Any:
        """What it raises Lambda would print."""
        try:
            return what()
        except Exception as error:  # noqa: BLE001 - whatever it is, Lambda would print it
            self.raised += traceback.format_exception(error)
            return None

    def ask(self, function: str, call: str = "call_1", **args: Any) -> dict[str, Any]:
        """A function of the agent."""
        said = {name: value for name, value in (WISH | args).items() if value is not None}
        lines = f"User: Ich heiße {NAME}, {EMAIL}, {NOTE}."
        one = phone_call(call, from_number=CALLER, transcript=lines, metadata={"note": NOTE})
        answer = self.do(lambda: self.function(function, said, call=one))
        return answer.json if answer is not None else {}

    def tell(self, uid: str, trigger: str = "BOOKING_CREATED") -> None:
        """An event of Cal.com's, with everything that stands in one."""
        person = {"name": NAME, "email": EMAIL, "phoneNumber": PHONE}
        self.told += 1
        payload = {"uid": uid, "title": NAME, "attendees": [person], "responses": {"notes": {"value": NOTE}}}
        body = {"triggerEvent": trigger, "createdAt": f"{self.told}", "payload": payload | {"description": NOTE}}
        self.do(lambda: self.webhook(body))

    def job(self) -> None:
        """The worker takes what is queued."""
        bodies = self.pipe.take()
        if bodies:
            self.do(lambda: self.work(*bodies))

    def task(self, task: str) -> None:
        """A schedule."""

        def run() -> None:
            with self.heard.capturing():
                door("reconciliation").lambda_handler({"task": task}, LambdaContext(240_000))

        self.do(run)
        self.job()

    def log(self, records: list[Any]) -> None:
        """A batch of the stream."""

        def run() -> None:
            with self.heard.capturing():
                door("audit_trail").lambda_handler({"Records": records}, LambdaContext(60_000))

        self.do(run)

    def escaped(self) -> list[str]:
        """What got out, and where."""
        out = {
            "logs, metrics, output": self.heard.text,
            "exceptions": "".join(self.raised),
            "the queue": json.dumps([{k: v for k, v in each.items() if k != "QueueUrl"} for each in self.pipe.sent]),
            "alerts": repr(self.salon.alerts.raised),
            "the audit log": json.dumps(self.audited.rows()),
            "commands": "".join(self.printed),
        }
        found = [f"{canary} in {where}" for where, text in out.items() for canary in heard_in(text)]
        return found + misplaced(self.salon.client.scan(TableName=self.salon.table_name)["Items"])


def heard_in(text: str) -> list[str]:
    """The canaries in a text."""
    low = text.lower()
    return [each for each in (*PEOPLE, *KEYS) if each.lower() in low]


def misplaced(rows: list[dict[str, Any]]) -> list[str]:
    """Canaries in keys, and in attributes that are not people's; in no attribute a key."""
    found = []
    for row in rows:
        parts = row["pk"]["S"].split("#")
        kind = parts[2] if len(parts) > 2 else parts[0]
        for name, value in row.items():
            seen = heard_in(json.dumps(value, default=str))
            if (kind, name) in ALLOWED and name not in {"answer", "answers"}:
                seen = [each for each in seen if each in KEYS]
            elif (kind, name) in ALLOWED:
                seen = []  # Cal.com's own words, as they came
            found += [f"{each} in {name} of {kind}" for each in seen]
    return found


@pytest.fixture
def nest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nest]:
    with Nest() as opened:
        monkeypatch.setattr(bootstrap, "Dependencies", lambda *_, **__: opened.deps)
        yield opened


TROUBLES = [
    None, NotSent(SAID), Unclear(SAID), RuntimeError(SAID), KeyError(NAME),
    UnicodeDecodeError("utf-8", NAME.encode(), 0, 1, PHONE),
]  # fmt: skip
FATES = [
    None, lost_before, lambda *_: Refused(Refusal.HOST_BUSY, SAID), lambda *_: Refused(Refusal.OTHER, SAID),
    lambda *_: Unclear(SAID),
]  # fmt: skip
FAULTS = [(None, ""), *((each, where) for each in (Fault.NOT_SENT, Fault.LOST_ANSWER, Fault.THROTTLE) for where in (
    "transact_write_items", "batch_get_item", "get_item", "query", "update_item", "put_item"))]  # fmt: skip


def functions(nest: Nest) -> None:
    """Every function of the agent, twice, each with people in all of its arguments."""
    for call in ("call_1", "call_2"):
        for each in get_args(FunctionName):
            answer = nest.ask(each, call)
            if "confirmation_token" in answer:
                nest.ask(each, call, confirmation_token=answer["confirmation_token"])
            nest.ask(each, call, confirmation_token=NAME)
            nest.ask(each, call, offer_id=NAME, service=NOTE, staff=NAME, date=PHONE, time=EMAIL)
    nest.do(lambda: nest.post("retell_functions", {"name": NAME, "args": NAME, "call": NAME}))
    nest.do(lambda: nest.post("retell_functions", NAME.encode(), key=PHONE))


def events(nest: Nest) -> None:
    """A call that ends, with its transcript."""
    for name in ("call_ended", "call_analyzed", NAME):
        one = phone_call("call_1", from_number=CALLER, transcript=NAME, call_analysis={"call_summary": EMAIL})
        nest.do(lambda name=name, one=one: nest.event(name, call=one))


def webhooks(nest: Nest) -> None:
    """Events of bookings that are there, are nowhere, or are none; and what is no event."""
    for uid in (*nest.salon.calendar.bookings, NAME, PHONE, ""):
        nest.tell(uid)
    nest.tell(next(iter(nest.salon.calendar.bookings), "x"), NAME)
    for body in (NAME.encode(), b'{"triggerEvent": "' + EMAIL.encode(), json.dumps([PHONE]).encode()):
        nest.do(lambda body=body: nest.webhook(body))
        nest.do(lambda body=body: nest.webhook(body, signed=NAME))
        nest.do(lambda body=body: nest.webhook(body, tenant=NAME))


def worker(nest: Nest) -> None:
    """What is queued, and what is no job."""
    nest.job()
    nest.do(lambda: nest.work(NAME, json.dumps({"kind": NAME, "tenant": PHONE, "name": EMAIL}), "[]"))
    for kind in ("settle", "event", "text"):
        nest.do(lambda kind=kind: nest.work(Job(kind, "friseur1", "nobody")))


def schedules(nest: Nest) -> None:
    """Hours in which everything is looked at."""
    for task in ("sweep", "reconcile", "nightly", "remedy", "sweep"):
        nest.salon.clock.advance(300)
        nest.task(task)


def audit(nest: Nest) -> None:
    """The stream so far, and records that are none."""
    nest.log(json.loads(json.dumps(nest.audited.stream.records, default=str)))
    broken = {"eventID": "x", "eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "Keys": {}, "NewImage": NAME}}
    nest.log([broken])


DOORS: dict[str, Callable[[Nest], None]] = {
    "retell_functions": functions,
    "retell_events": events,
    "calcom_webhooks": webhooks,
    "sync_worker": worker,
    "reconciliation": schedules,
    "audit_trail": audit,
}


def lived_in(nest: Nest) -> None:
    """What a salon has seen: a booking, one that is open, guests at Cal.com, a case, a wish to be rung, texts."""
    nest.salon.calendar.faults.append(lost_before)
    nest.ask("book_appointment", "call_0", time="14:00")
    nest.ask("book_appointment", "call_0", time="15:00")
    nest.ask("request_callback", "call_0")
    for hour, event_type in ((9, 3672814), (11, 3672815)):
        nest.salon.calendar.book_publicly(event_type, datetime(2025, 10, 28, hour, tzinfo=UTC), email=EMAIL)
    uid = next(iter(nest.salon.calendar.bookings))
    nest.salon.calendar.change(uid, metadata={"op_id": NAME, "call_id": PHONE, "appointment": NOTE})
    now = nest.salon.clock.now()
    start = datetime(2025, 10, 29, 9, tzinfo=UTC).isoformat()
    case = Case(
        id="import-664",
        state=CaseState.OPEN,
        failure=SyncFailure.OTHER,
        origin=CaseOrigin.IMPORT,
        facts={"service": "herrenhaarschnitt", "staff": "fabian", "start": start},
        opened_at=now,
        changed_at=now,
        customer=Customer("c1", NAME, EMAIL, PHONE),
        answers=(SAID,),
        by="import",
    )
    assert DynamoCases(nest.salon.table).open("friseur1", case, now=now)
    nest.provider.fates = [REFUSED, UNCLEAR_WITHOUT]


def test_no_door_is_without_its_canaries() -> None:
    assert set(DOORS) == {each.parent.name for each in FUNCTIONS.glob("*/handler.py")}


@pytest.mark.parametrize("fate", FATES, ids=["as it should be", "lost", "busy", "refused", "unclear"])
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: type(each).__name__)
def test_nobody_escapes_whatever_cal_com_says_and_throws(nest: Nest, trouble: Any, fate: Any) -> None:
    lived_in(nest)
    for visit in DOORS.values():
        nest.loud.trouble = trouble
        nest.salon.calendar.faults.extend([fate] * 9 if fate is not None else [])
        visit(nest)
        nest.salon.calendar.faults.clear()
    assert nest.escaped() == []


@pytest.mark.parametrize(("fault", "where"), FAULTS, ids=lambda each: getattr(each, "name", each))
def test_nobody_escapes_while_the_store_is_away(nest: Nest, fault: Fault | None, where: str) -> None:
    lived_in(nest)
    for visit in DOORS.values():
        if fault is not None:
            nest.salon.client.faults.next(where, fault, times=12, skip=2)
        visit(nest)
        nest.salon.client.faults.clear()
    assert nest.escaped() == []


# Commands

FILE = f"""external_id;service;staff;start;customer_name;phone;email;status;sync_status;sync_error
1;Herrenhaarschnitt;Fabian Spitzer;2025-10-29 10:00;{NAME};{PHONE};{EMAIL};booked;failed;{SAID}
2;{NOTE};{NAME};{PHONE};{NAME};{EMAIL};{PHONE};{NAME};{EMAIL};{NOTE}
"""
TABLE = ["--table", "appointments"]
CALCOM = [*TABLE, "--calcom-secret", CALCOM_ARN]
COMMANDS: dict[str, list[list[str]]] = {
    "config check": [["FILE"], ["DOCUMENT"]],
    "config diff": [["DOCUMENT", *TABLE]],
    "config load": [["DOCUMENT", *TABLE]],
    "config show": [["friseur1", *TABLE]],
    "reconcile": [["friseur1", *CALCOM], ["friseur1", *CALCOM, "--apply"], ["friseur1", *CALCOM, "--json"]],
    "audit show": [["friseur1", "APPOINTMENT", *TABLE, "--audit-table", AUDIT]],
    "audit verify": [["friseur1", *TABLE, "--audit-table", AUDIT, "--keys-secret", AUDIT_ARN]],
    "breaker": [TABLE],
    "texts list": [["friseur1", *TABLE], ["friseur1", *TABLE, "--json"]],
    "texts resend": [["friseur1", *TABLE, "OP", "--by", "erika", "--apply"]],
    "texts settle": [["friseur1", *TABLE, "OP", "--by", "erika", "--apply"]],
    "texts opt-out": [["friseur1", *TABLE, PHONE, "--by", "erika", "--apply"]],
    "texts opt-in": [["friseur1", *TABLE, PHONE, "--by", "erika", "--apply"]],
    "erase": [["friseur1", *TABLE, "--phone", CALLER], ["friseur1", *TABLE, "--phone", CALLER, "--apply"]],
    "health": [["friseur1", *TABLE], ["--all", *TABLE, "--json"]],
    "import": [["friseur1", "FILE", *TABLE], ["friseur1", "FILE", *TABLE, "--apply"]],
    "duplicates": [["friseur1", *CALCOM], ["friseur1", *CALCOM, "--apply"]],
    "rebuild": [["friseur1", *CALCOM], ["friseur1", *CALCOM, "--apply"]],
    "remedy": [["friseur1", *CALCOM], ["friseur1", *CALCOM, "--apply"]],
    "review list": [["friseur1", *TABLE, "--all"]],
    "review decide": [["friseur1", "import-664", "historical", *CALCOM, "--by", "erika"]],
}
SHOWN = {
    "callbacks list": "who is to be rung is what it is for",
    "callbacks done": "whom somebody has rung",
    "review show": "the evidence of a case, for a person",
}
"""Commands that print people on purpose, and why; they log nobody all the same."""


def every_command() -> set[str]:
    def names(parser: argparse.ArgumentParser) -> Iterator[str]:
        below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        for group in below:
            for name, child in group.choices.items():
                inner = list(names(child))
                yield from (f"{name} {each}" for each in inner) if inner else (name,)

    return set(names(cli._parser()))


def test_no_command_is_without_its_canaries() -> None:
    assert every_command() == {*COMMANDS, *SHOWN}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_or_logs_anybody(
    nest: Nest, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lived_in(nest)
    schedules(nest)
    nest.log(json.loads(json.dumps(nest.audited.stream.records, default=str)))
    (tmp_path / "rows.csv").write_text(FILE, encoding="utf-8")
    (tmp_path / "salon.json").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    rows = nest.salon.client.scan(TableName="appointments")["Items"]
    names = {
        "FILE": str(tmp_path / "rows.csv"),
        "DOCUMENT": str(tmp_path / "salon.json"),
        "APPOINTMENT": next(row["pk"]["S"].rpartition("#")[2] for row in rows if "#APPT#" in row["pk"]["S"]),
        "OP": next((row["pk"]["S"].rpartition("#")[2] for row in rows if "#OUT#" in row["pk"]["S"]), "none"),
    }
    for arguments in COMMANDS[command]:
        capsys.readouterr()
        given = [names.get(each, each) for each in arguments]
        nest.do(lambda given=given: cli.main([*command.split(), *given, "--verbose"]))
        nest.printed.append("".join(capsys.readouterr()))
    assert nest.escaped() == []
    assert "".join(nest.printed).strip()


# That it would be noticed


@pytest.mark.parametrize(
    ("leak", "where"),
    [
        (lambda nest: nest.salon.clock and nest.raised.append(EMAIL), "exceptions"),
        (lambda nest: nest.pipe.sent.append({"MessageAttributes": {"who": {"StringValue": NAME}}}), "the queue"),
        (lambda nest: nest.salon.table.put({"pk": {"S": f"T#x#OUT#{PHONE}"}, "sk": {"S": "G"}}), "pk of OUT"),
        (lambda nest: nest.salon.table.put({"pk": {"S": "T#x#OUT#1"}, "sk": {"S": NOTE}}), "sk of OUT"),
    ],
)
def test_a_canary_that_got_out_is_heard(nest: Nest, leak: Callable[[Nest], Any], where: str) -> None:
    nest.salon.table = type(
        "Put", (), {"put": lambda _, row: nest.salon.client.put_item(TableName="appointments", Item=row)}
    )()
    leak(nest)
    assert any(each.endswith(where) for each in nest.escaped())


def test_people_stand_where_the_data_model_says() -> None:
    """The sentence that lists where people's data stand names every kind of item that is allowed here, and no other."""
    text = MODEL.read_text(encoding="utf-8")
    sentence = text.split("**People's data** stand in ", 1)[1].split("nowhere else", 1)[0]
    said = {name.partition(".")[0] for name in re.findall(r"`([A-Z]+)[.`]", sentence)}
    assert said == {kind for kind, _ in ALLOWED} - {"CASEPART"}
