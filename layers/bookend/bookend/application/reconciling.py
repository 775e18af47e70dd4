"""Reconciliation: go through what Cal.com has and what we have, and make them equal.

A list only says where to look. Each difference is read anew by its uid before anything is concluded from it, so a list
that lies, lags or leaves out half its rows costs requests and raises an alarm, but changes nothing. Where a run is cut
off it goes on next time, behind the last row it looked at (`invocation`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bookend.application.background import Background
from bookend.application.budget import Limits, Stop
from bookend.application.findings import Report, Stopped
from bookend.application.invocation import MOST_CONTRADICTED, Invocation
from bookend.application.ports import ListQuery, Page, Progress, Run, RunKind, Runs
from bookend.application.strikes import forgotten, left, left_before, missed_once, of_this_run
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import TRANSIENT, Appointment, AppointmentState
from bookend.domain.drift import LIVE, Drift
from bookend.domain.staff_day import IntervalState, StaffDays
from bookend.domain.timeslot import Slot

OVERLAP = timedelta(minutes=15)
"""How far a poll reaches back behind the last one: Cal.com's reads lag, and its transactions end out of order."""
FIRST_POLL = timedelta(days=1)
"""How far the first poll of a tenant reaches back."""
DAYS_BACK, DAYS_AHEAD = 1, 90
"""The window of the nightly run, in days around today."""
ROWS_TWICE = 10
"""How many rows of a page the next one shows once more, and no more than a tenth of them.

A page that comes from a replica which lacks rows of the one before begins too late by as many.
"""
_STEP = 200
"""About how many of our appointments are compared in one step, so that it fits into a page of the list."""
_LONGEST_STEP_DAYS = 31
_MOST_HALVED = 8
_NIGHT = timedelta(hours=12)
"""A booking that begins within a step may end after it by so much; a list asks for both ends within its window."""
_LISTED, _OPEN, _UNSEEN = "1", "2", "3"
"""The parts of a step, in order: names in `Run.after` begin so."""


def new_poll(now: datetime, before: Progress) -> Run:
    """What has changed at Cal.com since the last poll saw everything, and what that one came to no end with.

    What it left to a person stays theirs.
    """
    since = (before.watermark - OVERLAP) if before.watermark is not None else now - FIRST_POLL
    tally = {"blast_limit": 1} if before.limited else {}
    return Run(kind=RunKind.POLL, started=now, since=since, strikes=before.strikes, tally=tally, version=before.version)


def new_full(now: datetime, before: Progress, *, today: date, back: int = DAYS_BACK, ahead: int = DAYS_AHEAD) -> Run:
    """Everything from `back` days ago to `ahead` days from now."""
    first = today - timedelta(days=back)
    return Run(
        kind=RunKind.FULL,
        started=now,
        first=first,
        last=today + timedelta(days=ahead),
        day=first,
        strikes=before.strikes,
        version=before.version,
    )


def reconcile(
    work: Background, run: Run, *, runs: Runs | None, overdue: Sequence[str] = (), limits: Limits | None = None
) -> Report:
    """Go on with a run for as long as requests and time last; `runs` None: keep no progress (the command).

    `overdue` are appointments whose operation is open and past its lease: they are settled first.
    """
    at_work = Invocation(work, run, runs, limits or Limits())
    try:
        at_work.settle(overdue)
        if run.kind is RunKind.POLL:
            _poll(at_work)
        else:
            _full(at_work)
        _end(at_work)
    except Stop as stop:
        at_work.stop(stop.why)
    report = at_work.report
    report.tally = Counter(at_work.run.tally)
    if runs is None and report.tally["contradicted"] > MOST_CONTRADICTED and report.stopped in {None, Stopped.BUDGET}:
        report.stopped = Stopped.LIST_CONTRADICTED  # it went on all the same: it has no next time
    return report


def _end(at_work: Invocation) -> None:
    """The run went through everything. What was left undone the next one must find again: a poll sees no further.

    The limit of a poll is over when nothing is left, and not because what was left could not be read.
    """
    at_work.leave_to_the_night()
    run = at_work.run
    limited = run.tally.get("not_done", 0) > 0 or (run.tally.get("blast_limit", 0) > 0 and bool(left(run)))
    at_work.run = replace(
        run,
        held=run.since + OVERLAP if limited and run.since is not None else None,
        strikes=of_this_run(run),
    )
    at_work.keep(done=True)
    if limited:
        at_work.report.stopped = Stopped.BLAST_LIMIT


def _poll(at_work: Invocation) -> None:
    """Page by page through what changed there, then what earlier polls left.

    A row of the list is done with before the progress says so.
    """
    query = ListQuery(changed_since=at_work.run.since)
    seen: set[str] = set()
    while True:
        twice = at_work.run.tail
        skip = at_work.run.skip - len(twice)
        page = at_work.page(query, skip)
        uids = [each.uid for each in page.bookings]
        nothing_new = page.more and seen.issuperset(uids)
        if nothing_new:
            _read_again(at_work)
            if not at_work.insists:
                continue
        seen.update(uids)
        suspects = at_work.differing(each for each in page.bookings if each.uid not in twice)
        try:
            at_work.look_closer(suspects)
            at_work.take_away(window=None)
        except Stop:
            todo = (at for at, uid in enumerate(uids) if uid in suspects and uid not in at_work.looked_at)
            _pass_rows(at_work, skip, page, next(todo, page.rows))
            raise
        _pass_rows(at_work, skip, page, page.rows)
        if nothing_new or not page.more:
            break
        at_work.keep()
    for uid in left_before(at_work.run):
        at_work.look_closer({uid: None})
    at_work.take_away(window=None)


def _read_again(at_work: Invocation) -> None:
    """A page showed nothing new, and says that there is more: what it should have shown is not passed.

    Raises:
        Stop: too often. Nobody knows which rows the pages before it were, so the list is gone through anew.
    """
    try:
        at_work.contradicted()
    except Stop:
        at_work.run = replace(at_work.run, skip=0, tail=())
        raise


def _pass_rows(at_work: Invocation, skip: int, page: Page, rows: int) -> None:
    """The first `rows` of a page that began at `skip` are done. The last of them are shown once more."""
    uids = [each.uid for each in page.bookings[:rows]]
    at_work.count("listed", sum(uid not in at_work.run.tail for uid in uids))
    twice = min(_shown_twice(page), len(uids))
    at_work.run = replace(at_work.run, skip=skip + rows, tail=tuple(uids[len(uids) - twice :]))


def _shown_twice(page: Page) -> int:
    return min(ROWS_TWICE, page.rows // 10)


def _full(at_work: Invocation) -> None:
    """Step by step through the days: what is listed there, and then what we have that the list did not show."""
    last, begun = at_work.run.last, False
    while at_work.run.day is not None and last is not None and at_work.run.day <= last:
        first, cut = at_work.run.day, at_work.run.skip
        until, ours = _step(at_work.background, first, at_work.run.until or last, cut, whole=bool(at_work.run.until))
        spent = at_work.report.requests
        at_work.run = replace(at_work.run, until=until)
        try:
            _compare(at_work, Slot(_midnight(first), _midnight(until + timedelta(days=1))), ours)
        except Stop as stop:
            if not at_work.run.after:
                # Where its list alone was too much for a whole invocation it is half as large next time.
                too_much = stop.why is Stopped.BUDGET and not begun and at_work.report.requests > spent
                at_work.run = replace(at_work.run, until=None, skip=min(cut + too_much, _MOST_HALVED))
            raise
        begun = True
        following = until + timedelta(days=1)
        at_work.run = replace(at_work.run, day=following, until=None, after="", skip=max(0, cut - 1))
        if until < last:
            at_work.keep()
    for uid, missed_at in missed_once(at_work.run).items():
        at_work.await_second_look(missed_at)
        _look_for(at_work, uid, ListQuery())
        if uid in missed_once(at_work.run):
            at_work.run = forgotten(at_work.run, Drift.GHOST_HERE, uid)


def _step(work: Background, first: date, last: date, cut: int, *, whole: bool) -> tuple[date, set[str]]:
    """The days from `first` that together hold about `_STEP` appointments, and which ones these are.

    `cut`: how often a step was not finished; each time halves it, down to a day. `whole`: up to `last`, whatever is in
    them: the step is under way.
    """
    staff = [each.id for each in work.tenant.staff]
    most = (last - first).days + 1
    if not whole:
        most = min(most, max(1, _LONGEST_STEP_DAYS >> cut))
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
        if found and not whole and len(found) + len(today) > _STEP >> cut:
            return day - timedelta(days=1), found
        found |= today
    return days[-1], found


def _compare(at_work: Invocation, window: Slot, ours: set[str]) -> None:
    """What is listed, what of ours is open, what of ours was not listed; each by its name, and behind the last one."""
    query = ListQuery(window=Slot(window.start, window.end + _NIGHT))
    rows = _listed(at_work, query, before=window.end)
    suspects = at_work.differing(rows.values())
    for uid in _behind(at_work, _LISTED, suspects):
        at_work.look_closer({uid: suspects[uid]})
        _pass(at_work, _LISTED, uid)
    work = at_work.background
    found = work.appointments.several(work.tenant.id, ours)
    for name in _behind(at_work, _OPEN, [each.id for each in found.values() if each.state in TRANSIENT]):
        at_work.settle([name])
        _pass(at_work, _OPEN, name)
    for uid in _behind(at_work, _UNSEEN, [uid for uid in _uids(found.values()) if uid not in rows]):
        _look_for(at_work, uid, query)
        _pass(at_work, _UNSEEN, uid)
    at_work.take_away(window=max(len(rows), len(ours)))
    at_work.count("listed", len(rows))
    at_work.count("ours", len(ours))


def _listed(at_work: Invocation, query: ListQuery, *, before: datetime) -> Mapping[str, Booking]:
    """Every page of it, by uid; only what begins before that instant."""
    rows: dict[str, Booking] = {}
    read = twice = 0
    while True:
        page = at_work.page(query, read - twice)
        again = sum(each.uid in rows for each in page.bookings) - twice
        if again > 0 or (page.more and not page.bookings):
            at_work.contradicted(max(1, again))  # a list by creation shows nothing twice unasked, and ends
        nothing_new = all(each.uid in rows for each in page.bookings)
        rows |= {each.uid: each for each in page.bookings}
        read += page.rows - twice
        twice = _shown_twice(page)
        if not page.more or (nothing_new and at_work.insists):
            return {uid: each for uid, each in rows.items() if each.start < before}


def _behind(at_work: Invocation, part: str, names: Iterable[str]) -> list[str]:
    """Those of the names that the run has not passed, in its order."""
    return sorted(each for each in names if part + each > at_work.run.after)


def _pass(at_work: Invocation, part: str, name: str) -> None:
    at_work.run = replace(at_work.run, after=part + name)


def _uids(appointments: Iterable[Appointment]) -> list[str]:
    confirmed = [each for each in appointments if each.state is AppointmentState.CONFIRMED]
    return [segment.uid for each in confirmed for segment in each.segments if segment.uid is not None]


def _look_for(at_work: Invocation, uid: str, query: ListQuery) -> None:
    """What we have and the list did not show: Cal.com is asked for it by its uid; where it shows it, a second time."""
    with at_work.spared(uid):
        work = at_work.one()
        seen = work.calendar.booking(uid, deadline=work.deadline)
        if isinstance(seen, NotThere):
            at_work.not_there(uid)
        elif isinstance(seen, Booking):
            if seen.status == LIVE and _asked_for(seen, query):
                at_work.contradicted()  # it is there: the list left it out
            at_work.look_closer({uid: seen})
        else:
            at_work.unreadable(uid)


def _asked_for(booking: Booking, query: ListQuery) -> bool:
    """Whether a list should have shown it: what was moved to another day is not left out."""
    window = query.window
    return window is not None and window.start <= booking.start and booking.end <= window.end


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
