"""`python -m bookend import`, `duplicates` and `rebuild`: dry by default, and what they say is what they do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bookend import bootstrap, cli
from tests.support.http import CALCOM_ARN, Doors
from tests.support.salon import Salon
from tests.support.tables.faults import Crash

EXAMPLES = Path(__file__).parents[2] / "examples" / "import"
PEOPLE = ("Sputer", "Schuster", "Muster", "Beispiel", "kunde.example", "3920001", "askproai")


@pytest.fixture
def salon() -> Salon:
    return Salon(now=datetime(2025, 11, 24, 9, 0, tzinfo=UTC))


@pytest.fixture(autouse=True)
def _instead_of_aws(salon: Salon, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    doors = Doors(salon)
    monkeypatch.setattr(bootstrap, "Dependencies", lambda settings, *, clock: doors.deps)
    return


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    status = cli.main([arguments[0], "friseur1", *arguments[1:], "--table", "appointments"])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err.splitlines()


@pytest.mark.parametrize("name", ["appointments.csv", "appointments.jsonl", "customers.csv"])
def test_the_worked_example_has_no_error_and_nothing_is_written_without_apply(
    capsys: pytest.CaptureFixture[str], salon: Salon, name: str
) -> None:
    before = salon.client.scan(TableName="appointments")["Items"]
    status, out, err = run(capsys, "import", str(EXAMPLES / name))
    assert status == cli.OK
    assert out[-1] == "Nothing was written. Add --apply to import what has no error."
    assert any(line.split()[1:3] == ["lines,", ""] or " lines" in line for line in err), "how far it is"
    assert salon.client.scan(TableName="appointments")["Items"] == before
    assert not any(person in line for line in out + err for person in PEOPLE)


@pytest.mark.parametrize("year", [2025, 2030, 2034])
def test_the_worked_example_is_what_the_page_says_for_years(
    capsys: pytest.CaptureFixture[str], salon: Salon, year: int
) -> None:
    salon.clock.advance((datetime(year, 12, 1, tzinfo=UTC) - salon.clock.now()).total_seconds())
    status, out, _ = run(capsys, "import", str(EXAMPLES / "appointments.csv"), "--apply")
    assert status == cli.OK
    page = (EXAMPLES.parents[1] / "docs" / "import.md").read_text(encoding="utf-8")
    shown = page.split("```text\n", 1)[1].split("```", 1)[0].splitlines()
    assert out == shown
    assert run(capsys, "import", str(EXAMPLES / "appointments.csv"), "--apply")[1][0] == "this file was imported before"


def test_errors_are_listed_with_their_lines_and_are_a_failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("external_id;customer_name;service\n1;Anna;Massage\n2;;Beratung\n", encoding="utf-8")
    status, out, _ = run(capsys, "import", str(file), "--apply")
    assert status == cli.FAILED
    assert [line.partition(":")[0] for line in out[:2]] == ["line 2, service", "line 3, customer_name"]
    status, out, _ = run(capsys, "import", str(file), "--json")
    report = json.loads("\n".join(out))
    assert (status, report["refused"]) == (cli.FAILED, "done_before"), "and are so once more"
    assert [each["line"] for each in report["errors"]] == [2, 3]


@pytest.mark.parametrize("more", [[], ["--json"], ["--apply"], ["--apply", "--json"]])
@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("rows.csv", "external_id;customer_name;gesch\u00e4ft\n1;Anna;x\n", 1),
        ("rows.jsonl", '{"external_id": "1", "customer_name": "Anna", "gesch\u00e4ft": "x"}\n', 1),
        ("ascii.jsonl", '{"external_id": "1", "customer_name": "Anna", "gesch\\ud800ft": "x"}\n', 1),
    ],
)
def test_a_name_of_a_column_that_is_no_utf_8_is_an_error_like_any_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, more: list[str], name: str, content: str, line: int
) -> None:
    file = tmp_path / name
    file.write_bytes(content.encode("cp1252"))
    for _ in range(2):
        status, out, _ = run(capsys, "import", str(file), *more)
        said = "\n".join(out)
        said.encode()  # what can be said
        assert status == cli.FAILED
        assert "not UTF-8" in said
        if "--json" in more:
            assert [each["line"] for each in json.loads(said)["errors"]] == [line]


def test_one_that_was_cut_off_goes_on_with_resume(capsys: pytest.CaptureFixture[str], salon: Salon) -> None:
    file = str(EXAMPLES / "appointments.csv")
    salon.client.faults.crash_at(9)
    with pytest.raises(Crash):
        run(capsys, "import", file, "--apply")
    capsys.readouterr()
    # What was killed had opened cases only; no page is done, so this is a beginning and no resuming.
    status, out, _ = run(capsys, "import", file, "--apply", "--resume")
    assert status == cli.OK
    assert "       2  taken in as appointments, unverified until Cal.com has been read" in out


@pytest.mark.parametrize("name", ["nothing.csv", "table.xlsx"])
def test_a_file_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str], name: str) -> None:
    status, out, err = run(capsys, "import", name)
    assert (status, out, len(err)) == (cli.FAILED, [], 1)


@pytest.mark.parametrize("command", ["duplicates", "rebuild"])
def test_a_healthy_salon_has_nothing_to_repair(capsys: pytest.CaptureFixture[str], salon: Salon, command: str) -> None:
    booked = salon.calendar.book_publicly(3672815, datetime(2025, 11, 25, 12, tzinfo=UTC))
    status, out, _ = run(capsys, command, "--calcom-secret", CALCOM_ARN)
    assert status == cli.OK
    status, out, _ = run(capsys, command, "--calcom-secret", CALCOM_ARN, "--apply")
    assert status == cli.OK
    if command == "rebuild":
        assert out[-1] == "1 live bookings compared: equal."
        assert [each["appt"]["S"] for each in salon.items(f"CALUID#{booked.uid}")]
    else:
        assert out == ["0 duplicates. 0 appointments and 1 booking looked at, 1 request."]
    assert isinstance(json.loads("\n".join(run(capsys, command, "--calcom-secret", CALCOM_ARN, "--json")[1])), dict)
