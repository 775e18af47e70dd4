"""One invocation's part of a run: what it may ask, how a booking is looked at, what is done, and how far it came.

A row that was looked at is done with in this run, whatever came of it: what only a person can mend differs anew each
time, and must not use up every budget to come. What a poll could not finish is named to the next one. What takes
something away is put off to the end of its page or step and counted. Beyond a small number it is left to a person, and
the run goes on with the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.budget import MOST_DESTRUCTIVE, Budget, Limits, Stop
from bookend.application.converged import Converged
from bookend.application.converging import assess, carry_out
from bookend.application.deadline import ONE_S
from bookend.application.findings import NOT_DONE, Finding, Report, Stopped, finding_of
from bookend.application.patience import AGAIN
from bookend.application.ports import Alert, ListQuery, Page, Run, RunKind, Runs, StoreUnavailable
from bookend.application.settling import Settled, settle
from bookend.application.strikes import LEFT_FOR, UNREADABLE_FOR, forgotten, left, left_before, missed_once, struck
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.drift import Adopt, CancelOrphan, Drift, Nothing, Repair, agree, counted_once, is_destructive

SHARE_DESTRUCTIVE = 0.1
"""The most that is taken away, as a share of one step of a full run; two are always ordinary."""
MOST_CONTRADICTED = 5
"""How often a list may be wrong before the invocation ends and a person is told; the next one may see as much anew."""
CLOCKS_APART = timedelta(minutes=5)
"""What Cal.com says it changed later than this from now lies in the future: whatever is changed after it is hidden."""
STUCK_AFTER = 6
"""Invocations in a row that bring a run no further, before an operator is told: half an hour."""
STUCK_AGAIN = 288
"""As many once more, a day, and they are told again."""
_LONGEST_NAME = 100
"""Appointments' names are shorter."""


class Invocation:
    """One invocation's part of a run. `runs` None: its progress is not kept."""

    def __init__(self, work: Background, run: Run, runs: Runs | None, limits: Limits) -> None:
        self.background = work
        self.run = run
        self._runs = runs
        self._limits = limits
        self.report = Report(run.kind)
        self._budget = Budget(work, self._limits, self.report)
        self.looked_at: set[str] = set()
        """Uids that are done with, or put off."""
        self._deferred: dict[str, Repair | None] = dict.fromkeys(run.deferred)
        self._taken: set[str] = set()
        """What is to be taken away; None: an earlier invocation has seen it, and it is looked at anew."""
        self.insists = runs is None or run.idle >= STUCK_AFTER
        """Whether it goes on though the list lies: nothing is kept for a next time, or waiting has been of no use."""
        self._began_at = self._position()

    # How much it may ask, and how far it is

    def one(self) -> Background:
        """The ports for one request, after a look whether there may be one more.

        Raises:
            Stop: there may not.
        """
        return self._budget.one()

    def count(self, name: str, times: int = 1) -> None:
        """Add to the tally of the whole run, and to what this invocation did."""
        tally = Counter(self.run.tally)
        tally[name] += times
        self.report.counts[name] += times
        self.run = replace(self.run, tally=dict(tally))

    def keep(self, *, done: bool = False) -> None:
        """Write down how far it is.

        Raises:
            Stop: a twin was faster.
        """
        self.run = replace(self.run, deferred=tuple(self._deferred))
        if self._runs is None:
            return
        work = self.background
        if not self._runs.keep(work.tenant.id, self.run, done=done, now=work.clock.now()):
            raise Stop(Stopped.TWIN)
        self.run = replace(self.run, version=self.run.version + 1)

    def stop(self, why: Stopped) -> None:
        """Write down how far it came, and tell an operator if that is no further than the times before."""
        self.report.stopped = why
        if why is Stopped.TWIN:
            return
        if self._planned() > self._limits.most_destructive and not self._limited():
            self._reach_limit(self._limits.most_destructive)
        idle = self.run.idle + 1 if self._position() == self._began_at else 0
        self.run = replace(self.run, idle=idle)
        if self._runs is not None and (idle == STUCK_AFTER or (idle and idle % STUCK_AGAIN == 0)):
            self.raise_(alert.reconciliation_stuck(self.run.kind.value, idle))
        with suppress(Stop):
            self.keep()

    def _position(self) -> tuple[object, ...]:
        """What changes whenever a run gets on."""
        run = self.run
        taken = tuple(run.tally.get(name, 0) for name in ("destructive", "not_done"))
        rows = (run.skip, run.tail, run.day, run.after)
        return (*rows, tuple(self._deferred), taken, tuple(missed_once(run)), tuple(left_before(run)))

    def raise_(self, raised: Alert) -> None:
        """Tell an operator, unless nothing is meant to happen."""
        if self._limits.apply:
            self.background.alerts.raise_(raised)

    # Lists

    def page(self, query: ListQuery, skip: int) -> Page:
        """One page of the list.

        Raises:
            Stop: Cal.com did not answer, or there may be no more requests.
        """
        work = self.one()
        page = work.calendar.page(query, skip=skip, deadline=work.deadline)
        if not isinstance(page, Page):
            raise Stop(Stopped.CALENDAR)
        self.report.pages += 1
        twice = len(page.bookings) - len({each.uid for each in page.bookings})
        if twice:
            self.contradicted(twice)
        return page

    def contradicted(self, times: int = 1) -> None:
        """The list was wrong. What the run is stopped by once, it passes the next time.

        Raises:
            Stop: once more it was so too often.
        """
        before = self.run.tally.get("contradicted", 0)
        self.count("contradicted", times)
        after = before + times
        if before // (MOST_CONTRADICTED + 1) == after // (MOST_CONTRADICTED + 1):
            return
        if not self.insists or before <= MOST_CONTRADICTED:
            self.raise_(alert.list_contradicted(after, self.run.kind.value))
        if not self.insists:
            raise Stop(Stopped.LIST_CONTRADICTED)

    def differing(self, listed: Iterable[Booking]) -> dict[str, Booking]:
        """Those of the listed bookings, by uid, that are not, at first sight, as we have them."""
        work, rows = self.background, tuple(listed)
        owners = work.adoptions.owners(work.tenant.id, [each.uid for each in rows])
        labels = {each.uid: _label(each) for each in rows if each.uid not in owners}
        named = {*owners.values(), *labels.values()} - {""}
        ours = work.appointments.several(work.tenant.id, named)
        return {
            each.uid: each
            for each in rows
            if not agree(each, ours.get(owners.get(each.uid, "")), work.tenant, claims=labels.get(each.uid, "") in ours)
        }

    # Looks

    @contextmanager
    def spared(self, name: str) -> Iterator[None]:
        """What breaks in a way nobody thought of is put before a person, and keeps nothing else waiting."""
        try:
            yield
        except (Stop, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - see above
            self.count("failed")
            self.raise_(alert.job_failed(self.run.kind.value, name, error))

    def settle(self, overdue: Collection[str]) -> None:
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
            if ended in {Settled.CONFIRMED, Settled.RELEASED, Settled.ENDED}:
                self.count(f"settled_{ended.value}")
                done = ended.value
                self.report.findings.append(Finding(Drift.UNSETTLED, "settle", "", name, "its outcome was open", done))

    def look_closer(self, suspects: Mapping[str, Booking | None]) -> None:
        """Read each booking itself, decide, and do what takes nothing away.

        `suspects` are uids with what was said of each first, if anything was.

        Raises:
            Stop: there may be no more requests, or the list lies; `looked_at` says how far it came.
        """
        for uid, listed in suspects.items():
            with self.spared(uid):
                work = self.one()
                self._go_on_waiting(uid)
                repair = self._assess(work, uid, listed)
                if repair is not None and _may_take_away(repair):
                    self._defer(uid, repair)
                elif repair is not None:
                    self._do(work, repair, uid)
            self.looked_at.add(uid)

    def _assess(self, work: Background, uid: str, listed: Booking | None) -> Repair | None:
        """What a look at the booking itself calls for; None: nothing. `listed`: what was said of it first."""
        seen = work.calendar.booking(uid, deadline=work.deadline)
        if not isinstance(seen, Booking):
            self.unreadable(uid)
            if isinstance(seen, NotThere):
                if listed is not None:
                    self.contradicted()
            else:
                self._leave_for_later(uid)
            return None
        if listed is not None and _shown(listed) != _shown(seen):
            self.contradicted()
        repair = assess(work, seen)
        if not isinstance(repair, Nothing):
            return repair
        self._find_hidden(seen)
        self._finish(uid)
        return None

    def _do(self, work: Background, repair: Repair, uid: str) -> None:
        if not self._limits.apply:
            planned = finding_of(repair, uid, "planned")
            if planned not in self.report.findings:  # a move is listed twice, by its old uid and by its new one
                self.count(f"drift_{repair.drift.value}")
                self.report.findings.append(planned)
            return
        self.count(f"drift_{repair.drift.value}")
        done = carry_out(work, repair)
        self.report.findings.append(finding_of(repair, uid, done.value))
        self.count(f"repair_{done.value}")
        if done is Converged.LATER:
            self._leave_for_later(uid)
        else:
            self._finish(uid)

    # What takes something away

    def _defer(self, uid: str, repair: Repair) -> None:
        if self._limited():
            self._leave(uid, repair)
        else:
            self._deferred[uid] = repair

    def take_away(self, *, window: int | None) -> None:
        """Do what was put off, if it is little enough; else leave it, and all that follows, to a person.

        `window` is how many bookings the share is reckoned on; None: no share.

        Raises:
            Stop: there may be no more requests; what is left is put off further.
        """
        most = here = self._limits.most_destructive
        if window is not None and most <= MOST_DESTRUCTIVE:
            here = max(2, round(window * SHARE_DESTRUCTIVE))
        if not self._limited() and (self._planned() > most or len(self._put_off()) > here):
            self._reach_limit(min(most, here))
        for uid, seen_before in tuple(self._deferred.items()):
            work = self.one()
            with self.spared(uid):
                repair = seen_before or self._assess(work, uid, None)
                if repair is not None:
                    self._take_away(work, uid, repair)
            del self._deferred[uid]

    def _take_away(self, work: Background, uid: str, repair: Repair) -> None:
        if not _may_take_away(repair):
            self._do(work, repair, uid)
            return
        if self._limited():
            self._leave(uid, repair)
            return
        if isinstance(repair, CancelOrphan):
            owner = work.adoptions.owner(work.tenant.id, repair.booking.uid)
            if owner not in {None, repair.appointment.id}:
                self._finish(uid)
                return  # somebody has taken it over since it was looked at
        if (whose := counted_once(repair) or uid) not in self._taken:
            self._taken.add(whose)
            self.count("destructive")
        self._do(work, repair, uid)

    def _planned(self) -> int:
        """What was taken away, and what would be."""
        return self.run.tally.get("destructive", 0) + len(self._put_off() - self._taken)

    def _put_off(self) -> set[str]:
        return {counted_once(repair) or uid for uid, repair in self._deferred.items()}

    def _limited(self) -> bool:
        return self.run.tally.get("blast_limit", 0) > 0

    def _reach_limit(self, most: int) -> None:
        """From here on the run takes nothing away; an operator hears of it once."""
        self.raise_(alert.blast_limit(self._planned(), most, self.run.kind.value))
        self.count("blast_limit")
        for uid, repair in tuple(self._deferred.items()):
            if repair is not None:
                self._leave(uid, repair)
                del self._deferred[uid]

    def _leave(self, uid: str, repair: Repair) -> None:
        self.count("not_done")
        self.report.findings.append(finding_of(repair, uid, NOT_DONE))
        self._finish(uid)  # it was seen: from now on it waits anew
        self._leave_for_later(uid)

    # What a poll does not come to an end with

    def _leave_for_later(self, uid: str) -> None:
        """The next polls look at it by its uid, whatever their list shows. A full run finds all of it again."""
        if self.run.kind is RunKind.POLL:
            self._strike(Drift.LEFT, uid)

    def _go_on_waiting(self, uid: str) -> None:
        """A look that says nothing of it, not even that it cannot be had, ends no waiting."""
        if uid in left(self.run):
            self._strike(Drift.LEFT, uid)

    def _finish(self, uid: str) -> None:
        if uid in left(self.run):
            self.run = forgotten(self.run, Drift.LEFT, uid)

    def leave_to_the_night(self) -> None:
        """What has waited for a day is put before a person, once, and waited for no longer."""
        for uid, each in left(self.run).items():
            if each.last - each.first < LEFT_FOR:
                continue
            with self.spared(uid):
                appointment = self._owner_of(uid)
                why, about = "polls come to no end with it", f"{Drift.LEFT.value}-{uid}"
                self._flag(Drift.LEFT, uid, appointment, why, alert.left(uid, appointment), about=about)
            self._finish(uid)

    # What cannot be had

    def not_there(self, uid: str) -> None:
        """Cal.com says of a booking of ours that there is none. At the second such look a person is told.

        Its reads lag: the second one comes half a minute after the first, or in a later run.
        """
        appointment = self._owner_of(uid)
        if appointment is None or appointment.state is not AppointmentState.CONFIRMED:
            return
        if self._strike(Drift.GHOST_HERE, uid) >= AGAIN:
            about = f"{Drift.GHOST_HERE.value}-{appointment.id}"
            why = "Cal.com does not know its booking"
            self._flag(Drift.GHOST_HERE, uid, appointment, why, alert.ghost_here(appointment), about=about)

    def await_second_look(self, first: datetime) -> None:
        """Until enough time has passed since the first one.

        Raises:
            Stop: it has not, and the next invocation can wait better; or there is no time.
        """
        work = self.background
        left = (first + AGAIN - work.clock.now()).total_seconds()
        if left <= 0:
            return
        if self._runs is not None:
            raise Stop(Stopped.SECOND_LOOK)
        if work.deadline.remaining() < left + ONE_S:
            raise Stop(Stopped.BUDGET)
        work.clock.sleep(left + 0.1)

    def unreadable(self, uid: str) -> None:
        """Cal.com shows no booking where one of ours should be. After some nights of that a person is told."""
        self.count("unreadable")
        if self.run.kind is RunKind.POLL:
            return  # the full run looks at it every night
        appointment = self._owner_of(uid)
        if appointment is not None and self._strike(Drift.UNREADABLE, uid) >= UNREADABLE_FOR:
            self._flag_unreadable(uid, appointment, "Cal.com has not shown it for days")

    def _find_hidden(self, seen: Booking) -> None:
        """What we know last of it lies in the future: nothing that is changed before then is believed."""
        work, appointment = self.background, self._owner_of(seen.uid)
        known = appointment.calendar_updated_at if appointment is not None else None
        if appointment is None or known is None or known <= work.clock.now() + CLOCKS_APART:
            return
        if not agree(seen, appointment, work.tenant):
            self._flag_unreadable(seen.uid, appointment, "it was changed in the future")

    def _flag_unreadable(self, uid: str, appointment: Appointment, why: str) -> None:
        raised = alert.unreadable(uid, appointment)
        self._flag(Drift.UNREADABLE, uid, appointment, why, raised, about=f"{Drift.UNREADABLE.value}-{uid}")

    def _flag(
        self, drift: Drift, uid: str, appointment: Appointment | None, why: str, raised: Alert, *, about: str
    ) -> None:
        """Put it before a person, once a month."""
        found = Finding(drift, "flag", uid, appointment.id if appointment is not None else "", why)
        self.count(f"drift_{drift.value}")
        if self._limits.apply:
            work = self.background
            if work.adoptions.flag(work.tenant.id, raised, about=about, now=work.clock.now()):
                work.alerts.raise_(raised)
            found = replace(found, done=Converged.FLAGGED.value)
        self.report.findings.append(found)

    def _owner_of(self, uid: str) -> Appointment | None:
        work = self.background
        owner = work.adoptions.owner(work.tenant.id, uid)
        return work.appointments.appointment(work.tenant.id, owner) if owner is not None else None

    def _strike(self, drift: Drift, uid: str) -> timedelta:
        """How long ago it was missed for the first time in a row: nothing, if that is now."""
        self.run, ago = struck(self.run, drift, uid, self.background.clock.now())
        return ago


def _may_take_away(repair: Repair) -> bool:
    """A late booking is cancelled after all if its caller has had their message meanwhile."""
    return is_destructive(repair) or (isinstance(repair, Adopt) and repair.revives is not None)


def _label(booking: Booking) -> str:
    """The appointment that a booking says it is of; nothing if that is no name of ours. Anybody may have written it."""
    label = booking.metadata.get("appointment", "")
    return label if len(label) <= _LONGEST_NAME else ""


def _shown(booking: Booking) -> tuple[object, ...]:
    """What a list and a look at the booking itself must agree on."""
    return booking.status, booking.start, booking.end, booking.host, booking.attendees
