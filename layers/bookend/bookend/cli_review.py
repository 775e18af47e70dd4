"""`python -m bookend review`: what waits for a person, its evidence, and what they decide (docs/runbook.md).

`list` names no people; `show` does, for whoever must ring them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from bookend.application.ports import KeyUnavailable
from bookend.application.reviewing import Decided, NotPossible, Would, decide, evidence
from bookend.cli_remedy import add_what_both_need, ports
from bookend.cli_shell import OK, dependencies, refuse, say
from bookend.domain.appointment import Appointment, AppointmentState, Told
from bookend.domain.case_wishes import BOOKED_FOR_A_CASE
from bookend.domain.cases import Case, CaseOrigin, CaseState
from bookend.domain.contacts import Customer
from bookend.domain.drift import Drift
from bookend.domain.reviews import HAS_NONE, NAMES, Choice, Evidence, is_left, is_two_at_once, refusal
from bookend.domain.timeslot import At, instant_text, resolve_local

_HEADS = ("case", "state", "class", "since", "start", "why")
_AS_JSON: dict[str, Any] = {"ensure_ascii": False, "indent": 2}
_MEANS: dict[str, str] = {
    "stuck": "its operation has not ended, and is long overdue",
    Drift.GHOST_HERE: "confirmed here, and Cal.com says that its booking does not exist",
    Drift.DUPLICATE: "a second live booking at Cal.com of one appointment",
    Drift.ORPHAN: "not live here, and its booking is live at Cal.com",
    Drift.STATUS: "its booking is neither accepted nor cancelled",
    Drift.ATTENDEE: "somebody else comes than the one it was booked for",
    Drift.CHAIN: "its booking was moved in a circle, or too often to be followed",
    Drift.TAKEN_OVER: "its operation failed, and somebody has moved, changed or copied its booking since",
    Drift.REFUSED: "its booking must go, and Cal.com does not cancel it",
    Drift.UNREADABLE: "Cal.com does not show its booking, or says that it was changed in the future",
    Drift.LEFT: "polls have come to no end with it for a day",
    Drift.UNKNOWN_HOST: "its booking is with somebody who is no stylist in the document",
    Drift.PART: "one booking of several was changed at Cal.com, and the others could not go after it",
    HAS_NONE: "it stood for another customer's booking and was ended: its customer was told that it is booked",
}
"""What a code says of a difference, in words; the runbook has what to do about each (DriftFound)."""


def add_to(groups: Any) -> None:
    """The commands, as one of the groups of the parser."""
    group = groups.add_parser("review", help="cases that wait for a person: list, show, decide (docs/runbook.md)")
    actions = group.add_subparsers(dest="action", required=True)
    listed = actions.add_parser("list", help="what waits, the longest first; changes nothing and asks Cal.com nothing")
    listed.add_argument("--all", action="store_true", help="those that wait for a remedy, too")
    listed.set_defaults(run=_list)
    listed.add_argument("tenant", help="the tenant's id")
    listed.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    show = actions.add_parser("show", help="the evidence: ours, theirs as it is now, their answers, the call's history")
    show.set_defaults(run=_show)
    add_what_both_need(show)
    show.add_argument("case", help="its first column in the list")
    deciding = actions.add_parser(
        "decide", help="what becomes of it; only says what would be done, until --apply is given"
    )
    deciding.set_defaults(run=_decide)
    add_what_both_need(deciding)
    deciding.add_argument("case", help="its first column in the list")
    deciding.add_argument("choice", choices=[each.value for each in Choice])
    deciding.add_argument("--by", required=True, help="who decides, for the audit entries")
    deciding.add_argument("--to", help='with move: the new start on the salon\'s clock, "2025-12-10 14:00"')
    deciding.add_argument("--appointment", default="", help="with keep: the one that is right of those on its booking")
    deciding.add_argument("--version", type=int, help="as show has it: refused if the case has changed since")
    deciding.add_argument("--apply", action="store_true", help="really do it")
    for parser in (listed, show, deciding):
        parser.add_argument("--json", action="store_true", help="as JSON")


def _list(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    found = [each for each in deps.cases.unclosed(tenant.id) if options.all or each.state is CaseState.REVIEW]
    if options.json:
        say(json.dumps([_facts_of(each) for each in found], ensure_ascii=False, indent=2))
        return OK
    say(*(lines_of(found, tenant.zone) if found else ()), f"{len(found)} wait.")
    return OK


def _show(options: argparse.Namespace) -> int:
    deps, work = ports(options, by="command")
    if work is None:
        return refuse(f"there is no tenant {options.tenant}")
    case = deps.cases.case(work.tenant.id, options.case)
    if case is None:
        return refuse(f"there is no case {options.case}")
    try:
        seen = evidence(work, case)
    except KeyUnavailable:
        return refuse(f"the secret {options.calcom_secret} cannot be read")
    if options.json:
        say(json.dumps(_as_json(seen), ensure_ascii=False, indent=2))
        return OK
    say(*_shown(seen, work.tenant.zone, now=work.clock.now()))
    return OK


def _decide(options: argparse.Namespace) -> int:
    deps, work = ports(options, by=options.by)
    if work is None:
        return refuse(f"there is no tenant {options.tenant}")
    choice = Choice(options.choice)
    to = _instant(options.to, work.tenant.zone) if options.to else None
    if options.to and choice is not Choice.MOVE:
        return refuse(f"--to is for move: {choice.value} has no new time")
    if options.appointment and choice is not Choice.KEEP:
        return refuse(f"--appointment is for keep: {choice.value} is about the case as it is")
    if choice is Choice.MOVE and to is None:
        return refuse('say where to: --to "2025-12-10 14:00", a time that there is once')
    try:
        outcome = decide(
            work,
            deps.cases,
            options.case,
            choice,
            by=options.by,
            to=to,
            keep=options.appointment,
            seen_version=options.version,
            apply=options.apply,
        )
    except KeyUnavailable:
        return refuse(f"the secret {options.calcom_secret} cannot be read")
    match outcome:
        case NotPossible(why):
            return refuse(why)
        case Would(seen, doubts) if options.json:
            would = would_do(choice, seen, work.tenant.zone, to=to, keep=options.appointment)
            say(json.dumps(_decided_json(seen.case, options) | {"would": would, "doubts": list(doubts)}, **_AS_JSON))
            return OK
        case Would(seen, doubts):
            say(*_shown(seen, work.tenant.zone, now=work.clock.now()), "")
            say(would_do(choice, seen, work.tenant.zone, to=to, keep=options.appointment))
            say(*(f"But as it is now: {each}." for each in doubts))
            say("Nothing was written. Add --apply to decide it.")
            return OK
        case Decided(case):
            as_json = _decided_json(case, options) | {"came_to": came_to(case)} if options.json else None
            say(came_to(case) if as_json is None else json.dumps(as_json, **_AS_JSON))
            return OK
        case other:
            assert_never(other)


def would_do(choice: Choice, seen: Evidence, zone: ZoneInfo, *, to: datetime | None = None, keep: str = "") -> str:
    """What a choice comes to, with the appointment and the bookings it is about; times are the salon's."""
    case, mine = seen.case, seen.appointment
    stands = mine if mine is not None and mine.state is AppointmentState.CONFIRMED else None
    uids = " ".join(each.uid or "-" for each in stands.segments) if stands is not None else case.booking or "none"
    begins = f" on {_local(stands.slot.start, zone)}" if stands is not None else ""
    what = f"{stands.id if stands is not None else case.id}{begins} (booking {uids})"
    theirs = f"booking {seen.booking.uid} ({seen.booking.status})" if seen.booking is not None else "no booking"
    match choice:
        case Choice.CANCEL:
            text = f"Would cancel {what}, on both sides"
        case Choice.MOVE:
            text = f"Would move {what} to {_local(to, zone) if to is not None else '-'}, at Cal.com and here"
        case Choice.KEEP:
            go = ", ".join(each.id for each in seen.claimants if each.id != keep)
            text = f"Would keep {keep} on booking {case.booking}, and cancel {go} here alone"
        case Choice.KEEP_OURS if case.origin is CaseOrigin.IMPORT:
            text = f"Would book {case.id} at Cal.com"
        case Choice.KEEP_OURS if is_left(case):
            text = f"Would leave all as it is, and close {case.id}"
        case Choice.KEEP_OURS:
            text = f"Would cancel {theirs} at Cal.com; {what} stays"
        case Choice.TAKE_THEIRS if case.origin is CaseOrigin.IMPORT:
            text = f"Would close {case.id}: Cal.com is to have none of it"
        case Choice.TAKE_THEIRS:
            text = f"Would make {what} what Cal.com shows: {theirs}"
        case Choice.RETRY:
            text = f"Would {'try' if case.origin is CaseOrigin.IMPORT else 'look at'} {what} anew"
        case Choice.HISTORICAL:
            text = f"Would close {case.id} as over; {what} stays what it was"
        case other:
            assert_never(other)
    return f"{text}."


def came_to(case: Case) -> str:
    """How far a decision is, and which appointment and booking it was about."""
    if case.ending is not None:
        about = f" This was about appointment {case.appointment or '-'}, booking {case.booking or '-'}"
        others = sorted({*case.facts.get(NAMES, "").split()} - {case.appointment})
        besides = f"; {', '.join(others)} is looked at apart" if others and is_two_at_once(case) else ""
        return f"{case.id} is closed: {case.ending.value}, {case.why}.{about}{besides}."
    if case.state is CaseState.REVIEW:
        return f"{case.id} waits for a person again: {case.why}."
    return f"{case.id}: on record; the remedies go on with it within a quarter of an hour, or at once: remedy --apply."


def lines_of(cases: Sequence[Case], zone: ZoneInfo) -> list[str]:
    """A line a case, under a line of heads; times are the salon's."""
    rows = [_HEADS, *(_cells(each, zone) for each in cases)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(case: Case, zone: ZoneInfo) -> tuple[str, ...]:
    start = case.facts.get("start")
    return (
        case.id,
        case.state.value,
        case.failure.value,
        _local(case.opened_at, zone),
        _local(datetime.fromisoformat(start), zone) if start else "-",
        f"{case.decision.partition(' ')[0]} is decided, a remedy goes on with it" if case.decision else case.why or "-",
    )


def _shown(seen: Evidence, zone: ZoneInfo, *, now: datetime) -> Iterator[str]:
    case, booking = seen.case, seen.booking
    yield f"{case.id}  {case.state.value}  {case.failure.value}  version {case.version}, last changed by {case.by}"
    told = _MEANS.get(case.why) if case.origin is not CaseOrigin.IMPORT else None
    yield f"why        {case.why or '-'}{f': {told}' if told else ''}"
    yield "facts      " + ", ".join(f"{name} {text}" for name, text in sorted(case.facts.items()) if text)
    customer = case.customer or (seen.appointment.customer if seen.appointment is not None else None)
    if customer is not None:
        yield f"customer   {_who(customer)}"
    yield "ours       " + (_appointment(seen.appointment, zone) if seen.appointment is not None else "none")
    if booking is not None:
        starts, who = _local(booking.start, zone), ", ".join(booking.attendees)
        yield f"theirs     {booking.uid} ({booking.id}) {booking.status} {starts}, host {booking.host}, {who}"
        yield "  says     " + ", ".join(f"{name} {text}" for name, text in sorted(booking.metadata.items()))
    else:
        yield "theirs     " + ("Cal.com does not answer" if seen.unread else "none")
    if seen.owner is not None and (seen.appointment is None or seen.owner.id != seen.appointment.id):
        yield f"whose      {_appointment(seen.owner, zone)}"
    for each in seen.claimants:
        yield f"claims     {_appointment(each, zone)}"
    for each in seen.in_the_way:
        yield f"in the way {_appointment(each, zone)}"
        yield f"  of       {_who(each.customer)}"
    if is_two_at_once(case):
        yield f"about      cancel, move and take-theirs are about {case.appointment} and booking {case.booking} alone"
    for number, answer in enumerate(case.answers, start=1):
        yield f"answer {number}   {answer}"
    for each in seen.calls:
        yield f"customer's {_appointment(each, zone)}"
    yield ""
    for choice in Choice:
        any_of_them = next((each.id for each in seen.claimants), "")
        why_not = refusal(choice, seen, now=now, to=now.max.replace(tzinfo=now.tzinfo), keep=any_of_them)
        yield f"{choice.value:<12} {'possible' if why_not is None else f'not possible: {why_not}'}"


def _who(customer: Customer) -> str:
    """Whom to ring. For whoever decides alone: no list has it, and no log."""
    if customer.is_nobody:
        return "erased"
    return f"{customer.name}, {customer.phone or 'no number'}, {customer.email or 'no address'}"


def _appointment(appointment: Appointment, zone: ZoneInfo) -> str:
    uids = " ".join(each.uid or "-" for each in appointment.segments)
    what = f"{appointment.service} with {appointment.staff}"
    # What was booked for a case carries what the system before had said: nobody here has told its customer anything.
    by_us = appointment.source not in BOOKED_FOR_A_CASE or appointment.told is not Told.BOOKED
    heard = f"told {appointment.told.value}" if by_us else "told nothing by us"
    told = f"{heard}{f', {appointment.why}' if appointment.why else ''}"
    at, call = _local(appointment.slot.start, zone), appointment.call or "no call"
    return f"{appointment.id} {appointment.state.value} {at} {what}, {uids}, {told}, {call}"


def _facts_of(case: Case) -> dict[str, Any]:
    return {
        "case": case.id,
        "state": case.state.value,
        "class": case.failure.value,
        "origin": case.origin.value,
        "opened_at": instant_text(case.opened_at),
        "why": case.why,
        "appointment": case.appointment,
        "booking": case.booking,
        "tries": case.tries,
        "version": case.version,
        "facts": case.facts,
    }


def _decided_json(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    ending = case.ending.value if case.ending is not None else None
    return _facts_of(case) | {"choice": options.choice, "by": options.by, "written": options.apply, "ending": ending}


def _as_json(seen: Evidence) -> dict[str, Any]:
    ours, theirs = seen.appointment, seen.booking
    return _facts_of(seen.case) | {
        "answers": list(seen.case.answers),
        "ours": None if ours is None else {"appointment": ours.id, "state": ours.state.value, "version": ours.version},
        "theirs": None
        if theirs is None
        else {"uid": theirs.uid, "id": theirs.id, "status": theirs.status, "start": instant_text(theirs.start)},
        "read": not seen.unread,
    }


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    """What the salon's clock shows; None: no time, or one that does not exist or happens twice there."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        return None
    if wall.tzinfo is not None:
        return wall
    found = resolve_local(wall.date(), wall.time(), zone)
    return found.instant if isinstance(found, At) else None
