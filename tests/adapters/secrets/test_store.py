"""Keys out of Secrets Manager: their form, how long they are kept, and that no message holds one."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bookend.adapters.secrets.store import KEPT, REFRESH_AT_MOST_EVERY, STALE_AT_MOST, SecretStore, SecretUnusable
from tests.support.http import CALCOM_ARN, RETELL_ARN, Vault
from tests.support.salon import StoppedClock

CANARY = "canary_9d8c7b6a5f4e3d2c"


WEBHOOKS_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bookend/webhooks-JkLmNo"


class Kept:
    def __init__(self, retell: Any = None, calcom: Any = None, webhooks: Any = None) -> None:
        self.clock = StoppedClock(datetime(2025, 10, 25, 18, 18, 32, tzinfo=UTC))
        self.vault = Vault({RETELL_ARN: retell, CALCOM_ARN: calcom, WEBHOOKS_ARN: webhooks})
        self.stale = 0
        self.store = SecretStore(self.vault, clock=self.clock, on_stale=self._count)

    def _count(self) -> None:
        self.stale += 1


def test_both_secrets_as_documented() -> None:
    kept = Kept({"keys": ["key_new_00000000", "key_old_00000000"]}, {"api_key": "cal_live_x"})
    assert kept.store.retell_keys(RETELL_ARN) == ("key_new_00000000", "key_old_00000000")
    assert kept.store.calcom_key(CALCOM_ARN) == "cal_live_x"


def test_empty_keys_are_none() -> None:
    assert Kept({"keys": ["", "key_old_00000000"]}).store.retell_keys(RETELL_ARN) == ("key_old_00000000",)
    assert Kept({"keys": []}).store.retell_keys(RETELL_ARN) == ()


WRONG = [
    CANARY,
    f'"{CANARY}"',
    f'{{"keys": ["{CANARY}"',
    [CANARY],
    {"key": CANARY},
    {"keys": CANARY},
    {"keys": [CANARY, 5]},
    {"keys": [[CANARY]]},
    {"keys": {"a": CANARY}},
    {"keys": None, "api_key": ""},
    {"api_key": [CANARY]},
    {"api_key": 5},
    {},
    "",
    "null",
    "[" * 100_000,
]


@pytest.mark.parametrize("secret", WRONG, ids=range(len(WRONG)))
def test_a_wrong_form_says_what_is_expected_and_never_what_is_there(secret: Any) -> None:
    kept = Kept(secret, secret)
    for read, arn, form in (
        (kept.store.retell_keys, RETELL_ARN, '{"keys": ["…"]}'),
        (kept.store.calcom_key, CALCOM_ARN, '{"api_key": "cal_…"}'),
    ):
        with pytest.raises(SecretUnusable) as raised:
            read(arn)
        assert form in str(raised.value)
        whole = "".join(traceback.format_exception(raised.value))
        assert CANARY not in whole
        assert CANARY not in repr(
            (raised.value.__cause__, raised.value.args, vars(raised.value.__cause__ or raised.value))
        )


def test_a_binary_secret_is_a_wrong_form_too() -> None:
    kept = Kept()
    kept.vault.get_secret_value = lambda **_: {"SecretBinary": CANARY.encode()}  # type: ignore[method-assign]
    with pytest.raises(SecretUnusable) as raised:
        kept.store.retell_keys(RETELL_ARN)
    assert CANARY not in str(raised.value)


def test_read_once_in_five_minutes() -> None:
    kept = Kept({"keys": ["key_old_00000000"]})
    for _ in range(10):
        kept.store.retell_keys(RETELL_ARN)
    kept.clock.advance(KEPT.total_seconds() - 0.001)
    kept.store.retell_keys(RETELL_ARN)
    assert kept.vault.reads == 1
    kept.clock.advance(0.001)
    kept.vault.rotate("key_new_00000000")
    assert kept.store.retell_keys(RETELL_ARN) == ("key_new_00000000",)
    assert kept.vault.reads == 2


def test_refresh_says_whether_there_is_something_newer() -> None:
    kept = Kept({"keys": ["key_old_00000000"]})
    assert not kept.store.refresh(RETELL_ARN)  # never read: nothing to renew
    kept.store.retell_keys(RETELL_ARN)
    kept.clock.advance(REFRESH_AT_MOST_EVERY.total_seconds())
    assert not kept.store.refresh(RETELL_ARN)
    kept.vault.rotate("key_new_00000000")
    assert not kept.store.refresh(RETELL_ARN)  # less than a minute after the last look
    kept.clock.advance(REFRESH_AT_MOST_EVERY.total_seconds())
    assert kept.store.refresh(RETELL_ARN)
    assert kept.store.retell_keys(RETELL_ARN) == ("key_new_00000000",)
    assert kept.vault.reads == 3


def denied() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetSecretValue")


def test_what_was_known_serves_for_an_hour_and_no_longer() -> None:
    kept = Kept({"keys": ["key_old_00000000"]})
    kept.store.retell_keys(RETELL_ARN)
    kept.vault.failures = [denied() for _ in range(100)]
    kept.clock.advance(STALE_AT_MOST.total_seconds() - 1)
    assert kept.store.retell_keys(RETELL_ARN) == ("key_old_00000000",)
    assert kept.stale == 1
    kept.clock.advance(60)
    with pytest.raises(ClientError):
        kept.store.retell_keys(RETELL_ARN)


def test_without_anything_known_trouble_is_seen() -> None:
    kept = Kept({"keys": ["key_old_00000000"]})
    kept.vault.failures = [denied()]
    with pytest.raises(ClientError):
        kept.store.retell_keys(RETELL_ARN)
    assert kept.store.retell_keys(RETELL_ARN) == ("key_old_00000000",)


# The secrets of Cal.com's webhooks, by tenant


def test_webhook_secrets_are_each_tenants_own() -> None:
    kept = Kept(webhooks={"friseur1": ["whsec_new_00000000", "", "whsec_old_00000000"], "anderer": ["whsec_other_000"]})
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "friseur1") == ("whsec_new_00000000", "whsec_old_00000000")
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "anderer") == ("whsec_other_000",)
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "niemand") == ()


def test_webhook_secrets_are_read_once_for_all_tenants_however_many_knock() -> None:
    kept = Kept(webhooks={"friseur1": ["whsec_old_00000000"]})
    for number in range(300):
        kept.store.webhook_secrets(WEBHOOKS_ARN, f"tenant{number}")
        kept.store.refresh(WEBHOOKS_ARN)
        kept.clock.advance(1)
    assert kept.vault.reads <= 1 + 300 // 60


def test_a_rotated_webhook_secret_is_found_by_a_refresh() -> None:
    kept = Kept(webhooks={"friseur1": ["whsec_old_00000000"]})
    kept.store.webhook_secrets(WEBHOOKS_ARN, "friseur1")
    kept.vault.secrets[WEBHOOKS_ARN] = {"friseur1": ["whsec_new_00000000"]}
    kept.clock.advance(60)
    assert kept.store.refresh(WEBHOOKS_ARN)
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "friseur1") == ("whsec_new_00000000",)
    kept.vault.failures = [denied()]
    kept.clock.advance(300)
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "friseur1") == ("whsec_new_00000000",)
    assert kept.stale == 1


@pytest.mark.parametrize("wrong", [CANARY, [CANARY], None])
def test_a_wrong_form_of_the_webhook_secret(wrong: Any) -> None:
    kept = Kept(webhooks=wrong)
    with pytest.raises(SecretUnusable, match="the webhook secret must look like") as raised:
        kept.store.webhook_secrets(WEBHOOKS_ARN, "friseur1")
    assert CANARY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("wrong", [CANARY, [CANARY, 5], [[CANARY]], {"a": CANARY}, 5, None])
def test_a_tenants_wrong_part_lets_nobody_in_and_is_in_nobody_elses_way(wrong: Any) -> None:
    """An exception would answer even strangers with a 5xx. An operator is told."""
    kept = Kept(webhooks={"friseur1": wrong, "anderer": ["whsec_other_000"]})
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "friseur1") == ()
    assert kept.stale == 1
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "anderer") == ("whsec_other_000",)
    assert kept.store.webhook_secrets(WEBHOOKS_ARN, "niemand") == ()
    assert kept.stale == 1
