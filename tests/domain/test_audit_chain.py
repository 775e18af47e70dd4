"""The audit chain: whatever is done to it by somebody without the key is found, and nothing is found of a whole one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import pytest

from bookend.domain.audit_chain import (
    AuditKey,
    AuditKind,
    End,
    Entry,
    Flaw,
    Stored,
    canonical,
    end_of,
    linked,
    place_of,
    verify,
)

KEY = AuditKey.of("k" * 32)
KEYS = {KEY.id: KEY}
TENANT, APPT = "friseur1", "a1"
TEXTS = tuple(field.name for field in fields(Entry) if field.name not in {"seq", "version"})


def entry(version: int, kind: str = "changed", **said: str | int) -> Entry:
    values = {
        "tenant": TENANT,
        "appointment": APPT,
        "seq": 0,
        "kind": kind,
        "about": f"event-{version}-{kind}",
        "version": version,
        "at": f"2025-10-27T06:{version:02}:00Z",
        "by": "worker",
        "call": "call_1",
        "before": canonical({"state": "PENDING", "told": "nothing"}),
        "after": canonical({"state": "CONFIRMED", "customer": {"id": "c1", "name": "~0a1b2c3d"}}),
        "key": "",
        "prev": "",
    }
    return Entry(**(values | said))  # type: ignore[arg-type]


def appended(rows: Sequence[Stored], new: Entry, key: AuditKey = KEY) -> list[Stored]:
    made = linked(new, end_of(TENANT, APPT, rows, KEYS | {key.id: key}), key)
    return [*rows, Stored(place_of(made.seq), made)]


def chain(length: int = 6, *, repair_at: int | None = None) -> list[Stored]:
    rows: list[Stored] = []
    version = 0
    for number in range(1, length + 1):
        if number == repair_at:
            rows = appended(rows, entry(version, AuditKind.REPAIRED, about="2025-10-27T06:03:00Z#End#uid#0a"))
            continue
        version += 1
        rows = appended(rows, entry(version, "created" if version == 1 else "changed"))
    return rows


def version_of(rows: Sequence[Stored]) -> int:
    assert rows[-1].entry is not None
    return rows[-1].entry.version


def flaws(rows: Sequence[Stored], *, version: int, repairs: Sequence[str] = ()) -> set[Flaw]:
    rows = sorted(rows, key=lambda row: row.place)  # as the table hands them out
    return {each.flaw for each in verify(TENANT, APPT, rows, KEYS, version=version, repairs=repairs)}


def entries(rows: Sequence[Stored]) -> list[Entry]:
    return [row.entry for row in rows if row.entry is not None]


@pytest.mark.parametrize("length", range(1, 8))
def test_a_whole_chain_has_no_flaw(length: int) -> None:
    rows = chain(length, repair_at=3)
    assert flaws(rows, version=version_of(rows)) == set()


def altered(row: Stored) -> Iterator[Stored]:
    """The row with any single byte of it changed, in every one of its attributes and in its place."""
    whole = row.entry
    assert whole is not None
    for name in TEXTS:
        data = getattr(whole, name).encode()
        for position in range(len(data)):
            changed = bytes([*data[:position], data[position] ^ 1, *data[position + 1 :]])
            yield replace(row, entry=replace(whole, **{name: changed.decode("utf-8", "replace")}))
        yield replace(row, entry=replace(whole, **{name: data.decode() + "x"}))
    for name in ("seq", "version"):
        for shift in (-1, 1, 1000):
            yield replace(row, entry=replace(whole, **{name: getattr(whole, name) + shift}))
    for position in range(len(row.place)):
        data = row.place.encode()
        yield replace(
            row, place=bytes([*data[:position], data[position] ^ 1, *data[position + 1 :]]).decode("utf-8", "replace")
        )


def test_every_single_byte_of_every_row_counts() -> None:
    rows = chain(6, repair_at=4)
    tried = 0
    for number, row in enumerate(rows):
        for other in altered(row):
            spoilt = [*rows[:number], other, *rows[number + 1 :]]
            if len({each.place for each in spoilt}) < len(spoilt):
                continue  # the table has one row of a key
            tried += 1
            assert flaws(spoilt, version=version_of(rows)), other
    assert tried > 1500


def test_a_changed_entry_is_named_as_changed_and_at_its_place() -> None:
    rows = chain()
    forged = replace(rows[2].entry, by="nobody")  # type: ignore[type-var]
    found = verify(TENANT, APPT, [*rows[:2], replace(rows[2], entry=forged), *rows[3:]], KEYS, version=6)
    assert [(each.flaw, each.place) for each in found] == [(Flaw.CHANGED, place_of(3))]


@pytest.mark.parametrize("number", range(6))
def test_any_row_that_is_gone_is_missed(number: int) -> None:
    rows = chain()
    expected = Flaw.CUT_OFF if number == 5 else Flaw.MISSING
    assert expected in flaws([*rows[:number], *rows[number + 1 :]], version=6)


@pytest.mark.parametrize("left", range(6))
def test_a_tail_that_is_cut_off_is_missed(left: int) -> None:
    assert flaws(chain()[:left], version=6) == {Flaw.CUT_OFF}


def test_a_repair_cut_off_at_the_end_is_missed_as_long_as_its_record_is_there() -> None:
    rows = chain(4, repair_at=4)
    assert flaws(rows[:3], version=3, repairs=["2025-10-27T06:03:00Z#End#uid#0a"]) == {Flaw.CUT_OFF}
    assert flaws(rows, version=3, repairs=["2025-10-27T06:03:00Z#End#uid#0a"]) == set()


def test_rows_that_changed_places_are_told_from_changed_ones() -> None:
    rows = chain()
    for one in range(6):
        for other in range(one):
            swapped = list(rows)
            swapped[one] = replace(rows[one], entry=rows[other].entry)
            swapped[other] = replace(rows[other], entry=rows[one].entry)
            assert Flaw.REORDERED in flaws(swapped, version=6)


@pytest.mark.parametrize("number", range(6))
def test_a_row_that_is_doubled_is_found(number: int) -> None:
    rows = chain()
    assert Flaw.REORDERED in flaws([*rows, Stored(place_of(7), rows[number].entry)], version=6)


@pytest.mark.parametrize("place", [place_of(7), place_of(99), "000000000002x", "", "~"])
def test_a_row_that_nobody_of_ours_wrote_is_found(place: str) -> None:
    rows = chain()
    forged = linked(entry(7), End(7, entries(rows)[-1].hash, 6, "changed"), AuditKey.of("guessed" * 6))
    for row in (Stored(place, None), Stored(place, replace(forged, key=KEY.id))):
        assert flaws([*rows, row], version=6) & {Flaw.INSERTED, Flaw.CHANGED}


def test_an_inserted_row_is_told_from_a_changed_one_by_the_chain_that_goes_on_around_it() -> None:
    rows = [*chain(), Stored(place_of(7), None)]
    rows = appended(rows, entry(7))  # nobody ends the chain by putting something behind it
    assert rows[-1].place == place_of(8)
    assert flaws(rows, version=7) == {Flaw.INSERTED}


def test_an_old_end_put_behind_a_new_one_does_not_fit() -> None:
    """Cut off, written anew by us, and then an entry of the old end put back: each is ours, and they do not belong."""
    rows = chain(5)
    anew = appended(rows[:3], entry(4, by="sweeper"))
    assert flaws([*anew, rows[4]], version=5) == {Flaw.MISSING}


def test_another_appointments_chain_is_not_this_ones() -> None:
    rows = chain()
    assert Flaw.REORDERED in {each.flaw for each in verify(TENANT, "a2", rows, KEYS, version=6)}
    assert Flaw.REORDERED in {each.flaw for each in verify("friseur2", APPT, rows, KEYS, version=6)}


def test_a_whole_chain_sealed_anew_by_another_key_is_found() -> None:
    other, rows = AuditKey.of("z" * 32), list[Stored]()
    for version in range(1, 4):
        rows = appended(rows, entry(version), other)
    assert flaws(rows, version=3) == {Flaw.WRONG_KEY, Flaw.CUT_OFF}


def test_a_key_that_follows_another_goes_on_with_its_chain() -> None:
    newer = AuditKey.of("n" * 32)
    rows = appended(chain(3), entry(4), newer)
    found = verify(TENANT, APPT, rows, KEYS | {newer.id: newer}, version=4)
    assert found == []


def test_versions_that_never_came_to_be_recorded_are_told() -> None:
    rows = appended(chain(3), entry(6))
    assert flaws(rows, version=6) == {Flaw.NOT_RECORDED}


def test_what_began_before_the_log_has_no_hole_before_its_first_entry() -> None:
    rows = appended([], entry(8))
    assert flaws(rows, version=8) == set()


def test_an_appointment_that_was_put_back_to_an_older_state_is_told() -> None:
    assert flaws(chain(), version=4) == {Flaw.TURNED_BACK}


@pytest.mark.parametrize(
    ("kind", "flaw"), [(AuditKind.REMOVED, Flaw.REMOVED), (AuditKind.UNVERSIONED, Flaw.UNVERSIONED)]
)
def test_what_nothing_of_ours_does_is_told(kind: AuditKind, flaw: Flaw) -> None:
    version = 0 if kind is AuditKind.REMOVED else 6
    assert flaws(appended(chain(), entry(version, kind)), version=version) == {flaw}


def test_random_chains_under_random_harm() -> None:
    dice = random.Random(6)
    for _ in range(300):
        rows = chain(dice.randint(2, 12), repair_at=dice.choice([None, 2, 3]))
        version = version_of(rows)
        repairs = [each.about for each in entries(rows) if each.kind == AuditKind.REPAIRED]
        harm = dice.choice(["delete", "swap", "double", "cut", "change", "splice"])
        number = dice.randrange(len(rows))
        match harm:
            case "delete":
                spoilt = [*rows[:number], *rows[number + 1 :]]
            case "cut":
                spoilt = rows[:number]
            case "swap":
                other = dice.choice([each for each in range(len(rows)) if each != number])
                spoilt = list(rows)
                spoilt[number], spoilt[other] = (
                    replace(rows[number], entry=rows[other].entry),
                    replace(rows[other], entry=rows[number].entry),
                )
            case "double":
                spoilt = [*rows, Stored(place_of(len(rows) + 1), rows[number].entry)]
            case "change":
                spoilt = [*rows[:number], dice.choice(list(altered(rows[number]))), *rows[number + 1 :]]
                if len({each.place for each in spoilt}) < len(spoilt):
                    continue
            case _:  # all rows behind one move up by one, as if it had never been
                kept = [*rows[:number], *rows[number + 1 :]]
                spoilt = [replace(row, place=place_of(place)) for place, row in enumerate(kept, 1)]
        assert flaws(spoilt, version=version, repairs=repairs), (harm, number, len(rows))


def test_a_mark_tells_that_something_changed_and_not_what_it_was() -> None:
    mark = KEY.mark(TENANT, APPT, "phone", "+491701111111")
    assert mark == KEY.mark(TENANT, APPT, "phone", "+491701111111")
    assert len(mark) == 8
    assert (
        len(
            {
                mark,
                KEY.mark(TENANT, APPT, "phone", "+491701111112"),
                KEY.mark(TENANT, "a2", "phone", "+491701111111"),
                KEY.mark(TENANT, APPT, "name", "+491701111111"),
                AuditKey.of("x" * 32).mark(TENANT, APPT, "phone", "+491701111111"),
            }
        )
        == 5
    )


def test_canonical_form_is_one() -> None:
    assert canonical({"b": [1, {"d": None, "c": "ä"}], "a": True}) == '{"a":true,"b":[1,{"c":"ä","d":null}]}'
    with pytest.raises(TypeError):
        canonical({"a": object()})
