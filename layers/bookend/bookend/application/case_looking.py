"""What is read before anything is decided about a case: ours in the table, theirs at Cal.com, each by its own name.

A list only says where to look. What it names is read by its uid; what it leaves out is not thereby gone.
"""

from __future__ import annotations

from datetime import timedelta

from bookend.application.background import Background
from bookend.application.booking_numbers import BookingNumbers, CalendarSilent
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.case_parts import GATHERED, Part, is_gathered_for, number_of, rest_of, uids_named
from bookend.domain.case_wishes import TAKEN_OVER, Unfit, Wanted, read_wanted
from bookend.domain.cases import Case, CaseOrigin
from bookend.domain.contacts import is_placeholder
from bookend.domain.drift import DEAD, LIVE
from bookend.domain.remedies import Seen
from bookend.domain.reviews import names_a_booking
from bookend.domain.staff_day import IntervalState
from bookend.domain.timeslot import Slot, parse_instant

_ROOM = timedelta(days=1)
_MOVES = 8
"""How many moves of a booking are followed in one look."""


class Looking:
    """Looks for one run; what a day's list says is asked once."""

    def __init__(self, work: Background, numbers: BookingNumbers) -> None:
        self._work, self._numbers = work, numbers

    def at(self, case: Case, rivals: tuple[Case, ...] = ()) -> Seen:
        """What there is of a case that is to be on both sides."""
        appointment, rest = self._ours(case.appointment), self._ours(rest_of(self._work.tenant, case))
        if rest is not None and appointment is not None and appointment.why == GATHERED:
            appointment, rest = rest, None  # it goes on in that one, and the run that did it died of it
        if appointment is not None and appointment.state is not AppointmentState.FAILED:
            stands = appointment.state is AppointmentState.CONFIRMED
            try:
                read = self._bookings(appointment) if stands else ()
                return Seen(appointment=appointment, bookings=read, rest=rest)
            except CalendarSilent:
                return Seen(appointment=appointment, rest=rest, unread=True)
        if case.origin is not CaseOrigin.IMPORT:
            return Seen(appointment=appointment)
        wanted = read_wanted(case, self._work.tenant)
        is_one = isinstance(wanted, Wanted) and len(wanted.slots) == 1 and names_a_booking(case)
        if isinstance(wanted, Unfit) or (wanted.slot.start <= self._work.clock.now() and not is_one):
            return Seen(appointment=appointment)  # nothing that could be read would change what follows
        try:
            if len(wanted.slots) > 1:
                parts, read = self._parts(case, wanted)
                gone = (each for each in read if each is not None and each.status in DEAD and not _is_made_here(each))
                return Seen(appointment=appointment, bookings=read, named=next(gone, None), rivals=rivals, parts=parts)
            named, elsewhere = self._named(case, wanted, tried=appointment is not None)
        except CalendarSilent:
            return Seen(appointment=appointment, unread=True, rivals=rivals)
        owner = self._owner(named.uid) if named is not None else None
        return Seen(appointment=appointment, named=named, elsewhere=elsewhere, owner=owner, rivals=rivals)

    def at_difference(self, case: Case) -> Seen | None:
        """What there is of a case that a person has before them; None: it is not of this kind."""
        if case.origin is CaseOrigin.IMPORT:
            return None
        ours = self._ours(case.appointment)
        if case.origin is CaseOrigin.OPERATION or not case.booking:
            return Seen(appointment=ours, owner=ours)
        try:
            named = self._read(case.booking)
        except CalendarSilent:
            return Seen(appointment=ours, unread=True)
        return Seen(appointment=ours, named=named, owner=self._owner(case.booking) or (ours if named is None else None))

    def _ours(self, name: str) -> Appointment | None:
        return self._work.appointments.appointment(self._work.tenant.id, name) if name else None

    def _owner(self, uid: str) -> Appointment | None:
        owner = self._work.adoptions.owner(self._work.tenant.id, uid)
        return self._ours(owner) if owner is not None else None

    def _bookings(self, appointment: Appointment) -> tuple[Booking | None, ...]:
        """Those it stands on, each read by its uid; None for one that is not shown.

        Raises:
            CalendarSilent: it does not say.
        """
        return tuple(self._read(each.uid or "") for each in appointment.segments)

    def named(self, case: Case) -> Booking | None:
        """The booking that a row names, or what it became when it was moved; whatever else is wrong with the row.

        A number alone is looked for on the day that the row tells. A row that names none: see `_named`.

        Raises:
            CalendarSilent: Cal.com does not say.
        """
        wanted = read_wanted(case, self._work.tenant)
        if isinstance(wanted, Wanted):
            return self._named(case, wanted, tried=bool(case.appointment))[0]
        return self._by_name(case)

    def _by_name(self, case: Case) -> Booking | None:
        number, start = case.facts.get("booking_id", ""), case.facts.get("start", "")
        if case.booking:
            return self._where_it_is(case.booking)
        if not number.isdecimal() or not start:
            return None
        begins = parse_instant(start)
        uid = self._numbers.ever(int(number), Slot(begins, begins + _ROOM))
        return self._where_it_is(uid) if uid is not None else None

    def _where_it_is(self, uid: str) -> Booking | None:
        """The booking, or what became of it when it was moved; where that is not shown, the one that was moved.

        Raises:
            CalendarSilent: Cal.com does not say.
        """
        booking = self._read(uid)
        for _ in range(_MOVES):
            if booking is None or booking.status not in DEAD or booking.rescheduled_to is None:
                break
            became = self._read(booking.rescheduled_to)
            if became is None:
                break
            booking = became
        return booking

    def _named(self, case: Case, wanted: Wanted, *, tried: bool) -> tuple[Booking | None, Booking | None]:
        """The booking that the case names, by uid or by number; else one that its customer has for just this.

        Behind it, where there is none, one that their address has for this at that time with another stylist.

        Raises:
            CalendarSilent: Cal.com does not say.
        """
        if names_a_booking(case):
            return self._by_name(case), None
        email, tenant = wanted.customer.email, self._work.tenant
        if tried or len(wanted.slots) > 1 or is_placeholder(email, domain=tenant.placeholder_domain):
            return None, None
        around = Slot(wanted.slot.start - _ROOM, wanted.slot.end + _ROOM)
        found = self._work.calendar.find(email, around, deadline=self._work.deadline)
        if not isinstance(found, tuple):
            raise CalendarSilent
        kinds = {*wanted.service.busy[0].event_types.values()}
        fitting = [
            each
            for each in found
            if (each.status, each.start) == (LIVE, wanted.slot.start) and each.event_type in kinds
        ]
        own = [each for each in fitting if tenant.staff_of_host(each.host) == wanted.staff]
        if own or not fitting:
            return self._read(own[0].uid) if len(own) == 1 else None, None
        elsewhere = self._read(fitting[0].uid)
        return None, elsewhere if elsewhere is not None and elsewhere.status not in DEAD else None

    def _parts(self, case: Case, wanted: Wanted) -> tuple[tuple[Part, ...], tuple[Booking | None, ...]]:
        """The live bookings that a row of a composite service names, or that those were moved to; and those that its
        customer has for a part of it. Behind them all that the row names, None where one is not shown.

        What a list says only tells where to look: each is what it is when it is read by its uid. What an operation of
        ours has made is none of them: that is settled by itself.

        Raises:
            CalendarSilent: Cal.com does not say.
        """
        tenant, email = self._work.tenant, wanted.customer.email
        named = [self._where_it_is(uid) for uid in uids_named(case)] or [self._by_name(case)]
        found = {each.uid: Part(each, self._owner(each.uid)) for each in named if each is not None}
        listed: tuple[Booking, ...] = ()
        if not is_placeholder(email, domain=tenant.placeholder_domain):
            around = Slot(wanted.slot.start - _ROOM, wanted.slot.end + _ROOM)
            answer = self._work.calendar.find(email, around, deadline=self._work.deadline)
            if not isinstance(answer, tuple):
                raise CalendarSilent
            listed = answer
        for each in listed:
            if each.uid in found or number_of(each, wanted, tenant) is None:
                continue
            read, owner = self._read(each.uid), self._owner(each.uid)
            is_free = owner is None or owner.source == TAKEN_OVER or is_gathered_for(case, owner)
            if read is not None and is_free and number_of(read, wanted, tenant) is not None:
                found[read.uid] = Part(read, owner)
        live = (each for each in found.values() if each.booking.status not in DEAD)
        return tuple(each for each in live if not _is_made_here(each.booking)), tuple(named)

    def live_named(self, case: Case) -> tuple[Booking, ...]:
        """Every booking that lives of those that a row names, wherever it stands.

        Raises:
            CalendarSilent: Cal.com does not say.
        """
        named = [self._where_it_is(uid) for uid in uids_named(case)] or [self._by_name(case)]
        found = {each.uid: each for each in named if each is not None and each.status not in DEAD}
        return tuple(found.values())

    def in_the_way(self, case: Case) -> tuple[Appointment, ...]:
        """Those of ours that have the time which a row is to be booked at; a time that is only offered is nobody's."""
        wanted = read_wanted(case, self._work.tenant) if case.origin is CaseOrigin.IMPORT else None
        if not isinstance(wanted, Wanted):
            return ()
        appointments, tenant, now = self._work.appointments, self._work.tenant.id, self._work.clock.now()
        at = [(slot, (wanted.staff, day)) for slot in wanted.slots for day in slot.utc_days()]
        days = appointments.staff_days(tenant, {day for _, day in at})
        blocking = [each for slot, day in at for each in days.day(*day).in_the_way_of(slot, now=now)]
        names = {each.key.partition("/")[0] for each in blocking if each.state is not IntervalState.HELD}
        return tuple(each for name, each in sorted(appointments.several(tenant, names - {case.appointment}).items()))

    def _read(self, uid: str) -> Booking | None:
        """One booking by its uid; None: Cal.com has none.

        Raises:
            CalendarSilent: it does not say.
        """
        read = self._work.calendar.booking(uid, deadline=self._work.deadline)
        if isinstance(read, Booking):
            return read
        if isinstance(read, NotThere):
            return None
        raise CalendarSilent


def _is_made_here(booking: Booking) -> bool:
    """Whether an operation of ours has made it: that is settled by itself."""
    return bool(booking.metadata.get("op_id"))
