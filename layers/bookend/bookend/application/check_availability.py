"""Which times are free for a service; the ones said aloud are kept for the caller."""

from __future__ import annotations

from dataclasses import dataclass

from bookend.application.offering import Free, NoAnswer, keep, remember
from bookend.application.outcomes import CheckOutcome, NothingFree, Offers, TemporaryTrouble
from bookend.application.salon_rules import against_policy, find_bookable, last_looked_at, out_of_time
from bookend.application.turn import Turn
from bookend.application.wishes import ServiceWish, read_service, read_wanted
from bookend.domain.availability import Wanted


@dataclass(frozen=True, slots=True)
class CheckAvailability:
    """The question, in the model's words. None: not said."""

    service: str | None
    staff: str | None
    date: str | None
    time: str | None


def check_availability(command: CheckAvailability, turn: Turn) -> CheckOutcome:
    """Two or three free times near the wish, held for this call in place of what it was offered before.

    Touches the calendar (reads, or what it said seconds ago) and the ledger (holds).
    """
    wish = read_service(turn.tenant, command.service, command.staff)
    if not isinstance(wish, ServiceWish):
        return wish
    wanted = read_wanted(turn.tenant, command.date, command.time, now=turn.clock.now())
    if not isinstance(wanted, Wanted):
        return wanted
    free = find_bookable(turn, wish.service, wish.stylists, wanted, fresh=False)
    if isinstance(free, NoAnswer):
        return TemporaryTrouble(free.retry_after_s)
    if not isinstance(free, Free):
        return against_policy(turn, wish.service, wanted, free, ())
    offers = keep(turn, wish.service, free, wanted)
    remember(turn, free)
    if (refusal := out_of_time(turn, wish.service, free, wanted)) is not None:
        return against_policy(turn, wish.service, wanted, refusal, offers)
    if not free.complete and not any(each.slot.start == wanted.at for each in offers):
        # "Not free" would be a guess: Cal.com did not tell of every stylist that was asked for.
        return (
            Offers(wish.service, wanted.day, wanted.at, offers, turn.today(), sure=False, window=wanted.window)
            if offers
            else TemporaryTrouble()
        )
    if not offers:
        return NothingFree(wish.service, wanted.day, last_looked_at(turn, wish.service, free, wanted), turn.today())
    return Offers(wish.service, wanted.day, wanted.at, offers, turn.today(), window=wanted.window)
