"""POST /calcom/webhook/{tenant}: stored before it is answered, nobody in who does not belong, nothing decided here."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from bookend.adapters.calcom.events import TRIGGERS
from bookend.application.ports import Job
from tests.support.http import (
    WEBHOOK_SECRET,
    WEBHOOKS_ARN,
    Answer,
    Doors,
    LambdaContext,
    door,
    http_event,
    webhook_signature,
)
from tests.support.salon import EXAMPLE, Salon
from tests.support.tables.faults import Fault

EVENTS = Path(__file__).parents[2] / "events" / "calcom"
EXAMPLES = sorted(EVENTS.glob("*.json"))
CREATED = (EVENTS / "booking_created.2021-10-20.json").read_bytes()
RIVAL_SECRET = "whsec-anderer-0123456789"
SECRETS = {"friseur1": [WEBHOOK_SECRET], "anderer": [RIVAL_SECRET]}
LIMIT = 128 * 1024
REQUESTS = 10_000
SEED = 20260727
AWAY = EndpointConnectionError(endpoint_url="https://secretsmanager.example")


def rival_document() -> str:
    """Another salon."""
    document: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    changed = {"id": "anderer", "name": "Geheimsalon", "placeholder_domain": "kunden.anderer.example"}
    branch = {"id": "mitte", "name": "Geheimsalon", "phone_numbers": ["+494033081740"]}
    staff = {"id": "fabian", "name": "Zora Verborgen", "branch": "mitte", "calcom_user": 90}
    service = {"id": "herrenhaarschnitt", "name": "Flechtfrisur", "minutes": 30, "event_types": {"fabian": 900001}}
    return json.dumps(
        document
        | changed
        | {"agents": ["agent_anderer"], "branches": [branch], "staff": [staff], "services": [service]}
    )


def opened(**how: Any) -> Doors:
    return Doors(webhook_secrets=how.pop("secrets", SECRETS), **how)


@pytest.fixture
def doors() -> Iterator[Doors]:
    with opened(documents=[EXAMPLE.read_text(encoding="utf-8"), rival_document()]) as made:
        yield made


def rows(doors: Doors) -> list[dict[str, Any]]:
    """What is in the inbox, of whichever tenant."""
    return [each for each in everything(doors) if "#WH#" in each["pk"]["S"]]


def everything(doors: Doors) -> list[dict[str, Any]]:
    """The whole table, all pages of it."""
    request: dict[str, Any] = {"TableName": doors.salon.table_name}
    found: list[dict[str, Any]] = []
    while True:
        page = doors.salon.client.scan(**request)
        found += page["Items"]
        if "LastEvaluatedKey" not in page:
            return found
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def jobs(doors: Doors) -> list[Job]:
    return [job for job, _ in doors.salon.queue.jobs]


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


# Taking one in


@pytest.mark.parametrize("file", EXAMPLES, ids=[each.stem for each in EXAMPLES])
def test_every_trigger_of_both_versions_is_stored_queued_and_acknowledged(doors: Doors, file: Path) -> None:
    body = file.read_bytes()
    answer = doors.webhook(body, version=file.stem.partition(".")[2])
    assert (answer.status, answer.json) == (200, {"status": "ok", "received": "stored"})
    (row,) = rows(doors)
    assert row["pk"]["S"] == f"T#friseur1#WH#{digest(body)}"
    assert row["body"]["S"].encode() == body
    assert jobs(doors) == [Job("event", "friseur1", digest(body))]


@pytest.mark.parametrize("trigger", ["SOMETHING_NEW", "BOOKING_SOMETHING_NEW", "x"])
def test_a_trigger_that_nobody_knows_is_acknowledged_all_the_same(doors: Doors, trigger: str) -> None:
    """A refusal would make Cal.com send it again, or (410) end the webhook."""
    assert doors.webhook({"triggerEvent": trigger, "createdAt": "x", "payload": {}}).status == 200
    assert len(rows(doors)) == len(jobs(doors)) == 1


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"\xff\xfe\x00", b"triggerEvent=PING", "Färben 👩‍🦰".encode()])
def test_a_signed_body_of_any_form_is_stored(doors: Doors, body: bytes) -> None:
    """A payload template can make anything of it; what it means is the worker's to find out."""
    assert doors.webhook(body).status == 200
    (row,) = rows(doors)
    assert row["body"]["S"] == body.decode("utf-8", "replace")


def test_the_gateway_may_hand_the_body_on_in_base64(doors: Doors) -> None:
    """The signature is over what was sent, not over how the gateway wraps it."""
    assert doors.webhook(CREATED, base64=True).json["received"] == "stored"
    assert doors.webhook(CREATED).json["received"] == "repeated"
    (row,) = rows(doors)
    assert row["body"]["S"].encode() == CREATED


def test_a_body_that_is_said_to_be_base64_and_is_not_is_refused(doors: Doors) -> None:
    event = http_event(CREATED, {"X-Cal-Signature-256": webhook_signature(CREATED, WEBHOOK_SECRET)})
    for body in (CREATED.decode(), "äöü", "QUJ", "="):
        sent = event | {"isBase64Encoded": True, "body": body, "pathParameters": {"tenant": "friseur1"}}
        assert doors.raw("calcom_webhooks", sent).status == 400
    assert doors.raw("calcom_webhooks", event | {"body": {"a": 1}}).status == 400
    assert rows(doors) == []


def test_the_header_may_be_written_in_any_case(doors: Doors) -> None:
    event = http_event(CREATED) | {"pathParameters": {"tenant": "friseur1"}}
    event["headers"]["X-CAL-Signature-256"] = webhook_signature(CREATED, WEBHOOK_SECRET)
    assert doors.raw("calcom_webhooks", event).status == 200


def test_a_row_expires_and_is_found_by_the_sweeper_until_it_is_done(doors: Doors) -> None:
    doors.webhook(CREATED)
    (row,) = rows(doors)
    now = int(doors.salon.clock.now().timestamp())
    assert int(row["ttl"]["N"]) == now + 30 * 86_400
    assert int(row["due"]["N"]) == now + 5 * 60
    assert row["due_shard"]["S"].startswith("DUE#")


def test_a_body_may_be_128_kilobytes_and_not_a_byte_more(doors: Doors) -> None:
    whole = CREATED + b" " * (LIMIT - len(CREATED))
    assert doors.webhook(whole).status == 200
    before = doors.state()
    for body in (whole + b" ", b" " * (10 * 1024 * 1024)):
        for wrapped in (False, True):
            assert doors.webhook(body, base64=wrapped).status == 413
    assert doors.state() == before


def test_the_largest_body_of_the_worst_bytes_still_fits_into_a_row(doors: Doors) -> None:
    """A byte that is no text becomes three in the table, whose items end at 400 KB: a 5xx, if it did not fit."""
    assert doors.webhook(b"\xff" * LIMIT).status == 200
    assert len(rows(doors)) == 1


# Doubles, and what is away


def test_a_delivery_that_comes_again_is_acknowledged_and_is_one_row_and_one_job(doors: Doors) -> None:
    first = doors.webhook(CREATED)
    before = doors.state()
    for _ in range(5):
        doors.salon.clock.advance(7)
        assert doors.webhook(CREATED).json == {"status": "ok", "received": "repeated"}
    assert first.json["received"] == "stored"
    assert doors.state() == before
    assert len(rows(doors)) == len(jobs(doors)) == 1


def test_one_delivery_that_comes_again_after_it_was_done_is_not_done_again(doors: Doors) -> None:
    doors.webhook(CREATED)
    doors.work(*jobs(doors))
    assert doors.webhook(CREATED).json["received"] == "repeated"
    assert len(jobs(doors)) == 2  # the first one, and its second look: the booking was not there


def test_equal_bytes_for_two_salons_are_two_deliveries(doors: Doors) -> None:
    assert doors.webhook(CREATED).json["received"] == "stored"
    assert doors.webhook(CREATED, tenant="anderer", secret=RIVAL_SECRET).json["received"] == "stored"
    assert jobs(doors) == [Job("event", tenant, digest(CREATED)) for tenant in ("friseur1", "anderer")]


@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.THROTTLE, Fault.LOST_ANSWER])
def test_while_the_store_is_away_cal_com_is_asked_to_send_it_again(doors: Doors, fault: Fault) -> None:
    """503 is tried again; 410 would end the webhook, and a 2xx would lose the event."""
    doors.salon.client.faults.next("transact_write_items", fault, times=50)
    answer = doors.webhook(CREATED)
    assert (answer.status, answer.json["status"]) == (503, "temporary_error")
    assert jobs(doors) == []
    doors.salon.client.faults.clear()
    assert doors.webhook(CREATED).status == 200
    assert len(rows(doors)) == 1


def test_a_row_whose_answer_was_lost_is_found_by_the_sweeper(doors: Doors) -> None:
    """It is stored but nobody knew, so it was never queued; what is sent again is only a repeat of it."""
    doors.salon.client.faults.next("transact_write_items", Fault.LOST_ANSWER, times=50)
    assert doors.webhook(CREATED).status == 503
    doors.salon.client.faults.clear()
    assert doors.webhook(CREATED).json["received"] == "repeated"
    assert jobs(doors) == []
    doors.salon.clock.advance(5 * 60)
    assert doors.sweep() == {"requeued": 1}
    assert jobs(doors) == [Job("event", "friseur1", digest(CREATED))]


def test_while_the_queue_is_away_the_event_is_kept_and_the_sweeper_queues_it(doors: Doors) -> None:
    doors.salon.queue.broken = True
    assert doors.webhook(CREATED).json == {"status": "ok", "received": "stored"}
    assert len(rows(doors)) == 1
    doors.salon.clock.advance(5 * 60)
    assert doors.sweep() == {"queue_unavailable": 1}
    doors.salon.queue.broken = False
    assert doors.sweep() == {}, "it has its next chance in five minutes"
    doors.salon.clock.advance(5 * 60)
    assert doors.sweep() == {"requeued": 1}
    assert jobs(doors) == [Job("event", "friseur1", digest(CREATED))]


@pytest.mark.parametrize("busy", ["store", "secrets"])
def test_trouble_of_ours_is_never_answered_with_what_ends_the_webhook(doors: Doors, busy: str) -> None:
    if busy == "store":
        doors.salon.client.faults.next("*", Fault.NOT_SENT, times=50)
    else:
        doors.vault.failures = [AWAY]
    assert doors.webhook(CREATED).status == 503


# Secrets


@pytest.mark.parametrize(
    "failure", [AWAY, ClientError({"Error": {"Code": "AccessDeniedException", "Message": "x"}}, "GetSecretValue")]
)
def test_while_nobody_can_know_who_signed_cal_com_is_asked_to_send_it_again(doors: Doors, failure: Exception) -> None:
    doors.vault.failures = [failure]
    answer = doors.webhook(CREATED)
    assert (answer.status, rows(doors), jobs(doors)) == (503, [], [])
    (line,) = doors.heard.lines
    assert (line["level"], line["reason"]) == ("ERROR", type(failure).__name__)
    assert doors.webhook(CREATED).status == 200


@pytest.mark.parametrize("held", ["", "null", "[]", "5", "{", '"whsec-friseur1-0123456789"'])
def test_a_secret_of_another_form_lets_nobody_in(held: Any) -> None:
    with opened(secrets={}) as doors:
        doors.vault.secrets[WEBHOOKS_ARN] = held
        for secret in ("", "friseur1", WEBHOOK_SECRET):
            assert doors.webhook(CREATED, secret=secret).status == 503
        assert rows(doors) == []


@pytest.mark.parametrize(
    "held", [{}, {"friseur1": []}, {"friseur1": [""]}, {"friseur1": ["", "short"]}, {"friseur1": WEBHOOK_SECRET}]
)
def test_empty_secrets_let_nobody_in(held: Any) -> None:
    with opened(secrets=held) as doors:
        for signed in ("no-secret-provided", "", *(webhook_signature(CREATED, s) for s in ("", "short"))):
            assert doors.webhook(CREATED, signed=signed).status == 401
        assert doors.webhook(CREATED, secret="").status == 401
        assert rows(doors) == []
        assert doors.heard.counted("WebhookRejected") == 5


def test_one_salons_unusable_secret_is_in_no_others_way() -> None:
    with opened(secrets={"friseur1": "wrong", "anderer": [RIVAL_SECRET]}) as doors:
        assert doors.webhook(CREATED, tenant="anderer", secret=RIVAL_SECRET).status == 200
        assert doors.webhook(CREATED).status == doors.webhook(CREATED, secret="wrong").status == 401


def test_during_a_rotation_both_secrets_are_good(doors: Doors) -> None:
    doors.vault.secrets[WEBHOOKS_ARN] = {"friseur1": ["whsec-the-new-one-1", WEBHOOK_SECRET]}
    assert doors.webhook(CREATED).status == 200
    assert doors.webhook(CREATED + b" ", secret="whsec-the-new-one-1").status == 200
    assert len(rows(doors)) == 2


def test_a_new_secret_is_good_at_once_and_the_old_one_no_longer(doors: Doors) -> None:
    doors.webhook(CREATED)
    doors.salon.clock.advance(90)
    doors.vault.secrets[WEBHOOKS_ARN] = {"friseur1": ["whsec-the-new-one-1"]}
    assert doors.webhook(CREATED + b" ", secret="whsec-the-new-one-1").status == 200
    assert doors.vault.reads == 2
    assert doors.webhook(CREATED + b"  ").status == 401
    assert len(rows(doors)) == 2


def test_a_storm_of_forgeries_is_no_storm_on_the_secrets(doors: Doors) -> None:
    """At most one look a minute, whoever knocks, with whatever header and for whichever salon."""
    doors.webhook(CREATED)
    for number in range(600):
        doors.webhook(CREATED, tenant=f"salon{number % 50}", signed=f"{number:064x}")
        doors.salon.clock.advance(1)
    assert doors.vault.reads <= 1 + 600 // 60
    reads = doors.vault.reads
    for signed in ("", "no-secret-provided", "x" * 64):
        assert doors.webhook(CREATED, signed=signed).status == 401
    assert doors.vault.reads <= reads + 1


def test_a_knock_without_a_signature_asks_nobody_for_secrets(doors: Doors) -> None:
    assert doors.webhook(CREATED, signed="").status == 401
    assert doors.vault.reads == 0


# Whose it is


def test_another_salons_secret_opens_no_door(doors: Doors) -> None:
    before = doors.state()
    assert doors.webhook(CREATED, secret=RIVAL_SECRET).status == 401
    assert doors.webhook(CREATED, tenant="anderer").status == 401
    assert doors.state() == before
    assert doors.heard.counted("WebhookRejected") == 2


PATHS = ["", "nobody", "FRISEUR1", "friseur1 ", "friseur1\n", "friseur1/", "../friseur1", "friseur1%2f", "friseur1#WH"]
PATHS += ["T#friseur1", "frіseur1", "friseur1\u0000", "x" * 41, "-friseur1", "{tenant}", "*", "__class__", "keys"]


@pytest.mark.parametrize("tenant", PATHS)
def test_a_path_that_names_no_salon_is_refused(doors: Doors, tenant: str) -> None:
    for secret in (WEBHOOK_SECRET, RIVAL_SECRET, ""):
        assert doors.webhook(CREATED, tenant=tenant, secret=secret).status == 401
    assert rows(doors) == []


def test_a_name_that_would_mean_something_in_a_key_is_no_salon_even_if_it_has_a_secret() -> None:
    names = ["friseur1#WH", "T#friseur1", "Friseur1", "", "friseur1\n", "x" * 41]
    with opened(secrets={name: [WEBHOOK_SECRET] for name in names}) as doors:
        assert {doors.webhook(CREATED, tenant=name).status for name in names} == {401}
        assert rows(doors) == []


@pytest.mark.parametrize("parameters", [None, {}, {"tenant": None}, {"tenant": ["friseur1"]}, {"other": "friseur1"}])
def test_an_event_without_the_path_is_refused(doors: Doors, parameters: Any) -> None:
    event = http_event(CREATED, {"X-Cal-Signature-256": webhook_signature(CREATED, WEBHOOK_SECRET)})
    assert doors.raw("calcom_webhooks", event | {"pathParameters": parameters}).status == 401
    assert doors.raw("calcom_webhooks", event).status == 401


# What is logged


CANARIES = {"name": "Kanaria Vogelsang", "mail": "kanaria@vogelsang.example", "one-time": "otp-4711-kanari"}


def test_nothing_of_a_body_is_logged_on_any_way_through() -> None:
    """Stored, repeated, refused, too large, store away, queue away, worked on, swept: ids and states only."""
    payload = {"uid": "abc", "title": CANARIES["name"], "oneTimePassword": CANARIES["one-time"]}
    content = {"triggerEvent": "BOOKING_REQUESTED", "payload": payload | {"attendees": [{"email": CANARIES["mail"]}]}}
    body = json.dumps(content, ensure_ascii=False).encode()
    with opened() as doors:
        client = doors.salon.client
        for fault in (Fault.NOT_SENT, Fault.LOST_ANSWER):
            client.faults.next("transact_write_items", fault, times=50)
            doors.webhook(body + b" " * len(fault.value))
            client.faults.clear()
        doors.salon.queue.broken = True
        doors.webhook(body)
        doors.salon.queue.broken = False
        doors.webhook(body)
        doors.webhook(body, signed="0" * 64)
        doors.webhook(body + b" " * LIMIT)
        doors.webhook(body[:-3])
        doors.webhook({"triggerEvent": CANARIES["name"], "payload": {"uid": CANARIES["mail"]}})
        doors.vault.failures = [AWAY]
        doors.salon.clock.advance(400)
        doors.webhook(body + b"\n")
        doors.sweep()
        client.faults.next("get_item", Fault.NOT_SENT, times=1)
        for job in jobs(doors):
            doors.work(job)
            doors.work(job)
        said = doors.heard.text.lower()
    assert len(said) > 2000, "something was said"
    for canary in CANARIES.values():
        assert canary.lower() not in said
        assert canary.encode().hex() not in said
        assert base64.b64encode(canary.encode()).decode().lower().rstrip("=")[:-1] not in said


def test_a_line_names_the_salon_and_what_became_of_it(doors: Doors) -> None:
    doors.webhook(CREATED)
    doors.webhook(CREATED)
    first, second = doors.heard.lines
    assert (first["message"], first["tenant"], first["received"]) == ("event received", "friseur1", "stored")
    assert second["received"] == "repeated"


# Ten thousand hostile requests


@dataclass(frozen=True)
class Attack:
    """One request; the event may be tampered with after it was signed."""

    kind: str
    body: bytes
    signed: str
    tenant: str = "friseur1"
    base64: bool = False
    tamper: Callable[[dict[str, Any]], None] | None = None


class Attacker:
    """Knows the contract, real events with their signatures and another salon's secret."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.events = [each.read_bytes() for each in EXAMPLES]

    def unsigned(self) -> Attack:
        """It has seen deliveries, and does not know the secret."""
        rng = self.rng
        body = rng.choice(self.events)
        good = webhook_signature(body, WEBHOOK_SECRET)
        honest = Attack("", body, good)
        match rng.randrange(15):
            case 0:
                return replace(honest, kind="forged", signed=f"{rng.getrandbits(256):064x}")
            case 1:
                secret = rng.choice(["", "no-secret-provided", RIVAL_SECRET, WEBHOOK_SECRET[:-1], WEBHOOK_SECRET + "0"])
                return replace(honest, kind="another secret", signed=webhook_signature(body, secret))
            case 2:
                other = rng.choice([each for each in self.events if each != body])
                return replace(
                    honest, kind="signature of another event", signed=webhook_signature(other, WEBHOOK_SECRET)
                )
            case 3:
                place = rng.randrange(64)
                flipped = chr(ord(good[place]) ^ 1 << rng.randrange(7))
                return replace(
                    honest, kind="bit of the header flipped", signed=good[:place] + flipped + good[place + 1 :]
                )
            case 4:
                changed = bytearray(body)
                changed[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
                return replace(honest, kind="bit of the body flipped", body=bytes(changed), base64=True)
            case 5:
                return replace(honest, kind="truncated", body=body[: rng.randrange(len(body))])
            case 6:
                return replace(honest, kind="re-serialised", body=json.dumps(json.loads(body)).encode())
            case 7:
                encoding = rng.choice(["utf-16", "utf-32", "utf-8-sig", "cp037"])
                return replace(honest, kind="another encoding", body=body.decode().encode(encoding))
            case 8:
                odd = rng.choice(
                    ["", "no-secret-provided", good.upper(), f"sha256={good}", f"{good},{good}", good[:63]]
                )
                odd = rng.choice([odd, f" {good}", f"{good}\n", "\u0661" * 64, "0" * 100_000, "Bearer x", "null"])
                return replace(honest, kind="odd header", signed=odd)
            case 9:
                return replace(honest, kind="path games", tenant=rng.choice([*PATHS, "anderer"]))
            case 10:
                return replace(
                    honest, kind="says it is base64", tamper=lambda event: event.update(isBase64Encoded=True)
                )
            case 11:
                depth = rng.choice([100, 5000, 60_000])
                nested = b'{"triggerEvent":"BOOKING_CREATED","payload":' + b"[" * depth + b"]" * depth + b"}"
                return replace(honest, kind="deep nesting", body=nested)
            case 12:
                return replace(honest, kind="too large", body=body + b" " * LIMIT)
            case 13:
                old = webhook_signature(body, "whsec-the-retired-one")
                return replace(honest, kind="signed with a retired secret", signed=old)
            case _:
                return replace(honest, kind="no body", body=b"", tamper=lambda event: event.pop("body", None))

    def signed(self) -> Attack:
        """It has the secret: whatever it sends, no more than a row may come of it."""
        rng = self.rng
        body = self._mangled()
        return Attack("", body, webhook_signature(body, WEBHOOK_SECRET), base64=rng.random() < 0.3)

    def _mangled(self) -> bytes:
        rng = self.rng
        content: dict[str, Any] = json.loads(rng.choice(self.events))
        payload = content.get("payload")
        odd = [None, True, 0, -1, 10**18, 1e308, float("nan"), [], [[[]]], {}, {"$ne": None}, "", "..", "a/b", "T#x#G"]
        odd += ["\u0000", "\ud800", "\u202e", "x" * 5000, "'; DROP TABLE", "{{uid}}", "9999-12-31T23:59:59Z"]
        match rng.randrange(9):
            case 0:
                content.pop("triggerEvent")
            case 1:
                content["triggerEvent"] = rng.choice(odd)
            case 2 if isinstance(payload, dict):
                content["payload"] = {key: value for key, value in payload.items() if key not in {"uid", "bookingUid"}}
            case 3:
                content["payload"] = rng.choice([each for each in odd if each not in (None, {})])
            case 4 if isinstance(payload, dict):
                for key in ("uid", "bookingUid"):
                    payload[key] = rng.choice(odd)
                payload["pad"] = rng.random()
            case 5:
                depth = rng.choice([200, 1000, 9000])
                return b'{"n":' + str(rng.random()).encode() + b',"payload":' + b'{"a":' * depth + b"1" + b"}" * depth
            case 6:
                return rng.randbytes(rng.randrange(0, 3000))
            case 7:
                return json.dumps(content).encode()[: rng.randrange(1, 60)] + str(rng.random()).encode()
            case _:
                whole = json.dumps(content | {"n": rng.random()}).encode()
                return whole.replace(b'"triggerEvent": "', b'"triggerEvent": "' + "ü".encode()).replace(b"{", b"{{", 1)
        return json.dumps(content | {"n": rng.random()}).encode()


def launch(doors: Doors, attack: Attack) -> Answer:
    headers = {"X-Cal-Signature-256": attack.signed} if attack.signed else {}
    event = http_event(attack.body, headers, base64=attack.base64) | {"pathParameters": {"tenant": attack.tenant}}
    if attack.tamper is not None:
        attack.tamper(event)
    answer = doors.raw("calcom_webhooks", event)
    content = answer.json
    assert answer.status in {200, 400, 401, 413}, (attack.kind, answer.status)
    if answer.status != 200:
        assert set(content) == {"status", "message"}
        assert len(content["message"]) < 200
    return answer


def busy_salon() -> Salon:
    salon = Salon()
    for day in ("2025-10-26", "2025-10-27", "2025-10-28"):
        salon.open(day)
    return salon


def test_seven_thousand_without_a_valid_signature_change_nothing() -> None:
    attacker, counts = Attacker(SEED), Counter[tuple[str, int]]()
    documents = [EXAMPLE.read_text(encoding="utf-8"), rival_document()]
    with opened(salon=busy_salon(), documents=documents) as doors:
        wish = {"service": "Herrenhaarschnitt", "date": "2025-10-27", "time": "10:00", "name": "Hans Schuster"}
        assert doors.function("book_appointment", wish).json["status"] == "booked"
        doors.webhook(CREATED)
        before, queued = doors.state(), jobs(doors)
        for number in range(REQUESTS * 7 // 10):
            attack = attacker.unsigned()
            answer = launch(doors, attack)
            counts[attack.kind, answer.status] += 1
            wanted = {"too large": 413, "says it is base64": 400}.get(attack.kind, 401)
            assert answer.status == wanted, (number, attack)
            if number % 50 == 0:
                doors.salon.clock.advance(1)
                doors.heard.clear()
            if number % 1000 == 0:
                assert doors.state() == before, (number, attack.kind)
        assert doors.state() == before
        assert jobs(doors) == queued
    print(f"\nunsigned: {sum(counts.values())} requests, seed {SEED}")
    for (kind, status), times in sorted(counts.items()):
        print(f"  {kind:28} {status} x {times}")
    assert len({kind for kind, _ in counts}) == 15


def test_three_thousand_mangled_and_well_signed_are_a_row_each_and_end_ignored() -> None:
    """Not one 5xx at the door, not one exception in the worker; the calendar is asked about none of them."""
    attacker, ends, bodies = Attacker(SEED + 1), Counter[str](), set()
    with opened(salon=busy_salon()) as doors:
        others = beyond_the_inbox(doors)
        asked = len(doors.salon.calendar.asked)
        for number in range(REQUESTS * 3 // 10):
            attack = attacker.signed()
            answer = launch(doors, attack)
            assert (answer.status, answer.json["status"]) == (200, "ok"), attack
            bodies.add(digest(attack.body))
            if number % 100 == 0:
                doors.heard.clear()
        queued = jobs(doors)
        assert len(queued) == len(bodies)
        for first in range(0, len(queued), 5):
            doors.heard.clear()
            assert doors.work(*queued[first : first + 5], context=LambdaContext(10**6)) == []
        ends.update(row["outcome"]["S"] for row in rows(doors))
        assert ends == {"ignored": len(bodies)}, "a row each"
        assert beyond_the_inbox(doors) == others
        assert len(doors.salon.calendar.asked) == asked
        assert doors.salon.alerts.raised == []
        assert len(jobs(doors)) == len(bodies)
    print(f"\nmangled and signed: {len(bodies)} different ones, {dict(ends)}, seed {SEED + 1}")


def beyond_the_inbox(doors: Doors) -> str:
    """Everything but the inbox, to be compared."""
    others = [each for each in everything(doors) if "#WH#" not in each["pk"]["S"]]
    table = sorted(json.dumps(each, sort_keys=True, default=str) for each in others)
    return json.dumps([table, repr(doors.salon.calendar.bookings)])


def test_every_known_trigger_is_counted_when_it_is_worked_on(doors: Doors) -> None:
    """Acknowledged is not forgotten: an operator sees which events come, and how many nobody knows."""
    for number, file in enumerate(EXAMPLES):
        doors.webhook(file.read_bytes() + b" " * number)
    doors.webhook({"triggerEvent": "SOMETHING_NEW", "payload": {}})
    doors.webhook({"triggerEvent": "BOOKING_SOMETHING_NEW", "payload": {"uid": "abc"}})
    doors.webhook(b"no event")
    for job in jobs(doors):
        assert doors.work(job) == []
    counted = Counter(each["trigger"] for each in doors.heard.metrics if "WebhookEvent" in each)
    assert set(counted) == TRIGGERS | {"other", "unreadable"}
    assert (counted["PING"], counted["other"], counted["unreadable"]) == (2, 2, 1)
    assert sum(counted.values()) == len(EXAMPLES) + 3


def test_the_door_is_loaded_by_its_name() -> None:
    """The limit that the tests hold it to is the door's own."""
    assert door("calcom_webhooks").MAX_BODY == LIMIT
