"""What is read before anything is decided about a case: ours in the table, theirs at Cal.com, each by its own name.

A list only says where to look. What it names is read by its uid; what it leaves out is not thereby gone.
"""

from __future__ import annotations

from datetime import timedelta

from bookend.application.background import Background
from bookend.application.booking_numbers import BookingNumbers, CalendarSilent
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.case_wishes import Unfit, Wanted, read_wanted
from bookend.domain.cases import Case, CaseOrigin
from bookend.domain.contacts import is_placeholder
from bookend.domain.drift import LIVE
from bookend.domain.remedies import Seen
from bookend.domain.reviews import names_a_booking
from bookend.domain.timeslot import Slot, parse_instant

_ROOM = timedelta(days=1)


class Looking:
    """Looks for one run; what a day's list says is asked once."""

    def __init__(self, work: Background, numbers: BookingNumbers) -> None:
        self._work, self._numbers = work, numbers

    def at(self, case: Case, rivals: tuple[Case, ...] = ()) -> Seen:
        """What there is of a case that is to be on both sides."""
        appointment = self._ours(case.appointment)
        if appointment is not None and appointment.state is not AppointmentState.FAILED:
            stands = appointment.state is AppointmentState.CONFIRMED
            try:
                return Seen(appointment=appointment, bookings=self._bookings(appointment) if stands else ())
            except CalendarSilent:
                return Seen(appointment=appointment, unread=True)
        if case.origin is not CaseOrigin.IMPORT:
            return Seen(appointment=appointment)
        wanted = read_wanted(case, self._work.tenant)
        if isinstance(wanted, Unfit) or wanted.slot.start <= self._work.clock.now():
            return Seen(appointment=appointment)  # nothing that could be read would change what follows
        try:
            named = self._named(case, wanted, tried=appointment is not None)
        except CalendarSilent:
            return Seen(appointment=appointment, unread=True, rivals=rivals)
        owner = self._owner(named.uid) if named is not None else None
        return Seen(appointment=appointment, named=named, owner=owner, rivals=rivals)

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
        """The booking that a row names, whenever it is and whatever else is wrong with the row.

        A number alone is looked for on the day that the row tells. A row that names none: see `_named`.

        Raises:
            CalendarSilent: Cal.com does not say.
        """
        wanted = read_wanted(case, self._work.tenant)
        if isinstance(wanted, Wanted):
            return self._named(case, wanted, tried=bool(case.appointment))
        return self._by_name(case)

    def _by_name(self, case: Case) -> Booking | None:
        number, start = case.facts.get("booking_id", ""), case.facts.get("start", "")
        if case.booking:
            return self._read(case.booking)
        if not number.isdecimal() or not start:
            return None
        begins = parse_instant(start)
        uid = self._numbers.uid(int(number), Slot(begins, begins + _ROOM))
        return self._read(uid) if uid is not None else None

    def _named(self, case: Case, wanted: Wanted, *, tried: bool) -> Booking | None:
        """The booking that the case names, by uid or by number; else one that its customer has for just this.

        Raises:
            CalendarSilent: Cal.com does not say.
        """
        if names_a_booking(case):
            return self._by_name(case)
        email = wanted.customer.email
        if tried or len(wanted.slots) > 1 or is_placeholder(email, domain=self._work.tenant.placeholder_domain):
            return None
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
        return self._read(fitting[0].uid) if len(fitting) == 1 else None

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
