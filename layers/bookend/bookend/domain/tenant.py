"""A tenant: the salon's branches, stylists, services and which Cal.com event type serves whom.

Built from a checked document (adapters/tenants); nothing here repeats those checks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from bookend.domain.policy import PolicySettings
from bookend.domain.saying import Language, say_name

_T = TypeVar("_T")
_LEAST_TELLING = 3
"""Letters of a word that may tell one service from another."""


class SegmentKind(StrEnum):
    """Whether the stylist is needed in this part of a service."""

    BUSY = "busy"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a service, in order. `event_types` maps each stylist who does a busy part to its Cal.com event type.

    A gap may last from `min_minutes` to `max_minutes`, and usually lasts `minutes`; None: no shorter, no longer.
    """

    kind: SegmentKind
    minutes: int
    event_types: Mapping[str, int] = field(default_factory=dict)
    min_minutes: int | None = None
    max_minutes: int | None = None

    @property
    def length(self) -> timedelta:
        """How long it lasts, or usually does."""
        return timedelta(minutes=self.minutes)

    @property
    def shortest(self) -> timedelta:
        """The least it may last."""
        return self.length if self.min_minutes is None else timedelta(minutes=self.min_minutes)

    @property
    def longest(self) -> timedelta:
        """The most it may last."""
        return self.length if self.max_minutes is None else timedelta(minutes=self.max_minutes)


@dataclass(frozen=True, slots=True)
class Service:
    """What a caller can book. Plain services have one busy segment; composite ones several parts.

    `policies`: the rules that a stylist has for this service alone.
    """

    id: str
    name: str
    segments: tuple[Segment, ...]
    synonyms: tuple[str, ...] = ()
    policies: Mapping[str, PolicySettings] = field(default_factory=dict)

    @property
    def minutes(self) -> int:
        """From its first minute to its last, gaps included, at their usual length."""
        return sum(segment.minutes for segment in self.segments)

    @property
    def longest(self) -> timedelta:
        """The same if all its gaps last as long as they may."""
        return sum((segment.longest for segment in self.segments), timedelta(0))

    @property
    def busy(self) -> tuple[Segment, ...]:
        """The parts that need the stylist, in order; each is a booking of its own at Cal.com."""
        return tuple(segment for segment in self.segments if segment.kind is SegmentKind.BUSY)

    @property
    def is_composite(self) -> bool:
        """Whether it needs more than one booking at Cal.com."""
        return len(self.segments) > 1

    @property
    def stylists(self) -> tuple[str, ...]:
        """Those who can do all of it, in the order of the configuration: one stylist does it from first to last."""
        busy = self.busy
        return tuple(staff for staff in busy[0].event_types if all(staff in each.event_types for each in busy))


@dataclass(frozen=True, slots=True)
class Staff:
    """A stylist. `calcom_user` is the numeric id Cal.com names as host of their bookings."""

    id: str
    name: str
    branch: str
    calcom_user: int
    synonyms: tuple[str, ...] = ()
    policy: PolicySettings = field(default_factory=PolicySettings)


@dataclass(frozen=True, slots=True)
class Branch:
    """One shop. Calls to its numbers or agents concern its stylists only."""

    id: str
    name: str
    phone_numbers: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    policy: PolicySettings = field(default_factory=PolicySettings)


class PartRule(StrEnum):
    """What becomes of a composite appointment of which somebody moves or cancels one part at Cal.com."""

    FOLLOW = "follow"
    """The whole goes after it: the other parts are moved or cancelled there too, and the salon is told where they
    cannot be."""
    FLAG = "flag"
    """The other parts stand, and the salon is told."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """Which texts the salon sends. `email_from` is a verified address of its own; None: it sends no mail.

    `sender_id` is what telephones show instead of a number, `phone` where callers may ask. `confirmations`: texts also
    to those who have heard on the phone what was done.
    """

    sms: bool = False
    email_from: str | None = None
    sender_id: str | None = None
    confirmations: bool = False
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A salon group. `country_code` is digits only; `callback` is its sentence on calling back, by language."""

    id: str
    name: str
    zone: ZoneInfo
    language: Language
    country_code: str
    placeholder_domain: str
    branches: tuple[Branch, ...]
    staff: tuple[Staff, ...]
    services: tuple[Service, ...]
    callback: Mapping[Language, str] = field(default_factory=dict)
    agents: tuple[str, ...] = ()
    phone_numbers: tuple[str, ...] = ()
    policy: PolicySettings = field(default_factory=PolicySettings)
    texts: TextSettings = field(default_factory=TextSettings)
    part_changed: PartRule = PartRule.FOLLOW

    def member(self, staff: str) -> Staff:
        """The stylist with this id.

        Raises:
            KeyError: there is none.
        """
        found = next((each for each in self.staff if each.id == staff), None)
        if found is None:
            raise KeyError(staff)
        return found

    def service(self, service: str) -> Service | None:
        """The service with this id, if it is still offered."""
        return next((each for each in self.services if each.id == service), None)

    def staff_of_host(self, calcom_user: int | None) -> str | None:
        """The stylist whose bookings name this host; None for somebody who is not ours."""
        return next((each.id for each in self.staff if each.calcom_user == calcom_user), None)

    def stylists_of_booking(self, calcom_user: int | None, event_type: int | None) -> tuple[str, ...]:
        """Whose time a booking takes: its host's; where it names none, of all who are booked by its event type."""
        if calcom_user is not None:
            staff = self.staff_of_host(calcom_user)
            return () if staff is None else (staff,)
        segments = (segment for service in self.services for segment in service.segments)
        found = (staff for each in segments for staff, served in each.event_types.items() if served == event_type)
        return tuple(dict.fromkeys(found))

    def service_of_event_type(self, event_type: int | None) -> str:
        """The service that is booked by this event type, as it is known to us; "" for one we do not sell."""
        return next(
            (
                service.id
                for service in self.services
                for segment in service.segments
                if event_type in segment.event_types.values()
            ),
            "",
        )

    def at_branch(self, branch: str | None) -> Tenant:
        """The tenant as a caller of one branch sees it: only the stylists there, and the services they do."""
        if branch is None:
            return self
        staff = tuple(each for each in self.staff if each.branch == branch)
        here = frozenset(each.id for each in staff)
        services = tuple(
            replace(service, segments=tuple(_limited(segment, here) for segment in service.segments))
            for service in self.services
            if here.intersection(service.stylists)
        )
        return replace(self, staff=staff, services=services)

    def branch_of(self, *, agent: str | None, number: str | None) -> str | None:
        """The branch a call belongs to by its agent or by the number that was dialled; None: the whole group."""
        for branch in self.branches:
            if (agent and agent in branch.agents) or (number and number in branch.phone_numbers):
                return branch.id
        return None


def _limited(segment: Segment, staff: frozenset[str]) -> Segment:
    return replace(segment, event_types={k: v for k, v in segment.event_types.items() if k in staff})


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Nothing, or more than one thing, answers to what was said; `known` are the names there are to choose from."""

    known: tuple[str, ...]


def find_service(tenant: Tenant, said: str) -> Service | Unmatched:
    """The service a caller named, by id, name (also as we read it aloud) or synonym; never a default (a guess books the
    wrong thing)."""
    found = _match(said, _services_named(tenant))
    return found if found is not None else Unmatched(tuple(each.name for each in tenant.services))


def is_near_a_service(tenant: Tenant, said: str) -> bool:
    """Whether a word that was said is one of a service's names, or begins or ends one ("Schnitt"): else it is nothing
    that is offered."""
    words = {word for word in _words(said) if len(word) >= _LEAST_TELLING}
    names = (name for _, names in _services_named(tenant) for name in names)
    known = {word for name in names for word in _words(name) if len(word) >= _LEAST_TELLING}
    return any(
        one.startswith(other) or one.endswith(other) or other.startswith(one) or other.endswith(one)
        for one in words
        for other in known
    )


def _services_named(tenant: Tenant) -> list[tuple[Service, tuple[str, ...]]]:
    return [
        (each, (each.id, each.name, say_name(each.name, tenant.language), *each.synonyms)) for each in tenant.services
    ]


def find_staff(tenant: Tenant, said: str, *, service: Service | None = None) -> Staff | Unmatched:
    """The stylist a caller named, by id, name, first name or synonym, among those who do the service if it is known."""
    able = [each for each in tenant.staff if service is None or each.id in service.stylists]
    named = [(each, (each.id, each.name, *each.name.split()[:1], *each.synonyms)) for each in able]
    found = _match(said, named)
    return found if found is not None else Unmatched(tuple(each.name for each in able))


def folded(text: str) -> str:
    """Text as it is compared: no case, no accents, no punctuation."""
    lowered = text.casefold().replace("ß", "ss").replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    plain = unicodedata.normalize("NFKD", lowered)
    return " ".join(re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c))))


def _match(said: str, named: list[tuple[_T, tuple[str, ...]]]) -> _T | None:
    """Exactly one whole name, else exactly one whose every word was said; otherwise nothing."""
    wanted = folded(said)
    if not wanted:
        return None
    exact = [thing for thing, names in named if wanted in {folded(name) for name in names}]
    if exact:
        return exact[0] if len(exact) == 1 else None
    words = set(wanted.split())
    within = [thing for thing, names in named if any(_words(name) and _words(name) <= words for name in names)]
    return within[0] if len(within) == 1 else None


def _words(name: str) -> set[str]:
    return set(folded(name).split())
