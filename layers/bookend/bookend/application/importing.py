"""Import: an existing system's file, taken in page by page, so that a kill at any point doubles nothing.

The file is gone through twice: once to learn who claims what, then to decide and write. A page's rows and how far the
import is are one transaction; what becomes a case is written before it, under a name of its own. Each appointment is
called after its external id, so what was written once is found, whoever imports it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import assert_never

from bookend.application.import_cases import close, keep, newest, put_before_a_person
from bookend.application.import_plan import (
    AsCase,
    Cancelled,
    Decision,
    Left,
    Over,
    Planned,
    case_of,
    counted_as,
    days_of,
    draft_of,
    plan,
    says_of,
)
from bookend.application.ports import Clock, StoreUnavailable
from bookend.application.ports.cases import Cases
from bookend.application.ports.imports import (
    ImportFile,
    ImportProgress,
    Imports,
    ImportTwin,
    IntakeLost,
    TakenIn,
)
from bookend.domain.appointment import Appointment
from bookend.domain.import_claims import Claims, SharedAddress
from bookend.domain.imports import (
    CustomerRow,
    Names,
    Row,
    RowError,
    appointment_name,
    case_name,
    identity,
    read_row,
)
from bookend.domain.staff_day import StaffDay
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import Slot

PAGE_ACTIONS = 96
"""What one transaction may write, of the 100 that the service allows; the rest is progress and counters."""
_TOGETHER = 3
"""Losses in a row after which a page is written row by row."""
_TRIES = 8

Resolve = Callable[[int, Slot], str | None]
"""The uid of the booking with this numeric id at this time, as Cal.com lists it; None: it lists none."""


class Refusal(StrEnum):
    """Why nothing was begun, or why it ended on its way."""

    DONE_BEFORE = "done_before"
    BEGUN_BEFORE = "begun_before"
    """It was cut off; it goes on where it was if that is asked for."""
    TWIN = "twin"
    """Somebody else is importing the same file."""


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """A row that claims what another one has. `of` is that one's external id, or an appointment here."""

    line: int
    external_id: str
    of: str


@dataclass(slots=True)
class ImportReport:
    """What became of every row. `counts` are of the whole import, whenever it was begun."""

    counts: Counter[str] = field(default_factory=Counter)
    errors: list[RowError] = field(default_factory=list)
    notes: list[RowError] = field(default_factory=list)
    duplicates: list[DuplicateRow] = field(default_factory=list)
    shared: tuple[SharedAddress, ...] = ()
    requests: int = 0
    """Reads and writes of pages and cases."""
    refused: Refusal | None = None
    begun: ImportProgress | None = None
    anew: bool = False
    """Other rows can be read now than when the file was imported before: all of it was gone through once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importing:
    """The ports of an import. `applies` False: everything is read and decided, and nothing written."""

    tenant: Tenant
    imports: Imports
    cases: Cases
    clock: Clock
    applies: bool = False
    resumes: bool = False
    resolve: Resolve | None = None
    on_progress: Callable[[int, float], None] = lambda _line, _seconds: None
    """Told the line that is done and the seconds since the beginning, after each page."""


def import_file(work: Importing, file: ImportFile) -> ImportReport:
    """Take the file in, or say what that would do.

    What was an error when it was imported before is tried again if the salon's document reads it now; else it is
    listed.
    """
    report = ImportReport()
    progress = work.imports.progress(work.tenant.id, file.digest, now=work.clock.now())
    if progress.version:
        report.begun = progress
        if (progress.done and not progress.counts.get("errors")) or (
            not progress.done and work.applies and not work.resumes
        ):
            report.refused = Refusal.DONE_BEFORE if progress.done else Refusal.BEGUN_BEFORE
            report.counts = Counter(progress.counts)
            return report
    claims, failed = Claims(work.tenant), list[RowError]()
    for read in _rows(work, file):
        if isinstance(read, tuple):
            failed += read
            continue
        claims.see(read)
        report.notes += read.notes
        failed += _told_before(read, claims)
    report.shared = claims.shared()
    if progress.version:
        were = _FailedLines()
        were.add(dict.fromkeys(each.line for each in failed))
        report.anew = progress.failed != were.digest(progress.line)
        if progress.done and not report.anew:
            report.refused, report.errors = Refusal.DONE_BEFORE, failed
            report.counts = Counter(progress.counts)
            return report
        if report.anew:
            progress = replace(progress, line=0, counts={}, done=False, failed="")
    run = _Run(work, claims, report, progress if work.applies else replace(progress, line=0, counts={}))
    run.all_of(file)
    return report


class _FailedLines:
    """Which lines were errors, as short as a digest: the same ones have the same. Lines come in the file's order."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()
        self._hash, self._digest = hashlib.sha256(), ""

    def add(self, lines: Iterable[int]) -> None:
        self._waiting.extend(lines)

    def digest(self, line: int) -> str:
        """Of those up to this line, which grows from one call to the next; empty: none was an error."""
        while self._waiting and self._waiting[0] <= line:
            self._hash.update(f"{self._waiting.popleft()} ".encode())
            self._digest = self._hash.hexdigest()[:16]
        return self._digest


def _told_before(row: Row | CustomerRow, claims: Claims) -> tuple[RowError, ...]:
    """That another line above has its external id, if one has."""
    first = claims.first_line(row) if isinstance(row, Row) else row.line
    return (RowError(row.line, "external_id", f"line {first} has the same"),) if first != row.line else ()


def _rows(work: Importing, file: ImportFile) -> Iterator[Row | CustomerRow | tuple[RowError, ...]]:
    names = Names(work.tenant)
    for read in file.rows():
        if isinstance(read, RowError):
            yield (read,)
            continue
        line, raw = read
        row = read_row(raw, line, names)
        yield _resolved(row, work.resolve) if isinstance(row, Row) and work.resolve is not None else row


def _resolved(row: Row, resolve: Resolve) -> Row:
    """With the uid of the booking that it knows by number alone, if Cal.com lists that booking."""
    if row.uids or row.booking_id is None or row.slot is None or row.cancelled:
        return row
    uid = resolve(row.booking_id, row.slot)
    return row if uid is None else replace(row, uids=(uid,))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of a page. `counts` are those of its own line and of the lines before it that came to nothing else."""

    row: Row | CustomerRow
    draft: Appointment | None
    counts: Counter[str]


class _Run:
    """One run through the file, from behind what is done."""

    def __init__(self, work: Importing, claims: Claims, report: ImportReport, progress: ImportProgress) -> None:
        self._work, self._claims, self._report = work, claims, report
        self._progress = progress
        self._began = work.clock.monotonic()
        self._page: list[_Entry] = []
        self._cost = 0
        self._counts: Counter[str] = Counter()
        """Of the lines behind the last one of the page."""
        self._line = progress.line
        self._failed = _FailedLines()
        self._left: dict[int, RowError] = {}
        """Of rows of the page that became nothing new, why."""
        self._dry_days: dict[tuple[str, date], StaffDay] = {}
        """In a dry run, what the rows before would have written."""

    def all_of(self, file: ImportFile) -> None:
        try:
            for read in _rows(self._work, file):
                self._take(read)
            self._flush(done=True)
        except _Twin:
            self._report.refused = Refusal.TWIN
        self._report.counts = Counter(self._progress.counts)

    def _take(self, read: Row | CustomerRow | tuple[RowError, ...]) -> None:
        """Into the page, or counted at once. What an earlier run has done is listed again and not counted."""
        line = read[0].line if isinstance(read, tuple) else read.line
        before = line <= self._progress.line
        errors = read if isinstance(read, tuple) else _told_before(read, self._claims)
        if isinstance(read, tuple) or errors:
            self._report.errors += errors
            self._failed.add([line])
            self._counted(before, line, "rows", "errors")
            return
        if before:
            return
        draft = draft_of(self._work.tenant, read, self._claims, now=self._work.clock.now())
        cost = 3 + sum(3 + len(each.slot.utc_days()) for each in draft.segments) if draft is not None else 1
        if self._cost + cost > PAGE_ACTIONS:
            self._flush(done=False)
        self._counted(before, line, "rows")
        self._page.append(_Entry(read, draft, self._counts))
        self._cost += cost
        self._counts = Counter()

    def _counted(self, before: bool, line: int, *names: str) -> None:
        if not before:
            self._counts.update(names)
            self._line = line

    def _flush(self, *, done: bool) -> None:
        page, self._page, self._cost = self._page, [], 0
        self._write(page, self._counts, self._line, done=done)
        self._counts = Counter()
        self._work.on_progress(self._line, self._work.clock.monotonic() - self._began)

    def _write(self, page: Sequence[_Entry], behind: Counter[str], line: int, *, done: bool) -> None:
        """One page, decided anew while somebody else writes where it does; row by row if that goes on.

        `behind` are the counts of the lines after its last row, up to `line`.
        """
        for tries in range(_TRIES):
            if tries == _TOGETHER and len(page) > 1:
                for each in page[:-1]:
                    self._write([each], Counter(), each.row.line, done=False)
                self._write(page[-1:], behind, line, done=done)
                return
            planned = self._planned(page)
            of_page = self._cases_of(planned)
            if of_page is None:
                continue
            counts = Counter(self._progress.counts) + of_page + behind
            for each in page:
                counts += each.counts
            failed = self._failed.digest(line)
            after = replace(self._progress, line=line, counts=dict(counts), done=done, failed=failed)
            if not self._work.applies:
                self._dry_days |= planned.intake.days.days
                self._keep(planned, after)
                return
            now = self._work.clock.now()
            self._report.requests += 1
            outcome = self._work.imports.take_in(self._work.tenant.id, planned.intake, progress=after, now=now)
            match outcome:
                case TakenIn():
                    self._keep(planned, replace(after, version=after.version + 1))
                    return
                case IntakeLost():
                    continue
                case ImportTwin():
                    raise _Twin
                case other:
                    assert_never(other)
        raise StoreUnavailable("contention")

    def _planned(self, page: Sequence[_Entry]) -> Planned:
        work = self._work
        now = work.clock.now()
        drafts = [each.draft for each in page if each.draft is not None]
        rows = [each.row for each in page if isinstance(each.row, Row)]
        names = [case_name(each.external_id) for each in rows]
        found = work.imports.look(work.tenant.id, drafts, days=days_of(drafts, now=now), cases=names)
        self._report.requests += bool(rows)
        cases = {name: newest(work.cases, work.tenant.id, case) for name, case in found.cases.items()}
        found = replace(found, cases=cases)
        if self._dry_days:
            seen = [self._dry_days.get(key, day) for key, day in found.days.days.items()]
            found = replace(found, days=found.days.updated(seen))
        others = [
            appointment_name(work.tenant.id, each.row.external_id)
            for each in page
            if each.draft is None and isinstance(each.row, Row)
        ]
        others += [each.appointment for each in cases.values() if each.appointment]
        if others:
            self._report.requests += 1
            known = work.imports.appointments(work.tenant.id, others)
            found = replace(found, appointments={**found.appointments, **known})
        people = [identity(work.tenant, each.row.person) for each in page if isinstance(each.row, CustomerRow)]
        if people:
            self._report.requests += 1
            found = replace(found, customers={**found.customers, **work.imports.customers(work.tenant.id, people)})
        return plan(work.tenant, [(each.row, each.draft) for each in page], self._claims, found, now=now)

    def _cases_of(self, planned: Planned) -> Counter[str] | None:
        """The page's counts, once its rows are kept as cases, and those that are none any more closed: before the
        progress that says they are done. None: one of those is not as it was read.
        """
        work, counts = self._work, Counter(planned.counts)
        tenant, now = work.tenant.id, work.clock.now()
        self._left = {}
        for closing in planned.closings if work.applies else ():
            self._report.requests += 1
            if not close(work.cases, tenant, closing, now=now):
                return None
        for decided in planned.decisions:
            if (why := _why_nothing_new(decided)) is not None:
                self._left[why.line] = why
            if isinstance(decided, Left) and work.applies:
                self._report.requests += 1
                if not put_before_a_person(work.cases, tenant, decided.case, says_of(decided.row), now=now):
                    return None
            if not isinstance(decided, AsCase):
                continue
            case = case_of(work.tenant, decided, self._claims, now=now)
            kept = keep(work.cases, tenant, case, applies=work.applies, anew=decided.instead)
            self._report.requests += kept.requests
            if kept.as_row is not None:
                counts -= Counter(counted_as(decided, case))
                counts[kept.as_row.value] += 1
                self._left[decided.row.line] = RowError(decided.row.line, "external_id", kept.why)
        return counts

    def _keep(self, planned: Planned, after: ImportProgress) -> None:
        self._progress = after
        self._report.notes += self._left.values()
        self._report.duplicates += [
            DuplicateRow(each.row.line, each.row.external_id, each.of)
            for each in planned.decisions
            if isinstance(each, AsCase) and each.of and each.row.line not in self._left
        ]
        self._left = {}


def _why_nothing_new(decided: Decision) -> RowError | None:
    """Said of a row that nothing is made of, though it may look as if something should."""
    match decided:
        case Over(row):
            return RowError(
                row.line, "calcom_uid", "its booking was cancelled since: it is over, and nothing is made of it"
            )
        case Cancelled(row, stands=True):
            return RowError(row.line, "status", "it stands here: what Cal.com shows counts, so cancel it there")
        case Left(row, case):
            why = f"work on its case {case.id} had begun: a person decides, and nothing is made of this row"
            return RowError(row.line, "external_id", why)
        case _:
            return None


class _Twin(Exception):
    """Another import of the same file has written meanwhile."""
