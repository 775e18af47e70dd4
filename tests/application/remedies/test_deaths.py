"""A run of the remedies, or a person's decision, dies at every boundary: whoever comes next brings it to its end."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from bookend.application.ports import BookingRequest, StoreUnavailable
from bookend.domain.appointment import Appointment
from bookend.domain.cases import SyncFailure
from bookend.domain.reviews import Choice
from tests.application.convergence.world import HAIRCUT, TEN
from tests.application.remedies.ward import CALL, Ward, later, person
from tests.support.calendar import BUSY
from tests.support.tables.faults import Crash
from tests.support.tables.faults import Fault as StoreFault


@dataclass(frozen=True)
class Scenario:
    """What there is, what is done, and how every case ends whatever dies on the way."""

    name: str
    prepare: Callable[[Ward], None]
    do: Callable[[Ward], object]
    ends: dict[str, set[str]]


def plain(ward: Ward) -> None:
    ward.open(1, SyncFailure.MISSING_CONTACT, customer=person(1))


def composite(ward: Ward) -> None:
    ward.open(1, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle")


def composite_of_which_a_part_is_taken(ward: Ward) -> None:
    ward.world.calendar.book_publicly(3757750, later(minutes=105))
    ward.open(1, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle")


PERM = {0: (3757749, 0), 1: (3757750, 105)}


def part_there(ward: Ward, part: int = 0, *, by: int = 0) -> str:
    """A part of a perm that the other system had booked."""
    kind, after = PERM[part]
    request = BookingRequest(
        kind, later(minutes=after + by), "Kunde 1", "kunde1@web.example", None, "Europe/Berlin", "de", {}
    )
    return ward.world.calendar.insert(request).uid


def half_there(ward: Ward) -> None:
    ward.open(1, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle", bookings=part_there(ward))


def half_there_and_the_rest_taken(ward: Ward) -> None:
    ward.world.calendar.book_publicly(3757750, later(minutes=105))
    half_there(ward)


def all_there(ward: Ward) -> None:
    uids = f"{part_there(ward)} {part_there(ward, 1)}"
    ward.open(1, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle", bookings=uids)


def parts_elsewhere(ward: Ward) -> None:
    """Both parts half an hour later than the row says, before a person."""
    uids = f"{part_there(ward, by=30)} {part_there(ward, 1, by=30)}"
    ward.open(1, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle", bookings=uids)
    ward.remedy()


def half_before_a_person(ward: Ward) -> None:
    half_there_and_the_rest_taken(ward)
    ward.remedy()


def duplicates(ward: Ward) -> None:
    made = ward.world.calendar.insert(
        BookingRequest(
            HAIRCUT["fabian"], TEN, "Hans", "hans@web.example", None, "Europe/Berlin", "de", {"call_id": CALL}
        )
    )
    ward.world.calendar.change(made.uid, id=13060966)
    for number, call in ((753, CALL), (754, "call_a"), (755, "call_b")):
        customer = person(7, email="hans@web.example")
        ward.open(number, SyncFailure.DOUBLE_BOOKING, customer=customer, booking_id="13060966", call=call)


def refused(ward: Ward) -> None:
    ward.world.calendar.book_publicly(HAIRCUT["fabian"], TEN)
    ward.open(1)


def booked(ward: Ward) -> None:
    """An appointment that stands, with a case on it."""
    ward.world.salon.open("2025-10-28")
    ward.world.phone().book("2025-10-28", "10:00", staff="Fabian")
    (mine,) = ward.confirmed()
    ward.world.calendar.change(mine.segments[0].uid or "", attendees=("jemand@web.example",))
    ward.world.reconcile()


def _case_of_a_difference(ward: Ward) -> str:
    with ward.world.at_peace():
        return ward.cases.unclosed("friseur1")[0].id


def cancels(ward: Ward) -> object:
    return ward.decide(_case_of_a_difference(ward), Choice.CANCEL)


def moves(ward: Ward) -> object:
    return ward.decide(_case_of_a_difference(ward), Choice.MOVE, to=later(hours=2))


def one_too_many(ward: Ward) -> None:
    """A second live booking that claims the appointment."""
    ward.world.salon.open("2025-10-28")
    ward.world.phone().book("2025-10-28", "10:00", staff="Fabian")
    (mine,) = ward.confirmed()
    labels = ward.world.calendar.bookings[mine.segments[0].uid or ""].metadata
    ward.world.calendar.insert(
        BookingRequest(
            HAIRCUT["fabian"], later(hours=3), "Hans", mine.customer.email, None, "Europe/Berlin", "de", labels
        )
    )
    ward.world.reconcile()


def keeps_ours(ward: Ward) -> object:
    return ward.decide(_case_of_a_difference(ward), Choice.KEEP_OURS)


def elsewhere(ward: Ward) -> None:
    """A row whose booking lives at another time than it says, before a person."""
    request = BookingRequest(
        HAIRCUT["fabian"], TEN, "Kunde 1", "kunde1@web.example", None, "Europe/Berlin", "de", {"call_id": CALL}
    )
    made = ward.world.calendar.insert(request)
    ward.world.calendar.change(made.uid, id=5001)
    ward.open(1, start=later(hours=1), booking_id="5001", call=CALL)
    ward.remedy()


def cancels_a_row(ward: Ward) -> object:
    return ward.decide("import-1", Choice.CANCEL)


def moves_a_row(ward: Ward) -> object:
    return ward.decide("import-1", Choice.MOVE, to=later(hours=3))


SCENARIOS = (
    Scenario("plain", plain, Ward.remedy, {"import-1": {"booked"}}),
    Scenario("composite", composite, Ward.remedy, {"import-1": {"booked"}}),
    Scenario(
        "a part is taken", composite_of_which_a_part_is_taken, Ward.remedy, {"import-1": {"REVIEW HOST_UNAVAILABLE"}}
    ),
    Scenario("refused", refused, Ward.remedy, {"import-1": {"REVIEW HOST_UNAVAILABLE"}}),
    Scenario(
        "duplicates",
        duplicates,
        Ward.remedy,
        {"import-753": {"equal"}, "import-754": {"duplicate"}, "import-755": {"duplicate"}},
    ),
    Scenario("cancels", booked, cancels, {"": {"cancelled", "REVIEW OTHER"}}),
    Scenario("moves", booked, moves, {"": {"equal", "REVIEW OTHER"}}),
    Scenario("cancels a row", elsewhere, cancels_a_row, {"import-1": {"cancelled", "REVIEW OTHER"}}),
    Scenario("moves a row", elsewhere, moves_a_row, {"import-1": {"equal", "REVIEW OTHER"}}),
    Scenario("keeps ours", one_too_many, keeps_ours, {"": {"equal", "REVIEW DOUBLE_BOOKING"}}),
    Scenario("half is there", half_there, Ward.remedy, {"import-1": {"booked"}}),
    Scenario(
        "half is there, the rest taken",
        half_there_and_the_rest_taken,
        Ward.remedy,
        {"import-1": {"REVIEW HOST_UNAVAILABLE"}},
    ),
    Scenario("all is there", all_there, Ward.remedy, {"import-1": {"equal"}}),
    Scenario("cancels parts", parts_elsewhere, cancels_a_row, {"import-1": {"cancelled", "REVIEW COMPOSITE_FAILURE"}}),
    Scenario("moves parts", parts_elsewhere, moves_a_row, {"import-1": {"equal", "REVIEW COMPOSITE_FAILURE"}}),
    Scenario("moves a half", half_before_a_person, moves_a_row, {"import-1": {"booked", "REVIEW HOST_UNAVAILABLE"}}),
)
_LONG = frozenset({"all is there", "cancels parts", "moves parts", "moves a half"})


def begun(scenario: Scenario) -> Ward:
    ward = Ward()
    scenario.prepare(ward)
    ward.world.calendar.asked.clear()
    return ward


def quiet(scenario: Scenario) -> tuple[int, int]:
    """How many requests of the store and of the calendar it takes."""
    ward = begun(scenario)
    ward.world.client.requests.clear()
    ward.world.line.rest()
    scenario.do(ward)
    return sum(ward.world.client.requests.values()), ward.world.line.calls


def played(scenario: Scenario, kill: Callable[[Ward], None]) -> Ward:
    ward = begun(scenario)
    kill(ward)
    with contextlib.suppress(Crash, StoreUnavailable):
        scenario.do(ward)
    ward.world.client.faults.clear()
    ward.world.line.rest()
    ward.rounds(5)
    return ward


def deaths(scenario: Scenario) -> Iterator[tuple[str, Callable[[Ward], None]]]:
    requests, calls = quiet(scenario)
    for number in range(1, 2 * requests + 1):
        yield f"boundary {number}", lambda ward, n=number: ward.world.client.faults.crash_at(n)
    for number in range(requests):
        yield (
            f"lost answer {number}",
            lambda ward, n=number: ward.world.client.faults.next("*", StoreFault.LOST_ANSWER, skip=n, times=1),
        )
    for number in range(1, calls + 1):
        yield f"before call {number}", lambda ward, n=number: setattr(ward.world.line, "die_before", n)
        yield f"after call {number}", lambda ward, n=number: setattr(ward.world.line, "die_after", n)


def stray(ward: Ward) -> list[Appointment]:
    """Appointments of the case's customer that are not the case's: a half that nothing looks for any more."""
    with ward.world.at_peace():
        case = ward.cases.case("friseur1", "import-1")
    if case is None or case.customer is None:
        return []
    mine = [each for each in ward.confirmed() if each.customer.id == case.customer.id]
    return [each for each in mine if each.id != case.appointment]


def came_to(ward: Ward, name: str) -> str:
    case = ward.case(name)
    return case.ending.value if case.ending is not None else f"{case.state.value} {case.failure.value}"


def wrong_with(scenario: Scenario, ward: Ward, came: Counter[str]) -> list[str]:
    """What is not as it must be in the end; counts what the cases came to."""
    ward.world.client.faults.clear()
    found = ward.breaches() if scenario.prepare is not booked else []
    for case, allowed in scenario.ends.items():
        # That a change was stuck meanwhile is a case of its own, which ends as both sides agree.
        closed = [each.id for each in ward.closed() if not each.id.startswith("stuck-")]
        names = [case] if case else closed or [_case_of_a_difference(ward)]
        found += [f"{each}: {came_to(ward, each)}" for each in names if came_to(ward, each) not in allowed]
        came.update(came_to(ward, each) for each in names)
    live = [each for each in ward.world.calendar.accepted() if each.metadata.get("op_id")]
    if scenario.name in {"plain", "refused"} and len(live) > 1:
        found.append(f"{len(live)} bookings")
    return found


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(each, id=each.name, marks=[pytest.mark.slow] if each.name in _LONG else []) for each in SCENARIOS],
)
def test_every_death_leads_to_the_same_end(scenario: Scenario) -> None:
    went_wrong, came = [], Counter[str]()
    for name, kill in deaths(scenario):
        ward = played(scenario, kill)
        went_wrong += [f"{name}: {each}" for each in wrong_with(scenario, ward, came)]
    assert not went_wrong, went_wrong[:5]
    undecided = sum(number for end, number in came.items() if end.startswith("REVIEW") and len(came) > 1)
    assert undecided < came.total() / 2, "only who dies before the decision is on record leaves it to be decided again"


def test_two_runs_at_once_make_one_booking() -> None:
    """The second one begins while the first one waits for Cal.com."""
    ward = begun(SCENARIOS[0])
    make = ward.world.calendar.make

    def meanwhile(_: object, request: BookingRequest) -> object:
        ward.world.calendar.faults.clear()
        ward.remedy()
        return make(request)

    ward.world.calendar.faults.append(meanwhile)  # type: ignore[arg-type]
    ward.remedy()
    ward.rounds(2)
    assert came_to(ward, "import-1") == "booked"
    assert len(ward.world.calendar.accepted()) == 1
    assert not ward.breaches()


def test_a_retry_of_what_was_refused_is_a_new_operation() -> None:
    ward = begun(SCENARIOS[3])
    ward.remedy()
    first = ward.case(1)
    assert BUSY.detail in first.answers
    (theirs,) = ward.world.calendar.accepted()
    ward.world.calendar.cancel_by_hand(theirs.uid)
    ward.decide("import-1", Choice.RETRY)
    ward.remedy()
    assert came_to(ward, "import-1") == "booked"
    assert ward.case(1).appointment != first.appointment
    assert not ward.breaches()
