"""The operator's commands at the sandbox's time: `python -m sandbox.operate CLOCK_FILE remedy TENANT …`.

`python -m bookend` itself lives today, and the replays in the year of their incidents.
"""

from __future__ import annotations

import sys
from functools import partial

from bookend import bootstrap, cli
from sandbox.stack.clock import SandboxClock


def main(arguments: list[str]) -> int:
    """The exit status of the command."""
    clock_file, *command = arguments
    bootstrap.SystemClock = partial(bootstrap.SystemClock, SandboxClock(clock_file))  # type: ignore[misc,assignment]
    return cli.main(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
