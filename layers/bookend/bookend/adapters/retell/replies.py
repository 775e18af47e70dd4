"""From an outcome to what Retell gets: a status for the agent's logic and a sentence that may be read aloud as it is.

Every sentence says what the state bears out, in the tenant's language, with weekday and date wherever the day is not
the one asked for. Statuses are listed in docs/voice.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias, assert_never

from bookend.adapters.retell.catalogue import CATALOGUE
from bookend.application.outcomes import (
    AgainstPolicy,
    Booked,
    BookOutcome,
    CheckOutcome,
    Forbidden,
    HasOne,
    Missing,
    NeedInfo,
    NotATime,
    NotBooked,
    NothingFree,
    Offers,
    PastTime,
    Reason,
    ServiceList,
    SkippedTime,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
    TooFarAhead,
    TwiceTime,
)
from bookend.domain.availability import Offer, is_inside
from bookend.domain.policy import BeyondHorizon, NumberWithheld, TooManyOpen, TooSoon
from bookend.domain.saying import (
    Language,
    join_options,
    say_day,
    say_name,
    say_relative_day,
    say_slot,
    say_slots,
    say_time,
    say_window,
)
from bookend.domain.tenant import Tenant

Reply: TypeAlias = dict[str, Any]
_MOST_NAMES = 8
"""Names a listener can take in."""
_MOST_LISTED = 60
"""Names sent for the agent's logic; with the longest ones a tenant may have, two lists stay below MAX_CHARACTERS."""
_ROUND = timedelta(minutes=5)
MAX_CHARACTERS = 15_000
"""Longest answer Retell passes on (contracts: retell 1.6)."""


def unknown_tenant() -> Reply:
    """A signed call to a line that no tenant has: said in both languages, since we cannot know which."""
    sentences = [CATALOGUE[language]["unknown_tenant"] for language in Language]
    return {"status": "not_allowed", "message": " ".join(sentences)}


def no_tenant_known() -> Reply:
    """The store does not answer, so nobody knows whose call this is: the same, in both languages."""
    return {
        "status": "temporary_error",
        "message": " ".join(CATALOGUE[language]["temporary"] for language in Language),
    }


class Speaker:
    """Speaks for one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._language = tenant.language
        self._sentences = CATALOGUE[tenant.language]

    def unknown_function(self) -> Reply:
        """A tool that is not ours: an agent's configuration is wrong."""
        return self._reply("error", self._say("unknown_function"))

    def temporary(self, retry_after_s: float | None = None) -> Reply:
        """Nothing was done."""
        reply = self._reply("temporary_error", self._say("temporary"))
        return reply if retry_after_s is None else reply | {"retry_after_seconds": round(retry_after_s)}

    def reply(self, outcome: CheckOutcome | BookOutcome | ServiceList) -> Reply:  # noqa: C901, PLR0911 - one row an outcome
        """The reply to an outcome."""
        match outcome:
            case Offers():
                return self._offers(outcome)
            case NothingFree(service, asked, until, today):
                first, last = (say_day(day, self._language, today=today) for day in (asked, until))
                sentence = self._say("nothing_free", first=first, last=last, service=self._aloud(service.name))
                return self._reply("unavailable", sentence, offers=[])
            case Booked(appointment, today):
                booked = self._tenant.service(appointment.service)
                sentence = self._say(
                    "booked",
                    service=self._aloud(booked.name if booked else appointment.service),
                    time=self._dated(appointment.slot.start, today),
                    staff=self._name_of(appointment.staff),
                )
                return self._reply("booked", sentence, start=self._local(appointment.slot.start))
            case SlotTaken():
                return self._taken(outcome)
            case Forbidden(rule, slot, _, offers, today):
                sentence = self._say(f"rule_{rule.value}", time=self._dated(slot.start, today))
                return self._with_offers("policy", sentence, offers, self._day(slot.start), today, reason=rule.value)
            case AgainstPolicy():
                return self._against_policy(outcome)
            case NotBooked():
                return self._reply("error", self._say("not_booked", callback=self._callback()))
            case StillOpen(slot, today):
                return self._reply("pending", self._say("still_open", time=self._dated(slot.start, today)))
            case HasOne(slot, today):
                return self._reply("already_booked", self._say("has_one", time=self._dated(slot.start, today)))
            case TemporaryTrouble(retry_after_s):
                return self.temporary(retry_after_s) | {"callback": True}
            case NeedInfo():
                return self._question(outcome)
            case NotATime() | PastTime() | SkippedTime() | TwiceTime() | TooFarAhead():
                return self._time_trouble(outcome)
            case ServiceList(services, staff):
                names = [service.name for service in services]
                return self._reply(
                    "ok", self._services(names), services=names[:_MOST_LISTED], staff=list(staff[:_MOST_LISTED])
                )
            case _:
                assert_never(outcome)

    def _offers(self, outcome: Offers) -> Reply:
        offers, asked, today = outcome.offers, outcome.asked, outcome.today
        service = self._aloud(outcome.service.name)
        times = self._times(offers, asked, today)
        on_day = any(self._day(each.slot.start) == asked for each in offers)
        as_wished, besides = self._parted(offers, asked, outcome.window)
        as_asked = outcome.exact if outcome.at is not None else bool(as_wished)
        if outcome.exact and outcome.at is not None:
            exact = say_slot(outcome.at, self._tenant.zone, self._language, asked_day=None, today=today)
            others = [each for each in offers if each.slot.start != outcome.at]
            key = "free_exact_or" if others else "free_exact"
            sentence = self._say(
                key, time=exact, service=service, others=self._times(others, asked, today) if others else ""
            )
        elif not outcome.sure:
            sentence = self._say("free_perhaps_more", service=service, times=times)
        elif outcome.at is not None:
            wanted = say_slot(outcome.at, self._tenant.zone, self._language, asked_day=asked, today=today)
            sentence = self._say("free_instead", wanted=wanted, service=service, times=times)
        elif outcome.window is not None and on_day and besides:
            part = say_window(outcome.window, self._language)
            sentence = self._part_of_day("free", part, as_wished, besides, asked, today, service=service)
        elif as_asked:
            sentence = self._say("free_on_day", service=service, times=times)
        else:
            day = self._day_opening(asked, today)
            sentence = self._say("free_other_day", day=day, service=service, times=times)
        if not outcome.exact:
            sentence += " " + self._say("suits_it" if len(offers) == 1 else "suits_which")
        return self._reply(
            "available" if as_asked else "alternatives",
            sentence,
            offers=self._listed(offers, asked, today, first=outcome.at),
        )

    def _parted(
        self, offers: Sequence[Offer], asked: date, window: tuple[time, time] | None
    ) -> tuple[list[Offer], list[Offer]]:
        """Those on the day and in the part of it that were asked for, and the others."""
        wished = [
            each
            for each in offers
            if self._day(each.slot.start) == asked
            and (window is None or is_inside(each.slot.start, window, zone=self._tenant.zone))
        ]
        return wished, [each for each in offers if each not in wished]

    def _part_of_day(  # noqa: PLR0917 - what is said of each
        self, key: str, part: str, as_wished: list[Offer], besides: list[Offer], asked: date, today: date, **values: str
    ) -> str:
        """What is not in the part of the day that was asked for is never said as if it were."""
        others = self._times(besides, asked, today)
        if not as_wished:
            return self._say(f"{key}_not_in_part", part=part, times=others, **values)
        return self._say(
            f"{key}_in_part", part=part, times=self._times(as_wished, asked, today), others=others, **values
        )

    def _taken(self, outcome: SlotTaken) -> Reply:
        asked = self._day(outcome.slot.start)
        time = say_slot(outcome.slot.start, self._tenant.zone, self._language, asked_day=asked, today=outcome.today)
        sentence = self._say("taken_race" if outcome.reason is Reason.RACE else "taken", time=time)
        return self._with_offers(
            "slot_taken", sentence, outcome.offers, asked, outcome.today, reason=outcome.reason.value
        )

    def _against_policy(self, outcome: AgainstPolicy) -> Reply:
        match outcome.refusal:
            case NumberWithheld():
                sentence = self._say("policy_number_withheld", callback=self._callback())
                return self._reply("policy", sentence, reason="number_withheld", offers=[], callback=True)
            case TooManyOpen(most):
                key = "policy_one_open" if most == 1 else "policy_too_many_open"
                values = {"callback": self._callback()} | ({} if most == 1 else {"most": str(most)})
                return self._reply("policy", self._say(key, **values), reason="too_many_open", offers=[])
            case TooSoon(earliest):
                earliest_said = self._dated(rounded_up(earliest), outcome.today)
                sentence = self._say("policy_too_soon", when=self._when(outcome), time=earliest_said)
                reason, named = "too_soon", self._day(rounded_up(earliest))
            case BeyondHorizon(last):
                last_said = say_day(last, self._language, today=outcome.today)
                sentence = self._say("policy_too_far", when=self._when(outcome), last=last_said)
                reason, named = "too_far", last
            case _:
                assert_never(outcome.refusal)
        return self._with_offers(
            "policy", sentence, outcome.offers, outcome.asked, outcome.today, reason=reason, named=named
        )

    def _when(self, outcome: AgainstPolicy) -> str:
        """The wish as an adverbial: the very time with its day, or the day alone."""
        if outcome.at is not None:
            return self._dated(outcome.at, outcome.today)
        return self._day_opening(outcome.asked, outcome.today)

    def _day_opening(self, day: date, today: date) -> str:
        """A day at the beginning of a sentence: "Heute", "Am Montag, 27. Oktober,"."""
        said = say_relative_day(day, self._language, today=today)
        return said + "," if self._language is Language.DE and "," in said else said

    def _with_offers(
        self,
        status: str,
        sentence: str,
        offers: Sequence[Offer],
        asked: date,
        today: date,
        *,
        reason: str,
        named: date | None = None,
    ) -> Reply:
        """`named`: the day that the sentence has named last, if it is not the one asked for."""
        times = self._times(offers, asked, today, named=named) if offers else ""
        follow = self._say("instead", times=times) if offers else self._say("ask_other_time")
        return self._reply(
            status,
            f"{sentence} {follow}",
            reason=reason,
            offers=self._listed(offers, asked, today),
        )

    def _question(self, outcome: NeedInfo) -> Reply:
        missing, known = outcome.missing, outcome.known
        if missing in {Missing.SERVICE, Missing.STAFF} and not known:
            return self._reply("not_allowed", self._say("no_services", callback=self._callback()))
        heard = [self._aloud(each) for each in known[:_MOST_NAMES]]
        if outcome.unknown:
            sentence = f"{self._say('unknown_service')} {self._services(list(known))} {self._say('which_of_them')}"
        elif outcome.beyond:
            key = "done_by_one" if len(known) == 1 else "done_by_several"
            sentence = self._say(key, service=self._aloud(outcome.beyond), known=self._all(heard))
        else:
            options = join_options(heard, self._language) if heard else ""
            sentence = self._say(f"need_{missing.value}", known=options)
        reply = self._reply("need_info", sentence, missing=missing.value)
        return reply | {"known": list(known[:_MOST_LISTED])} if known else reply

    def _services(self, names: list[str]) -> str:
        if not names:
            return self._say("no_services", callback=self._callback())
        listed = self._all([self._aloud(each) for each in names[:_MOST_NAMES]])
        return self._say("services" if len(names) <= _MOST_NAMES else "some_services", services=listed)

    def _all(self, said: Sequence[str]) -> str:
        """All of them, and not a choice."""
        *others, last = said
        return f"{', '.join(others)} {self._sentences['and']} {last}" if others else last

    def _aloud(self, name: str) -> str:
        return say_name(name, self._language)

    def _time_trouble(self, outcome: NotATime | PastTime | SkippedTime | TwiceTime | TooFarAhead) -> Reply:
        missing = "time" if isinstance(outcome, SkippedTime | TwiceTime) else "date"
        match outcome:
            case NotATime():
                key, values = "not_a_time", {}
            case PastTime(today):
                key, values = "past", {"today": say_day(today, self._language, today=today, with_year=True)}
            case TooFarAhead(today):
                key, values = (
                    "too_far",
                    {"today": say_day(today, self._language, today=today, with_year=True)},
                )
            case SkippedTime():
                key, values = "skipped_time", {}
            case TwiceTime(earlier, later):
                both = [say_time(each, self._tenant.zone, self._language) for each in (earlier, later)]
                key, values = "twice_time", {"times": join_options(both, self._language)}
            case _:
                assert_never(outcome)
        return self._reply("need_info", self._say(key, **values), missing=missing)

    def _offer(self, offer: Offer, asked: date, today: date) -> dict[str, str]:
        return {
            "offer_id": offer.id,
            "start": self._local(offer.slot.start),
            "spoken": say_slot(offer.slot.start, self._tenant.zone, self._language, asked_day=asked, today=today),
            "staff": self._tenant.member(offer.staff).name,
        }

    def _times(self, offers: Sequence[Offer], asked: date, today: date, *, named: date | None = None) -> str:
        """The times as the day goes, with their days: only where nothing but the day asked for was named (`named`: what
        was named last), and all of them are on it, is it left out."""
        starts = [each.slot.start for each in offers]
        unnamed = asked if named in {None, asked} else None
        return say_slots(starts, self._tenant.zone, self._language, asked_day=unnamed, today=today)

    def _listed(
        self, offers: Sequence[Offer], asked: date, today: date, *, first: datetime | None = None
    ) -> list[dict[str, str]]:
        """The offers in the order they are said in: the very time that was asked for, then as the day goes."""
        said = sorted(offers, key=lambda each: (each.slot.start != first, each.slot.start))
        return [self._offer(each, asked, today) for each in said]

    def _dated(self, instant: datetime, today: date) -> str:
        return say_slot(instant, self._tenant.zone, self._language, asked_day=None, today=today)

    def _day(self, instant: datetime) -> date:
        return instant.astimezone(self._tenant.zone).date()

    def _local(self, instant: datetime) -> str:
        return instant.astimezone(self._tenant.zone).isoformat(timespec="minutes")

    def _name_of(self, staff: str) -> str:
        """The stylist's name; the salon's, where they work at another branch or no longer: others may have moved it."""
        return next((each.name for each in self._tenant.staff if each.id == staff), self._tenant.name)

    def _callback(self) -> str:
        return self._tenant.callback.get(self._language) or self._sentences["callback"]

    def _say(self, key: str, **values: str) -> str:
        return _capital(self._sentences[key].format(**values))

    def _reply(self, status: str, message: str, **more: Any) -> Reply:
        return {"status": status, "message": message, **more}


def rounded_up(instant: datetime) -> datetime:
    """The next full five minutes: nobody says "um 10 Uhr 17", and what is said must still hold while it is heard."""
    over = (instant - datetime.min.replace(tzinfo=instant.tzinfo)) % _ROUND
    return instant + (_ROUND - over if over else over)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
