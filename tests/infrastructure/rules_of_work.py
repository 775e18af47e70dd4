"""House rules: queues, schedules and time-outs are what the code that works on them relies on."""

import json
from collections.abc import Iterable
from datetime import timedelta

from bookend.application import alerts
from bookend.application.deadline import ONE_S
from bookend.application.patience import TURN_LEASE
from functions.reconciliation.handler import SWEEP_S
from tests.infrastructure.reached import tasks_known
from tests.infrastructure.rules_of_rights import handler_of
from tests.infrastructure.stack import Json, Stack

VISIBILITY_TIMES_TIMEOUT = 6
"""AWS's advice for a queue that Lambda reads: room for the retries that a throttled worker makes by itself."""
TO_SAY_WHAT_FAILED_S = 1
LEAST_RECEIVES = 5
"""Fewer, and a short trouble of Cal.com or a throttled worker makes dead jobs of good ones (AWS advises five too)."""
BEYOND_THE_TIMEOUT = timedelta(seconds=5)
"""Between Lambda's end of an operation and another's look at it: two machines' clocks, a write under way."""

CALLED_BY_CALLERS = "RetellFunctionsFunction"
RECONCILIATION = "ReconciliationFunction"

# How often each task runs, what relies on it, and the alarm that rings if it does not run.
SCHEDULES: dict[str, tuple[str, str | None]] = {
    # "noch offen" is settled within minutes; SWEEP_S and the runbook count on the minute.
    "sweep": ("rate(1 minute)", "Swept"),
    # What Cal.com's events did not tell us is found in five minutes; the alarm counts three such periods.
    "reconcile": ("rate(5 minutes)", "Reconciled"),
    # Remedies count their pauses from five minutes on; what one round leaves the next one does, and health shows it.
    "remedy": ("rate(15 minutes)", None),
    # In the salons' night, not at an hour that a change of clocks skips or doubles. If it fails, a reconciliation
    # goes on with its run, and its event is in the queue of failed runs.
    "nightly": ("cron(30 3 * * ? *) Europe/Berlin", None),
}
SECONDS = {"rate(1 minute)": 60, "rate(5 minutes)": 300, "rate(15 minutes)": 900}

# Kinds of alerts that wake nobody, each with why. A kind that is not here needs its alarm.
WAKES_NOBODY: dict[str, str] = {}


def events_go_to_the_alias(stack: Stack) -> Iterable[str]:
    """A queue or a schedule of the bare function would run code that was never released, and another's failures."""
    aliases = [{"Ref": name} for name in stack.of_type("AWS::Lambda::Alias")]
    called = {
        **{n: mapping["FunctionName"] for n, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items()},
        **{n: schedule["Target"]["Arn"] for n, schedule in stack.of_type("AWS::Scheduler::Schedule").items()},
        **{n: permission["FunctionName"] for n, permission in stack.of_type("AWS::Lambda::Permission").items()},
    }
    yield from (f"{name} goes to {target}" for name, target in called.items() if target not in aliases)
    for name, config in stack.of_type("AWS::Lambda::EventInvokeConfig").items():
        if config.get("Qualifier") != "live":
            yield f"{name} is for {config.get('Qualifier')}"


def jobs_stay_hidden_while_they_are_worked_on(stack: Stack) -> Iterable[str]:
    for name, mapping in _consumers(stack).items():
        timeout = _worker(stack, mapping)["Timeout"]
        least = VISIBILITY_TIMES_TIMEOUT * timeout + mapping.get("MaximumBatchingWindowInSeconds", 0)
        seconds = stack.properties(_queue(mapping)).get("VisibilityTimeout", 30)
        if seconds < least:
            yield f"{name}: jobs come back after {seconds} s, a batch may take {timeout} s: {least} s at the least"


def worker_has_time_for_its_batch(stack: Stack) -> Iterable[str]:
    """The worker begins no job for which it has no time left: with less, the last of a full batch never get a turn."""
    for name, mapping in _consumers(stack).items():
        timeout = _worker(stack, mapping)["Timeout"]
        if timeout <= mapping.get("BatchSize", 10) * ONE_S + TO_SAY_WHAT_FAILED_S:
            yield f"{name}: {mapping.get('BatchSize', 10)} jobs of {ONE_S} s do not fit into {timeout} s"


def only_failed_jobs_come_back(stack: Stack) -> Iterable[str]:
    """Without this Lambda takes the worker's answer for success, and what failed is deleted."""
    return [
        f"{name} does not report which jobs of a batch failed"
        for name, mapping in _consumers(stack).items()
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]
    ]


def jobs_that_keep_failing_are_kept(stack: Stack) -> Iterable[str]:
    queues = stack.of_type("AWS::SQS::Queue")
    for name, mapping in _consumers(stack).items():
        queue = queues[_queue(mapping)]
        policy = queue.get("RedrivePolicy", {})
        dead = policy.get("deadLetterTargetArn", {}).get("Fn::GetAtt", [None])[0]
        if dead not in queues or dead == _queue(mapping):
            yield f"{name}: a job that keeps failing goes nowhere, and comes back until it expires"
            continue
        if policy.get("maxReceiveCount", 0) < LEAST_RECEIVES:
            yield f"{name}: a job is given up after {policy.get('maxReceiveCount')} tries"
        # A moved message keeps the time it was sent: the dead-letter queue's days count from there.
        if _retention(queues[dead]) <= _retention(queue):
            yield f"{dead} keeps a message no longer than {_queue(mapping)} does"


def streams_lose_nothing_by_haste(stack: Stack) -> Iterable[str]:
    """A stream keeps a record for a day. Given up early it is a hole in the log; late, nobody has time to look."""
    for name, mapping in _followers(stack).items():
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} does not report from which record on a batch must come again"
        if not mapping.get("BisectBatchOnFunctionError"):
            yield f"{name}: one record that breaks takes its batch with it"
        if not 12 * 3600 <= mapping.get("MaximumRecordAgeInSeconds", -1) <= 20 * 3600:
            yield f"{name} gives records up after {mapping.get('MaximumRecordAgeInSeconds')} s of 86400"
        if mapping.get("MaximumRetryAttempts", -1) < 1000:
            yield f"{name} gives records up after {mapping.get('MaximumRetryAttempts')} tries, however short"
        if "OnFailure" not in mapping.get("DestinationConfig", {}):
            yield f"{name} keeps no trace of what it gives up"
        if mapping.get("StartingPosition") != "TRIM_HORIZON":
            yield f"{name} begins with what comes after its deployment"
        follower = stack.of_type("AWS::Lambda::Alias")[mapping["FunctionName"]["Ref"]]["FunctionName"]
        alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
        late = [alarm["Dimensions"] for alarm in alarms if alarm["MetricName"] == "IteratorAge"]
        if not any({"Name": "FunctionName", "Value": follower} in dimensions for dimensions in late):
            yield f"{name}: nobody hears that it is behind"
    for table, properties in stack.of_type("AWS::DynamoDB::Table").items():
        view = properties.get("StreamSpecification", {}).get("StreamViewType", "NEW_AND_OLD_IMAGES")
        if view != "NEW_AND_OLD_IMAGES":
            yield f"{table} tells {view}, and not what was before"


def every_dead_letter_is_reported(stack: Stack) -> Iterable[str]:
    """One message that nobody works on any more is enough."""
    watched = [
        dimension["Value"]["Fn::GetAtt"][0]
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
        if (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)
        and alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        for dimension in alarm["Dimensions"]
    ]
    return [f"nobody hears of a message in {queue}" for queue in sorted(_dead_letter_queues(stack) - set(watched))]


def old_jobs_are_older_than_one_retry(stack: Stack) -> Iterable[str]:
    """One "not now" hides a job for the visibility time-out: the oldest is as old as that, and all is well."""
    for name, mapping in _consumers(stack).items():
        hidden = stack.properties(_queue(mapping)).get("VisibilityTimeout", 30)
        thresholds = [
            alarm["Threshold"]
            for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
            if alarm["MetricName"] == "ApproximateAgeOfOldestMessage" and _queue(mapping) in json.dumps(alarm)
        ]
        if not thresholds:
            yield f"{name}: nothing watches how old its jobs are"
        yield from (f"{name}: the alarm for old jobs rings after {t} s, one retry" for t in thresholds if t <= hidden)


def every_alert_has_its_alarm(stack: Stack) -> Iterable[str]:
    watched = {a["MetricName"] for a in stack.of_type("AWS::CloudWatch::Alarm").values() if a["Namespace"] == "Bookend"}
    yield from (f"nobody hears of {kind}" for kind in sorted(alerts.KINDS - watched - WAKES_NOBODY.keys()))
    yield from (f"{kind} is said to wake nobody" for kind in sorted(WAKES_NOBODY.keys() & watched))
    yield from (f"{kind} is no alert" for kind in sorted(WAKES_NOBODY.keys() - alerts.KINDS))


def schedules_name_every_task_of_the_code(stack: Stack) -> Iterable[str]:
    named = [json.loads(s["Target"]["Input"]) for s in stack.of_type("AWS::Scheduler::Schedule").values()]
    known = [{"task": task} for task in tasks_known(handler_of(stack, RECONCILIATION))]
    yield from (f"{RECONCILIATION} does not know {event}" for event in named if event not in known)
    yield from (f"no schedule, or more than one, has {event}" for event in known if named.count(event) != 1)


def schedules_keep_the_rhythm_that_is_relied_on(stack: Stack) -> Iterable[str]:
    silences = {a["MetricName"]: a for a in stack.of_type("AWS::CloudWatch::Alarm").values() if _rings_for_silence(a)}
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        task = json.loads(schedule["Target"]["Input"]).get("task")
        expected, ends_as = SCHEDULES.get(task, (None, None))
        rhythm = " ".join(filter(None, [schedule["ScheduleExpression"], schedule.get("ScheduleExpressionTimezone")]))
        if rhythm != expected or schedule.get("State", "ENABLED") != "ENABLED":
            yield f"{name} is {rhythm} {schedule.get('State', '')}, {task} is expected {expected}"
        if schedule.get("FlexibleTimeWindow") != {"Mode": "OFF"}:
            yield f"{name} comes when it likes"
        if ends_as is not None and silences.get(ends_as, {}).get("Period") != SECONDS.get(rhythm):
            yield f"{name}: no alarm looks for {ends_as} as often as it runs"
    if set(SCHEDULES) != tasks_known(handler_of(stack, RECONCILIATION)):
        yield f"nobody has said how often each task of {RECONCILIATION} runs"


def rounds_end_before_the_next(stack: Stack) -> Iterable[str]:
    """The sweeper stops by itself, a reconciliation by Lambda."""
    timeout = stack.functions[RECONCILIATION]["Timeout"]
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        every = SECONDS.get(schedule["ScheduleExpression"])
        lasts = min(timeout, SWEEP_S) if '"sweep"' in schedule["Target"]["Input"] else timeout
        if every is not None and lasts >= every:
            yield f"{name} may take {lasts} s and comes every {every} s"


def operations_are_left_alone_while_they_run(stack: Stack) -> Iterable[str]:
    """Others look after an operation when its lease is over: by then Lambda has ended who was at work on it."""
    timeout = timedelta(seconds=stack.functions[CALLED_BY_CALLERS]["Timeout"])
    if timeout + BEYOND_THE_TIMEOUT > TURN_LEASE:
        yield f"{CALLED_BY_CALLERS} may be at work for {timeout}, its lease is {TURN_LEASE}"


RULES = (
    events_go_to_the_alias,
    jobs_stay_hidden_while_they_are_worked_on,
    worker_has_time_for_its_batch,
    only_failed_jobs_come_back,
    jobs_that_keep_failing_are_kept,
    streams_lose_nothing_by_haste,
    every_dead_letter_is_reported,
    old_jobs_are_older_than_one_retry,
    every_alert_has_its_alarm,
    schedules_name_every_task_of_the_code,
    schedules_keep_the_rhythm_that_is_relied_on,
    rounds_end_before_the_next,
    operations_are_left_alone_while_they_run,
)


def _consumers(stack: Stack) -> dict[str, Json]:
    """Of queues."""
    mappings = stack.of_type("AWS::Lambda::EventSourceMapping")
    return {name: each for name, each in mappings.items() if name not in _followers(stack)}


def _followers(stack: Stack) -> dict[str, Json]:
    """Of streams."""
    mappings = stack.of_type("AWS::Lambda::EventSourceMapping")
    return {name: each for name, each in mappings.items() if "StreamArn" in each["EventSourceArn"]["Fn::GetAtt"]}


def _queue(mapping: Json) -> str:
    return str(mapping["EventSourceArn"]["Fn::GetAtt"][0])


def _worker(stack: Stack, mapping: Json) -> Json:
    """The function behind a mapping, whether it names the alias or the function."""
    name = mapping["FunctionName"]["Ref"]
    alias = stack.of_type("AWS::Lambda::Alias").get(name)
    return stack.functions[name if alias is None else alias["FunctionName"]["Ref"]]


def _retention(queue: Json) -> int:
    return int(queue.get("MessageRetentionPeriod", 345600))


def _dead_letter_queues(stack: Stack) -> set[str]:
    targets = [
        *(
            queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
            for queue in stack.of_type("AWS::SQS::Queue").values()
        ),
        *(
            s["Target"].get("DeadLetterConfig", {}).get("Arn")
            for s in stack.of_type("AWS::Scheduler::Schedule").values()
        ),
        *(
            config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            for config in stack.of_type("AWS::Lambda::EventInvokeConfig").values()
        ),
        *(
            mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            for mapping in _followers(stack).values()
        ),
    ]
    return {target["Fn::GetAtt"][0] for target in targets if target}


def _rings_for_silence(alarm: Json) -> bool:
    return str(alarm["ComparisonOperator"]).startswith("LessThan") and alarm.get("Statistic") == "Sum"
