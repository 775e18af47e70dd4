"""Somebody on the phone, and the voice agent between them and us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.salon import retell

if TYPE_CHECKING:
    from sandbox.replays.story import Story

Json = dict[str, Any]
_MODELS_OWN = {"call_id": "call_1", "execution_message": "Einen Moment, ich schaue nach."}
"""What a model adds to its arguments, of which nothing may be believed (incidents: lessons)."""


class Caller:
    """One phone call. `number` None: withheld."""

    def __init__(self, story: Story, name: str, call_id: str, number: str | None) -> None:
        self.name = name
        self.call_id = call_id
        self._story = story
        salon = story.salon
        self._line = retell.Line(call_id, salon.agent, salon.number, number, salon.now())
        self.seconds = 0.0
        """How long the last answer took, really."""

    def says(self, words: str, tool: str, **args: str) -> Json:
        """They say something, the agent calls one of its functions; the reply is what it may read aloud."""
        self._story.said(self.name, words)
        reply = self._post("functions", retell.function_call(self._line, tool, args | _MODELS_OWN))
        self._story.answered(tool, args, reply, seconds=self.seconds)
        return reply

    def takes(self, words: str, offer: Json, **args: str) -> Json:
        """They choose one of the times they heard."""
        chosen = {"offer_id": offer["offer_id"], "start": offer["start"], "name": self.name}
        return self.says(words, "book_appointment_v17", **args, **chosen)

    def hangs_up(self) -> Json:
        """Retell tells us that the call is over."""
        reply = self._post("events", retell.call_ended(self._line, self._story.salon.now()))
        self._story.meanwhile(f"{self.name} hangs up; {reply.get('freed', 0)} held times are free again")
        return reply

    def _post(self, door: str, body: Json) -> Json:
        salon = self._story.salon
        answer = retell.send(f"{salon.stack.url}/retell/{door}", body, key=salon.retell_key, now=salon.now())
        self.seconds = answer.seconds
        return answer.body | ({} if answer.http_status == 200 else {"http_status": answer.http_status})
