"""What is said of a wish to be rung: noted, or what is still missing, or why not."""

from __future__ import annotations

from typing import assert_never

from bookend.adapters.retell.replies import Reply, Speaker
from bookend.application.request_callback import (
    CallbackNeeds,
    CallbackNoted,
    CallbackNotNoted,
    CallbackOutcome,
    TooManyCallbacks,
)


class CallbackSpeaker(Speaker):
    """Speaks of callbacks, for one tenant."""

    def called_for(self, outcome: CallbackOutcome) -> Reply:
        """The reply to a wish to be rung."""
        match outcome:
            case CallbackNoted():
                return self._reply(
                    "noted", self._say("callback_noted" if outcome.signed else "callback_noted_as_named")
                )
            case CallbackNeeds():
                return self._reply("need_info", self._say(f"callback_need_{outcome.value}"), missing=outcome.value)
            case TooManyCallbacks():
                return self._reply("not_allowed", self._say("callback_too_many", callback=self._callback()))
            case CallbackNotNoted():
                return self._reply("temporary_error", self._say("callback_not_noted"))
            case other:
                assert_never(other)
