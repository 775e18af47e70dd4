"""One signed call to the running stack: `python -m sandbox.say check_availability service=Beratung date=morgen`.

Words are `name=value`; `offer=1` stands for the first time that the last answer offered. All of it is one phone call
unless `--call` names another.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.salon import handle, retell
from sandbox.stack.clock import SandboxClock


def main(arguments: Sequence[str] | None = None) -> int:
    """0: answered; 1: there is no stack, or it does not answer."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.say", description=__doc__)
    parser.add_argument("function", help="one of docs/voice.md, such as check_availability; hang-up ends the call")
    parser.add_argument("words", nargs="*", metavar="name=value")
    parser.add_argument("--call", help="another phone call than before, by a name of your choice")
    parser.add_argument("--number", default="+491713920009", help="the caller's; 'anonymous' withholds it")
    options = parser.parse_intermixed_args(arguments)  # options stand wherever they are thought of
    stack = handle.read()
    if stack is None:
        return _refuse("No stack is running here: start it with make run, in another terminal.")
    if wrong := [word for word in options.words if "=" not in word]:
        return _refuse(f"Not name=value: {' '.join(wrong)}")
    args = dict(word.split("=", 1) for word in options.words)
    if number := args.pop("offer", None):
        args["offer_id"] = _offered(number)
    now = SandboxClock(stack.clock_file)()
    caller = None if options.number == "anonymous" else options.number
    call = f"call_{options.call}" if options.call else stack.call
    line = retell.Line(call, stack.agent, stack.number, caller, now)
    ends = options.function == "hang-up"
    body = retell.call_ended(line, now) if ends else retell.function_call(line, options.function, args)
    try:
        url = f"{stack.url}/retell/{'events' if ends else 'functions'}"
        answer = retell.send(url, body, key=stack.retell_key, now=now)
    except OSError as error:
        return _refuse(f"{stack.url} does not answer ({error}); is make run still there?")
    print(json.dumps(answer.body, ensure_ascii=False, indent=2))
    print(f"HTTP {answer.http_status} in {answer.seconds * 1000:.0f} ms", file=sys.stderr)
    if "offers" in answer.body:
        handle.OFFERS.write_text(json.dumps(answer.body["offers"]), encoding="utf-8")
    return 0


def _offered(number: str, file: Path = handle.OFFERS) -> str:
    """The id of the n-th time of the last answer; whatever else it is, it is an id already."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))[int(number) - 1]["offer_id"])
    except (OSError, ValueError, LookupError):
        return number


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
