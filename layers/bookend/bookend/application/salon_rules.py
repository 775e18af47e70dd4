"""The salon's own rules, as one caller meets them: whom they may book, and why nothing of what they wish is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from bookend.application.offering import Free, NoAnswer, find_free
from bookend.application.outcomes import AgainstPolicy
from bookend.application.turn import Turn
from bookend.domain.availability import DAYS_AHEAD, Offer, Wanted
from bookend.domain.contacts import customer_id
from bookend.domain.policy import (
    BookRefusal,
    PersonRefusal,
    Policy,
    TimeRefusal,
    last_day,
    may_book,
    mildest,
    person_refused,
    policy_of,
    time_refused,
)
from bookend.domain.tenant import Service
from bookend.domain.timeslot import Slot, local_day_bounds

_MINUTE = timedelta(minutes=1)


def find_bookable(
    turn: Turn,
    service: Service,
    stylists: Sequence[str],
    wanted: Wanted,
    *,
    fresh: bool,
    request: str | None = None,
    customer: str | None = None,
) -> Free | NoAnswer | PersonRefusal:
    """`find_free` for a new appointment: of those stylists only whom this caller may book, or why there is none."""
    policies = {staff: policy_of(turn.tenant, service=service.id, staff=staff) for staff in stylists}
    open_ones = _open_ones(turn, policies.values())
    withheld = turn.call.caller is None
    refusals = {
        staff: person_refused(policy, open_ones=open_ones, withheld=withheld) for staff, policy in policies.items()
    }
    admitted = [staff for staff, refusal in refusals.items() if refusal is None]
    if refusals and not admitted:
        return mildest([each for each in refusals.values() if each is not None])
    return find_free(turn, service, admitted, wanted, fresh=fresh, request=request, customer=customer)


def offer_refused(turn: Turn, service: Service, offer: Offer) -> BookRefusal | None:
    """Why a time that was offered may not be booked; None if it may.

    While the offer is kept, its time is judged as when it was made: who heard a time a minute ago can book it.
    """
    policy = policy_of(turn.tenant, service=service.id, staff=offer.staff)
    now = turn.clock.now()
    return may_book(
        policy,
        now=offer.offered_at if now < offer.expires else now,
        slot=offer.slot,
        open_ones=_open_ones(turn, [policy]),
        withheld=turn.call.caller is None,
    )


def _open_ones(turn: Turn, policies: Iterable[Policy]) -> int:
    """How many appointments the customer has before them; asked of the store only where a rule limits them."""
    if all(policy.most_open is None for policy in policies):
        return 0
    customer = customer_id(turn.tenant.id, caller=turn.call.caller, call=turn.call.id)
    return turn.appointments.open_of(turn.tenant.id, customer, now=turn.clock.now())


def against_policy(
    turn: Turn, service: Service, wanted: Wanted, refusal: BookRefusal, offers: tuple[Offer, ...]
) -> AgainstPolicy:
    """The outcome of a refusal."""
    return AgainstPolicy(refusal, wanted.day, wanted.at, service, offers, turn.today())


def out_of_time(turn: Turn, service: Service, free: Free, wanted: Wanted) -> TimeRefusal | None:
    """Why the rules allow nothing of what was wished for; None where they allow some of it, or Cal.com lists nothing.

    With an instant: no stylist may be booked then. With a day or a window: it is wholly out of bounds, or every start
    that Cal.com lists in it is.
    """
    now = turn.clock.now()
    policies = [policy_of(turn.tenant, service=service.id, staff=staff) for staff in free.stylists]
    if wanted.at is not None:
        return _every(policies, Slot.of(wanted.at, service.minutes), now=now)
    # What refuses the last minute of a day refuses all of it: notice ends later, and the horizon is whole days.
    last_minute = Slot.of(local_day_bounds(wanted.day, turn.tenant.zone).end - _MINUTE, 1)
    return _every(policies, last_minute, now=now) or _all_listed(turn, service, free, wanted, now=now)


def _every(policies: Sequence[Policy], slot: Slot, *, now: datetime) -> TimeRefusal | None:
    """The mildest refusal of a time that is still to come, if all these policies refuse it."""
    refusals = [time_refused(policy, now=now, slot=slot) for policy in policies if slot.start >= now]
    said = [each for each in refusals if each is not None]
    return mildest(said) if said and len(said) == len(refusals) else None


def _all_listed(turn: Turn, service: Service, free: Free, wanted: Wanted, *, now: datetime) -> TimeRefusal | None:
    refusals = [
        time_refused(policy_of(turn.tenant, service=service.id, staff=staff), now=now, slot=Slot.of(start, 1))
        for staff, starts in free.starts.items()
        for start in starts
        if start >= now and _is_wanted(start.astimezone(turn.tenant.zone), wanted)
    ]
    said = [each for each in refusals if each is not None]
    return mildest(said) if said and len(said) == len(refusals) else None


def _is_wanted(local: datetime, wanted: Wanted) -> bool:
    """Whether a start, in the salon's time, is on the day and in the window that were asked for."""
    window = wanted.window
    return local.date() == wanted.day and (window is None or window[0] <= local.time() < window[1])


def last_looked_at(turn: Turn, service: Service, free: Free, wanted: Wanted) -> date:
    """The last day of the query, or the last that may be booked: of what is after it nothing was found out."""
    looked_at = wanted.day + timedelta(days=DAYS_AHEAD - 1)
    now = turn.clock.now()
    lasts = [last_day(policy_of(turn.tenant, service=service.id, staff=staff), now=now) for staff in free.stylists]
    limits = [each for each in lasts if each is not None]
    return min(looked_at, max(limits)) if limits and len(limits) == len(lasts) else looked_at
