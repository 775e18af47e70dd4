"""What a salon's phone must do, written down a second time: who has which appointment, and what may be said.

It knows two salon days, two stylists and four services from the worked example, does its own arithmetic in wall
minutes, and imports nothing of the product. Where the answer depends on what nobody can know yet (an answer was lost,
a change at Cal.com has not been told) it says MAYBE, and follows what was said; in the end it must be right.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = ("2025-10-27", "2025-10-28")
FIRST, LAST, EVERY = 9 * 60, 12 * 60, 15
"""Starts on sale, in minutes of the day: from, to, and how far apart."""
KEPT_S, SURELY_OVER_S = 120.0, 123.0
"""An offer is its caller's for two minutes; others respect it a little longer."""
ANSWER_WITHIN_S = 300.0
"""How long a question "shall I?" waits for its yes."""
MISSES_A_CALL, MISSES_A_DAY, CHANGES_A_DAY, CALLBACKS_A_DAY = 3, 10, 5, 3
LISTED = 5
"""How many of their own a caller is told, the earliest; more cannot be kept in the ear."""
NAMES = {"fabian": "Fabian Spitzer", "emma": "Emma Williams"}


class Is(Enum):
    """Whether a time is free."""

    FREE = "free"
    TAKEN = "taken"
    MAYBE = "maybe"


@dataclass(frozen=True)
class Service:
    """What is sold: its busy parts (after how many minutes, for how many), by whom."""

    name: str
    parts: tuple[tuple[int, int], ...]
    stylists: tuple[str, ...]


SERVICES = {
    each.name: each
    for each in (
        Service("Herrenhaarschnitt", ((0, 30),), ("fabian", "emma")),
        Service("Damenhaarschnitt", ((0, 45),), ("fabian", "emma")),
        Service("Beratung", ((0, 30),), ("fabian",)),
        Service("Dauerwelle", ((0, 45), (105, 30)), ("fabian",)),
    )
}


@dataclass(frozen=True, order=True)
class When:
    """A wall time: day and minute of it."""

    day: str
    minute: int

    @property
    def time(self) -> str:
        return f"{self.minute // 60:02}:{self.minute % 60:02}"

    @property
    def spoken(self) -> str:
        """As a sentence says it; a full hour has no minutes."""
        hour, minute = divmod(self.minute, 60)
        return f"um {hour} Uhr {minute}" if minute else f"um {hour} Uhr "

    @property
    def instant(self) -> datetime:
        wall = datetime.fromisoformat(f"{self.day}T{self.time}")
        return wall.replace(tzinfo=BERLIN)

    @classmethod
    def of(cls, instant: datetime) -> When:
        local = instant.astimezone(BERLIN)
        return cls(local.date().isoformat(), local.hour * 60 + local.minute)


@dataclass(eq=False)
class Busy:
    """Something that takes a stylist's time: an appointment, a guest's booking, or an offer (`until`: a hold).

    What the marks of an appointment mean for a question, until everybody has looked (`settled` takes them all away, and
    with `gone` the appointment):

    | marks          | how it came about                    | its time, for others   | read out to its caller   |
    |----------------|--------------------------------------|------------------------|--------------------------|
    | none           | booked, or moved, and told           | taken                  | yes, at `when`           |
    | open           | told "noch offen"; it stands or goes | taken, and `elsewhere` | perhaps, or elsewhere    |
    | shaky + gone   | told "noch offen", and never made    | perhaps                | perhaps                  |
    | untold         | the salon changed it                 | taken, if Cal.com says | perhaps, or where it was |
    | untold + gone  | the salon cancelled it               | perhaps                | perhaps                  |
    | until          | an offer, as long as it is kept      | taken for other calls  | never                    |
    | until + shaky  | an offer that may have been dropped  | perhaps                | never                    |
    """

    service: str
    stylist: str
    when: When
    caller: str = ""
    call: str = ""
    uids: set[str] = field(default_factory=set)
    until: float | None = None
    shaky: bool = False
    """Nobody can say whether it takes the time: an open outcome, a hold that may have been dropped."""
    open: bool = False
    """Its caller was told "noch offen", and it has not been settled since."""
    gone: bool = False
    """It will not stand in the end; until then its time may be taken."""
    elsewhere: list[When] = field(default_factory=list)
    """Other times that it may take, as far as anybody knows."""
    untold: bool = False
    """Others changed it at Cal.com, and we may not have heard of it."""
    minutes: int = 0
    """Of a guest's booking: how long it is."""
    put_there: bool = False
    """It stands where the salon has put it, whatever else its customer has then."""

    def takes(self, when: When | None = None) -> list[tuple[int, int]]:
        """The minutes of the day that are its stylist's, from and to."""
        at = (when or self.when).minute
        if self.minutes:
            return [(at, at + self.minutes)]
        return [(at + after, at + after + length) for after, length in SERVICES[self.service].parts]

    def touches(self, stylist: str, other: Busy, *, own: When, at: When) -> bool:
        """Whether it, standing at `own`, overlaps the other, standing at `at`."""
        return (
            self.stylist == stylist
            and own.day == at.day
            and any(max(one[0], two[0]) < min(one[1], two[1]) for one in self.takes(own) for two in other.takes(at))
        )


@dataclass(eq=False)
class Question:
    """What a caller was last asked to confirm in a call."""

    token: str
    kind: str
    about: Busy
    to: When | None
    asked_at: float
    done: bool = False
    spoilt: bool = False
    """The appointment has become another one since."""


class Model:
    """The salon as it must be."""

    def __init__(self) -> None:
        self.standing: list[Busy] = []
        self.holds: list[Busy] = []
        self.misses: dict[tuple[str, str], int] = {}
        self.changes: dict[tuple[str, str], int] = {}
        self.callbacks: dict[tuple[str, str], set[str]] = {}
        self.promised: Counter[str] = Counter()
        """How often a caller was told "noch offen"."""
        self.touched: Counter[str] = Counter()
        """How often others changed what is a caller's."""

    # What is free

    def is_free(
        self, wanted: Busy, *, now: float, call: str, moving: Busy | None = None, asked_now: bool = False
    ) -> Is:
        """Whether its stylist could do it then, for this call. `asked_now`: Cal.com's own word decides, no kept one."""
        if not self.is_sold(wanted):
            return Is.TAKEN
        found = Is.FREE
        for each in self._in_the_way(wanted, but=moving):
            if each.until is not None and (each.call == call or now >= each.until + SURELY_OVER_S - KEPT_S):
                continue
            sure = not (each.shaky or each.gone or (each.untold and not asked_now))
            sure = sure and not (each.until is not None and now >= each.until)
            if sure and each.touches(wanted.stylist, wanted, own=each.when, at=wanted.when):
                return Is.TAKEN
            found = Is.MAYBE
        if moving is not None and len(wanted.takes()) > 1 and self._meets_itself(moving, wanted):
            return Is.MAYBE
        return found

    def is_sold(self, wanted: Busy) -> bool:
        """Whether all of its parts begin at times that are on sale."""
        return wanted.when.day in DAYS and all(
            FIRST <= start <= LAST and start % EVERY == 0 for start, _ in wanted.takes()
        )

    def anyone(self, service: str, stylists: tuple[str, ...], when: When, **how: object) -> Is:
        """Whether one of these stylists could."""
        found = {self.is_free(Busy(service, each, when), **how) for each in stylists}  # type: ignore[arg-type]
        return Is.FREE if Is.FREE in found else Is.MAYBE if Is.MAYBE in found else Is.TAKEN

    def on_day(self, service: str, stylists: tuple[str, ...], day: str, **how: object) -> Is:
        """Whether anything is free that day."""
        found = {self.anyone(service, stylists, When(day, minute), **how) for minute in range(FIRST, LAST + 1, EVERY)}
        return Is.FREE if Is.FREE in found else Is.MAYBE if Is.MAYBE in found else Is.TAKEN

    def at_calcom(self, wanted: Busy, *, but: Busy | None = None) -> bool:
        """Whether Cal.com sells it: it knows no holds. Not while anything there is open."""
        return self.is_sold(wanted) and all(each.until is not None for each in self._in_the_way(wanted, but=but))

    def _in_the_way(self, wanted: Busy, *, but: Busy | None) -> list[Busy]:
        return [
            each
            for each in (*self.standing, *self.holds)
            if each is not but
            and any(
                each.touches(wanted.stylist, wanted, own=place, at=wanted.when)
                for place in (each.when, *each.elsewhere)
            )
        ]

    @staticmethod
    def _meets_itself(moving: Busy, wanted: Busy) -> bool:
        return moving.touches(wanted.stylist, wanted, own=moving.when, at=wanted.when)

    # What is kept

    def keep(self, call: str, holds: list[Busy], *, now: float) -> None:
        """What a call is offered takes the place of what it was offered before."""
        self.holds = [each for each in self.holds if each.call != call and (each.until or 0) + 10 > now]
        for each in holds:
            each.call, each.until = call, now + KEPT_S
        self.holds += holds

    def shake_holds(self, call: str) -> None:
        """Something was booked or changed in this call; who knows what else it is still offered."""
        for each in self.holds:
            each.shaky = each.shaky or each.call == call

    def take(self, new: Busy) -> None:
        """It stands at Cal.com now, whoever was offered the time."""
        self.standing.append(new)
        self.drop_holds(new)

    def drop_holds(self, new: Busy) -> None:
        """Whoever was offered its time may not be able to have it any more."""
        for each in self.holds:
            each.shaky = each.shaky or each.touches(new.stylist, new, own=each.when, at=new.when)

    # Who has what

    def of(self, caller: str, *, now: datetime) -> list[Busy]:
        """A caller's own that will stand, and are to come."""
        return [each for each in self.standing if each.caller == caller and not each.gone and each.when.instant > now]

    def own(self, caller: str, service: str, when: When) -> Busy | None:
        """This caller's appointment for this service then, however it stands."""
        return next(
            (
                each
                for each in self.standing
                if each.caller == caller and each.service == service and when in (each.when, *each.elsewhere)
            ),
            None,
        )

    def may_hear(self, caller: str, said: Counter[When]) -> bool:
        """Whether this may be all that a caller hears of their own: what surely stands, or the earliest of it."""
        mine = [each for each in self.standing if each.caller == caller]
        sure = Counter(each.when for each in mine if not (each.open or each.untold or each.gone))
        maybe = Counter(place for each in mine for place in (each.when, *each.elsewhere))
        missing = sure - said
        enough = not missing or sum(number for when, number in said.items() if when <= min(missing)) >= LISTED
        return said <= maybe and enough

    def two_at_once(self) -> int:
        """How many times somebody has twice, since the salon has put one of them there. Nobody can forbid it that."""
        at: dict[tuple[str, str, When], list[Busy]] = {}
        for each in self.standing:
            for place in {each.when, *each.elsewhere} if each.caller else ():
                at.setdefault((each.caller, each.service, place), []).append(each)
        return sum(len(own) > 1 and any(each.put_there for each in own) for own in at.values())

    def settled(self) -> None:
        """Time enough has passed, and everybody has looked: nothing is open any more."""
        self.standing = [each for each in self.standing if not each.gone]
        for each in self.standing:
            each.open = each.shaky = each.untold = False
            each.elsewhere = []
        self.holds = []

    # Who may

    def may_try(self, caller: str, call: str, day: date) -> bool:
        return (
            self.misses.get((caller, day.isoformat()), 0) < MISSES_A_DAY
            and self.misses.get((caller, call), 0) < MISSES_A_CALL
        )

    def missed(self, caller: str, call: str, day: date) -> None:
        for key in ((caller, day.isoformat()), (caller, call)):
            self.misses[key] = self.misses.get(key, 0) + 1

    def may_change(self, caller: str, day: date) -> bool:
        return self.changes.get((caller, day.isoformat()), 0) < CHANGES_A_DAY

    def changed(self, caller: str, day: date) -> None:
        key = (caller, day.isoformat())
        self.changes[key] = self.changes.get(key, 0) + 1


def local_day(now: datetime) -> date:
    """The salon's date."""
    return now.astimezone(BERLIN).date()
