"""The stream's consumer as Lambda calls it, and the command that verifies what it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bookend import bootstrap, cli
from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.audit_trail import DynamoAuditTrail
from bookend.application.alerts import JOB_FAILED
from bookend.cli_shell import UNKNOWN
from tests.application.changes import salon_with_one
from tests.support.http import Doors, LambdaContext, door
from tests.support.salon import Salon
from tests.support.stream import AUDIT, SECRET, Audited, Record
from tests.support.tables.faults import Fault

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:audit-keys"
TABLES = ["friseur1", "--table", "appointments", "--audit-table", AUDIT]


class Log(Doors):
    """The doors, a log, and an appointment that was booked."""

    def __init__(self) -> None:
        salon = Salon()
        self.audited = Audited(salon)
        super().__init__(salon)
        salon_with_one(salon)
        self.vault.secrets[ARN] = {"keys": [SECRET]}
        self.deps.settings = replace(self.deps.settings, audit_table_name=AUDIT, audit_keys_secret_arn=ARN)
        self.records = [each for each in self.audited.stream.records if self._is_told(each)]

    @staticmethod
    def _is_told(record: Record) -> bool:
        """What the mapping's filter lets through."""
        key = record["dynamodb"]["Keys"]
        return key["sk"]["S"] == "A" or key["pk"]["S"].endswith("#AUDIT")

    def take(self, *records: Record, milliseconds: int = 60_000) -> list[str]:
        """One batch; from which records it must come again."""
        event = {"Records": json.loads(json.dumps(records))}
        with self.heard.capturing():
            said = door("audit_trail").lambda_handler(event, LambdaContext(milliseconds))
        return [each["itemIdentifier"] for each in said["batchItemFailures"]]

    @property
    def name(self) -> str:
        return str(self.records[0]["dynamodb"]["Keys"]["pk"]["S"].rpartition("#")[2])


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    with Log() as opened:
        monkeypatch.setattr(bootstrap, "Dependencies", lambda *_, **__: opened.deps)
        yield opened


def number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def test_a_batch_is_recorded_and_nothing_comes_again(log: Log) -> None:
    assert log.take(*log.records) == []
    assert [each.version for each in log.audited.entries(log.name)] == [1, 2]
    assert log.audited.verified().findings == []
    assert log.salon.alerts.raised == []


def test_what_is_neither_appointment_nor_repair_is_left_alone(log: Log) -> None:
    assert log.take(*log.audited.stream.records) == []
    assert len(log.audited.rows()) == 2


def test_from_the_first_one_that_fails_on_all_come_again_in_order(log: Log) -> None:
    log.salon.client.faults.next("transact_write_items", Fault.NOT_SENT, times=1, skip=1)
    assert log.take(*log.records) == [number(log.records[1])]
    assert [each.version for each in log.audited.entries(log.name)] == [1]
    assert log.take(*log.records[1:]) == []
    assert log.audited.verified().findings == []


def test_a_store_that_is_away_alarms_nobody_by_itself(log: Log) -> None:
    log.salon.client.faults.next("query", Fault.NOT_SENT)
    assert log.take(*log.records) == [number(log.records[0])]
    assert log.salon.alerts.raised == []


def test_without_a_key_nothing_is_written(log: Log) -> None:
    for unusable in ({"keys": []}, {"keys": ["short"]}, {"key": SECRET}, "nothing"):
        log.vault.secrets[ARN] = unusable
        assert log.take(*log.records) == [number(log.records[0])]
    assert log.audited.rows() == []


def test_a_record_that_breaks_is_told_to_a_person_and_holds_up_what_is_behind_it(log: Log) -> None:
    broken = json.loads(json.dumps(log.records[0]))
    del broken["dynamodb"]["NewImage"]
    assert log.take(broken, *log.records) == [number(broken)]
    assert [(each.kind, each.facts["job"], each.facts["error"]) for each in log.salon.alerts.raised] == [
        (JOB_FAILED, "audit", "ValueError")
    ]
    assert log.audited.rows() == []


def test_an_appointment_that_reads_as_none_is_logged_all_the_same(log: Log) -> None:
    odd = json.loads(json.dumps(log.records[0]))
    odd["dynamodb"]["NewImage"]["state"] = {"S": "NONESUCH"}
    del odd["dynamodb"]["NewImage"]["segments"]
    assert log.take(odd) == []
    assert '"NONESUCH"' in log.audited.entries(log.name)[0].after


def test_it_ends_while_there_is_time_to_say_so(log: Log) -> None:
    assert log.take(*log.records, milliseconds=8_000) == [number(log.records[0])]
    assert log.audited.rows() == []


def test_what_it_logs_in_the_log_of_functions_holds_nobody(log: Log) -> None:
    log.salon.client.faults.next("transact_write_items", Fault.NOT_SENT)
    broken = json.loads(json.dumps(log.records[0])) | {"eventID": "Hans Schuster"}
    del broken["dynamodb"]["NewImage"]
    log.take(*log.records)
    log.take(broken)
    assert [each for each in ("Schuster", "1701234567", "@") if each in log.heard.text] == []


# The command


def verify(*more: str) -> int:
    tenant, *tables = TABLES
    return cli.main(["audit", "verify", tenant, *more, *tables, "--keys-secret", ARN])


def test_verify_says_that_all_is_well_or_what_is_not(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.take(*log.records)
    assert verify() == 0
    assert capsys.readouterr().out == "1 chain, 2 entries. Nothing was changed, put in, taken out or moved.\n"
    row = log.audited.rows()[0]
    log.salon.client.put_item(TableName=AUDIT, Item=row | {"by": {"S": "somebody else"}})
    for more in ([], [log.name]):
        assert verify(*more) == 1
        assert capsys.readouterr().out == (
            f"{log.name} {int(row['sk']['S'])}  changed\n1 chain, 2 entries. FINDINGS: 1 changed.\n"
        )
    assert verify("--json") == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["flaw"] == "changed"


def test_verify_keeps_where_the_chains_end_and_compares_the_next_time(
    log: Log, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log.take(*log.records)
    heads = str(tmp_path / "heads.json")
    assert verify("--heads", heads) == 0
    assert capsys.readouterr().err.endswith("none were kept before.\n")
    assert verify("--heads", heads) == 0
    assert capsys.readouterr().err.endswith("compared with 1.\n")
    kept = Path(heads).read_text(encoding="utf-8")
    log.salon.client.delete_item(TableName="appointments", Key=keys.appointment(log.salon.tenant.id, log.name))
    for row in log.audited.rows():
        log.salon.client.delete_item(TableName=AUDIT, Key={name: row[name] for name in ("pk", "sk")})
    assert verify() == 0
    for _ in range(2):  # it is not forgotten by being found
        assert verify("--heads", heads) == 1
        assert "FINDINGS: 1 shortened." in capsys.readouterr().out
    assert Path(heads).read_text(encoding="utf-8") == kept


@pytest.mark.parametrize("said", ["no json", '{"tenant": "another", "heads": {}}', '{"heads": {}}', "[]"])
def test_heads_that_are_none_are_refused(
    log: Log, capsys: pytest.CaptureFixture[str], tmp_path: Path, said: str
) -> None:
    log.take(*log.records)
    (tmp_path / "heads.json").write_text(said, encoding="utf-8")
    assert verify("--heads", str(tmp_path / "heads.json")) == UNKNOWN
    assert "cannot be used" in capsys.readouterr().err


def test_verify_needs_the_key(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.vault.secrets[ARN] = {"keys": ["short"]}
    assert verify() == UNKNOWN
    assert "keys cannot be had" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.LOST_ANSWER, "is there, but was too slow to answer (ReadTimeoutError): run it again"),
        (Fault.PROVISIONED, "is there, but turns away so many requests at once"),
        (Fault.NOT_SENT, "cannot be reached"),
    ],
)
def test_a_log_that_could_not_be_read_is_neither_whole_nor_tampered_with(
    log: Log, capsys: pytest.CaptureFixture[str], fault: Fault, says: str
) -> None:
    log.take(*log.records)
    log.salon.client.faults.next("scan", fault, times=1_000)
    assert verify() == UNKNOWN
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith(f"the table appointments or {AUDIT} {says}")


def test_what_nobody_knows_is_not_called_whole(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.take(*log.records)
    assert verify("no-such-appointment") == UNKNOWN
    assert capsys.readouterr().err == "nothing is known of no-such-appointment\n"
    _, *tables = TABLES
    assert cli.main(["audit", "verify", "friseur2", *tables, "--keys-secret", ARN]) == UNKNOWN
    assert capsys.readouterr().err == "nothing is known of friseur2\n"


def test_show_tells_who_did_what(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    log.take(*log.records)
    assert cli.main(["audit", "show", *TABLES, log.name]) == 0
    said = capsys.readouterr().out
    assert "   1  2025-10-25T18:18:32Z  created, version 1, not said, call_0\n" in said
    assert '        state: "PENDING" -> "CONFIRMED"\n' in said
    assert "Schuster" not in said
    assert cli.main(["audit", "show", *TABLES, "nobody"]) == 1


def test_erase_is_dry_until_it_is_applied_and_refuses_what_is_ahead(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    erase = ["erase", "friseur1", "--table", "appointments", "--phone", "0170 1234567"]
    assert cli.main([*erase, "--apply"]) == 1
    assert f"ahead        {log.name}" in capsys.readouterr().out
    log.salon.clock.advance(20 * 86_400)
    assert cli.main([*erase, "--apply"]) == 1
    (op,) = (row["pk"]["S"].rpartition("#")[2] for row in log.salon.items("OUT"))
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == f"still open   text {op}"
    assert "without name" not in said.out, "it says what it did not do"
    assert "Nothing was erased" in said.err
    assert cli.main(["texts", "settle", "friseur1", "--table", "appointments", op, "--by", "erika", "--apply"]) == 0
    assert cli.main(erase) == 0
    assert "Schuster" in json.dumps(log.salon.items("APPT"))
    said = capsys.readouterr().out
    assert "At Cal.com" in said
    assert "Schuster" not in said
    assert cli.main([*erase, "--apply"]) == 0
    assert "Schuster" not in json.dumps(log.salon.items(""))
    capsys.readouterr()
    assert cli.main(["erase", "friseur1", "--table", "appointments", "--phone", "+491700000000"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("Nothing is kept of them here.\n", "")
    assert cli.main(["erase", "friseur1", "--table", "appointments", "--phone", "nobody"]) == 1
    assert cli.main(["erase", "nowhere", "--table", "appointments", "--customer", "c"]) == 1


def test_the_log_is_served_by_the_table_of_the_settings(log: Log) -> None:
    assert isinstance(log.deps.audit_trail, DynamoAuditTrail)
    assert log.take(log.records[0]) == []
