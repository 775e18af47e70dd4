"""Cal.com answers a part of a composite with a booking that is on record as another appointment's."""

from __future__ import annotations

import pytest

from bookend.application import alerts
from bookend.application.outcomes import SlotTaken
from bookend.domain.appointment import AppointmentState, Told
from tests.application.test_book_composite import FRIDAY, PERM, opened
from tests.support.invariants import look_at

NEXT = 13_000_001
"""The first booking that Cal.com makes."""


@pytest.mark.parametrize("part", [0, 1])
def test_theirs_is_left_alone_the_rest_goes_and_a_person_is_told_which_it_is_and_whose(part: int) -> None:
    salon = opened()
    theirs, ours = f"uid{NEXT + part}", f"uid{NEXT + 1 - part}"
    guard = {"pk": {"S": f"T#friseur1#CALUID#{theirs}"}, "sk": {"S": "G"}, "appt": {"S": "another"}, "seg": {"N": "0"}}
    salon.client.put_item(TableName=salon.table_name, Item=guard)
    outcome = salon.call().book(FRIDAY, "10:00", service=PERM, staff="Fabian")
    assert isinstance(outcome, SlotTaken)
    (now_is,) = look_at(salon).appointments.values()
    assert (now_is.state, now_is.why, now_is.told) == (AppointmentState.FAILED, "existing", Told.NOT_BOOKED)
    assert {uid: each.status for uid, each in salon.calendar.bookings.items()} == {
        theirs: "accepted",
        ours: "cancelled",
    }
    told = {each.kind: each.facts for each in salon.alerts.raised}
    assert told.keys() == {alerts.FOREIGN_BOOKING, alerts.WRONG_BOOKING}
    assert {each["booking_uid"] for each in told.values()} == {theirs}
    assert told[alerts.FOREIGN_BOOKING]["owner_appointment"] == "another"
