"""Settings: from the environment, once, checked. The only os.environ of the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

ENVIRONMENT: Mapping[str, bool] = {
    "TABLE_NAME": True,
    "RETELL_KEYS_SECRET_ARN": False,
    "STAGE": True,
    "RELEASE_ID": True,
    "CALCOM_SECRET_ARN": False,
    "CALCOM_BASE_URL": False,
    "CALCOM_WEBHOOK_SECRETS_ARN": False,
    "SYNC_QUEUE_URL": False,
    "AUDIT_TABLE_NAME": False,
    "AUDIT_KEYS_SECRET_ARN": False,
}
"""Variables we read, and whether every function needs them; a test holds the template against this."""


class SettingsIncomplete(Exception):
    """A variable the function needs is missing or empty; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the template tells a function."""

    table_name: str
    stage: str
    release_id: str
    retell_keys_secret_arn: str | None = None
    calcom_secret_arn: str | None = None
    calcom_base_url: str | None = None
    calcom_webhook_secrets_arn: str | None = None
    sync_queue_url: str | None = None
    audit_table_name: str | None = None
    audit_keys_secret_arn: str | None = None


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environment`, by default the process's.

    Raises:
        SettingsIncomplete: a needed variable is missing or empty.
    """
    variables = os.environ if environment is None else environment
    missing = [name for name, needed in ENVIRONMENT.items() if needed and not variables.get(name)]
    if missing:
        raise SettingsIncomplete(", ".join(missing))
    return Settings(
        table_name=variables["TABLE_NAME"],
        stage=variables["STAGE"],
        release_id=variables["RELEASE_ID"],
        retell_keys_secret_arn=variables.get("RETELL_KEYS_SECRET_ARN") or None,
        calcom_secret_arn=variables.get("CALCOM_SECRET_ARN") or None,
        calcom_base_url=variables.get("CALCOM_BASE_URL") or None,
        calcom_webhook_secrets_arn=variables.get("CALCOM_WEBHOOK_SECRETS_ARN") or None,
        sync_queue_url=variables.get("SYNC_QUEUE_URL") or None,
        audit_table_name=variables.get("AUDIT_TABLE_NAME") or None,
        audit_keys_secret_arn=variables.get("AUDIT_KEYS_SECRET_ARN") or None,
    )


def is_starting_in_lambda() -> bool:
    """Whether this is Lambda's own environment, where what a module builds is built before anybody calls."""
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ
