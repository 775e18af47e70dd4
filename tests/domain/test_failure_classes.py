"""Which class a failure has: the texts of incident I5 and of Cal.com, whole and cut off."""

from __future__ import annotations

import pytest

from bookend.domain.cases import SyncFailure
from bookend.domain.failure_classes import FailureFacts, failure_from

BUSY = "User either already has booking at this time or is not available"
HOST = "One of the hosts either already has booking at this time or is not available"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (f'HTTP 400 {{"status":"error","error":{{"message":"{HOST}"}}}}', SyncFailure.HOST_UNAVAILABLE),
        (BUSY, SyncFailure.HOST_UNAVAILABLE),
        ('HTTP 400 {"message":"Attempting to book a meeting in the past."}', SyncFailure.PAST_APPOINTMENT),
        (
            'HTTP 400 {"message":"responses - {email}email_validation_error, "}',
            SyncFailure.MISSING_CONTACT,
        ),
        ("responses - {attendeePhoneNumber}invalid_number, ", SyncFailure.MISSING_CONTACT),
        ("HTTP 404 Booking with uid=13068993 was not found in the database", SyncFailure.NOT_FOUND),
        ("HTTP 404 {}", SyncFailure.NOT_FOUND),
        ('HTTP 500 {"statusCode":500,"message":"Internal server error"}', SyncFailure.TEMPORARY),
        ('{"statusCode": 503}', SyncFailure.TEMPORARY),
        ("HTTP 429 ThrottlerException: Too Many Requests", SyncFailure.TEMPORARY),
        ("cURL error 28: Operation timed out after 10000 milliseconds", SyncFailure.TEMPORARY),
        ("DOUBLE_BOOKING", SyncFailure.DOUBLE_BOOKING),
        ("PHASE_ERROR: invalid phases", SyncFailure.PHASE_ERROR),
        ("COMPOSITE_FAILURE", SyncFailure.COMPOSITE_FAILURE),
        (f"OTHER: HTTP 400 {HOST}", SyncFailure.HOST_UNAVAILABLE),
        ("HTTP 400 nobody knows", SyncFailure.OTHER),
        ("", SyncFailure.OTHER),
        ("Der Termin kostet 500 Euro, oder 404?", SyncFailure.OTHER),
        ("500 € Anzahlung", SyncFailure.OTHER),
    ],
)
def test_known_words_and_statuses_decide_and_never_a_number_in_a_sentence(answer: str, failure: SyncFailure) -> None:
    assert failure_from(answer) is failure


@pytest.mark.parametrize(
    ("facts", "failure"),
    [
        (FailureFacts(incomplete=True, claimed_twice=True, begun=True), SyncFailure.INVALID_APPOINTMENT),
        (FailureFacts(claimed_twice=True, begun=True), SyncFailure.DOUBLE_BOOKING),
        (FailureFacts(begun=True), SyncFailure.PAST_APPOINTMENT),
        (FailureFacts(parts_missing=True, without_contact=True), SyncFailure.HOST_UNAVAILABLE),
    ],
)
def test_what_is_known_of_the_appointment_goes_before_an_old_answer(facts: FailureFacts, failure: SyncFailure) -> None:
    assert failure_from(HOST, facts) is failure


def test_without_words_the_missing_part_or_contact_is_the_reason() -> None:
    both = FailureFacts(parts_missing=True, without_contact=True)
    assert failure_from("", both) is SyncFailure.COMPOSITE_FAILURE
    assert failure_from("HTTP 400 …", FailureFacts(without_contact=True)) is SyncFailure.MISSING_CONTACT
