"""What callers' telephones and mailboxes get: SNS and SES (version 2) as far as the project asks them, on loopback.

It takes what they would take and keeps it to be looked at; nothing leaves this machine. `GET /_standin/texts` lists
them. `refuse` and `lose` are what may go wrong with the next ones.
"""

from __future__ import annotations

import json
import threading
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

LIST = "/_standin/texts"
_XML = "http://sns.amazonaws.com/doc/2010-03-31/"


@dataclass(frozen=True)
class Arrived:
    """A text on somebody's telephone or in their mailbox."""

    channel: str
    to: str
    sender: str
    subject: str
    body: str


class TextsStandIn:
    """Both services at one address, in threads of this process. `on_text` hears of each that arrives."""

    def __init__(self, on_text: Callable[[Arrived], None] = lambda _text: None) -> None:
        self.arrived: list[Arrived] = []
        self.opted_out: set[str] = set()
        self.refuse = 0
        """So many of the next texts are refused as invalid."""
        self.lose = 0
        """So many of the next texts arrive, and the answer to them is a 500."""
        self._on_text = on_text
        self._server = _Server(self)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """The variables by which an AWS SDK finds it, and nothing else of AWS."""
        return {"AWS_ENDPOINT_URL_SNS": self.url, "AWS_ENDPOINT_URL_SESV2": self.url}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True, name="texts").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, text: Arrived) -> str | None:
        """Its id; None where it is refused. Raises LookupError where it arrives and nobody hears of it."""
        if self.refuse:
            self.refuse -= 1
            return None
        self.arrived.append(text)
        self._on_text(text)
        if self.lose:
            self.lose -= 1
            raise LookupError
        return str(uuid.uuid4())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, texts: TextsStandIn) -> None:
        self.texts = texts
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """What arrived."""
        if self.path == LIST:
            self._say(200, json.dumps([asdict(each) for each in self.server.texts.arrived]))
        else:
            self._say(404, "{}")

    def do_POST(self) -> None:
        """One request of an SDK."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        try:
            if self.path.startswith("/v2/email/outbound-emails"):
                self._send_email(json.loads(body))
            else:
                self._query(dict(urllib.parse.parse_qsl(body)))
        except LookupError:
            self._say(500, "{}")

    def _send_email(self, said: dict[str, Any]) -> None:
        content = said["Content"]["Simple"]
        (to,) = said["Destination"]["ToAddresses"]
        subject, body = content["Subject"]["Data"], content["Body"]["Text"]["Data"]
        made = self.server.texts.take(Arrived("email", to, said["FromEmailAddress"], subject, body))
        if made is None:
            self._say(400, json.dumps({"__type": "MessageRejected", "message": "Email address is not verified."}))
        else:
            self._say(200, json.dumps({"MessageId": made}))

    def _query(self, said: dict[str, str]) -> None:
        texts, action = self.server.texts, said.get("Action", "")
        if action == "CheckIfPhoneNumberIsOptedOut":
            out = str(said["phoneNumber"] in texts.opted_out).lower()
            return self._answer(action, f"<isOptedOut>{out}</isOptedOut>")
        if action != "Publish" or "PhoneNumber" not in said:
            return self._refuse("InvalidAction", f"{action} is not served here")
        attributes = {
            said[f"MessageAttributes.entry.{number}.Name"]: said[f"MessageAttributes.entry.{number}.Value.StringValue"]
            for number in range(1, 10)
            if f"MessageAttributes.entry.{number}.Name" in said
        }
        sender = attributes.get("AWS.SNS.SMS.SenderID", "NOTICE")
        made = texts.take(Arrived("sms", said["PhoneNumber"], sender, "", said["Message"]))
        if made is None:
            return self._refuse("InvalidParameter", "Invalid parameter: PhoneNumber")
        return self._answer(action, f"<MessageId>{made}</MessageId>")

    def _answer(self, action: str, result: str) -> None:
        self._say(200, f'<{action}Response xmlns="{_XML}"><{action}Result>{result}</{action}Result></{action}Response>')

    def _refuse(self, code: str, why: str) -> None:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{why}</Message></Error>"
        self._say(400, f'<ErrorResponse xmlns="{_XML}">{error}</ErrorResponse>')

    def _say(self, status: int, text: str) -> None:
        raw = text.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""
