"""Reconciliation: go through what Cal.com has and what we have, and make them equal.

A list only says where to look. Each difference is read anew by its uid before anything is concluded from it, so a list
that lies, lags or leaves out half its rows costs requests and raises an alarm, but changes nothing. What takes
something away is counted, and beyond a small number the run stops for a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.converging import Converged, assess, carry_out
from bookend.application.ports import Alert, Calendar, ListQuery, Page, Run, RunKind, Runs, StoreUnavailable
from bookend.application.settling import Settled, settle
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import TRANSIENT, Appointment, AppointmentState
from bookend.domain.drift import LIVE, Adopt, CancelOrphan, Drift, LookAgain, Nothing, Repair, agree, is_destructive
from bookend.domain.staff_day import IntervalState, StaffDays
from bookend.domain.timeslot import Slot

OVERLAP = timedelta(minutes=15)
"""How far a poll reaches back behind the last one: Cal.com's reads lag, and its transactions end out of order."""
FIRST_POLL = timedelta(days=1)
"""How far the first poll of a tenant reaches back."""
DAYS_BACK, DAYS_AHEAD = 1, 90
"""The window of the nightly run, in days around today."""
MOST_DESTRUCTIVE = 5
"""More than this would be no ordinary day: stop, and let a person look."""
SHARE_DESTRUCTIVE = 0.1
"""The same as a share of one step of a full run; two are always ordinary."""
MOST_CONTRADICTED = 5
"""How often a list may be wrong before nothing is concluded from it any more."""
REQUESTS = 60
"""Requests one invocation may send for all tenants, give or take what the last look needs.

Cal.com allows 120 a minute for a key, and callers come first.
"""
RESERVED_FOR_CALLS = 40
"""What is left of the minute's requests belongs to live calls from here on."""
ONE_S = 8.0
"""Seconds one request and what follows from it may take."""
_PAUSE_S = 5.0
_STEP = 200
"""About how many of our appointments are compared in one step, so that it fits into a page of the list."""
_LONGEST_STEP_DAYS = 31
_MOST_HALVED = 8
_NIGHT = timedelta(hours=12)
"""A booking that begins within a step may end after it by so much; a list asks for both ends within its window."""


class Stopped(StrEnum):
    """Why a run ended before its end. The last two want a person."""

    BUDGET = "budget"
    """Its requests or its time are used up, or callers need what is left: it goes on next time."""
    CALENDAR = "calendar"
    """Cal.com did not answer."""
    TWIN = "twin"
    """Another one is at work."""
    BLAST_LIMIT = "blast_limit"
    LIST_CONTRADICTED = "list_contradicted"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference, and what was (or, dry, would be) done about it."""

    drift: Drift
    repair: str
    booking: str
    appointment: str
    why: str
    done: str = "planned"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a run may go. `apply` False: it only says what it would do."""

    apply: bool = True
    requests: int = REQUESTS
    reserved: int = RESERVED_FOR_CALLS
    most_destructive: int = MOST_DESTRUCTIVE
    patient: bool = False
    """Wait for the next minute's requests instead of ending: for a run whose progress is not kept."""


@dataclass(slots=True)
class Report:
    """What a run found. `requests` and `pages` are of this invocation, `tally` is of the whole run."""

    kind: RunKind
    tally: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    requests: int = 0
    pages: int = 0
    stopped: Stopped | None = None

    @property
    def done(self) -> bool:
        """Whether it came to its end."""
        return self.stopped is None


def new_poll(now: datetime, watermark: datetime | None, version: int) -> Run:
    """What has changed at Cal.com since the last poll saw everything."""
    since = (watermark - OVERLAP) if watermark is not None else now - FIRST_POLL
    return Run(kind=RunKind.POLL, started=now, since=since, version=version)


def new_full(now: datetime, version: int, *, today: date, back: int = DAYS_BACK, ahead: int = DAYS_AHEAD) -> Run:
    """Everything from `back` days ago to `ahead` days from now."""
    first = today - timedelta(days=back)
    return Run(
        kind=RunKind.FULL,
        started=now,
        first=first,
        last=today + timedelta(days=ahead),
        day=first,
        version=version,
    )


def reconcile(
    work: Background, run: Run, *, runs: Runs | None, overdue: Sequence[str] = (), limits: Limits | None = None
) -> Report:
    """Go on with a run for as long as requests and time last; `runs` None: keep no progress (the command).

    `overdue` are appointments whose operation is open and past its lease: they are settled first.
    """
    at_work = _Work(work, run, runs, limits or Limits())
    try:
        at_work.settle(overdue)
        if run.kind is RunKind.POLL:
            _poll(at_work)
        else:
            _full(at_work)
        at_work.keep(done=True)
    except _Stop as stop:
        at_work.report.stopped = stop.why
        if stop.why is not Stopped.TWIN:
            at_work.keep_tally()
    at_work.report.tally = Counter(at_work.run.tally)
    return at_work.report


class _Stop(Exception):
    """The run ends here; what is done is kept."""

    def __init__(self, why: Stopped) -> None:
        super().__init__(why.value)
        self.why = why


class _Counted:
    """The calendar, and `one_more` told of each request after the first."""

    def __init__(self, calendar: Calendar, one_more: Callable[[], None]) -> None:
        self._calendar = calendar
        self._one_more = one_more
        self._asked = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._calendar, name)
        if name == "headroom":
            return method

        def asked(*arguments: Any, **more: Any) -> Any:
            if self._asked:
                self._one_more()
            self._asked = True
            return method(*arguments, **more)

        return asked


class _Work:
    """One invocation's part of a run."""

    def __init__(self, work: Background, run: Run, runs: Runs | None, limits: Limits) -> None:
        self.background = work
        self.run = run
        self._runs = runs
        self._limits = limits
        self.report = Report(run.kind)
        self.looked_at: set[str] = set()
        """Uids that are done with; what is yet to be taken away is not."""

    def one(self) -> Background:
        """The ports for one request, after a look whether there may be one more.

        Raises:
            _Stop: there may not.
        """
        work = self.background
        while self._limits.patient and self._callers_need_the_rest() and work.deadline.remaining() >= ONE_S:
            work.clock.sleep(_PAUSE_S)
        used_up = self.report.requests >= self._limits.requests or self._callers_need_the_rest()
        if used_up or work.deadline.remaining() < ONE_S:
            raise _Stop(Stopped.BUDGET)
        self.report.requests += 1
        counted = _Counted(work.calendar, self._one_more)
        return replace(work, calendar=cast("Calendar", counted), deadline=work.deadline.share(ONE_S))

    def _one_more(self) -> None:
        """A request beyond the one that was counted beforehand: a chain followed, a second look, a cancellation."""
        self.report.requests += 1

    def _callers_need_the_rest(self) -> bool:
        left = self.background.calendar.headroom()
        return left is not None and left <= self._limits.reserved

    def count(self, name: str, times: int = 1) -> None:
        """Add to the tally of the whole run."""
        tally = Counter(self.run.tally)
        tally[name] += times
        self.run = replace(self.run, tally=dict(tally))

    def keep(self, *, done: bool = False) -> None:
        """Write down how far it is.

        Raises:
            _Stop: a twin was faster.
        """
        if self._runs is None:
            return
        work = self.background
        if not self._runs.keep(work.tenant.id, self.run, done=done, now=work.clock.now()):
            raise _Stop(Stopped.TWIN)
        self.run = replace(self.run, version=self.run.version + 1)

    def keep_tally(self) -> None:
        """What was taken away counts for the whole run, however often it is cut off."""
        with suppress(_Stop):
            self.keep()

    def page(self, query: ListQuery, skip: int) -> Page:
        """One page of the list.

        Raises:
            _Stop: Cal.com did not answer, or there may be no more requests.
        """
        work = self.one()
        page = work.calendar.page(query, skip=skip, deadline=work.deadline)
        if not isinstance(page, Page):
            raise _Stop(Stopped.CALENDAR)
        self.report.pages += 1
        self.count("listed", len(page.bookings))
        twice = len(page.bookings) - len({each.uid for each in page.bookings})
        if twice:
            self.contradicted(twice)
        return page

    def contradicted(self, times: int = 1) -> None:
        """The list was wrong.

        Raises:
            _Stop: too often to conclude anything from it.
        """
        self.count("contradicted", times)
        if self.run.tally["contradicted"] > MOST_CONTRADICTED:
            self.raise_(alert.list_contradicted(self.run.tally["contradicted"], self.run.kind.value))
            raise _Stop(Stopped.LIST_CONTRADICTED)

    def raise_(self, raised: Alert) -> None:
        """Tell an operator, unless nothing is meant to happen."""
        if self._limits.apply:
            self.background.alerts.raise_(raised)

    def settle(self, overdue: Iterable[str]) -> None:
        """Bring open operations to their end."""
        for name in tuple(overdue)[: max(1, self._limits.requests // 3)]:  # the rest is for what both sides differ in
            work = self.one()
            if not self._limits.apply:
                if all(name != each.appointment for each in self.report.findings):
                    self.report.findings.append(Finding(Drift.UNSETTLED, "settle", "", name, "its outcome is open"))
                continue
            ended = Settled.WAITING
            with self.spared(name):
                ended = settle(work, name)
            if ended in {Settled.CONFIRMED, Settled.RELEASED}:
                self.count(f"settled_{ended.value}")
                done = ended.value
                self.report.findings.append(Finding(Drift.UNSETTLED, "settle", "", name, "its outcome was open", done))

    def differing(self, listed: Iterable[Booking]) -> dict[str, Booking]:
        """Those of the listed bookings, by uid, that are not, at first sight, as we have them."""
        work, rows = self.background, tuple(listed)
        owners = work.adoptions.owners(work.tenant.id, [each.uid for each in rows])
        ours = work.appointments.several(work.tenant.id, set(owners.values()))
        return {each.uid: each for each in rows if not agree(each, ours.get(owners.get(each.uid, "")), work.tenant)}

    def look_closer(self, suspects: Mapping[str, Booking], *, window: int | None) -> None:
        """Read each booking itself, decide, and do what takes nothing away; then the rest, if it is little enough.

        `suspects` are uids with what was said of each first. `window` is how many bookings
        the share of destructive repairs is reckoned on; None: no share.

        Raises:
            _Stop: a limit was reached.
        """
        destructive: list[Repair] = []
        for uid, listed in suspects.items():
            with self.spared(uid):
                work = self.one()
                repair = self._assess(work, uid, listed)
                if repair is not None and _may_take_away(repair):
                    destructive.append(repair)
                    continue
                if repair is not None:
                    self._do(work, repair, uid)
            self.looked_at.add(uid)
        self._take_away(destructive, window)

    @contextmanager
    def spared(self, name: str) -> Iterator[None]:
        """What breaks in a way nobody thought of is put before a person, and keeps nothing else waiting."""
        try:
            yield
        except (_Stop, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - see above
            self.count("failed")
            self.raise_(alert.job_failed(self.run.kind.value, name, error))

    def _assess(self, work: Background, uid: str, listed: Booking) -> Repair | None:
        """What a look at the booking itself calls for; None: nothing."""
        seen = work.calendar.booking(uid, deadline=work.deadline)
        if not isinstance(seen, Booking):
            self.count("unreadable")
            if isinstance(seen, NotThere):
                self.contradicted()
            return None
        if _shown(listed) != _shown(seen):
            self.contradicted()
        repair = assess(work, seen)
        return None if isinstance(repair, Nothing) else repair

    def missing(self, appointment: Appointment) -> None:
        """Confirmed here, and Cal.com says of its booking that there is none."""
        work = self.background
        raised = alert.ghost_here(appointment)
        uid = ",".join(segment.uid or "" for segment in appointment.segments)
        found = Finding(Drift.GHOST_HERE, "flag", uid, appointment.id, "Cal.com does not know its booking")
        self.count(f"drift_{Drift.GHOST_HERE.value}")
        if self._limits.apply:
            about = f"{Drift.GHOST_HERE.value}-{appointment.id}"
            if work.adoptions.flag(work.tenant.id, raised, about=about, now=work.clock.now()):
                work.alerts.raise_(raised)
            found = replace(found, done=Converged.FLAGGED.value)
        self.report.findings.append(found)

    def _take_away(self, repairs: Sequence[Repair], window: int | None) -> None:
        if not repairs:
            return
        most = here = self._limits.most_destructive
        if window is not None and most <= MOST_DESTRUCTIVE:
            here = max(2, round(window * SHARE_DESTRUCTIVE))
        planned = self.run.tally.get("destructive", 0) + len(repairs)
        if planned > most or len(repairs) > here:
            for each in repairs:
                self.report.findings.append(_finding(each, "", "not done: blast limit"))
            self.raise_(alert.blast_limit(planned, min(most, here), self.run.kind.value))
            raise _Stop(Stopped.BLAST_LIMIT)
        for each in repairs:
            work = self.one()
            if isinstance(each, CancelOrphan):
                owner = work.adoptions.owner(work.tenant.id, each.booking.uid)
                if owner not in {None, each.appointment.id}:
                    continue  # somebody has taken it over since it was looked at
            self.count("destructive")
            with self.spared("destructive"):
                self._do(work, each, "")

    def _do(self, work: Background, repair: Repair, uid: str) -> None:
        if not self._limits.apply:
            planned = _finding(repair, uid, "planned")
            if planned not in self.report.findings:  # a move is listed twice, by its old uid and by its new one
                self.count(f"drift_{repair.drift.value}")
                self.report.findings.append(planned)
            return
        self.count(f"drift_{repair.drift.value}")
        done = carry_out(work, repair)
        self.report.findings.append(_finding(repair, uid, done.value))
        self.count(f"repair_{done.value}")


def _may_take_away(repair: Repair) -> bool:
    """A late booking is cancelled after all if its caller has had their message meanwhile."""
    return is_destructive(repair) or (isinstance(repair, Adopt) and repair.revives is not None)


def _shown(booking: Booking) -> tuple[object, ...]:
    """What a list and a look at the booking itself must agree on."""
    return booking.status, booking.start, booking.end, booking.host, booking.attendees


def _finding(repair: Repair, uid: str, done: str) -> Finding:
    booking = getattr(repair, "booking", None)
    appointment = getattr(repair, "appointment", None)
    why = repair.why if isinstance(repair, LookAgain) else _difference(booking, appointment)
    return Finding(
        drift=repair.drift,
        repair=type(repair).__name__,
        booking=booking.uid if booking is not None else uid,
        appointment=appointment.id if appointment is not None else "",
        why=why,
        done=done,
    )


def _difference(booking: Booking | None, appointment: Appointment | None) -> str:
    there = f"there {booking.status} {booking.start:%d.%m. %H:%M}Z, host {booking.host}" if booking is not None else ""
    here = f"here {appointment.state.value} {appointment.slot.start:%d.%m. %H:%M}Z" if appointment is not None else ""
    return "; ".join(each for each in (here, there) if each)


def _poll(at_work: _Work) -> None:
    """Page by page through what changed there. A row of the list is done with before the progress says so."""
    query = ListQuery(changed_since=at_work.run.since)
    seen: set[str] = set()
    while True:
        page = at_work.page(query, at_work.run.skip)
        uids = [each.uid for each in page.bookings]
        if page.more and seen.issuperset(uids):
            at_work.contradicted()  # nothing new, and more of it
        seen.update(uids)
        suspects = at_work.differing(page.bookings)
        try:
            at_work.look_closer(suspects, window=None)
        except _Stop:
            # What only a person can make equal differs each time anew: it must not use up every budget to come.
            done = next((uids.index(each) for each in suspects if each not in at_work.looked_at), len(uids))
            at_work.run = replace(at_work.run, skip=at_work.run.skip + done)
            raise
        if not page.more:
            return
        at_work.run = replace(at_work.run, skip=at_work.run.skip + page.rows)
        at_work.keep()


def _full(at_work: _Work) -> None:
    """Step by step through the days: what is listed there, and then what we have that the list did not show."""
    last, begun = at_work.run.last, False
    while at_work.run.day is not None and last is not None and at_work.run.day <= last:
        first, cut = at_work.run.day, at_work.run.skip
        until, ours = _step(at_work.background, first, last, cut)
        spent = at_work.report.requests
        try:
            _compare(at_work, Slot(_midnight(first), _midnight(until + timedelta(days=1))), ours)
        except _Stop:
            if not begun and at_work.report.requests > spent:
                # Too much for a whole invocation: it is half as large next time, so that it ends some time.
                at_work.run = replace(at_work.run, skip=min(cut + 1, _MOST_HALVED))
            raise
        begun = True
        at_work.run = replace(at_work.run, day=until + timedelta(days=1), skip=max(0, cut - 1))
        if until < last:
            at_work.keep()


def _step(work: Background, first: date, last: date, cut: int) -> tuple[date, set[str]]:
    """The days from `first` that together hold about `_STEP` appointments, and which ones these are.

    `cut`: how often a step was not finished; each time halves it, down to a day.
    """
    staff = [each.id for each in work.tenant.staff]
    most = min((last - first).days + 1, max(1, _LONGEST_STEP_DAYS >> cut))
    days = [first + timedelta(days=number) for number in range(most)]
    known = StaffDays()
    found: set[str] = set()
    for number, day in enumerate(days):
        if number & (number + 1) == 0:  # 1, 2, 4, 8, 16 days at once: where much is going on, few are needed
            ahead = days[number : 2 * number + 1]
            known = work.appointments.staff_days(work.tenant.id, {(each, day) for each in staff for day in ahead})
        today = {
            key.partition("/")[0]
            for each in staff
            for key, interval in known.day(each, day).intervals.items()
            if interval.state is not IntervalState.HELD and interval.slot.start >= _midnight(day)
        }
        if found and len(found) + len(today) > _STEP >> cut:
            return day - timedelta(days=1), found
        found |= today
    return days[-1], found


def _compare(at_work: _Work, window: Slot, ours: set[str]) -> None:
    query = ListQuery(window=Slot(window.start, window.end + _NIGHT))
    rows: dict[str, Booking] = {}
    read = 0
    while True:
        page = at_work.page(query, read)
        read += page.rows
        again = sum(each.uid in rows for each in page.bookings)
        if again or (page.more and not page.bookings):
            at_work.contradicted(max(1, again))  # a list by creation shows nothing twice, and ends
        rows |= {each.uid: each for each in page.bookings if each.start < window.end}
        if not page.more:
            break
    at_work.look_closer(at_work.differing(rows.values()), window=len(rows))
    unseen: list[str] = []
    for appointment in _of_ours(at_work, ours):
        if appointment.state in TRANSIENT:
            at_work.settle([appointment.id])
        elif appointment.state is AppointmentState.CONFIRMED:
            unseen += [each.uid for each in appointment.segments if each.uid is not None and each.uid not in rows]
    _look_for(at_work, unseen, query, window=max(len(rows), len(ours)))


def _of_ours(at_work: _Work, ours: set[str]) -> list[Appointment]:
    work = at_work.background
    at_work.count("ours", len(ours))
    return sorted(work.appointments.several(work.tenant.id, ours).values(), key=lambda each: each.id)


def _look_for(at_work: _Work, uids: Iterable[str], query: ListQuery, *, window: int) -> None:
    """What we have and the list did not show: Cal.com is asked for each by its uid, a second time."""
    known: dict[str, Booking] = {}
    for uid in uids:
        work = at_work.one()
        seen = work.calendar.booking(uid, deadline=work.deadline)
        if isinstance(seen, NotThere):
            owner = work.adoptions.owner(work.tenant.id, uid)
            appointment = work.appointments.appointment(work.tenant.id, owner) if owner is not None else None
            if appointment is not None and appointment.state is AppointmentState.CONFIRMED:
                at_work.missing(appointment)
        elif isinstance(seen, Booking):
            known[uid] = seen
            if seen.status == LIVE and _asked_for(seen, query):
                at_work.contradicted()  # it is there: the list left it out
    at_work.look_closer(known, window=window)


def _asked_for(booking: Booking, query: ListQuery) -> bool:
    """Whether a list should have shown it: what was moved to another day is not left out."""
    window = query.window
    return window is not None and window.start <= booking.start and booking.end <= window.end


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
