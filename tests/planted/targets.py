"""What is mutated, with the tests that must notice, quickest first; and mutants that change nothing, and why."""

from __future__ import annotations

from collections.abc import Mapping

STORE = ("starting", "holding", "settling", "states", "parts", "open_ones")
TARGETS: Mapping[str, tuple[str, ...]] = {
    "domain/staff_day.py": (
        "tests/domain/test_staff_day.py",
        "tests/domain/test_availability.py",
        "tests/application/convergence/test_what_others_made_of_it.py",
    ),
    "domain/answers.py": ("tests/domain/test_answers.py",),
    "domain/move_answers.py": ("tests/domain/test_move_answers.py", "tests/application/test_change_composite.py"),
    "domain/composites.py": (
        "tests/domain/test_composites_as_sold.py",
        "tests/domain/test_parts_changed.py",
        "tests/domain/test_composites.py",
        "tests/application/test_composite_checks.py",
        "tests/application/test_composite_oracle.py",
    ),
    "application/booking_commit.py": (
        "tests/application/test_others_at_work.py",
        "tests/application/test_book_appointment.py",
    ),
    "application/booking_parts.py": (
        "tests/application/test_composite_with_anothers_booking.py",
        "tests/application/test_composite_left_open.py",
        "tests/application/test_others_at_work.py",
        "tests/application/test_book_composite.py",
    ),
    "application/settling.py": (
        "tests/application/test_settling_composites.py",
        "tests/application/test_settling_what_others_moved.py",
        "tests/application/test_settling.py",
        "tests/application/convergence/test_directed.py",
        "tests/application/convergence/test_composites_alone.py",
    ),
    "application/change_commit.py": (
        "tests/application/test_changes_overtaken.py",
        "tests/application/test_change_appointment.py",
        "tests/application/remedies/test_salons_wish.py",
        "tests/application/convergence/test_changes_directed.py",
    ),
    "application/change_settling.py": (
        "tests/application/test_change_settling.py",
        "tests/application/test_change_settling_composites.py",
        "tests/application/convergence/test_changes_directed.py",
        "tests/application/convergence/test_changes_that_cannot_be_made.py",
        "tests/application/test_change_appointment.py",
    ),
    "adapters/dynamodb/appointments.py": (
        "-kmemory",
        *(f"tests/adapters/dynamodb/test_{each}.py" for each in (*STORE, "overtaken")),
    ),
    "adapters/dynamodb/actions.py": (
        "-knot moto and not ministack",
        "tests/adapters/dynamodb/test_overtaken.py",
        "tests/adapters/dynamodb/test_starting.py",
        "tests/adapters/dynamodb/test_holding.py",
        "tests/adapters/dynamodb/test_settling.py",
        "tests/adapters/dynamodb/test_adoptions.py",
        "tests/adapters/dynamodb/test_changes.py",
        "tests/adapters/dynamodb/test_outbox.py",
        "tests/adapters/dynamodb/test_runs.py",
        "tests/application/remedies/test_texts_of_cases.py",
    ),
    "adapters/dynamodb/changes.py": (
        "-knot moto and not ministack",
        "tests/adapters/dynamodb/test_changes.py",
        "tests/adapters/dynamodb/test_change_parts.py",
        "tests/adapters/dynamodb/test_states.py",
        "tests/application/remedies/test_decisions_overtaken.py",
    ),
    "adapters/dynamodb/changes_end.py": (
        "-kmemory",
        "tests/adapters/dynamodb/test_changes.py",
        "tests/adapters/dynamodb/test_change_parts.py",
        "tests/adapters/dynamodb/test_states.py",
        "tests/adapters/dynamodb/test_overtaken.py",
    ),
    "adapters/dynamodb/outbox.py": (
        "-kmemory",
        "tests/adapters/dynamodb/test_outbox.py",
        "tests/adapters/dynamodb/test_overtaken.py",
    ),
    "adapters/dynamodb/adoptions.py": (
        "-kmemory",
        "tests/adapters/dynamodb/test_overtaken.py",
        "tests/adapters/dynamodb/test_adoptions.py",
        "tests/adapters/dynamodb/test_parts.py",
    ),
    "adapters/dynamodb/messages.py": (
        "-kmemory",
        "tests/adapters/dynamodb/test_overtaken.py",
        "tests/adapters/dynamodb/test_adoptions.py",
        "tests/adapters/dynamodb/test_changes.py",
    ),
    "adapters/dynamodb/gathering.py": (
        "-knot moto and not ministack",
        "tests/application/remedies/test_parts.py",
        "tests/adapters/dynamodb/test_overtaken.py",
    ),
    "adapters/dynamodb/imports.py": (
        "-knot moto and not ministack",
        "tests/application/test_duplicates.py",
        "tests/application/test_importing.py",
        "tests/adapters/dynamodb/test_overtaken.py",
    ),
    "application/texting.py": ("tests/application/test_texting.py", "tests/application/test_patience.py"),
    "application/case_changing.py": (
        "tests/application/remedies/test_salons_wish.py",
        "tests/application/remedies/test_reviews.py",
        "tests/application/remedies/test_decisions_overtaken.py",
        "tests/application/remedies/test_parts.py",
        "tests/application/remedies/test_texts_of_cases.py",
    ),
    "application/duplicates.py": ("tests/application/test_duplicates.py",),
}
HAS_ITS_UID = "what is confirmed has the uid of its booking; the empty one is for the type alone"
ONLY_WHETHER_IT_IS_THERE = "of `overtaken` everybody asks whether it is there, nobody what it says"
NEVER_AS_READ_AGAIN = "what has moved on is never again as it was read: tried to the end, the same is said"
EQUIVALENT: Mapping[str, Mapping[str, str]] = {
    "adapters/dynamodb/appointments.py": {
        "_aliases: number or '' → number": "an alias stands for a name: which one, nobody sees",
    },
    "adapters/dynamodb/changes.py": {
        "DynamoChanges.begin: goes and places_from - 1 in failed.items → places_from - 1 in failed.items": (
            "without a guard, what comes before the ledgers was asked about before"
        ),
    },
    "adapters/dynamodb/gathering.py": {
        "Gathering.write: 1 + len(self.others) → 1 - len(self.others)": NEVER_AS_READ_AGAIN,
    },
    "adapters/dynamodb/messages.py": {"one_says: True → False": ONLY_WHETHER_IT_IS_THERE},
    "adapters/dynamodb/outbox.py": {"_once_more: True → False": ONLY_WHETHER_IT_IS_THERE},
    "adapters/dynamodb/imports.py": {"DynamoDuplicates.end_duplicate: 0 → 1": NEVER_AS_READ_AGAIN},
    "application/change_commit.py": {
        "_send_move.send: segment.uid or '' → segment.uid": HAS_ITS_UID,
        "look_for_move: own.uid or '' → own.uid": HAS_ITS_UID,
        "_cancel: appointment.segments[0].uid or '' → appointment.segments[0].uid": HAS_ITS_UID,
    },
    "application/change_settling.py": {
        "settle_change: appointment.segments[0].uid or '' → appointment.segments[0].uid": HAS_ITS_UID,
        "_cancel_again: sending.segments[0].uid or '' → sending.segments[0].uid": HAS_ITS_UID,
        "_move_again: sending.segments[0].uid or '' → sending.segments[0].uid": HAS_ITS_UID,
    },
    "application/booking_commit.py": {
        "release: now_is is not None and now_is.state in OPEN and (not owes_text) → "
        "now_is is not None and (not owes_text)": "what has ended is not released a second time: the same is said",
    },
    "application/booking_parts.py": {
        "_Part.booking: made and isinstance(self.answer, Answered) → made": "judge() says OK or WRONG of nothing else",
        "_undo: True → False": "written before it is read: the loop is entered, or the turn has ended",
    },
    "domain/composites.py": {
        "_left_free: first > begins → first >= begins": "in a stretch of no length no part fits",
        "_left_free: begins < block.end → begins <= block.end": "in a stretch of no length no part fits",
    },
    "domain/staff_day.py": {
        "StaffDay.in_the_way_of: moving is not None and each.key.startswith(f'{moving}/') → "
        "each.key.startswith(f'{moving}/')": "no appointment is called None",
        "StaffDay.expired: each.state is IntervalState.HELD and (not each.blocks_at(now)) → not each.blocks_at(now)": (
            "what is no hold blocks at any time"
        ),
        "StaffDays._judged: not interval.conflict or not self.covers(staff, interval.slot) → "
        "not self.covers(staff, interval.slot)": "what is not flagged would be written as not flagged",
    },
}
"""Of a file: the mutant's name, and why nobody could tell it from what we ship."""
