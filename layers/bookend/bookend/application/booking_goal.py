"""From the words of a wish to book to what exactly is to be booked: only what was offered, or is looked up now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from bookend.application.offering import Free, NoAnswer, keep
from bookend.application.outcomes import BookOutcome, Missing, NeedInfo, NotBooked, Reason, SlotTaken, TemporaryTrouble
from bookend.application.ports import CallRecord, Known
from bookend.application.salon_rules import against_policy, find_bookable, out_of_time
from bookend.application.turn import Turn
from bookend.application.wishes import ServiceWish, read_service, read_wanted
from bookend.domain.availability import Offer, Wanted
from bookend.domain.contacts import (
    Customer,
    clean_name,
    customer_id,
    is_placeholder,
    normalise_email,
    normalise_phone,
    placeholder_email,
)
from bookend.domain.requests import request_key
from bookend.domain.tenant import Service
from bookend.domain.timeslot import Slot


@dataclass(frozen=True, slots=True)
class BookAppointment:
    """The wish, in the model's words. `offer` is the id of a time we said. None: not said."""

    offer: str | None
    service: str | None
    staff: str | None
    date: str | None
    time: str | None
    name: str | None
    phone: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Who:
    """For whom: a cleaned name, the customer's id, and the contacts named in this call (checked, or None)."""

    name: str
    id: str
    phone: str | None
    email: str | None

    def customer(self, turn: Turn, known: Customer | None) -> Customer:
        """The customer. An address once known stays theirs until they name another; a number is only for calling."""
        placeholder = placeholder_email(self.id, domain=turn.tenant.placeholder_domain)
        email = self.email or (known.email if known else placeholder)
        phone = self.phone or turn.call.caller or (known.phone if known else None)
        return Customer(self.id, self.name, email, phone)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be booked. `offer` where this caller was offered it, else it was found free just now.

    `stylists` are those the caller would accept, for alternatives. `parts` are the busy parts of a composite as they
    were offered or found, whose `slot` is from the first to the last; a plain service has none.
    """

    service: Service
    staff: str
    slot: Slot
    offer: Offer | None
    stylists: tuple[str, ...]
    who: Who
    seen: Known | None = None
    """What the look that found it free saw of the store: START is decided on it."""
    parts: tuple[Slot, ...] = ()

    @property
    def busy(self) -> tuple[Slot, ...]:
        """What it takes of the stylist's time, in order."""
        return self.parts or (self.slot,)

    @property
    def touched_days(self) -> frozenset[tuple[str, date]]:
        """The staff days that it takes time of."""
        return frozenset((self.staff, day) for slot in self.busy for day in slot.utc_days())

    def wanted(self, turn: Turn) -> Wanted:
        """The same as a wish for a time."""
        return Wanted(self.slot.start.astimezone(turn.tenant.zone).date(), self.slot.start)

    def request(self, turn: Turn) -> str:
        """The semantic key of this wish."""
        return request_key(
            call=turn.call.id,
            operation="book",
            service=self.service.id,
            start=self.slot.start,
            name=self.who.name,
        )


def read_who(command: BookAppointment, turn: Turn) -> Who | NeedInfo:
    """The customer: known by the signed number of the call, or by name within the call if that is withheld."""
    name = clean_name(command.name)
    if name is None:
        return NeedInfo(Missing.NAME)
    email = normalise_email(command.email)
    if command.email is not None and (email is None or is_placeholder(email, domain=turn.tenant.placeholder_domain)):
        return NeedInfo(Missing.EMAIL)  # an address in our own domain is some customer's placeholder, never a wish
    identity = customer_id(turn.tenant.id, caller=turn.call.caller, call=turn.call.id)
    phone = normalise_phone(command.phone, country_code=turn.tenant.country_code)
    return Who(name, identity, phone, email)


def read_goal(
    command: BookAppointment,
    turn: Turn,
    known: Known,
    who: Who,
    *,
    earlier: Callable[[Goal, Known | None], BookOutcome | None],
) -> Goal | BookOutcome:
    """What to book, or why not. `earlier` answers a wish that is on record already, by a look that was for it, or now.

    `known` was looked for by `request_of` the command.
    """
    offer = _offer_meant(command, turn, known.record)
    if isinstance(offer, Offer):
        service = turn.tenant.service(offer.service)
        if service is None or offer.staff not in service.stylists or not _is_as_offered(service, offer):
            return NotBooked()  # the salon has changed since the offer was made
        stylists = _stylists(command, turn, service, offer)
        return Goal(service, offer.staff, offer.slot, offer, stylists, who, parts=offer.parts)
    if offer is not None:
        return offer
    return _look_up(command, turn, known, who, earlier=earlier)


def _is_as_offered(service: Service, offer: Offer) -> bool:
    """Whether the parts that were offered are still those of the service."""
    if not service.is_composite:
        return not offer.parts
    return [each.duration for each in offer.parts] == [each.length for each in service.busy]


def request_of(command: BookAppointment, turn: Turn, who: Who) -> str | None:
    """The key of a wish that needs no offer to be understood, so that it is looked for with everything else."""
    wish = read_service(turn.tenant, command.service, command.staff)
    if not isinstance(wish, ServiceWish) or command.offer is not None or command.date is None:
        return None
    wanted = read_wanted(turn.tenant, command.date, command.time, now=turn.clock.now())
    if not isinstance(wanted, Wanted) or wanted.at is None:
        return None
    return _asked(wish, wanted.at, who).request(turn)


def _asked(wish: ServiceWish, at: datetime, who: Who) -> Goal:
    return Goal(wish.service, wish.stylists[0], Slot.of(at, wish.service.minutes), None, wish.stylists, who)


def _offer_meant(command: BookAppointment, turn: Turn, record: CallRecord) -> Offer | BookOutcome | None:
    """The offer the caller took; None when the wish names none of them; an outcome when it cannot be told."""
    named = next((each for each in record.offers if each.id == command.offer), None)
    if named is not None and (question := _question_about(command, turn, named)) is not None:
        return question
    if command.time is None and command.date is None:
        only = record.offers[0] if len(record.offers) == 1 and command.offer is None else None
        if only is not None and (question := _question_about(command, turn, only)) is not None:
            return NeedInfo(Missing.TIME) if question == NeedInfo(Missing.WHICH_OFFER) else question
        return named or only or NeedInfo(Missing.TIME)
    wanted = _wanted(command, turn, record, named=named)
    if not isinstance(wanted, Wanted):
        return named if named is not None and command.time is None else wanted
    if named is not None:
        return named if _agrees(wanted, turn, named) else NeedInfo(Missing.WHICH_OFFER)
    if wanted.at is None:
        return NeedInfo(Missing.TIME)
    # One for moving an appointment is its stylist's for that alone: a new wish for the same time may be anybody's.
    offers = [each for each in record.offers if each.moving is None and each.slot.start == wanted.at]
    fitting = [each for each in offers if _fits(command, turn, each)]
    return fitting[0] if len(fitting) == 1 else None


def _wanted(
    command: BookAppointment, turn: Turn, record: CallRecord, *, named: Offer | None = None
) -> Wanted | BookOutcome:
    """The time wished for. A bare time means the day of the offer that is at that time, if there is one.

    Where offers of several days are at that time and none is named it is a question: a guess books the wrong day.
    """
    now = turn.clock.now()
    if command.date is None:
        meant: dict[datetime, Wanted] = {}
        for offer in record.offers:
            wanted = read_wanted(turn.tenant, _day(turn, offer).isoformat(), command.time, now=now)
            if isinstance(wanted, Wanted) and wanted.at == offer.slot.start:
                meant[offer.slot.start] = wanted
        if named is not None and named.slot.start in meant:
            return meant[named.slot.start]
        if meant:
            return next(iter(meant.values())) if len(meant) == 1 else NeedInfo(Missing.WHICH_OFFER)
    return read_wanted(turn.tenant, command.date, command.time, now=now)


def _agrees(wanted: Wanted, turn: Turn, offer: Offer) -> bool:
    """Whether the time that was said is the offer's: the very instant, or its day where no time was said."""
    return wanted.at == offer.slot.start if wanted.at is not None else wanted.day == _day(turn, offer)


def _day(turn: Turn, offer: Offer) -> date:
    return offer.slot.start.astimezone(turn.tenant.zone).date()


def _question_about(command: BookAppointment, turn: Turn, offer: Offer) -> BookOutcome | None:
    """What to ask where a service or stylist was said that is not the offer's; None: nothing speaks against it.

    A name that cannot be told is a question too: whoever asks for Peter must not get Fabian because he was offered.
    """
    wish = read_service(turn.tenant, command.service or offer.service, command.staff)
    if not isinstance(wish, ServiceWish):
        return wish
    other = wish.service.id != offer.service or (command.staff is not None and offer.staff not in wish.stylists)
    return NeedInfo(Missing.WHICH_OFFER) if other else None


def _fits(command: BookAppointment, turn: Turn, offer: Offer) -> bool:
    wish = read_service(turn.tenant, command.service or offer.service, command.staff)
    return isinstance(wish, ServiceWish) and wish.service.id == offer.service and offer.staff in wish.stylists


def _stylists(command: BookAppointment, turn: Turn, service: Service, offer: Offer) -> tuple[str, ...]:
    """Whom the caller accepts: as said now, else as said when it was offered, less who no longer does the service."""
    if command.staff is not None:
        wish = read_service(turn.tenant, service.id, command.staff)
        if isinstance(wish, ServiceWish):
            return wish.stylists
    return tuple(staff for staff in offer.asked_for if staff in service.stylists) or service.stylists


def _look_up(
    command: BookAppointment,
    turn: Turn,
    known: Known,
    who: Who,
    *,
    earlier: Callable[[Goal, Known | None], BookOutcome | None],
) -> Goal | BookOutcome:
    """A time that was not offered is looked up first: only what is on sale can be booked."""
    wish = read_service(turn.tenant, command.service, command.staff)
    if not isinstance(wish, ServiceWish):
        return wish
    wanted = _wanted(command, turn, known.record)
    if not isinstance(wanted, Wanted):
        return wanted
    if wanted.at is None:
        return NeedInfo(Missing.TIME)
    asked = _asked(wish, wanted.at, who)
    looked_for = asked.request(turn) == request_of(command, turn, who)
    if (answer := earlier(asked, known if looked_for else None)) is not None:
        return answer
    free = find_bookable(
        turn, wish.service, wish.stylists, wanted, fresh=True, request=asked.request(turn), customer=who.id
    )
    if isinstance(free, NoAnswer):
        return TemporaryTrouble(free.retry_after_s)
    if not isinstance(free, Free):
        # The same wish, delivered twice, may be what makes it one too many.
        return earlier(asked, None) or against_policy(turn, wish.service, wanted, free, ())
    opening = next((each for each in free.openings if each.slot.start == wanted.at), None)
    if opening is None:
        if (answer := earlier(asked, None)) is not None:
            return answer  # the same wish, delivered twice, took it while we looked
        if (refusal := out_of_time(turn, wish.service, free, wanted)) is not None:
            return against_policy(turn, wish.service, wanted, refusal, keep(turn, wish.service, free, wanted))
        if not free.complete:
            return TemporaryTrouble()  # it may be free with whoever Cal.com did not tell of
        offers = keep(turn, wish.service, free, wanted)
        return SlotTaken(asked.slot, Reason.NOT_FREE, wish.service, offers, turn.today())
    return Goal(wish.service, opening.staff, opening.slot, None, wish.stylists, who, free.seen, opening.parts)
