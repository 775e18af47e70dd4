"""Texts to callers: the outbox they are kept in, and who sends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

from bookend.application.ports.surroundings import Alert
from bookend.domain.appointment import Appointment
from bookend.domain.callbacks import Callback
from bookend.domain.texts import Channel, Message, MessageState, Text, TextKind

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has taken it, under this id of its own. Whether it arrives is not known yet."""

    id: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """It surely was not sent, and may be later. `why` is our word or the provider's error name."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It surely was not sent, and never will be to this address: invalid_address, opted_out, rejected."""

    why: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The request may have left and no answer says what became of it."""

    why: str


SendAnswer: TypeAlias = Sent | NotSent | Refused | Unclear


class Messenger(Protocol):
    """Who sends texts of one channel."""

    def send(self, text: Text, *, deadline: Deadline) -> SendAnswer:
        """Send it once. Never tried again in here; over at the deadline."""
        ...


@dataclass(frozen=True, slots=True)
class Owed:
    """A message, and what it is about as it is now. `has_another`: see `domain.texts.decide`.

    `opted_out` are those of the customer's addresses to which nothing must be sent.
    """

    message: Message
    appointment: Appointment | None
    has_another: bool
    opted_out: frozenset[str]


@dataclass(frozen=True, slots=True)
class Claim:
    """A try to send: whose, until when they may be at it, and what they are about to send."""

    id: str
    leased_until: datetime
    kind: TextKind
    channel: Channel
    owed: bool
    said: str


class Outbox(Protocol):
    """Messages by the operation that owes them. All methods raise StoreUnavailable when the store does not answer.

    Each step names the state it rests on, and of whose try; False: it is not so any more, and nothing was written.
    """

    def within(self, deadline: Deadline) -> Outbox:
        """The same, for one piece of work."""
        ...

    def owed(self, tenant: str, op: str) -> Owed | None:
        """The message, and what it is about."""
        ...

    def claim(self, tenant: str, owed: Owed, claim: Claim, *, now: datetime) -> bool:
        """NEW to SENDING, if message and appointment are as they were read. Before anything is sent."""
        ...

    def sent(self, tenant: str, op: str, claim: str, *, provider_id: str, now: datetime) -> bool:
        """SENDING to SENT, by whose try it is; also if it was held for UNSURE meanwhile."""
        ...

    def not_sent(self, tenant: str, op: str, claim: str, *, until: datetime, why: str) -> bool:
        """SENDING back to NEW, not to be tried before `until`: surely nothing was sent."""
        ...

    def skip(self, tenant: str, owed: Owed, *, why: str, now: datetime) -> bool:
        """NEW to SKIPPED, if message and appointment are as they were read."""
        ...

    def requeued(self, tenant: str, op: str) -> int | None:
        """How often in a row the sweeper has put it into the queue and nobody came to it; None: it has ended."""
        ...

    def postpone(self, tenant: str, op: str, *, until: datetime, requeued: int = 0) -> bool:
        """It stays NEW, and is looked at again at `until`."""
        ...

    def give_up(
        self,
        tenant: str,
        owed: Owed,
        state: MessageState,
        *,
        why: str,
        ring: Callback | None,
        alert: Alert | None,
        now: datetime,
    ) -> bool:
        """NEW as read, or SENDING by the try that was read, to FAILED or UNSURE; with it, who is to be rung."""
        ...

    def resolve(self, tenant: str, message: Message, state: MessageState, *, by: str, now: datetime) -> bool:
        """A person's word on one that is as it was read: NEW (send it, once more) or SETTLED."""
        ...

    def waiting(self, tenant: str) -> Sequence[Message]:
        """Those that are NEW or SENDING, the oldest first, by an index that lags."""
        ...

    def in_trouble(self, tenant: str, *, since: datetime) -> Sequence[Message]:
        """Those that became UNSURE or FAILED since then and of which a person was told, the oldest first."""
        ...

    def opt_out(self, tenant: str, address: str, *, out: bool, by: str, now: datetime) -> None:
        """Nothing is sent to this number or address any more, or it may be again."""
        ...

    def has_opted_out(self, tenant: str, address: str) -> bool:
        """Whether nothing must be sent to this number or address."""
        ...
