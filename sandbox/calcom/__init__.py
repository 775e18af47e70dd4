"""A Cal.com API v2 that behaves as the real one was observed to behave, faults and races included.

`world.py` rules of booking · `diary.py` who is free · `state.py` rows · `slots.py` free time · `listing.py` the
list · `validation.py` what is refused at the door · `views.py` how rows look · `api.py` routes, versions, login,
rate limit · `webhooks.py` deliveries, `payloads.py` what is in them · `faults.py` the fault plan · `gateway.py`
carries faults out · `control.py` `/_standin/` · `server.py` HTTP.
Sources: the contract dossiers ("calcom.md", "calcom-observed.md") and captures, named like `22d` or `25c` after
their files in `tests/sandbox/calcom/captures/`.
"""

from .clock import ManualClock, file_clock
from .faults import Fault, FaultKind, FaultPlan, Rule
from .models import ApiKey, EventType, Schedule, Team, User
from .server import CalcomStandIn
from .webhooks import WebhookPlan
from .world import Settings, World

__all__ = [
    "ApiKey",
    "CalcomStandIn",
    "EventType",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "ManualClock",
    "Rule",
    "Schedule",
    "Settings",
    "Team",
    "User",
    "WebhookPlan",
    "World",
    "file_clock",
]
