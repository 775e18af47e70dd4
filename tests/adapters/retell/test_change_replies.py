"""What callers hear of their own appointments; spoken_of_changes.txt has every sentence, to be read aloud.

Write it anew with `APPROVE=1 python -m pytest tests/adapters/retell/test_change_replies.py`, then read the difference.
"""

from __future__ import annotations

import os
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest

from bookend.adapters.retell import change_catalogue, replies
from bookend.adapters.retell.catalogue import CATALOGUE
from bookend.adapters.retell.change_replies import FUNCTION, ChangeSpeaker
from bookend.adapters.retell.replies import Reply
from bookend.application import change_outcomes as c
from bookend.domain.appointment import ChangeKind
from bookend.domain.failures import FailureClass
from bookend.domain.saying import Language
from bookend.domain.standing import OpenPoint
from tests.adapters.retell.said_of_changes import (
    CANCEL,
    CHANGED,
    FOUND,
    MOVE,
    NINE,
    TENANT,
    THURSDAY,
    TODAY,
    WEDNESDAY,
    F,
    not_changed,
    own,
    slot,
    table,
)

SPOKEN = Path(__file__).with_name("spoken_of_changes.txt")
VOICE = Path(__file__).parents[3] / "docs" / "voice.md"
TABLE = list(table())
ROWS = pytest.mark.parametrize(("language", "name", "reply"), TABLE, ids=[f"{lang}-{name}" for lang, name, _ in TABLE])
CATALOGUES = {Language.DE: change_catalogue.DE, Language.EN: change_catalogue.EN}


def german(name: str) -> Reply:
    (reply,) = (reply for language, each, reply in TABLE if (language, each) == ("de", name))
    return reply


# The table


def test_the_table_has_every_outcome() -> None:
    assert {type(each) for each in FOUND.values()} == set(c.FindOutcome.__args__)  # type: ignore[attr-defined]
    said = {type(each) for _, each in CHANGED.values()}
    own = {each for each in c.ChangeOutcome.__args__ if each.__module__.endswith("change_outcomes")}  # type: ignore[attr-defined]
    assert own <= said


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
    for language, sentences in CATALOGUES.items():
        assert set(sentences) - heard[language] == set()


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("kind", list(ChangeKind))
@pytest.mark.parametrize("failure", [each for each in FailureClass if each not in {F.NEED_INFO, F.NOT_ALLOWED}])
def test_every_class_of_failure_has_its_sentence_for_each_function(
    language: Language, kind: ChangeKind, failure: FailureClass
) -> None:
    speaker = ChangeSpeaker(replace(TENANT, language=language))
    reply = speaker.changed(kind, not_changed(kind, failure))
    assert reply["status"] == failure.value
    assert len(reply["message"]) > 20
    other = CANCEL if kind is MOVE else MOVE
    same = speaker.changed(other, not_changed(other, failure))["message"] == reply["message"]
    assert same is (failure in {F.TEMPORARY, F.POLICY}), "what is said of a move is not said of a cancellation"


@pytest.mark.parametrize("language", list(Language))
def test_the_classes_that_are_outcomes_of_their_own_have_theirs_too(language: Language) -> None:
    """A question back, and what a person must do, are never a change that failed."""
    for function in (*FUNCTION.values(), "find_appointments"):
        assert f"{function}.{F.NOT_ALLOWED.value}" in CATALOGUES[language]
    speaker = ChangeSpeaker(replace(TENANT, language=language))
    assert speaker.changed(MOVE, c.AskAPerson())["status"] == F.NOT_ALLOWED.value
    assert speaker.changed(MOVE, c.AskedTooLongAgo(MOVE))["status"] == F.NEED_INFO.value


def test_both_languages_have_the_same_sentences_with_the_same_facts() -> None:
    assert list(change_catalogue.DE) == list(change_catalogue.EN)
    for key, sentence in change_catalogue.DE.items():
        both = (sentence, change_catalogue.EN[key])
        facts = [{name for _, name, _, _ in string.Formatter().parse(each) if name} for each in both]
        assert facts[0] == facts[1], key


# Sentences


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


@ROWS
def test_the_last_sentence_is_the_only_question(language: str, name: str, reply: Reply) -> None:
    """What comes after a question drowns it."""
    assert "?" not in reply["message"][:-1] or name == "asked too long ago", (language, reply["message"])


def documented() -> str:
    """What voice.md says of moving and cancelling."""
    (section,) = (each for each in VOICE.read_text(encoding="utf-8").split("\n## ") if each.startswith("Moving"))
    return section


def test_every_documented_status_is_given() -> None:
    cells = re.findall(r"^\|((?: ?`\w+`,?)+)", documented(), re.MULTILINE)
    rows = {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}
    assert rows | {"not_allowed"} == {reply["status"] for _, _, reply in TABLE}


@ROWS
def test_every_status_is_a_documented_one(language: str, name: str, reply: Reply) -> None:
    assert f"`{reply['status']}`" in documented(), (language, name)
    assert list(reply)[:2] == ["status", "message"]


@ROWS
def test_no_customer_is_named(language: str, name: str, reply: Reply) -> None:
    """Who rings from somebody's telephone hears when and what for, and of a move with whom."""
    text = str(reply)
    assert "Schuster" not in text
    if not re.search(r"moved|taken|time", name):
        assert "Fabian" not in text, language


def test_spoken_of_changes_holds_every_sentence() -> None:
    lines = [
        "Every sentence about own appointments. Written by test_change_replies.py; read it aloud when it changes.",
        "",
    ]
    for language, name, reply in TABLE:
        lines += [f"{language} | {name} | {reply['status']}", f"    {reply['message']}"]
        lines += [f"    - {each['spoken']}" for each in reply.get("offers", [])]
    text = "\n".join(lines) + "\n"
    if os.environ.get("APPROVE"):
        SPOKEN.write_text(text, encoding="utf-8")
    assert SPOKEN.read_text(encoding="utf-8") == text


# Incident I2, word for word

I2 = {
    "move: temporary": (
        "temporary_error",
        (
            "Die Terminverwaltung ist vorübergehend nicht erreichbar. Bitte versuchen Sie es in wenigen Minuten erneut "
            "oder rufen Sie uns direkt an."
        ),
    ),
    "move: not found": (
        "not_found",
        "Dieser Termin kann leider nicht online umgebucht werden. Bitte rufen Sie uns direkt an.",
    ),
    "move: error": ("error", "Der Termin konnte nicht umgebucht werden. Bitte versuchen Sie es später erneut."),
}


@pytest.mark.parametrize("name", list(I2))
def test_i2_each_failure_has_its_own_words(name: str) -> None:
    reply = german(name)
    assert (reply["status"], reply["message"]) == I2[name]


# What comes along for the agent


def test_a_question_that_needs_a_yes_brings_its_token() -> None:
    for name in ("shall I move it", "shall I cancel it"):
        reply = german(name)
        assert (reply["missing"], reply["confirmation_token"]) == ("confirmation", "t1")
        assert "can_be_kept_for_later" not in reply


def test_only_what_may_be_kept_says_so_and_asks() -> None:
    for name, (_, outcome) in CHANGED.items():
        if isinstance(outcome, c.NotChanged):
            reply = german(name)
            kept = outcome.token is not None
            assert ("can_be_kept_for_later" in reply, "confirmation_token" in reply) == (kept, kept)
            assert reply["message"].endswith("?") is (kept or bool(outcome.offers)), name


def test_open_is_said_with_the_message_that_follows() -> None:
    for name, (_, outcome) in CHANGED.items():
        if isinstance(outcome, c.NotChanged) and outcome.open:
            assert "bekommen" in german(name)["message"], name
            assert "Nachricht" in german(name)["message"], name


def test_where_it_stays_is_said_where_it_stays() -> None:
    for name in ("move: taken, three instead", "move: too late", "cancel: too late", "kept: move", "kept: cancel"):
        assert "am Mittwoch, 15. Oktober, um 9 Uhr" in german(name)["message"], name


def test_of_what_may_have_been_done_it_is_not_said_where_it_stays() -> None:
    assert "bleibt" not in german("kept: move, perhaps done")["message"]


def test_a_rate_limit_is_given_in_whole_seconds() -> None:
    assert german("move: temporary, in a minute")["retry_after_seconds"] == 42


def test_no_more_than_a_listener_can_take_in_is_read_out() -> None:
    reply = german("found seven")
    assert len(reply["appointments"]) == 5
    assert reply["message"].count("Oktober") == 5


def test_what_is_open_takes_nobodys_place() -> None:
    open_ = [own(slot(WEDNESDAY, 8 + n), open=OpenPoint.BOOKING) for n in range(4)]
    sure = [own(slot(THURSDAY, 9 + n)) for n in range(5)]
    reply = ChangeSpeaker(TENANT).found(c.Found((*open_, *sure), TODAY))
    assert (len(reply["appointments"]), len(reply["open"])) == (5, 3)
    assert reply["message"].count("noch offen") == 3


def test_several_are_all_there_and_no_choice() -> None:
    assert german("found two")["message"] == (
        "Ihre nächsten Termine sind am Samstag, 11. Oktober, um 17 Uhr und am Mittwoch, 15. Oktober, um 9 Uhr."
    )
    assert "oder am Mittwoch, 15. Oktober, um 15 Uhr" in german("which of two")["message"]


def test_what_the_salon_has_changed_a_part_of_is_not_read_out_as_if_it_were_whole() -> None:
    said = german("found two, one of them not whole")["message"]
    assert said.endswith(
        "Einen Teil des Termins am Mittwoch, 15. Oktober, um 9 Uhr hat der Salon geändert. "
        "Bitte fragen Sie dort nach, was davon bleibt."
    )
    assert "geändert" not in german("found two")["message"]


def test_what_is_open_is_never_said_flatly() -> None:
    assert german("found, open is the booking")["message"] == (
        "Ihr Termin am Mittwoch, 15. Oktober, um 9 Uhr ist noch offen: Die Bestätigung der "
        "Terminverwaltung steht aus. Sie bekommen eine Nachricht, ob er gebucht ist."
    )
    assert german("found, open is the move")["message"] == (
        "Ihr Termin ist bisher am Mittwoch, 15. Oktober, um 9 Uhr. Ob er verschoben wird, ist noch "
        "offen. Dazu bekommen Sie eine Nachricht."
    )
    assert german("found, open is the cancellation")["message"] == (
        "Ob Ihr Termin am Mittwoch, 15. Oktober, um 9 Uhr storniert wird, ist noch offen. Dazu bekommen Sie eine "
        "Nachricht."
    )
    for name in FOUND:
        assert ("noch offen" in german(name)["message"]) is ("open" in name), name


def test_where_no_message_is_owed_none_is_promised() -> None:
    for name in ("found, open is the booking", "found, open is the move"):
        assert "Nachricht" in german(name)["message"]
        said = german(f"{name}, and nobody says how")["message"]
        assert "Nachricht" not in said
        assert said.endswith("Bitte fragen Sie in wenigen Minuten noch einmal nach.")


def test_an_open_booking_is_not_among_the_appointments() -> None:
    reply = german("found two, of one the booking is open")
    assert reply["appointments"] == ["2025-10-11T17:00+02:00"]
    assert reply["open"] == [{"start": "2025-10-15T09:00+02:00", "what": "booking"}]
    assert german("found, open is the move")["appointments"] == ["2025-10-15T09:00+02:00"]
    assert "open" not in german("found two")


def test_a_wish_that_is_not_noted_is_said_not_to_be_and_a_person_is_offered() -> None:
    reply = german("cancel: not noted, open is the move")
    assert reply["message"] == (
        "Ihr Termin für Dauerwelle ist bisher am Mittwoch, 15. Oktober, um 9 Uhr. Ob er verschoben wird, ist noch "
        "offen. Dazu bekommen Sie eine Nachricht. Bis dahin kann ich ihn nicht stornieren, und die Stornierung ist "
        "auch nicht notiert. Soll ich notieren, dass Sie jemand zurückruft?"
    )
    assert (reply["status"], reply["callback"]) == ("pending", True)
    assert german("cancel: not noted, open is the booking")["message"] == (
        "Ihr Termin für Herrenhaarschnitt am Mittwoch, 15. Oktober, um 9 Uhr ist noch offen: Die Bestätigung der "
        "Terminverwaltung steht aus. Sie bekommen eine Nachricht, ob er gebucht ist. Bis dahin kann ich ihn nicht "
        "stornieren, und die Stornierung ist auch nicht notiert. Soll ich notieren, dass Sie jemand zurückruft?"
    )
    assert "kann ich ihn nicht verschieben" in german("move: not noted, open is the cancellation")["message"]


def test_the_day_is_named_where_another_was_named_last() -> None:
    """Else "um 9 Uhr 45" is heard as Wednesday's, where it stays."""
    assert german("move: taken, instead on the day that was wished")["message"] == (
        "Der Termin am Donnerstag, 16. Oktober, um 9 Uhr ist leider nicht frei. Es bleibt bei Ihrem Termin am "
        "Mittwoch, 15. Oktober, um 9 Uhr. Möchten Sie stattdessen am Donnerstag, 16. Oktober, um 9 Uhr 45 oder um "
        "10 Uhr 30 kommen?"
    )


def test_times_outside_the_part_of_the_day_that_was_wished_are_said_to_be_so() -> None:
    assert german("times in the morning and besides")["message"] == (
        "Vormittags wäre es um 10 Uhr oder um 11 Uhr 30 möglich, sonst um 15 Uhr. Was passt Ihnen?"
    )
    assert german("times not in the evening")["message"] == (
        "Abends ist leider nichts frei. Möglich wäre es um 10 Uhr, um 11 Uhr 30 oder um 15 Uhr. Was passt Ihnen?"
    )


def test_the_question_names_what_is_to_be_changed() -> None:
    assert german("shall I cancel it")["message"] == (
        "Soll ich Ihren Termin für Herrenhaarschnitt am Mittwoch, 15. Oktober, um 9 Uhr wirklich stornieren?"
    )
    assert german("shall I move it to another day")["message"] == (
        "Ihr Termin für Dauerwelle ist bisher am Mittwoch, 15. Oktober, um 9 Uhr. Er wäre dann am Donnerstag, "
        "16. Oktober, um 9 Uhr. Soll ich ihn so verschieben?"
    )


def test_what_does_not_match_asks_for_all_that_may_be_wrong() -> None:
    assert german("not identified")["message"] == (
        "Zu diesen Angaben finde ich leider keinen Termin. Stimmen Name, Tag und Uhrzeit?"
    )


def test_a_yes_to_an_earlier_question_is_asked_anew() -> None:
    reply = german("not the last question")
    assert reply == {
        "status": "not_found",
        "message": (
            "Das muss ich Sie noch einmal fragen. Was soll mit dem Termin geschehen, und auf welchen Namen und für "
            "welchen Tag ist er?"
        ),
    }


def test_an_open_change_of_the_other_kind_is_named_as_what_it_is() -> None:
    reply = ChangeSpeaker(TENANT).changed(CANCEL, not_changed(MOVE, F.PENDING, open=True))
    assert "verschoben" in reply["message"]
    assert "storniert" not in reply["message"]


def test_a_person_who_must_help_is_offered() -> None:
    for reply in (german("found, number withheld"), german("a person must move it"), german("a person must cancel it")):
        assert (reply["status"], reply["callback"]) == ("not_allowed", True)


def test_times_are_the_salons_with_their_offset() -> None:
    assert german("found one")["appointments"] == ["2025-10-15T09:00+02:00"]
    assert german("cancelled")["start"] == "2025-10-15T09:00+02:00"
    assert NINE.start.tzinfo is not None
    assert TODAY.isoweekday() == 6
