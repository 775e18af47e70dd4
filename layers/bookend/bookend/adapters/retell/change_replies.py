"""What is said about appointments that a caller has: found, moved, cancelled, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import assert_never

from bookend.adapters.retell.replies import Reply, Speaker, rounded_up
from bookend.application.change_outcomes import (
    AlreadyThere,
    AskAPerson,
    AskedTooLongAgo,
    CancelledNow,
    ChangeOutcome,
    Confirm,
    FindOutcome,
    Found,
    HasOneThere,
    KeptForLater,
    Moved,
    NewTimes,
    NotChanged,
    NotIdentified,
    NotNoted,
    NotTheLastQuestion,
    Own,
    WhichOne,
)
from bookend.application.outcomes import NeedInfo, NotATime, PastTime, SkippedTime, TooFarAhead, TwiceTime
from bookend.domain.appointment import ChangeKind
from bookend.domain.failures import FailureClass
from bookend.domain.policy import BeyondHorizon, CancelTooLate, MovedTooOften, MoveTooLate, TooSoon
from bookend.domain.saying import join_options, say_day, say_window
from bookend.domain.standing import OpenPoint
from bookend.domain.timeslot import Slot

FUNCTION = {ChangeKind.MOVE: "reschedule_appointment", ChangeKind.CANCEL: "cancel_appointment"}
_MOST_SAID = 5
"""Appointments a listener can take in."""
_MOST_OPEN_SAID = 3
"""The same of those of which something is open: each needs two sentences."""


class ChangeSpeaker(Speaker):
    """Speaks of a caller's own appointments, for one tenant."""

    def found(self, outcome: FindOutcome) -> Reply:
        """The reply to "which appointments do I have?"."""
        match outcome:
            case AskAPerson():
                return self._person("find_appointments")
            case Found(own, today):
                return self._found(own, today)
            case other:
                assert_never(other)

    def changed(self, kind: ChangeKind, outcome: ChangeOutcome) -> Reply:  # noqa: C901, PLR0911, PLR0912 - one row an outcome
        """The reply to a wish to move or cancel."""
        match outcome:
            case NotIdentified():
                return self._reply("not_found", self._say("not_identified"))
            case NotTheLastQuestion():
                return self._reply("not_found", self._say("not_the_last_question"))
            case NotNoted(wished, about, today):
                said = [*self._what_is_open(about, today), self._say(f"not_noted_{wished.value}")]
                return self._reply("pending", " ".join(said), callback=True)
            case AskAPerson():
                return self._person(FUNCTION[kind])
            case WhichOne(slots, today):
                sentence = self._say("which_one", times=self._listed_times(slots[:_MOST_SAID], today))
                return self._reply("need_info", sentence, missing="time")
            case NewTimes():
                return self._new_times(outcome)
            case Confirm():
                return self._question_to_confirm(outcome)
            case AskedTooLongAgo():
                return self._reply("need_info", self._say("asked_too_long_ago"), missing="date")
            case AlreadyThere(slot, today):
                return self._reply("unchanged", self._say("already_there", time=self._dated(slot.start, today)))
            case HasOneThere(slot, today):
                return self._reply("already_booked", self._say("has_one", time=self._dated(slot.start, today)))
            case Moved(new, staff, today):
                sentence = self._say("moved", time=self._dated(new.start, today), staff=self._name_of(staff))
                return self._reply("moved", sentence, start=self._local(new.start))
            case CancelledNow(slot, today):
                sentence = self._say("cancelled", time=self._dated(slot.start, today))
                return self._reply("cancelled", sentence, start=self._local(slot.start))
            case NotChanged():
                return self._not_changed(outcome)
            case KeptForLater(_, current, until, today):
                said = [self._say(f"kept_{outcome.kind.value}")]
                if current is None:  # what was sent already may end sooner, or be known later
                    return self._reply("pending", " ".join([*said, self._say("you_will_hear")]))
                said += [self._say("you_will_hear_by", until=self._dated(rounded_up(until), today))]
                said += [self._say("until_then", current=self._dated(current.start, today))]
                return self._reply("pending", " ".join(said), until=self._local(until))
            case NeedInfo():
                return self._question(outcome)
            case NotATime() | PastTime() | SkippedTime() | TwiceTime() | TooFarAhead():
                return self._time_trouble(outcome)
            case other:
                assert_never(other)

    def _found(self, own: Sequence[Own], today: date) -> Reply:
        """Those that stand, then each of which something is open: that is never said flatly.

        Days and times alone: who calls from a number has shown nothing yet but the number (reliability 6.2).
        """
        sure = [each for each in own if each.open is None][:_MOST_SAID]
        unsure = [each for each in own if each.open is not None][:_MOST_OPEN_SAID]
        own = [each for each in own if each in sure or each in unsure]
        said = []
        if sure or not unsure:
            key = ("found_none", "found_one")[len(sure)] if len(sure) < 2 else "found_many"
            said.append(self._say(key, times=self._all([self._dated(each.slot.start, today) for each in sure] or [""])))
        said += [sentence for each in unsure for sentence in self._what_is_open(replace(each, service=""), today)]
        if apart := [self._dated(each.slot.start, today) for each in own if each.changed]:
            said.append(self._say("found_changed", times=self._all(apart)))
        booked = [self._local(each.slot.start) for each in own if each.open is not OpenPoint.BOOKING]
        reply = self._reply("ok", " ".join(said), appointments=booked)
        if unsure:
            reply["open"] = [{"start": self._local(e.slot.start), "what": str(e.open)} for e in unsure]
        return reply

    def _what_is_open(self, own: Own, today: date) -> Iterator[str]:
        """What nobody knows yet of it, and how its caller will know."""
        point = own.open or OpenPoint.BOOKING
        yield self._say(
            f"open_{point.value}", what=self._for_what(own.service), time=self._dated(own.slot.start, today)
        )
        yield self._say(f"open_{point.value}_message" if own.message else "ask_again_soon")

    def _new_times(self, outcome: NewTimes) -> Reply:
        asked, offers, today = outcome.asked, outcome.offers, outcome.today
        if not offers:
            return self._reply("need_info", self._say("nothing_that_day"), missing="new_date", offers=[])
        as_wished, besides = self._parted(offers, asked, outcome.window)
        if outcome.window is not None and besides:
            part = say_window(outcome.window, self._language)
            sentence = self._part_of_day("possible", part, as_wished, besides, asked, today)
        else:
            sentence = self._say("possible", times=self._times(offers, asked, today))
        follow = self._say("suits_it" if len(offers) == 1 else "suits_which")
        listed = self._listed(offers, asked, today)
        return self._reply("need_info", f"{sentence} {follow}", missing="new_time", offers=listed)

    def _for_what(self, service: str) -> str:
        """ " für Dauerwelle"; nothing, where the branch does not sell it any more, or never has."""
        known = self._tenant.service(service)
        return self._sentences["for_what"].format(service=self._aloud(known.name)) if known else ""

    def _person(self, function: str) -> Reply:
        return self._reply("not_allowed", self._say(f"{function}.not_allowed"), callback=True)

    def _question_to_confirm(self, outcome: Confirm) -> Reply:
        old, what = self._dated(outcome.current.start, outcome.today), self._for_what(outcome.service)
        if outcome.new is None:
            sentence = self._say("confirm_cancel", old=old, what=what)
        else:
            new = self._dated(outcome.new.start, outcome.today)
            sentence = self._say("confirm_move", old=old, new=new, what=what)
        return self._reply("need_info", sentence, missing="confirmation", confirmation_token=outcome.token)

    def _not_changed(self, outcome: NotChanged) -> Reply:
        said = [self._why_not(outcome)]
        temporary = outcome.failure is FailureClass.TEMPORARY
        if temporary and outcome.open:
            said.append(self._say("perhaps_done"))
        if temporary and outcome.token is not None:
            said.append(self._say("keep_it"))
        stays = outcome.failure in {FailureClass.SLOT_TAKEN, FailureClass.POLICY} and outcome.current is not None
        if stays and outcome.current is not None:
            said.append(self._say("stays", current=self._dated(outcome.current.start, outcome.today)))
        asked = self._day(outcome.wanted.start) if outcome.wanted is not None else outcome.today
        if outcome.offers:
            named = self._day(outcome.current.start) if stays and outcome.current is not None else None
            said.append(self._say("instead", times=self._times(outcome.offers, asked, outcome.today, named=named)))
        reply = self._reply(outcome.failure.value, " ".join(said))
        if outcome.retry_after_s is not None:
            reply["retry_after_seconds"] = round(outcome.retry_after_s)
        if outcome.token is not None:
            reply |= {"confirmation_token": outcome.token, "can_be_kept_for_later": True}
        if outcome.failure is FailureClass.SLOT_TAKEN:
            reply["offers"] = self._listed(outcome.offers, asked, outcome.today)
        return reply

    def _why_not(self, outcome: NotChanged) -> str:
        function, failure = FUNCTION[outcome.kind], outcome.failure
        if failure is FailureClass.TEMPORARY:
            return self._say("temporary")
        if failure is FailureClass.POLICY and outcome.refusal is not None:
            return self._rule(outcome)
        wanted = outcome.wanted
        time = self._dated(wanted.start, outcome.today) if wanted is not None else ""
        return self._say(f"{function}.{failure.value}", wanted=time)

    def _rule(self, outcome: NotChanged) -> str:
        match outcome.refusal:
            case MoveTooLate(until) | CancelTooLate(until):
                return self._say("too_late", until=self._dated(until, outcome.today))
            case MovedTooOften():
                return self._say("moved_too_often")
            case TooSoon(earliest):
                return self._say("move_too_soon", time=self._dated(rounded_up(earliest), outcome.today))
            case BeyondHorizon(last):
                return self._say("move_too_far", last=say_day(last, self._language, today=outcome.today))
            case None:
                return self._say(f"{FUNCTION[outcome.kind]}.policy")
            case other:
                assert_never(other)

    def _listed_times(self, slots: Iterable[Slot], today: date) -> str:
        return join_options([self._dated(each.start, today) for each in slots], self._language)
