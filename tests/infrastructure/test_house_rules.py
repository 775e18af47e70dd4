"""The template keeps the house rules, and every rule notices when it does not."""

from collections.abc import Callable
from typing import Any

import pytest

from bookend.application import alerts
from tests.infrastructure import house_rules as rules
from tests.infrastructure import rules_of_rights as rights
from tests.infrastructure import rules_of_work as work
from tests.infrastructure.house_rules import Rule
from tests.infrastructure.stack import Stack
from tests.infrastructure.transactions import items_touched

RULES: tuple[Rule, ...] = (*rules.RULES, *rights.RULES, *work.RULES)

FUNCTION = "RetellFunctionsFunction"
EVENTS = "RetellEventsFunction"
WEBHOOKS = "CalcomWebhooksFunction"
WORKER = "SyncWorkerFunction"
RECONCILIATION = "ReconciliationFunction"
AUDIT_TRAIL = "AuditTrailFunction"
RECORDS = "AuditTrailRecords"
QUEUE = "SyncQueue"
TABLE = "AppointmentsTable"
STAGE = "BookendApiApiGatewayDefaultStage"
ALARM = "RetellFunctionsErrorsAlarm"
OWN_ALARM = "OutcomeUnknownAlarm"

Spoil = Callable[[Stack], Any]


def put(name: str, *path: str, to: Any) -> Spoil:
    """Set a property of a translated resource."""

    def spoil(stack: Stack) -> None:
        target = stack.properties(name)
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = to

    return spoil


def without(name: str, *path: str) -> Spoil:
    def spoil(stack: Stack) -> None:
        target = stack.properties(name)
        for key in path[:-1]:
            target = target[key]
        del target[path[-1]]

    return spoil


def gone(name: str) -> Spoil:
    return lambda stack: stack.translated["Resources"].pop(name)


def attribute(name: str, key: str, to: str) -> Spoil:
    return lambda stack: stack.translated["Resources"][name].update({key: to})


def in_source(*path: str, to: Any) -> Spoil:
    def spoil(stack: Stack) -> None:
        target = stack.source
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = to

    return spoil


def grant(action: str, resource: Any, to: str = FUNCTION) -> Spoil:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}

    def spoil(stack: Stack) -> None:
        policy = stack.properties(f"{to}Role")["Policies"][0]
        policy["PolicyDocument"]["Statement"].append(statement)

    return spoil


def forbid(action: str, to: str) -> Spoil:
    def spoil(stack: Stack) -> None:
        for policy in stack.properties(f"{to}Role")["Policies"]:
            document = policy["PolicyDocument"]
            document["Statement"] = [s for s in document["Statement"] if s["Action"] != action]
            for statement in document["Statement"]:
                if action in statement["Action"]:
                    statement["Action"].remove(action)

    return spoil


def runs(function: str, code_of: str) -> Spoil:
    def spoil(stack: Stack) -> None:
        resources = stack.source["Resources"]
        resources[function]["Properties"]["CodeUri"] = resources[code_of]["Properties"]["CodeUri"]

    return spoil


def variable(function: str, name: str, to: Any) -> Spoil:
    return put(function, "Environment", "Variables", name, to=to)


def without_variable(function: str, name: str) -> Spoil:
    return without(function, "Environment", "Variables", name)


def schedule(name: str, *path: str, to: Any) -> Spoil:
    return put(f"{RECONCILIATION}{name}", *path, to=to)


def deaf_to(metric: str) -> Spoil:
    """No alarm of this metric."""

    def spoil(stack: Stack) -> None:
        for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
            if alarm["MetricName"] == metric:
                del stack.translated["Resources"][name]

    return spoil


def second_layer(stack: Stack) -> None:
    layers = stack.properties(FUNCTION)["Layers"]
    layers.append(layers[0])


def integrate_bare_function(stack: Stack) -> None:
    operation = stack.properties("BookendApi")["Body"]["paths"]["/retell/functions"]["post"]
    uri = operation["x-amazon-apigateway-integration"]["uri"]
    uri["Fn::Sub"] = uri["Fn::Sub"].replace("Aliaslive", "")


def project_everything(stack: Stack) -> None:
    stack.properties(TABLE)["GlobalSecondaryIndexes"][0]["Projection"] = {"ProjectionType": "ALL"}


def shared_layer_name(stack: Stack) -> None:
    (layer,) = stack.of_type("AWS::Lambda::LayerVersion").values()
    layer["LayerName"] = "bookend"


TABLE_ARN = {"Fn::GetAtt": [TABLE, "Arn"]}
AUDIT_ARN = {"Fn::GetAtt": ["AuditTable", "Arn"]}
QUEUE_ARN = {"Fn::GetAtt": [QUEUE, "Arn"]}
DEAD_JOBS = {"Fn::GetAtt": ["DeadJobsQueue", "Arn"]}
DIMENSION_OF_REST_API = [{"Name": "ApiName", "Value": {"Ref": "BookendApi"}}]

SPOILT: list[tuple[Rule, Spoil]] = [
    (rules.released_through_the_alias, gone(f"{FUNCTION}Aliaslive")),
    (rules.released_through_the_alias, put(f"{FUNCTION}Aliaslive", "Name", to="current")),
    (rules.released_through_the_alias, put(f"{FUNCTION}Aliaslive", "FunctionVersion", to={"Ref": "Old"})),
    (rules.released_through_the_alias, gone(f"{EVENTS}Version1700000000")),
    (rules.released_through_the_alias, without(FUNCTION, "Environment", "Variables", "RELEASE_ID")),
    (rules.called_through_the_alias, integrate_bare_function),
    (rules.runs_on_arm64, put(FUNCTION, "Architectures", to=["x86_64"])),
    (rules.runs_on_arm64, without(EVENTS, "Architectures")),
    (rules.layer_is_built_for_the_runtime, put(FUNCTION, "Runtime", to="python3.14")),
    (
        rules.layer_is_built_for_the_runtime,
        in_source("Resources", "BookendLayer", "Metadata", "BuildMethod", to="python3.13"),
    ),
    (
        rules.layer_is_built_for_the_runtime,
        in_source("Resources", "BookendLayer", "Metadata", "BuildArchitecture", to="x86_64"),
    ),
    (rules.carries_the_layer_once, second_layer),
    (rules.carries_the_layer_once, without(EVENTS, "Layers")),
    (rules.answers_before_the_caller_hangs_up, put(FUNCTION, "Timeout", to=10)),
    (rules.logs_json_to_a_group_of_its_own, put(FUNCTION, "LoggingConfig", "LogFormat", to="Text")),
    (rules.logs_json_to_a_group_of_its_own, without(FUNCTION, "LoggingConfig", "LogGroup")),
    (
        rules.logs_json_to_a_group_of_its_own,
        put(FUNCTION, "LoggingConfig", "LogGroup", to={"Ref": "RetellEventsLogs"}),
    ),
    (rules.logs_json_to_a_group_of_its_own, without("RetellEventsLogs", "RetentionInDays")),
    (rules.log_level_lets_metrics_through, in_source("Parameters", "LogLevel", "Default", to="WARN")),
    (rules.log_level_lets_metrics_through, put(EVENTS, "LoggingConfig", "ApplicationLogLevel", to="ERROR")),
    (rules.prod_is_never_debugged, lambda stack: stack.translated["Rules"].clear()),
    (rules.stage_and_release_have_no_default, in_source("Parameters", "Stage", "Default", to="dev")),
    (rules.permits_nothing_by_wildcard, grant("dynamodb:*", TABLE_ARN)),
    (rules.permits_nothing_by_wildcard, grant("dynamodb:GetItem", "*")),
    (rules.permits_nothing_by_wildcard, grant("sns:Subscribe", "*")),
    (rules.texts_reach_no_topic, grant("sns:Publish", "*")),
    (
        rules.permits_nothing_by_wildcard,
        grant("dynamodb:Query", {"Fn::Sub": "${AppointmentsTable.Arn}/index/*"}),
    ),
    (
        rules.permits_nothing_by_wildcard,
        put(f"{FUNCTION}Role", "ManagedPolicyArns", to=["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]),
    ),
    (
        rules.states_its_actions_itself,
        in_source("Resources", FUNCTION, "Properties", "Policies", to=[{"DynamoDBCrudPolicy": {"TableName": "t"}}]),
    ),
    (
        rules.states_its_actions_itself,
        in_source("Resources", FUNCTION, "Properties", "Policies", to="AdministratorAccess"),
    ),
    (rules.reads_no_table_as_a_whole, grant("dynamodb:Scan", TABLE_ARN)),
    (rules.asks_for_the_secrets_it_may_read, grant("secretsmanager:GetSecretValue", {"Ref": "AnotherArn"})),
    (
        rules.asks_for_the_secrets_it_may_read,
        without(FUNCTION, "Environment", "Variables", "CALCOM_SECRET_ARN"),
    ),
    (rules.table_keeps_what_it_is_given, gone(TABLE)),
    (rules.table_keeps_what_it_is_given, attribute(TABLE, "DeletionPolicy", to="Delete")),
    (rules.table_keeps_what_it_is_given, attribute(TABLE, "UpdateReplacePolicy", to="Delete")),
    (rules.table_keeps_what_it_is_given, put(TABLE, "DeletionProtectionEnabled", to=False)),
    (rules.table_keeps_what_it_is_given, without(TABLE, "PointInTimeRecoverySpecification")),
    (rules.table_keeps_what_it_is_given, put(TABLE, "SSESpecification", "SSEEnabled", to=False)),
    (rules.table_keeps_what_it_is_given, put(TABLE, "TimeToLiveSpecification", "Enabled", to=False)),
    (rules.table_keeps_what_it_is_given, put(TABLE, "BillingMode", to="PROVISIONED")),
    (
        rules.table_keeps_what_it_is_given,
        put("AuditTable", "TimeToLiveSpecification", to={"AttributeName": "ttl", "Enabled": True}),
    ),
    (rules.indexes_hold_keys_alone, project_everything),
    (rules.names_nothing_physically, put(TABLE, "TableName", to="appointments")),
    (rules.names_nothing_physically, put("ApiAccessLogs", "LogGroupName", to="/bookend/access")),
    (rules.names_nothing_physically, shared_layer_name),
    (rules.api_is_throttled, without(STAGE, "DefaultRouteSettings", "ThrottlingRateLimit")),
    (
        rules.access_log_says_nothing_of_persons,
        put(STAGE, "AccessLogSettings", "Format", to='{"ip":"$context.identity.sourceIp"}'),
    ),
    (
        rules.access_log_says_nothing_of_persons,
        put(STAGE, "AccessLogSettings", "Format", to="$context.routeKey"),
    ),
    (rules.access_log_says_nothing_of_persons, without(STAGE, "AccessLogSettings")),
    (rules.alarms_watch_what_is_published, put("ApiServerErrorsAlarm", "MetricName", to="5XXError")),
    (
        rules.alarms_watch_what_is_published,
        put("ApiServerErrorsAlarm", "Dimensions", to=DIMENSION_OF_REST_API),
    ),
    (rules.alarms_watch_what_is_published, put(ALARM, "Statistic", to="Maximum")),
    (rules.alarms_watch_what_is_published, put(ALARM, "Namespace", to="AWS/ApiGateway")),
    (
        rules.alarms_watch_what_is_published,
        put(ALARM, "Dimensions", to=[{"Name": "FunctionName", "Value": {"Ref": TABLE}}]),
    ),
    (rules.alarms_watch_what_is_published, put(OWN_ALARM, "Namespace", to="bookend")),
    (rules.alarms_watch_what_is_published, put(OWN_ALARM, "Dimensions", to=[])),
    (rules.alarms_are_quiet_without_data, without(ALARM, "TreatMissingData")),
    (rules.alarms_tell_the_topic_if_there_is_one, put(ALARM, "AlarmActions", to=[{"Ref": "AlarmTopicArn"}])),
    (rules.failures_of_every_function_are_watched, gone("RetellEventsThrottlesAlarm")),
    (rules.failures_of_every_function_are_watched, gone("ReconciliationErrorsAlarm")),
    (rules.what_runs_unasked_keeps_its_failures, gone("FailedRunsAlarm")),
    (rules.what_runs_unasked_keeps_its_failures, gone("ReconciliationFunctionEventInvokeConfig")),
    (rules.what_runs_unasked_keeps_its_failures, without("ReconciliationFunctionSweep", "Target", "DeadLetterConfig")),
    (rules.alarms_are_quiet_without_data, put("SweeperSilentAlarm", "TreatMissingData", to="notBreaching")),
    (rules.throttles_of_every_index_are_watched, gone("DueIndexThrottlesAlarm")),
    (rules.throttles_of_every_index_are_watched, gone("TableWriteThrottlesAlarm")),
    (rights.audit_log_has_one_writer, grant("dynamodb:PutItem", AUDIT_ARN, to=WORKER)),
    (rights.audit_log_has_one_writer, grant("dynamodb:DeleteItem", AUDIT_ARN, to=AUDIT_TRAIL)),
    (rights.audit_log_has_one_writer, grant("dynamodb:UpdateItem", TABLE_ARN, to=AUDIT_TRAIL)),
    (rights.permits_exactly_what_the_code_does, forbid("dynamodb:GetRecords", to=AUDIT_TRAIL)),
    (rights.permits_exactly_what_the_code_does, grant("dynamodb:PutItem", TABLE_ARN, to=AUDIT_TRAIL)),
    (rights.is_told_what_its_code_asks_for, without_variable(RECONCILIATION, "SYNC_QUEUE_URL")),
    (rights.is_told_what_its_code_asks_for, without_variable(EVENTS, "RETELL_KEYS_SECRET_ARN")),
    (rights.is_told_what_its_code_asks_for, without_variable(WORKER, "CALCOM_BASE_URL")),
    (rights.is_told_what_its_code_asks_for, without_variable(WEBHOOKS, "AWS_NEW_RETRIES_2026")),
    (rights.is_told_what_its_code_asks_for, variable(EVENTS, "CALCOM_BASE_URL", to={"Ref": "CalcomBaseUrl"})),
    (rights.is_told_what_its_code_asks_for, variable(EVENTS, "TABEL_NAME", to={"Ref": TABLE})),
    (rights.variables_hold_what_they_are_called, variable(WORKER, "SYNC_QUEUE_URL", to={"Ref": "DeadJobsQueue"})),
    (rights.variables_hold_what_they_are_called, variable(WORKER, "CALCOM_SECRET_ARN", to={"Ref": "AlarmTopicArn"})),
    (rights.variables_hold_what_they_are_called, variable(FUNCTION, "POWERTOOLS_METRICS_NAMESPACE", to="bookend")),
    (rights.permits_exactly_what_the_code_does, forbid("dynamodb:DeleteItem", to=WORKER)),
    (rights.permits_exactly_what_the_code_does, forbid("dynamodb:Query", to=RECONCILIATION)),
    (rights.permits_exactly_what_the_code_does, forbid("dynamodb:ConditionCheckItem", to=RECONCILIATION)),
    (rights.items_are_what_the_code_touches, runs(EVENTS, code_of=RECONCILIATION)),
    (rights.permits_exactly_what_the_code_does, forbid("sqs:SendMessage", to=WEBHOOKS)),
    (rights.permits_exactly_what_the_code_does, forbid("sqs:DeleteMessage", to=WORKER)),
    (rights.permits_exactly_what_the_code_does, forbid("secretsmanager:GetSecretValue", to=EVENTS)),
    (rights.permits_exactly_what_the_code_does, grant("dynamodb:DeleteItem", TABLE_ARN, to=WEBHOOKS)),
    (rights.permits_exactly_what_the_code_does, grant("dynamodb:DeleteItem", TABLE_ARN, to=EVENTS)),
    (rights.permits_exactly_what_the_code_does, grant("sqs:SendMessage", DEAD_JOBS, to=WORKER)),
    (work.events_go_to_the_alias, put("SyncWorkerJobs", "FunctionName", to={"Ref": WORKER})),
    (work.events_go_to_the_alias, schedule("Sweep", "Target", "Arn", to={"Fn::GetAtt": [RECONCILIATION, "Arn"]})),
    (work.events_go_to_the_alias, put(f"{EVENTS}CallEventPermission", "FunctionName", to={"Ref": EVENTS})),
    (work.events_go_to_the_alias, without(f"{RECONCILIATION}EventInvokeConfig", "Qualifier")),
    (work.jobs_stay_hidden_while_they_are_worked_on, put(QUEUE, "VisibilityTimeout", to=30)),
    (work.jobs_stay_hidden_while_they_are_worked_on, without(QUEUE, "VisibilityTimeout")),
    (work.jobs_stay_hidden_while_they_are_worked_on, put(WORKER, "Timeout", to=60)),
    (work.jobs_stay_hidden_while_they_are_worked_on, put("SyncWorkerJobs", "MaximumBatchingWindowInSeconds", to=60)),
    (work.worker_has_time_for_its_batch, put(WORKER, "Timeout", to=20)),
    (work.worker_has_time_for_its_batch, put("SyncWorkerJobs", "BatchSize", to=10)),
    (work.worker_has_time_for_its_batch, without("SyncWorkerJobs", "BatchSize")),
    (work.only_failed_jobs_come_back, without("SyncWorkerJobs", "FunctionResponseTypes")),
    (work.jobs_that_keep_failing_are_kept, without(QUEUE, "RedrivePolicy")),
    (work.jobs_that_keep_failing_are_kept, put(QUEUE, "RedrivePolicy", "maxReceiveCount", to=1)),
    (work.jobs_that_keep_failing_are_kept, put(QUEUE, "RedrivePolicy", "deadLetterTargetArn", to=QUEUE_ARN)),
    (work.jobs_that_keep_failing_are_kept, put("DeadJobsQueue", "MessageRetentionPeriod", to=345600)),
    (work.jobs_that_keep_failing_are_kept, without("DeadJobsQueue", "MessageRetentionPeriod")),
    (work.streams_lose_nothing_by_haste, without(RECORDS, "FunctionResponseTypes")),
    (work.streams_lose_nothing_by_haste, put(RECORDS, "BisectBatchOnFunctionError", to=False)),
    (work.streams_lose_nothing_by_haste, put(RECORDS, "MaximumRecordAgeInSeconds", to=3600)),
    (work.streams_lose_nothing_by_haste, without(RECORDS, "MaximumRecordAgeInSeconds")),
    (work.streams_lose_nothing_by_haste, put(RECORDS, "MaximumRetryAttempts", to=3)),
    (work.streams_lose_nothing_by_haste, without(RECORDS, "DestinationConfig")),
    (work.streams_lose_nothing_by_haste, put(RECORDS, "StartingPosition", to="LATEST")),
    (work.streams_lose_nothing_by_haste, put(TABLE, "StreamSpecification", "StreamViewType", to="NEW_IMAGE")),
    (work.streams_lose_nothing_by_haste, gone("AuditBehindAlarm")),
    (work.every_dead_letter_is_reported, gone("FailedAuditsAlarm")),
    (work.every_dead_letter_is_reported, gone("DeadJobsAlarm")),
    (work.every_dead_letter_is_reported, gone("FailedRunsAlarm")),
    (work.every_dead_letter_is_reported, put("DeadJobsAlarm", "Threshold", to=10)),
    (work.old_jobs_are_older_than_one_retry, put("OldJobsAlarm", "Threshold", to=300)),
    (work.old_jobs_are_older_than_one_retry, gone("OldJobsAlarm")),
    *((work.every_alert_has_its_alarm, deaf_to(kind)) for kind in sorted(alerts.KINDS)),
    (work.schedules_name_every_task_of_the_code, gone(f"{RECONCILIATION}Nightly")),
    (work.schedules_name_every_task_of_the_code, schedule("Sweep", "Target", "Input", to='{"task": "sweeep"}')),
    (work.schedules_name_every_task_of_the_code, schedule("Sweep", "Target", "Input", to='{"task": "nightly"}')),
    (work.schedules_keep_the_rhythm_that_is_relied_on, schedule("Sweep", "ScheduleExpression", to="rate(1 hour)")),
    (work.schedules_keep_the_rhythm_that_is_relied_on, schedule("Reconcile", "ScheduleExpression", to="rate(1 hour)")),
    (work.schedules_keep_the_rhythm_that_is_relied_on, schedule("Sweep", "State", to="DISABLED")),
    (work.schedules_keep_the_rhythm_that_is_relied_on, schedule("Nightly", "ScheduleExpressionTimezone", to="UTC")),
    (work.schedules_keep_the_rhythm_that_is_relied_on, put("SweeperSilentAlarm", "Period", to=3600)),
    (work.schedules_keep_the_rhythm_that_is_relied_on, gone("ReconciliationSilentAlarm")),
    (work.rounds_end_before_the_next, put(RECONCILIATION, "Timeout", to=600)),
    (work.operations_are_left_alone_while_they_run, put(FUNCTION, "Timeout", to=12)),
]


def name_of(rule: Any) -> str | None:
    return rule.__name__ if rule in RULES else "spoilt"


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_template_keeps_the_rule(rule: Rule, deployed: Stack) -> None:
    assert list(rule(deployed)) == []


@pytest.mark.parametrize(("rule", "spoil"), SPOILT, ids=name_of)
def test_rule_notices_a_spoilt_template(rule: Rule, spoil: Spoil, stack: Stack) -> None:
    spoil(stack)

    assert list(rule(stack)) != []


def test_no_rule_is_unable_to_fail() -> None:
    assert {rule.__name__ for rule, _ in SPOILT} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("right", ["ConditionCheckItem", "DeleteItem", "Query", "BatchGetItem"])
def test_a_right_that_nobody_thought_of_is_noticed_by_the_code_itself(
    right: str, deployed: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a check in a transaction went without one: it fails on AWS alone."""
    table = {name: does for name, does in rights.ITEMS[RECONCILIATION].items() if name != right}
    monkeypatch.setitem(rights.ITEMS, RECONCILIATION, table)
    (noticed,) = rights.items_are_what_the_code_touches(deployed)
    assert noticed.startswith(f"{RECONCILIATION} comes to {right}")


@pytest.mark.parametrize(
    ("code", "touched"),
    [
        ("deps.cases.open(tenant, case, now=now)", {"PutItem", "ConditionCheckItem"}),
        ("deps.cases.within(deadline).unclosed(tenant)", {"BatchGetItem", "Query"}),
        ("work_on(deps.inbox)\ndef work_on(rows: Inbox): rows.body(tenant, digest)", {"GetItem"}),
        ("callbacks = deps.callbacks", set()),
    ],
)
def test_what_touches_items_is_followed_through_ports_by_name_and_by_type(code: str, touched: set[str]) -> None:
    handler = "def handle():\n    " + code
    assert items_touched(handler) >= touched
    assert bool(items_touched(handler)) == bool(touched)


def test_a_release_moves_every_alias_though_nothing_else_changed(deployed: Stack) -> None:
    next_release = Stack.read(release="1700000001")

    for function in deployed.functions:
        alias = f"{function}Aliaslive"
        assert deployed.properties(alias) != next_release.properties(alias)


def test_call_events_never_reach_calcom(deployed: Stack) -> None:
    assert "CALCOM" not in str(deployed.functions[EVENTS]["Environment"])
