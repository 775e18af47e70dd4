"""The salon's desk, beside the running stack: what people do at Cal.com past the voice agent, and the schedules.

    python -m sandbox.desk book Herrenhaarschnitt Fabian "2026-12-01 10:00" "Petra Web"
    python -m sandbox.desk move UID "2026-12-01 11:00"
    python -m sandbox.desk assign UID Emma
    python -m sandbox.desk cancel UID
    python -m sandbox.desk webhooks lost      (lost, or late as they are at first)
    python -m sandbox.desk reconcile          (or nightly, sweep, remedy)
    python -m sandbox.desk show               both sides: Cal.com's bookings, and what we have of each; of the last
                                              day, or --all. And who is to be rung
    python -m sandbox.desk health             the page for the morning, and its exit status
    python -m sandbox.desk operate review list friseur1
                                              any of the operator's commands (docs/runbook.md), on this stack and at its
                                              time: --table, the secrets and Cal.com's address are filled in
    python -m sandbox.desk texts              what callers got, the newest last
    python -m sandbox.desk audit APPOINTMENT  who did what to an appointment, as the audit log has it (the last columns
                                              of show name them)

A UID may be cut short, as long as it names one booking.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3

from sandbox.salon import handle
from sandbox.salon.records import Records
from sandbox.salon.running import REGULAR_MAIL
from sandbox.salon.standin import StandIn
from sandbox.stack.clock import SandboxClock
from sandbox.stack.engine import REPOSITORY
from sandbox.stack.front import SCHEDULES
from sandbox.stack.processes import minimal_environment
from sandbox.stack.provision import function_credentials
from sandbox.texts import LIST

Json = dict[str, Any]
_TASKS = {"sweep": "Sweep", "reconcile": "Reconcile", "nightly": "Nightly", "remedy": "Remedy"}
_RUN_S = 240
_LAYER = REPOSITORY / "layers" / "bookend"
_KNOWN = "BOOKEND_SANDBOX"
"""Where sandbox.operate looks for what it fills in; that module is not to be imported here, it knows the project."""
_REAL_CALCOM = "https://api.cal.com"


class Unclear(Exception):
    """What was typed names nothing here; the message says what there is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: done; 1: there is no stack, or it refused. Of health and operate, what the command ends with."""
    options = _options(arguments)
    stack = handle.read()
    if stack is None:
        return _refuse("No stack is running here: start it with make run, in another terminal.")
    if not stack.calcom and options.what not in {"show", "texts", "audit", "health", "operate", *_TASKS}:
        return _refuse("This stack speaks to the real Cal.com: book, move and cancel there.")
    try:
        if options.what in {"health", "operate"}:
            return _operate(["health", "--all"] if options.what == "health" else options.command, stack)
        _do(options, stack)
    except Unclear as unclear:
        return _refuse(str(unclear))
    except urllib.error.HTTPError as refused:
        return _refuse(f"{refused.code}: {refused.read().decode(errors='replace')}")
    except OSError as error:
        return _refuse(f"{stack.url} does not answer ({error}); is make run still there?")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.desk", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    doing = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    book = doing.add_parser("book", help="somebody books on the public page")
    for name in ("service", "stylist", "start", "name"):
        book.add_argument(name)
    move = doing.add_parser("move", help="somebody moves a booking at Cal.com")
    move.add_argument("uid")
    move.add_argument("start")
    assign = doing.add_parser("assign", help="the salon gives a booking to another stylist")
    assign.add_argument("uid")
    assign.add_argument("stylist")
    doing.add_parser("cancel", help="somebody cancels a booking at Cal.com").add_argument("uid")
    doing.add_parser("webhooks", help="how Cal.com's webhooks go from now on").add_argument(
        "mail", choices=("late", "lost")
    )
    for task in _TASKS:
        doing.add_parser(task, help="run this schedule now")
    audit = doing.add_parser("audit", help="what the audit log has of an appointment")
    audit.add_argument("appointment", help="its id, or the beginning of it")
    doing.add_parser("health", help="how both sides are, as the operator's command prints it")
    operate = doing.add_parser("operate", help="any of the operator's commands, with this stack filled in")
    operate.add_argument("command", nargs=argparse.REMAINDER, help="as of python -m bookend: review list friseur1")
    doing.add_parser("texts", help="what callers got on their telephones")
    show = doing.add_parser("show", help="both sides")
    show.add_argument("--all", action="store_true", help="not only what was booked within a day")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["operate"] and given[1:2] in (["-h"], ["--help"]):
        given.insert(1, "--")  # the commands' own help, which lists them
    return parser.parse_args(given)


def _do(options: argparse.Namespace, stack: handle.Handle) -> None:
    calcom = StandIn(stack.calcom, "")
    match options.what:
        case "book":
            kind = _named(stack.event_types, f"{options.service}/{options.stylist}")
            made = calcom.somebody_books(kind, _start(options.start, stack), name=options.name, force=False)
            _tell(made, stack)
        case "move":
            _tell(calcom.moves(_uid(calcom, options.uid), _start(options.start, stack)), stack)
        case "assign":
            calcom.gives(_uid(calcom, options.uid), _named(stack.staff, options.stylist))
        case "cancel":
            calcom.cancels(_uid(calcom, options.uid), "am Schalter")
        case "webhooks":
            calcom.mail(**(REGULAR_MAIL if options.mail == "late" else {"lost": 1.0}))
        case "audit":
            _audit(options.appointment, stack)
        case "texts":
            _texts(stack)
        case "show":
            _show(stack, calcom, everything=options.all)
        case task:
            url = f"{stack.url}{SCHEDULES}{_TASKS[task]}"
            with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=_RUN_S) as answer:
                print(json.dumps(json.load(answer), indent=2))


def _named(known: dict[str, int], wanted: str) -> int:
    """The one whose name begins so, in each of its parts."""
    parts = [part.casefold() for part in wanted.split("/")]
    found = {
        name: number
        for name, number in known.items()
        if all(is_so.startswith(part) for is_so, part in zip(name.casefold().split("/"), parts, strict=True))
    }
    if len(found) != 1:
        raise Unclear(f"{wanted}? There are: {', '.join(found or known)}")
    return next(iter(found.values()))


def _uid(calcom: StandIn, wanted: str) -> str:
    found = [str(each["uid"]) for each in calcom.bookings() if each["uid"].startswith(wanted)]
    if len(found) != 1:
        raise Unclear(f"{len(found)} bookings have a uid that begins with {wanted}; see: python -m sandbox.desk show")
    return found[0]


def _start(text: str, stack: handle.Handle) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unclear(f"{text} is no time such as 2026-12-01 10:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(stack.zone))


def _tell(booking: Json, stack: handle.Handle) -> None:
    who, stylist = booking["attendees"][0]["name"], booking["hosts"][0]["name"]
    print(f"{booking['uid']}  {_local(booking['start'], stack)}  {booking['status']:<9}  {stylist:<16}  {who}")


def _tables(stack: handle.Handle) -> Any:
    return boto3.session.Session(
        aws_access_key_id=function_credentials()["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=function_credentials()["AWS_SECRET_ACCESS_KEY"],
        region_name=function_credentials()["AWS_REGION"],
    ).client("dynamodb", endpoint_url=stack.dynamodb)


def _operate(command: Sequence[str], stack: handle.Handle) -> int:
    """The command itself, in a process of its own, which says its words where we say ours."""
    words = command[1:] if command[:1] == ["--"] else command
    known = {
        "--table": stack.table,
        "--audit-table": stack.audit_table,
        "--keys-secret": stack.audit_keys,
        "--calcom-secret": stack.calcom_secret,
        "--calcom-url": stack.calcom or _REAL_CALCOM,
    }
    there = {"PYTHONPATH": f"{_LAYER}:{REPOSITORY}", _KNOWN: json.dumps(known), **stack.aws}
    sys.stdout.flush()
    child = subprocess.Popen(
        [sys.executable, "-m", "sandbox.operate", stack.clock_file, *words],
        env={**minimal_environment(), **function_credentials(), **there},
    )
    # Who ends this ends the command. Ctrl-C reaches both anyway: what is said then is the command's to say.
    ended = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    cut_off = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = child.wait()
    finally:
        signal.signal(signal.SIGTERM, ended)
        signal.signal(signal.SIGINT, cut_off)
    return status if status >= 0 else 128 - status


def _audit(wanted: str, stack: handle.Handle) -> None:
    client = _tables(stack)
    found = [each for each in Records.read(client, stack.table).appointments if each["id"].startswith(wanted)]
    if len(found) != 1:
        raise Unclear(
            f"{len(found)} appointments have an id that begins with {wanted}; see: python -m sandbox.desk show"
        )
    chain = Records.chain(client, stack.audit_table, found[0]["pk"])
    for entry in chain:
        print(
            f"{entry['sk'].lstrip('0'):>3}  {_local(entry['at'], stack)}  {entry['kind']:<9} {entry['by'] or '-':<14}",
            end="",
        )
        after = json.loads(entry["after"])
        print(
            "  " + ", ".join(f"{name} {after[name]}" for name in ("state", "told", "why", "repair") if after.get(name))
        )
    print(f"{len(chain)} entries")


def _show(stack: handle.Handle, calcom: StandIn, *, everything: bool) -> None:
    client = _tables(stack)
    records = Records.read(client, stack.table)
    owners = records.owners()
    ours = {each["id"]: each for each in records.appointments}
    bookings = sorted(calcom.bookings(), key=lambda each: str(each["start"])) if stack.calcom else []
    since = SandboxClock(stack.clock_file)() - timedelta(days=1)
    for booking in bookings:
        if not everything and datetime.fromisoformat(booking["updatedAt"]) < since:
            continue
        known = ours.get(owners.get(booking["uid"], ""))
        here = "not known here"
        if known is not None:
            here = f"{known['state']} {_local(known['start'], stack)} {known['segments'][0]['staff']} {known['id']}"
        status = "moved" if booking.get("rescheduledToUid") else booking["status"]
        who, stylist = booking["attendees"][0]["name"], booking["hosts"][0]["name"].split()[0]
        there = f"{_local(booking['start'], stack)}  {status:<9}  {stylist:<7}  {who:<16}"
        print(f"{booking['uid']}  {there}  {here}")
    for callback in records.callbacks:
        wanted = f"{callback['service'] or '-'}, {callback['wished'] or '-'}"
        print(f"to be rung: {callback['phone']:<16}  {callback['name']:<16}  {wanted}")
    print(f"{len(bookings)} bookings at Cal.com, {len(ours)} appointments here, {len(records.alerts)} alerts")


def _texts(stack: handle.Handle) -> None:
    with urllib.request.urlopen(f"{stack.texts}{LIST}", timeout=5) as answer:
        arrived = json.load(answer)
    for text in arrived:
        print(f"{text['channel']:<5}  {text['to']:<16}  {text['body'].strip()}")
    print(f"{len(arrived)} texts")


def _local(text: str, stack: handle.Handle) -> str:
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(stack.zone)):%d.%m. %H:%M}"


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
