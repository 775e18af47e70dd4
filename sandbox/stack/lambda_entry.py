"""What the runtime emulator starts for a function: AWS's Python runtime, with the sandbox's clock put in before.

Run by its path with `python -P`, not as a module of `sandbox`: the function must see what it has on Lambda,
its own directory and its layers, and not the repository around them.
"""

import importlib
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

CLOCK_VARIABLE = "SANDBOX_CLOCK_FILE"


def install_clock(file: str) -> None:
    """Make the layer tell the time of the clock file."""
    try:
        bootstrap = importlib.import_module("bookend.bootstrap")
    except ModuleNotFoundError as missing:
        raise SystemExit(f"{CLOCK_VARIABLE} is set, but the function has no bookend layer: {missing}") from missing
    if not hasattr(bootstrap, "use_clock"):
        raise SystemExit(f"{CLOCK_VARIABLE} is set, but bookend.bootstrap has no use_clock to take the clock")
    bootstrap.use_clock(_clock_module().SandboxClock(file))


def _clock_module() -> ModuleType:
    spec = spec_from_file_location("_sandbox_clock", Path(__file__).with_name("clock.py"))
    if spec is None or spec.loader is None:
        raise SystemExit("the sandbox's clock.py is missing")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Serve the handler named by the first argument until the emulator ends this process."""
    if file := os.environ.get(CLOCK_VARIABLE):
        install_clock(file)
    from awslambdaric.__main__ import main as serve  # noqa: PLC0415  the clock comes first

    serve(sys.argv)


if __name__ == "__main__":
    main()
