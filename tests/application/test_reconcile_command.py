"""`python -m bookend reconcile`: dry by default, and what it says it would do is what it does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from bookend import bootstrap, cli, observability
from bookend.application import alerts
from bookend.application.budget import MOST_DESTRUCTIVE
from bookend.application.ports import StoreUnavailable
from bookend.domain.answers import KeyRejected
from bookend.domain.appointment import AppointmentState
from tests.support.calendar import FakeCalendar
from tests.support.http import CALCOM_ARN, Doors
from tests.support.seeded import CANARIES, SEEDS, SeededWorld

COMMAND = ["reconcile", "friseur1", "--table", "appointments", "--calcom-secret", CALCOM_ARN]
FLAGGED = 5


@pytest.fixture
def world() -> SeededWorld:
    return SeededWorld.grown(90, days=10)


@pytest.fixture
def doors(world: SeededWorld) -> Doors:
    return Doors(world.salon)


@pytest.fixture(autouse=True)
def _instead_of_aws(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bootstrap.Settings]]:
    """The salon's own table and calendar, whatever settings the command makes of its options."""
    asked: list[bootstrap.Settings] = []

    def build(settings: bootstrap.Settings, *, clock: object) -> bootstrap.Dependencies:
        asked.append(settings)
        return doors.deps

    monkeypatch.setattr(bootstrap, "Dependencies", build)
    yield asked
    assert all((each.table_name, each.calcom_secret_arn) == ("appointments", CALCOM_ARN) for each in asked)


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    status = cli.main([*COMMAND, *options])
    said = capsys.readouterr()
    return status, (said.out + said.err).splitlines()


def rows(lines: list[str]) -> list[list[str]]:
    """The cells of each row but the last one, which says what was done."""
    table = [line for line in lines if line and not line.startswith(("Nothing was", "STOPPED", "difference ", "{"))][
        :-1
    ]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()][:-1] for line in table]


def test_equal_sides_are_said_to_be_equal(capsys: pytest.CaptureFixture[str], world: SeededWorld) -> None:
    status, lines = run(capsys)
    assert status == cli.OK
    assert lines == ["0 differences. 90 bookings at Cal.com and 90 appointments here compared, 3 requests."]


def test_without_apply_it_says_what_it_would_do_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], world: SeededWorld
) -> None:
    for name in SEEDS:
        world.seed(name)
    before = world.table(), dict(world.calendar.bookings)
    status, lines = run(capsys)
    assert status == cli.OK
    assert (world.table(), world.calendar.bookings) == before
    assert world.alerts.raised == []
    assert lines[0].split() == ["difference", "repair", "booking", "appointment", "why", "done"]
    assert lines[-1] == "Nothing was written. Add --apply to repair."
    assert lines[-2].startswith(f"{len(SEEDS)} differences. ")
    assert sum(line.endswith("planned") for line in lines) == len(SEEDS)
    assert not any(canary in line for line in lines for canary in CANARIES)
    status, applied = run(capsys, "--apply")
    assert status == cli.OK
    assert rows(applied) == rows(lines)


def test_with_apply_both_sides_are_equal_and_the_command_is_named_in_the_entries(
    capsys: pytest.CaptureFixture[str], world: SeededWorld
) -> None:
    for name in SEEDS:
        world.seed(name)
    assert run(capsys, "--apply")[0] == cli.OK
    assert {each["by"] for each in world.kind("AUDIT")} == {"command"}
    assert world.kind("RUN", "REPORT") == [], "the nightly run's progress is its own"
    status, lines = run(capsys)
    assert status == cli.OK
    assert len(rows(lines)) == FLAGGED


def test_more_than_is_ordinary_is_refused_until_an_operator_says_how_much(
    capsys: pytest.CaptureFixture[str], world: SeededWorld
) -> None:
    for _ in range(MOST_DESTRUCTIVE + 1):
        world.seed("ghost, cancelled there")
    before = world.table()
    for options in ((), ("--apply",)):
        status, lines = run(capsys, *options)
        assert status == cli.FAILED
        assert sum(line.endswith("not done: blast limit") for line in lines) == MOST_DESTRUCTIVE + 1
        assert next(line for line in lines if not line.startswith("{")).startswith("STOPPED (blast_limit): ")
        assert world.table() == before
    assert [each.kind for each in world.alerts.raised] == [alerts.BLAST_LIMIT], "a dry run pages nobody"
    status, lines = run(capsys, "--apply", "--most-destructive", "6")
    assert status == cli.OK
    assert {world.now_is(each.appointments[0]).state for each in world.seeds} == {AppointmentState.CANCELLED}


def test_the_days_are_the_operators_choice(capsys: pytest.CaptureFixture[str], world: SeededWorld) -> None:
    far = world.known[-1]
    world.calendar.change(str(far.segments[0].uid), status="pending")
    assert len(rows(run(capsys, "--ahead", "3")[1])) == 0
    assert len(rows(run(capsys, "--back", "0", "--ahead", "12")[1])) == 1


def test_it_waits_for_the_requests_that_callers_leave(capsys: pytest.CaptureFixture[str], world: SeededWorld) -> None:
    """Its progress is not kept: to end at every minute's limit would be never to end."""
    world.seed("end")
    began = world.clock.monotonic()

    def busy_minute(calendar: FakeCalendar, query: object, skip: int) -> object:
        calendar.headroom = lambda: 30 if world.clock.monotonic() - began < 60 else None
        return calendar.listed(query, skip)

    world.calendar.list_faults.append(busy_minute)
    status, lines = run(capsys)
    assert status == cli.OK
    assert len(rows(lines)) == 1
    assert world.clock.monotonic() - began >= 60


def test_a_calendar_that_does_not_answer_is_a_failure(capsys: pytest.CaptureFixture[str], world: SeededWorld) -> None:
    world.calendar.list_faults.append(lambda *_: KeyRejected("HTTP 401"))
    status, lines = run(capsys)
    assert status == cli.FAILED
    assert next(line for line in lines if not line.startswith("{")).startswith("STOPPED (calendar): ")


def test_a_tenant_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main([*COMMAND[:1], "nobody", *COMMAND[2:]])
    assert (status, capsys.readouterr().err) == (cli.FAILED, "there is no tenant nobody\n")


def test_log_lines_do_not_stand_between_the_lines_of_the_table(
    capsys: pytest.CaptureFixture[str], world: SeededWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.alerts, "raise_", observability.LoggedAlerts().raise_)
    world.seed("status")
    assert cli.main([*COMMAND, "--apply"]) == cli.OK
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["difference", "status", "1"]
    assert alerts.DRIFT_FOUND in said.err


def test_the_report_as_json_names_each_difference(capsys: pytest.CaptureFixture[str], world: SeededWorld) -> None:
    seed = world.seed("end")
    assert cli.main([*COMMAND, "--json"]) == cli.OK
    report = json.loads(capsys.readouterr().out)
    assert (report["tenant"], report["stopped"], report["tally"]["ours"]) == ("friseur1", None, 90)
    (found,) = report["findings"]
    assert (found["drift"], found["booking"], found["done"]) == ("end", seed.uids[0], "planned")


def test_a_run_that_stops_is_a_failure_as_json_too(capsys: pytest.CaptureFixture[str], world: SeededWorld) -> None:
    world.calendar.list_faults.append(lambda *_: KeyRejected("HTTP 401"))
    assert cli.main([*COMMAND, "--json"]) == cli.FAILED
    assert json.loads(capsys.readouterr().out)["stopped"] == "calendar"


NOT_ALLOWED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "User: arn:… is not"}}, "GetItem")


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (StoreUnavailable("x"), "the table appointments cannot be reached"),
        (NoCredentialsError(), "AWS refuses: NoCredentialsError (Unable to locate credentials)"),
        (NOT_ALLOWED, "AWS refuses: AccessDeniedException"),
    ],
    ids=["store", "credentials", "rights"],
)
def test_whatever_aws_says_is_one_line(
    capsys: pytest.CaptureFixture[str], world: SeededWorld, trouble: Exception, says: str
) -> None:
    def troubled(*_: object, **__: object) -> None:
        raise trouble

    world.calendar.list_faults.append(troubled)
    assert cli.main(COMMAND) == cli.FAILED
    assert capsys.readouterr().err.splitlines() == [says]


def test_a_secret_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str], doors: Doors) -> None:
    missing = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "…"}}, "GetSecretValue")
    doors.vault.failures.append(missing)
    assert cli.main(COMMAND) == cli.FAILED
    said = f"the secret {CALCOM_ARN} cannot be read: ResourceNotFoundException"
    assert capsys.readouterr().err.splitlines() == [said]


def test_a_secret_of_another_form_is_one_line(capsys: pytest.CaptureFixture[str], doors: Doors) -> None:
    doors.vault.secrets[CALCOM_ARN] = {"keys": ["of Retell's"]}
    assert cli.main(COMMAND) == cli.FAILED
    assert capsys.readouterr().err.splitlines() == ['the Cal.com secret must look like {"api_key": "cal_…"}']
