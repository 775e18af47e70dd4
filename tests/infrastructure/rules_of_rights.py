"""House rules: a function is told and permitted what its code asks for, all of it and nothing else."""

import json
from collections.abc import Iterable
from typing import Any

from bookend.adapters.dynamodb.keys import CUSTOMER_INDEX, DUE_INDEX
from bookend.observability import NAMESPACE
from tests.infrastructure.reached import parts_reached, variables_needed
from tests.infrastructure.stack import ROOT, Stack, actions, as_list
from tests.infrastructure.transactions import items_touched

TABLE, QUEUE, AUDIT = "AppointmentsTable", "SyncQueue", "AuditTable"

# Read by Powertools, and by botocore when it is imported.
OF_LIBRARIES: dict[str, Any] = {
    "AWS_NEW_RETRIES_2026": "true",
    "POWERTOOLS_LOG_LEVEL": {"Ref": "LogLevel"},
    "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
    "POWERTOOLS_SERVICE_NAME": "bookend",
}

# Not parameters of the template. Every other variable holds the parameter that it is named after.
OF_RESOURCES = {"TABLE_NAME": TABLE, "AUDIT_TABLE_NAME": AUDIT, "SYNC_QUEUE_URL": QUEUE}

_EVERY_PART_OF_A_TRANSACTION = {
    "GetItem": "the tenant's document; one appointment",
    "BatchGetItem": "guards, staff days and records, many at a time",
    "PutItem": "ledgers, records, appointments, guards, outbox: whatever is written with its version",
    "UpdateItem": "states of appointments and of inbox rows; the slot cache",
    "DeleteItem": "RELEASE and END: the customer guard",
}

# What each function does to items of the table, and why. DynamoDB has no action for a transaction: each of its items
# needs the action it is made of. That nothing is missing follows from the code (`items_are_what_the_code_touches`), as
# does all else that a function may do (`_by_the_code`).
ITEMS: dict[str, dict[str, str]] = {
    "RetellFunctionsFunction": _EVERY_PART_OF_A_TRANSACTION,
    "RetellEventsFunction": {
        "GetItem": "the tenant's document",
        "BatchGetItem": "routes; the call's record and its staff days",
        "PutItem": "the call's record",
        "UpdateItem": "the staff days, without the holds. It books and cancels nothing: no DeleteItem",
    },
    "CalcomWebhooksFunction": {
        "PutItem": "the inbox row. It reads nothing: what a delivery means is the worker's to find out",
    },
    "SyncWorkerFunction": _EVERY_PART_OF_A_TRANSACTION
    | {"ConditionCheckItem": "a text is claimed if its appointment is as it was read"},
    "ReconciliationFunction": _EVERY_PART_OF_A_TRANSACTION
    | {
        "Query": "what the health of a tenant rests on: counters, reports, alerts, cases, wishes to be rung",
        "ConditionCheckItem": "a decision is carried out while its case is as read; the one that is kept, too",
    },
    "AuditTrailFunction": {"UpdateItem": "the counters of health, with the entry; see COUNTERS_ALONE"},
}

AUDIT_ITEMS: dict[str, dict[str, str]] = {
    "AuditTrailFunction": {"PutItem": "an entry", "Query": "the end of a chain, or all of it"},
}
"""The same of the audit log. Who is not here may not even read it, and nobody may change or delete an entry."""

COUNTERS_ALONE = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["T#*#HEALTH"]}}
"""What the writer of the audit log may update in the table of appointments."""

ASKS_FOR_CUSTOMERS = {"RetellFunctionsFunction", "SyncWorkerFunction", "ReconciliationFunction"}
"""Who looks for a customer's appointments: whoever speaks to one, and who decides about a booking that came late."""

CONSUMES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
FOLLOWS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams")


def is_told_what_its_code_asks_for(stack: Stack) -> Iterable[str]:
    """A variable that is missing is an exception on the first call that needs it; one too many tells too much."""
    for function, properties in stack.functions.items():
        given = set(properties["Environment"]["Variables"])
        needed = variables_needed(_parts(stack, function)) | set(OF_LIBRARIES)
        yield from (f"{function} is not told {name}" for name in sorted(needed - given))
        yield from (f"{function} is told {name}, and its code does not ask" for name in sorted(given - needed))


def variables_hold_what_they_are_called(stack: Stack) -> Iterable[str]:
    for function, properties in stack.functions.items():
        for name, value in properties["Environment"]["Variables"].items():
            meant = OF_LIBRARIES.get(name, {"Ref": OF_RESOURCES.get(name) or _parameter(name)})
            if value != meant:
                yield f"{function}: {name} is {value}, not {meant}"


def permits_exactly_what_the_code_does(stack: Stack) -> Iterable[str]:
    for function in stack.functions:
        allowed = {
            (action, json.dumps(resource))
            for statement in stack.policy_statements(function)
            if statement["Effect"] == "Allow"
            for action in actions(statement)
            for resource in as_list(statement["Resource"])
        }
        needed = {
            (action, json.dumps(resource)) for action, resource in [*_items(function), *_by_the_code(stack, function)]
        }
        yield from (f"{function} may not {action} on {resource}" for action, resource in sorted(needed - allowed))
        yield from (
            f"{function} may {action} on {resource} for no reason" for action, resource in sorted(allowed - needed)
        )


def items_are_what_the_code_touches(stack: Stack) -> Iterable[str]:
    """The tables above are kept by hand, for their reasons. A part of a transaction that nobody has put there fails on
    AWS alone: our tables in memory know no rights.
    """
    for function in stack.functions:
        does = items_touched(handler_of(stack, function))
        said = ITEMS.get(function, {}).keys() | AUDIT_ITEMS.get(function, {}).keys()
        yield from (f"{function} comes to {action}, and no reason is given" for action in sorted(does - said))
        yield from (f"nothing that {function} does is {action}" for action in sorted(said - does))


def audit_log_has_one_writer(stack: Stack) -> Iterable[str]:
    """Whoever could change an entry, or an appointment as well as its entry, would have no log that tells of it."""
    for function in stack.functions:
        for statement in stack.policy_statements(function):
            on = json.dumps(statement["Resource"])
            does = {action.partition(":")[2] for action in actions(statement)}
            if AUDIT in on and (function not in AUDIT_ITEMS or does - AUDIT_ITEMS[function].keys()):
                yield f"{function} may {sorted(does)} on the audit log"
            if function in AUDIT_ITEMS and "UpdateItem" in does and statement.get("Condition") != COUNTERS_ALONE:
                yield f"{function} may change more than counters"


RULES = (
    audit_log_has_one_writer,
    items_are_what_the_code_touches,
    is_told_what_its_code_asks_for,
    variables_hold_what_they_are_called,
    permits_exactly_what_the_code_does,
)


def _parts(stack: Stack, function: str) -> set[str]:
    return parts_reached(handler_of(stack, function))


def handler_of(stack: Stack, function: str) -> str:
    """The source of a function's handler."""
    directory = ROOT / stack.source["Resources"][function]["Properties"]["CodeUri"]
    return (directory / "handler.py").read_text(encoding="utf-8")


def _parameter(variable: str) -> str:
    return "".join(word.capitalize() for word in variable.split("_"))


def _items(function: str) -> Iterable[tuple[str, Any]]:
    return [
        (f"dynamodb:{action}", {"Fn::GetAtt": [table, "Arn"]})
        for table, does in ((TABLE, ITEMS), (AUDIT, AUDIT_ITEMS))
        for action in does.get(function, {})
    ]


def _by_the_code(stack: Stack, function: str) -> Iterable[tuple[str, Any]]:
    """Secrets, queues and the index: who reaches the part that uses them may do so."""
    parts = _parts(stack, function)
    for variable in variables_needed(parts):
        if variable.endswith(("_SECRET_ARN", "_SECRETS_ARN")):
            yield "secretsmanager:GetSecretValue", {"Ref": _parameter(variable)}
    if "queue" in parts:
        yield "sqs:SendMessage", {"Fn::GetAtt": [QUEUE, "Arn"]}
    if "texting" in parts:
        yield from (("sns:" + action, "*") for action in ("Publish", "CheckIfPhoneNumberIsOptedOut"))
        identities = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*"
        yield "ses:SendEmail", {"Fn::Sub": identities}
    if "due_work" in parts:
        yield "dynamodb:Query", {"Fn::Sub": f"${{{TABLE}.Arn}}/index/{DUE_INDEX}"}
    if function in ASKS_FOR_CUSTOMERS:
        yield "dynamodb:Query", {"Fn::Sub": f"${{{TABLE}.Arn}}/index/{CUSTOMER_INDEX}"}
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        if function in json.dumps(mapping["FunctionName"]):
            takes = FOLLOWS if "StreamArn" in mapping["EventSourceArn"]["Fn::GetAtt"] else CONSUMES
            yield from ((action, mapping["EventSourceArn"]) for action in takes)
            if "DestinationConfig" in mapping:
                yield "sqs:SendMessage", mapping["DestinationConfig"]["OnFailure"]["Destination"]
    for config in stack.of_type("AWS::Lambda::EventInvokeConfig").values():
        if config["FunctionName"] == {"Ref": function} and "DestinationConfig" in config:
            yield "sqs:SendMessage", config["DestinationConfig"]["OnFailure"]["Destination"]
