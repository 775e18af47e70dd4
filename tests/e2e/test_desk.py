"""Webhooks and schedules end to end, and `python -m sandbox.desk`, by which a person makes both happen."""

import json
import re
import time
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sandbox import desk
from sandbox.__main__ import _desk
from sandbox.salon import handle, retell
from sandbox.salon.running import Salon

pytestmark = pytest.mark.engine
CUT = 3672814


@pytest.fixture
def opened(salon: Salon, monkeypatch: pytest.MonkeyPatch) -> Salon:
    """The salon on an ordinary day, as `make run` leaves it, without other customers."""
    salon.real_time()
    salon.start_anew(mail={"mode": "late", "late_seconds": 0.05})
    monkeypatch.setattr(handle, "read", salon.handle)
    return salon


def at(salon: Salon, hour: int) -> str:
    zone = ZoneInfo(salon.tenant["zone"])
    day = (salon.now().astimezone(zone) + timedelta(days=(1 - salon.now().weekday()) % 7 + 7)).date()  # a Tuesday
    return f"{day} {hour:02}:00"


def states(salon: Salon) -> list[tuple[str, str]]:
    return [(each["state"], each["segments"][0]["staff"]) for each in salon.records().appointments]


def test_what_the_desk_does_is_taken_over_by_webhook(opened: Salon, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.main(["book", "Herren", "Fab", at(opened, 10), "Petra Web"]) == 0
    opened.caught_up()
    assert states(opened) == [("CONFIRMED", "fabian")]
    uid = capsys.readouterr().out.split()[0]
    assert desk.main(["move", uid[:8], at(opened, 11)]) == 0
    opened.caught_up()
    (moved,) = opened.records().appointments
    start = datetime.fromisoformat(moved["start"]).astimezone(ZoneInfo(opened.tenant["zone"]))
    assert (moved["state"], f"{start:%H:%M}") == ("CONFIRMED", "11:00")
    assert desk.main(["assign", moved["uid"], "Emma"]) == 0
    opened.caught_up()
    assert states(opened) == [("CONFIRMED", "emma")]
    assert desk.main(["cancel", moved["uid"]]) == 0
    opened.caught_up()
    assert states(opened) == [("CANCELLED", "emma")]
    capsys.readouterr()
    assert desk.main(["show"]) == 0
    shown = capsys.readouterr().out
    assert re.search(rf"{moved['uid']} .* cancelled +Emma +Petra Web +CANCELLED", shown), shown


def test_without_webhooks_a_reconcile_from_the_desk_takes_it_over(
    opened: Salon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.main(["webhooks", "lost"]) == 0
    assert desk.main(["book", "Beratung", "Fabian", at(opened, 10), "Petra Web"]) == 0
    opened.caught_up()
    assert states(opened) == []
    capsys.readouterr()
    assert desk.main(["show"]) == 0
    assert "not known here" in capsys.readouterr().out
    assert desk.main(["reconcile"]) == 0
    printed = capsys.readouterr().out  # functions in this process print their metrics there, too
    runs = json.loads(printed[printed.index("[\n") :])
    assert sum(each["counts"].get("repair_adopted", 0) for each in runs) == 1
    assert states(opened) == [("CONFIRMED", "fabian")]
    for task in ("nightly", "sweep"):
        assert desk.main([task]) == 0


def test_the_page_for_the_morning_is_the_commands_own_and_ends_as_it_does(
    opened: Salon, capfd: pytest.CaptureFixture[str]
) -> None:
    assert desk.main(["health"]) == 1
    said = capfd.readouterr().out
    assert "DEGRADED  friseur1" in said
    assert "no reconciliation (full) has ever come to its end: it begins by itself" in said
    for task in ("reconcile", "nightly"):
        assert desk.main([task]) == 0
    capfd.readouterr()
    assert desk.main(["health"]) == 0
    said = capfd.readouterr().out
    assert re.match(r"HEALTHY  friseur1, ", said), said
    assert "Cal.com, writes: asked as usual" in said
    assert re.search(r"^poll  compared up to .* ago", said, re.MULTILINE), said


def test_any_command_of_the_operator_runs_on_this_stack(opened: Salon, capfd: pytest.CaptureFixture[str]) -> None:
    opened.standin.mail(lost=1.0)
    assert desk.main(["book", "Beratung", "Fabian", at(opened, 10), "Petra Web"]) == 0
    capfd.readouterr()
    assert desk.main(["operate", "--", "reconcile", "friseur1", "--apply"]) == 0
    printed = capfd.readouterr()
    assert "1 difference. 1 booking at Cal.com and 0 appointments here compared" in printed.out
    assert printed.err == "", "nothing is logged where nothing is wrong"
    assert states(opened) == [("CONFIRMED", "fabian")]
    for command in (["review", "list", "friseur1"], ["remedy", "friseur1"], ["audit", "verify", "friseur1"]):
        assert desk.main(["operate", *command]) == 0, capfd.readouterr()
    assert desk.main(["operate", "health", "friseur1", "--table", "elsewhere"]) == 3
    assert "there is no table elsewhere" in capfd.readouterr().err


def test_a_story_begins_with_counters_of_its_own(opened: Salon) -> None:
    opened.standin.somebody_books(CUT, datetime.fromisoformat(at(opened, 10) + "+01:00"), name="Petra Web", force=False)
    opened.caught_up()
    opened.start_anew()
    time.sleep(1)
    assert opened.stack.streams_caught_up()
    rows = opened.stack.dynamodb().scan(TableName=opened.stack.table_name)["Items"]
    assert [row["pk"]["S"] for row in rows if "#HEALTH" in row["pk"]["S"]] == []


def test_the_commands_that_make_run_prints_are_understood(opened: Salon) -> None:
    printed = list(_desk(opened, "Herrenhaarschnitt"))
    book = re.findall(r'"([^"]+)"|(\S+)', printed[0])
    assert desk.main([quoted or plain for quoted, plain in book]) == 0
    known = {"show", "move", "assign", "cancel", "webhooks", "reconcile", "operate"}
    assert {part.split()[0] for line in printed[1:] for part in line.split("·")} == known


def test_who_is_to_be_rung_is_shown(opened: Salon, capsys: pytest.CaptureFixture[str]) -> None:
    line = retell.Line("call_ring", opened.agent, opened.number, "+491713920009", opened.now())
    wish = {"name": "Hansi Hinterseer", "service": "Dauerwelle", "wish": "Freitag"}
    body = retell.function_call(line, "request_callback", wish)
    answer = retell.send(f"{opened.stack.url}/retell/functions", body, key=opened.retell_key, now=opened.now())
    assert answer.body["status"] == "noted", answer
    capsys.readouterr()
    assert desk.main(["show"]) == 0
    assert "to be rung: +491713920009     Hansi Hinterseer  Dauerwelle, Freitag\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["book", "Friseur", "Fabian", "2026-12-01 10:00", "X"], "There are: Herrenhaarschnitt/Fabian Spitzer"),
        (["book", "Beratung", "Fabian", "morgen", "X"], "no time"),
        (["book", "Beratung", "Fabian", "2020-01-01 10:00", "X"], "past"),
        (["cancel", "nothing"], "0 bookings"),
    ],
)
def test_what_is_not_understood_is_said(
    command: list[str], says: str, opened: Salon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.main(command) == 1
    assert says in capsys.readouterr().err


def test_beside_a_real_account_the_desk_books_nothing(
    opened: Salon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handle, "read", lambda: replace(opened.handle(), calcom=""))
    assert desk.main(["cancel", "x"]) == 1
    assert "real Cal.com" in capsys.readouterr().err


def test_the_desk_of_no_stack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(handle, "read", lambda: None)
    assert desk.main(["show"]) == 1
    assert "make run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "plan",
    [
        {"mode": "inline"},
        {"mode": "late", "late_seconds": 0.1, "doubled": 1.0},
        {"mode": "late", "late_seconds": 0.3, "shuffled": 1.0, "doubled": 0.5},
    ],
    ids=["inline", "late and doubled", "shuffled"],
)
def test_however_webhooks_come_the_end_is_the_same(plan: dict[str, object], opened: Salon) -> None:
    opened.start_anew(mail=plan)
    start = datetime.fromisoformat(at(opened, 10)).replace(tzinfo=ZoneInfo(opened.tenant["zone"]))
    kept = opened.standin.somebody_books(CUT, start, name="Eva Kern", force=False)["uid"]
    uid = opened.standin.somebody_books(CUT, start + timedelta(hours=2), name="Petra Web", force=False)["uid"]
    moved = opened.standin.moves(uid, start + timedelta(hours=3))["uid"]
    last = opened.standin.moves(moved, start + timedelta(hours=4))["uid"]
    opened.caught_up()
    now = opened.records()
    assert sorted((each["state"], each["uid"]) for each in now.appointments) == sorted(
        [("CONFIRMED", kept), ("CONFIRMED", last)]
    )
    assert sorted(each.start for each in now.intervals) == [start, start + timedelta(hours=4)]
    assert all(set(each["attempts"]) == {"200"} for each in opened.standin.deliveries())


def test_a_webhook_that_comes_before_our_own_answer_makes_no_second_appointment(opened: Salon) -> None:
    opened.start_anew(mail={"mode": "inline", "doubled": 1.0})
    line = retell.Line("call_inline", opened.agent, opened.number, "+491713920009", opened.now())
    wish = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": at(opened, 10)[:10], "time": "10:00"}
    body = retell.function_call(line, "book_appointment", wish | {"name": "Hansi Hinterseer"})
    url = f"{opened.stack.url}/retell/functions"
    answer = retell.send(url, body, key=opened.retell_key, now=opened.now())
    assert answer.body["status"] == "booked", answer
    opened.set_time(opened.now() + timedelta(minutes=6))
    for _ in range(2):  # the event that had to wait comes by the queue or, lost there, by the sweeper
        opened.sweep()
    opened.caught_up()
    now = opened.records()
    assert [(each["state"], each["told"]) for each in now.appointments] == [("CONFIRMED", "booked")]
    assert not now.alerts


def test_a_forged_webhook_stays_outside(opened: Salon) -> None:
    opened.standin._control("webhooks", {"url": opened._webhook["url"], "secret": "whsec_forged"})
    start = datetime.fromisoformat(at(opened, 10)).replace(tzinfo=ZoneInfo(opened.tenant["zone"]))
    opened.standin.somebody_books(CUT, start, name="Petra Web", force=False)
    opened.caught_up()
    time.sleep(0.1)
    answers = sorted(each["attempts"] for each in opened.standin.deliveries())
    assert answers == [["200"], ["401"]]
    assert len(opened.records().events) == 1
