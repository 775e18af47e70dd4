"""The operator's commands at the sandbox's time: `python -m sandbox.operate CLOCK_FILE remedy TENANT …`.

`python -m bookend` itself lives today, and the replays in the year of their incidents. What the command takes and was
not told (table, secrets, Cal.com's address) is filled in from the JSON in BOOKEND_SANDBOX: `{"--table": "…", …}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from bookend import bootstrap, cli
from sandbox.stack.clock import SandboxClock

KNOWN = "BOOKEND_SANDBOX"


def main(arguments: Sequence[str]) -> int:
    """The exit status of the command."""
    clock_file, *command = arguments
    bootstrap.SystemClock = partial(bootstrap.SystemClock, SandboxClock(clock_file))  # type: ignore[misc,assignment]
    known = json.loads(os.environ.get(KNOWN, "{}"))
    try:
        return cli.main(filled_in(command, known))
    except SystemExit:  # help, or what the parser makes of a mistake: it names options that are filled in here
        if known:
            sys.stderr.write(f"Here {', '.join(known)} are filled in: leave them out.\n")
        raise


def filled_in(command: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """The command with what it takes and does not name."""
    takes = cli.commands()
    words = next((words for words in (" ".join(command[:2]), " ".join(command[:1])) if words in takes), None)
    if words is None:
        return list(command)
    options = {each for action in takes[words]._actions for each in action.option_strings}
    named = {each.partition("=")[0] for each in command}
    return [*command, *(part for name in known if name in options - named for part in (name, known[name]))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
