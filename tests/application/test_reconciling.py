"""Both sides become equal again, whatever made them differ; and what lists and tables do on the way changes nothing."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.items import to_wire
from bookend.application import alerts, strikes
from bookend.application.budget import MOST_DESTRUCTIVE, REQUESTS, RESERVED_FOR_CALLS, Limits
from bookend.application.converging import converge
from bookend.application.deadline import ONE_S
from bookend.application.findings import NOT_DONE, Finding, Report, Stopped
from bookend.application.invocation import MOST_CONTRADICTED, STUCK_AFTER, STUCK_AGAIN
from bookend.application.patience import AGAIN
from bookend.application.ports import CalendarTrouble, ListQuery, Page, RunKind, StoreUnavailable
from bookend.application.reconciling import FIRST_POLL, OVERLAP, ROWS_TWICE
from bookend.application.strikes import LEFT_FOR, UNREADABLE_FOR
from bookend.cli import table_of
from bookend.domain.answers import Booking, NotSent, Unclear
from bookend.domain.appointment import Appointment, AppointmentState, Told
from bookend.domain.drift import Drift
from bookend.domain.staff_day import IntervalState
from tests.support.calendar import FakeCalendar
from tests.support.salon import HeardAlerts
from tests.support.seeded import CANARIES, CUTS, LONG_AGO, SEEDS, Seed, SeededWorld
from tests.support.tables.faults import Crash, Fault

FLAGGED = {each for each in SEEDS if each in {"ghost, not there", "status", "attendee", "unknown host", "duplicate"}}
UNSEEN_BY_A_POLL = {"ghost, not there"}
"""Nothing changed there: only a look at everything finds it."""
MANY = Limits(requests=10_000)
STEPS = 3
"""Lists a full run of a small salon asks for: 92 days, a month at a time."""


def small(*names: str, size: int = 24, days: int = 4) -> SeededWorld:
    """A salon with these differences."""
    world = SeededWorld.grown(size, days=days)
    for name in names:
        world.seed(name)
    return world


def to_the_end(
    world: SeededWorld,
    run: Callable[[], Any],
    *,
    limits: Limits | None = None,
    most: int = 400,
    until: set[Stopped] = frozenset(),  # type: ignore[assignment]
) -> list[Report]:
    """Every invocation until the run is done, or ends so; each has the next five minutes' budget."""
    reports = []
    for _ in range(most):
        reports.append(world.once(run(), limits=limits))
        if reports[-1].done or reports[-1].stopped in until:
            return reports
        assert reports[-1].stopped in {Stopped.BUDGET, Stopped.SECOND_LOOK}
        if reports[-1].stopped is Stopped.SECOND_LOOK:
            world.clock.advance(300)
    raise AssertionError(f"not done after {most} invocations")


def whole_run(world: SeededWorld, run: Callable[[], Any], **how: Any) -> Report:
    """The same, with everything its invocations found in the last one's report."""
    *before, last = to_the_end(world, run, **how)
    last.findings[:0] = [found for each in before for found in each.findings]
    last.requests += sum(each.requests for each in before)
    last.pages += sum(each.pages for each in before)
    return last


def facts(reports: list[Report]) -> set[tuple[str, ...]]:
    """What was found and done, without what only waits for a person or for time."""
    return {(f.drift.value, f.repair, f.booking, f.appointment, f.done) for each in reports for f in each.findings}


def kinds(heard: HeardAlerts) -> Counter[str]:
    return Counter(each.kind for each in heard.raised)


# ---- Every class, among 2,000


@dataclass
class Reconciled:
    """A large salon before, after one run, and after another."""

    world: SeededWorld
    before: dict[tuple[str, str], str]
    bookings_before: dict[str, Booking]
    report: Report
    after: tuple[dict[tuple[str, str], str], dict[str, str]]
    alerts: list[Any]
    again: Report
    after_again: tuple[dict[tuple[str, str], str], dict[str, str]]


@pytest.fixture(scope="module")
def large() -> Reconciled:
    world = SeededWorld.grown(2_000)
    for name in SEEDS:
        world.seed(name)
    before, bookings = world.table(), dict(world.calendar.bookings)
    report = whole_run(world, world.full)
    after, raised = world.sides(), list(world.alerts.raised)
    world.clock.advance(86_400)
    again = whole_run(world, world.full)
    return Reconciled(world, before, bookings, report, after, raised, again, world.sides())


def found_of(seed: Seed, report: Report) -> list[Finding]:
    return [each for each in report.findings if each.booking in seed.uids and each.repair == seed.repair]


@pytest.mark.parametrize("name", SEEDS)
def test_every_difference_among_two_thousand_is_found_once(large: Reconciled, name: str) -> None:
    (seed,) = [each for each in large.world.seeds if each.name == name]
    (found,) = found_of(seed, large.report)
    assert found.drift.value == seed.drift


def test_nothing_else_is_found_and_the_budget_of_one_invocation_is_enough(large: Reconciled) -> None:
    assert large.report.done
    assert len(large.report.findings) == len(large.world.seeds) == len(SEEDS)
    assert large.report.requests <= REQUESTS
    assert large.report.tally["destructive"] <= MOST_DESTRUCTIVE


def test_each_page_of_the_list_is_asked_for_once(large: Reconciled) -> None:
    """Of two runs: a step is made to fit into one page, so this is little more than the bookings by 250."""
    lists = large.world.calendar.asked.count("list") - 1  # one look-up settles the open operation
    assert lists == large.report.pages + large.again.pages
    assert large.report.pages <= 2 * 2_000 / 250


def one_of(world: SeededWorld, name: str) -> tuple[Seed, Appointment | None]:
    (seed,) = [each for each in world.seeds if each.name == name]
    return seed, world.now_is(seed.appointments[0]) if seed.appointments else None


def ledger_of(world: SeededWorld, appointment: Appointment) -> list[tuple[str, str, bool]]:
    """Where the ledger has it: stylist, start and whether it is flagged as a conflict."""
    found = []
    for staff in CUTS:
        for day in {each for slot in (appointment.slot,) for each in slot.utc_days()}:
            for key, each in world.day(staff, day).intervals.items():
                if key.startswith(f"{appointment.id}/") and each.state is IntervalState.CONFIRMED:
                    found.append((staff, each.slot.start.isoformat(), each.conflict))
    return found


def test_cancelled_there_is_cancelled_here_and_its_time_is_free(large: Reconciled) -> None:
    _, now_is = one_of(large.world, "ghost, cancelled there")
    assert now_is is not None
    assert now_is.state is AppointmentState.CANCELLED
    assert ledger_of(large.world, now_is) == []


@pytest.mark.parametrize("name", sorted(FLAGGED))
def test_what_only_a_person_can_decide_stays_as_it_was(large: Reconciled, name: str) -> None:
    seed, now_is = one_of(large.world, name)
    assert now_is is not None
    key = keys.appointment(large.world.tenant.id, now_is.id)
    at = (key["pk"]["S"], key["sk"]["S"])
    assert large.after[0][at] == large.before[at]
    assert len(ledger_of(large.world, now_is)) == 1
    told = [each for each in large.alerts if each.facts.get("drift") == seed.drift]
    assert [each.kind for each in told] == [alerts.DRIFT_FOUND]


@pytest.mark.parametrize("name", ["orphan, told not booked", "orphan, text sent", "orphan, time taken"])
def test_a_booking_that_nobody_was_promised_is_cancelled(large: Reconciled, name: str) -> None:
    seed, now_is = one_of(large.world, name)
    assert now_is is not None
    assert large.world.calendar.bookings[seed.uids[0]].status == "cancelled"
    assert now_is.state is AppointmentState.FAILED
    assert large.world.owner(seed.uids[0]) == now_is.id, "its late events find their home"


def test_a_late_booking_of_somebody_who_still_waits_is_theirs_and_the_text_says_so(large: Reconciled) -> None:
    seed, failed = one_of(large.world, "orphan, still waiting")
    assert failed is not None
    owner = large.world.owner(seed.uids[0])
    assert owner is not None
    revived = large.world.now_is(owner)
    assert (revived.state, revived.customer, revived.call) == (
        AppointmentState.CONFIRMED,
        failed.customer,
        failed.call,
    )
    assert len(ledger_of(large.world, revived)) == 1
    assert large.world.calendar.bookings[seed.uids[0]].status == "accepted"
    (text,) = [each for each in large.world.kind("OUT") if each["pk"].endswith(failed.op)]
    assert (text["kind"], text["state"], text["appt"]) == ("booked", "NEW", owner)


def test_a_text_that_was_sent_stays_as_it_was(large: Reconciled) -> None:
    _, failed = one_of(large.world, "orphan, text sent")
    assert failed is not None
    (text,) = [each for each in large.world.kind("OUT") if each["pk"].endswith(failed.op)]
    assert (text["kind"], text["state"], text["appt"]) == ("not_booked", "SENT", failed.id)


@pytest.mark.parametrize("name", ["start, in place", "start, moved", "end", "host"])
def test_an_appointment_stands_where_its_booking_stands(large: Reconciled, name: str) -> None:
    seed, now_is = one_of(large.world, name)
    assert now_is is not None
    there = large.world.calendar.bookings[seed.uids[-1]]
    (segment,) = now_is.segments
    assert (segment.uid, segment.slot.start, segment.slot.end) == (there.uid, there.start, there.end)
    assert large.world.tenant.member(segment.staff).calcom_user == there.host
    assert now_is.state is AppointmentState.CONFIRMED
    assert ledger_of(large.world, now_is) == [(segment.staff, there.start.isoformat(), False)]
    assert {large.world.owner(uid) for uid in seed.uids} == {now_is.id}, "late events of the old uid find their home"


@pytest.mark.parametrize(("name", "conflict"), [("foreign", False), ("foreign, in the way", True)])
def test_what_others_booked_is_ours_too_even_where_it_overlaps(large: Reconciled, name: str, conflict: bool) -> None:
    seed, _ = one_of(large.world, name)
    owner = large.world.owner(seed.uids[0])
    assert owner is not None
    adopted = large.world.now_is(owner)
    assert (adopted.state, adopted.source) == (AppointmentState.CONFIRMED, "calcom")
    ((staff, _, flagged),) = ledger_of(large.world, adopted)
    assert (staff, flagged) == ("fabian", conflict)
    assert large.world.calendar.bookings[seed.uids[0]].status == "accepted", "never cancelled by us"


def test_an_open_operation_is_brought_to_its_end(large: Reconciled) -> None:
    seed, now_is = one_of(large.world, "unsettled")
    assert now_is is not None
    assert (now_is.state, now_is.segments[0].uid) == (AppointmentState.CONFIRMED, seed.uids[0])


def test_everything_else_is_as_it_was_byte_for_byte(large: Reconciled) -> None:
    world, after = large.world, large.after[0]
    changed = {key for key in {*large.before, *after} if large.before.get(key) != after.get(key)}
    named = {name for seed in world.seeds for name in (*seed.appointments, *seed.uids)}
    named |= {str(world.owner(uid)) for seed in world.seeds for uid in seed.uids}
    ids = {str(each.id) for uid, each in world.calendar.bookings.items() if uid in named}
    days = {(f"#STAFF#{staff}", f"DAY#{day}") for seed in world.seeds for staff, day in seed.days}
    strange = []
    for pk, sk in changed:
        kind, name = pk.split("#")[2:4] if pk.count("#") > 2 else (pk.split("#")[2], "")
        match kind:
            case "AUDIT" | "ALERT" | "FLAG" | "CASE" | "SLOTS" | "RUN" | "REPORT":
                fine = True
            case "APPT" | "CALUID":
                fine = name in named
            case "CALID":
                fine = name in ids
            case "CUST" | "OUT":
                fine = any(f"-{each}" in name or f"-{each}|" in name for each in named)
            case "STAFF":
                fine = (f"#STAFF#{name}", sk) in days
            case _:
                fine = False
        if not fine:
            strange.append((pk, sk))
    assert strange == []
    there = {uid for uid, each in world.calendar.bookings.items() if each != large.bookings_before.get(uid)}
    assert there == {seed.uids[0] for seed in world.seeds if seed.drift == "orphan" or seed.name == "orphan, text sent"}


def test_on_days_that_were_touched_everybody_else_stays_where_they_were(large: Reconciled) -> None:
    world = large.world
    named = {name for seed in world.seeds for name in seed.appointments}
    named |= {str(world.owner(uid)) for seed in world.seeds for uid in seed.uids}
    for staff, day in {each for seed in world.seeds for each in seed.days}:
        key = keys.staff_day(world.tenant.id, staff, day)
        at = (key["pk"]["S"], key["sk"]["S"])
        if at not in large.before:
            continue
        before, now = (json.loads(each[at])["iv"]["M"] for each in (large.before, large.after[0]))
        assert {k: v for k, v in before.items() if k.partition("/")[0] not in named} == {
            k: v for k, v in now.items() if k.partition("/")[0] not in named
        }


AUDITED = {"End": "end", "CancelOrphan": "cancel_orphan", "Adopt": "adopt", "Follow": "follow", "Settle": "confirm"}


def test_each_repair_has_one_entry_with_before_and_after_and_by_whom(large: Reconciled) -> None:
    entries = large.world.kind("AUDIT")
    for seed in large.world.seeds:
        mine = [each for each in entries if each["booking"] in seed.uids]
        if seed.repair not in AUDITED:
            assert mine == []
            continue
        (entry,) = mine
        repair = "cancel_orphan" if seed.name == "orphan, text sent" else AUDITED[seed.repair]
        assert (entry["repair"], entry["by"]) == (repair, "reconciliation")
        before, after = entry["before"], entry["after"]
        match repair:
            case "end" | "cancel_orphan":
                assert before["appointment"] == seed.appointments[0]
                assert after == {}
            case "follow":
                assert before["appointment"] == after["appointment"] == entry["appt"] == seed.appointments[0]
                assert before["segments"] != after["segments"]
                assert seed.uids[-1] in after["segments"]
            case "adopt":
                assert after["state"] == "CONFIRMED"
                assert bool(before) is (seed.name == "orphan, still waiting")
    assert len(entries) == sum(seed.repair in AUDITED for seed in large.world.seeds)


def test_nobody_is_named_in_what_is_kept_or_said_about_it(large: Reconciled) -> None:
    rows = large.world.kind("AUDIT", "ALERT", "FLAG", "RUN", "REPORT")
    assert len(rows) > len(SEEDS)
    said = " ".join(map(repr, (rows, large.alerts, large.report, large.again, table_of(large.report))))
    assert [each for each in CANARIES if each in said] == []


def test_an_operator_hears_of_each_once(large: Reconciled) -> None:
    assert Counter(each.kind for each in large.alerts) == {
        alerts.DRIFT_FOUND: len(FLAGGED),
        alerts.ORPHAN_CANCELLED: 3,
        alerts.CONFLICT_ADOPTED: 1,
    }


def test_the_next_run_repairs_nothing_and_tells_nobody_again(large: Reconciled) -> None:
    assert large.again.done
    assert {each.done for each in large.again.findings} == {"flagged"}
    assert {each.booking for each in large.again.findings} == {
        seed.uids[0] for seed in large.world.seeds if seed.name in FLAGGED
    }
    assert large.world.alerts.raised == large.alerts
    assert large.after_again == large.after


def test_the_report_of_the_run_is_kept_with_its_tally(large: Reconciled) -> None:
    first, second = large.world.kind("REPORT")
    assert first["tally"] == dict(large.report.tally)
    assert first["tally"]["ours"] >= 2_000
    assert second["tally"]["repair_flagged"] == len(FLAGGED) - 1, "the one that is not there is counted by its class"


def test_a_booking_of_somebody_who_is_no_stylist_is_none_of_our_business() -> None:
    world = small()
    before = world.sides()
    stranger = world.calendar.book_publicly(CUTS["fabian"], world.gap())
    world.calendar.change(stranger.uid, host=99)
    report = world.once(world.full())
    assert (report.done, report.findings, report.requests) == (True, [], report.pages)
    assert world.sides()[0] == before[0]


def test_an_appointment_that_an_operation_holds_is_left_alone() -> None:
    world = small()
    held = world.open_one(lease=timedelta(seconds=10))
    before = world.sides()
    world.once(world.full())
    assert world.sides() == before
    assert world.now_is(held.id).state is AppointmentState.PENDING


def test_what_was_moved_to_another_day_in_place_is_no_lie_of_the_list() -> None:
    """It is not listed where we have it, and that is right: six of them stop nothing."""
    world = SeededWorld.grown(300, days=60)
    moved = [world.pick() for _ in range(MOST_CONTRADICTED + 2)]
    for mine in moved:
        there = world.calendar.bookings[str(mine.segments[0].uid)]
        month = (
            timedelta(days=40, minutes=30)
            if mine.slot.start - world.clock.now() < timedelta(days=30)
            else -timedelta(days=25)
        )
        world.calendar.change(there.uid, start=there.start + month, end=there.end + month)
    report = to_the_end(world, world.full)[-1]
    assert report.tally["contradicted"] == 0
    for mine in moved:
        assert world.now_is(mine.id).slot.start == world.calendar.bookings[str(mine.segments[0].uid)].start


def test_what_was_cancelled_and_brought_back_is_put_before_a_person() -> None:
    """Its time may be somebody else's by now."""
    world = small("ghost, cancelled there")
    (seed,) = world.seeds
    assert world.once(few_days(world)).done
    world.calendar.change(seed.uids[0], status="accepted")
    report = world.once(few_days(world))
    assert [(each.drift.value, each.repair, each.booking) for each in report.findings] == [
        ("orphan", "Flag", seed.uids[0])
    ]
    assert world.now_is(seed.appointments[0]).state is AppointmentState.CANCELLED


def test_an_old_booking_that_lives_on_beside_the_one_it_was_moved_to_is_put_before_a_person() -> None:
    world = small("start, moved")
    old, new = world.seeds[0].uids
    assert world.once(few_days(world)).done
    world.calendar.change(old, status="accepted")
    report = world.once(few_days(world))
    assert [(each.drift.value, each.booking) for each in report.findings] == [("duplicate", old)]
    assert world.now_is(world.seeds[0].appointments[0]).segments[0].uid == new


def test_a_late_booking_that_was_given_to_somebody_else_is_put_before_a_person() -> None:
    world = small("orphan, told not booked")
    (uid,) = world.seeds[0].uids
    world.calendar.change(uid, host=99)
    assert [each.done for each in world.once(few_days(world)).findings] == ["flagged"]
    assert world.calendar.bookings[uid].status == "accepted"


def test_a_poll_settles_what_is_open_by_the_booking_it_has_already() -> None:
    world = small("unsettled")
    (seed,) = world.seeds
    world.put(keys.booking_uid(world.tenant.id, seed.uids[0]) | to_wire({"appt": seed.appointments[0], "seg": 0}))
    report = world.once(world.poll())
    assert [(each.drift.value, each.done) for each in report.findings] == [("unsettled", "settled")]


def test_what_lasts_over_midnight_is_listed_where_it_begins() -> None:
    """Lists ask for both ends within their window: on the last day of a step the end lies outside of it."""
    world = SeededWorld.grown(0)
    for number in range(91):
        start = world.clock.now().replace(hour=23, minute=45, second=0) + timedelta(days=number)
        made = world.add("udo", start)
        for day in made.slot.utc_days():
            world.block(made, IntervalState.CONFIRMED, day)
    report = world.once(world.full())
    assert (report.done, report.findings, report.tally["contradicted"]) == (True, [], 0)
    assert report.requests == report.pages


# ---- What takes something away


def exceeding(count: int = MOST_DESTRUCTIVE + 1) -> SeededWorld:
    """More was cancelled there than is cancelled on an ordinary day."""
    return small(*["ghost, cancelled there"] * count, size=120, days=4)


def test_more_cancellations_than_are_ordinary_stop_the_run_and_change_nothing() -> None:
    world = exceeding()
    before = world.sides()
    report = world.once(world.full())
    assert report.stopped is Stopped.BLAST_LIMIT
    assert [each.done for each in report.findings] == ["not done: blast limit"] * (MOST_DESTRUCTIVE + 1)
    assert [(each.kind, each.facts) for each in world.alerts.raised] == [
        (alerts.BLAST_LIMIT, {"planned": "6", "most": "5", "run": "full"})
    ]
    assert world.sides() == before


def test_as_many_as_are_ordinary_are_done() -> None:
    world = exceeding(MOST_DESTRUCTIVE)
    assert world.once(world.full()).done
    assert {world.now_is(each.appointments[0]).state for each in world.seeds} == {AppointmentState.CANCELLED}


def test_an_operator_may_let_it_pass() -> None:
    world = exceeding()
    report = world.once(world.full(), limits=Limits(most_destructive=6))
    assert report.done
    assert [each.done for each in report.findings] == ["ended"] * 6


def test_a_poll_has_the_same_limit() -> None:
    world = exceeding()
    before = world.sides()
    assert world.once(world.poll()).stopped is Stopped.BLAST_LIMIT
    assert world.sides() == before
    assert kinds(world.alerts) == {alerts.BLAST_LIMIT: 1}


def test_what_was_only_late_counts_as_well_since_it_may_end_in_a_cancellation() -> None:
    """Six whose text is out already: each looks like a booking to take over until its text is seen."""
    world = small(*["orphan, text sent"] * (MOST_DESTRUCTIVE + 1), size=120, days=4)
    before = world.sides()
    assert world.once(world.full()).stopped is Stopped.BLAST_LIMIT
    assert world.sides() == before


@pytest.mark.parametrize(("rows", "most"), [(3, 2), (20, 2), (30, 3), (50, 5), (120, 5)])
def test_the_limit_is_a_tenth_of_what_is_looked_at_and_two_are_always_ordinary(rows: int, most: int) -> None:
    for count, stopped in ((most, None), (most + 1, Stopped.BLAST_LIMIT)):
        if count > rows:
            continue
        world = SeededWorld.grown(rows, days=2)
        for mine in world.known[:count]:
            world.calendar.change(str(mine.segments[0].uid), status="cancelled")
        assert world.once(world.full()).stopped is stopped, count


def test_what_was_taken_away_counts_for_the_whole_run_however_often_it_is_cut() -> None:
    world = SeededWorld.grown(300, days=60)
    month = world.clock.now() + timedelta(days=29)
    soon, late = [[each for each in world.known if (each.slot.start < month) is is_soon] for is_soon in (True, False)]
    for mine in (*soon[:3], *late[-3:]):
        world.calendar.change(str(mine.segments[0].uid), status="cancelled")
    report = world.once(world.full(), limits=Limits(requests=6))  # a page, three looks, two cancellations
    assert (report.stopped, report.tally["destructive"]) == (Stopped.BUDGET, 2)
    *_, again = to_the_end(world, world.full, until={Stopped.BLAST_LIMIT}, limits=Limits(requests=4))
    assert (again.tally["destructive"], again.tally["not_done"]) == (3, 3)
    gone = [each.id for each in world.known if world.now_is(each.id).state is AppointmentState.CANCELLED]
    assert gone == [each.id for each in soon[:3]]


def test_beyond_the_limit_the_run_goes_on_and_does_what_takes_nothing_away() -> None:
    """Six were cancelled in the first days; a booking further on has a new end, and another one is new."""
    world = SeededWorld.grown(300, days=60)
    for mine in world.known[: MOST_DESTRUCTIVE + 1]:
        world.calendar.change(str(mine.segments[0].uid), status="cancelled")
    moved = world.known[-1]
    world.calendar.change(str(moved.segments[0].uid), end=moved.slot.end + timedelta(minutes=15))
    new = world.calendar.book_publicly(CUTS["fabian"], moved.slot.start + timedelta(hours=12))
    for kind in ("full", "poll"):
        report = world.once(getattr(world, kind)())
        assert (report.stopped, report.tally["not_done"]) == (Stopped.BLAST_LIMIT, MOST_DESTRUCTIVE + 1)
        assert [each.done for each in report.findings].count(NOT_DONE) == MOST_DESTRUCTIVE + 1
        assert world.now_is(moved.id).slot.end == moved.slot.end + timedelta(minutes=15)
        assert world.owner(new.uid) is not None
    assert not [each for each in world.known if world.now_is(each.id).state is AppointmentState.CANCELLED]
    assert kinds(world.alerts) == {alerts.BLAST_LIMIT: 2}, "once a run"


def test_a_poll_leaves_it_to_a_person_and_rings_once_until_the_person_has_decided() -> None:
    """What was not done is found again by every poll, done by none of them, and no other one is done meanwhile."""
    world = exceeding(MOST_DESTRUCTIVE + 4)
    world.calendar.page_size = 7
    for _ in range(4):
        report = world.once(world.poll())
        assert (report.stopped, report.tally["destructive"]) == (Stopped.BLAST_LIMIT, 0)
        assert report.tally["not_done"] == MOST_DESTRUCTIVE + 4
        world.clock.advance(300)
    assert kinds(world.alerts) == {alerts.BLAST_LIMIT: 1}
    assert len(world.kind("REPORT")) == 4
    world.once(world.full(), limits=Limits(most_destructive=20))
    cleared = world.poll()
    assert world.once(cleared).done
    assert world.poll().since == cleared.started - OVERLAP
    one = world.pick()
    world.calendar.change(str(one.segments[0].uid), status="cancelled")
    assert world.once(world.poll()).done
    assert world.now_is(one.id).state is AppointmentState.CANCELLED


@pytest.mark.parametrize("trouble", ["looks without an answer", "a list that shows nothing"])
def test_the_limit_of_polls_is_not_over_because_one_of_them_could_not_see_what_was_left(trouble: str) -> None:
    world = exceeding()
    world.once(world.poll())
    since, readable = world.poll().since, world.calendar.booking
    world.clock.advance(300)
    if trouble == "looks without an answer":
        world.calendar.booking = lambda uid, *, deadline: Unclear("HTTP 503")
    else:
        world.calendar.list_faults.append(empty)
    report = world.once(world.poll())
    assert (report.stopped, report.tally["destructive"]) == (Stopped.BLAST_LIMIT, 0)
    assert (world.poll().since, world.runs.current(world.tenant.id, RunKind.POLL).limited) == (since, True)
    world.calendar.booking = readable
    world.clock.advance(300)
    report = world.once(world.poll())
    assert (report.stopped, report.tally["not_done"]) == (Stopped.BLAST_LIMIT, MOST_DESTRUCTIVE + 1)
    assert not [each for each in world.seeds if world.now_is(each.appointments[0]).state is AppointmentState.CANCELLED]
    assert kinds(world.alerts) == {alerts.BLAST_LIMIT: 1}


# ---- What a poll does not come to an end with


def polled_for(world: SeededWorld, time: timedelta) -> list[Report]:
    """Every five minutes, for so long."""
    reports = []
    for _ in range(time // timedelta(minutes=5)):
        reports.append(world.once(world.poll()))
        world.clock.advance(300)
    return reports


@pytest.mark.parametrize("away", ["cancelling", "looks"])
def test_what_could_not_be_done_during_an_outage_is_done_after_it(away: str) -> None:
    """Its caller heard "nicht gebucht", and the outage is longer than what a poll reaches back."""
    world = SeededWorld.grown(60, days=20)
    _, late = world.failed(told=Told.NOT_BOOKED, text=None)
    cancel, readable = world.calendar.cancel, world.calendar.booking
    if away == "cancelling":
        world.calendar.cancel = lambda uid, reason, *, deadline: NotSent("circuit open", retry_after_s=30)
    else:
        world.calendar.booking = lambda uid, *, deadline: Unclear("HTTP 503")
    assert all(each.done for each in polled_for(world, 4 * OVERLAP))
    world.calendar.cancel, world.calendar.booking = cancel, readable
    assert world.once(world.poll()).done
    assert world.calendar.bookings[late.uid].status == "cancelled"
    world.clock.advance(300)
    quiet = world.once(world.poll())
    assert (quiet.requests, quiet.findings) == (1, []), "it waits no longer"
    assert kinds(world.alerts) == {alerts.ORPHAN_CANCELLED: 1}


def test_what_polls_come_to_no_end_with_for_a_day_is_told_once_and_left_to_the_night() -> None:
    world = SeededWorld.grown(60, days=20)
    failed, late = world.failed(told=Told.NOT_BOOKED, text=None)
    world.calendar.cancel = lambda uid, reason, *, deadline: NotSent("circuit open", retry_after_s=30)
    polled_for(world, LEFT_FOR)
    assert kinds(world.alerts) == Counter()
    polled_for(world, 4 * OVERLAP)
    assert [(each.kind, each.facts["drift"], each.facts["booking_uid"]) for each in world.alerts.raised] == [
        (alerts.DRIFT_FOUND, "left", late.uid)
    ]
    world.calendar.asked.clear()
    polled_for(world, timedelta(minutes=15))
    assert world.calendar.asked == ["list"] * 3
    del world.calendar.cancel
    assert world.once(world.full()).done
    assert world.calendar.bookings[late.uid].status == "cancelled"
    assert world.now_is(failed.id).state is AppointmentState.FAILED


def test_what_waits_for_a_later_poll_is_looked_at_a_few_at_a_time() -> None:
    """More than an invocation may ask: new rows come first, and the rest is gone through in the next ones."""
    world, gone = waiting_for_a_person(30, cancelled=4)
    readable = world.calendar.booking
    world.calendar.booking = lambda uid, *, deadline: Unclear("HTTP 503")
    polled_for(world, 4 * OVERLAP)
    world.calendar.booking = readable
    world.calendar.asked.clear()
    new = world.calendar.book_publicly(CUTS["fabian"], world.clock.now() + timedelta(days=3))
    assert world.once(world.poll(), limits=Limits(requests=6)).stopped is Stopped.BUDGET
    assert world.owner(new.uid) is not None
    to_the_end(world, world.poll, limits=Limits(requests=6))
    assert world.calendar.asked.count("get") <= 1 + 30 + 4 + 4, "each once, and what was put off once more"
    assert {world.now_is(each.id).state for each in gone} == {AppointmentState.CANCELLED}
    assert kinds(world.alerts) == {alerts.DRIFT_FOUND: 30}


# ---- However much there is to look at


def waiting_for_a_person(count: int, *, cancelled: int = 0, **there: Any) -> tuple[SeededWorld, list[Appointment]]:
    """One day with so many bookings that differ anew each time, and before them some that were cancelled."""
    world = SeededWorld.grown(count + cancelled, days=1)
    gone, others = world.known[:cancelled], world.known[cancelled:]
    for mine in gone:
        world.calendar.change(str(mine.segments[0].uid), status="cancelled")
    for mine in others:
        world.calendar.change(str(mine.segments[0].uid), **(there or {"status": "pending"}))
    return world, gone


@pytest.mark.parametrize("requests", [6, 20, REQUESTS])
@pytest.mark.parametrize("kind", ["poll", "full"])
def test_what_was_put_off_passes_with_the_rest_and_is_done_in_the_end(kind: str, requests: int) -> None:
    """Of more than a page, more than an invocation may ask: the run comes to its end all the same."""
    world, gone = waiting_for_a_person(270, cancelled=3)
    reports = to_the_end(world, getattr(world, kind), limits=Limits(requests=requests), most=200)
    assert {world.now_is(each.id).state for each in gone} == {AppointmentState.CANCELLED}
    assert reports[-1].tally["destructive"] == 3
    assert kinds(world.alerts) == {alerts.DRIFT_FOUND: 270}
    looks = world.calendar.asked.count("get")
    assert looks <= 270 + 3 + 3, "each once, and what was put off once more"


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_rows_of_another_tenant_of_the_account_keep_nothing_waiting(kind: str) -> None:
    """Labelled as ours would be, and of nobody here: looked at each time, and nothing comes of it."""
    world = SeededWorld.grown(12, days=1)
    template = world.calendar.bookings[str(world.known[0].segments[0].uid)]
    labels = {"appointment": "theirs", "op_id": "theirs", "segment": "0"}
    for number in range(200):
        row = replace(template, uid=f"t{number}", id=number, host=77, metadata=labels, updated_at=world.clock.now())
        world.calendar.bookings[row.uid] = row
    mine = world.known[-1]
    world.calendar.change(str(mine.segments[0].uid), end=mine.slot.end + timedelta(minutes=15))
    to_the_end(world, getattr(world, kind), most=8)
    assert world.now_is(mine.id).slot.end == mine.slot.end + timedelta(minutes=15)


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_what_was_booked_by_voice_at_another_salon_costs_no_look(kind: str) -> None:
    """One key serves all salons: each one's lists show the others' bookings. What names one of ours is looked at."""
    world = SeededWorld.grown(12, days=1)
    mine = world.pick()
    template, now = world.calendar.bookings[str(mine.segments[0].uid)], world.clock.now()
    for number, name in enumerate([*(f"theirs{each}" for each in range(200)), "", "x" * 3_000, mine.id]):
        labels = {"appointment": name, "op_id": mine.op, "segment": "0"}
        row = replace(template, uid=f"t{number}", id=number, host=77, metadata=labels, updated_at=now)
        world.calendar.bookings[row.uid] = row
    report = world.once(getattr(world, kind)())
    assert [(each.drift, each.booking) for each in report.findings] == [(Drift.DUPLICATE, row.uid)]
    assert (report.done, world.calendar.asked.count("get")) == (True, 2), "it, and the one that stands"


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_what_was_put_off_is_looked_at_anew_before_it_is_taken_away(kind: str) -> None:
    """Between two invocations somebody brought it back."""
    world, (mine,) = waiting_for_a_person(80, cancelled=1)
    assert world.once(getattr(world, kind)()).stopped is Stopped.BUDGET
    world.calendar.change(str(mine.segments[0].uid), status="accepted")
    report = to_the_end(world, getattr(world, kind))[-1]
    assert report.tally["destructive"] == 0
    assert world.now_is(mine.id).state is AppointmentState.CONFIRMED


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_a_run_that_comes_no_further_is_heard_of_once_and_again_a_day_later(kind: str) -> None:
    world = small("end")
    for number in range(1, STUCK_AGAIN + 2):
        world.calendar.list_faults.append(lambda *_: Unclear("HTTP 502"))
        assert world.once(getattr(world, kind)()).stopped is Stopped.CALENDAR
        rung = 0 if number < STUCK_AFTER else 1 + (number >= STUCK_AGAIN)
        assert kinds(world.alerts)[alerts.RECONCILIATION_STUCK] == rung, number
    assert world.alerts.raised[0].facts == {"run": kind, "invocations": str(STUCK_AFTER)}
    to_the_end(world, getattr(world, kind))


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_a_run_that_gets_on_slowly_is_not_stuck(kind: str) -> None:
    world, _ = waiting_for_a_person(40)
    to_the_end(world, getattr(world, kind), limits=Limits(requests=3), most=60)
    assert alerts.RECONCILIATION_STUCK not in kinds(world.alerts)


# ---- Lists that lie

Lie = Callable[[FakeCalendar, ListQuery, int], Page | CalendarTrouble]


def half(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    page = calendar.listed(query, skip)
    return Page(page.bookings[::2], page.more)


def empty(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    return Page((), more=False)


def doubled(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    page = calendar.listed(query, skip)
    return Page(tuple(each for each in page.bookings for _ in range(2)), page.more)


def doubled_across(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    """Each page begins with half of the one before."""
    return calendar.listed(query, max(0, skip - calendar.page_size // 2))


def stale_cancelled(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    page = calendar.listed(query, skip)
    return Page(tuple(replace(each, status="cancelled") for each in page.bookings), page.more)


def stale_start(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    page = calendar.listed(query, skip)
    hour = timedelta(hours=1)
    return Page(tuple(replace(each, start=each.start + hour, end=each.end + hour) for each in page.bookings), page.more)


def stale_host(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    page = calendar.listed(query, skip)
    return Page(tuple(replace(each, host=99) for each in page.bookings), page.more)


def made_up(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    page = calendar.listed(query, skip)
    return Page(tuple(replace(each, uid=f"no{each.uid}", status="accepted") for each in page.bookings), page.more)


def nothing_and_more(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    return Page((), more=True)


def the_first_page_for_ever(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
    return Page(calendar.listed(query, 0).bookings, more=True)


LIES = (half, empty, doubled, doubled_across, stale_cancelled, stale_start, stale_host, made_up)
ENDLESS = (nothing_and_more, the_first_page_for_ever)


def lied_to(lie: Lie, *, size: int = 200, days: int = 12) -> SeededWorld:
    world = SeededWorld.grown(size, days=days)
    world.calendar.page_size = 40
    world.calendar.list_faults.extend([lie] * 2_000)
    return world


@pytest.mark.parametrize("lie", [*LIES, *ENDLESS], ids=lambda each: each.__name__)
def test_a_list_that_lies_changes_nothing_costs_little_and_pages(lie: Lie) -> None:
    world = lied_to(lie)
    before = world.sides()
    report = world.once(world.full())
    assert report.stopped is Stopped.LIST_CONTRADICTED
    assert report.requests == len(world.calendar.asked) <= REQUESTS
    assert world.sides() == before
    assert kinds(world.alerts) == {alerts.LIST_CONTRADICTED: 1}
    assert [each.done for each in report.findings] == []


@pytest.mark.parametrize(
    "lie", [doubled, stale_cancelled, stale_start, made_up, *ENDLESS], ids=lambda each: each.__name__
)
def test_the_same_of_a_poll(lie: Lie) -> None:
    world = lied_to(lie)
    for uid in list(world.calendar.bookings):
        world.calendar.change(uid)
    before = world.sides()
    report = world.once(world.poll())
    assert report.stopped is Stopped.LIST_CONTRADICTED
    assert report.requests == len(world.calendar.asked) <= REQUESTS
    assert world.sides() == before
    assert kinds(world.alerts) == {alerts.LIST_CONTRADICTED: 1}


def test_a_poll_of_an_empty_list_concludes_nothing() -> None:
    world = lied_to(empty)
    before = world.sides()
    assert world.once(world.poll()).done
    assert world.sides() == before


def test_a_list_may_be_wrong_as_often_as_the_world_moves_under_it() -> None:
    """A booking that changes between the list and the look at it is no lie yet; one more than five is."""
    for wrong, stopped in ((MOST_CONTRADICTED, None), (MOST_CONTRADICTED + 1, Stopped.LIST_CONTRADICTED)):
        world = SeededWorld.grown(60, days=4)

        def lie(calendar: FakeCalendar, query: ListQuery, skip: int, wrong: int = wrong) -> Page:
            page = calendar.listed(query, skip)
            rows = [replace(each, status="cancelled") for each in page.bookings[:wrong]]
            return Page((*rows, *page.bookings[wrong:]), page.more)

        world.calendar.list_faults.append(lie)
        before = world.sides()
        assert world.once(world.full()).stopped is stopped
        assert world.sides() == before


def test_what_the_list_leaves_out_for_good_stops_a_run_once_and_what_is_behind_it_is_found() -> None:
    """Of more bookings than a list may be wrong about; a look at each of them shows it."""
    world = SeededWorld.grown(300, days=80)
    hidden = [str(each.segments[0].uid) for each in world.known if each.staff == "emma"][: MOST_CONTRADICTED + 2]
    world.calendar.list_faults.extend([hiding(*hidden)] * 200)
    behind = [each for each in world.known if each.staff == "fabian"][-1]
    del world.calendar.bookings[str(behind.segments[0].uid)]
    stops = []
    while None not in stops:
        stops.append(world.once(world.full()).stopped)
        world.clock.advance(300)
        assert len(stops) < 10
    assert stops == [Stopped.LIST_CONTRADICTED, Stopped.SECOND_LOOK, None]
    assert kinds(world.alerts) == {alerts.LIST_CONTRADICTED: 1, alerts.DRIFT_FOUND: 1}
    assert world.alerts.raised[-1].facts["appointment"] == behind.id


def test_what_a_list_shows_as_it_is_not_for_good_stops_a_poll_once() -> None:
    world = SeededWorld.grown(60, days=4)
    rows = [str(each.segments[0].uid) for each in world.known[: MOST_CONTRADICTED + 2]]
    for uid in rows:
        world.calendar.change(uid)
    new = world.calendar.book_publicly(CUTS["fabian"], world.clock.now() + timedelta(days=3))
    world.calendar.list_faults.extend([stale_cancelled] * 10)
    assert [world.once(world.poll()).stopped for _ in range(2)] == [Stopped.LIST_CONTRADICTED, None]
    world.calendar.list_faults.clear()
    assert world.once(world.poll()).done
    assert world.owner(new.uid) is not None


@pytest.mark.parametrize("lie", [doubled, *ENDLESS], ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", ["poll", "full"])
def test_a_list_that_keeps_a_run_from_its_end_does_so_no_longer_than_an_operator_waits(kind: str, lie: Lie) -> None:
    world = lied_to(lie)
    for uid in list(world.calendar.bookings):
        world.calendar.change(uid)
    before = world.sides()
    stops = []
    while None not in stops:
        stops.append(world.once(getattr(world, kind)()).stopped)
        world.clock.advance(300)
        assert len(stops) < 100, Counter(stops)
    assert stops[:STUCK_AFTER] == [Stopped.LIST_CONTRADICTED] * STUCK_AFTER
    assert kinds(world.alerts)[alerts.RECONCILIATION_STUCK] >= 1
    assert world.sides() == before


def test_rows_that_a_page_should_have_shown_are_read_when_the_list_is_honest_again() -> None:
    world = SeededWorld.grown(60, days=4)
    world.calendar.page_size = 10
    for uid in list(world.calendar.bookings):
        world.calendar.change(uid)
    new = world.calendar.book_publicly(CUTS["fabian"], world.clock.now() + timedelta(days=3))
    world.calendar.list_faults.extend([the_first_page_for_ever] * (3 + MOST_CONTRADICTED + 3))
    while (report := world.once(world.poll())).stopped is Stopped.LIST_CONTRADICTED:
        assert world.poll().skip == 0
    assert report.done
    assert world.owner(new.uid) is not None


def test_a_run_whose_progress_is_not_kept_goes_through_a_list_that_lies_and_says_so() -> None:
    """It has no next time; what it finds, it finds by looks at the bookings."""
    world = small("ghost, cancelled there", size=60)
    world.calendar.list_faults.extend([half] * 100)
    report = world.once(world.full(), limits=replace(MANY, apply=False))
    assert (report.stopped, report.tally["ours"]) == (Stopped.LIST_CONTRADICTED, 60)
    assert [(each.repair, each.done) for each in report.findings] == [("End", "planned")]


def test_rows_of_other_hosts_are_none_of_our_business() -> None:
    world = SeededWorld.grown(60, days=4)
    for number in range(300):
        there = world.calendar.book_publicly(CUTS["udo"], world.clock.now() + timedelta(hours=number % 48))
        world.calendar.change(there.uid, host=1000 + number % 7)
    before = world.sides()
    report = world.once(world.full())
    assert (report.done, report.findings, kinds(world.alerts)) == (True, [], Counter())
    assert report.requests == report.pages == STEPS + 1
    assert world.sides() == before


def test_a_second_page_that_fails_keeps_what_is_done_and_goes_on_next_time() -> None:
    world = small("host", "end", "ghost, cancelled there", "foreign", size=200, days=12)
    world.calendar.page_size = 40
    world.calendar.list_faults.extend([FakeCalendar.listed, lambda *_: Unclear("HTTP 502")])
    before = world.sides()
    report = world.once(world.full())
    assert (report.stopped, report.pages) == (Stopped.CALENDAR, 1)
    assert world.sides() == before, "nothing is concluded from a part of a list"
    assert kinds(world.alerts) == Counter()
    assert to_the_end(world, world.full)[-1].done
    assert world.once(world.full()).findings == []


def test_the_second_page_of_a_poll_fails_and_the_first_is_done() -> None:
    world = small("host", "end", "foreign", size=24)
    world.calendar.page_size = 2
    world.calendar.list_faults.extend([FakeCalendar.listed, lambda *_: Unclear("HTTP 502")])
    report = world.once(world.poll())
    assert report.stopped is Stopped.CALENDAR
    assert len(report.findings) == 2
    kept = world.poll()
    assert kept.skip == 2
    rest = to_the_end(world, world.poll)
    assert [len(each.findings) for each in rest] == [1]
    assert world.once(world.full()).findings == []


# ---- Two strikes


def hiding(*uids: str) -> Lie:
    def lie(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
        page = calendar.listed(query, skip)
        return Page(tuple(each for each in page.bookings if each.uid not in uids), page.more)

    return lie


def test_what_the_list_leaves_out_and_a_look_finds_is_kept() -> None:
    world = small()
    uid = str(world.pick().segments[0].uid)
    world.calendar.list_faults.append(hiding(uid))
    before = world.sides()
    report = world.once(world.full())
    assert (report.done, report.findings, report.tally["contradicted"]) == (True, [], 1)
    assert world.sides() == before
    assert kinds(world.alerts) == Counter()


def test_what_the_list_leaves_out_and_a_look_shows_cancelled_is_ended() -> None:
    world = small("ghost, cancelled there")
    (seed,) = world.seeds
    world.calendar.list_faults.append(hiding(*seed.uids))
    report = world.once(world.full())
    assert [(each.repair, each.done) for each in report.findings] == [("End", "ended")]
    assert world.now_is(seed.appointments[0]).state is AppointmentState.CANCELLED


def test_what_neither_the_list_nor_a_look_finds_is_put_before_a_person_and_kept() -> None:
    """Cal.com's reads lag: a 404 frees no time."""
    world = small("ghost, not there")
    (seed,) = world.seeds
    report = whole_run(world, world.full)
    assert [(each.repair, each.done) for each in report.findings] == [("flag", "flagged")]
    kept = world.now_is(seed.appointments[0])
    assert kept.state is AppointmentState.CONFIRMED
    assert len(ledger_of(world, kept)) == 1


def test_what_cannot_be_read_is_left_for_the_next_run() -> None:
    world = small("ghost, cancelled there", "end", "ghost, not there")
    before = world.sides()
    readable = world.calendar.booking
    world.calendar.booking = lambda uid, *, deadline: Unclear("HTTP 500")
    report = world.once(world.full())
    assert (report.done, report.findings) == (True, [])
    assert report.tally["unreadable"] == 3
    assert world.sides() == before
    world.calendar.booking = readable
    assert len(whole_run(world, world.full).findings) == 3


def test_a_booking_is_read_once_more_before_it_is_cancelled() -> None:
    """It was cancelled by somebody meanwhile: then there is nothing to do, to write down or to tell."""
    world = small("orphan, told not booked")
    readable, reads = world.calendar.booking, []

    def gone_at_the_second(uid: str, *, deadline: Any) -> Any:
        reads.append(uid)
        if len(reads) == 2:
            world.calendar.change(uid, status="cancelled")
        return readable(uid, deadline=deadline)

    world.calendar.booking = gone_at_the_second
    report = world.once(world.full())
    assert [each.done for each in report.findings] == ["equal"]
    assert "cancel" not in world.calendar.asked
    assert (world.kind("AUDIT"), world.alerts.raised) == ([], [])


# ---- What cannot be had


def test_one_look_that_finds_nothing_proves_nothing_and_the_second_comes_later() -> None:
    """In the same run, half a minute later at least; the run does not end before."""
    world = small("ghost, not there")
    first = world.once(world.full())
    assert (first.stopped, first.findings, kinds(world.alerts)) == (Stopped.SECOND_LOOK, [], Counter())
    world.clock.advance(AGAIN.total_seconds() - 1)
    early = world.once(world.full())
    assert (early.stopped, early.findings, early.requests) == (Stopped.SECOND_LOOK, [], 0)
    world.clock.advance(1)
    report = world.once(world.full())
    assert (report.done, [each.done for each in report.findings]) == (True, ["flagged"])
    assert kinds(world.alerts) == {alerts.DRIFT_FOUND: 1}


def test_what_only_the_first_look_missed_is_as_it_was() -> None:
    """A replica that lags hid it, from the list as well."""
    world = small()
    uid = str(world.pick().segments[0].uid)
    world.calendar.hidden[uid] = world.clock.now() + timedelta(seconds=20)
    before = world.sides()
    reports = to_the_end(world, world.full)
    assert [each.stopped for each in reports] == [Stopped.SECOND_LOOK, None]
    assert [each.findings for each in reports] == [[], []]
    assert world.sides() == before
    assert kinds(world.alerts) == Counter()


def test_what_the_run_before_missed_is_believed_at_once() -> None:
    world = small("ghost, not there")
    whole_run(world, world.full)
    world.clock.advance(86_400)
    report = world.once(world.full())
    assert (report.done, [each.done for each in report.findings]) == (True, ["flagged"])


def test_more_that_are_not_there_than_can_be_remembered_are_all_told_over_the_nights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(strikes, "MOST_STRIKES", 4)
    world = SeededWorld.grown(60, days=4)
    gone = [each for each in world.known if each.staff == "fabian"][:10]
    for mine in gone:
        del world.calendar.bookings[str(mine.segments[0].uid)]
    told = []
    for _ in range(3):
        whole_run(world, world.full)
        told.append(kinds(world.alerts)[alerts.DRIFT_FOUND])
        world.clock.advance(86_400)
    assert told == [4, 8, 10]
    assert {each.facts["appointment"] for each in world.alerts.raised} == {each.id for each in gone}


def test_a_run_whose_progress_is_not_kept_waits_for_the_second_look() -> None:
    world = small("ghost, not there")
    began = world.clock.monotonic()
    report = world.once(world.full(), limits=Limits(apply=False))
    assert (report.done, [each.done for each in report.findings]) == (True, ["planned"])
    assert AGAIN.total_seconds() <= world.clock.monotonic() - began < 2 * AGAIN.total_seconds()


GARBAGE = Unclear("HTTP 200")


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_a_booking_of_ours_that_cannot_be_read_for_days_is_put_before_a_person_once(listed: bool) -> None:
    world = SeededWorld.grown(90, days=30)
    mine = world.known[-1]
    uid = str(mine.segments[0].uid)
    world.calendar.change(uid, end=mine.slot.end + timedelta(minutes=15))
    hide, readable = hiding(uid), world.calendar.booking
    world.calendar.booking = lambda name, *, deadline: GARBAGE if name == uid else readable(name, deadline=deadline)
    began, told = world.clock.now(), []
    for _ in range(5):
        if not listed:
            world.calendar.list_faults.append(hide)
        report = world.once(world.full())
        assert report.done
        told.append(kinds(world.alerts)[alerts.DRIFT_FOUND])
        flagged = [(each.drift.value, each.done) for each in report.findings]
        assert flagged == ([("unreadable", "flagged")] if world.clock.now() - began >= UNREADABLE_FOR else [])
        world.calendar.list_faults.clear()
        world.clock.advance(86_400)
    assert told == [0, 0, 1, 1, 1], "the third night"
    assert world.alerts.raised[0].facts["booking_uid"] == uid


def test_a_night_in_which_it_could_be_read_begins_the_count_anew() -> None:
    world = SeededWorld.grown(90, days=30)
    uid = str(world.known[-1].segments[0].uid)
    world.calendar.change(uid, end=world.known[-1].slot.end + timedelta(minutes=15))
    readable = world.calendar.booking
    garbled = lambda name, *, deadline: GARBAGE  # noqa: E731
    for night in (garbled, garbled, readable, garbled, garbled):
        world.calendar.booking = night
        world.once(world.full())
        world.clock.advance(86_400)
        if night is readable:
            world.calendar.change(uid, end=world.calendar.bookings[uid].end + timedelta(minutes=15))
    assert kinds(world.alerts) == Counter()


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_what_lies_hidden_behind_a_change_in_the_future_is_put_before_a_person(kind: str) -> None:
    """Once Cal.com has said that it was changed next year, every true change looks older than what we know."""
    world = small("end")
    (seed,) = world.seeds
    row = world.calendar.bookings[seed.uids[0]]
    world.calendar.bookings[row.uid] = replace(row, updated_at=world.clock.now() + timedelta(days=365))
    assert world.once(world.poll()).done
    world.clock.advance(600)
    world.calendar.change(row.uid, end=row.end + timedelta(minutes=15))
    for _ in range(2):
        report = world.once(getattr(world, kind)())
        assert [(each.drift.value, each.booking, each.done) for each in report.findings] == [
            ("unreadable", row.uid, "flagged")
        ]
    assert kinds(world.alerts) == {alerts.DRIFT_FOUND: 1}


# ---- Pages


def lacking(*uids: str) -> Lie:
    """The page of a replica on which these are not there yet: all behind them moves up."""

    def lie(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
        known = calendar.bookings
        calendar.bookings = {uid: each for uid, each in known.items() if uid not in uids}
        try:
            return calendar.listed(query, skip)
        finally:
            calendar.bookings = known

    return lie


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_a_second_page_that_lacks_rows_of_the_first_leaves_none_out(kind: str) -> None:
    world = SeededWorld.grown(280, days=2)
    rows = list(world.calendar.bookings)
    for uid in rows:
        world.calendar.change(uid)
    behind = [world.calendar.book_publicly(CUTS["fabian"], world.clock.now() + timedelta(days=1)) for _ in range(5)]
    order = [*rows[: 250 - 2], *[each.uid for each in behind], *rows[250 - 2 :]]  # two on the first page, three behind
    world.calendar.bookings = {uid: world.calendar.bookings[uid] for uid in order}
    world.calendar.list_faults.extend([FakeCalendar.listed, lacking(*rows[:ROWS_TWICE])])
    report = to_the_end(world, getattr(world, kind))[-1]
    assert report.tally["contradicted"] == 0
    assert [each.uid for each in behind if world.owner(each.uid) is None] == []


@pytest.mark.parametrize("kind", ["poll", "full"])
def test_what_goes_on_in_the_middle_of_a_page_leaves_none_out_either(kind: str) -> None:
    """The same where a run was cut off: the next invocation's list comes from a replica that lags."""
    world, _ = waiting_for_a_person(120)
    last = world.known[-1]
    world.calendar.change(str(last.segments[0].uid), status="accepted", end=last.slot.end + timedelta(minutes=15))
    assert world.once(getattr(world, kind)()).stopped is Stopped.BUDGET
    world.calendar.list_faults.append(lacking(*list(world.calendar.bookings)[:ROWS_TWICE]))
    to_the_end(world, getattr(world, kind))
    assert world.now_is(last.id).slot.end == last.slot.end + timedelta(minutes=15)
    assert kinds(world.alerts)[alerts.DRIFT_FOUND] == 119


# ---- Budgets

POLLED = [name for name in SEEDS if name not in UNSEEN_BY_A_POLL]
RUNS = {"full": list(SEEDS), "poll": POLLED}


def whole(kind: str) -> tuple[SeededWorld, list[Report]]:
    world = varied(kind)
    return world, to_the_end(world, runs_of(world, kind), limits=MANY)


def varied(kind: str) -> SeededWorld:
    """Every class of difference, on several pages."""
    world = small(*RUNS[kind], size=72, days=8)
    world.calendar.page_size = 50
    return world


def runs_of(world: SeededWorld, kind: str) -> Callable[[], Any]:
    """The run to go on with, over no more days than there is something on."""
    return world.poll if kind == "poll" else lambda: world.full(ahead=9)


@pytest.mark.parametrize("kind", RUNS)
def test_cut_after_any_request_the_next_invocations_finish_it(kind: str) -> None:
    uncut, reports = whole(kind)
    wanted, end = facts(reports), uncut.sides()
    assert len(wanted) == len(RUNS[kind])
    for requests in range(reports[0].requests - 3):
        world = varied(kind)
        run = runs_of(world, kind)
        first = world.once(run(), limits=Limits(requests=requests))
        # One look may cost a few requests more than it was let in for: a chain to follow, a booking to cancel.
        assert first.stopped is Stopped.BUDGET
        assert requests <= first.requests <= requests + 3
        rest = to_the_end(world, run)
        assert facts([first, *rest]) == wanted, requests
        assert world.sides() == end, requests
        assert kinds(world.alerts) == kinds(uncut.alerts), requests
        assert rest[-1].tally["destructive"] == reports[0].tally["destructive"], requests


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("requests", [12, 20])
def test_a_few_requests_at_a_time_are_enough_in_the_end(kind: str, requests: int) -> None:
    uncut, reports = whole(kind)
    world = varied(kind)
    chopped = to_the_end(world, runs_of(world, kind), limits=Limits(requests=requests))
    assert facts(chopped) == facts(reports)
    assert world.sides() == uncut.sides()
    assert kinds(world.alerts) == kinds(uncut.alerts)


@pytest.mark.parametrize("kind", RUNS)
def test_what_only_a_person_can_mend_keeps_nothing_else_waiting(kind: str) -> None:
    """A hundred bookings that wait for their confirmation at Cal.com differ anew in every run."""
    world = SeededWorld.grown(400, days=14)
    for mine in world.known[:100]:
        world.calendar.change(str(mine.segments[0].uid), status="pending")
    moved = world.known[-1]
    world.calendar.change(str(moved.segments[0].uid), end=moved.slot.end + timedelta(minutes=15))
    reports = to_the_end(world, getattr(world, kind), most=12)
    assert world.now_is(moved.id).slot.end == moved.slot.end + timedelta(minutes=15)
    assert kinds(world.alerts) == {alerts.DRIFT_FOUND: 100}
    assert all(each.requests <= REQUESTS for each in reports)


def test_a_first_run_takes_over_a_whole_calendar_in_bites() -> None:
    world = SeededWorld.grown(0)
    for number in range(300):
        world.calendar.book_publicly(CUTS["fabian"], world.clock.now() + timedelta(hours=7 * number + 1))
    reports = to_the_end(world, world.full, most=30)
    assert sum(len(each.findings) for each in reports) == 300
    assert len(world.kind("APPT")) == 300
    assert world.once(world.full()).findings == []


@pytest.mark.parametrize(
    ("left", "requests"), [(RESERVED_FOR_CALLS, 0), (RESERVED_FOR_CALLS + 1, STEPS), (None, STEPS)]
)
def test_what_is_left_of_the_minute_belongs_to_callers(left: int | None, requests: int) -> None:
    world = small()
    world.calendar.left = left
    report = world.once(world.full())
    assert (report.requests, report.stopped) == (requests, None if requests else Stopped.BUDGET)


def test_a_run_yields_in_its_middle_and_goes_on_when_there_is_room() -> None:
    world = small("end", "host")
    world.calendar.list_faults.append(lambda calendar, query, skip: room(calendar, 40).listed(query, skip))
    report = world.once(world.full())
    assert (report.requests, report.stopped) == (1, Stopped.BUDGET)
    room(world.calendar, 120)
    assert len(to_the_end(world, world.full)[0].findings) == 2


def room(calendar: FakeCalendar, left: int) -> FakeCalendar:
    calendar.left = left
    return calendar


def test_a_patient_run_waits_for_the_next_minute() -> None:
    """Its progress is not kept, so ending would mean to begin anew."""
    world = small("end")
    began = world.clock.monotonic()
    world.calendar.headroom = lambda: 10 if world.clock.monotonic() - began < 60 else None
    report = world.once(world.full(), limits=Limits(patient=True))
    assert (report.done, len(report.findings)) == (True, 1)
    assert 60 <= world.clock.monotonic() - began < 70


def test_a_patient_run_ends_with_its_time() -> None:
    world = small()
    world.calendar.left = 0
    report = world.once(world.full(), limits=Limits(patient=True), seconds=100)
    assert (report.stopped, report.requests) == (Stopped.BUDGET, 0)


def test_no_request_is_sent_that_could_not_be_followed_up_in_time() -> None:
    world = small()
    assert world.once(world.full(), seconds=ONE_S - 0.1).requests == 0
    assert world.once(world.full(), seconds=ONE_S + 0.1).requests == STEPS


def test_a_slow_calendar_uses_up_the_time_and_the_rest_is_done_later() -> None:
    world = small("end", "host", "foreign")
    readable = world.calendar.booking

    def slow(uid: str, *, deadline: Any) -> Any:
        assert deadline.remaining() <= ONE_S
        world.clock.advance(7)
        return readable(uid, deadline=deadline)

    world.calendar.booking = slow
    reports = [world.once(world.full(), seconds=20) for _ in range(6)]
    assert reports[0].stopped is Stopped.BUDGET
    assert len({each.booking for report in reports for each in report.findings}) == 3
    assert world.once(world.full()).findings == []


# ---- Two at once, and deaths

BROKEN = ("ghost, cancelled there", "orphan, told not booked", "orphan, still waiting", "start, moved", "host")
BROKEN += ("status", "foreign, in the way", "unsettled", "ghost, not there")


def broken_salon() -> SeededWorld:
    return small(*BROKEN, size=36, days=3)


def few_days(world: SeededWorld) -> Any:
    return world.full(ahead=4)


@pytest.fixture(scope="module")
def mended() -> tuple[SeededWorld, int]:
    world = broken_salon()
    world.client.faults.clear()
    to_the_end(world, lambda: few_days(world))
    return world, world.client.faults.boundaries


TWINS = ("ghost, cancelled there", "orphan, told not booked", "start, moved", "host", "status", "foreign, in the way")
TWINS += ("unsettled",)


def meeting(world: SeededWorld, at: int, run: Callable[[], Any]) -> tuple[Report, Report | None]:
    """One run, and just before its request number `at` a whole other one; what became of both."""
    requests, twins = itertools.count(), []

    def meet(_operation: str, _parameters: Any) -> None:
        if not twins and next(requests) == at:
            twins.append(None)
            twins[0] = world.once(run())

    begun = run()
    world.client.before.append(meet)
    report = world.once(begun)
    world.client.before.clear()
    return report, twins[0] if twins else None


@pytest.mark.parametrize("kind", ["full", "poll"])
def test_a_twin_at_any_moment_repairs_nothing_twice_and_loses_no_progress(kind: str) -> None:
    def twins() -> tuple[SeededWorld, Callable[[], Any]]:
        world = small(*TWINS, size=36, days=3)
        return world, (world.poll if kind == "poll" else lambda: few_days(world))

    alone, run = twins()
    assert alone.once(run()).done
    end = alone.sides()
    for at in itertools.count():
        world, run = twins()
        report, twin = meeting(world, at, run)
        if twin is None:
            break
        assert twin.done, at
        assert report.stopped in {None, Stopped.TWIN}, at
        assert world.sides() == end, at
        assert len(world.kind("REPORT")) == 1 + report.done
        assert run().tally == {}, "nothing is left to go on with"
        more = kinds(world.alerts) - kinds(alone.alerts)
        assert more in ({}, {alerts.ORPHAN_CANCELLED: 1}), at  # cancelled twice at one time: harmless, and said twice
    assert at > 30


def test_a_late_booking_that_is_taken_over_before_it_is_cancelled_stays() -> None:
    """Between the look and the cancellation lie the looks at everything else."""
    world = small("orphan, told not booked", "orphan, told not booked")
    first, second = world.seeds
    readable = world.calendar.booking

    def taken_over(uid: str, *, deadline: Any) -> Any:
        if uid == second.uids[0]:
            world.put(keys.booking_uid(world.tenant.id, first.uids[0]) | to_wire({"appt": "web1", "seg": 0}))
        return readable(uid, deadline=deadline)

    world.calendar.booking = taken_over
    report = world.once(few_days(world))
    assert [(each.booking, each.done) for each in report.findings] == [(second.uids[0], "orphan_cancelled")]
    assert world.calendar.bookings[first.uids[0]].status == "accepted"


def test_a_late_booking_that_a_twin_takes_over_at_any_moment_stays() -> None:
    """The twin has it for a caller who is then told that it is booked."""
    for at in itertools.count():
        world = small("orphan, still waiting", size=9, days=1)
        (seed,) = world.seeds
        _, twin = meeting(world, at, world.poll)
        if twin is None:
            break
        assert world.owner(seed.uids[0]) is not None, at
        assert world.calendar.bookings[seed.uids[0]].status == "accepted", at
    assert at > 5


def test_a_late_booking_that_somebody_takes_over_while_an_event_is_worked_on_stays() -> None:
    """The same for the worker's way: between its look for an owner and its look at the ledger somebody adopts."""
    gone = []
    for at in itertools.count():
        world = small("orphan, still waiting", size=9, days=1)
        (uid,) = world.seeds[0].uids
        requests, met = itertools.count(), []

        def meet(_operation: str, _parameters: Any, at: int = at, world: SeededWorld = world) -> None:
            if next(requests) == at and not met:  # noqa: B023 - called before the next round
                met.append(world.once(world.poll()))  # noqa: B023

        seen = world.calendar.bookings[uid]
        world.client.before.append(meet)
        converge(world.work(by="worker"), seen)
        world.client.before.clear()
        if not met:
            break
        if world.calendar.bookings[uid].status != "accepted":
            gone.append(at)
    assert gone == []


@pytest.mark.parametrize(("sparse", "stopped"), [(1, None), (2, None), (3, Stopped.BLAST_LIMIT)])
def test_a_quiet_week_is_not_held_against_what_was_cancelled_in_a_busy_one(
    sparse: int, stopped: Stopped | None
) -> None:
    """Each step has its own tenth; the whole run has its own number."""
    world = SeededWorld.grown(200, days=10)
    far = world.clock.now().replace(hour=9, minute=0, second=0) + timedelta(days=60)
    quiet = [world.add("udo", far + timedelta(hours=number)) for number in range(4)]
    for mine in quiet:
        world.block(mine, IntervalState.CONFIRMED)
    for mine in (*world.known[:2], *quiet[:sparse]):
        world.calendar.change(str(mine.segments[0].uid), status="cancelled")
    report = world.once(world.full())
    assert (report.stopped, report.tally["destructive"]) == (stopped, 2 if stopped else 2 + sparse)


def test_a_twin_that_was_faster_stops_the_slower_one() -> None:
    world = small("end")
    first, second = world.full(), world.full()
    assert world.once(first).done
    report = world.once(second)
    assert report.stopped is Stopped.TWIN
    assert len(world.kind("REPORT")) == 1


def test_a_death_at_any_moment_leaves_the_rest_to_the_next_run(mended: tuple[SeededWorld, int]) -> None:
    end, boundaries = mended[0].sides(), mended[1]
    assert boundaries > 60
    for boundary in range(1, boundaries + 1):
        world = broken_salon()
        world.client.faults.clear()
        world.client.faults.crash_at(boundary)
        with pytest.raises(Crash):
            to_the_end(world, lambda world=world: few_days(world))
        assert to_the_end(world, lambda world=world: few_days(world))[-1].done
        assert world.sides() == end, boundary


@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER])
def test_a_store_that_breaks_off_anywhere_leaves_the_rest_to_the_next_run(
    mended: tuple[SeededWorld, int], fault: Fault
) -> None:
    end, requests = mended[0].sides(), mended[1] // 2
    for skip in range(requests):
        world = broken_salon()
        world.client.faults.next("*", fault, skip=skip)
        with pytest.raises(StoreUnavailable):
            to_the_end(world, lambda world=world: few_days(world))
        assert to_the_end(world, lambda world=world: few_days(world))[-1].done
        assert world.sides() == end, skip


# ---- Where a poll begins


def test_a_first_poll_reaches_back_a_day() -> None:
    world = small()
    for age in (FIRST_POLL + timedelta(seconds=1), FIRST_POLL):
        made = world.calendar.book_publicly(CUTS["fabian"], world.gap())
        world.calendar.bookings[made.uid] = replace(made, updated_at=world.clock.now() - age)
    report = world.once(world.poll())
    assert [each.booking for each in report.findings] == [made.uid]


@pytest.mark.parametrize(
    ("behind", "found"), [(timedelta(0), True), (OVERLAP, True), (OVERLAP + timedelta(seconds=1), False)]
)
def test_what_became_visible_only_after_the_last_poll_is_found_by_the_next(behind: timedelta, found: bool) -> None:
    """Its instant lies before the last poll's start: reads lag, and transactions end out of order."""
    world = small()
    began = world.clock.now()
    late = world.calendar.book_publicly(CUTS["fabian"], world.gap())
    world.calendar.bookings[late.uid] = replace(late, updated_at=began - behind)
    world.calendar.hidden[late.uid] = began + timedelta(minutes=1)
    assert world.once(world.poll()).findings == []
    world.clock.advance(300)
    assert [each.booking for each in world.once(world.poll()).findings] == ([late.uid] if found else [])


def test_the_watermark_is_the_start_of_the_run_not_its_end() -> None:
    """A poll that was cut off and finished an hour later has not seen the hour."""
    world = small("end", "host")
    began = world.clock.now()
    assert world.once(world.poll(), limits=Limits(requests=2)).stopped is Stopped.BUDGET
    assert world.runs.current(world.tenant.id, RunKind.POLL).watermark is None
    world.clock.advance(3_600)
    assert world.once(world.poll()).done
    assert world.runs.current(world.tenant.id, RunKind.POLL).watermark == began
    assert world.poll().since == began - OVERLAP


def test_a_run_that_stopped_for_a_person_has_not_seen_everything() -> None:
    world = exceeding()
    begun = world.poll()
    world.once(begun)
    kept = world.runs.current(world.tenant.id, RunKind.POLL)
    assert (kept.run, kept.limited) == (None, True)
    world.clock.advance(300)
    assert world.poll().since == begun.since


def test_without_any_event_one_poll_makes_both_sides_equal() -> None:
    world = small(*(name for name in POLLED if name not in FLAGGED), size=90, days=10)
    assert world.once(world.poll()).done
    assert world.once(world.full()).findings == []
    assert world.once(world.poll()).findings == []


def test_a_quiet_salon_costs_a_poll_one_request() -> None:
    world = small()
    report = world.once(world.poll())
    assert (report.requests, report.pages, world.calendar.asked) == (1, 1, ["list"])
    assert LONG_AGO > FIRST_POLL


def test_what_is_overdue_is_settled_first() -> None:
    world = small()
    mine = world.open_one()
    report = world.once(world.poll(), limits=None)
    assert world.now_is(mine.id).state is AppointmentState.CONFIRMED
    assert report.done


# ---- Dry


def rows_of(lines: list[str]) -> list[list[str]]:
    """The cells of the table but the last, which says what was done."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()][:-1] for line in lines[1:-1]]


def test_a_dry_run_writes_nothing_and_says_exactly_what_an_applying_one_does() -> None:
    world = small(*SEEDS, size=300, days=30)
    before = world.sides(), world.table()
    dry = world.once(world.full(), limits=Limits(apply=False))
    assert (world.sides(), world.table()) == before
    assert "cancel" not in world.calendar.asked
    assert world.alerts.raised == []
    assert {each.done for each in dry.findings} == {"planned"}
    applied = whole_run(world, world.full)
    assert rows_of(table_of(dry)) == rows_of(table_of(applied))
    assert len(rows_of(table_of(dry))) == len(SEEDS)


def test_a_dry_run_says_where_an_applying_one_would_stop() -> None:
    world = exceeding()
    dry = world.once(world.full(), limits=Limits(apply=False))
    assert world.alerts.raised == []
    applied = world.once(world.full())
    assert dry.stopped is applied.stopped is Stopped.BLAST_LIMIT
    assert table_of(dry)[:-1] == table_of(applied)[:-1]


def test_a_dry_run_of_a_lying_list_tells_nobody() -> None:
    world = lied_to(half)
    report = world.once(world.full(), limits=Limits(apply=False))
    assert (report.stopped, world.alerts.raised) == (Stopped.LIST_CONTRADICTED, [])


def test_a_dry_run_names_an_open_operation_once() -> None:
    world = small("unsettled")
    dry = world.once(world.full(), limits=Limits(apply=False))
    assert [each.drift.value for each in dry.findings] == ["unsettled"]
    assert world.now_is(world.seeds[0].appointments[0]).state is AppointmentState.PENDING


def test_the_seeds_are_of_every_class_there_is() -> None:
    assert {each.drift for each in small(*SEEDS, size=300, days=30).seeds} == {each.value for each in Drift} - {
        *("none", "chain", "taken_over", "refused", "part"),  # seen where they come from: converging and settling
        *("unreadable", "left"),  # want several nights, and a day of polls
        "unverified",  # of what was imported: test_importing
    }
