"""In which order the bookings of one appointment are moved.

Each busy part is a booking of its own at Cal.com, which knows nothing of the others but that the stylist is busy there.
"""

from __future__ import annotations

from collections.abc import Mapping

from bookend.domain.timeslot import Slot


def waves(stands: Mapping[int, Slot], goes: Mapping[int, Slot]) -> tuple[tuple[int, ...], ...] | None:
    """Which parts may be moved at the same time, wave after wave; None: there is no such order.

    Both are by the number of the part, of one stylist. Bookings of one appointment are in each other's way like
    anybody's: a part that goes to where another one stands goes after it. One that stands there already does not go,
    and one that is not to go stays in the way.
    """
    places = dict(stands)
    left = {index: slot for index, slot in goes.items() if places.get(index) != slot}
    found: list[tuple[int, ...]] = []
    while left:
        free = tuple(
            index
            for index, slot in sorted(left.items())
            if not any(other != index and place.overlaps(slot) for other, place in places.items())
        )
        if not free:
            return None
        places |= {index: left.pop(index) for index in free}
        found.append(free)
    return tuple(found)
