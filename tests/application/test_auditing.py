"""The audit log made of the table's stream: once each, in whatever way it is told, and whatever breaks meanwhile."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys as table_keys
from bookend.adapters.dynamodb.stream import read_record
from bookend.application.auditing import AuditKeys, Recorded, record, verify_one
from bookend.application.change_outcomes import Confirm
from bookend.application.ports import StoreUnavailable
from bookend.domain.appointment import ChangeKind
from bookend.domain.audit_chain import AuditKind, Flaw
from bookend.domain.health import tallied
from tests.application.changes import ask, book, only, salon_with_one, yes
from tests.support.salon import Salon
from tests.support.seeded import CANARIES, SeededWorld
from tests.support.stream import AUDIT, Audited, Record
from tests.support.tables.faults import Crash, Fault

TUESDAY = "2025-10-28"
PEOPLE = ("Schuster", "Hans", "1701234567", "kunde-")


def lived() -> tuple[Salon, Audited]:
    """Hans books, moves to eleven, and cancels; Erika books."""
    salon = Salon()
    audited = Audited(salon)
    salon_with_one(salon)
    for number, kind in enumerate((ChangeKind.MOVE, ChangeKind.CANCEL), 1):
        salon.clock.advance(3600)
        phone = salon.call(f"call_{number}")
        asked = ask(phone, kind)
        assert isinstance(asked, Confirm)
        yes(phone, kind, asked.token)
    book(salon, TUESDAY, "14:00", call="call_9", name="Erika Muster", caller="+491709999999")
    return salon, audited


def told(audited: Audited) -> list[Record]:
    """What the log is made of, of the whole stream."""
    return [each for each in audited.stream.records if read_record(each, audited.keys.newest.mark) is not None]


def changes(audited: Audited) -> Counter[str]:
    """How often each appointment was changed."""
    return Counter(
        each["dynamodb"]["Keys"]["pk"]["S"].rpartition("#")[2]
        for each in told(audited)
        if each["dynamodb"]["Keys"]["sk"]["S"] == "A"
    )


def untouched(audited: Audited) -> str:
    return json.dumps(sorted(audited.rows(), key=lambda row: (row["pk"]["S"], row["sk"]["S"])), sort_keys=True)


def test_every_change_has_an_entry_and_the_chains_hold() -> None:
    _, audited = lived()
    audited.catch_up()
    found = audited.verified()
    assert (found.findings, found.chains, found.entries) == ([], 2, sum(changes(audited).values()))
    for name, times in changes(audited).items():
        assert [each.version for each in audited.entries(name)] == [*range(1, times + 1)]


def test_an_entry_says_who_when_what_and_from_which_call() -> None:
    _, audited = lived()
    audited.catch_up()
    hans = min(changes(audited), key=lambda name: audited.entries(name)[0].at)
    entries = audited.entries(hans)
    assert [each.kind for each in entries] == ["created", *["changed"] * (len(entries) - 1)]
    assert (entries[0].by, entries[0].call, entries[-1].call) == ("", "call_0", "call_0")
    assert [json.loads(each.after).get("state") for each in entries if "state" in json.loads(each.after)] == [
        *("PENDING", "CONFIRMED", "MOVING", "CONFIRMED", "CANCELLING", "CANCELLED")
    ]
    moving = next(each for each in entries if json.loads(each.after).get("state") == "MOVING")
    assert moving.call == "call_1"
    before, after = json.loads(moving.before), json.loads(moving.after)
    assert before["state"] == "CONFIRMED"
    assert after["change"]["segments"][0]["start"] == "2025-10-28T10:00:00.000000Z"


def test_who_wrote_an_appointment_is_in_it_and_nobody_is_named_for_anothers_write() -> None:
    salon = Salon()
    audited = Audited(salon)
    salon.appointments = type(salon.appointments)(salon.table.acting("caller"))
    salon_with_one(salon)
    asked = ask(salon.call(), ChangeKind.CANCEL)  # the salon's `changes` say nobody
    assert isinstance(asked, Confirm)
    yes(salon.call(), ChangeKind.CANCEL, asked.token)
    audited.catch_up()
    by = [each.by for each in audited.entries(only(salon).id)]
    assert by[:2] == ["caller", "caller"]
    assert {*by[2:]} == {""}


def test_nobodys_data_are_in_the_log() -> None:
    salon, audited = lived()
    audited.catch_up()
    text = untouched(audited)
    assert [each for each in PEOPLE if each in text] == []
    assert only_ids(salon) <= {*text.split('"'), *text.split('\\"')}


def only_ids(salon: Salon) -> set[str]:
    return {item["customer"]["M"]["id"]["S"] for item in salon.items("APPT#")}


def test_a_customers_changed_address_is_seen_to_have_changed_and_not_what_it_is() -> None:
    salon, audited = lived()
    name = next(iter(changes(audited)))
    key = table_keys.appointment(audited.tenant, name)
    salon.client.update_item(
        TableName=salon.table_name,
        Key=key,
        UpdateExpression="SET #c.#e = :e, #v = #v + :one, #x = :secret",
        ExpressionAttributeNames={"#c": "customer", "#e": "email", "#v": "ver", "#x": "unheard_of"},
        ExpressionAttributeValues={":e": {"S": "kanari@vogel.example"}, ":one": {"N": "1"}, ":secret": {"S": "Kanari"}},
    )
    audited.catch_up()
    last = audited.entries(name)[-1]
    before, after = json.loads(last.before), json.loads(last.after)
    assert before["customer"]["email"] != after["customer"]["email"]
    assert before["customer"]["name"] == after["customer"]["name"]
    assert after["unheard_of"].startswith("~")
    assert "anari" not in last.before + last.after


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_told_twice_late_or_in_parts_is_logged_and_counted_once(seed: int) -> None:
    """Batches end anywhere and begin anew further back; of each item the order stays, as the stream promises."""
    dice = random.Random(seed)
    _, audited = lived()
    records = told(audited)
    items: dict[str, list[Record]] = {}
    for each in records:
        items.setdefault(each["dynamodb"]["Keys"]["pk"]["S"], []).append(each)
    done = dict.fromkeys(items, 0)
    while any(done[name] < len(items[name]) for name in items):
        name = dice.choice([*items])
        again = max(0, done[name] - dice.randint(0, 4))
        until = min(len(items[name]), done[name] + dice.randint(0, 3))
        audited.deliver(*copy.deepcopy(items[name][again:until]))
        done[name] = max(done[name], until)
    audited.deliver(*records)
    assert audited.verified().findings == []
    assert len(audited.rows()) == len(records)
    assert audited.counted() == expected_counts(audited, records)
    assert audited.counted()["confirmed"] == 2


def expected_counts(audited: Audited, records: list[Record]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in records:
        happened = read_record(each, audited.keys.newest.mark)
        assert happened is not None
        total.update(tallied(*happened.of))
    return dict(total)


def test_counters_are_no_matter_of_the_log() -> None:
    _, audited = lived()
    audited.catch_up()
    assert audited.counted()
    assert {*audited.catch_up()} == {None}  # what the log itself has written


def test_a_consumer_that_dies_anywhere_is_gone_on_from() -> None:
    _, whole = lived()
    whole.catch_up()
    boundary = 0
    while True:
        boundary += 1
        _, audited = lived()
        audited.client.faults.crash_at(boundary)
        try:
            audited.catch_up()
        except Crash:
            audited.client.faults.clear()
            audited.deliver(*audited.stream.records[: audited._next])
        else:
            break
        finally:
            audited.client.faults.clear()
        assert untouched(audited) == untouched(whole), boundary
        assert audited.counted() == whole.counted(), boundary
    assert boundary > 20


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.NOT_SENT, Fault.CONFLICT, Fault.THROTTLE])
@pytest.mark.parametrize("skip", range(6))
def test_a_write_that_fails_or_is_lost_is_told_again(fault: Fault, skip: int) -> None:
    _, whole = lived()
    whole.catch_up()
    _, audited = lived()
    audited.client.faults.next("transact_write_items", fault, times=1, skip=skip)
    for _ in range(3):
        try:
            audited.deliver(*audited.stream.records)
        except StoreUnavailable:
            continue
        break
    assert untouched(audited) == untouched(whole)
    assert audited.counted() == whole.counted()


def test_two_writers_at_one_chain_both_find_their_place() -> None:
    """Repairs come by another shard than the appointment: somebody else may be first at any place."""
    world, audited = repaired()
    records = told(audited)
    repairs = [each for each in records if read(audited, each).kind is AuditKind.REPAIRED]
    assert repairs
    others = iter([each for each in records if each not in repairs])

    class Late:
        """Before every entry of a repair, another of the same log is written."""

        def __getattr__(self, name: str) -> Any:
            return getattr(audited.trail, name)

        def append(self, *args: Any, **how: Any) -> bool:
            audited.deliver(*[each for each in [next(others, None)] if each is not None])
            return audited.trail.append(*args, **how)

    for each in repairs:
        assert record(read(audited, each), trail=Late(), keys=audited.keys) is Recorded.NEW  # type: ignore[arg-type]
    audited.deliver(*others)
    assert audited.verified(begun=begun(world)).findings == []
    assert len(audited.rows()) == len(records)


def read(audited: Audited, told_record: Record) -> Any:
    return read_record(told_record, audited.keys.newest.mark)


def repaired() -> tuple[SeededWorld, Audited]:
    """A salon of before the log, with every difference that there is, and a night's run on it."""
    world = SeededWorld.grown(12)
    audited = Audited(world.salon)
    for name in SEEDS:
        world.seed(name)
    for _ in range(2):  # what the limit has left
        world.once(world.full())
    return world, audited


SEEDS = ("ghost, cancelled there", "start, in place", "start, moved", "host", "foreign", "unsettled")


def begun(world: SeededWorld) -> str:
    return world.clock.now().isoformat()


def test_repairs_are_in_the_chain_of_their_appointment_with_who_and_why() -> None:
    world, audited = repaired()
    audited.catch_up()
    repairs = [row for row in audited.rows() if row["kind"]["S"] == "repaired"]
    told_of = {json.loads(row["after"]["S"])["repair"]: json.loads(row["after"]["S"]) for row in repairs}
    assert {"follow", "end", "adopt"} <= told_of.keys()
    assert told_of["follow"]["after"]["state"] == "CONFIRMED"
    assert {row["by"]["S"] for row in repairs} == {"reconciliation"}
    assert audited.verified(begun=begun(world)).findings == []
    assert [each for each in CANARIES if each in untouched(audited)] == []


def test_what_is_older_than_the_log_needs_no_entry_and_else_it_does() -> None:
    world, audited = repaired()
    audited.catch_up()
    assert audited.verified(begun=begun(world)).findings == []
    assert {each.flaw for each in audited.verified().findings} == {Flaw.CUT_OFF}


def test_a_repair_of_before_the_log_needs_no_entry() -> None:
    world = SeededWorld.grown(3)
    world.seed("start, in place")
    world.once(world.full())
    world.clock.advance(60)
    audited = Audited(world.salon)
    assert audited.verified(begun=begun(world)).findings == []
    assert any("repair" in each.detail for each in audited.verified().findings)


def test_a_repair_whose_entry_is_gone_is_missed() -> None:
    world, audited = repaired()
    audited.catch_up()
    (row, *_) = [row for row in audited.rows() if row["kind"]["S"] == "repaired"]
    last = max(r["sk"]["S"] for r in audited.rows() if r["pk"] == row["pk"])
    audited.client.delete_item(TableName=AUDIT, Key={"pk": row["pk"], "sk": row["sk"]})
    flaw = Flaw.CUT_OFF if row["sk"]["S"] == last else Flaw.MISSING
    assert flaw in {each.flaw for each in audited.verified(begun=begun(world)).findings}


@pytest.mark.parametrize("attribute", ["by", "after", "version", "hash", "prev", "about", "key", "seq"])
def test_a_row_that_somebody_changed_in_the_table_is_found(attribute: str) -> None:
    _, audited = lived()
    audited.catch_up()
    row = random.Random(attribute).choice(audited.rows())
    (kind,) = row[attribute]
    changed = row | {attribute: {kind: "7" if kind == "N" else row[attribute][kind] + "x"}}
    audited.client.put_item(TableName=AUDIT, Item=changed)
    found = audited.verified().findings
    assert [each.place for each in found if each.place == row["sk"]["S"]] != []


@pytest.mark.parametrize("harm", [{"extra": {"S": "x"}}, {"by": {"N": "1"}}, {"seq": {"S": "1"}}])
def test_a_row_of_another_form_is_found_and_ends_no_chain(harm: dict[str, Any]) -> None:
    salon, audited = lived()
    audited.catch_up()
    name = max(changes(audited), key=lambda each: changes(audited)[each])
    last = max((r for r in audited.rows() if r["pk"]["S"].endswith(name)), key=lambda r: r["sk"]["S"])
    audited.client.put_item(TableName=AUDIT, Item=last | harm)
    grow(salon, audited, name)
    assert audited.catch_up()[-1] is Recorded.NEW
    assert {each.flaw for each in audited.verified().findings} == {Flaw.CHANGED}


def grow(salon: Salon, audited: Audited, name: str, *, by: int = 1) -> None:
    """Somebody changes an appointment; with `by` 0 past the state machine."""
    salon.client.update_item(
        TableName=salon.table_name,
        Key=table_keys.appointment(audited.tenant, name),
        UpdateExpression="SET #v = #v + :by, #w = :w",
        ExpressionAttributeNames={"#v": "ver", "#w": "why"},
        ExpressionAttributeValues={":by": {"N": str(by)}, ":w": {"S": f"w{len(audited.stream.records)}"}},
    )


def test_a_forged_row_cannot_make_the_log_believe_that_it_has_what_comes() -> None:
    salon, audited = lived()
    audited.catch_up()
    name = next(iter(changes(audited)))
    last = max((r for r in audited.rows() if r["pk"]["S"].endswith(name)), key=lambda r: r["sk"]["S"])
    place = f"{int(last['sk']['S']) + 1:012d}"
    forged = last | {"sk": {"S": place}, "seq": {"N": str(int(place))}, "version": {"N": "9999"}}
    audited.client.put_item(TableName=AUDIT, Item=forged)
    grow(salon, audited, name)
    assert audited.catch_up()[-1] is Recorded.NEW
    assert [(each.flaw, each.place) for each in audited.verified().findings] == [(Flaw.INSERTED, place)]


def test_what_was_changed_past_the_state_machine_is_logged_once_and_told() -> None:
    salon, audited = lived()
    name = next(iter(changes(audited)))
    grow(salon, audited, name, by=0)
    records = list(audited.stream.records)
    audited.deliver(*records)
    assert {*audited.deliver(*records)} <= {Recorded.KNOWN, None}
    assert {each.flaw for each in audited.verified().findings} == {Flaw.UNVERSIONED}


def test_an_appointment_that_is_deleted_and_put_back_has_both_in_its_chain() -> None:
    salon, audited = lived()
    name = next(iter(changes(audited)))
    key = table_keys.appointment(audited.tenant, name)
    item = salon.client.get_item(TableName=salon.table_name, Key=key)["Item"]
    salon.client.delete_item(TableName=salon.table_name, Key=key)
    salon.client.put_item(TableName=salon.table_name, Item=item | {"ver": {"N": "1"}})
    records = list(audited.stream.records)
    audited.deliver(*records)
    whole = untouched(audited)
    audited.deliver(*records)
    assert untouched(audited) == whole
    assert [each.kind for each in audited.entries(name)][-2:] == ["removed", "returned"]
    assert {each.flaw for each in audited.verified().findings} == {Flaw.REMOVED}


def test_an_entry_that_is_only_late_is_waited_for_and_one_that_does_not_come_is_told() -> None:
    salon, audited = lived()
    audited.catch_up()
    name = next(iter(changes(audited)))
    grow(salon, audited, name)
    assert {each.flaw for each in audited.verified().findings} == {Flaw.CUT_OFF}
    waited = salon.clock.sleep

    def meanwhile(seconds: float) -> None:
        waited(seconds)
        audited.catch_up()

    salon.clock.sleep = meanwhile
    assert audited.verified().findings == []


def test_a_chain_that_is_gone_as_a_whole_is_missed() -> None:
    _, audited = lived()
    audited.catch_up()
    name = next(iter(changes(audited)))
    for row in audited.rows():
        if row["pk"]["S"].endswith(name):
            audited.client.delete_item(TableName=AUDIT, Key={"pk": row["pk"], "sk": row["sk"]})
    (found,) = audited.verified().findings
    assert (found.flaw, found.appointment) == (Flaw.CUT_OFF, name)


def test_without_the_key_no_chain_holds() -> None:
    _, audited = lived()
    audited.catch_up()
    audited.keys = AuditKeys.of(["another key of thirty-two chars.."])
    assert Flaw.WRONG_KEY in {each.flaw for each in audited.verified().findings}


def test_one_appointment_can_be_verified_by_itself() -> None:
    _, audited = lived()
    audited.catch_up()
    one, other = changes(audited)
    row = next(row for row in audited.rows() if row["pk"]["S"].endswith(one))
    audited.client.delete_item(TableName=AUDIT, Key={"pk": row["pk"], "sk": row["sk"]})
    how: dict[str, Any] = {"trail": audited.trail, "state": audited.state, "keys": audited.keys, "clock": audited.clock}
    assert verify_one(audited.tenant, one, **how).findings
    assert verify_one(audited.tenant, other, **how).findings == []


# Heads that are kept elsewhere


def test_a_change_that_is_undone_here_and_in_the_log_is_found_by_a_head_that_was_kept() -> None:
    """The old image is put back, and the chain cut to where it was: both tables agree (ADR 0028)."""
    salon = Salon()
    audited = Audited(salon)
    salon_with_one(salon)
    audited.catch_up()
    (name, key) = (only(salon).id, table_keys.appointment(salon.tenant.id, only(salon).id))
    before, booked = salon.client.get_item(TableName=salon.table_name, Key=key)["Item"], audited.rows()
    asked = ask(salon.call("call_2"), ChangeKind.CANCEL)
    assert isinstance(asked, Confirm)
    yes(salon.call("call_2"), ChangeKind.CANCEL, asked.token)
    audited.catch_up()
    kept = audited.verified().heads
    assert (kept[name].seq, audited.verified(kept=kept).findings) == (4, [])
    salon.client.put_item(TableName=salon.table_name, Item=before)
    for row in audited.rows():
        if row not in booked:
            salon.client.delete_item(TableName=AUDIT, Key={each: row[each] for each in ("pk", "sk")})
    assert audited.verified().findings == []
    (found,) = audited.verified(kept=kept).findings
    assert (found.flaw, found.appointment, found.place) == (Flaw.SHORTENED, name, "000000000004")


def test_a_chain_that_has_gone_with_its_appointment_is_found_by_its_head() -> None:
    salon, audited = lived()
    audited.catch_up()
    kept = audited.verified(kept=None).heads
    gone = min(kept)
    for row in audited.rows():
        if row["pk"]["S"].endswith(f"#{gone}"):
            salon.client.delete_item(TableName=AUDIT, Key={each: row[each] for each in ("pk", "sk")})
    salon.client.delete_item(TableName=salon.table_name, Key=table_keys.appointment(salon.tenant.id, gone))
    assert audited.verified().findings == []
    assert [(each.flaw, each.appointment) for each in audited.verified(kept=kept).findings] == [(Flaw.SHORTENED, gone)]


def test_a_chain_that_has_grown_since_still_goes_through_its_head() -> None:
    salon = Salon()
    audited = Audited(salon)
    salon_with_one(salon)
    audited.catch_up()
    kept = audited.verified().heads
    asked = ask(salon.call("call_2"), ChangeKind.CANCEL)
    assert isinstance(asked, Confirm)
    yes(salon.call("call_2"), ChangeKind.CANCEL, asked.token)
    audited.catch_up()
    found = audited.verified(kept=kept)
    assert (found.findings, {*found.heads}) == ([], {*kept})
    assert found.heads != kept


@pytest.mark.parametrize("between", ["x#", "#"])
def test_an_entry_beside_its_chain_is_found_by_whatever_its_partition_ends_with(between: str) -> None:
    """Else the true chain of that name would be verified in its place, and found sound."""
    _, audited = lived()
    audited.catch_up()
    assert audited.verified().findings == []
    row = audited.rows()[0]
    name = table_keys.name_of(row)
    beside = {"pk": {"S": f"T#friseur1#APPT#{between}{name}"}, "sk": row["sk"]}
    audited.client.put_item(TableName=AUDIT, Item=row | beside)
    found = audited.verified().findings
    assert found
    assert {each.appointment for each in found} == {f"{between}{name}"}
