"""The functions in this very process, for a debugger and for machines without the Lambda emulator.

It differs from Lambda where it must. All functions share one environment and one set of modules, nothing is
killed at its timeout (a breakpoint may take minutes), and the machine's whole Python path is visible. Each
function handles one event at a time, as an instance of it does.
"""

import gc
import importlib
import io
import json
import logging
import os
import re
import sys
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from sandbox.stack.engine import Progress
from sandbox.stack.intrinsics import function_arn
from sandbox.stack.invocation import Failure, InvokeResult
from sandbox.stack.lambda_entry import CLOCK_VARIABLE, install_clock
from sandbox.stack.template import Function

Handler = Callable[[Any, Any], Any]


class Context:
    """The part of Lambda's context object that handlers use."""

    def __init__(self, function: Function) -> None:
        self.function_name = function.name
        self.function_version = "$LATEST"
        self.invoked_function_arn = function_arn(function.name)
        self.memory_limit_in_mb = str(function.memory)
        self.aws_request_id = str(uuid.uuid4())
        self.log_group_name = f"/aws/lambda/{function.name}"
        self.log_stream_name = "in-process"
        self._deadline = time.monotonic() + function.timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout, never negative."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class InProcessRuntime:
    """Imports each handler by its path at the first event, and calls it."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        environment: Callable[[Function], Mapping[str, str]],
        *,
        progress: Progress = print,
    ) -> None:
        self._functions = functions
        self._handlers: dict[str, Handler] = {}
        self._locks = {name: threading.Lock() for name in functions}
        self._errors: dict[str, io.StringIO] = {name: io.StringIO() for name in functions}
        self._restore = ExitStack()
        self._share_environment({name: environment(function) for name, function in functions.items()}, progress)
        self._use_layers({layer for function in functions.values() for layer in function.layers})
        if file := os.environ.get(CLOCK_VARIABLE):
            install_clock(file)

    def invoke(self, function: str, event: Any) -> InvokeResult:
        """Call the handler with a copy of `event`; what it raises is a result."""
        spec = self._functions[function]
        with self._locks[function]:
            began = time.monotonic()
            result = self._call(spec, json.loads(json.dumps(event)))
        return replace(result, seconds=time.monotonic() - began)

    def _call(self, function: Function, event: Any) -> InvokeResult:
        try:
            answer = self._handler(function)(event, Context(function))
            return InvokeResult(json.loads(json.dumps(answer)))
        except SystemExit as error:
            return InvokeResult(None, Failure.EXITED, "Runtime.ExitError", f"exit status {error.code}")
        except Exception as error:
            logging.getLogger(__name__).debug("%s raised", function.name, exc_info=True)
            self._errors[function.name].write(traceback.format_exc())
            return InvokeResult(None, Failure.RAISED, type(error).__name__, str(error))

    def logs(self) -> Mapping[str, str]:
        """The tracebacks of each function; what it printed went to this process's own output."""
        return {name: text.getvalue() for name, text in self._errors.items()}

    def close(self) -> None:
        """Put environment, import path and modules back as they were, and end what the functions still hold.

        Nobody tells a function that its environment ends: the process takes its connections along. Here they go with
        the modules, at once; left to some later collection they would be a warning in whatever runs then.
        """
        self._restore.close()
        for name in self._handlers:
            sys.modules.pop(_module_of(name), None)
        self._handlers.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def _handler(self, function: Function) -> Handler:
        if function.name not in self._handlers:
            module_name, _, attribute = function.handler.rpartition(".")
            self._handlers[function.name] = getattr(_load(function, module_name), attribute)
        return self._handlers[function.name]

    def _use_layers(self, layers: set[Path]) -> None:
        """Import the layers afresh: this process may have loaded them, with clients of another engine inside."""
        for layer in layers:
            sys.path.insert(0, str(layer))
            self._restore.callback(sys.path.remove, str(layer))
        names = {entry.stem for layer in layers for entry in layer.iterdir() if entry.stem.isidentifier()}
        before = _take_modules(names)
        importlib.invalidate_caches()

        def put_back() -> None:
            _take_modules(names)
            sys.modules.update(before)

        self._restore.callback(put_back)

    def _share_environment(self, wanted: Mapping[str, Mapping[str, str]], progress: Progress) -> None:
        merged: dict[str, str] = {}
        for name, variables in wanted.items():
            for key, value in variables.items():
                if merged.setdefault(key, value) != value:
                    progress(f"function  {name} wants another {key} than the others; in process they share one")
        before = {key: os.environ.get(key) for key in merged}
        os.environ.update(merged)
        self._restore.callback(_set_environment, before)


def _module_of(function: str) -> str:
    return f"_sandbox_{function}"


def _load(function: Function, module_name: str) -> Any:
    """Import a handler's file under a name of its own: all of them are called handler.py."""
    file = function.code.joinpath(*re.split(r"[./]", module_name)).with_suffix(".py")
    name = _module_of(function.name)
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not Path(file).exists():
        raise ImportError(f"{function.name}: no module {module_name} in {function.code}")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _take_modules(packages: set[str]) -> dict[str, ModuleType]:
    """Take the packages and all below them out of the table of imported modules."""
    names = [name for name in sys.modules if name.partition(".")[0] in packages]
    return {name: sys.modules.pop(name) for name in names}


def _set_environment(values: Mapping[str, str | None]) -> None:
    for key, value in values.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value
