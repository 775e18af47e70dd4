"""The table as an auditor reads it: with boto3 alone, by the documented keys, through none of the project's code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

Json = dict[str, Any]
_KEPT_BETWEEN_REPLAYS = ("ROUTE#", "TENANTS")
_PLAIN = TypeDeserializer()


@dataclass(frozen=True)
class Interval:
    """Time taken in a stylist's day: H held, P pending, C confirmed."""

    appointment: str
    staff: str
    start: datetime
    end: datetime
    state: str
    held_until: datetime | None
    conflict: bool = False
    """Others' booking that overlaps, let in and put before a person."""


class Records:
    """Everything in the table at one moment."""

    def __init__(self, rows: list[Json]) -> None:
        self._rows = rows

    @classmethod
    def read(cls, client: Any, table: str) -> Records:
        """A consistent look at the whole table."""
        rows: list[Json] = []
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            rows += [{name: _PLAIN.deserialize(value) for name, value in item.items()} for item in page["Items"]]
        return cls(rows)

    @staticmethod
    def chain(client: Any, table: str, partition: str) -> list[Json]:
        """The audit log of one appointment, whose key is its partition there too."""
        rows: list[Json] = []
        for page in client.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ConsistentRead=True,
        ):
            rows += [{name: _PLAIN.deserialize(value) for name, value in item.items()} for item in page["Items"]]
        return rows

    @cached_property
    def appointments(self) -> list[Json]:
        """Every appointment, each with its id and the uid of its first segment, the oldest first."""
        found = [
            row | {"id": row["pk"].rpartition("#")[2], "uid": row["segments"][0]["uid"]}
            for row in self._of("APPT")
            if row["sk"] == "A"
        ]
        return sorted(found, key=lambda row: str(row["created_at"]))

    def of_call(self, call: str) -> list[Json]:
        """The appointments of one phone call."""
        return [each for each in self.appointments if each["call"] == call]

    @property
    def alerts(self) -> list[Json]:
        """What an operator would see: kind and facts."""
        return sorted(self._of("ALERT"), key=lambda row: str(row["sk"]))

    @property
    def intervals(self) -> list[Interval]:
        """The ledgers of all stylists and days."""
        return [
            Interval(
                key.partition("/")[0],
                row["pk"].rpartition("#")[2],
                datetime.fromisoformat(entry["start"]),
                datetime.fromisoformat(entry["end"]),
                entry["st"],
                datetime.fromtimestamp(int(entry["x"]) / 1000).astimezone() if "x" in entry else None,
                bool(entry.get("c", False)),
            )
            for row in self._of("STAFF")
            for key, entry in row["iv"].items()
        ]

    @property
    def audits(self) -> list[Json]:
        """What was repaired, in order: the class of the difference, the repair, before and after."""
        return sorted(self._of("AUDIT"), key=lambda row: str(row["sk"]))

    @property
    def reports(self) -> list[Json]:
        """What each finished reconciliation found, by `tally`."""
        return sorted(self._of("REPORT"), key=lambda row: str(row["sk"]))

    @property
    def events(self) -> list[Json]:
        """Cal.com's webhooks as they were stored: `body`, and once they are done with `done_at` and `outcome`."""
        return sorted(self._of("WH"), key=lambda row: str(row["at"]))

    @property
    def superseded(self) -> dict[str, str]:
        """The uids that others took the place of."""
        uids = self._of("CALUID")
        return {row["pk"].split("#", 3)[3]: row["superseded_by"] for row in uids if "superseded_by" in row}

    def owners(self) -> dict[str, str]:
        """Which appointment owns which of Cal.com's ids (`CALUID#…`, `CALID#…`)."""
        kinds = ("CALUID", "CALID")
        return {row["pk"].split("#", 3)[3]: row["appt"] for kind in kinds for row in self._of(kind)}

    @property
    def owed_texts(self) -> list[tuple[str, str]]:
        """The messages that callers were promised: the appointment, and whether it is booked."""
        return [(row["appt"], row["kind"]) for row in self._of("OUT") if row["told"] == "pending"]

    def texts_under_way(self, now: datetime) -> list[str]:
        """The messages that the sweeper has queued and nobody has ended: it puts off those that it queues."""
        rows = [row for row in self._of("OUT") if row["state"] in {"NEW", "SENDING"} and "requeued" in row]
        return [str(row["pk"]) for row in rows if int(row["due"]) > now.timestamp()]

    @property
    def callbacks(self) -> list[Json]:
        """Who would like to be rung and has not been yet, the longest waiting first."""
        return sorted((row for row in self._of("CALLBACK") if row["state"] == "OPEN"), key=lambda row: str(row["sk"]))

    @property
    def cases(self) -> list[Json]:
        """What should have been on both sides and was not, each with its id; the closed ones too."""
        return sorted((row | {"id": row["sk"]} for row in self._of("CASE")), key=lambda row: str(row["id"]))

    @property
    def customers(self) -> list[Json]:
        """How to reach everybody who is known."""
        return self._of("CUSTOMER")

    def customer_guards(self) -> list[str]:
        """The keys by which one customer has one appointment of one service at one time."""
        return [row["pk"] for row in self._of("CUST")]

    def _of(self, kind: str) -> list[Json]:
        return [row for row in self._rows if row["pk"].startswith("T#") and row["pk"].split("#")[2] == kind]


def empty(client: Any, table: str) -> None:
    """Delete everything but the tenant's configuration."""
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            partition = item["pk"]["S"]
            if partition.startswith(_KEPT_BETWEEN_REPLAYS) or partition.endswith("#CONFIG"):
                continue
            client.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
