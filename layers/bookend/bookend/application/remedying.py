"""Remedies: every case that waits for one gets it, within limits, and a run may die anywhere.

A case remembers its operation before anything is asked of Cal.com, and its answers before anything follows from them.
It is closed as booked only after the bookings of a confirmed appointment were read at Cal.com by their uids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from bookend.application import alerts as alert
from bookend.application.alerts import job_failed
from bookend.application.arranging import LEASE, Begun, BegunBefore, HasOne, InTheWay, ask, commit, start
from bookend.application.background import Background, BackgroundOf
from bookend.application.booking_numbers import BookingNumbers
from bookend.application.budget import callers_need_the_rest
from bookend.application.case_looking import Looking
from bookend.application.case_parts import join, take_in_parts
from bookend.application.case_taking import NotTaken, link, take_in
from bookend.application.deadline import Deadline
from bookend.application.ports import Alerts, StoreUnavailable, Tenants
from bookend.application.ports.cases import Cases
from bookend.application.reviewing import carry_on
from bookend.application.settling import Settled, settle
from bookend.domain.answers import Answered, CreateAnswer, detail
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.case_parts import missing_of, uids_named
from bookend.domain.case_wishes import TAKEN_OVER, Wanted, appointment_of, is_the_same, operation_of
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.remedies import (
    RETRY,
    SOON,
    Book,
    Close,
    Join,
    Remedy,
    SettleIt,
    TakeIn,
    TakeInParts,
    ToReview,
    Wait,
    class_of,
    is_destructive,
    is_over,
    pause_after,
    plan,
)
from bookend.domain.remedy_report import NOT_DONE, RemedyReport, Treated, name_of, standing, why_of

BY = "remedy"
CASE_S = 20.0
"""Seconds that one case may take."""
_STEPS = 6
_LOOKS_FOR_ONE = 5
"""How many cases are looked at for each that may be treated, where most of them can only be left as they are."""
_LOOKS = 10
"""How many of those that a person has before them are looked at again in one run."""
_EVERY_S = 900


@dataclass(frozen=True, slots=True)
class RemedyLimits:
    """How far a run may go. `apply` False: it only says what it would do. `only`: the cases of one class."""

    apply: bool = True
    most: int = 40
    most_of_class: int = 20
    most_destructive: int = 5
    """Closing more than this as duplicates or invalid would be no ordinary day: that is left to a person."""
    only: SyncFailure | None = None


def remedy(work: Background, cases: Cases, limits: RemedyLimits | None = None) -> RemedyReport:
    """Give each open case whose time has come its remedy, and see which of the others are over.

    May run at any time, any number of times, by several at once: each write names the case or appointment as it was.
    """
    at_work = _Run(work, cases, limits or RemedyLimits())
    at_work.all()
    return at_work.report


def remedy_every_tenant(
    *,
    tenants: Tenants,
    cases: Cases,
    background: BackgroundOf,
    alerts: Alerts,
    deadline: Deadline,
) -> Sequence[tuple[str, RemedyReport]]:
    """One round over all tenants, each with its share of the time that is left."""
    found: list[tuple[str, RemedyReport]] = []
    waiting = list(tenants.every())
    for number, tenant in enumerate(waiting):
        if deadline.remaining() < CASE_S:
            break
        try:
            share = deadline.share(max(CASE_S, deadline.remaining() / (len(waiting) - number)))
            work = background(tenant, share)
            if work is not None:
                found.append((tenant, remedy(work, cases.within(share))))
        except StoreUnavailable:
            continue  # the next round is a quarter of an hour away, and the others need not wait for this one
        except Exception as error:  # noqa: BLE001 - nor for one that breaks in a way nobody thought of
            alerts.raise_(job_failed("remedy", tenant, error))
    return found


class _Run:
    """One run over the cases of a tenant."""

    def __init__(self, work: Background, cases: Cases, limits: RemedyLimits) -> None:
        self._work, self._cases, self._limits = work, cases, limits
        self._known: dict[str, Case] = {}
        self._treated: dict[str, Treated] = {}
        self._numbers = BookingNumbers(work.calendar, work.clock)
        self._closings: list[Case] = []
        """Cases whose remedy takes an appointment away from somebody who believes in it; done last, or not at all."""
        self._waiting: list[Case] = []
        self._left: set[str] = set()
        """Those of which this run could do nothing."""
        self._may_close = False
        self.report = RemedyReport()

    def all(self) -> None:
        now = self._work.clock.now()
        self._known = {each.id: each for each in self._cases.unclosed(self._work.tenant.id)}
        self.report.before = standing(self._known.values(), now=now)
        self._some(self._due())
        closings, self._closings = self._closings, []
        if len(closings) > self._limits.most_destructive:
            self.report.limited = len(closings)
            if self._limits.apply:
                self._work.alerts.raise_(alert.blast_limit(len(closings), self._limits.most_destructive, BY))
        else:
            self._may_close = True
            self._each(closings)
        waiting, self._waiting = self._waiting, []
        self._each(waiting)
        self._look_again()
        self.report.treated = list(self._treated.values())
        self.report.after = standing(self._known.values(), now=self._work.clock.now())

    def _due(self) -> list[Case]:
        """Those whose time has come: the oldest ones first, and behind as many as a run may treat the others in turn.

        So that whoever stands first and must be left as it is keeps nobody behind from being looked at for ever.
        """
        now = self._work.clock.now()
        due = [
            each
            for each in self._known.values()
            if each.state is CaseState.OPEN
            and self._limits.only in {None, each.failure}
            and (each.due is None or each.due <= now)
        ]
        first, others = due[: self._limits.most], due[self._limits.most :]
        begin = int(now.timestamp()) // _EVERY_S * self._limits.most % len(others) if others else 0
        return first + others[begin:] + others[:begin]

    def _some(self, due: Sequence[Case]) -> None:
        """As many as a run may treat. What is held back, or waits, was only looked at and takes nobody's place."""
        of_class: Counter[SyncFailure] = Counter()
        looks = 0
        for case in due:
            if of_class.total() >= self._limits.most or looks >= _LOOKS_FOR_ONE * self._limits.most:
                return
            if of_class[case.failure] >= self._limits.most_of_class:
                continue
            self._each([case])
            if self.report.stopped:
                return
            looks += 1
            of_class[case.failure] += case.id not in self._left

    def _each(self, cases: Sequence[Case]) -> None:
        for case in cases:
            if self._is_enough():
                return
            try:
                self._treat(self._known[case.id])
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - one that breaks must not keep the others waiting
                self._work.alerts.raise_(job_failed(BY, case.id, error))

    def _is_enough(self) -> bool:
        if self._work.deadline.remaining() < CASE_S:
            self.report.stopped = "its time is used up"
        elif callers_need_the_rest(self._work.calendar):
            self.report.stopped = "callers need the rest of the minute's requests"
        return bool(self.report.stopped)

    def _treat(self, case: Case) -> None:
        """Step by step, until there is nothing more to be done now."""
        work = replace(self._work, deadline=self._work.deadline.share(CASE_S), by=BY)
        looking = Looking(work, self._numbers)
        first = self._treated[case.id].before if case.id in self._treated else case
        for number in range(_STEPS):
            if case.state is not CaseState.OPEN or (number and case.due is not None and case.due > work.clock.now()):
                break
            if case.decision not in {"", RETRY}:
                decision, case = case.decision, self._carry_on(work, case)
                self._say(first, case, decision, case.why)
                if case.decision != RETRY:
                    break
                continue
            decided = plan(case, work.tenant, looking.at(case, self._rivals(case)), now=work.clock.now())
            self._say(first, case, name_of(decided), why_of(decided))
            if isinstance(decided, Wait) and decided.for_others:
                self._waiting.append(case)
            if isinstance(decided, Wait) and not number:
                self._left.add(case.id)
            if self._is_held_back(first, case, decided) or not self._limits.apply:
                return
            case, go_on = self._do(work, case, decided)
            # What came to a person all the same says why: the plan was another.
            why = case.why if case.state is CaseState.REVIEW else why_of(decided)
            self._say(first, case, name_of(decided), why)
            if not go_on:
                break

    def _carry_on(self, work: Background, case: Case) -> Case:
        if not self._limits.apply:
            return case
        after = carry_on(work, self._cases, case)
        self._known[case.id] = after
        return after

    def _is_held_back(self, first: Case, case: Case, decided: Remedy) -> bool:
        if not is_destructive(decided) or self._may_close:
            return False
        self._closings.append(case)
        self._left.add(case.id)
        self._treated[case.id] = Treated(first, case, NOT_DONE, why_of(decided), done=False)
        return True

    def _say(self, first: Case, now_is: Case, name: str, why: str) -> None:
        self._treated[first.id] = Treated(first, now_is, name, why, done=self._limits.apply)

    def _rivals(self, case: Case) -> tuple[Case, ...]:
        """Other cases that name the same booking."""
        mine = {case.facts.get("booking_id"), *uids_named(case)} - {None}
        return tuple(
            each
            for each in self._known.values()
            if each.id != case.id
            and each.state is not CaseState.CLOSED
            and mine & {each.facts.get("booking_id"), *uids_named(each)}
        )

    def _do(self, work: Background, case: Case, decided: Remedy) -> tuple[Case, bool]:
        """The case as it now is, and whether it may go on at once."""
        match decided:
            case Wait():
                return case, False
            case SettleIt(appointment):
                return case, settle(work, appointment.id) is not Settled.WAITING
            case ToReview(failure, why, about):
                now_is = {"state": CaseState.REVIEW, "failure": failure, "appointment": about or case.appointment}
                return self._write(case, **now_is, why=why, due=None, op="", decision="")
            case Close(ending, why, appointment, booking):
                return self._write(
                    case,
                    state=CaseState.CLOSED,
                    ending=ending,
                    why=why,
                    due=None,
                    appointment=appointment or case.appointment,
                    booking=booking or case.booking,
                    decision="",
                )
            case TakeIn():
                return self._take_in(work, case, decided)
            case TakeInParts(wanted, parts):
                who = wanted.customer
                case, made = take_in_parts(work, self._cases, case, parts, service=wanted.service, customer=who)
                self._known[case.id] = case
                return case, made is not None
            case Join(there, rest):
                return case, join(work, there, rest)
            case Book():
                return self._book(work, case, decided)
            case other:
                assert_never(other)

    def _take_in(self, work: Background, case: Case, decided: TakeIn) -> tuple[Case, bool]:
        wanted, booking = decided.wanted, decided.booking
        staff = work.tenant.staff_of_host(booking.host) or wanted.staff
        taken = take_in(work, case, booking, staff=staff, service=wanted.service.id, customer=wanted.customer)
        return self._taken(work, case, taken)

    def _taken(self, work: Background, case: Case, taken: Appointment | NotTaken) -> tuple[Case, bool]:
        match taken:
            case Appointment():
                uid = taken.segments[0].uid or case.booking
                return self._write(case, appointment=taken.id, booking=uid, op="")
            case NotTaken.LATER:
                return case, False
            case NotTaken.HAS_ONE:
                why = "its customer has the same at that time in another appointment"
                return self._do(work, case, ToReview(SyncFailure.DOUBLE_BOOKING, why))
            case other:
                assert_never(other)

    def _book(self, work: Background, case: Case, decided: Book) -> tuple[Case, bool]:
        """The operation is written down in the case before it is begun, and Cal.com's answers before what they mean.

        Of what is missing beside other parts the case keeps the appointment that has those.
        """
        wanted, missing = decided.wanted, decided.missing
        if decided.again:
            op, appointment = operation_of(work.tenant.id, case, case.tries + 1)
            named = {"op": op, "appointment": case.appointment if missing else appointment}
            case, stored = self._write(case, **named, tries=case.tries + 1, due=work.clock.now())
            if not stored:
                return case, False
        now = work.clock.now()
        begun = start(work, appointment_of(case, wanted, work.tenant, now=now, lease=now + LEASE, missing=missing))
        match begun:
            case Begun(on_record):
                sent_at = work.clock.now()
                answers = ask(work, on_record)
                case, stored = self._remember(case, answers)
                if stored:
                    commit(work, on_record, answers, sent_at=sent_at)
                return case, stored
            case BegunBefore():
                return case, True
            case HasOne(other):
                return self._has_one(work, case, wanted, other)
            case InTheWay(others):
                return self._not_free(work, case, wanted, others)
            case unforeseen:
                assert_never(unforeseen)

    def _remember(self, case: Case, answers: Sequence[CreateAnswer]) -> tuple[Case, bool]:
        """What Cal.com said, whole, and the class that follows; a success is found at Cal.com itself."""
        troubles = tuple(detail(each) for each in answers if not isinstance(each, Answered))
        if not troubles:
            return case, True
        failure = class_of(case, answers)
        now = self._work.clock.now()
        temporary = failure is SyncFailure.TEMPORARY
        due = now + (pause_after(case.tries - case.forgiven) if temporary else SOON * 0)
        return self._write(case, failure=failure, answers=(*case.answers, *troubles), due=due, decision="")

    def _has_one(self, work: Background, case: Case, wanted: Wanted, other: str) -> tuple[Case, bool]:
        """The customer has the same appointment already: this one is none, if that one stands, and is all of it."""
        known = work.appointments.appointment(work.tenant.id, other)
        if known is None or known.state is not AppointmentState.CONFIRMED:
            return case, False
        if missing_of(known, wanted):
            why = f"{other} is its customer's at that time, and not all of this"
            return self._do(work, case, ToReview(SyncFailure.DOUBLE_BOOKING, why))
        ends = Close(Ending.DUPLICATE, "the customer has this appointment already", other, known.segments[0].uid or "")
        if self._is_held_back(case, case, ends):
            return case, False
        return self._do(work, case, ends)

    def _not_free(self, work: Background, case: Case, wanted: Wanted, others: Sequence[str]) -> tuple[Case, bool]:
        if not others:
            return case, False  # it is offered to a caller just now
        found = work.appointments.several(work.tenant.id, others)
        same = next((each for each in found.values() if is_the_same(each, wanted)), None)
        if same is not None and same.source == TAKEN_OVER:
            return self._taken(work, case, link(work, case, same, wanted.customer))
        if same is not None:
            return self._has_one(work, case, wanted, same.id)
        names = ", ".join(f"{name} ({each.service} with {each.staff})" for name, each in sorted(found.items()))
        why = f"its time is taken here, by {names or ', '.join(others)}"
        return self._do(work, case, ToReview(SyncFailure.HOST_UNAVAILABLE, why))

    def _look_again(self) -> None:
        """Those that a person has before them, in turn: what is over closes itself."""
        waiting = [each for each in self._known.values() if each.state is CaseState.REVIEW]
        if self._limits.only is not None or not waiting:
            return
        now = self._work.clock.now()
        begin = int(now.timestamp()) // _EVERY_S * _LOOKS % len(waiting)
        for case in (waiting[begin:] + waiting[:begin])[:_LOOKS]:
            if self._is_enough():
                return
            seen = Looking(self._work, self._numbers).at_difference(case)
            if seen is not None and is_over(case, self._work.tenant, seen):
                over = Close(Ending.EQUAL, "both sides agree again")
                self._say(case, case, name_of(over), over.why)
                if self._limits.apply:
                    after, _ = self._do(self._work, case, over)
                    self._say(case, after, name_of(over), over.why)

    def _write(self, before: Case, **changes: Any) -> tuple[Case, bool]:
        """The case as it is stored then; False: somebody else has changed it, and goes on with it."""
        now = self._work.clock.now()
        after = replace(before, changed_at=now, by=BY, **changes)
        if not self._cases.change(self._work.tenant.id, before, after, now=now):
            return before, False
        after = replace(after, version=before.version + 1)
        self._known[after.id] = after
        return after, True
