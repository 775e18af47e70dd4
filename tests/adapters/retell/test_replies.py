"""What callers hear: every sentence for every outcome in every language, and spoken.txt to read them all.

Write spoken.txt anew with `APPROVE=1 python -m pytest tests/adapters/retell/test_replies.py`, then read the difference.
"""

from __future__ import annotations

import json
import os
import re
import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import get_args

import pytest

from bookend.adapters import web
from bookend.adapters.retell import catalogue, change_catalogue, replies
from bookend.adapters.retell.callback_replies import CallbackSpeaker
from bookend.adapters.retell.catalogue import CATALOGUE
from bookend.adapters.retell.replies import MAX_CHARACTERS, Reply, Speaker
from bookend.application import outcomes as o
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment
from bookend.domain.availability import Offer
from bookend.domain.contacts import Customer
from bookend.domain.policy import BeyondHorizon, BookRefusal, NumberWithheld, TooManyOpen, TooSoon
from bookend.domain.saying import Language
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import Slot
from bookend.domain.when.facts import EVENING, MORNING
from tests.adapters.retell.test_callback import OUTCOMES as CALLBACKS
from tests.support.salon import example_tenant

SPOKEN = Path(__file__).with_name("spoken.txt")
VOICE = Path(__file__).parents[3] / "docs" / "voice.md"
TODAY = date(2025, 10, 25)
SUNDAY, MONDAY = date(2025, 10, 26), date(2025, 10, 27)
NOW = datetime(2025, 10, 25, 18, 18, 32, tzinfo=UTC)

TENANT = example_tenant()
HAIRCUT = TENANT.services[0]


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A wall time in Berlin."""
    return datetime.combine(day, time(hour, minute), TENANT.zone).astimezone(UTC)


def slot(day: date, hour: int, minute: int = 0) -> Slot:
    return Slot.of(at(day, hour, minute), 30)


def offers(*slots: Slot, staff: str = "fabian") -> tuple[Offer, ...]:
    return tuple(
        Offer(f"id{n:05}", "op", HAIRCUT.id, staff, each, NOW, NOW + timedelta(seconds=120))
        for n, each in enumerate(slots, 1)
    )


def appointment(where: Slot, service: str = "herrenhaarschnitt", staff: str = "fabian") -> Appointment:
    return Appointment(
        id="a1",
        state=AppointmentState.CONFIRMED,
        op="op",
        version=2,
        service=service,
        segments=(BookedSegment(0, staff, where, 3672814, "uid", 13),),
        customer=Customer("c", "Hans Schuster", "c@kunden.friseur1.example", None),
        call="call_1",
        source="phone",
        created_at=NOW,
        request="r",
    )


EIGHT_THIRTY = slot(MONDAY, 8, 30)
NIGHT = (datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC))
NEXT_YEAR = slot(date(2026, 1, 5), 10)
NONE: tuple[Offer, ...] = ()


def _offered(asked: date, wanted: datetime | None, *slots: Slot) -> o.Offers:
    return o.Offers(HAIRCUT, asked, wanted, offers(*slots), TODAY)


def _in(window: tuple[time, time], asked: date, *slots: Slot) -> o.Offers:
    return replace(_offered(asked, None, *slots), window=window)


def _refused(refusal: BookRefusal, asked: date, wanted: datetime | None, *slots: Slot) -> o.AgainstPolicy:
    return o.AgainstPolicy(refusal, asked, wanted, HAIRCUT, offers(*slots), TODAY)


def _as_said(outcome: o.Offers) -> list[Offer]:
    """The very time that was asked for comes first, then as the day goes."""
    return sorted(outcome.offers, key=lambda each: (each.slot.start != outcome.at, each.slot.start))


OUTCOMES: dict[str, o.CheckOutcome | o.BookOutcome | o.ServiceList] = {
    "free exactly": _offered(MONDAY, at(MONDAY, 10), slot(MONDAY, 10)),
    "free exactly, today": _offered(TODAY, at(TODAY, 21), slot(TODAY, 21)),
    "free exactly, and others": _offered(
        SUNDAY, at(SUNDAY, 10), slot(SUNDAY, 10), slot(SUNDAY, 9, 30), slot(MONDAY, 7)
    ),
    "not then, one instead": _offered(SUNDAY, at(SUNDAY, 10), slot(SUNDAY, 8, 30)),
    "not then, the next day only (I3)": _offered(SUNDAY, at(SUNDAY, 10), slot(MONDAY, 7), slot(MONDAY, 9, 30)),
    "not then, three instead": _offered(
        SUNDAY, at(SUNDAY, 10), slot(SUNDAY, 8, 30), slot(SUNDAY, 11), slot(MONDAY, 9, 30)
    ),
    "not then, in the early morning": _offered(SUNDAY, at(SUNDAY, 10), slot(SUNDAY, 6, 30), slot(SUNDAY, 0, 15)),
    "not then, as far as can be seen": replace(
        _offered(SUNDAY, at(SUNDAY, 10), slot(SUNDAY, 8, 30), slot(SUNDAY, 11)), sure=False
    ),
    "on the day, one": _offered(MONDAY, None, slot(MONDAY, 9)),
    "on the day, three": _offered(MONDAY, None, slot(MONDAY, 9), slot(MONDAY, 13, 5), slot(MONDAY, 17, 30)),
    "on the day and after": _offered(TODAY, None, slot(TODAY, 21), slot(MONDAY, 9)),
    "on the day and after, several": _offered(SUNDAY, None, slot(SUNDAY, 7), slot(MONDAY, 7), slot(MONDAY, 7, 30)),
    "on the day, in the morning": _in(MORNING.window, MONDAY, slot(MONDAY, 9), slot(MONDAY, 11)),
    "on the day, in the morning and besides": _in(
        MORNING.window, MONDAY, slot(MONDAY, 9), slot(MONDAY, 11, 15), slot(MONDAY, 15)
    ),
    "on the day, in the morning and another day": _in(
        MORNING.window, MONDAY, slot(MONDAY, 9), slot(MONDAY + timedelta(1), 9)
    ),
    "not in the evening": _in(EVENING.window, MONDAY, slot(MONDAY, 9), slot(MONDAY, 15)),
    "not from ten to eleven": _in((time(10), time(11)), MONDAY, slot(MONDAY, 9)),
    "not in the evening, nor that day": _in(EVENING.window, MONDAY, slot(MONDAY + timedelta(1), 9)),
    "another day, asked for today": _offered(TODAY, None, slot(MONDAY, 9)),
    "another day, asked for tomorrow": _offered(SUNDAY, None, slot(MONDAY, 9), slot(MONDAY, 9, 30)),
    "another day, asked for a day": _offered(MONDAY, None, slot(MONDAY + timedelta(1), 9)),
    "another day, in another year": _offered(date(2025, 12, 31), None, NEXT_YEAR),
    "nothing free": o.NothingFree(HAIRCUT, TODAY, TODAY + timedelta(6), TODAY),
    "nothing free, over the year": o.NothingFree(HAIRCUT, date(2025, 12, 30), date(2026, 1, 5), TODAY),
    "booked": o.Booked(appointment(slot(MONDAY, 9, 30)), TODAY),
    "booked for today": o.Booked(appointment(slot(TODAY, 21)), TODAY),
    "booked for next year": o.Booked(appointment(NEXT_YEAR), TODAY),
    "booked, a service that is gone": o.Booked(appointment(slot(MONDAY, 9), "bartpflege"), TODAY),
    "taken, lost a race (I3)": o.SlotTaken(
        EIGHT_THIRTY, o.Reason.RACE, HAIRCUT, offers(slot(MONDAY, 9), slot(MONDAY + timedelta(1), 8, 30)), TODAY
    ),
    "taken, lost a race, one left": o.SlotTaken(
        EIGHT_THIRTY, o.Reason.RACE, HAIRCUT, offers(slot(MONDAY, 9, 30)), TODAY
    ),
    "taken, lost a race, nothing left": o.SlotTaken(EIGHT_THIRTY, o.Reason.RACE, HAIRCUT, NONE, TODAY),
    "taken": o.SlotTaken(EIGHT_THIRTY, o.Reason.NOT_FREE, HAIRCUT, offers(slot(MONDAY, 9)), TODAY),
    "taken, nothing left": o.SlotTaken(EIGHT_THIRTY, o.Reason.NOT_FREE, HAIRCUT, NONE, TODAY),
    **{
        f"forbidden, {rule.value}{', nothing else' if not left else ''}": o.Forbidden(
            rule, EIGHT_THIRTY, HAIRCUT, left, TODAY
        )
        for rule in o.Rule
        for left in (offers(slot(MONDAY, 9), slot(MONDAY + timedelta(1), 9)), NONE)
    },
    "too soon, today": _refused(TooSoon(at(SUNDAY, 20, 18)), TODAY, None, slot(MONDAY, 9), slot(MONDAY, 9, 30)),
    "too soon, tomorrow": _refused(TooSoon(at(MONDAY, 0)), SUNDAY, None, slot(MONDAY, 9)),
    "too soon, a day": _refused(TooSoon(at(MONDAY + timedelta(1), 9)), MONDAY, None, slot(MONDAY + timedelta(1), 9)),
    "too soon, a time": _refused(TooSoon(at(SUNDAY, 20, 18)), SUNDAY, at(SUNDAY, 10), slot(SUNDAY, 20, 30)),
    "too soon, nothing else": _refused(TooSoon(at(MONDAY, 10)), SUNDAY, at(SUNDAY, 10)),
    "beyond the horizon": _refused(BeyondHorizon(date(2025, 12, 24)), date(2025, 12, 25), None),
    "beyond the horizon, a time": _refused(BeyondHorizon(date(2025, 12, 24)), date(2026, 1, 5), NEXT_YEAR.start),
    "beyond the horizon, over the year": _refused(BeyondHorizon(date(2026, 1, 4)), date(2026, 1, 5), None),
    "one open": _refused(TooManyOpen(1), MONDAY, at(MONDAY, 9)),
    "too many open": _refused(TooManyOpen(3), MONDAY, at(MONDAY, 9)),
    "number withheld": _refused(NumberWithheld(), MONDAY, None),
    "not booked": o.NotBooked(),
    "still open": o.StillOpen(EIGHT_THIRTY, TODAY),
    "has one": o.HasOne(EIGHT_THIRTY, TODAY),
    "has one, today": o.HasOne(slot(TODAY, 21), TODAY),
    "temporary trouble": o.TemporaryTrouble(),
    "temporary trouble, for so long": o.TemporaryTrouble(17.4),
    "which service": o.NeedInfo(o.Missing.SERVICE, tuple(each.name for each in TENANT.services)),
    "which service, that one is not offered": o.NeedInfo(
        o.Missing.SERVICE, tuple(each.name for each in TENANT.services), unknown=True
    ),
    "which service, not offered, of many": o.NeedInfo(
        o.Missing.SERVICE, tuple(f"Leistung {n}" for n in range(1, 20)), unknown=True
    ),
    "which service, of one": o.NeedInfo(o.Missing.SERVICE, ("Beratung",)),
    "which service, of none": o.NeedInfo(o.Missing.SERVICE),
    "which service, of many": o.NeedInfo(o.Missing.SERVICE, tuple(f"Leistung {n}" for n in range(1, 20))),
    "which stylist": o.NeedInfo(o.Missing.STAFF, ("Fabian Spitzer", "Emma Williams")),
    "which stylist, known but not for this": o.NeedInfo(
        o.Missing.STAFF, ("Fabian Spitzer",), beyond="Waschen + Dauerwelle"
    ),
    "which stylist, known but not for this, of two": o.NeedInfo(
        o.Missing.STAFF, ("Fabian Spitzer", "Emma Williams"), beyond="Dauerwelle"
    ),
    "which stylist, of one": o.NeedInfo(o.Missing.STAFF, ("Udo Walz",)),
    "which stylist, of none": o.NeedInfo(o.Missing.STAFF),
    **{
        f"which {missing.value}": o.NeedInfo(missing)
        for missing in o.Missing
        if missing not in {o.Missing.SERVICE, o.Missing.STAFF}
    },
    "not a time": o.NotATime(),
    "past": o.PastTime(TODAY),
    "skipped": o.SkippedTime(date(2026, 3, 29), time(2, 30)),
    "twice": o.TwiceTime(*NIGHT),
    "too far ahead": o.TooFarAhead(TODAY),
    "services": o.ServiceList(TENANT.services, tuple(each.name for each in TENANT.staff)),
    "services, with a sign": o.ServiceList((replace(HAIRCUT, name="Waschen + Schneiden & Föhnen"),), ("Udo Walz",)),
    "services, one": o.ServiceList(TENANT.services[:1], ("Udo Walz",)),
    "services, none": o.ServiceList((), ()),
    "services, many": o.ServiceList(
        tuple(replace(HAIRCUT, id=f"l{n}", name=f"Leistung {n}") for n in range(1, 20)), ("Udo Walz",)
    ),
}

TENANTS: dict[str, Tenant] = {
    "de": TENANT,
    "en": replace(TENANT, language=Language.EN),
    "de, no callback": replace(TENANT, callback={}),
    "en, no callback": replace(TENANT, language=Language.EN, callback={}),
}
WITH_CALLBACK = {
    "one open",
    "too many open",
    "number withheld",
    "not booked",
    "services, none",
}


def table() -> Iterator[tuple[str, str, Reply]]:
    """Every outcome in every language, and what is said without one."""
    for language, tenant in TENANTS.items():
        speaker = Speaker(tenant)
        for name, outcome in OUTCOMES.items():
            if tenant.callback or name in WITH_CALLBACK:
                yield language, name, speaker.reply(outcome)
        for name, called_for in CALLBACKS.items():
            if tenant.callback or name == "too many":
                yield language, f"callback, {name}", CallbackSpeaker(tenant).called_for(called_for)
        if tenant.callback:
            yield language, "unknown function", speaker.unknown_function()
            yield language, "no answer from the store", speaker.temporary()
    yield "both", "unknown line", replies.unknown_tenant()
    yield "both", "no answer from the store", replies.no_tenant_known()


TABLE = list(table())
ROWS = pytest.mark.parametrize(("language", "name", "reply"), TABLE, ids=[f"{a}-{b}" for a, b, _ in TABLE])


def said(name: str, language: str = "de") -> str:
    """The sentence of one row."""
    message = next(reply["message"] for lang, row, reply in TABLE if (lang, row) == (language, name))
    assert isinstance(message, str)
    return message


# The table


def test_the_table_has_every_outcome() -> None:
    classes = {type(each) for each in OUTCOMES.values()}
    assert classes == {
        *o.CheckOutcome.__args__,  # type: ignore[attr-defined]
        *o.BookOutcome.__args__,  # type: ignore[attr-defined]
        o.ServiceList,
    }
    asked = {each.missing for each in OUTCOMES.values() if isinstance(each, o.NeedInfo)}
    rules = {each.rule for each in OUTCOMES.values() if isinstance(each, o.Forbidden)}
    reasons = {each.reason for each in OUTCOMES.values() if isinstance(each, o.SlotTaken)}
    assert (asked, rules, reasons) == (set(o.Missing), set(o.Rule), set(o.Reason))
    refusals = {type(each.refusal) for each in OUTCOMES.values() if isinstance(each, o.AgainstPolicy)}
    assert refusals == set(get_args(BookRefusal))


def test_every_sentence_of_the_catalogue_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[Language, set[str]] = {language: set() for language in Language}

    class Listened(dict[str, str]):
        language: Language

        def __getitem__(self, key: str) -> str:
            heard[self.language].add(key)
            return super().__getitem__(key)

    listened = {}
    for language in Language:
        listened[language] = Listened(CATALOGUE[language])
        listened[language].language = language
    monkeypatch.setattr(replies, "CATALOGUE", listened)
    list(table())
    of_changes = set(change_catalogue.DE)  # test_change_replies
    assert {language: set(CATALOGUE[language]) - keys - of_changes for language, keys in heard.items()} == {
        language: set() for language in Language
    }


def test_both_languages_have_the_same_sentences_with_the_same_facts() -> None:
    german, english = CATALOGUE[Language.DE], CATALOGUE[Language.EN]
    assert set(CATALOGUE) == set(Language)
    assert list(german) == list(english)
    for key in german:
        facts = [
            {name for _, name, _, _ in string.Formatter().parse(sentences[key]) if name}
            for sentences in (german, english)
        ]
        assert facts[0] == facts[1], key


@ROWS
def test_every_sentence_can_be_read_aloud(language: str, name: str, reply: Reply) -> None:
    message = reply["message"]
    assert not set(message) & set("{}<>[]|_*#\n\t"), message
    assert "None" not in message
    assert "  " not in message
    assert not re.search(r"\s[.,:?]|[.,:?]{2}|: \?|, \?|[.?] [a-zäöü]", message), message
    assert message[0].isupper()
    assert message[-1] in ".?"
    assert not re.search(r"\d:\d|\d\.\d|\bUTC\b|T\d\d", message) or language.startswith("en"), message
    assert len(web.answer(200, reply)["body"]) < MAX_CHARACTERS


@ROWS
def test_every_status_is_a_documented_one(language: str, name: str, reply: Reply) -> None:
    documented = re.findall(r"^\| `(\w+)` \|", VOICE.read_text(encoding="utf-8"), re.MULTILINE)
    assert reply["status"] in documented
    assert list(reply)[:2] == ["status", "message"]


def of_booking() -> str:
    """What voice.md says, but for the section that test_change_replies reads."""
    sections = VOICE.read_text(encoding="utf-8").split("\n## ")
    return "\n".join(each for each in sections if not each.startswith("Moving"))


def test_every_documented_status_is_given() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", of_booking(), re.MULTILINE))
    functions = {"check_availability", "book_appointment", "list_services", "find_appointments"}
    functions |= {"reschedule_appointment", "cancel_appointment"}
    assert documented - functions == {reply["status"] for _, _, reply in TABLE}


def test_spoken_txt_holds_every_sentence() -> None:
    lines = ["Every sentence a caller may hear. Written by test_replies.py; read it aloud when it changes.", ""]
    for language, name, reply in TABLE:
        lines += [f"{language} | {name} | {reply['status']}", f"    {reply['message']}"]
        lines += [f"    - {each['spoken']}" for each in reply.get("offers", [])]
    text = "\n".join(lines) + "\n"
    if os.environ.get("APPROVE"):
        SPOKEN.write_text(text, encoding="utf-8")
    assert SPOKEN.read_text(encoding="utf-8") == text


# Days, parts of the day, and names


def test_of_times_on_several_days_each_is_said_with_its_day() -> None:
    """ "Um 7 Uhr, am Montag" would be heard as seven on Monday."""
    assert said("on the day and after, several") == (
        "Ein Termin für Herrenhaarschnitt wäre am Sonntag, 26. Oktober, um 7 Uhr oder am Montag, 27. Oktober, um 7 Uhr "
        "oder um 7 Uhr 30 möglich. Was passt Ihnen?"
    )
    assert said("not then, three instead").endswith(
        "Möglich wäre es am Sonntag, 26. Oktober, um 8 Uhr 30 oder um 11 Uhr oder am Montag, 27. Oktober, um 9 Uhr 30. "
        "Was passt Ihnen?"
    )


def test_the_day_that_was_asked_for_is_named_where_another_was_named_last() -> None:
    """The earliest that may be booked is on Sunday, and so are the times: it goes without saying. Else it does not."""
    earliest_is_monday = _refused(TooSoon(at(MONDAY, 0)), SUNDAY, at(SUNDAY, 10), slot(SUNDAY, 20, 30))
    assert (
        Speaker(TENANT)
        .reply(earliest_is_monday)["message"]
        .endswith("Möchten Sie stattdessen am Sonntag, 26. Oktober, um 20 Uhr 30 kommen?")
    )


def test_times_outside_the_part_of_the_day_that_was_wished_are_said_to_be_so() -> None:
    assert said("on the day, in the morning and besides") == (
        "Vormittags wäre ein Termin für Herrenhaarschnitt um 9 Uhr oder um 11 Uhr 15 möglich, sonst um 15 Uhr. "
        "Was passt Ihnen?"
    )
    assert said("not in the evening") == (
        "Abends ist leider kein Termin für Herrenhaarschnitt frei. Möglich wäre es um 9 Uhr oder um 15 Uhr. "
        "Was passt Ihnen?"
    )
    assert said("not from ten to eleven") == (
        "Zu Ihrer Wunschzeit ist leider kein Termin für Herrenhaarschnitt frei. Möglich wäre es um 9 Uhr. "
        "Passt Ihnen das?"
    )
    assert said("on the day, in the morning") == (
        "Ein Termin für Herrenhaarschnitt wäre um 9 Uhr oder um 11 Uhr möglich. Was passt Ihnen?"
    )
    assert said("not in the evening, nor that day").startswith("Am Montag, 27. Oktober, ist für Herrenhaarschnitt")


def test_of_a_stylist_who_does_something_else_those_who_do_it_are_named() -> None:
    assert said("which stylist, known but not for this") == (
        "Waschen und Dauerwelle macht bei uns Fabian Spitzer. Möchten Sie dort einen Termin?"
    )
    assert said("which stylist, known but not for this, of two") == (
        "Dauerwelle machen bei uns Fabian Spitzer und Emma Williams. Zu wem möchten Sie?"
    )


def test_a_service_that_is_not_offered_is_said_not_to_be_and_what_is() -> None:
    assert said("which service, that one is not offered") == (
        "Diese Leistung finde ich bei uns leider nicht. Wir bieten Herrenhaarschnitt, Damenhaarschnitt, Beratung und "
        "Dauerwelle. Was davon wünschen Sie?"
    )
    assert "Wir bieten unter anderem Leistung 1," in said("which service, not offered, of many")


def test_signs_in_names_are_read_as_words_and_sent_as_they_are() -> None:
    assert said("services, with a sign") == "Wir bieten Waschen und Schneiden und Föhnen."
    assert said("services, with a sign", "en") == "We offer Waschen and Schneiden and Föhnen."
    assert Speaker(TENANT).reply(OUTCOMES["services, with a sign"])["services"] == ["Waschen + Schneiden & Föhnen"]


# The salon's rules


def test_a_refusal_by_the_salons_rules_says_why_and_what_is_possible() -> None:
    assert said("too soon, a time") == (
        "Am Sonntag, 26. Oktober, um 10 Uhr kann ich leider keinen Termin mehr buchen: Das ist zu kurzfristig. Buchen "
        "kann ich frühestens am Sonntag, 26. Oktober, um 20 Uhr 20. Möchten Sie stattdessen um 20 Uhr 30 kommen?"
    )
    assert "bis Mittwoch, 24. Dezember, buchen. Soll ich nach einer anderen Zeit schauen?" in said("beyond the horizon")
    for name in ("one open", "too many open", "number withheld"):
        assert said(name).endswith(TENANT.callback[Language.DE])
    assert "Mit angezeigter Nummer wäre es möglich." in said("number withheld")
    assert "Mehr als 3 Termine" in said("too many open")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("too soon, a time", "too_soon"),
        ("beyond the horizon", "too_far"),
        ("one open", "too_many_open"),
        ("too many open", "too_many_open"),
        ("number withheld", "number_withheld"),
    ],
)
def test_the_reason_is_a_documented_word_too(name: str, reason: str) -> None:
    reply = Speaker(TENANT).reply(OUTCOMES[name])
    assert (reply["status"], reply["reason"]) == ("policy", reason)
    (row,) = (line for line in of_booking().splitlines() if line.startswith("| `policy` |"))
    assert f"`{reason}`" in row


@pytest.mark.parametrize(
    ("earliest", "heard"),
    [
        (at(SUNDAY, 10), "um 10 Uhr."),
        (at(SUNDAY, 10) + timedelta(microseconds=1), "um 10 Uhr 5."),
        (at(SUNDAY, 10, 17), "um 10 Uhr 20."),
        (at(SUNDAY, 23, 59), "am Montag, 27. Oktober, um 0 Uhr."),
    ],
)
def test_the_earliest_time_that_is_said_is_one_that_may_be_booked(earliest: datetime, heard: str) -> None:
    reply = Speaker(TENANT).reply(_refused(TooSoon(earliest), SUNDAY, None))
    assert f"{heard} Soll ich" in reply["message"]


# What the incidents ask for, word by word


def test_i2_temporary_trouble() -> None:
    assert said("temporary trouble") == (
        "Die Terminverwaltung ist vorübergehend nicht erreichbar. "
        "Bitte versuchen Sie es in wenigen Minuten erneut oder rufen Sie uns direkt an."
    )


def test_i3_slot_taken_in_a_race() -> None:
    assert said("taken, lost a race, one left") == (
        "Der Termin um 8 Uhr 30 wurde gerade von einem anderen Kunden gebucht. "
        "Möchten Sie stattdessen um 9 Uhr 30 kommen?"
    )
    reply = Speaker(TENANT).reply(OUTCOMES["taken, lost a race (I3)"])
    assert (reply["status"], reply["reason"]) == ("slot_taken", "race_condition")
    assert [each["spoken"] for each in reply["offers"]] == ["um 9 Uhr", "am Dienstag, 28. Oktober, um 8 Uhr 30"]


def test_i3_another_day_is_said_with_weekday_and_date() -> None:
    assert "am Montag, 27. Oktober, um 7 Uhr oder um 9 Uhr 30" in said("not then, the next day only (I3)")
    assert "on Monday, October 27, at 7 am or at 9:30 am" in said("not then, the next day only (I3)", "en")


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", [each for each, outcome in OUTCOMES.items() if isinstance(outcome, o.Offers)])
def test_a_day_that_was_not_asked_for_is_always_named(name: str, language: str) -> None:
    outcome = OUTCOMES[name]
    assert isinstance(outcome, o.Offers)
    reply = Speaker(TENANTS[language]).reply(outcome)
    for offer, told in zip(_as_said(outcome), reply["offers"], strict=True):
        local = offer.slot.start.astimezone(TENANT.zone)
        named = str(local.day) in told["spoken"].split(" um ")[0].split(" at ")[0]
        assert named == (local.date() != outcome.asked), told
        assert datetime.fromisoformat(told["start"]) == offer.slot.start
        assert told["start"][-6:] in {"+01:00", "+02:00"}


def test_nothing_on_the_day_asked_for_is_not_available() -> None:
    statuses = {
        name: Speaker(TENANT).reply(each)["status"] for name, each in OUTCOMES.items() if isinstance(each, o.Offers)
    }
    assert {name for name, status in statuses.items() if status == "available"} == {
        each for each in statuses if each.startswith(("free exactly", "on the day"))
    }
    assert set(statuses.values()) == {"available", "alternatives"}


def test_what_is_asked_for_is_what_is_missing() -> None:
    missing = {
        name: Speaker(TENANT).reply(OUTCOMES[name]).get("missing")
        for name in ("not a time", "past", "skipped", "twice", "too far ahead", "which offer", "which stylist")
    }
    assert missing == {
        "not a time": "date",
        "past": "date",
        "skipped": "time",
        "twice": "time",
        "too far ahead": "date",
        "which offer": "offer",
        "which stylist": "staff",
    }


def test_times_that_happen_twice_are_told_apart() -> None:
    assert "2 Uhr 30 Sommerzeit oder 2 Uhr 30 Winterzeit" in said("twice")


# The answer as JSON


def test_umlauts_stay_as_they_are() -> None:
    body = web.answer(200, {"message": "Für Jürgen wäre um 9 Uhr möglich: Größe, €"})["body"]
    assert "Für Jürgen wäre" in body
    assert "\\u" not in body
    assert json.loads(body.encode().decode()) == {"message": "Für Jürgen wäre um 9 Uhr möglich: Größe, €"}


def test_the_largest_salon_fits_into_what_retell_passes_on() -> None:
    name = "Ä" * 77
    services = tuple(replace(HAIRCUT, id=f"s{n}", name=f"{name}{n:03}") for n in range(500))
    staff = tuple(f"{name}{n:03}" for n in range(500))
    for tenant in TENANTS.values():
        speaker = Speaker(tenant)
        for reply in (
            speaker.reply(o.ServiceList(services, staff)),
            speaker.reply(o.NeedInfo(o.Missing.SERVICE, tuple(each.name for each in services))),
            speaker.reply(o.NeedInfo(o.Missing.STAFF, staff)),
        ):
            assert len(web.answer(200, reply)["body"]) < MAX_CHARACTERS
            assert len(reply["message"]) < 1_000


def test_a_replys_offers_name_no_customer() -> None:
    for _, _, reply in TABLE:
        for each in reply.get("offers", []):
            assert set(each) == {"offer_id", "start", "spoken", "staff"}
    assert set().union(*(reply for _, _, reply in TABLE)) == {
        "status",
        "message",
        "callback",
        "offers",
        "start",
        "reason",
        "missing",
        "known",
        "services",
        "staff",
        "retry_after_seconds",
    }


def test_the_catalogue_module_tells_its_placeholders() -> None:
    named = set(re.findall(r"\{(\w+)\}", f"{catalogue.__doc__} {change_catalogue.__doc__}"))
    used = {
        name for each in CATALOGUE[Language.DE].values() for _, name, _, _ in string.Formatter().parse(each) if name
    }
    assert used == named
