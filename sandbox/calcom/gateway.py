"""Between the socket and the API: logs each request, picks its fault, and carries the fault out."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import asdict, dataclass, replace

from .api import Api, Request, Response, template_of
from .errors import (
    CONFLICT,
    DATABASE,
    HOSTS_TAKEN,
    INTERNAL,
    NOT_AVAILABLE_NOW,
    USER_TAKEN,
    ApiError,
    Raw,
    Short,
    bad_request,
    throttled,
)
from .faults import Fault, FaultKind, FaultPlan, Seen
from .models import Json, iso_millis
from .webhooks import Postman
from .world import Tweaks, World

HTML_524 = "<!DOCTYPE html><html><head><title>api.cal.com | 524: A timeout occurred</title></head><body></body></html>"
HTML_502 = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class NeverAnswers(Exception):
    """The socket stays open until the client gives up or the server closes."""


class ResetsConnection(Exception):
    """The socket is reset."""


@dataclass(slots=True)
class Logged:
    """One entry of the request log. `status` None = not answered (yet)."""

    at: str
    method: str
    template: str
    target: str
    uid: str
    version: str | None
    body: Json
    fault: str | None = None
    status: int | None = None


class Gateway:
    """The stand-in without its socket."""

    def __init__(self, world: World, faults: FaultPlan | None = None) -> None:
        self.world = world
        self.api = Api(world)
        self.closing = threading.Event()
        self.requests: list[Logged] = []
        self._lock = threading.Lock()
        self._pending_effects = 0
        self._forget = threading.Event()
        self.faults = faults or FaultPlan()
        self.postman = Postman(world, self.faults.webhooks, seed=self.faults.seed)
        world.on_event = self.postman.event

    def plan(self, faults: FaultPlan) -> None:
        """Another fault plan from now on; its counting starts anew."""
        self.faults = faults
        if faults.webhooks is not None:
            self.postman.plan = faults.webhooks
            self.postman.seed = faults.seed

    def reset(self) -> None:
        """Empty world, logs and fault plan. What was still to happen later does not happen any more."""
        self._forget.set()
        self._forget = threading.Event()
        self.postman.forget()
        self.world.reset()
        with self._lock:
            self.requests.clear()
        self.api.throttle = type(self.api.throttle)()
        self.plan(FaultPlan())

    # --- one request -------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Raises NeverAnswers or ResetsConnection where there is no answer."""
        template, uid = template_of(request.method, request.path)
        body = _object(request.body)
        entry = Logged(
            iso_millis(self.world.clock()),
            request.method,
            template,
            request.target,
            uid,
            request.headers.get("cal-api-version"),
            body,
        )
        fault = self.faults.pick(Seen(request.method, template, uid or None, body))
        entry.fault = str(fault.kind) if fault else None
        with self._lock:
            self.requests.append(entry)
        response = self.api.handle(request) if fault is None else self._with_fault(request, fault)
        entry.status = response.status
        return response

    def _with_fault(self, request: Request, fault: Fault) -> Response:
        match fault.kind:
            case FaultKind.ERROR_500_BEFORE:
                return self._error(request, Raw(500, INTERNAL))
            case FaultKind.ERROR_500_SHORT:
                return self._error(request, Short(500, "INTERNAL_SERVER_ERROR", NOT_AVAILABLE_NOW))
            case FaultKind.REFUSE_TAKEN:
                return self._error(request, bad_request(HOSTS_TAKEN if fault.message == "hosts" else USER_TAKEN))
            case FaultKind.CONFLICT_409_RAW:
                return self._error(request, Raw(409, CONFLICT))
            case FaultKind.DB_400_RAW:
                return self._error(request, Raw(400, DATABASE))
            case FaultKind.RATE_LIMITED_429:
                response = self._error(request, throttled())
                response.headers |= {
                    "x-ratelimit-limit-default": "120",
                    "x-ratelimit-remaining-default": "0",
                    "x-ratelimit-reset-default": "60",
                }
                return response
            case FaultKind.HTML_524 | FaultKind.HTML_502:
                if fault.effect:
                    self.api.handle(request)
                edge_524 = fault.kind is FaultKind.HTML_524
                return Response(
                    524 if edge_524 else 502,
                    (HTML_524 if edge_524 else HTML_502).encode(),
                    {"content-type": "text/html; charset=UTF-8"},
                )
            case FaultKind.CONNECTION_RESET:
                if fault.effect:
                    self.api.handle(request)
                raise ResetsConnection
            case FaultKind.TIMEOUT_BEFORE:
                raise NeverAnswers
            case FaultKind.TIMEOUT_AFTER:
                self.api.handle(request)
                raise NeverAnswers
            case FaultKind.TIMEOUT_DELAYED:
                self._later(request, fault.seconds)
                raise NeverAnswers
            case FaultKind.SLOW:
                self.closing.wait(fault.seconds)
                return self.api.handle(request)
            case _:
                return self._distorted(request, fault)

    def _distorted(self, request: Request, fault: Fault) -> Response:
        """Faults that let the request through but bend its effect or its answer."""
        response = self.api.handle(replace(request, tweaks=_tweaks(fault)))
        if response.status >= 300:
            return response  # a refusal stays one
        match fault.kind:
            case FaultKind.ERROR_500_AFTER:
                return self._error(request, Raw(500, INTERNAL))
            case FaultKind.NOT_JSON_2XX:
                return Response(response.status, response.body[: len(response.body) // 2], response.headers)
            case FaultKind.NO_UID_2XX:
                body = response.json
                if isinstance(body.get("data"), dict):
                    body["data"] = {k: v for k, v in body["data"].items() if k not in ("id", "uid", "icsUid")}
                return Response(response.status, json.dumps(body).encode(), response.headers)
        if fault.kind is FaultKind.EXISTING_RETURNED and fault.status:
            response.status = fault.status
        return response

    def _error(self, request: Request, error: ApiError) -> Response:
        body = error.body(request.target, iso_millis(self.world.clock()))
        return Response(error.status, json.dumps(body).encode(), {"content-type": "application/json; charset=utf-8"})

    def _later(self, request: Request, seconds: float) -> None:
        """The abandoned request, executed after all (36c2)."""
        with self._lock:
            self._pending_effects += 1
            forget = self._forget

        def run() -> None:
            try:
                if not forget.wait(seconds):
                    self.api.handle(request)
            finally:
                with self._lock:
                    self._pending_effects -= 1

        threading.Thread(target=run, daemon=True).start()

    # --- looking in --------------------------------------------------------------------------------------------

    @property
    def pending_effects(self) -> int:
        """Abandoned requests that are still to be executed."""
        with self._lock:
            return self._pending_effects

    def log(self) -> list[Json]:
        with self._lock:
            return [asdict(entry) for entry in self.requests]

    def counts(self) -> dict[str, int]:
        """`{"POST /v2/bookings": 1, ...}`, by path template."""
        with self._lock:
            return dict(Counter(f"{e.method} {e.template}" for e in self.requests))

    def forget_requests(self) -> None:
        with self._lock:
            self.requests.clear()

    def close(self) -> None:
        self.closing.set()
        self._forget.set()
        self.postman.close()


def _tweaks(fault: Fault) -> Tweaks:
    kind = fault.kind
    return Tweaks(
        longer_by=fault.minutes if kind is FaultKind.WRONG_END else 0,
        host_id=fault.host_id if kind is FaultKind.WRONG_HOST else None,
        wrong_host=kind is FaultKind.WRONG_HOST,
        drop_metadata=kind is FaultKind.DROP_METADATA,
        replica_lag=fault.seconds if kind is FaultKind.REPLICA_LAG else None,
        return_existing=kind is FaultKind.EXISTING_RETURNED,
        existing_uid=fault.uid if kind is FaultKind.EXISTING_RETURNED else None,
        stale_slots=fault.seconds if kind is FaultKind.STALE_SLOTS else 0.0,
    )


def _object(raw: bytes) -> Json:
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
