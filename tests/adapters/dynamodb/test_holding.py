"""HOLD and the end of a call: what is kept for whom, on which condition, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bookend.application.ports import CallRecord, Held, HoldLost, Started
from bookend.domain.availability import HOLD, Offer
from bookend.domain.staff_day import CLOCK_SLACK
from bookend.domain.timeslot import Slot
from tests.adapters.dynamodb.place import NOW, Place, at, offer, wished


def test_nothing_is_known_of_a_new_call(place: Place) -> None:
    known = place.appointments.look(
        place.tenant, call="call_1", request="r", customer="c", days={("fabian", date(2025, 10, 28))}
    )
    assert known.record == CallRecord("call_1")
    assert (known.request, known.customer) == (None, None)
    assert known.days.day("fabian", date(2025, 10, 28)).version == 0


def test_a_look_is_one_request_and_sees_everything(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")))
    place.start(wished("a1", at("28T12:00")))
    place.client.requests.clear()
    known = place.appointments.look(
        place.tenant,
        call="call_1",
        request="wish-a1",
        customer="c-hans",
        days={("fabian", date(2025, 10, 28)), ("fabian", date(2025, 10, 29)), ("emma", date(2025, 10, 28))},
    )
    assert place.client.requests == {"batch_get_item": 1}
    assert [each.id for each in known.record.offers] == ["o1"]
    assert known.request == "a1"
    assert known.customer is not None
    assert known.customer.phone == "+491701111111"
    assert set(known.days.day("fabian", date(2025, 10, 28)).intervals) == {"o1/0", "a1/0"}
    assert not known.days.day("emma", date(2025, 10, 28)).intervals


def test_offers_are_held_and_come_back_as_they_were(place: Place) -> None:
    kept = offer("o1", at("28T10:00")), offer("o2", at("29T10:00", 45))
    place.client.requests.clear()
    outcome = place.appointments.hold(place.tenant, CallRecord("call_1"), kept, days=place.days("28", "29"), now=NOW)
    assert place.client.requests["transact_write_items"] == 1
    assert outcome == Held(CallRecord("call_1", version=1, offers=kept))
    assert place.record() == CallRecord("call_1", version=1, offers=kept)
    interval = place.interval("o1/0")
    assert (interval.slot, interval.op, interval.expires) == (at("28T10:00"), "hold1", NOW + HOLD)


def test_two_offers_of_one_stylist_and_day_are_one_write_of_the_day(place: Place) -> None:
    assert isinstance(place.hold(offer("o1", at("28T10:00")), offer("o2", at("28T14:00"))), Held)
    assert place.intervals() == {"o1/0": "H", "o2/0": "H"}
    assert place.day().version == 1


def composite(name: str, *parts: Slot) -> Offer:
    return replace(offer(name, Slot(parts[0].start, parts[-1].end)), parts=parts)


def test_of_a_composite_the_busy_parts_are_held_and_come_back_as_they_were(place: Place) -> None:
    perm = composite("o1", at("28T10:00", 45), at("28T11:45"))
    place.client.requests.clear()
    assert isinstance(place.hold(perm, offer("o2", at("28T10:45", 60))), Held), "its gap is for somebody else"
    assert place.client.requests["transact_write_items"] == 1
    assert place.record().offers[0] == perm
    assert place.intervals() == {"o1/0": "H", "o1/1": "H", "o2/0": "H"}
    assert [place.interval(key).slot for key in ("o1/0", "o1/1")] == list(perm.parts)


def test_the_parts_of_a_composite_stand_in_their_own_days_and_go_together(place: Place) -> None:
    perm = composite("o1", at("28T22:00", 45), at("28T23:45", 30), at("29T02:00"))
    place.hold(perm, days=place.days("28", "29"))
    assert [set(place.days("28", "29").day("fabian", date(2025, 10, day)).intervals) for day in (28, 29)] == [
        {"o1/0", "o1/1"},
        {"o1/1", "o1/2"},
    ]
    place.hold(offer("o2", at("28T10:00")), days=place.days("28", "29"))
    assert place.intervals() == {"o2/0": "H"}, "a new offer takes the place of all of it"
    assert place.days("29").day("fabian", date(2025, 10, 29)).intervals == {}


def test_the_end_of_a_call_frees_every_part_of_a_composite(place: Place) -> None:
    place.hold(composite("o1", at("28T22:00", 45), at("28T23:45", 30)), days=place.days("28", "29"))
    assert place.appointments.end_call(place.tenant, "call_1", now=NOW) == 1
    assert not any(each.intervals for each in place.days("28", "29").days.values())


def test_who_writes_the_day_first_wins_and_the_other_sees_what_it_became(place: Place) -> None:
    before = place.days()
    place.hold(offer("o1", at("28T10:00")))
    lost = place.hold(offer("o2", at("28T10:15")), call="call_2", days=before)
    assert isinstance(lost, HoldLost)
    assert lost.days is not None
    assert [(each.day.isoformat(), each.version, set(each.intervals)) for each in lost.days] == [
        ("2025-10-28", 1, {"o1/0"})
    ]
    assert place.record("call_2").version == 0
    assert place.intervals() == {"o1/0": "H"}


def test_a_written_day_is_guarded_by_its_version(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")))
    before = place.days()
    place.hold(offer("o2", at("28T12:00"), op="hold2"), call="call_2")
    lost = place.hold(offer("o3", at("28T12:15"), op="hold3"), call="call_3", days=before)
    assert isinstance(lost, HoldLost)
    assert lost.days is not None
    assert set(lost.days[0].intervals) == {"o1/0", "o2/0"}


def test_only_the_days_that_changed_are_named(place: Place) -> None:
    before = place.days("28", "29")
    place.hold(offer("o1", at("29T10:00")))
    lost = place.hold(offer("o2", at("28T10:00")), offer("o3", at("29T10:00")), call="call_2", days=before)
    assert isinstance(lost, HoldLost)
    assert lost.days is not None
    assert [each.day.isoformat() for each in lost.days] == ["2025-10-29"]
    assert place.intervals("28") == {}


def test_two_questions_of_one_call_at_once_do_not_both_keep(place: Place) -> None:
    before = place.record()
    place.hold(offer("o1", at("28T10:00")))
    assert place.hold(offer("o2", at("29T10:00")), record=before) == HoldLost(None)
    assert place.intervals("29") == {}


def test_new_offers_replace_the_former_ones_on_other_days_too(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")), offer("o2", at("29T10:00")))
    place.hold(offer("o3", at("29T10:15"), op="hold2"))
    assert place.intervals("28") == {}
    assert place.intervals("29") == {"o3/0": "H"}
    assert [each.id for each in place.record().offers] == ["o3"]


def test_offers_can_be_given_back_for_nothing(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")))
    assert isinstance(place.hold(), Held)
    assert place.intervals() == {}
    assert place.record().offers == ()


def test_an_offer_that_became_a_booking_is_not_freed_by_the_next_question(place: Place) -> None:
    taken = offer("o1", at("28T10:00"))
    place.hold(taken)
    assert place.start(wished("o1", at("28T10:00")), hold=taken) == Started()
    place.hold(offer("o2", at("28T12:00"), op="hold2"))
    assert place.intervals() == {"o1/0": "P", "o2/0": "H"}


def test_an_expired_hold_is_dropped_by_the_next_write_and_not_before(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")))
    place.clock.advance(HOLD.total_seconds() + CLOCK_SLACK.total_seconds() - 0.5)
    place.hold(offer("o2", at("28T12:00"), expires=NOW + 2 * HOLD), call="call_2")
    assert place.intervals() == {"o1/0": "H", "o2/0": "H"}
    place.clock.advance(1)
    place.hold(offer("o3", at("28T10:00"), expires=NOW + 2 * HOLD), call="call_3")
    assert place.intervals() == {"o2/0": "H", "o3/0": "H"}


def test_a_slot_over_midnight_is_held_on_both_days(place: Place) -> None:
    late = offer("o1", at("28T23:45"))
    place.hold(late)
    assert place.intervals("28") == place.intervals("29") == {"o1/0": "H"}
    place.hold(offer("o2", at("30T10:00"), op="hold2"))
    assert place.intervals("28") == place.intervals("29") == {}


def test_the_end_of_a_call_frees_its_holds_and_only_them(place: Place) -> None:
    mine = offer("o1", at("28T10:00")), offer("o2", at("28T12:00")), offer("o3", at("28T23:45"))
    place.hold(*mine)
    place.hold(offer("o9", at("28T15:00"), op="hold9"), call="call_9")
    place.start(wished("o1", at("28T10:00")), hold=mine[0])
    assert place.appointments.end_call(place.tenant, "call_1", now=NOW) == 2, "o1 is a booking in flight by now"
    assert place.intervals() == {"o1/0": "P", "o9/0": "H"}
    assert place.intervals("29") == {}
    assert place.record() == CallRecord("call_1", version=2, offers=(), ended=True)


def test_the_end_of_a_call_may_be_told_twice(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")))
    assert place.appointments.end_call(place.tenant, "call_1", now=NOW) == 1
    before = place.snapshot()
    assert place.appointments.end_call(place.tenant, "call_1", now=NOW) == 0
    assert place.snapshot() == before


def test_a_call_that_nobody_knows_ends_without_a_trace(place: Place) -> None:
    assert place.appointments.end_call(place.tenant, "call_7", now=NOW) == 0
    assert place.snapshot() == []


def test_a_hold_of_the_same_slot_by_another_call_is_not_freed_with_ours(place: Place) -> None:
    """The interval has the name of the offer; what decides is who wrote it."""
    place.hold(offer("o1", at("28T10:00")))
    mine = place.record()
    place.clock.advance(HOLD.total_seconds() + 3)
    place.hold(offer("o1", at("28T10:00"), op="other", expires=NOW + 2 * HOLD), call="call_2")
    assert mine.offers[0].op == "hold1"
    assert place.appointments.end_call(place.tenant, "call_1", now=place.clock.now()) == 0
    assert place.intervals() == {"o1/0": "H"}


def test_tenants_do_not_see_one_another(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")))
    other = Place(place.store, place.tenant + "x", place.name)
    assert other.intervals() == {}
    assert isinstance(other.hold(offer("o1", at("28T10:00"))), Held)


def test_a_day_that_was_not_read_cannot_be_written(place: Place) -> None:
    with pytest.raises(KeyError):
        place.hold(offer("o1", at("29T10:00")), days=place.days("28"))
    assert replace(place.record(), version=0) == CallRecord("call_1")


def test_call_records_and_ledgers_can_be_swept_by_the_service(place: Place) -> None:
    place.hold(offer("o1", at("28T10:00")))
    ttls = {each["sk"][:3]: int(each["ttl"]) for each in place.all_items()}
    assert ttls["OFF"] == int((NOW + timedelta(days=1)).timestamp())
    assert ttls["DAY"] > int((at("28T23:59").end + timedelta(days=30)).timestamp()), "long after anybody could overlap"
