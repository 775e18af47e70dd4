"""The three JSON error shapes of Cal.com's API v2 (calcom.md 3.1) as exceptions.

envelope  `{"status":"error","timestamp","path","error":{"code","message","details"}}`  (Nest HTTP exceptions)
short     the same without `details`, code in capitals or `TRPCError`                      (Zod, Prisma, tRPC)
raw       `{"statusCode","message"}`                                     (the booking engine, plain errors)
"""

from __future__ import annotations

from typing import Any

from .models import Json

_NAMES = {
    400: ("BadRequestException", "Bad Request"),
    401: ("UnauthorizedException", "Unauthorized"),
    403: ("ForbiddenException", "Forbidden"),
    404: ("NotFoundException", "Not Found"),
    409: ("ConflictException", "Conflict"),
    422: ("UnprocessableEntityException", "Unprocessable Entity"),
}

# The texts that many places share; each is the whole message of a capture.
USER_TAKEN = "User either already has booking at this time or is not available"  # 03a
HOSTS_TAKEN = "One of the hosts either already has booking at this time or is not available"  # 24d
NOT_BOOKABLE = (  # 06b
    "The event type can't be booked at the \"start\" time provided. This could be because it's too soon "
    "(violating the minimum booking notice) or too far in the future (outside the event's scheduling window). "
    "Try fetching available slots first using the GET /v2/slots endpoint and then make a booking with "
    '"start" time equal to one of the available slots: https://cal.com/docs/api-reference/v2/slots'
)
IN_THE_PAST = "Attempting to book a meeting in the past."  # calcom.md 3.2
DATABASE = "An error occurred while querying the database."  # 22-prodmode-*
CONFLICT = "booking_conflict_error"  # 22-devmode-*
INTERNAL = "Internal server error"  # 29a
NOT_AVAILABLE_NOW = "There was an error, please try again later."  # 36d


class ApiError(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def body(self, path: str, timestamp: str) -> Json:
        raise NotImplementedError


class Enveloped(ApiError):
    def __init__(self, status: int, message: str, *, code: str | None = None, details: Any = None) -> None:
        super().__init__(status, message)
        self.code = code or _NAMES[status][0]
        self.details = (
            {"message": message, "error": _NAMES[status][1], "statusCode": status} if details is None else details
        )

    def body(self, path: str, timestamp: str) -> Json:
        error = {"code": self.code, "message": self.message, "details": self.details}
        return {"status": "error", "timestamp": timestamp, "path": path, "error": error}


class Short(ApiError):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, message)
        self.code = code

    def body(self, path: str, timestamp: str) -> Json:
        error = {"code": self.code, "message": self.message}
        return {"status": "error", "timestamp": timestamp, "path": path, "error": error}


class Raw(ApiError):
    def body(self, path: str = "", timestamp: str = "") -> Json:  # noqa: ARG002 - a raw body names neither
        return {"statusCode": self.status, "message": self.message}


def bad_request(message: str) -> Enveloped:
    return Enveloped(400, message)


def not_found(message: str) -> Enveloped:
    return Enveloped(404, message)


def invalid(errors: list[Json]) -> Enveloped:
    """The other 400 of Nest's validation pipes: the faults are in `details.errors` (14a, 18j, 25a4)."""
    return Enveloped(400, "Bad Request Exception", details={"errors": errors})


def throttled() -> Enveloped:
    """Rate limit; `details` is a text here (26a)."""
    message = "CustomThrottlerGuard - Too many requests. Please try again later."
    return Enveloped(429, message, code="ThrottlerException", details=message)
