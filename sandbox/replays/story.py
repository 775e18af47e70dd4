"""How an incident is told on a terminal, and how what must hold is kept count of."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from sandbox.replays.caller import Caller
from sandbox.salon.records import Records
from sandbox.salon.running import Salon
from sandbox.salon.standin import StandIn

Json = dict[str, Any]
BERLIN = ZoneInfo("Europe/Berlin")
_WIDEST = 112
_INDENT = 10


class Screen:
    """Lines on a terminal, in colour where that is one."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._colour = self._out.isatty() and "NO_COLOR" not in os.environ
        self._width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)

    def line(self, text: str = "", style: str = "") -> None:
        """One line as it is."""
        coloured = f"\033[{style}m{text}\033[0m" if style and self._colour else text
        print(coloured, file=self._out, flush=True)

    def entry(self, label: str, text: str, style: str = "", *, indent: int = _INDENT) -> None:
        """A label and, beside it, as many lines as the text needs."""
        head = f"{label:<{indent}}"
        for line in textwrap.wrap(text, self._width - indent) or [""]:
            self.line(head + line, style)
            head = " " * indent

    def rule(self, text: str) -> None:
        """A heading over the whole width."""
        self.line()
        self.line(f"── {text} ".ljust(self._width, "─"), "1")


@dataclass(frozen=True)
class Held:
    """One line of "Must hold": whether it does, and what was seen instead."""

    chapter: str
    text: str
    held: bool
    seen: str = ""


class Story:
    """One incident being told: its callers, what Cal.com is asked meanwhile, what holds."""

    def __init__(self, incident: str, title: str, salon: Salon, screen: Screen) -> None:
        self.incident = incident
        self.salon = salon
        self.screen = screen
        self.lines: list[Held] = []
        self._chapter = ""
        self._seen = 0
        self._delivered = 0
        self._hushed = False
        screen.rule(f"{incident} · {title}")

    @property
    def calcom(self) -> StandIn:
        """Cal.com."""
        return self.salon.standin

    @property
    def failed(self) -> list[Held]:
        """What does not hold."""
        return [each for each in self.lines if not each.held]

    # --- telling

    def chapter(self, title: str, *, begins: datetime, **hours: Any) -> None:
        """A new beginning: empty table, new world at Cal.com, another time; the rest as `Salon.start_anew`."""
        self._chapter = title
        self.screen.line()
        self.screen.line(title, "1;36")
        self.salon.set_time(begins)
        self.salon.start_anew(**hours)
        self._seen = self._delivered = 0

    def at(self, moment: datetime) -> None:
        """Go on then."""
        self.salon.set_time(moment)

    def wait(self, seconds: float) -> None:
        """Go on so much later, without waiting for it."""
        self.salon.set_time(self.salon.now() + timedelta(seconds=seconds))

    def meanwhile(self, text: str) -> None:
        """What no caller sees."""
        self.screen.entry("", f"({text})", "2")

    def happens(self, text: str) -> None:
        """What somebody does past us."""
        self.screen.line()
        self._at_this_time(text)

    # --- what comes by itself

    def webhooks(self, order: Sequence[int] | None = None, *, times: int = 1) -> None:
        """Cal.com's webhooks that are held come now, perhaps in another order; the worker is done with them."""
        self._worked([_event(each) for each in self.calcom.deliver(order, times=times)])

    def webhooks_came(self) -> None:
        """Cal.com's webhooks came as they were sent; the worker is done with them."""
        self._worked([_event(each) for each in self.calcom.deliveries()[self._delivered :]])

    def _worked(self, sent: Sequence[tuple[str, str]]) -> None:
        self.salon.caught_up()
        deliveries = self.calcom.deliveries()
        self._delivered = len(deliveries)
        tries = {_event(each): len(each["attempts"]) for each in deliveries}
        done = {}
        for row in self.salon.records().events:
            body = json.loads(row["body"])
            done[body["triggerEvent"], body["payload"]["uid"]] = row["outcome"]
        told = ", ".join(
            f"{event[0].removeprefix('BOOKING_')}{f' {tries[event]} ×' if tries[event] > 1 else ''}"
            f" → {done.get(event, 'not stored')}"
            for event in sent
        )
        self._at_this_time(f"webhooks: {told or 'none'}", "2")
        self._tell_requests()

    def sweep(self) -> Json:
        """The sweeper comes."""
        return self._fired("sweeper", self.salon.sweep())

    def reconcile(self) -> Json:
        """The run of every five minutes."""
        return self._fired("reconciliation", _of_all(self.salon.reconcile()))

    def nightly(self) -> Json:
        """The night's run."""
        return self._fired("nightly run", _of_all(self.salon.nightly()))

    def _fired(self, what: str, tally: Json) -> Json:
        told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(tally.items()))
        self._at_this_time(f"{what}: {told or 'nothing to do'}", "2")
        self._tell_requests()
        return tally

    def _at_this_time(self, text: str, style: str = "") -> None:
        self.screen.entry(f"{self.salon.now().astimezone(BERLIN):%H:%M:%S}", text, style)

    def _tell_requests(self) -> None:
        if told := _counted(self.asked()):
            self.screen.entry("", f"Cal.com: {told}", "2")

    @contextmanager
    def hushed(self, instead: str) -> Iterator[None]:
        """What is said within was told before; one line stands for it."""
        self.screen.line()
        self.meanwhile(instead)
        self._hushed = True
        try:
            yield
        finally:
            self._hushed = False

    def caller(self, name: str, call_id: str, number: str | None) -> Caller:
        """Somebody on the phone."""
        return Caller(self, name, call_id, number)

    def said(self, name: str, words: str) -> None:
        """A caller speaks."""
        self.asked()  # what an auditor asked meanwhile is no part of the answer
        if self._hushed:
            return
        self.screen.line()
        self._at_this_time(f"{name}: „{words}“")

    def answered(self, tool: str, args: Mapping[str, str], reply: Json, *, seconds: float) -> None:
        """The agent has its answer: what it had asked us, what we asked Cal.com for it, and what it may say."""
        asked = self.asked()
        if self._hushed:
            return
        shown = " · ".join(value for name, value in args.items() if name not in {"offer_id", "name"})
        told = _counted(asked)
        reason = f", {reply['reason']}" if "reason" in reply else ""
        self.screen.entry("", f"{tool}({shown}) → {reply.get('status')}{reason}, {seconds * 1000:.0f} ms", "2")
        self.screen.entry("", f"Cal.com: {told or 'not asked'}", "2")
        self.screen.entry("  Agent", f"„{reply.get('message', '')}“", "36")

    def asked(self) -> list[Json]:
        """What Cal.com was asked since the last time."""
        log = self.calcom.log()
        new, self._seen = log[self._seen :], len(log)
        return new

    # --- what there is in the end

    def ends(self, *, stylists: bool = False) -> Records:
        """Show both sides as they are now; `stylists`: who is booked, too."""
        records = self.salon.records()
        conflicts = {each.appointment for each in records.intervals if each.conflict}
        self.screen.line()
        for number, each in enumerate(records.appointments):
            why = f", {each['why']}" if each.get("why") else ""
            told = f"told {each['told']}{why}" if each["source"] != "calcom" else f"adopted{why}"
            told += ", CONFLICT" if each["id"] in conflicts else ""
            told += f", {each['segments'][0]['staff']}" if stylists else ""
            self.screen.line(
                f"{'' if number else 'table':<{_INDENT}}{each['state']:<10} {_when(each['start'])}  "
                f"{each['customer']['name']:<16} uid {each['uid'] or '—':<23} {told}"
            )
        for number, booking in enumerate(self.calcom.bookings()):
            who = booking["attendees"][0]["name"]
            ours = booking["metadata"].get("call_id", "public page")
            ours += f", {booking['hosts'][0]['name'].split()[0].lower()}" if stylists else ""
            status = "moved" if booking.get("rescheduledToUid") else booking["status"]
            self.screen.line(
                f"{'' if number else 'Cal.com':<{_INDENT}}{status:<10} {_when(booking['start'])}  "
                f"{who:<16} uid {booking['uid']:<23} {ours}"
            )
        for alert in records.alerts:
            facts = alert["facts"]
            about = " and ".join(facts[name] for name in ("call", "their_call") if facts.get(name))
            what = f" ({facts['drift']})" if "drift" in facts else ""
            self.screen.line(f"{'alert':<{_INDENT}}{alert['kind']}{what}: {about or facts.get('booking_uid', '')}")
        self.screen.line()
        return records

    def holds(self, text: str, held: object, seen: object = "") -> None:
        """One line of "Must hold"."""
        line = Held(self._chapter, text, bool(held), str(seen) if not held else "")
        self.lines.append(line)
        self.screen.entry("  ✓" if line.held else "  ✗", text, "32" if line.held else "1;31", indent=4)
        if line.seen:
            self.screen.entry("", f"seen: {line.seen}", "31", indent=4)

    def later(self, texts: Sequence[str]) -> None:
        """Lines of the incident that nothing answers to yet; said, so that nobody takes them for kept."""
        if texts:
            self.screen.line()
        for text in texts:
            self.screen.entry("  ·", f"not built yet: {text}", "2", indent=4)


def berlin(text: str) -> datetime:
    """ "2025-10-10 08:00" on a clock in the salon."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def instant(text: str) -> datetime:
    """An instant as the table, Cal.com or a reply writes it."""
    return datetime.fromisoformat(text)


def starts(reply: Json) -> list[datetime]:
    """When what a reply offers begins."""
    return [instant(each["start"]) for each in reply.get("offers", ())]


def posts(log: Sequence[Json], start: datetime | None = None) -> list[Json]:
    """The requests to book, or those to book at `start`."""
    made = [each for each in log if (each["method"], each["template"]) == ("POST", "/v2/bookings")]
    return [each for each in made if start is None or instant(each["body"]["start"]) == start]


def slot_queries(log: Sequence[Json]) -> list[Json]:
    """The requests for free times."""
    return [each for each in log if each["template"] == "/v2/slots"]


def claims_booked(reply: Json) -> bool:
    """Whether a caller would take the sentence for a booking of theirs."""
    return reply.get("status") == "booked" or bool(re.search(r"Ihr Termin ist gebucht", reply.get("message", "")))


def overlaps(records: Records) -> list[tuple[str, str]]:
    """Pairs of intervals of one stylist that share an instant, whatever state they are in."""
    found = sorted(records.intervals, key=lambda each: (each.staff, each.start))
    return [
        (one.appointment, two.appointment)
        for one, two in pairwise(found)
        if one.staff == two.staff and two.start < one.end
    ]


def _when(text: str) -> str:
    return f"{instant(text).astimezone(BERLIN):%d.%m. %H:%M}"


def _event(delivery: Json) -> tuple[str, str]:
    return delivery["trigger"], delivery["uid"]


def _counted(asked: Sequence[Json]) -> str:
    what = Counter(f"{_short(each)} → {each['status'] or 'no answer'}{_fault(each)}" for each in asked)
    return ", ".join(f"{number} × {each}" for each, number in what.items())


def _short(entry: Json) -> str:
    return f"{entry['method']} {entry['template'].removeprefix('/v2/')}"


def _fault(entry: Json) -> str:
    return f" [fault: {entry['fault']}]" if entry["fault"] else ""


def _of_all(runs: list[Json]) -> Json:
    """What several runs came to, by kind."""
    return dict(sum((Counter(each["counts"]) for each in runs), Counter[str]()))
