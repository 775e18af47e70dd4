"""The tenant document (JSON): branches, staff, services and their Cal.com event types, checked before it is stored.

docs/tenant.md explains it to a salon's engineer; examples/salon.json is a worked example.
"""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bookend.adapters.tenants.places import place_of
from bookend.domain.contacts import is_placeholder, normalise_email, normalise_phone
from bookend.domain.policy import PolicySettings, policy_of
from bookend.domain.saying import Language
from bookend.domain.tenant import Branch, PartRule, Segment, SegmentKind, Service, Staff, Tenant, TextSettings, folded


class TenantInvalid(Exception):
    """The document is not usable; `problems` are sentences with the place of each.

    `of_form`: fields are wrong by themselves, so whether they go together was not looked at.
    """

    def __init__(self, problems: list[str], *, of_form: bool = False) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.of_form = of_form


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "Europe" is a directory
        msg = f"'{name}' is no time zone; write it like Europe/Berlin"
        raise ValueError(msg) from error
    return name


def _e164(number: str) -> str:
    if normalise_phone(number, country_code="") != number:
        msg = f"'{number}' is no international number; write it like +493012345678"
        raise ValueError(msg)
    return number


def _domain(name: str) -> str:
    if not re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z]{2,}", name):
        msg = f"'{name}' is no domain; write it like kunden.salon.example, in lower case"
        raise ValueError(msg)
    return name


def _id(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", text):
        msg = f"'{text}' is no id; write it with small letters, digits, - and _ (40 at most)"
        raise ValueError(msg)
    return text


def _country_code(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text):
        msg = f"'{text}' is no country code; write digits only, like 49"
        raise ValueError(msg)
    return text


Id = Annotated[str, AfterValidator(_id)]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Phone = Annotated[str, AfterValidator(_e164)]
EventType = Annotated[int, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Minutes = Annotated[int, Field(ge=0, le=525_600)]
"""A year is the longest; no call asks for a day later than that."""


_LONGEST_SERVICE = 720
"""Minutes, for composite services as for plain ones: a look at the ledger covers half a day after the last start."""
_MOST_BUSY = 6
"""Each is a booking of its own: its questions share our connections, its guards the 100 items of a transaction."""


class _Policy(_Strict):
    """What one level says of the rules. A field that is left out says nothing; null says that there is no limit."""

    book_notice_minutes: Minutes = 0
    book_horizon_days: Annotated[int, Field(ge=0, le=400)] | None = None
    move_until_minutes: Minutes = 0
    cancel_until_minutes: Minutes = 0
    most_moves: Annotated[int, Field(ge=0, le=100)] | None = None
    most_open: Annotated[int, Field(ge=1, le=100)] | None = None
    withheld_may_book: bool = True

    def settings(self) -> PolicySettings:
        """In our words."""
        said = self.model_dump(include=self.model_fields_set)
        values: dict[str, Any] = {
            name.removesuffix("_minutes"): timedelta(minutes=value) if name.endswith("_minutes") else value
            for name, value in said.items()
        }
        return PolicySettings(**values)


def _address(text: str) -> str:
    if normalise_email(text) != text:
        msg = f"'{text}' is no address; write it like termine@salon.example, in lower case"
        raise ValueError(msg)
    return text


def _sender_id(text: str) -> str:
    if not re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", text):
        msg = f"'{text}' is no sender; write 1 to 11 letters and digits, at least one of them a letter"
        raise ValueError(msg)
    return text


class _Email(_Strict):
    sender: Annotated[str, AfterValidator(_address)] = Field(alias="from")


class _Texts(_Strict):
    """What is sent to callers after the call; left out: nothing, a person rings."""

    sms: bool = False
    email: _Email | None = None
    sender_id: Annotated[str, AfterValidator(_sender_id)] | None = None
    confirmations: bool = False
    phone: Phone | None = None

    @model_validator(mode="after")
    def _sent_somehow(self) -> _Texts:
        if self.confirmations and not self.sms and self.email is None:
            msg = "'confirmations' need 'sms' or 'email' to go by"
            raise ValueError(msg)
        return self

    def settings(self) -> TextSettings:
        """In our words."""
        sender = self.email.sender if self.email is not None else None
        return TextSettings(self.sms, sender, self.sender_id, self.confirmations, self.phone)


class _Staff(_Strict):
    id: Id
    name: Name
    branch: Id
    calcom_user: int = Field(gt=0)
    synonyms: list[Name] = []
    policy: _Policy = _Policy()


class _Branch(_Strict):
    id: Id
    name: Name
    phone_numbers: list[Phone] = []
    agents: list[str] = []
    policy: _Policy = _Policy()


class _Segment(_Strict):
    kind: Literal["busy", "gap"]
    minutes: int = Field(ge=0, le=720)
    min_minutes: Annotated[int, Field(ge=0, le=720)] | None = None
    max_minutes: Annotated[int, Field(ge=0, le=720)] | None = None
    event_types: dict[str, EventType] = {}

    @model_validator(mode="after")
    def _busy_or_gap(self) -> _Segment:
        if self.kind == "busy":
            if self.min_minutes is not None or self.max_minutes is not None:
                msg = "a busy segment is as long as its event types; only a gap has 'min_minutes' and 'max_minutes'"
                raise ValueError(msg)
            if bool(self.event_types) != bool(self.minutes):
                msg = "a busy segment needs minutes and, for each stylist who does it, an event type"
                raise ValueError(msg)
            return self
        if self.event_types:
            msg = "a gap is not booked at Cal.com and has no event types"
            raise ValueError(msg)
        if not self.shortest <= self.minutes <= self.longest:
            least, most = self.shortest, self.longest
            msg = f"a gap usually lasts between its 'min_minutes' and 'max_minutes', and {self.minutes} is not " + (
                f"between {least} and {most}" if least <= most else f"possible: {least} is more than {most}"
            )
            raise ValueError(msg)
        return self

    @property
    def shortest(self) -> int:
        return self.minutes if self.min_minutes is None else self.min_minutes

    @property
    def longest(self) -> int:
        return self.minutes if self.max_minutes is None else self.max_minutes

    def segment(self) -> Segment:
        """In our words."""
        return Segment(SegmentKind(self.kind), self.minutes, dict(self.event_types), self.min_minutes, self.max_minutes)


class _Service(_Strict):
    id: Id
    name: Name
    synonyms: list[Name] = []
    minutes: int | None = Field(default=None, gt=0, le=720)
    event_types: dict[str, EventType] = {}
    segments: list[_Segment] = []
    policies: dict[str, _Policy] = {}

    @model_validator(mode="after")
    def _plain_or_composite(self) -> _Service:
        plain = self.minutes is not None and bool(self.event_types)
        alone = self.minutes is None and not self.event_types
        composite = bool(self.segments) or ("segments" in self.model_fields_set and alone)
        if plain == composite or (composite and not alone):
            msg = "a service has either 'minutes' and 'event_types', or 'segments'"
            raise ValueError(msg)
        if composite and (problem := self._misbuilt()) is not None:
            raise ValueError(problem)
        return self

    def _misbuilt(self) -> str | None:
        """What is wrong with the order of the segments. Those of no length are as if they were not there."""
        parts = self.parts() if self.segments else []
        if not any(part.kind == "busy" for _, part in parts):
            return "a composite service needs a busy segment"
        if parts[0][1].kind == "gap":
            return "the first segment of a composite service must be busy"
        if parts[-1][1].kind == "gap":
            return "the last segment of a composite service must be busy: nobody waits after it"
        for (before, one), (place, other) in itertools.pairwise(parts):
            if one.kind == other.kind == "gap":
                return f"segments {before} and {place} are gaps with nothing between them: make them one"
        if len(self.busy()) > _MOST_BUSY:
            return f"a service has {_MOST_BUSY} busy segments at most"
        if sum(part.longest for _, part in parts) > _LONGEST_SERVICE:
            return f"a service takes {_LONGEST_SERVICE} minutes at most, its gaps at their longest"
        return None

    def parts(self) -> list[tuple[int, _Segment]]:
        """Its segments that take any time, each with its place; a plain service is one busy segment."""
        if self.segments:
            return [(place, each) for place, each in enumerate(self.segments) if each.longest]
        return [(0, _Segment(kind="busy", minutes=self.minutes or 0, event_types=self.event_types))]

    def busy(self) -> list[tuple[int, _Segment]]:
        """The parts that are booked at Cal.com, each with its place."""
        return [(place, part) for place, part in self.parts() if part.kind == "busy"]


class _Composites(_Strict):
    """What holds for all composite services."""

    part_changed: Literal["follow", "flag"] = "follow"


class TenantDocument(_Strict):
    """The whole document."""

    id: Id
    name: Name
    zone: Annotated[str, AfterValidator(_zone)]
    language: Literal["de", "en"]
    country_code: Annotated[str, AfterValidator(_country_code)]
    placeholder_domain: Annotated[str, AfterValidator(_domain)]
    callback: dict[Literal["de", "en"], Annotated[str, Field(max_length=200)]] = {}
    agents: list[str] = []
    phone_numbers: list[Phone] = []
    policy: _Policy = _Policy()
    composites: _Composites = _Composites()
    texts: _Texts = _Texts()
    branches: list[_Branch] = Field(min_length=1)
    staff: list[_Staff] = Field(min_length=1)
    services: list[_Service] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> TenantDocument:
        problems = [
            *self._repeated_ids(),
            *self._dangling(),
            *self._shared_event_types(),
            *self._lengths_of_event_types(),
            *self._shared_names(),
            *self._sends_from_nowhere(),
        ]
        problems = problems or self._never_bookable()
        if problems:
            raise TenantInvalid([f"document: {each}" for each in problems])
        return self

    def _repeated_ids(self) -> list[str]:
        groups: dict[str, list[str]] = {
            "branch": [each.id for each in self.branches],
            "staff": [each.id for each in self.staff],
            "Cal.com user": [str(each.calcom_user) for each in self.staff],
            "service": [each.id for each in self.services],
            "agent": [*self.agents, *(agent for each in self.branches for agent in each.agents)],
            "phone number": [*self.phone_numbers, *(n for each in self.branches for n in each.phone_numbers)],
        }
        return [
            f"{kind} '{each}' is there twice"
            for kind, ids in groups.items()
            for each in sorted({one for one in ids if ids.count(one) > 1})
        ]

    def _dangling(self) -> list[str]:
        branches, staff = {each.id for each in self.branches}, {each.id for each in self.staff}
        missing = [f"staff '{s.id}': there is no branch '{s.branch}'" for s in self.staff if s.branch not in branches]
        for service in self.services:
            named = {stylist for _, part in service.busy() for stylist in part.event_types}
            missing += [f"service '{service.id}': there is no staff '{each}'" for each in sorted(named - staff)]
            missing += [
                f"service '{service.id}': '{each}' has a policy for it and does not do it"
                for each in sorted(set(service.policies) - named)
            ]
            missing += [
                f"service '{service.id}': '{each}' has an event type for some of its segments only, and none for "
                f"segments[{place}]: one stylist does all of it"
                for each in sorted(named)
                for place, part in service.busy()
                if each not in part.event_types
            ]
        return missing

    def _shared_event_types(self) -> list[str]:
        owners: dict[int, set[str]] = {}
        for service in self.services:
            for _, part in service.busy():
                for stylist, event_type in part.event_types.items():
                    owners.setdefault(event_type, set()).add(stylist)
        return [
            f"event type {event_type} is given to {' and '.join(sorted(stylists))}: each needs their own, or Cal.com "
            "chooses who works"
            for event_type, stylists in sorted(owners.items())
            if len(stylists) > 1
        ]

    def _lengths_of_event_types(self) -> list[str]:
        """An event type has one length at Cal.com; a booking of any other is undone (WrongBookingAnswered)."""
        lengths: dict[int, dict[int, str]] = {}
        for service in self.services:
            for _, part in service.busy():
                for event_type in part.event_types.values():
                    lengths.setdefault(event_type, {}).setdefault(part.minutes, service.id)
        return [
            f"event type {event_type} cannot have several lengths: "
            + ", ".join(f"{minutes} minutes in '{service}'" for minutes, service in of.items())
            for event_type, of in sorted(lengths.items())
            if len(of) > 1
        ]

    def _shared_names(self) -> list[str]:
        owners: dict[str, set[str]] = {}
        for service in self.services:
            for name in (service.name, *service.synonyms):
                owners.setdefault(folded(name), set()).add(service.id)
        return [
            f"'{name}' names the services {' and '.join(sorted(ids))}: a caller could mean either"
            for name, ids in sorted(owners.items())
            if len(ids) > 1
        ]

    def _sends_from_nowhere(self) -> list[str]:
        sender = self.texts.email.sender if self.texts.email is not None else None
        if sender is None or not is_placeholder(sender, domain=self.placeholder_domain):
            return []
        return [f"texts: '{sender}' is in the placeholder domain, which receives no answers"]

    def _never_bookable(self) -> list[str]:
        """Rules that leave no time at all are a slip of the pen: notice in minutes, horizon in days."""
        tenant = self.tenant()
        found = []
        for service in tenant.services:
            for staff in service.stylists:
                policy = policy_of(tenant, service=service.id, staff=staff)
                days = policy.book_horizon_days
                if days is not None and policy.book_notice >= timedelta(days=days + 1):
                    found.append(f"service '{service.id}': the policies leave no time in which '{staff}' may be booked")
        return found

    def tenant(self) -> Tenant:
        """In our words."""
        return Tenant(
            id=self.id,
            name=self.name,
            zone=ZoneInfo(self.zone),
            language=Language(self.language),
            country_code=self.country_code,
            placeholder_domain=self.placeholder_domain,
            branches=tuple(
                Branch(each.id, each.name, tuple(each.phone_numbers), tuple(each.agents), each.policy.settings())
                for each in self.branches
            ),
            staff=tuple(
                Staff(
                    each.id,
                    each.name,
                    each.branch,
                    each.calcom_user,
                    tuple(each.synonyms),
                    each.policy.settings(),
                )
                for each in self.staff
            ),
            services=tuple(
                Service(
                    each.id,
                    each.name,
                    tuple(part.segment() for _, part in each.parts()),
                    tuple(each.synonyms),
                    {staff: policy.settings() for staff, policy in each.policies.items()},
                )
                for each in self.services
            ),
            callback={Language(language): text for language, text in self.callback.items()},
            agents=tuple(self.agents),
            phone_numbers=tuple(self.phone_numbers),
            policy=self.policy.settings(),
            texts=self.texts.settings(),
            part_changed=PartRule(self.composites.part_changed),
        )


def read_tenant(text: str | bytes) -> Tenant:
    """The tenant that a document describes.

    Raises:
        TenantInvalid: with one sentence a problem, each naming its place.
    """
    try:
        return TenantDocument.model_validate_json(text).tenant()
    except ValidationError as error:
        found = [_sentence(each, text) for each in error.errors(include_url=False)]
        raise TenantInvalid(found, of_form=True) from error


def _sentence(problem: Any, text: str | bytes) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{place_of(problem['loc'], text)}: {message}"
