"""The minute's round: whatever is overdue is settled or put into the queue again, for as long as the round may last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import zip_longest

from bookend.application.alerts import job_failed
from bookend.application.background import BackgroundOf
from bookend.application.budget import callers_need_the_rest
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.ports import Alerts, Clock, DueWork, Inbox, Job, Queue, QueueUnavailable, StoreUnavailable
from bookend.application.ports.texts import Outbox
from bookend.application.receiving import REQUEUE_AFTER
from bookend.application.settling import settle

MOST = 500
LONGEST_PAUSE = timedelta(hours=1)
"""An event or a text that nobody comes to is queued again after five minutes, ten, twenty, and at last every hour.

Its worker stands still. What is in the queue already is enough for when it is back, and copies of it
would keep it busy then.
"""


def sweep(
    *,
    due_work: DueWork,
    inbox: Inbox,
    outbox: Outbox,
    queue: Queue,
    background: BackgroundOf,
    alerts: Alerts,
    clock: Clock,
    deadline: Deadline,
) -> Mapping[str, int]:
    """Look after what is overdue; how many came to which end. Safe to run twice at once, and to be cut off anywhere."""
    ends: Counter[str] = Counter()
    for job in _in_turn(due_work.due(now=clock.now(), most=MOST)):
        if deadline.remaining() < ONE_S:
            ends["left_for_next_round"] += 1
            continue
        try:
            if job.kind in {"event", "text"}:
                kept = inbox if job.kind == "event" else outbox
                ends[_requeue(job, kept=kept, queue=queue, clock=clock)] += 1
                continue
            work = background(job.tenant, deadline.share(ONE_S))
            if work is not None and callers_need_the_rest(work.calendar):
                ends["left_to_callers"] += 1  # after an outage there may be more to do than the key allows in a minute
                continue
            ends[settle(work, job.name).value if work is not None else "no_such_tenant"] += 1
        except StoreUnavailable:
            ends["store_unavailable"] += 1  # one that cannot be reached does not keep the others waiting
        except Exception as error:  # noqa: BLE001 - nor does one that breaks in a way nobody thought of
            alerts.raise_(job_failed(job.kind, job.name, error))
            ends["failed"] += 1
    return ends


def _in_turn(jobs: Sequence[Job]) -> list[Job]:
    """The oldest of each tenant, then the next of each: whoever has a lot of it keeps nobody else waiting."""
    by_tenant: dict[str, list[Job]] = {}
    for job in jobs:
        by_tenant.setdefault(job.tenant, []).append(job)
    return [job for turn in zip_longest(*by_tenant.values()) for job in turn if job is not None]


def _requeue(job: Job, *, kept: Inbox | Outbox, queue: Queue, clock: Clock) -> str:
    before = kept.requeued(job.tenant, job.name)
    if before is None:
        return "done_already"  # since the index was read
    times = before + 1
    pause = min(REQUEUE_AFTER * 2 ** min(times, 10), LONGEST_PAUSE)
    kept.postpone(job.tenant, job.name, until=clock.now() + pause, requeued=times)
    try:
        queue.send(job)
    except QueueUnavailable:  # there is no copy of it, so it need not wait longer than the first time
        kept.postpone(job.tenant, job.name, until=clock.now() + REQUEUE_AFTER, requeued=before)
        return "queue_unavailable"
    return "requeued"
