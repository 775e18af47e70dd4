"""Wishes to be rung, from the door to the list: what is answered, counted, printed for the salon, and never logged."""

from __future__ import annotations

import itertools
import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from bookend import bootstrap, cli
from bookend.domain.answers import Unclear
from bookend.domain.callbacks import MOST_PER_DAY, Callback, callback_id
from bookend.observability import CALLBACK_REQUESTED
from tests.support.http import Doors
from tests.support.retell import CUSTOMER_NUMBER, phone_call
from tests.support.salon import Salon
from tests.support.tables.faults import Fault

NAME, CALLER, NAMED = "Kanarinchen Quastenflosser", "+4915711223344", "0157 99887766"
SERVICE, WISHED = "Zaunkoenigsnest", "am Nimmerleinstag"
CANARIES = ["quastenflosser", "15711223344", "99887766", "zaunkoenig", "nimmerlein", "papageientaucher"]
WISH = {"name": NAME, "phone": NAMED, "service": SERVICE, "wish": WISHED, "reason": "papageientaucher"}
LIST = ["callbacks", "list", "friseur1", "--table", "appointments"]
DONE = ["callbacks", "done", "friseur1", "--table", "appointments"]


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """The doors, and the command on the same table, whatever it makes of its options."""
    with Doors(Salon()) as opened:
        monkeypatch.setattr(bootstrap, "Dependencies", lambda *_, **__: opened.deps)
        yield opened


def ask(doors: Doors, call: str = "call_1", *, caller: str | None = CALLER, **said: Any) -> dict[str, Any]:
    answer = doors.function("request_callback", WISH | said, call=phone_call(call, from_number=caller))
    assert answer.status == 200
    return answer.json


def listed(doors: Doors) -> tuple[Callback, ...]:
    return doors.deps.callbacks.listed("friseur1")


# The door


def test_a_wish_is_on_the_list_when_the_caller_hears_that_it_is(doors: Doors) -> None:
    said = ask(doors, reason="book_appointment")
    assert (said["status"], set(said)) == ("noted", {"status", "message"})
    (wish,) = listed(doors)
    assert (wish.name, wish.phone, wish.service, wish.wished) == (NAME, CALLER, SERVICE, WISHED)
    assert doors.salon.calendar.asked == []


def test_identity_is_the_envelopes_whatever_the_arguments_say(doors: Doors) -> None:
    ask(doors, call_id="call_x", from_number=NAMED, tenant="anderer")
    (wish,) = listed(doors)
    assert (wish.call, wish.phone, wish.signed) == ("call_1", CALLER, True)


@pytest.mark.parametrize("withheld", ["anonymous", "+266696687", None])
def test_who_withholds_the_number_is_asked_for_one(doors: Doors, withheld: str | None) -> None:
    said = ask(doors, caller=withheld, phone=None)
    assert (said["status"], said["missing"]) == ("need_info", "phone")
    assert ask(doors, caller=withheld)["status"] == "noted"
    assert [(each.phone, each.signed) for each in listed(doors)] == [("+4915799887766", False)]


def test_a_wish_is_counted_once_and_refusals_are_not(doors: Doors) -> None:
    ask(doors, name=None)
    for number in range(MOST_PER_DAY + 1):
        for _ in range(2):
            said = ask(doors, f"call_{number}")
    assert said["status"] == "not_allowed"
    assert doors.heard.counted(CALLBACK_REQUESTED) == MOST_PER_DAY == len(listed(doors))


def test_when_cal_com_is_away_a_booking_wish_becomes_a_callback(doors: Doors) -> None:
    wish = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": "2025-10-28", "time": "10:00"}
    doors.salon.calendar.slot_faults.append(Unclear("HTTP 502"))
    failed = doors.function("book_appointment", wish | {"name": NAME}, call=phone_call("call_1")).json
    assert (failed["status"], failed["callback"]) == ("temporary_error", True)
    again = wish | {"name": NAME, "reason": "book_appointment"}
    assert doors.function("request_callback", again, call=phone_call("call_1")).json["status"] == "noted"
    (noted,) = listed(doors)
    assert (noted.service, noted.wished) == ("Herrenhaarschnitt", "2025-10-28 10:00")
    assert (noted.phone, noted.reason) == (CUSTOMER_NUMBER, "book_appointment")
    assert doors.salon.items("APPT#") == []


def test_a_store_that_is_away_is_said_as_it_is(doors: Doors) -> None:
    doors.salon.client.faults.next("transact_write_items", Fault.NOT_SENT, times=9)
    said = ask(doors)
    assert (said["status"], set(said)) == ("temporary_error", {"status", "message"})
    assert said["message"].startswith("Ich kann gerade nicht sicher sagen")


def test_nobody_gets_in_unsigned(doors: Doors) -> None:
    assert doors.function("request_callback", WISH, key="key_wrong_00000000").status == 401
    assert listed(doors) == ()


def escaped(doors: Doors, raised: str = "") -> list[str]:
    out = (doors.heard.text + raised).lower()
    return [canary for canary in CANARIES if canary in out]


def test_no_canary_escapes_from_any_outcome(doors: Doors) -> None:
    statuses, raised = set(), ""
    odd: list[Any] = [NAME, [NAME], {"x": NAME}, NAME * 200, f"{NAME}\u0000", f"{{{{{NAME}}}}}", None, "anonymous"]
    faults = [None, Fault.NOT_SENT, Fault.LOST_ANSWER, Fault.CONFLICT, Fault.THROTTLE]
    for number, (argument, value, fault) in enumerate(itertools.product(WISH, odd, faults)):
        if fault is not None:
            doors.salon.client.faults.next("transact_write_items", fault, times=9)
        try:
            caller = None if number % 3 else CALLER
            statuses.add(ask(doors, f"call_{number % 7}", caller=caller, **{argument: value})["status"])
        except Exception as error:  # noqa: BLE001 - whatever it is, Lambda would print it
            raised += "".join(traceback.format_exception(error))
        doors.salon.client.faults.clear()
    assert {"noted", "need_info", "not_allowed", "temporary_error"} == statuses
    assert escaped(doors, raised) == []
    assert raised == ""


def test_a_canary_would_be_heard(doors: Doors) -> None:
    with doors.heard.capturing():
        print(NAME)
    assert escaped(doors) == ["quastenflosser"]


# The salon's list


def test_the_list_shows_who_waits_the_longest_first(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    ask(doors, reason="check_availability_v2")
    doors.salon.clock.advance(600)
    ask(doors, "call_2", caller=None, name="Ute Neumann", service=None, wish=None)
    assert cli.main(LIST) == cli.OK
    first, second = (callback_id("friseur1", each) for each in ("call_1", "call_2"))
    assert [line.split("  ") for line in squeezed(capsys.readouterr().out)] == [
        ["callback", "state", "asked", "name", "number", "service", "wished", "failed before", "call"],
        [first, "OPEN", "2025-10-25 20:18", NAME, CALLER, SERVICE, WISHED, "check_availability", "call_1"],
        [
            second,
            "OPEN",
            "2025-10-25 20:28",
            "Ute Neumann",
            "+4915799887766 (named)",
            "-",
            "papageientaucher",
            "-",
            "call_2",
        ],
        ["2 to be rung."],
    ]


def test_the_list_for_programs_says_the_same(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    ask(doors, reason="check_availability_v2")
    ask(doors, "call_2", caller=None, name="Ute Neumann", service=None, wish=None)
    assert cli.main([*DONE, callback_id("friseur1", "call_2"), "--apply"]) == cli.OK
    capsys.readouterr()
    assert cli.main([*LIST, "--json"]) == cli.OK
    (waits,) = json.loads(capsys.readouterr().out)
    assert waits == {
        "callback": callback_id("friseur1", "call_1"),
        "state": "OPEN",
        "asked_at": "2025-10-25T18:18:32Z",
        "changed_at": "2025-10-25T18:18:32Z",
        "name": NAME,
        "number": CALLER,
        "number_shown": True,
        "service": SERVICE,
        "wished": WISHED,
        "failed_before": "check_availability",
        "call": "call_1",
        "appointment": None,
    }
    assert cli.main([*LIST, "--all", "--json"]) == cli.OK
    _, done = json.loads(capsys.readouterr().out)
    assert (done["state"], done["number_shown"], done["service"]) == ("DONE", False, None)


def squeezed(text: str) -> list[str]:
    """Lines whose cells are two spaces apart."""
    return ["  ".join(cell.strip() for cell in line.split("  ") if cell.strip()) for line in text.splitlines()]


def test_done_says_whom_and_takes_off_the_list_only_with_apply(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(doors)
    (wish,) = listed(doors)
    before = doors.state()
    assert cli.main([*DONE, wish.id]) == cli.OK
    shown = capsys.readouterr().out
    assert NAME in shown
    assert "Nothing was written" in shown
    assert doors.state() == before
    assert cli.main([*DONE, wish.id, "--apply"]) == cli.OK
    capsys.readouterr()
    assert cli.main(LIST) == cli.OK
    assert capsys.readouterr().out == "0 to be rung.\n"
    assert cli.main([*LIST, "--all"]) == cli.OK
    assert f"{wish.id}  DONE" in capsys.readouterr().out


def test_done_for_programs_says_whom_and_whether_it_was_written(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(doors)
    (wish,) = listed(doors)
    for options, written in (([], False), (["--apply"], True)):
        assert cli.main([*DONE, wish.id, "--json", *options]) == cli.OK
        said = json.loads(capsys.readouterr().out)
        assert (said["callback"], said["written"]) == (wish.id, written)


def test_what_is_not_on_the_list_is_refused(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    ask(doors)
    (wish,) = listed(doors)
    assert cli.main([*DONE, "nobody", "--apply"]) == cli.FAILED
    assert cli.main([*DONE, wish.id, "--apply"]) == cli.OK
    assert cli.main([*DONE, wish.id, "--apply"]) == cli.FAILED
    assert f"nobody is to be rung for {wish.id}" in capsys.readouterr().err
    for command in (["list", "anderer"], ["done", "anderer", wish.id]):
        assert cli.main(["callbacks", *command, "--table", "appointments"]) == cli.FAILED
        assert "there is no tenant anderer" in capsys.readouterr().err


def test_the_command_logs_nobody(doors: Doors) -> None:
    """What it prints is for the operator's eyes; what it logs may be kept."""
    ask(doors)
    (wish,) = listed(doors)
    doors.heard.clear()
    cli.main(LIST)
    cli.main([*DONE, wish.id, "--apply"])
    assert escaped(doors) == []


def test_a_table_that_is_away_is_said(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    ask(doors)
    (wish,) = listed(doors)
    for operation, command in (("query", LIST), ("update_item", [*DONE, wish.id, "--apply"])):
        doors.salon.client.faults.next(operation, Fault.NOT_SENT, times=9)
        assert cli.main(command) == cli.FAILED
        assert "the table appointments" in capsys.readouterr().err
        doors.salon.client.faults.clear()
    assert listed(doors) == (wish,)
