"""Keys from AWS Secrets Manager, kept for five minutes: a rotated key is in force by then without a deployment.

A secret is a JSON object: `{"keys": ["…", "…"]}` for Retell (two during a rotation) and `{"api_key": "cal_…"}` for
Cal.com. That of the audit log is like Retell's: the first key seals, the others have sealed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bookend.application.ports import Clock

KEPT = timedelta(minutes=5)
REFRESH_AT_MOST_EVERY = timedelta(minutes=1)
"""How often a bad signature may make us look for a new key; a storm of forgeries must not become one of requests."""
STALE_AT_MOST = timedelta(hours=1)
"""How long a secret serves on while Secrets Manager does not answer, or holds something that cannot be used."""


class SecretUnusable(Exception):
    """The secret is not of the documented form; the message says what is expected, never what is there."""


_Keys = tuple[str, ...]
_Form = Callable[[Any], Any]
"""Checks what a secret holds, and returns what is kept of it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a secret held at `read_at`; somebody looked for something newer at `tried_at`."""

    form: _Form
    held: Any
    read_at: datetime
    tried_at: datetime


class SecretStore:
    """Secrets by ARN. `on_stale` is told that one could not be read: the one known before serves on, or none does."""

    def __init__(self, client: Any, *, clock: Clock, on_stale: Callable[[], None] = lambda: None) -> None:
        self._client = client
        self._clock = clock
        self._on_stale = on_stale
        self._kept: dict[str, _Kept] = {}

    def retell_keys(self, arn: str) -> tuple[str, ...]:
        """The keys that may sign; none of them empty.

        Raises:
            SecretUnusable: the secret is not `{"keys": [text, …]}`.
        """
        keys: _Keys = self._held(arn, _retell)
        return keys

    def calcom_key(self, arn: str) -> str:
        """The API key.

        Raises:
            SecretUnusable: the secret is not `{"api_key": text}`.
        """
        key: str = self._held(arn, _calcom)
        return key

    def webhook_secrets(self, arn: str, tenant: str) -> tuple[str, ...]:
        """The secrets with which Cal.com signs a tenant's events; none for a tenant without webhooks.

        None either, and an operator is told, for a tenant whose part is not `[text, …]`: nobody can sign for it.

        Raises:
            SecretUnusable: the secret is not `{"<tenant>": …}`.
        """
        part = self._held(arn, _by_tenant).get(tenant, [])
        try:
            return _texts(part, _WEBHOOK_FORM)
        except SecretUnusable:
            self._on_stale()
            return ()

    def audit_keys(self, arn: str) -> tuple[str, ...]:
        """The keys of the audit log, the one that seals first; at least one.

        Raises:
            SecretUnusable: the secret is not `{"keys": [text of 32 characters or more, …]}`.
        """
        keys: _Keys = self._held(arn, _audit)
        return keys

    def refresh(self, arn: str) -> bool:
        """Look for something newer than what is kept; False if there is none, or somebody did so within a minute."""
        kept = self._kept.get(arn)
        if kept is None or self._clock.now() - kept.tried_at < REFRESH_AT_MOST_EVERY:
            return False
        return bool(self._renewed(arn, kept) != kept.held)

    def _held(self, arn: str, form: _Form) -> Any:
        kept, now = self._kept.get(arn), self._clock.now()
        if kept is None:
            held = form(self._read(arn))
            self._kept[arn] = _Kept(form, held, now, now)
            return held
        if now - kept.read_at < KEPT or now - kept.tried_at < REFRESH_AT_MOST_EVERY:
            return kept.held
        return self._renewed(arn, kept)

    def _renewed(self, arn: str, kept: _Kept) -> Any:
        """What the secret holds now, or for a while what it held before.

        Good keys are given up for newer ones only: whoever can forge a signature can make us look.
        """
        now = self._clock.now()
        try:
            held = kept.form(self._read(arn))
        except (BotoCoreError, ClientError, SecretUnusable):
            if now - kept.read_at >= STALE_AT_MOST:
                raise
            self._kept[arn] = replace(kept, tried_at=now)
            self._on_stale()
            return kept.held
        self._kept[arn] = _Kept(kept.form, held, now, now)
        return held

    def _read(self, arn: str) -> Any:
        text = self._client.get_secret_value(SecretId=arn).get("SecretString")
        try:
            return json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            return None  # a JSONDecodeError carries the whole text


_RETELL_FORM = 'the Retell secret must look like {"keys": ["…"]}'
_CALCOM_FORM = 'the Cal.com secret must look like {"api_key": "cal_…"}'
_AUDIT_FORM = 'the secret of the audit log must look like {"keys": ["…"]}, each of 32 characters or more'
_LEAST_OF_AUDIT_KEY = 32
_WEBHOOK_FORM = 'the webhook secret must look like {"<tenant>": ["…"]}'


def _retell(secret: Any) -> _Keys:
    return _texts(secret.get("keys") if isinstance(secret, dict) else None, _RETELL_FORM)


def _audit(secret: Any) -> _Keys:
    keys = _texts(secret.get("keys") if isinstance(secret, dict) else None, _AUDIT_FORM)
    if not keys or any(len(key) < _LEAST_OF_AUDIT_KEY for key in keys):
        raise SecretUnusable(_AUDIT_FORM)
    return keys


def _calcom(secret: Any) -> str:
    key = secret.get("api_key") if isinstance(secret, dict) else None
    if not isinstance(key, str) or not key:
        raise SecretUnusable(_CALCOM_FORM)
    return key


def _by_tenant(secret: Any) -> dict[str, Any]:
    """Each tenant's part is checked when it is needed: one that is wrong is in nobody else's way."""
    if not isinstance(secret, dict):
        raise SecretUnusable(_WEBHOOK_FORM)
    return secret


def _texts(found: Any, form: str) -> _Keys:
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise SecretUnusable(form)
    return tuple(each for each in found if each)
