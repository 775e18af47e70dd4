"""What an operator must see, and what it says. Facts are ids, states and instants, never people."""

from __future__ import annotations

from bookend.application.ports import Alert
from bookend.domain.answers import Answered, Booking, CreateAnswer, KeyRejected, NotThere
from bookend.domain.appointment import Amiss, Appointment
from bookend.domain.circuit import Breaker, CircuitKind
from bookend.domain.drift import Drift
from bookend.domain.texts import Message
from bookend.domain.timeslot import instant_text

FOREIGN_BOOKING = "ForeignBookingReturned"
"""Cal.com answered our request with somebody else's booking (incident I1)."""
WRONG_BOOKING = "WrongBookingAnswered"
"""Cal.com booked, for us, something other than what was asked."""
OUTCOME_UNKNOWN = "OutcomeUnknown"
"""A caller was told "noch offen"."""
KEY_REJECTED = "CalcomRejectedOurKey"
"""No booking is possible until somebody mends the key or its rights."""
REQUEST_REFUSED = "RequestRefused"
"""Cal.com did not accept what we sent: a wrong event type, a rule of its own we do not know."""
STUCK = "OperationStuck"
"""An operation has been open for a quarter of an hour, and nothing can end it."""
CONFLICT_ADOPTED = "ConflictAdopted"
"""A booking made by others overlaps an appointment: a person must decide, it is never cancelled by us."""
ORPHAN_CANCELLED = "OrphanCancelled"
"""A booking of ours without an appointment was cancelled at Cal.com."""
STALE_READ = "StaleRead"
"""Cal.com kept showing an older state than its own event told of; the read was believed."""
DRIFT_FOUND = "DriftFound"
"""Both sides differ in a way that nothing may decide by itself."""
JOB_FAILED = "JobFailed"
"""Something nobody expected, in one piece of work; the others went on without it."""
BLAST_LIMIT = "BlastLimitReached"
"""A run would have taken more away than a day ever does: that is left undone, and a person must look."""
LIST_CONTRADICTED = "ListContradicted"
"""Cal.com's list and its single bookings contradict each other: nothing is concluded from that list."""
RECONCILIATION_STUCK = "ReconciliationStuck"
"""A run has come no further for half an hour."""
WOKE_TOO_LATE = "WokeTooLate"
"""An operation that had been given up got its booking after all."""

CIRCUIT_OPENED = "CircuitOpened"
"""Cal.com did not answer several times in a row, and is left alone for a while (domain/circuit.py)."""

TEXT_FAILED = "TextFailed"
"""A text that its caller waits for will not be sent; a person must ring them."""
TEXT_UNSURE = "TextUnsure"
"""A text that its caller waits for may have been sent or not; a person must ring them."""

KINDS = frozenset(
    {FOREIGN_BOOKING, WRONG_BOOKING, OUTCOME_UNKNOWN, KEY_REJECTED, REQUEST_REFUSED, STUCK, WOKE_TOO_LATE}
    | {CONFLICT_ADOPTED, ORPHAN_CANCELLED, STALE_READ, DRIFT_FOUND, BLAST_LIMIT, LIST_CONTRADICTED, JOB_FAILED}
    | {CIRCUIT_OPENED, RECONCILIATION_STUCK}
    | {TEXT_FAILED, TEXT_UNSURE}
)
"""Every kind; each is a metric of the same name, and those that page have an alarm in the template."""


def foreign_booking(appointment: Appointment, answer: CreateAnswer, *, owner: str | None = None) -> Alert:
    """Names both calls, so that a person can ring whoever was promised what."""
    facts = _ours(appointment) | _theirs(answer)
    return Alert(FOREIGN_BOOKING, facts | ({"owner_appointment": owner} if owner else {}))


def wrong_booking(appointment: Appointment, why: str, answer: CreateAnswer) -> Alert:
    """Ours, but not as asked."""
    return Alert(WRONG_BOOKING, _ours(appointment) | _theirs(answer) | {"why": why})


def outcome_unknown(appointment: Appointment, why: str) -> Alert:
    """Nobody knows yet whether it is booked. `why` is our word for it, never Cal.com's text."""
    return Alert(OUTCOME_UNKNOWN, _ours(appointment) | {"why": why})


def key_rejected(appointment: Appointment) -> Alert:
    """Cal.com answered 401 or 403."""
    return Alert(KEY_REJECTED, _ours(appointment))


def key_rejected_behind(asked: str, by: str) -> Alert:
    """The same in work that no caller waits for: what was asked of Cal.com, and by which kind of work."""
    return Alert(KEY_REJECTED, {"asked": asked, "by": by})


def question_refused(service: str, call: str, answer: KeyRejected | NotThere) -> Alert:
    """A question for slots that Cal.com will not answer until a person mends the key, or the event type."""
    kind = KEY_REJECTED if isinstance(answer, KeyRejected) else REQUEST_REFUSED
    return Alert(kind, {"service": service, "call": call})


def request_refused(appointment: Appointment, why: str) -> Alert:
    """The answer is kept with the appointment."""
    return Alert(REQUEST_REFUSED, _ours(appointment) | {"why": why})


def stuck(appointment: Appointment) -> Alert:
    """Cal.com does not answer, or does not let go of a booking."""
    return Alert(STUCK, _ours(appointment) | {"state": appointment.state.value})


def woke_too_late(appointment: Appointment, answer: CreateAnswer) -> Alert:
    """The booking is being cancelled again; if that fails it is an orphan."""
    return Alert(WOKE_TOO_LATE, _ours(appointment) | _theirs(answer))


def conflict_adopted(appointment: Appointment) -> Alert:
    """Two appointments of one stylist at one time."""
    uids = ",".join(segment.uid or "" for segment in appointment.segments)
    return Alert(CONFLICT_ADOPTED, _ours(appointment) | {"booking_uid": uids, "staff": appointment.staff})


def orphan_cancelled(appointment: Appointment, booking: Booking) -> Alert:
    """Which booking went, and which failed operation had made it."""
    return Alert(ORPHAN_CANCELLED, _ours(appointment) | _theirs(Answered(booking)))


def stale_read(uid: str, trigger: str) -> Alert:
    """Which booking, and which event it contradicts."""
    return Alert(STALE_READ, {"booking_uid": uid, "trigger": trigger})


def drift_found(booking: Booking, drift: Drift, appointment: Appointment | None, amiss: Amiss | None = None) -> Alert:
    """What differs, for a person; of a composite, what is wrong with the whole."""
    ours = _ours(appointment) if appointment is not None else {}
    why = {} if amiss is None else {"why": amiss.value}
    return Alert(DRIFT_FOUND, ours | _theirs(Answered(booking)) | {"drift": drift.value} | why)


def job_failed(kind: str, name: str, error: Exception) -> Alert:
    """Which piece of work, and what type of exception: its text may hold anything."""
    return Alert(JOB_FAILED, {"job": kind, "job_name": name, "error": type(error).__name__})


def circuit_opened(kind: CircuitKind, breaker: Breaker) -> Alert:
    """Which breaker, after how many failures, and our word for the last one."""
    why = breaker.last.why if breaker.last is not None else ""
    return Alert(CIRCUIT_OPENED, {"kind": kind.value, "failures": str(breaker.failures), "why": why})


def blast_limit(planned: int, most: int, run: str) -> Alert:
    """How many things would have been taken away."""
    return Alert(BLAST_LIMIT, {"planned": str(planned), "most": str(most), "run": run})


def list_contradicted(times: int, run: str) -> Alert:
    """How often a look at a booking itself said otherwise."""
    return Alert(LIST_CONTRADICTED, {"times": str(times), "run": run})


def reconciliation_stuck(run: str, invocations: int) -> Alert:
    """How many invocations in a row brought the run no further."""
    return Alert(RECONCILIATION_STUCK, {"run": run, "invocations": str(invocations)})


def unreadable(uid: str, appointment: Appointment) -> Alert:
    """A booking of ours that Cal.com does not show for days, or that it says was changed in the future."""
    return Alert(DRIFT_FOUND, _ours(appointment) | {"booking_uid": uid, "drift": Drift.UNREADABLE.value})


def left(uid: str, appointment: Appointment | None) -> Alert:
    """A booking that polls have come to no end with for a day, and whose it is."""
    ours = _ours(appointment) if appointment is not None else {}
    return Alert(DRIFT_FOUND, ours | {"booking_uid": uid, "drift": Drift.LEFT.value})


def ghost_here(appointment: Appointment) -> Alert:
    """Confirmed here; Cal.com does not know its booking any more."""
    uids = ",".join(segment.uid or "" for segment in appointment.segments)
    return Alert(DRIFT_FOUND, _ours(appointment) | {"booking_uid": uids, "drift": Drift.GHOST_HERE.value})


def text_failed(message: Message, appointment: Appointment | None, why: str) -> Alert:
    """Which message, and our word for why it cannot be sent."""
    return Alert(TEXT_FAILED, _text(message, appointment, why))


def text_unsure(message: Message, appointment: Appointment | None, why: str) -> Alert:
    """Which message, and why nobody knows: our word, or the name of the error."""
    return Alert(TEXT_UNSURE, _text(message, appointment, why))


def _text(message: Message, appointment: Appointment | None, why: str) -> dict[str, str]:
    facts = {"op": message.op, "appointment": message.appointment, "text": message.kind.value, "why": why}
    return facts if appointment is None else {"start": instant_text(appointment.slot.start), **facts}


def _ours(appointment: Appointment) -> dict[str, str]:
    change = appointment.change  # while one is under way it is what the alert is about
    return {
        "call": change.call if change is not None else appointment.call,
        "appointment": appointment.id,
        "op": change.op if change is not None else appointment.op,
        "start": instant_text(appointment.slot.start),
        "event_type": str(appointment.segments[0].event_type),
    }


def _theirs(answer: CreateAnswer) -> dict[str, str]:
    if not isinstance(answer, Answered):
        return {}
    booking = answer.booking
    facts = {"booking_uid": booking.uid, "booking_id": str(booking.id)}
    if booking.created_at is not None:
        facts["booking_created_at"] = instant_text(booking.created_at)
    named = {"their_call": "call_id", "their_op": "op_id", "their_appointment": "appointment"}
    return facts | {ours: booking.metadata[theirs] for ours, theirs in named.items() if theirs in booking.metadata}
