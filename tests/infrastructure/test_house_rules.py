"""The template keeps the house rules, and every rule notices when it does not."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure import house_rules as rules
from tests.infrastructure.house_rules import RULES, Rule
from tests.infrastructure.stack import Stack, actions

FUNCTION = "RetellFunctionsFunction"
EVENTS = "RetellEventsFunction"
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


def grant(action: str, resource: Any) -> Spoil:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}

    def spoil(stack: Stack) -> None:
        policy = stack.properties(f"{FUNCTION}Role")["Policies"][0]
        policy["PolicyDocument"]["Statement"].append(statement)

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
]


def name_of(rule: Any) -> str | None:
    return rule.__name__ if rule in RULES else "spoilt"


def permitted(stack: Stack, function: str) -> set[str]:
    return {action for statement in stack.policy_statements(function) for action in actions(statement)}


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_template_keeps_the_rule(rule: Rule, deployed: Stack) -> None:
    assert list(rule(deployed)) == []


@pytest.mark.parametrize(("rule", "spoil"), SPOILT, ids=name_of)
def test_rule_notices_a_spoilt_template(rule: Rule, spoil: Spoil, stack: Stack) -> None:
    spoil(stack)

    assert list(rule(stack)) != []


def test_no_rule_is_unable_to_fail() -> None:
    assert {rule.__name__ for rule, _ in SPOILT} == {rule.__name__ for rule in RULES}


def test_a_release_moves_every_alias_though_nothing_else_changed(deployed: Stack) -> None:
    next_release = Stack.read(release="1700000001")

    for function in deployed.functions:
        alias = f"{function}Aliaslive"
        assert deployed.properties(alias) != next_release.properties(alias)


def test_call_events_can_neither_delete_nor_reach_calcom(deployed: Stack) -> None:
    assert permitted(deployed, EVENTS) == {
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "secretsmanager:GetSecretValue",
    }
    assert "CALCOM" not in str(deployed.functions[EVENTS]["Environment"])


def test_function_calls_may_make_every_part_of_a_transaction_and_no_more(deployed: Stack) -> None:
    assert permitted(deployed, FUNCTION) == {
        "dynamodb:GetItem",
        "dynamodb:BatchGetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "sqs:SendMessage",
        "secretsmanager:GetSecretValue",
    }
