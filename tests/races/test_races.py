"""Many callers, one stylist: real threads, a real engine, the real Cal.com client, the real clock.

Cal.com is the stand-in with the gap between check and insert that the real one was observed to have: the races are
there to be lost. `RACE_ROUNDS=20` runs more rounds, `RACE_SEED` other ones; counts are printed (`pytest -rP`).
"""

from __future__ import annotations

import itertools
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, datetime, timedelta
from functools import partial

import httpx
import pytest

from bookend.application.outcomes import Booked, BookOutcome, CheckOutcome, Offers, SlotTaken
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.staff_day import IntervalState
from sandbox.calcom import CalcomStandIn
from tests.races.checks import Outcome, Settled, breaches, overlaps
from tests.races.live import KEY, Caller, LiveSalon, at_once, calcom_world, live_salon
from tests.support.salon import example_tenant

CALLERS = 50
ROUNDS = int(os.environ.get("RACE_ROUNDS", "1"))
SEEDS = [int(os.environ.get("RACE_SEED", "1")) + number for number in range(ROUNDS)]
HAIRCUTS = ("Herrenhaarschnitt", "Damenhaarschnitt")
"""30 and 45 minutes."""
EVENT_TYPES_OF_FABIAN = (3672814, 2563195)

pytestmark = [pytest.mark.engine, pytest.mark.parametrize("seed", SEEDS)]


@pytest.fixture(scope="module")
def running(engine_installed: None) -> Iterator[LiveSalon]:
    with live_salon(every=15) as started:
        yield started


@pytest.fixture
def live(running: LiveSalon) -> LiveSalon:
    running.new_round()
    return running


def callers(live: LiveSalon, *, unhurried: bool = True) -> list[Caller]:
    """Fifty people at fifty telephones."""
    return [live.phone(f"call_{n}", caller=f"+4917000{n:05d}", instance=n, unhurried=unhurried) for n in range(CALLERS)]


def book(phone: Caller, day: date, service: str, at: str) -> Callable[[], BookOutcome]:
    """A wish to book with Fabian, to be said at the start."""
    return partial(phone.book, day.isoformat(), at, service=service, staff="Fabian")


def report(title: str, live: LiveSalon, outcomes: Sequence[Outcome], began: float) -> None:
    """What happened, for whoever reads the log of a test run."""
    offers = [offer for each in outcomes if isinstance(each, Offers | SlotTaken) for offer in each.offers]
    print(
        f"\n{title}: {dict(Counter(type(each).__name__ for each in outcomes))} in {time.monotonic() - began:.1f} s;"
        f" offers {len(offers)}, not kept {sum(not each.held for each in offers)};"
        f" table {dict(live.traffic.requests)}, cancelled {dict(live.traffic.cancelled)},"
        f" botocore retries {live.traffic.retries};"
        f" Cal.com {live.calcom.gateway.counts()}, unanswered {dict(live.unanswered)}"
    )


def later(seconds: float, say: Callable[[], BookOutcome]) -> BookOutcome:
    time.sleep(seconds)
    return say()


def by_call(phones: Sequence[Caller], outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
    return {phone.as_call.id: outcome for phone, outcome in zip(phones, outcomes, strict=True)}


def settled_on(told: Mapping[str, Outcome]) -> list[Appointment]:
    """The appointments that callers were told of."""
    return [each.appointment for each in told.values() if isinstance(each, Booked)]


def test_one_slot_has_one_winner(live: LiveSalon, seed: int) -> None:
    day, phones, began = live.day(), callers(live), time.monotonic()
    outcomes = at_once([book(phone, day, HAIRCUTS[0], "10:00") for phone in phones])
    report(f"one slot, seed {seed}", live, outcomes, began)
    settled = Settled(live)
    assert not breaches(settled, by_call(phones, outcomes))
    assert Counter(type(each) for each in outcomes) == {Booked: 1, SlotTaken: CALLERS - 1}
    assert len(settled.accepted()) == 1
    taken = next(each.appointment.slot for each in outcomes if isinstance(each, Booked))
    instead = [each for each in outcomes if isinstance(each, SlotTaken) and each.offers]
    assert len(instead) == CALLERS - 1, "the salon is free all week: all the others hear of another time"
    assert not any(offer.slot.overlaps(taken) for each in instead for offer in each.offers)


def test_different_times_that_overlap_end_without_an_overlap(live: LiveSalon, seed: int) -> None:
    dice, day, phones, began = random.Random(seed), live.day(), callers(live), time.monotonic()
    wishes = [(dice.choice(HAIRCUTS), f"{dice.randrange(9, 15):02}:{dice.choice((0, 15, 30, 45)):02}") for _ in phones]
    outcomes = at_once([book(phone, day, *wish) for phone, wish in zip(phones, wishes, strict=True)])
    report(f"overlapping, seed {seed}", live, outcomes, began)
    settled = Settled(live)
    assert not breaches(settled, by_call(phones, outcomes))
    booked = [each for each in outcomes if isinstance(each, Booked)]
    assert {type(each) for each in outcomes} == {Booked, SlotTaken}
    assert {each.metadata["appointment"] for each in settled.accepted()} == {each.appointment.id for each in booked}
    assert live.calcom.gateway.counts()["POST /v2/bookings"] == len(booked), "nobody asks Cal.com in vain"


def test_composites_and_plain_services_of_one_stylist_share_its_time(live: LiveSalon, seed: int) -> None:
    """Fifty composites at once, fifty of all kinds, fifty haircuts in their gaps: no busy part overlaps anything, no
    service is booked in part, and the gaps are used.
    """
    dice, day, began = random.Random(seed), live.day(), time.monotonic()
    told: dict[str, Outcome] = {}
    composites = ("Dauerwelle", "Farbe")
    # Who is offered other times keeps the day full until they hang up, and composites ask more: they would come last.
    for wave, sold in enumerate([composites, (*composites, *HAIRCUTS), HAIRCUTS[:1]]):
        phones = [
            live.phone(f"call_{wave}_{n}", caller=f"+4917{wave}00{n:05d}", instance=n, unhurried=True)
            for n in range(CALLERS)
        ]
        at_will = [f"{dice.randrange(7, 19):02}:{dice.choice((0, 15, 30, 45)):02}" for _ in phones]
        gaps = [each.segments[0].slot.end for each in settled_on(told) if len(each.segments) > 1]
        times = [f"{dice.choice(gaps).astimezone(live.tenant.zone):%H:%M}" for _ in phones] if wave == 2 else at_will
        wishes = [(sold[n % len(sold)], at) for n, at in enumerate(times)]
        outcomes = at_once([book(phone, day, *wish) for phone, wish in zip(phones, wishes, strict=True)])
        report(f"composites, seed {seed}, wave {wave}", live, outcomes, began)
        told |= by_call(phones, outcomes)
        settled = Settled(live)
        assert not breaches(settled, by_call(phones, outcomes))
        for phone in phones:
            phone.hang_up()
    settled = Settled(live)
    assert not breaches(settled, {})
    booked = settled_on(told)
    wholes = [each for each in booked if len(each.segments) > 1]
    made = [(each.metadata["appointment"], each.metadata["segment"]) for each in settled.accepted()]
    assert sorted(made) == sorted((each.id, str(part.index)) for each in booked for part in each.segments)
    assert live.calcom.gateway.counts()["POST /v2/bookings"] == len(made), "nobody asks Cal.com in vain"
    within = [
        (whole.id, other.id)
        for whole, other in itertools.product(wholes, booked)
        for part in other.segments
        if whole.id != other.id and whole.slot.start < part.slot.start and part.slot.end < whole.slot.end
    ]
    print(f"  {len(wholes)} composites among {len(booked)} appointments; {len(within)} parts stand in others' gaps")
    assert wholes
    assert within


@pytest.mark.parametrize("offered", [True, False], ids=["offered", "unoffered"])
@pytest.mark.parametrize("apart_s", [0.0, 0.02, 0.4])
def test_a_wish_that_arrives_twice_is_one_booking(live: LiveSalon, seed: int, apart_s: float, offered: bool) -> None:
    """The same body twice at once; or, a moment later, the same wish in other words."""
    pairs, began = 12, time.monotonic()
    phones = [
        (
            live.phone(f"call_{pair}", caller=f"+4917000{pair:05d}", instance=2 * pair, unhurried=True),
            live.phone(f"call_{pair}", caller=f"+4917000{pair:05d}", instance=2 * pair + 1, unhurried=True),
        )
        for pair in range(pairs)
    ]
    first, second = [], []
    for pair, (one, other) in enumerate(phones):
        # A stylist's day of its own for each pair: what one of them is offered instead is in nobody's way.
        day, staff = live.day(1 + pair // 2), ("Emma", "Fabian")[pair % 2]
        words = {"date": day.isoformat(), "time": "10:00", "staff": staff}
        spelt = words
        if apart_s:
            again = {"service": "Herrenschnitt", "name": "Herr hans  schuster"}
            spelt = {"date": f"{day.day}.{day.month}.{day.year}", "time": "10 Uhr", "staff": staff} | again
        if offered:
            assert isinstance(one.check(**words), Offers)
        first.append(partial(one.book, **words))
        second.append(partial(later, apart_s, partial(other.book, **spelt)))
    outcomes = at_once(first + second)
    report(f"twice, {'offered' if offered else 'unoffered'}, {apart_s} s apart", live, outcomes, began)
    settled = Settled(live)
    assert {type(each) for each in outcomes} == {Booked}
    assert not breaches(settled, {f"call_{pair}": outcomes[pair] for pair in range(pairs)})
    assert all(phones[0][0].said(outcomes[pair]) == phones[0][0].said(outcomes[pair + pairs]) for pair in range(pairs))
    assert len(settled.records().appointments) == len(settled.accepted()) == pairs
    assert live.calcom.gateway.counts()["POST /v2/bookings"] == pairs, "Cal.com is asked once for each wish"


def test_nobody_is_offered_what_another_caller_was_offered(live: LiveSalon, seed: int) -> None:
    dice, day, phones, began = random.Random(seed), live.day(), callers(live), time.monotonic()
    took: list[float] = []

    def ask(phone: Caller, service: str, at: str) -> CheckOutcome:
        start = time.monotonic()
        outcome = phone.check(day.isoformat(), at, service=service, staff="Fabian")
        took.append(time.monotonic() - start)
        return outcome

    wishes = [(dice.choice(HAIRCUTS), f"{dice.randrange(9, 17):02}:00") for _ in phones]
    outcomes = at_once([partial(ask, phone, *wish) for phone, wish in zip(phones, wishes, strict=True)])
    report(f"checks, seed {seed}", live, outcomes, began)
    print(f"  a check took {statistics.median(took):.2f} s, at most {max(took):.2f} s")
    settled = Settled(live)
    assert not breaches(settled, by_call(phones, outcomes))
    kept = {offer.id for each in outcomes if isinstance(each, Offers) for offer in each.offers if offer.held}
    in_ledger = {
        key.partition("/")[0]
        for intervals in settled.records().ledger.values()
        for key, each in intervals.items()
        if each.state is IntervalState.HELD
    }
    assert kept == in_ledger, "the invariants say of what is in the ledger that nothing in it overlaps"
    assert len(kept) > CALLERS


def test_in_a_hurry_nobody_is_told_an_untruth(live: LiveSalon, seed: int) -> None:
    """With production's time limits on a machine that is far too busy for them: late is allowed, wrong is not."""
    dice, day, began = random.Random(seed), live.day(), time.monotonic()
    phones = callers(live, unhurried=False)
    wishes = [(dice.choice(HAIRCUTS), f"{dice.randrange(9, 12):02}:{dice.choice((0, 15, 30)):02}") for _ in phones]
    outcomes = at_once([book(phone, day, *wish) for phone, wish in zip(phones, wishes, strict=True)])
    report(f"in a hurry, seed {seed}", live, outcomes, began)
    settled = Settled(live)
    assert not breaches(settled, by_call(phones, outcomes))
    left = [each for each in settled.records().appointments.values() if each.state is AppointmentState.PENDING]
    assert len(left) <= CALLERS // 10, "a few may stay open for the sweeper, not many"


def test_calcom_alone_double_books(seed: int) -> None:
    """What all this is for: pairs of 30 and 45 minutes, sent straight to Cal.com at the same moment."""
    zone = example_tenant().zone
    first = datetime.now(zone).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=3)
    pairs, both = 20, 0

    def send(client: httpx.Client, event_type: int, start: datetime, name: str) -> int:
        email = f"{name}-{event_type}@x.example"
        body = {
            "start": start.isoformat(),
            "eventTypeId": event_type,
            "attendee": {"name": name, "email": email, "timeZone": zone.key},
        }
        headers = {"cal-api-version": "2024-08-13", "Authorization": f"Bearer {KEY}"}
        return client.post("/v2/bookings", json=body, headers=headers).status_code

    with (
        CalcomStandIn(world=calcom_world(every=15)) as calcom,
        closing(httpx.Client(base_url=calcom.url, trust_env=False)) as one,
        closing(httpx.Client(base_url=calcom.url, trust_env=False)) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        for pair in range(pairs):
            start = first + timedelta(days=pair // 10, minutes=45 * (pair % 10))
            answers = list(
                pool.map(send, (one, other), EVENT_TYPES_OF_FABIAN, (start, start), (f"k{seed}-{pair}",) * 2)
            )
            both += answers == [201, 201]
        doubled = overlaps([each for each in calcom.world.bookings() if each.status == "accepted"])
    print(f"\nCal.com alone, seed {seed}: {both} of {pairs} pairs were both accepted, {len(doubled)} overlaps")
    assert len(doubled) == both > 0
