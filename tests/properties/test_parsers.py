"""What comes from outside is read, or refused in the declared way; and no refusal quotes a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bookend.adapters.calcom.answers import error_text, read_create, read_refusal
from bookend.adapters.calcom.events import counted_as, read_event
from bookend.adapters.calcom.wire import BookingList, SlotsEnvelope
from bookend.adapters.imports.files import RowsFile
from bookend.adapters.retell import wire
from bookend.adapters.sqs.queue import NotAJob, read_job
from bookend.adapters.tenants.document import TenantInvalid, read_tenant
from bookend.domain.appointment import ChangeKind
from bookend.domain.imports import CustomerRow, Names, Row, RowError, read_row
from tests.support.salon import EXAMPLE, example_tenant

properties = settings(
    derandomize=True,
    max_examples=250,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WHO = "quastenflosser"
"""A person, in whatever is drawn."""

people = st.sampled_from(
    [WHO, f"{WHO}@kanarienvogel.example", f"{WHO}\u0000", f"+49{WHO}", f"{WHO}\ud800", f"2025-{WHO}"]
)
scalars = people | st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.none()
values = st.recursive(
    scalars,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "data", "status", "error", "message", "code", "details", "uid", "id", "start", "end", "hosts", "attendees",
    "metadata",
    "triggerEvent", "createdAt", "payload", "call", "call_id", "name", "args", "event", "from_number", "kind", "tenant",
    "attempt", "eventTypeId", "createdAt", "rescheduledToUid", "pagination",
]  # fmt: skip
objects = st.dictionaries(
    st.sampled_from(FIELDS), values | st.dictionaries(st.sampled_from(FIELDS), values, max_size=6), max_size=8
)
as_json = (objects | values).map(json.dumps)
raw = as_json | st.text(max_size=60) | people
statuses = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503])


def quotes(problem: Any) -> bool:
    return WHO in str(problem)


@properties
@given(raw)
@example("[" * 100_000)
@example('{"triggerEvent": NaN}')
def test_an_event_is_a_hint_or_irrelevant_and_is_counted_without_people(body: str) -> None:
    assert not quotes(counted_as(read_event(body)))


@properties
@given(raw)
@example("{" * 100_000)
@example('{"kind":"event","tenant":"t","name":"n","attempt":1e999}')
def test_a_message_is_a_job_or_none_and_says_no_more(body: str) -> None:
    try:
        read_job(body)
    except NotAJob as problem:
        said = str(problem)
    else:
        said = ""
    assert not quotes(said)


@properties
@given(raw, statuses)
def test_any_answer_of_cal_com_is_a_verdict(body: str, status: int) -> None:
    response = httpx.Response(status, content=body.encode("utf-8", "surrogatepass"))
    verdict = read_create(response) if status < 400 else read_refusal(response)
    assert type(verdict).__name__ in {"Answered", "Refused", "Unclear", "NotSent", "KeyRejected", "NotThere"}
    error_text(response)


@properties
@given(raw)
def test_lists_of_cal_com_are_read_or_invalid(body: str) -> None:
    for model in (BookingList, SlotsEnvelope):
        try:
            model.model_validate_json(body.encode("utf-8", "surrogatepass"))
        except ValidationError:
            continue


@properties
@given(raw)
def test_a_body_of_retell_is_an_envelope_or_invalid(body: str) -> None:
    for model in (wire.FunctionCall, wire.CallEvent):
        try:
            model.model_validate_json(body.encode("utf-8", "surrogatepass"))
        except ValidationError:
            continue


names = st.sampled_from(
    ["service", "staff", "date", "time", "name", "phone", "email", "offer_id", "new_date", "reason"]
)


@properties
@given(st.dictionaries(names, values, max_size=8))
def test_arguments_of_any_kind_are_a_command(args: dict[str, Any]) -> None:
    wire.check_command(args)
    wire.book_command(args)
    wire.callback_command(args)
    for kind in ChangeKind:
        wire.change_command(kind, args)


DOCUMENT = json.loads(EXAMPLE.read_text(encoding="utf-8"))


@properties
@given(st.sampled_from(sorted(DOCUMENT)), values)
def test_a_document_is_a_tenant_or_says_what_is_wrong_in_one_sentence_each(name: str, value: Any) -> None:
    text = json.dumps(DOCUMENT | {name: value}, ensure_ascii=True)
    try:
        read_tenant(text)
    except TenantInvalid as problem:
        said = str(problem)
    else:
        said = "it is one"
    assert said


@properties
@given(raw)
def test_anything_at_all_is_a_document_or_not(text: str) -> None:
    with pytest.raises(TenantInvalid):
        read_tenant(text.encode("utf-8", "surrogatepass"))


COLUMNS = [
    "external_id", "customer_id", "customer_name", "phone", "email", "service", "staff", "start", "end", "calcom_uid",
    "calcom_booking_id", "status", "sync_status", "sync_error", "call_id", "notes",
]  # fmt: skip
NAMES = Names(example_tenant())
cells = people | st.text(max_size=30) | st.sampled_from(
    ["Herrenhaarschnitt", "Dauerwelle", "Fabian", "2025-10-26 02:30", "2026-03-29 02:30", "9999-12-31 23:59",
     "1", "-1", "²", "confirmed"]
)  # fmt: skip


@properties
@given(st.dictionaries(st.sampled_from(COLUMNS), cells, max_size=12), st.integers(1, 10**6))
def test_a_row_is_one_or_errors_that_quote_nobody(row: dict[str, str], line: int) -> None:
    read = read_row(row, line, NAMES)
    if isinstance(read, Row | CustomerRow):
        assert not any(quotes(each) for each in read.notes)
        return
    assert read
    for error in read:
        assert isinstance(error, RowError)
        assert error.line == line
        assert not quotes(error)


@properties
@given(st.lists(raw, max_size=4), st.sampled_from([".csv", ".jsonl"]))
def test_a_file_is_rows_or_errors_with_their_lines(tmp_path: Path, lines: list[str], suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    heads = "external_id;service;start;customer_name\n" if suffix == ".csv" else ""
    path.write_bytes((heads + "\n".join(lines)).encode("utf-8", "surrogatepass"))
    for each in RowsFile(path).rows():
        if isinstance(each, RowError):
            assert each.line >= 1
            assert not quotes(each.why)
