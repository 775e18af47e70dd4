"""Texts from the phone call to the telephone: sent once, counted, never logged; and the operator's command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookend import bootstrap, cli, observability
from bookend.application import alerts
from bookend.application.ports import Job
from bookend.domain.answers import Unclear
from bookend.domain.tenant import Tenant
from bookend.domain.texts import Channel
from tests.support.calendar import FakeCalendar
from tests.support.http import Doors
from tests.support.retell import phone_call
from tests.support.salon import Salon
from tests.support.texts import NOT_SENT, REFUSED, UNCLEAR_WITHOUT, Provider

MONDAY = "2025-10-27"
NAME, CALLER = "Kanarinchen Quastenflosser", "+4915711223344"
CANARIES = ["quastenflosser", "15711223344", "kanarinchen"]
WISH = {"service": "Herrenhaarschnitt", "date": MONDAY, "time": "10:00", "name": NAME}
BODY = (
    "Friseur 1: Ihr Termin am Montag, 27. Oktober, um 10:00 Uhr bei Fabian Spitzer ist gebucht. "
    "Fragen? Tel. +493033081738"
)
TENANT = ["friseur1", "--table", "appointments"]
SEND = ["--by", "erika", "--apply"]


class HiddenAtFirst(dict[str, datetime]):
    """No booking is shown for half a minute from now."""

    def __init__(self, salon: Salon) -> None:
        super().__init__()
        self._until = salon.clock.now() + timedelta(seconds=30)

    def get(self, _uid: str, _default: Any = None) -> datetime:
        return self._until


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> Iterator[Doors]:
    """A caller was told "noch offen"; a minute later their booking was found and confirmed."""
    salon = Salon()
    salon.open(MONDAY)
    with Doors(salon) as opened:
        monkeypatch.setattr(bootstrap, "Dependencies", lambda *_, **__: opened.deps)
        opened.deps.messengers = {Channel.SMS: provider, Channel.EMAIL: provider}

        def answer_lost(calendar: FakeCalendar, request: Any) -> Any:
            calendar.make(request)
            return Unclear("ReadTimeout")

        salon.calendar.faults.append(answer_lost)
        salon.calendar.hidden = HiddenAtFirst(salon)
        said = opened.function("book_appointment", WISH, call=phone_call("call_1", from_number=CALLER))
        assert said.json["status"] == "pending"
        ((job, wait),) = salon.queue.jobs
        salon.queue.jobs.clear()
        salon.clock.advance(wait.total_seconds())
        assert opened.work(job) == []
        yield opened


def play(doors: Doors, minutes: int = 3) -> None:
    """The sweeper and the worker, a minute at a time; each job comes twice."""
    for _ in range(minutes):
        doors.salon.clock.advance(60)
        doors.sweep()
        jobs = [job for job, _ in doors.salon.queue.jobs]
        doors.salon.queue.jobs.clear()
        assert doors.work(*jobs, *jobs) == []


def op(doors: Doors) -> str:
    (row,) = doors.salon.items("OUT#")
    return str(row["pk"]["S"].rpartition("#")[2])


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = cli.main(["texts", *arguments])
    return code, "".join(capsys.readouterr())


def test_noch_offen_is_followed_by_exactly_one_text(doors: Doors, provider: Provider) -> None:
    play(doors)
    assert [(text.to, text.body) for text in provider.arrived] == [(CALLER, BODY)]
    assert doors.heard.counted(observability.TEXT_SENT) == 1
    (sent,) = [each for each in doors.heard.metrics if observability.TEXT_SENT in each]
    assert sent["channel"] == "sms"
    assert doors.heard.counted(observability.OUTBOX_AGE) == 60
    assert doors.deps.callbacks.listed("friseur1") == ()


def test_a_refused_text_pages_and_puts_its_caller_on_the_list(doors: Doors, provider: Provider) -> None:
    provider.fates = [REFUSED]
    play(doors)
    assert (provider.arrived, doors.heard.counted(alerts.TEXT_FAILED)) == ([], 1)
    (ring,) = doors.deps.callbacks.listed("friseur1")
    assert (ring.name, ring.phone, ring.signed) == (NAME, CALLER, True)
    assert ring.wished == f"[invalid_address] {BODY.removeprefix('Friseur 1: ').partition(' Fragen')[0]}"


@pytest.mark.parametrize("fate", [REFUSED, UNCLEAR_WITHOUT, NOT_SENT, "ok"])
def test_nothing_that_leaves_the_process_names_the_caller(
    doors: Doors, provider: Provider, capsys: pytest.CaptureFixture[str], fate: str
) -> None:
    provider.fates = [fate]
    play(doors, 5)
    _, listed = run(capsys, "list", *TENANT)
    _, opted = run(capsys, "opt-out", *TENANT, CALLER, *SEND)
    keys = json.dumps([[row["pk"], row["sk"]] for row in doors.salon.items("")])
    for place in (doors.heard.text, listed, opted, keys, json.dumps(doors.salon.items("OUT#"), default=str)):
        assert [canary for canary in CANARIES if canary in place.lower()] == []


def test_a_job_of_a_salon_that_is_gone_or_of_a_text_that_is_none_ends(doors: Doors, provider: Provider) -> None:
    assert doors.work(Job("text", "gone", op(doors)), Job("text", "friseur1", "nothing")) == []
    assert provider.asked == 0


def test_a_worker_that_breaks_says_so_and_the_job_comes_back(doors: Doors) -> None:
    doors.deps.messengers = {}
    assert doors.work(Job("text", "friseur1", op(doors))) == ["m0"]
    assert doors.heard.counted(alerts.JOB_FAILED) == 1


def test_the_list_says_what_waits_and_what_a_person_must_decide(
    doors: Doors, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = run(capsys, "list", *TENANT)
    assert (code, "1 wait to be sent, 0 unsure, 0 failed." in said, op(doors) in said) == (0, True, True)
    provider.fates = [UNCLEAR_WITHOUT]
    play(doors)
    code, said = run(capsys, "list", *TENANT, "--unsure")
    assert (code, "0 wait to be sent, 1 unsure, 0 failed." in said, BODY in said) == (0, True, True)
    _, said = run(capsys, "list", *TENANT, "--json")
    ((text,), _) = (json.loads(said), None)
    assert (text["text"], text["state"], text["why"], text["said"]) == (op(doors), "UNSURE", "ReadTimeoutError", BODY)


def test_what_was_heard_on_the_phone_is_listed_only_where_the_salon_confirms_it(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    row = doors.salon.items("OUT#")[0] | {"told": {"S": "booked"}}
    doors.salon.client.put_item(TableName="appointments", Item=row)
    code, said = run(capsys, "list", *TENANT)
    assert (code, said) == (0, "0 wait to be sent, 0 unsure, 0 failed.\n")
    tenant = doors.salon.tenant
    confirming = replace(tenant, texts=replace(tenant.texts, sms=True, confirmations=True))
    doors.deps.tenants = Only(confirming)
    assert "1 wait to be sent" in run(capsys, "list", *TENANT)[1]


class Only:
    """The salons are this one."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def of_id(self, _: str) -> Tenant:
        return self._tenant


def test_a_person_sends_it_again_only_with_apply(
    doors: Doors, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.fates = [UNCLEAR_WITHOUT]
    play(doors)
    code, said = run(capsys, "resend", *TENANT, op(doors), "--by", "erika")
    assert (code, "Nothing was written" in said) == (0, True)
    play(doors)
    assert provider.asked == 1
    assert run(capsys, "resend", *TENANT, op(doors), *SEND)[0] == 0
    play(doors)
    assert (provider.asked, [text.body for text in provider.arrived]) == (2, [BODY])
    code, said = run(capsys, "resend", *TENANT, op(doors), *SEND)
    assert (code, "it is SENT: nothing is to be decided" in said) == (1, True)


def test_a_person_settles_it_also_before_it_is_sent(
    doors: Doors, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "settle", *TENANT, op(doors), *SEND)[0] == 0
    play(doors)
    assert provider.asked == 0
    assert run(capsys, "settle", *TENANT, op(doors), *SEND)[0] == 1


def test_who_opts_out_gets_nothing_until_they_opt_in(
    doors: Doors, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    national = "0" + CALLER.removeprefix("+49")
    assert "Nothing was written" in run(capsys, "opt-out", *TENANT, national, "--by", "erika")[1]
    assert not doors.deps.outbox.has_opted_out("friseur1", CALLER)
    assert "From now on: no texts." in run(capsys, "opt-out", *TENANT, national, *SEND)[1]
    play(doors)
    assert (provider.asked, len(doors.deps.callbacks.listed("friseur1"))) == (0, 1)
    assert "So far: no texts." in run(capsys, "opt-in", *TENANT, CALLER, *SEND)[1]
    assert not doors.deps.outbox.has_opted_out("friseur1", CALLER)
    assert run(capsys, "opt-out", *TENANT, "neither", *SEND)[0] == 1


def test_the_commands_know_no_tenant_and_no_text_that_is_not_there(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doors.deps.tenants.of_id("gone") is None
    for arguments in (["list"], ["opt-out", CALLER, "--by", "x"], ["settle", "x", "--by", "x"]):
        first, *rest = arguments
        assert run(capsys, first, "gone", *rest, "--table", "appointments")[0] == 1
    assert run(capsys, "settle", *TENANT, "nothing", "--by", "x")[0] == 1


def test_confirmations_are_the_salons_choice(doors: Doors, provider: Provider) -> None:
    """A caller who heard "gebucht" gets a text only where the document asks for it."""
    salon = doors.salon
    wish = WISH | {"time": "11:00", "name": "Ute Neumann"}
    caller = phone_call("call_2", from_number="+491709999999")
    salon.calendar.hidden = {}
    assert doors.function("book_appointment", wish, call=caller).json["status"] == "booked"
    play(doors, 5)
    assert [text.to for text in provider.arrived] == [CALLER]
    states = sorted(row["state"]["S"] for row in salon.items("OUT#"))
    assert states == ["SENT", "SKIPPED"]
    assert replace(salon.tenant.texts, confirmations=True) != salon.tenant.texts
