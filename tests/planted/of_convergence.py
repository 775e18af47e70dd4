"""Bugs in what makes both sides equal again: settling, adopting, following, orphans, polls and lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import adoptions
from bookend.adapters.dynamodb.actions import Actions
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.application import adopting, chain, converging, receiving, reconciling, settling
from bookend.application.converged import Converged
from bookend.application.invocation import Invocation
from bookend.domain.answers import Judgement, Verdict
from bookend.domain.appointment import Appointment, Told
from bookend.domain.staff_day import StaffDay, StaffDays
from tests.application.convergence import test_adopt, test_directed, test_orders
from tests.application.convergence import test_clocks_that_differ as clocks
from tests.application.convergence import test_what_others_made_of_it as others
from tests.application.convergence.world import Layer
from tests.planted.bug import Bug, Patch, alone, directed, one_test, orders, scene

real_find_out = settling._find_out
real_release = settling._release
real_replaced = StaffDay.replaced
real_page = Invocation.page
real_look = receiving._look


def _index_is_late(patch: Patch) -> None:
    patch.setattr(DynamoAdoptions, "overlapping", lambda *_args: [])


# The bugs


def a_reads_age_is_not_compared(patch: Patch) -> None:
    patch.setattr(converging, "_newer_than", lambda *_args: None)
    without = "#state = :CONFIRMED AND #ver = :ver AND (attribute_not_exists(#cal_updated) OR #cal_updated <> :cal)"
    patch.setattr(adoptions, "_AS_READ", without)


def what_looks_older_is_never_believed(patch: Patch) -> None:
    patch.setattr(converging, "may_lag", lambda *_args, **_more: True)


def a_slower_clock_cannot_write(patch: Patch) -> None:
    patch.setattr(adoptions, "as_of", lambda booking, **_more: booking.updated_at)


def nothing_needs_time_to_settle(patch: Patch) -> None:
    patch.setattr(settling, "SETTLE", timedelta(0))


def absence_is_believed_at_the_first_look(patch: Patch) -> None:
    def hasty(work: Any, appointment: Appointment) -> Any:
        return real_find_out(work, replace(appointment, absent_since=appointment.created_at))

    patch.setattr(settling, "_find_out", hasty)


def not_there_is_believed_at_once_while_undoing(patch: Patch) -> None:
    """A replica that lags says 404 of what must still be cancelled."""

    def hasty(work: Any, appointment: Appointment) -> Any:
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(settling, "_is_gone", lambda *_, **__: True)
            return real_take_back(work, appointment)

    real_take_back = settling._take_back
    patch.setattr(settling, "_take_back", hasty)


def whatever_carries_our_label_is_ours(patch: Patch) -> None:
    patch.setattr(settling, "judge", lambda *_args, **_rest: Judgement(Verdict.OK, "labelled"))


def who_heard_open_is_owed_nothing_when_it_is_released(patch: Patch) -> None:
    def silent(work: Any, appointment: Appointment, why: str) -> Any:
        return real_release(work, replace(appointment, told=Told.NOT_BOOKED), why)

    patch.setattr(settling, "_release", silent)


def a_revival_sends_a_second_message(patch: Patch) -> None:
    def second(self: DynamoAdoptions, tenant: str, failed: Appointment, appointment: Appointment) -> Any:
        return Actions(self._table.name).put_outbox(tenant, appointment, "booked", failed.told, failed.created_at)

    patch.setattr(DynamoAdoptions, "_turn_message", second)


def whoever_has_a_booking_is_not_looked_up(patch: Patch) -> None:
    """Every uid is somebody new's."""
    patch.setattr(converging, "_appointment_of", lambda *_args: None)


def only_the_last_link_of_a_chain_is_looked_at(patch: Patch) -> None:
    patch.setattr(converging, "_of_an_earlier_link", lambda *_args: None)


def a_link_that_cannot_be_read_is_nobodys(patch: Patch) -> None:
    real = converging._appointment_of

    def sure(*args: Any) -> Any:
        found = real(*args)
        return None if isinstance(found, chain.Unread) else found

    patch.setattr(converging, "_appointment_of", sure)


def everybody_goes_on_from_what_ended(patch: Patch) -> None:
    """Moved twice at once and cancelled once: what is left goes on, however much it is."""
    real = Actions.supersede

    def as_often_as_you_like(*args: Any, once: bool = False) -> Any:
        del once
        return real(*args)

    patch.setattr(converging, "_went_on_as", lambda _work, ended: ended)
    patch.setattr(Actions, "supersede", as_often_as_you_like)


def where_it_stands_now_may_be_anothers(patch: Patch) -> None:
    """Two took one booking in under two of its uids, and the older one goes on trying to follow."""
    real = converging._assess_dead

    def trusting(*args: Any, **rest: Any) -> Any:
        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(DynamoAdoptions, "owner", lambda *_args: None)
            return real(*args, **rest)

    patch.setattr(converging, "_assess_dead", trusting)


def a_dead_link_tells_nothing(patch: Patch) -> None:
    """A booking was moved and cancelled before anybody looked: its last event is the only one to come."""
    real = converging._assess_relative

    def blind(work: Any, appointment: Appointment, seen: Any, *rest: Any) -> Any:
        return real(work, appointment, seen, *rest) if seen.status == "accepted" else converging.Nothing()

    patch.setattr(converging, "_assess_relative", blind)


def moved_meanwhile_is_taken_for_wrong(patch: Patch) -> None:
    def strict(work: Any, appointment: Any, segment: Any, moved: Any, _expected: Any) -> Any:
        live = [each for each in moved if each.status == "accepted"]
        if live:
            return settling._undo(work, appointment, segment, live[0])
        return real_release(work, appointment, "cancelled_there")

    patch.setattr(settling, "_moved_meanwhile", strict)


def what_somebody_edits_is_undone(patch: Patch) -> None:
    patch.setattr(settling, "is_edited", lambda *_args, **_rest: False)


def half_of_a_move_is_an_end(patch: Patch) -> None:
    patch.setattr(chain, "is_half_of_a_move", lambda *_args, **_rest: False)


def what_ended_too_early_never_goes_on(patch: Patch) -> None:
    def flagged(_work: Any, appointment: Appointment, seen: Any) -> Any:
        return converging.Flag(seen, converging.Drift.ORPHAN, appointment)

    patch.setattr(converging, "_assess_after_the_end", flagged)


def what_came_late_is_an_orphan_whoever_has_it(patch: Patch) -> None:
    patch.setattr(converging, "is_touched", lambda _booking: False)


def nobody_looks_for_a_replacement(patch: Patch) -> None:
    _index_is_late(patch)


def a_revival_asks_no_guard(patch: Patch) -> None:
    real = DynamoAdoptions.adopt

    def lenient(self: DynamoAdoptions, *args: Any, revives: Any, **rest: Any) -> Any:
        return real(self, *args, revives=None, **rest)

    patch.setattr(DynamoAdoptions, "adopt", lenient)


def an_end_leaves_the_message(patch: Patch) -> None:
    patch.setattr(DynamoAdoptions, "_says_cancelled", lambda *_args: ())


def a_flag_outlives_its_conflict(patch: Patch) -> None:
    patch.setattr(StaffDays, "without_stale_conflicts", lambda days: days)


def an_overlap_is_taken_in_as_if_it_were_none(patch: Patch) -> None:
    patch.setattr(adopting, "overlaps", lambda *_args: False)


def a_move_leaves_its_old_time_behind(patch: Patch) -> None:
    def hoarding(day: StaffDay, appointment: str, entries: Any, *, now: Any) -> StaffDay:
        new = tuple(entries)
        after = real_replaced(day, appointment, new, now=now)
        old = {key: each for key, each in day.intervals.items() if key.startswith(f"{appointment}/") and not new}
        return replace(after, intervals={**after.intervals, **old})

    patch.setattr(StaffDay, "replaced", hoarding)


def an_event_that_came_too_early_is_done_with(patch: Patch) -> None:
    def done(*args: Any) -> str:
        return real_look(*args) or Converged.LATER.value

    patch.setattr(receiving, "_look", done)


def polls_do_not_overlap(patch: Patch) -> None:
    patch.setattr(reconciling, "OVERLAP", timedelta(0))


def progress_is_kept_before_the_page_is_worked_on(patch: Patch) -> None:
    def eager(self: Any, query: Any, skip: int) -> Any:
        page = real_page(self, query, skip)
        if page.more and query.changed_since is not None:
            was = self.run
            self.run = replace(was, skip=skip + len(page.bookings), tail=())
            self.keep()
            self.run = replace(was, version=self.run.version)  # the loop passes the rows once more
        return page

    patch.setattr(Invocation, "page", eager)


def a_list_is_believed_without_a_look(patch: Patch) -> None:
    def gullible(self: Any, suspects: Any) -> None:
        for uid, listed in suspects.items():
            self._do(self.one(), converging.assess(self.background, listed), uid)

    patch.setattr(Invocation, "look_closer", gullible)


OURS, THEIRS = test_orders.OURS, test_orders.THEIRS
BUGS = (
    Bug(
        a_reads_age_is_not_compared,
        "an older read undoes a newer one",
        directed(test_directed.a_stale_read_after_a_newer_one),
        "I3",
    ),
    Bug(
        nothing_needs_time_to_settle,
        "what Cal.com carries out late is given up before (I9)",
        alone(Layer.SWEEPER, "carried out 125 s later, and hidden"),
        "I3",
    ),
    Bug(
        absence_is_believed_at_the_first_look,
        "a list that leaves a booking out once loses it (I9)",
        directed(test_directed.a_list_that_leaves_it_out_once),
        "I3",
    ),
    Bug(
        not_there_is_believed_at_once_while_undoing,
        "what was to be undone stays at Cal.com",
        alone(Layer.SWEEPER, "longer than asked, and hidden"),
        "I3",
    ),
    Bug(
        whatever_carries_our_label_is_ours,
        "a booking of another length is confirmed by the sweeper (P3)",
        alone(Layer.SWEEPER, "longer than asked, and lost"),
        "I3",
    ),
    Bug(
        who_heard_open_is_owed_nothing_when_it_is_released,
        'who heard "noch offen" never hears the end (P4)',
        alone(Layer.SWEEPER, "lost before"),
        "I6",
    ),
    Bug(
        a_revival_sends_a_second_message,
        "one operation has two messages (I8)",
        scene(test_adopt.a_late_one_that_somebody_waits_for),
        "I5",
    ),
    Bug(
        whoever_has_a_booking_is_not_looked_up,
        "a booking of ours is taken in a second time (P2)",
        orders(OURS, "reassigned", test_orders.INTERLEAVED),
        "I3",
    ),
    Bug(
        only_the_last_link_of_a_chain_is_looked_at,
        "a booking that was moved twice is taken for a new one (P2)",
        directed(test_directed.a_move_nobody_told_of_in_the_middle),
        "I3",
    ),
    Bug(
        what_looks_older_is_never_believed,
        "what was cancelled by a server whose clock is behind stands here for ever, and its time is refused (P4)",
        one_test(clocks.test_what_others_do_by_a_slower_clock_is_followed_within_minutes, "cancelled", 3),
    ),
    Bug(
        a_slower_clock_cannot_write,
        "the same, since the write asks for a newer instant",
        one_test(clocks.test_what_others_do_by_a_slower_clock_is_followed_within_minutes, "moved", 120),
    ),
    Bug(
        a_link_that_cannot_be_read_is_nobodys,
        "a guest's booking is taken in a second time while Cal.com is asked too often (P2)",
        one_test(
            others.test_a_guests_second_move_waits_for_the_link_before_it, 1, monkeypatch=pytest.MonkeyPatch.context
        ),
    ),
    Bug(
        everybody_goes_on_from_what_ended,
        "a customer has two appointments and hears of one (P4)",
        one_test(others.test_of_two_that_are_looked_at_at_once_one_goes_on),
    ),
    Bug(
        where_it_stands_now_may_be_anothers,
        "two appointments follow one booking (P2)",
        directed(test_directed.taken_in_under_two_of_its_uids),
        "I3",
    ),
    Bug(
        a_dead_link_tells_nothing,
        "what was moved and cancelled there lives on here",
        orders(THEIRS, "cancelled", test_orders.INTERLEAVED),
        "I3",
    ),
    Bug(
        moved_meanwhile_is_taken_for_wrong,
        "the salon's own move is undone",
        directed(test_directed.moved_while_its_outcome_was_open),
        "I9",
    ),
    Bug(
        what_somebody_edits_is_undone,
        "the salon's own edit is undone",
        directed(test_directed.edited_while_its_outcome_was_open),
        "I9",
    ),
    Bug(
        half_of_a_move_is_an_end,
        "an appointment ends while it is being moved",
        one_test(others.test_half_of_a_move_does_not_end_the_appointment),
    ),
    Bug(
        what_ended_too_early_never_goes_on,
        "an appointment that was moved stays cancelled here",
        one_test(others.test_what_ended_on_half_of_a_move_goes_on_when_the_other_half_shows, Layer.RECONCILE),
    ),
    Bug(
        what_came_late_is_an_orphan_whoever_has_it,
        "a booking that a person has taken over is cancelled",
        one_test(others.test_a_late_booking_that_a_person_has_taken_over_is_never_cancelled, "touched", "heard no"),
    ),
    Bug(
        nobody_looks_for_a_replacement,
        "a late booking stays beside the one that replaced it",
        one_test(others.test_a_late_booking_beside_its_replacement_goes, "Emma", "10:15"),
    ),
    Bug(
        a_revival_asks_no_guard,
        "a late booking is revived beside the one that replaced it",
        one_test(others.test_a_late_booking_beside_its_replacement_goes, "Emma", "10:00", also=_index_is_late),
    ),
    Bug(
        an_end_leaves_the_message,
        'a text says "gebucht" of what was cancelled (P4)',
        one_test(others.test_a_message_that_nobody_has_sent_says_what_is_true_now, "cancelled", "cancelled"),
    ),
    Bug(
        a_flag_outlives_its_conflict,
        "a person is shown a conflict that is over",
        one_test(others.test_when_one_of_two_that_overlap_goes_the_other_is_no_conflict_any_more, 0, "cancelled"),
    ),
    Bug(
        an_overlap_is_taken_in_as_if_it_were_none,
        "a double booking at Cal.com is shown to nobody",
        scene(test_adopt.a_booking_over_one_of_ours),
        "I1",
    ),
    Bug(
        a_move_leaves_its_old_time_behind,
        "the old time of a move stays blocked",
        scene(test_adopt.ours_moved_to_another_stylist),
        "I2",
    ),
    Bug(
        an_event_that_came_too_early_is_done_with,
        "an event that was ahead of the reads is lost",
        alone(Layer.WEBHOOKS, "lost and hidden"),
        "I6",
    ),
    Bug(
        polls_do_not_overlap,
        "what shows late falls between two polls",
        directed(test_directed.bookings_that_show_only_after_the_poll),
        "EQ",
    ),
    Bug(
        progress_is_kept_before_the_page_is_worked_on,
        "a poll that dies loses a page",
        directed(test_directed.polls_that_die),
        "EQ",
    ),
    Bug(
        a_list_is_believed_without_a_look,
        "a list that lies ends living appointments",
        directed(test_directed.a_list_that_calls_the_living_dead),
        "I3",
    ),
)
