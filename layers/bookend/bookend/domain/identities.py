"""Which rows are one person's: a caller is known by their number, whoever booked at Cal.com without one by an address.

An address that people with other numbers or other names have as well (a family's, or the salon's own: I1) proves
nothing; what hangs on it alone is named and left to a person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bookend.domain.contacts import may_be_one_person


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as one row has them; empty where it says nothing."""

    id: str
    name: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class SamePerson:
    """A person, over all rows. `ids` with how far each is from what was asked for: 0 is known directly.

    `doubtful` are ids that only share one of the addresses in `shared` with them, and may be somebody else.
    """

    ids: dict[str, int]
    numbers: frozenset[str]
    addresses: frozenset[str]
    """Those that are theirs alone."""
    shared: frozenset[str]
    doubtful: frozenset[str]


def same_person(rows: Collection[Identity], *, customer: str, phone: str | None) -> SamePerson:
    """Everything that is the same person as this id, or as whoever has this number."""
    ids: dict[str, int] = {customer: 0} if customer else {}
    numbers = {phone} if phone else set[str]()
    step = 0
    while True:
        mine = [each for each in rows if each.id in ids or each.phone in numbers]
        found = {each.id for each in mine} - ids.keys()
        grown = {each.phone for each in mine if each.phone} - numbers
        if not found and not grown:
            step += 1
            addresses = {each.email for each in mine if each.email}
            others = {address: _others_at(address, rows, ids) for address in addresses}
            shared = {address for address in addresses if not _may_be_theirs(address, others[address], mine)}
            doubtful = {each.id for address in shared for each in others[address]}
            found = {each.id for address in addresses - shared for each in others[address]} - doubtful
            if not found:
                return SamePerson(
                    ids, frozenset(numbers), frozenset(addresses - shared), frozenset(shared), frozenset(doubtful)
                )
        ids |= dict.fromkeys(found, step)
        numbers |= grown


def _others_at(address: str, rows: Collection[Identity], ids: Collection[str]) -> list[Identity]:
    return [each for each in rows if each.email == address and each.id not in ids]


def _may_be_theirs(address: str, others: Collection[Identity], mine: Collection[Identity]) -> bool:
    """Whether those at this address are known by nothing else, and no name of theirs is another's."""
    names = [each.name for each in mine if each.email == address]
    return all(not each.phone and all(may_be_one_person(each.name, name) for name in names) for each in others)
