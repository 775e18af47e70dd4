"""Keys from AWS Secrets Manager, kept for five minutes: a rotated key is in force by then without a deployment.

A secret is a JSON object: `{"keys": ["…", "…"]}` for Retell (two during a rotation) and `{"api_key": "cal_…"}` for
Cal.com.
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
_Form = Callable[[Any], _Keys]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a secret held at `read_at`; somebody looked for something newer at `tried_at`."""

    form: _Form
    keys: _Keys
    read_at: datetime
    tried_at: datetime


class SecretStore:
    """Secrets by ARN. `on_stale` is told that one could not be read and that the one known before serves on."""

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
        return self._keys(arn, _retell)

    def calcom_key(self, arn: str) -> str:
        """The API key.

        Raises:
            SecretUnusable: the secret is not `{"api_key": text}`.
        """
        return self._keys(arn, _calcom)[0]

    def webhook_secrets(self, arn: str, tenant: str) -> tuple[str, ...]:
        """The secrets with which Cal.com signs a tenant's events; none for a tenant without webhooks.

        Raises:
            SecretUnusable: the secret is not `{"<tenant>": [text, …]}`.
        """
        secrets = self._read(arn).get(tenant, [])
        if not isinstance(secrets, list) or not all(isinstance(each, str) for each in secrets):
            msg = 'the webhook secret must look like {"<tenant>": ["…"]}'
            raise SecretUnusable(msg)
        return tuple(each for each in secrets if each)

    def refresh(self, arn: str) -> bool:
        """Look for something newer than what is kept; False if there is none, or somebody did so within a minute."""
        kept = self._kept.get(arn)
        if kept is None or self._clock.now() - kept.tried_at < REFRESH_AT_MOST_EVERY:
            return False
        return self._renewed(arn, kept) != kept.keys

    def _keys(self, arn: str, form: _Form) -> _Keys:
        kept, now = self._kept.get(arn), self._clock.now()
        if kept is None:
            keys = form(self._read(arn))
            self._kept[arn] = _Kept(form, keys, now, now)
            return keys
        if now - kept.read_at < KEPT or now - kept.tried_at < REFRESH_AT_MOST_EVERY:
            return kept.keys
        return self._renewed(arn, kept)

    def _renewed(self, arn: str, kept: _Kept) -> _Keys:
        """What the secret holds now, or for a while what it held before.

        Good keys are given up for newer ones only: whoever can forge a signature can make us look.
        """
        now = self._clock.now()
        try:
            keys = kept.form(self._read(arn))
        except (BotoCoreError, ClientError, SecretUnusable):
            if now - kept.read_at >= STALE_AT_MOST:
                raise
            self._kept[arn] = replace(kept, tried_at=now)
            self._on_stale()
            return kept.keys
        self._kept[arn] = _Kept(kept.form, keys, now, now)
        return keys

    def _read(self, arn: str) -> Any:
        text = self._client.get_secret_value(SecretId=arn).get("SecretString")
        try:
            return json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            return None  # a JSONDecodeError carries the whole text


def _retell(secret: Any) -> _Keys:
    keys = secret.get("keys") if isinstance(secret, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        msg = 'the Retell secret must look like {"keys": ["…"]}'
        raise SecretUnusable(msg)
    return tuple(key for key in keys if key)


def _calcom(secret: Any) -> _Keys:
    key = secret.get("api_key") if isinstance(secret, dict) else None
    if not isinstance(key, str) or not key:
        msg = 'the Cal.com secret must look like {"api_key": "cal_…"}'
        raise SecretUnusable(msg)
    return (key,)
