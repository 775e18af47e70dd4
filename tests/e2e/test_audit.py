"""The audit log on the running stack: stream, function and second table, as the template has them."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from sandbox import desk
from sandbox.salon import handle
from sandbox.salon.records import Records
from sandbox.salon.running import Salon

pytestmark = pytest.mark.engine


def test_what_others_book_is_in_the_log_with_who_took_it_over(
    salon: Salon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    salon.real_time()
    salon.start_anew(mail={"mode": "late", "late_seconds": 0.05})
    monkeypatch.setattr(handle, "read", salon.handle)
    assert desk.main(["book", "Herrenhaarschnitt", "Fabian", _tuesday(salon), "Petra Web"]) == 0
    salon.caught_up()
    assert salon.stack.streams_caught_up()
    (appointment,) = salon.records().appointments
    chain = Records.chain(salon.stack.dynamodb(), salon.stack.physical("AuditTable"), appointment["pk"])
    assert sorted(each["kind"] for each in chain) == ["created", "repaired"]
    assert {each["by"] for each in chain} == {"worker"}
    assert "Petra" not in str(chain)
    capsys.readouterr()
    assert desk.main(["audit", appointment["id"][:10]]) == 0
    assert "2 entries" in capsys.readouterr().out


def _tuesday(salon: Salon) -> str:
    day = salon.now().astimezone(ZoneInfo(salon.tenant["zone"])).date()
    return f"{day + timedelta(days=(1 - day.weekday()) % 7 + 7)} 11:00"
