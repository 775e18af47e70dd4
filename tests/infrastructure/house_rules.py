"""The house rules of the template: each takes the stack and gives its violations, one sentence each."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.infrastructure.stack import RELEASE, ROOT, Json, Stack, actions, as_list

ALIAS = "live"
ARCHITECTURE = "arm64"
CALLER_HANGS_UP_AFTER = 10
MANAGED_POLICIES = {"AWSLambdaBasicExecutionRole"}

# Actions for which there is no narrower resource: a telephone number is none, and the addresses that texts are sent
# from stand in the salons' documents. Topics are denied beside it (`texts_reach_no_topic`).
NO_NARROWER = {
    "sns:Publish": "*",
    "sns:CheckIfPhoneNumberIsOptedOut": "*",
    "ses:SendEmail": "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",
}
ALL_TOPICS = "arn:${AWS::Partition}:sns:*:*:*"


def resource_text(resource: object) -> str:
    """A resource as the template writes it."""
    return str(resource.get("Fn::Sub", resource)) if isinstance(resource, dict) else str(resource)


# Namespace, metric -> the sets of dimension names under which it is really published, and the statistics that
# mean something for it. An alarm that names another set looks at nothing, forever, and stays green.
LAMBDA_DIMENSIONS = [{"FunctionName"}, {"FunctionName", "Resource"}]
INDEX_OR_TABLE = [{"TableName"}, {"TableName", "GlobalSecondaryIndexName"}]
PUBLISHED: dict[tuple[str, str], tuple[list[set[str]], set[str]]] = {
    ("AWS/Lambda", "Errors"): (LAMBDA_DIMENSIONS, {"Sum"}),
    ("AWS/Lambda", "Throttles"): (LAMBDA_DIMENSIONS, {"Sum"}),
    ("AWS/Lambda", "Duration"): (LAMBDA_DIMENSIONS, {"p99"}),
    ("AWS/Lambda", "IteratorAge"): (LAMBDA_DIMENSIONS, {"Maximum"}),
    # 5XXError with ApiName is the REST API's metric; an HTTP API publishes 5xx.
    ("AWS/ApiGateway", "5xx"): ([{"ApiId"}, {"ApiId", "Stage"}], {"Sum"}),
    ("AWS/DynamoDB", "ReadThrottleEvents"): (INDEX_OR_TABLE, {"Sum"}),
    ("AWS/DynamoDB", "WriteThrottleEvents"): (INDEX_OR_TABLE, {"Sum"}),
    ("AWS/DynamoDB", "SystemErrors"): ([{"TableName", "Operation"}], {"Sum"}),
    # NumberOfMessagesSent misses what a redrive policy moved; what is visible is what waits for somebody.
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ([{"QueueName"}], {"Maximum"}),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ([{"QueueName"}], {"Maximum"}),
}

# What we publish that is no count, and what of it says something; of all else it is the sum.
GAUGES = {
    "OldestOpenSeconds": "Maximum",
    "OldestTextSeconds": "Maximum",
    "OldestEventSeconds": "Maximum",
    "LeftAloneSeconds": "Maximum",
    "HealthStatus": "Maximum",
    "CallWithoutAnswer": "Average",
    "CalcomRequestsLeft": "Minimum",
}

# Names that CloudFormation makes up if we do not, so that two stacks fit into one account.
PHYSICAL_NAMES = {
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
}

# What an access log line may say: nothing here can point to a person.
LOGGABLE = {
    "requestId",
    "requestTime",
    "routeKey",
    "status",
    "responseLatency",
    "integrationLatency",
    "integrationStatus",
    "error.message",
    "integrationErrorMessage",
    "responseLength",
}


def released_through_the_alias(stack: Stack) -> Iterable[str]:
    """A release publishes a version of each function and moves the alias to it, whatever it changed."""
    versions = stack.of_type("AWS::Lambda::Version")
    aliases = stack.of_type("AWS::Lambda::Alias").values()
    for function, properties in stack.functions.items():
        own = {"Ref": function}
        alias = next((a for a in aliases if a["FunctionName"] == own and a["Name"] == ALIAS), None)
        version = f"{function}Version{RELEASE}"
        if alias is None:
            yield f"{function} has no alias {ALIAS}"
        elif version not in versions or alias["FunctionVersion"] != {"Fn::GetAtt": [version, "Version"]}:
            yield f"{function}: a new ReleaseId does not move the alias"
        if _environment(properties).get("RELEASE_ID") != {"Ref": "ReleaseId"}:
            yield f"{function} does not differ between releases: no RELEASE_ID in its environment"


def called_through_the_alias(stack: Stack) -> Iterable[str]:
    """The API calls the alias: a call of the bare function would run code that was never released."""
    return [
        f"{method.upper()} {path} does not go to an alias {ALIAS}"
        for api in stack.of_type("AWS::ApiGatewayV2::Api").values()
        for path, methods in api["Body"]["paths"].items()
        for method, operation in methods.items()
        if f"Alias{ALIAS}}}/invocations" not in json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
    ]


def runs_on_arm64(stack: Stack) -> Iterable[str]:
    wrong = [f for f, properties in stack.functions.items() if properties.get("Architectures") != [ARCHITECTURE]]
    wrong += [
        layer
        for layer, properties in stack.of_type("AWS::Lambda::LayerVersion").items()
        if properties.get("CompatibleArchitectures") != [ARCHITECTURE]
    ]
    return [f"{name} is not for {ARCHITECTURE}" for name in wrong]


def layer_is_built_for_the_runtime(stack: Stack) -> Iterable[str]:
    layers = {n: r for n, r in stack.source["Resources"].items() if r["Type"] == "AWS::Serverless::LayerVersion"}
    for layer, resource in layers.items():
        properties, build = resource["Properties"], resource.get("Metadata", {})
        if build.get("BuildMethod") != "makefile":
            yield f"{layer} is not built by its Makefile"
            continue
        if build.get("BuildArchitecture") != ARCHITECTURE:
            yield f"{layer} is built for {build.get('BuildArchitecture')}"
        recipe = (ROOT / properties["ContentUri"] / "Makefile").read_text(encoding="utf-8")
        built_for = {f"python{version}" for version in re.findall(r"--python-version (\S+)", recipe)}
        if f"build-{layer}:" not in recipe:
            yield f"{layer}: its Makefile has no target build-{layer}"
        for function, function_properties in stack.functions.items():
            runtime = function_properties["Runtime"]
            if built_for != {runtime} or properties["CompatibleRuntimes"] != [runtime]:
                yield f"{function} runs {runtime}, {layer} is built for {sorted(built_for)}"


def carries_the_layer_once(stack: Stack) -> Iterable[str]:
    layers = [{"Ref": name} for name in stack.of_type("AWS::Lambda::LayerVersion")]
    return [
        f"{function} has the layers {properties.get('Layers')}"
        for function, properties in stack.functions.items()
        if not layers or properties.get("Layers") != layers
    ]


def answers_before_the_caller_hangs_up(stack: Stack) -> Iterable[str]:
    """What the API calls. Nobody waits for a schedule, but its rounds must not pile up."""
    routes = json.dumps([api["Body"]["paths"] for api in stack.of_type("AWS::ApiGatewayV2::Api").values()])
    return [
        f"{function} may take {properties.get('Timeout')} s, Retell waits {CALLER_HANGS_UP_AFTER} s"
        for function, properties in stack.functions.items()
        if f"${{{function}" in routes and not properties.get("Timeout", CALLER_HANGS_UP_AFTER) < CALLER_HANGS_UP_AFTER
    ]


def logs_json_to_a_group_of_its_own(stack: Stack) -> Iterable[str]:
    groups = stack.of_type("AWS::Logs::LogGroup")
    used: set[str] = set()
    for function, properties in stack.functions.items():
        logging = properties.get("LoggingConfig", {})
        group = logging.get("LogGroup", {}).get("Ref")
        if logging.get("LogFormat") != "JSON":
            yield f"{function} does not log JSON"
        if group not in groups or group in used:
            yield f"{function} has no log group of its own"
        used.add(group)
    for group, properties in groups.items():
        if properties.get("RetentionInDays") != {"Ref": "LogRetentionDays"}:
            yield f"{group} does not keep its lines for LogRetentionDays"


def log_level_lets_metrics_through(stack: Stack) -> Iterable[str]:
    """Metrics are log lines that Lambda counts as INFO: a filter above that drops them, and alarms sleep."""
    levels = stack.source["Parameters"]["LogLevel"]
    return [
        f"LogLevel may be {level}, which drops every metric"
        for level in {levels["Default"], *levels["AllowedValues"]} - {"DEBUG", "INFO"}
    ] + [
        f"{function} does not take its log level from LogLevel"
        for function, properties in stack.functions.items()
        if properties.get("LoggingConfig", {}).get("ApplicationLogLevel") != {"Ref": "LogLevel"}
        or _environment(properties).get("POWERTOOLS_LOG_LEVEL") != {"Ref": "LogLevel"}
    ]


def prod_is_never_debugged(stack: Stack) -> Iterable[str]:
    """At DEBUG botocore writes request and response bodies into the log: callers' data and the secrets."""
    rule = {
        "RuleCondition": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "Assert": {"Fn::Equals": [{"Ref": "LogLevel"}, "INFO"]},
    }
    for candidate in stack.translated.get("Rules", {}).values():
        asserted = [assertion["Assert"] for assertion in candidate["Assertions"]]
        if candidate.get("RuleCondition") == rule["RuleCondition"] and rule["Assert"] in asserted:
            return []
    return ["nothing keeps LogLevel=DEBUG out of prod"]


def stage_and_release_have_no_default(stack: Stack) -> Iterable[str]:
    parameters = stack.source["Parameters"]
    return [
        f"{name} has a default, so a deploy that forgets it goes somewhere else unnoticed"
        for name in ("Stage", "ReleaseId")
        if "Default" in parameters[name]
    ]


def permits_nothing_by_wildcard(stack: Stack) -> Iterable[str]:
    for function in stack.functions:
        for statement in stack.policy_statements(function):
            if statement["Effect"] == "Allow" and ({"NotAction", "NotResource"} & statement.keys()):
                yield f"{function} is allowed everything but something"
                continue
            for action in actions(statement):
                if "*" in action:
                    yield f"{function} may {action}"
            for resource in as_list(statement["Resource"]):
                known = {NO_NARROWER.get(action) for action in actions(statement)} == {resource_text(resource)}
                if "*" in json.dumps(resource) and statement["Effect"] == "Allow" and not known:
                    yield f"{function} may {actions(statement)} on {resource}"
    for role, properties in stack.of_type("AWS::IAM::Role").items():
        for arn in properties.get("ManagedPolicyArns", []):
            if str(arn).rsplit("/", 1)[-1] not in MANAGED_POLICIES:
                yield f"{role} has the managed policy {arn}"


def texts_reach_no_topic(stack: Stack) -> Iterable[str]:
    """Whoever may publish to any number may publish to no topic: the alarms' own is one."""
    for function in stack.functions:
        statements = stack.policy_statements(function)
        allowed = any("sns:Publish" in actions(each) for each in statements if each["Effect"] == "Allow")
        denied = any(
            "sns:Publish" in actions(each) and resource_text(each["Resource"]) == ALL_TOPICS
            for each in statements
            if each["Effect"] == "Deny"
        )
        if allowed and not denied:
            yield f"{function} may publish to every topic"


def states_its_actions_itself(stack: Stack) -> Iterable[str]:
    """No policy templates: the one for CRUD brings Scan, the one for writing lacks ConditionCheckItem."""
    return [
        f"{name} has the policy {policy if isinstance(policy, str) else sorted(policy)}"
        for name, resource in stack.source["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
        for policy in as_list(resource["Properties"].get("Policies", []))
        if not (isinstance(policy, dict) and "Statement" in policy)
    ]


def reads_no_table_as_a_whole(stack: Stack) -> Iterable[str]:
    wide = {"dynamodb:Scan", "dynamodb:PartiQLSelect", "dynamodb:BatchWriteItem", "dynamodb:DeleteTable"}
    return [
        f"{function} may {action}"
        for function in stack.functions
        for statement in stack.policy_statements(function)
        for action in actions(statement)
        if action in wide
    ]


def asks_for_the_secrets_it_may_read(stack: Stack) -> Iterable[str]:
    """A secret's ARN in the environment and the permission to read it come and go together."""
    found = []
    for function, properties in stack.functions.items():
        named = {
            json.dumps(v) for k, v in _environment(properties).items() if k.endswith(("_SECRET_ARN", "_SECRETS_ARN"))
        }
        allowed = {
            json.dumps(resource)
            for statement in stack.policy_statements(function)
            if "secretsmanager:GetSecretValue" in actions(statement)
            for resource in as_list(statement["Resource"])
        }
        if named != allowed:
            found.append(f"{function} names {sorted(named)} and may read {sorted(allowed)}")
    return found


KEPT_FOR_GOOD = {"AuditTable"}
"""Tables of which no row may go."""


def table_keeps_what_it_is_given(stack: Stack) -> Iterable[str]:
    tables = stack.of_type("AWS::DynamoDB::Table")
    yield from (f"there is no {table}" for table in ("AppointmentsTable", *KEPT_FOR_GOOD) if table not in tables)
    for table, properties in tables.items():
        resource = stack.translated["Resources"][table]
        if resource.get("DeletionPolicy") != "RetainExceptOnCreate":
            yield f"{table} goes with the stack"
        if resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{table} is lost when it is replaced"
        if properties.get("DeletionProtectionEnabled") != {"Fn::If": ["IsProd", True, False]}:
            yield f"{table} can be deleted in prod"
        if not properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            yield f"{table} has no point-in-time recovery"
        if not properties.get("SSESpecification", {}).get("SSEEnabled"):
            yield f"{table} is not encrypted with a key of the account"
        expires = properties.get("TimeToLiveSpecification")
        if table not in KEPT_FOR_GOOD and expires != {"AttributeName": "ttl", "Enabled": True}:
            yield f"{table} does not expire by ttl"
        if table in KEPT_FOR_GOOD and expires is not None:
            yield f"{table} loses rows, and its chains their middle"
        if properties.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{table} has a capacity that somebody has to guess"


def indexes_hold_keys_alone(stack: Stack) -> Iterable[str]:
    """Whoever finds something in an index has to read the item, since the index is late."""
    return [
        f"{table}: {index['IndexName']} projects {index['Projection']}"
        for table, properties in stack.of_type("AWS::DynamoDB::Table").items()
        for index in properties.get("GlobalSecondaryIndexes", [])
        if index["Projection"] != {"ProjectionType": "KEYS_ONLY"}
    ]


def names_nothing_physically(stack: Stack) -> Iterable[str]:
    found = [
        f"{name} is called {properties[PHYSICAL_NAMES[kind]]}"
        for kind in PHYSICAL_NAMES
        for name, properties in stack.of_type(kind).items()
        if PHYSICAL_NAMES[kind] in properties
    ]
    # SAM names a layer in any case, so ours has to be told from the one of the next stack.
    return found + [
        f"{name} is called {properties['LayerName']} in every stack"
        for name, properties in stack.of_type("AWS::Lambda::LayerVersion").items()
        if "AWS::StackName" not in json.dumps(properties["LayerName"])
    ]


def api_is_throttled(stack: Stack) -> Iterable[str]:
    return [
        f"{name} lets any flood through"
        for name, properties in stack.of_type("AWS::ApiGatewayV2::Stage").items()
        if not {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
        <= {setting for setting, value in properties.get("DefaultRouteSettings", {}).items() if value}
    ]


def access_log_says_nothing_of_persons(stack: Stack) -> Iterable[str]:
    for name, properties in stack.of_type("AWS::ApiGatewayV2::Stage").items():
        settings = properties.get("AccessLogSettings", {})
        group = settings.get("DestinationArn", {}).get("Fn::GetAtt", [None])[0]
        if group not in stack.of_type("AWS::Logs::LogGroup"):
            yield f"{name} writes no access log"
            continue
        try:
            values = json.loads(settings["Format"]).values()
        except json.JSONDecodeError:
            yield f"{name}: the access log is not JSON"
            continue
        for value in values:
            if value.removeprefix("$context.") not in LOGGABLE:
                yield f"{name}: the access log holds {value}"


def alarms_watch_what_is_published(stack: Stack) -> Iterable[str]:
    ours = _own_metric_dimensions(stack)
    for alarm, properties in stack.of_type("AWS::CloudWatch::Alarm").items():
        namespace, metric = properties["Namespace"], properties["MetricName"]
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in properties.get("Dimensions", [])}
        if namespace in ours:
            if dimensions != ours[namespace]:
                yield f"{alarm}: the code publishes by {ours[namespace]}, not by {dimensions}"
            statistics = {GAUGES.get(metric, "Sum")}
        elif (namespace, metric) not in PUBLISHED:
            yield f"{alarm}: nobody publishes {metric} in {namespace}"
            continue
        else:
            sets, statistics = PUBLISHED[namespace, metric]
            if set(dimensions) not in sets:
                yield f"{alarm}: {metric} is not published by {sorted(dimensions)}"
        statistic = properties.get("Statistic", properties.get("ExtendedStatistic"))
        if statistic not in statistics:
            yield f"{alarm}: {statistic} of {metric} says nothing"
        for name, value in dimensions.items():
            if not _dimension_exists(stack, name, value):
                yield f"{alarm}: no {name} {value}"


def alarms_are_quiet_without_data(stack: Stack) -> Iterable[str]:
    """All but those that ring for silence: they ask for a sum below something, and no data is least of all."""
    found = []
    for alarm, properties in stack.of_type("AWS::CloudWatch::Alarm").items():
        asks_for_less = str(properties.get("ComparisonOperator", "")).startswith("LessThan")
        rings_for_silence = asks_for_less and properties.get("Statistic") == "Sum"
        said = properties.get("TreatMissingData", "unsaid")
        if said != ("breaching" if rings_for_silence else "notBreaching"):
            found.append(f"{alarm}: missing data is {said}")
    return found


def alarms_tell_the_topic_if_there_is_one(stack: Stack) -> Iterable[str]:
    told = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    return [
        f"{alarm} tells {properties.get('AlarmActions', 'nobody')}"
        for alarm, properties in stack.of_type("AWS::CloudWatch::Alarm").items()
        if properties.get("AlarmActions") != told
    ]


def failures_of_every_function_are_watched(stack: Stack) -> Iterable[str]:
    """Errors of all, throttles of all but a function that runs one at a time by its own limit."""
    watched = {
        (properties["MetricName"], dimension["Value"]["Ref"])
        for properties in stack.of_type("AWS::CloudWatch::Alarm").values()
        for dimension in properties.get("Dimensions", [])
        if dimension["Name"] == "FunctionName"
    }
    return [
        f"nothing watches {metric} of {function}"
        for function in stack.functions
        for metric in ("Errors", "Throttles")
        if (metric, function) not in watched
        and not (metric == "Throttles" and stack.functions[function].get("ReservedConcurrentExecutions") == 1)
    ]


def what_runs_unasked_keeps_its_failures(stack: Stack) -> Iterable[str]:
    """A function that nobody waits for has somewhere to put a failed event, and every queue has an alarm."""
    kept = {
        config["FunctionName"]["Ref"]
        for config in stack.of_type("AWS::Lambda::EventInvokeConfig").values()
        if config.get("DestinationConfig", {}).get("OnFailure")
    }
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        target = schedule["Target"]
        if "DeadLetterConfig" not in target:
            yield f"{name} keeps no event that it cannot deliver"
        if not any(function in json.dumps(target["Arn"]) for function in kept):
            yield f"{name}: what it calls keeps no failed event"
    watched = json.dumps([a.get("Dimensions") for a in stack.of_type("AWS::CloudWatch::Alarm").values()])
    for queue in stack.of_type("AWS::SQS::Queue"):
        if f'"{queue}", "QueueName"' not in watched:
            yield f"nothing watches {queue}"


def throttles_of_every_index_are_watched(stack: Stack) -> Iterable[str]:
    """An index that cannot follow refuses the table's writes, and counts that under its own name."""
    watched = [
        {dimension["Name"]: dimension["Value"] for dimension in properties.get("Dimensions", [])}
        for properties in stack.of_type("AWS::CloudWatch::Alarm").values()
        if properties["MetricName"] == "WriteThrottleEvents"
    ]
    return [
        f"nothing watches throttled writes of {table} {extra.get('GlobalSecondaryIndexName', '')}".rstrip()
        for table, properties in stack.of_type("AWS::DynamoDB::Table").items()
        for extra in [
            {},
            *({"GlobalSecondaryIndexName": i["IndexName"]} for i in properties.get("GlobalSecondaryIndexes", [])),
        ]
        if {"TableName": {"Ref": table}} | extra not in watched
    ]


Rule = Callable[[Stack], Iterable[str]]

RULES: tuple[Rule, ...] = (
    released_through_the_alias,
    called_through_the_alias,
    runs_on_arm64,
    layer_is_built_for_the_runtime,
    carries_the_layer_once,
    answers_before_the_caller_hangs_up,
    logs_json_to_a_group_of_its_own,
    log_level_lets_metrics_through,
    prod_is_never_debugged,
    stage_and_release_have_no_default,
    permits_nothing_by_wildcard,
    texts_reach_no_topic,
    states_its_actions_itself,
    reads_no_table_as_a_whole,
    asks_for_the_secrets_it_may_read,
    table_keeps_what_it_is_given,
    indexes_hold_keys_alone,
    names_nothing_physically,
    api_is_throttled,
    access_log_says_nothing_of_persons,
    alarms_watch_what_is_published,
    alarms_are_quiet_without_data,
    alarms_tell_the_topic_if_there_is_one,
    failures_of_every_function_are_watched,
    what_runs_unasked_keeps_its_failures,
    throttles_of_every_index_are_watched,
)


def _environment(function: Json) -> Json:
    return function.get("Environment", {}).get("Variables", {})


def _own_metric_dimensions(stack: Stack) -> dict[str, Json]:
    """Powertools publishes into this namespace, by this one dimension."""
    return {
        str(_environment(function)["POWERTOOLS_METRICS_NAMESPACE"]): {
            "service": _environment(function)["POWERTOOLS_SERVICE_NAME"]
        }
        for function in stack.functions.values()
        if "POWERTOOLS_METRICS_NAMESPACE" in _environment(function)
    }


def _dimension_exists(stack: Stack, name: str, value: Any) -> bool:
    refs = {
        "FunctionName": "AWS::Lambda::Function",
        "TableName": "AWS::DynamoDB::Table",
        "ApiId": "AWS::ApiGatewayV2::Api",
    }
    if name in refs:
        return isinstance(value, dict) and value.get("Ref") in stack.of_type(refs[name])
    if name == "QueueName":
        return value in [{"Fn::GetAtt": [queue, "QueueName"]} for queue in stack.of_type("AWS::SQS::Queue")]
    if name == "Resource":
        return value in [{"Fn::Sub": f"${{{function}}}:{ALIAS}"} for function in stack.functions]
    if name == "GlobalSecondaryIndexName":
        return value in [
            index["IndexName"]
            for table in stack.of_type("AWS::DynamoDB::Table").values()
            for index in table.get("GlobalSecondaryIndexes", [])
        ]
    return isinstance(value, str)
