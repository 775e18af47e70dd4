"""What a text says, as a whole sentence; what is said at all; and what fits into one SMS."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bookend.domain.appointment import Amiss, Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.contacts import Customer
from bookend.domain.saying import Language
from bookend.domain.tenant import Tenant, TextSettings
from bookend.domain.texts import (
    Channel,
    Decision,
    Message,
    MessageState,
    Person,
    Say,
    Skip,
    Text,
    TextKind,
    Unreachable,
    Wait,
    compose,
    decide,
    messages_needed,
)
from bookend.domain.timeslot import Slot
from tests.support.salon import example_tenant

NOW = datetime(2025, 10, 24, 9, 0, tzinfo=UTC)
HANS = Customer("c1", "Hans Schuster", "kunde-c1@kunden.friseur1.example", "+491701111111")
SALON = replace(example_tenant(), texts=TextSettings(sms=True, email_from="termine@friseur1.example"))
ENGLISH = replace(SALON, language=Language.EN)
MONDAY = datetime(2025, 10, 27, 9, 30, tzinfo=UTC)
STATES = {
    TextKind.BOOKED: AppointmentState.CONFIRMED,
    TextKind.NOT_BOOKED: AppointmentState.FAILED,
    TextKind.MOVED: AppointmentState.CONFIRMED,
    TextKind.NOT_MOVED: AppointmentState.CONFIRMED,
    TextKind.CANCELLED: AppointmentState.CANCELLED,
    TextKind.NOT_CANCELLED: AppointmentState.CONFIRMED,
}


def appointment(
    start: datetime = MONDAY,
    state: AppointmentState = AppointmentState.CONFIRMED,
    *,
    customer: Customer = HANS,
    staff: str = "fabian",
) -> Appointment:
    return Appointment(
        id="a1",
        state=state,
        op="op1",
        version=3,
        service="herrenhaarschnitt",
        segments=(BookedSegment(0, staff, Slot.of(start, 30), 3672814),),
        customer=customer,
        call="call_1",
        source="phone",
        created_at=NOW,
        request="wish",
    )


def said(kind: TextKind, tenant: Tenant = SALON, start: datetime = MONDAY, now: datetime = NOW) -> str:
    text = compose(kind, appointment(start, STATES[kind]), tenant, opted_out=(), now=now)
    assert isinstance(text, Text)
    assert messages_needed(text.body) == 1
    return text.body


GERMAN = {
    TextKind.BOOKED: "Friseur 1: Ihr Termin am Montag, 27. Oktober, um 10:30 Uhr bei Fabian Spitzer ist gebucht.",
    TextKind.NOT_BOOKED: "Friseur 1: Ihr Wunschtermin am Montag, 27. Oktober, um 10:30 Uhr ist leider nicht zustande "
    "gekommen.",
    TextKind.MOVED: "Friseur 1: Ihr Termin wurde verschoben. Er ist jetzt am Montag, 27. Oktober, um 10:30 Uhr bei "
    "Fabian Spitzer.",
    TextKind.NOT_MOVED: "Friseur 1: Ihr Termin konnte leider nicht wie gewünscht verschoben werden. Er ist am Montag, "
    "27. Oktober, um 10:30 Uhr bei Fabian Spitzer.",
    TextKind.CANCELLED: "Friseur 1: Ihr Termin am Montag, 27. Oktober, um 10:30 Uhr ist abgesagt.",
    TextKind.NOT_CANCELLED: "Friseur 1: Ihr Termin konnte leider nicht abgesagt werden. Er ist weiterhin am Montag, "
    "27. Oktober, um 10:30 Uhr bei Fabian Spitzer.",
}
ENGLISH_SENTENCES = {
    TextKind.BOOKED: "Friseur 1: Your appointment on Monday, October 27, at 10:30 am with Fabian Spitzer is booked.",
    TextKind.NOT_BOOKED: "Friseur 1: We are sorry, the appointment you wished for on Monday, October 27, at 10:30 am "
    "could not be made.",
    TextKind.MOVED: "Friseur 1: Your appointment was moved. It is now on Monday, October 27, at 10:30 am with Fabian "
    "Spitzer.",
    TextKind.NOT_MOVED: "Friseur 1: We are sorry, your appointment could not be moved as you wished. It is on Monday, "
    "October 27, at 10:30 am with Fabian Spitzer.",
    TextKind.CANCELLED: "Friseur 1: Your appointment on Monday, October 27, at 10:30 am is cancelled.",
    TextKind.NOT_CANCELLED: "Friseur 1: We are sorry, your appointment could not be cancelled. It is still on Monday, "
    "October 27, at 10:30 am with Fabian Spitzer.",
}


@pytest.mark.parametrize("kind", TextKind)
def test_every_kind_in_german_and_english(kind: TextKind) -> None:
    assert said(kind) == GERMAN[kind]
    assert said(kind, ENGLISH) == ENGLISH_SENTENCES[kind]


@pytest.mark.parametrize(
    ("start", "german", "english"),
    [
        ("2025-10-25T07:00", "am Samstag, 25. Oktober, um 9:00 Uhr", "on Saturday, October 25, at 9 am"),
        ("2025-10-27T08:00", "am Montag, 27. Oktober, um 9:00 Uhr", "on Monday, October 27, at 9 am"),
        (
            "2025-10-26T00:30",
            "am Sonntag, 26. Oktober, um 2:30 Uhr Sommerzeit",
            "on Sunday, October 26, at 2:30 am summer time",
        ),
        (
            "2025-10-26T01:30",
            "am Sonntag, 26. Oktober, um 2:30 Uhr Winterzeit",
            "on Sunday, October 26, at 2:30 am winter time",
        ),
        ("2026-03-29T01:00", "am Sonntag, 29. März 2026, um 3:00 Uhr", "on Sunday, March 29, 2026, at 3 am"),
        ("2025-10-27T22:59", "am Montag, 27. Oktober, um 23:59 Uhr", "on Monday, October 27, at 11:59 pm"),
        ("2025-10-27T23:00", "am Dienstag, 28. Oktober, um 0:00 Uhr", "on Tuesday, October 28, at 12 am"),
    ],
)
def test_times_are_the_salons_across_the_change_of_clocks(start: str, german: str, english: str) -> None:
    at = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert said(TextKind.CANCELLED, start=at) == f"Friseur 1: Ihr Termin {german} ist abgesagt."
    assert said(TextKind.CANCELLED, ENGLISH, at) == f"Friseur 1: Your appointment {english} is cancelled."


def test_another_zone_is_another_wall_time_and_another_day() -> None:
    elsewhere = replace(SALON, zone=ZoneInfo("Pacific/Auckland"))
    assert said(TextKind.CANCELLED, elsewhere, datetime(2025, 10, 27, 20, 0, tzinfo=UTC)) == (
        "Friseur 1: Ihr Termin am Dienstag, 28. Oktober, um 9:00 Uhr ist abgesagt."
    )


def test_the_year_is_said_where_it_is_not_this_one() -> None:
    at = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    assert "am Montag, 5. Januar 2026, um 10:00 Uhr" in said(TextKind.BOOKED, start=at)
    new_year = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)  # in Berlin it is 2026 already
    assert "am Montag, 5. Januar, um 10:00 Uhr" in said(TextKind.BOOKED, start=at, now=new_year)


def test_a_mail_has_a_subject_and_no_name_but_the_stylists() -> None:
    with_phone = replace(SALON, texts=replace(SALON.texts, phone="+493033081738"))
    customer = replace(HANS, phone=None, email="hans@web.example")
    text = compose(TextKind.MOVED, appointment(customer=customer), with_phone, opted_out=(), now=NOW)
    assert text == Text(
        Channel.EMAIL,
        "hans@web.example",
        "termine@friseur1.example",
        "Friseur 1: Ihr Termin wurde verschoben",
        "Guten Tag,\n\nIhr Termin wurde verschoben. Er ist jetzt am Montag, 27. Oktober, um 10:30 Uhr bei Fabian "
        "Spitzer.\n\nFragen? Tel. +493033081738\n\nFriseur 1\n",
    )


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("kind", TextKind)
def test_every_subject_says_what_happened_and_names_nobody(kind: TextKind, language: Language) -> None:
    customer = replace(HANS, phone=None, email="hans@web.example")
    tenant = replace(SALON, language=language)
    text = compose(kind, appointment(state=STATES[kind], customer=customer), tenant, opted_out=(), now=NOW)
    assert isinstance(text, Text)
    assert text.subject.startswith("Friseur 1: ")
    assert "Schuster" not in text.subject + text.body
    assert ("nicht" in text.subject or "not" in text.subject) == kind.value.startswith("not_")


def test_what_does_not_fit_loses_the_stylist_first_and_then_the_number() -> None:
    long = replace(
        SALON, name="Die Haarwerkstatt am Alten Marktplatz", texts=replace(SALON.texts, phone="+493033081738")
    )
    assert said(TextKind.BOOKED, long).endswith("bei Fabian Spitzer ist gebucht. Fragen? Tel. +493033081738")
    assert said(TextKind.MOVED, long).endswith("27. Oktober, um 10:30 Uhr. Fragen? Tel. +493033081738")
    assert said(TextKind.NOT_MOVED, long).endswith("Er ist am Montag, 27. Oktober, um 10:30 Uhr.")


def test_a_stylist_who_is_gone_is_not_named() -> None:
    text = compose(TextKind.BOOKED, appointment(staff="gone"), SALON, opted_out=(), now=NOW)
    assert isinstance(text, Text)
    assert text.body == "Friseur 1: Ihr Termin am Montag, 27. Oktober, um 10:30 Uhr ist gebucht."


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("a" * 160, 1),
        ("ä" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ś" * 70, 1),
        ("ś" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_how_many_messages_a_text_takes(text: str, needed: int) -> None:
    assert messages_needed(text) == needed


def test_dashes_and_quotes_do_not_cost_a_second_message() -> None:
    fine = replace(SALON, name="Salon \u201eKopfsache\u201c \u2013 Mitte")
    assert said(TextKind.BOOKED, fine).startswith('Salon "Kopfsache" - Mitte: ')


# Where to


def goes(customer: Customer, texts: TextSettings = SALON.texts, *opted_out: str) -> tuple[str, str]:
    text = compose(
        TextKind.BOOKED, appointment(customer=customer), replace(SALON, texts=texts), opted_out=opted_out, now=NOW
    )
    return (text.channel.value, text.to) if isinstance(text, Text) else ("nobody", text.why)


def test_channel_and_address() -> None:
    mailed = replace(HANS, email="hans@web.example")
    sms_only, mail_only = TextSettings(sms=True), TextSettings(email_from="termine@friseur1.example")
    assert goes(mailed) == ("sms", "+491701111111")
    assert goes(replace(mailed, phone=None)) == ("email", "hans@web.example")
    assert goes(mailed, mail_only) == ("email", "hans@web.example")
    assert goes(replace(mailed, phone=None), sms_only) == ("nobody", "no_address")
    assert goes(mailed, TextSettings()) == ("nobody", "no_address")
    assert goes(HANS, mail_only) == ("nobody", "no_address")
    assert goes(replace(HANS, phone="+266696687")) == ("nobody", "no_address")
    assert goes(mailed, SALON.texts, "+491701111111") == ("email", "hans@web.example")
    assert goes(mailed, SALON.texts, "+491701111111", "hans@web.example") == ("nobody", "opted_out")


def test_unreachable_is_no_text() -> None:
    silent = replace(SALON, texts=TextSettings())
    assert compose(TextKind.BOOKED, appointment(), silent, opted_out=(), now=NOW) == Unreachable("no_address")


# Whether


def decided(
    kind: TextKind,
    told: Told,
    state: AppointmentState,
    *,
    overtaken: bool = False,
    confirmations: bool = False,
    has_another: bool = False,
    start: datetime = MONDAY,
    amiss: Amiss | None = None,
) -> Decision:
    message = Message(
        op="op1", kind=kind, appointment="a1", told=told, state=MessageState.NEW, at=NOW, overtaken=overtaken
    )
    about = replace(appointment(start, state), amiss=amiss)
    return decide(message, about, confirmations=confirmations, has_another=has_another, now=NOW)


CONFIRMED, CANCELLED, FAILED = AppointmentState.CONFIRMED, AppointmentState.CANCELLED, AppointmentState.FAILED


@pytest.mark.parametrize("kind", TextKind)
@pytest.mark.parametrize("told", [Told.PENDING, Told.NOTHING])
def test_who_waits_is_told_what_is_so(kind: TextKind, told: Told) -> None:
    assert decided(kind, told, STATES[kind]) == Say(kind, owed=True)


@pytest.mark.parametrize(
    ("kind", "told"), [(TextKind.BOOKED, Told.BOOKED), (TextKind.MOVED, Told.DONE), (TextKind.CANCELLED, Told.DONE)]
)
def test_who_has_heard_it_gets_a_text_only_as_a_confirmation(kind: TextKind, told: Told) -> None:
    assert decided(kind, told, STATES[kind]) == Skip("not_asked")
    assert decided(kind, told, STATES[kind], confirmations=True) == Say(kind, owed=False)
    assert decided(kind, told, STATES[kind], overtaken=True) == Say(kind, owed=True)


def test_who_heard_something_else_is_owed_the_truth() -> None:
    assert decided(TextKind.MOVED, Told.BOOKED, CONFIRMED) == Say(TextKind.MOVED, owed=True)
    assert decided(TextKind.BOOKED, Told.NOT_BOOKED, CONFIRMED) == Say(TextKind.BOOKED, owed=True)
    assert decided(TextKind.CANCELLED, Told.BOOKED, CANCELLED) == Say(TextKind.CANCELLED, owed=True)


@pytest.mark.parametrize("kind", [TextKind.BOOKED, TextKind.MOVED, TextKind.NOT_MOVED, TextKind.NOT_CANCELLED])
def test_what_has_been_cancelled_since_is_said_to_be_cancelled(kind: TextKind) -> None:
    assert decided(kind, Told.PENDING, CANCELLED) == Say(TextKind.CANCELLED, owed=True)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(TextKind.BOOKED, FAILED), (TextKind.NOT_BOOKED, CONFIRMED), (TextKind.CANCELLED, CONFIRMED)],
)
def test_what_cannot_be_so_is_never_said(kind: TextKind, state: AppointmentState) -> None:
    assert decided(kind, Told.PENDING, state) == Person("untrue")


@pytest.mark.parametrize("state", [AppointmentState.MOVING, AppointmentState.CANCELLING])
def test_while_it_changes_nothing_is_said(state: AppointmentState) -> None:
    assert decided(TextKind.BOOKED, Told.PENDING, state) == Wait()


@pytest.mark.parametrize("amiss", Amiss)
def test_of_what_is_no_whole_any_more_no_text_names_a_time(amiss: Amiss) -> None:
    assert decided(TextKind.MOVED, Told.PENDING, CONFIRMED, amiss=amiss) == Person("apart")
    assert decided(TextKind.MOVED, Told.BOOKED, CONFIRMED, overtaken=True, amiss=amiss) == Person("apart")
    assert decided(TextKind.BOOKED, Told.BOOKED, CONFIRMED, confirmations=True, amiss=amiss) == Skip("apart")
    assert decided(TextKind.MOVED, Told.PENDING, CANCELLED, amiss=amiss) == Say(TextKind.CANCELLED, owed=True)


def test_an_appointment_that_has_begun_is_no_news_but_one_that_failed_is() -> None:
    assert decided(TextKind.BOOKED, Told.PENDING, CONFIRMED, start=NOW) == Person("over")
    assert decided(TextKind.BOOKED, Told.BOOKED, CONFIRMED, start=NOW, confirmations=True) == Skip("over")
    assert decided(TextKind.NOT_BOOKED, Told.PENDING, FAILED, start=NOW) == Say(TextKind.NOT_BOOKED, owed=True)
    assert decided(TextKind.CANCELLED, Told.PENDING, CANCELLED, start=NOW) == Say(TextKind.CANCELLED, owed=True)


def test_not_booked_is_not_said_to_who_has_it_after_all() -> None:
    assert decided(TextKind.NOT_BOOKED, Told.PENDING, FAILED, has_another=True) == Skip("has_another")
    assert decided(TextKind.BOOKED, Told.PENDING, CONFIRMED, has_another=True) == Say(TextKind.BOOKED, owed=True)


def test_an_appointment_that_is_not_there_is_a_persons() -> None:
    message = Message(
        op="op1", kind=TextKind.BOOKED, appointment="a1", told=Told.PENDING, state=MessageState.NEW, at=NOW
    )
    assert decide(message, None, confirmations=True, has_another=False, now=NOW) == Person("gone")
