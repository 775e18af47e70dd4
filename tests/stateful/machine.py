"""Several callers, the salon at its own calendar, Cal.com's events and the schedules, against the model.

Everything goes through the signed doors. After each rule the invariants are looked at; in the end everybody has looked
at everything, and what stands on both sides, and what callers were promised, must be what the model says.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from bookend.application.ports import CancelAnswer
from bookend.domain.answers import Answered, CreateAnswer, Unclear
from tests.application.changes import answers
from tests.stateful.model import ANSWER_WITHIN_S, DAYS, FIRST, NAMES, SERVICES, Busy, Is, Question, When
from tests.stateful.salon import SEEN, SalonMachine, pick, whens
from tests.support.calendar import FakeCalendar, lost_after, lost_before, lost_but_shown
from tests.support.retell import phone_call

CALLERS = {
    "+4915700000001": "Erika Muster",
    "+4915700000002": "Bodo Beispiel",
    "+4915700000003": "Jutta Probe",
}
CANNOT_BE_TOLD = {"available", "alternatives", "unavailable", "booked", "slot_taken", "moved", "cancelled"}

LONGEST = 135
"""Minutes of the longest service, from its first part to its last."""
_REPEATS = 4
"""A request that nobody answers may be sent again in its turn."""

callers = st.sampled_from(sorted(CALLERS))
lines = st.integers(0, 1)
services = st.sampled_from(["Herrenhaarschnitt", "Herrenhaarschnitt", "Damenhaarschnitt", "Beratung", "Dauerwelle"])


class VoiceMachine(SalonMachine):
    """Three callers with two telephones each."""

    @initialize()
    def nobody_rings_yet(self) -> None:
        self.calls: dict[tuple[str, int], int] = {}
        self.offers: dict[str, dict[str, Busy]] = {}
        self.questions: dict[str, Question] = {}

    def _spoil(self, one: Busy) -> None:
        for each in self.questions.values():
            each.spoilt = each.spoilt or each.about is one

    def call_of(self, caller: str, line: int) -> str:
        return f"call_{caller[-1]}_{line}_{self.calls.setdefault((caller, line), 1)}"

    def say(self, caller: str, line: int, function: str, **args: Any) -> dict[str, Any]:
        """One function of the agent, signed; its answer is for a person, whatever it is."""
        call = phone_call(self.call_of(caller, line), from_number=caller)
        answer = self.doors.function(function, args, call=call)
        assert answer.status == 200
        assert answer.json["message"]
        SEEN[f"{function}: {answer.json['status']}"] += 1
        return answer.json

    def offered(self, service: str, answer: dict[str, Any]) -> list[tuple[str, Busy]]:
        """The offers of an answer, as the model knows them."""
        stylists = {name: stylist for stylist, name in NAMES.items()}
        found = []
        for each in answer.get("offers", []):
            when = When.of(datetime.fromisoformat(each["start"]))
            found.append((each["offer_id"], Busy(service, stylists[each["staff"]], when)))
        return found

    def hears_offers(self, call: str, service: str, answer: dict[str, Any], *, moving: Busy | None = None) -> None:
        """What is offered is free as far as anybody can know, at different times, and is kept from now on."""
        new = self.offered(service, answer)
        assert len({each.when for _, each in new}) == len(new) <= 3
        for _, each in new:
            free = self.model.is_free(each, now=self.seconds, call=call, moving=moving)
            assert free is not Is.TAKEN, f"offered {each.when} with {each.stylist}, which is taken"
        self.model.keep(call, [each for _, each in new], now=self.seconds)
        self.offers[call] = dict(new)

    def stylist_of(self, answer: dict[str, Any]) -> str:
        """Whom the sentence names."""
        (found,) = [stylist for stylist, name in NAMES.items() if name in answer["message"]]
        return found

    # What callers do

    @rule(caller=callers, line=lines, service=services, when=whens, timed=st.booleans(), by_name=st.booleans())
    def checks(self, caller: str, line: int, service: str, when: When, timed: bool, by_name: bool) -> None:
        call, kind = self.call_of(caller, line), SERVICES[service]
        asked = kind.stylists[:1] if by_name else kind.stylists
        how = {"now": self.seconds, "call": call}
        at = self.model.anyone(service, asked, when, **how)
        day = self.model.on_day(service, asked, when.day, **how)
        said = {"service": service, "date": when.day} | ({"time": when.time} if timed else {})
        answer = self.say(caller, line, "check_availability", **said, **({"staff": NAMES[asked[0]]} if by_name else {}))
        free = at if timed else day
        wanted = {Is.FREE: {"available"}, Is.TAKEN: {"alternatives", "unavailable"}}
        assert answer["status"] in wanted.get(free, CANNOT_BE_TOLD), (answer, free)
        self.hears_offers(call, service, answer)
        offers = self.offered(service, answer)
        assert bool(offers) is (answer["status"] != "unavailable")
        assert {each.stylist for _, each in offers} <= set(asked)
        if answer["status"] == "available":
            assert any(each.when == when if timed else each.when.day == when.day for _, each in offers)
        self.after()

    @rule(caller=callers, line=lines, service=services, when=whens, by_name=st.booleans(), fate=st.integers(0, 9))
    def books(self, caller: str, line: int, service: str, when: When, by_name: bool, fate: int) -> None:
        stylists = SERVICES[service].stylists[:1] if by_name else SERVICES[service].stylists
        said = {"service": service, "date": when.day, "time": when.time}
        said |= {"staff": NAMES[stylists[0]]} if by_name else {}
        self._book(caller, line, service, stylists, when, said, fate)

    @rule(caller=callers, line=lines, which=pick)
    def books_what_they_have(self, caller: str, line: int, which: int) -> None:
        if mine := self.model.of(caller, now=self.now):
            own = mine[which % len(mine)]
            self.books(caller, line, own.service, own.when, by_name=own.stylist == "fabian", fate=9)

    @rule(caller=callers, line=lines, service=services, when=whens, which=pick, fate=st.integers(0, 9))
    def takes_an_offer(self, caller: str, line: int, service: str, when: When, which: int, fate: int) -> None:
        """One that was heard before, or is heard now."""
        if not self.offers.get(self.call_of(caller, line)):
            self.checks(caller, line, service, when, timed=True, by_name=False)
        offers = self.offers[self.call_of(caller, line)]
        if not offers:
            return
        name, offer = list(offers.items())[which % len(offers)]
        kept = offer in self.model.holds and not offer.shaky and offer.until is not None and self.seconds < offer.until
        SEEN["an offer that is kept is taken"] += kept
        self._book(caller, line, offer.service, SERVICES[offer.service].stylists, offer.when, {"offer_id": name}, fate)

    def _book(
        self,
        caller: str,
        line: int,
        service: str,
        stylists: tuple[str, ...],
        when: When,
        said: dict[str, Any],
        fate: int,
    ) -> None:
        call, model = self.call_of(caller, line), self.model
        own = model.own(caller, service, when)
        how = {"now": self.seconds, "call": call, "asked_now": True}
        free = model.anyone(service, stylists, when, **how)
        meant = [each for each in self.offers.get(call, {}).values() if (each.service, each.when) == (service, when)]
        if meant and free is Is.FREE:
            # An offer is its stylist's: that another one would be free is no promise.
            free = model.is_free(meant[0], **how) if model.is_free(meant[0], **how) is Is.FREE else Is.MAYBE
        fault = {0: lost_but_shown, 1: lost_after, 2: lost_before}.get(fate)
        if fault is not None:
            self.salon.calendar.faults.append(fault)
        before = len(self.salon.calendar.bookings)
        answer = self.say(caller, line, "book_appointment", **said, name=CALLERS[caller])
        status, struck = answer["status"], fault is not None and not self.salon.calendar.faults
        self.salon.calendar.faults.clear()
        made = len(self.salon.calendar.bookings) - before == len(SERVICES[service].parts)
        if own is not None and not made:
            self._hears_of_ones_own(own, when, answer)
        elif status == "booked" and not made:
            # The same wish as earlier in this call; the appointment it led to is where it says, moved since.
            own = model.own(caller, service, When.of(datetime.fromisoformat(answer["start"])))
            assert own is not None, "told booked, and nothing is booked"
            assert (own.call, own.stylist) == (call, self.stylist_of(answer))
        elif struck and status == "pending":
            # An answer was lost, and no offer was needed to know it: its time is not for anybody else.
            SEEN[f"a booking is open, and was {'made' if made else 'not made'}"] += 1
            stylist = self._made_with(before) or stylists[0]
            stands = Busy(service, stylist, when, caller, call, self._uids(before), open=True)
            model.promised[caller] += 1
            stands.gone = stands.shaky = not made
            if not made:
                for each in stylists[1:]:
                    model.standing.append(Busy(service, each, when, shaky=True, gone=True))
            model.take(stands)
            model.shake_holds(call)
        elif status == "booked":
            assert model.is_free(Busy(service, self.stylist_of(answer), when), **how) is not Is.TAKEN, answer
            assert free is not Is.TAKEN, f"booked {when}, which is taken"
            assert When.of(datetime.fromisoformat(answer["start"])) == when
            model.take(Busy(service, self.stylist_of(answer), when, caller, call, self._uids(before)))
            model.shake_holds(call)
        elif status == "already_booked" and not made:
            # The same wish as earlier in this call, with another stylist: it stands elsewhere since.
            heres = [e for e in model.standing if (e.caller, e.call, e.service) == (caller, call, service)]
            places = {place for each in heres for place in (each.when, *each.elsewhere)}
            assert any(place.spoken in answer["message"] for place in places), (answer, places)
        else:
            assert status == "slot_taken", answer
            assert free is not Is.FREE, f"{when} is free: {answer}"
            assert not made
            self.hears_offers(call, service, answer)
            assert when not in {each.when for each in self.offers[call].values()}
        if own is not None and "offers" in answer:
            self.hears_offers(call, service, answer)
        self.after()

    def _hears_of_ones_own(self, own: Busy, when: When, answer: dict[str, Any]) -> None:
        """The same wish again, in this call or another: nothing is made, and what is said is so."""
        open_ = own.open or own.shaky or own.gone or own.untold or own.when != when
        assert answer["status"] in {"booked", "already_booked"} or open_, answer
        if answer["status"] == "pending":
            self.model.promised[own.caller] += 1

    def _uids(self, before: int) -> set[str]:
        return set(list(self.salon.calendar.bookings)[before:])

    def _made_with(self, before: int) -> str | None:
        hosts = {each.calcom_user: each.id for each in self.salon.tenant.staff}
        return next((hosts[self.salon.calendar.bookings[uid].host or 0] for uid in self._uids(before)), None)

    def asks_for_ones_own(self, caller: str, line: int) -> None:
        answer = self.say(caller, line, "find_appointments")
        said = Counter(When.of(datetime.fromisoformat(each)) for each in answer.get("appointments", []))
        assert self.model.may_hear(caller, said), said
        for one, other in ((a, b) for a in CALLERS for b in CALLERS if a != b):
            assert not (one == caller and CALLERS[other] in answer["message"])
        self.after()

    @rule(caller=callers, line=lines, which=pick, to=whens, at_once=st.booleans(), fate=st.integers(0, 9))
    def wants_to_move(self, caller: str, line: int, which: int, to: When, at_once: bool, fate: int) -> None:
        self._names_one(caller, line, which, "reschedule_appointment", to)
        if at_once:
            self.says_yes(caller, line, fate)

    @rule(caller=callers, line=lines, which=pick, at_once=st.booleans(), fate=st.integers(0, 9))
    def wants_to_cancel(self, caller: str, line: int, which: int, at_once: bool, fate: int) -> None:
        self._names_one(caller, line, which, "cancel_appointment", None)
        if at_once:
            self.says_yes(caller, line, fate)

    def _names_one(self, caller: str, line: int, which: int, function: str, to: When | None) -> None:
        mine = self.model.of(caller, now=self.now)
        sure = [each for each in mine if not (each.open or each.untold)]
        if not sure:
            self.books(caller, line, "Herrenhaarschnitt", to or When(DAYS[1], FIRST), by_name=False, fate=9)
            return
        one, call, model = sure[which % len(sure)], self.call_of(caller, line), self.model
        may = model.may_try(caller, call, self.today)
        said = {"name": CALLERS[caller], "date": one.when.day, "time": one.when.time}
        said |= {} if to is None else {"new_date": to.day, "new_time": to.time}
        goes = Busy(one.service, one.stylist, to or one.when)
        free = model.is_free(goes, now=self.seconds, call=call, moving=one, asked_now=True)
        answer = self.say(caller, line, function, **said)
        theirs = [each for each in model.standing if each.caller == caller and each is not one]
        others = {place for each in theirs for place in (each.when, *each.elsewhere)}
        if not may:
            assert answer["status"] == "not_allowed"
        elif [each.when for each in mine].count(one.when) > 1 or one.when in others:
            assert answer["status"] in {"need_info", "unchanged", "slot_taken", "pending"}, answer
            # Which of them is meant nobody can say here, nor how long what is kept for it may be.
            kept = [each for _, each in self.offered(one.service, answer)]
            kept += [Busy(one.service, each, to) for each in NAMES] if to and "confirmation_token" in answer else []
            for each in kept:
                each.shaky, each.minutes = True, LONGEST
            if kept:
                model.keep(call, kept, now=self.seconds)
            self.offers.pop(call, None)
            model.shake_holds(call)
            self.questions.pop(call, None)
        elif to == one.when:
            assert answer["status"] == "unchanged"
        elif to is None or free is Is.FREE or (free is Is.MAYBE and "confirmation_token" in answer):
            assert answer.get("missing") == "confirmation", answer
            if to is not None:
                model.keep(call, [goes], now=self.seconds)
                self.offers.pop(call, None)
            self.questions[call] = Question(answer["confirmation_token"], function, one, to, self.seconds)
        else:
            assert answer["status"] == "slot_taken", answer
            self.hears_offers(call, one.service, answer, moving=one)
            self.offers.pop(call, None)  # they are for moving this one there
        self.after()

    @rule(caller=callers, line=lines, fate=st.integers(0, 9))
    def says_yes(self, caller: str, line: int, fate: int) -> None:
        call, model = self.call_of(caller, line), self.model
        question = self.questions.get(call)
        if question is None:
            return
        one, to = question.about, question.to
        stands = one in model.standing and not (one.open or one.untold or one.gone)
        late = self.seconds - question.asked_at >= ANSWER_WITHIN_S
        goes = Busy(one.service, one.stylist, to or one.when)
        free = model.is_free(goes, now=self.seconds, call=call, moving=one, asked_now=True)
        same = [e for e in model.standing if e is not one and (e.caller, e.service) == (caller, one.service)]
        twice = to is not None and any(each.when == to and not (each.untold or each.open or each.gone) for each in same)
        perhaps = to is not None and any(to in (each.when, *each.elsewhere) for each in same)
        calendar, plain = self.salon.calendar, len(one.takes()) == 1
        if plain and fate < 2 and question.to is not None:
            calendar.move_faults.extend([_moved_unseen] if fate == 0 else [answers(Unclear("ReadTimeout"))] * _REPEATS)
        if plain and fate < 2 and question.to is None:
            calendar.cancel_faults.extend([_cancelled_unheard] if fate == 0 else [Unclear("ReadTimeout")] * _REPEATS)
        before, was = dict(calendar.bookings), len(calendar.asked)
        answer = self.say(caller, line, question.kind, confirmation_token=question.token)
        struck = plain and fate < 2 and len(calendar.move_faults) + len(calendar.cancel_faults) < (1, _REPEATS)[fate]
        calendar.move_faults.clear()
        calendar.cancel_faults.clear()
        happened = calendar.bookings != before
        if question.done or question.spoilt or late or not stands:
            assert not happened, "an old yes has changed something"
            if answer["status"] == "pending" and one in model.standing:
                # Others have changed it, and we hear so from Cal.com alone: what became of it is looked after.
                assert one.untold or one.open, answer
                one.open = True
                one.elsewhere = [*one.elsewhere, *([to] if to is not None else [])]
                model.promised[caller] += 1
            model.shake_holds(call)
            if "offers" in answer:
                self.hears_offers(call, one.service, answer, moving=one)
                self.offers.pop(call, None)
            if question.done and not question.spoilt and stands:
                said = "moved" if to is not None else "cancelled"
                assert answer["status"] in ({said, "need_info"} if late else {said}), answer
        elif not model.may_change(caller, self.today) and answer["status"] != "slot_taken":
            # Counted as the change begins; a time that is not free is said before.
            assert (answer["status"], happened) == ("not_allowed", False)
        elif twice or (perhaps and not happened and not struck and answer["status"] != "slot_taken"):
            assert not happened
            assert answer["status"] in {"already_booked", "slot_taken", "pending", "need_info"}, answer
            if "offers" in answer:
                self.hears_offers(call, one.service, answer, moving=one)
                self.offers.pop(call, None)
        elif answer["status"] == "slot_taken":
            assert (free is not Is.FREE, happened) == (True, False)
            self.hears_offers(call, one.service, answer, moving=one)
            self.offers.pop(call, None)
        else:
            # Asked for may be what Cal.com alone knows to be taken; if its refusal is lost, that is open.
            assert to is None or not happened or free is not Is.TAKEN, f"moved to {to}, which is taken"
            assert len(calendar.asked) > was
            self._is_changed(caller, call, question, answer["status"], happened=happened, struck=struck)
        self.after()

    def _is_changed(
        self, caller: str, call: str, question: Question, status: str, *, happened: bool, struck: bool
    ) -> None:
        """What was said is so; where nobody can know, it is *noch offen*."""
        one, to, model = question.about, question.to, self.model
        model.changed(caller, self.today)
        for each in self.questions.values():
            each.spoilt = each.spoilt or (each.about is one and each is not question)
        question.done = True
        done = "moved" if to is not None else "cancelled"
        open_ = status in {"pending", "temporary_error"}  # of a change both say that a message follows
        assert status == done or (struck and open_), status
        assert status != done or happened
        SEEN[f"a change is open, and was {'done' if happened else 'not done'}"] += open_
        if open_:
            one.open = True
            model.promised[caller] += 1
            question.spoilt = True
        if to is None:
            one.gone = happened
            if status == done:
                model.standing.remove(one)
        else:
            old, new = one.when, to if happened else one.when
            one.when, one.put_there = new, one.put_there and not happened
            one.elsewhere = [to, old] if open_ else []
            for each in model.holds:
                each.shaky = each.shaky or each.call == call or each.touches(one.stylist, one, own=each.when, at=new)
        model.shake_holds(call)

    @rule(caller=callers, line=lines, which=pick)
    def names_what_is_not_theirs(self, caller: str, line: int, which: int) -> None:
        """Another's name, from one's own telephone: not found, and soon a person must help."""
        others = [each for each in self.model.standing if each.caller not in {caller, ""}]
        if not others:
            return
        other, call = others[which % len(others)], self.call_of(caller, line)
        may = self.model.may_try(caller, call, self.today)
        said = {"name": CALLERS[other.caller], "date": other.when.day, "time": other.when.time}
        answer = self.say(caller, line, "cancel_appointment", **said)
        assert answer["status"] == ("not_found" if may else "not_allowed"), answer
        if may:
            self.model.missed(caller, call, self.today)
        assert "confirmation_token" not in answer
        self.after()

    @rule(caller=callers, line=lines, victim=callers, other=lines)
    def says_yes_with_anothers_token(self, caller: str, line: int, victim: str, other: int) -> None:
        stolen = self.questions.get(self.call_of(victim, other))
        if stolen is None or self.call_of(victim, other) == self.call_of(caller, line):
            return
        before = dict(self.salon.calendar.bookings)
        answer = self.say(caller, line, stolen.kind, confirmation_token=stolen.token)
        assert answer["status"] == "not_found", answer
        assert self.salon.calendar.bookings == before
        self.after()

    @rule(caller=callers, line=lines, what=st.sampled_from(("find", "find", "be rung", "hang up")))
    def does_something_else(self, caller: str, line: int, what: str) -> None:
        {"find": self.asks_for_ones_own, "be rung": self.wants_to_be_rung, "hang up": self.hangs_up}[what](caller, line)

    def wants_to_be_rung(self, caller: str, line: int) -> None:
        call, key = self.call_of(caller, line), (caller, self.today.isoformat())
        listed = self.model.callbacks.setdefault(key, set())
        known = any(call in calls for calls in self.model.callbacks.values())
        answer = self.say(caller, line, "request_callback", name=CALLERS[caller])
        assert answer["status"] == ("noted" if known or len(listed) < 3 else "not_allowed"), answer
        if answer["status"] == "noted" and not known:
            listed.add(call)
        self.after()

    def hangs_up(self, caller: str, line: int) -> None:
        call = self.call_of(caller, line)
        ended = self.doors.event("call_ended", call=phone_call(call, from_number=caller))
        assert ended.status == 200
        self.model.holds = [each for each in self.model.holds if each.call != call]
        self.offers.pop(call, None)
        self.questions.pop(call, None)
        self.calls[caller, line] = self.calls.get((caller, line), 1) + 1
        self.after()


def _moved_unseen(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
    """It is moved, if Cal.com has it free; the answer is lost, and for half a minute no read shows the new booking."""
    answer = calendar.make_move(uid, start)
    if isinstance(answer, Answered):
        calendar.hidden[answer.booking.uid] = calendar.clock.now() + timedelta(seconds=30)
    return Unclear("ReadTimeout")


def _cancelled_unheard(calendar: FakeCalendar, uid: str) -> CancelAnswer:
    calendar.change(uid, status="cancelled")
    return Unclear("ReadTimeout")
