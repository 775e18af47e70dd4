"""Keys from AWS Secrets Manager, kept for five minutes: a rotated key is in force by then without a deployment.

A secret is a JSON object: `{"keys": ["…", "…"]}` for Retell (two during a rotation) and `{"api_key": "cal_…"}` for
Cal.com.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from bookend.application.ports import Clock

KEPT = timedelta(minutes=5)
REFRESH_AT_MOST_EVERY = timedelta(minutes=1)
"""How often a bad signature may make us look for a new key; a storm of forgeries must not become one of requests."""


class SecretUnusable(Exception):
    """The secret is not of the documented form; the message says what is expected, never what is there."""


class SecretStore:
    """Secrets by ARN."""

    def __init__(self, client: Any, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[str, tuple[datetime, dict[str, Any]]] = {}

    def retell_keys(self, arn: str) -> tuple[str, ...]:
        """The keys that may sign; none of them empty.

        Raises:
            SecretUnusable: the secret is not `{"keys": [text, …]}`.
        """
        keys = self._read(arn).get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            msg = 'the Retell secret must look like {"keys": ["…"]}'
            raise SecretUnusable(msg)
        return tuple(key for key in keys if key)

    def calcom_key(self, arn: str) -> str:
        """The API key.

        Raises:
            SecretUnusable: the secret is not `{"api_key": text}`.
        """
        key = self._read(arn).get("api_key")
        if not isinstance(key, str) or not key:
            msg = 'the Cal.com secret must look like {"api_key": "cal_…"}'
            raise SecretUnusable(msg)
        return key

    def refresh(self, arn: str) -> bool:
        """Forget a secret so that it is read anew; False if that was done less than a minute ago."""
        kept = self._kept.get(arn)
        if kept is None or self._clock.now() - kept[0] < REFRESH_AT_MOST_EVERY:
            return False
        del self._kept[arn]
        return True

    def _read(self, arn: str) -> dict[str, Any]:
        now = self._clock.now()
        kept = self._kept.get(arn)
        if kept is not None and now - kept[0] < KEPT:
            return kept[1]
        text = self._client.get_secret_value(SecretId=arn)["SecretString"]
        try:
            secret = json.loads(text)
        except ValueError as error:
            msg = "a secret must be a JSON object"
            raise SecretUnusable(msg) from error
        if not isinstance(secret, dict):
            msg = "a secret must be a JSON object"
            raise SecretUnusable(msg)
        self._kept[arn] = (now, secret)
        return secret
