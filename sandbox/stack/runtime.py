"""The real Lambda runtime without Docker: AWS's Runtime Interface Emulator around AWS's Python runtime.

One emulator serves one invocation at a time (two at once crash it, aws-lambda-runtime-interface-emulator
#97), so a pool stands in front of each function. As on Lambda, an instance is started when all others are
busy.
"""

import http.client
import json
import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sandbox.stack.engine import EngineMissing, Progress
from sandbox.stack.invocation import Failure, InvokeResult
from sandbox.stack.processes import Child, free_port, minimal_environment, wait_for_port
from sandbox.stack.template import Function

DEFAULT_POOL_SIZE = 2
_START_SECONDS = 15.0
_START_ATTEMPTS = 3
_INVOKE_PATH = "/2015-03-31/functions/function/invocations"
_MARGIN_SECONDS = 15.0
"""Added to the function's own timeout before the emulator itself is given up."""
_ERROR_KEYS = {"errorMessage", "errorType", "stackTrace", "requestId"}


class SandboxClosed(Exception):
    """The stack was closed while an invocation waited for an instance."""


class Instance:
    """One emulator with one Python process inside; invoke it from one thread at a time."""

    def __init__(self, function: Function, environment: Mapping[str, str], log: Path) -> None:
        self._function = function
        self._environment = environment
        self._log = log
        self._child: Child | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._started_before = False

    def start(self) -> http.client.HTTPConnection:
        """Start the emulator and wait until it listens; the first invocation loads the function."""
        for _ in range(_START_ATTEMPTS - 1):
            try:
                return self._start_once()
            except RuntimeError:
                # Another program may have taken the port between our look and the emulator's.
                self.stop()
        return self._start_once()

    def _start_once(self) -> http.client.HTTPConnection:
        port, api_port = free_port(), free_port()
        self._child = Child(
            [
                str(runtime_emulator()),
                *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
                *("--runtime-api-address", f"127.0.0.1:{api_port}"),
                *(
                    sys.executable,
                    "-P",
                    str(Path(__file__).with_name("lambda_entry.py")),
                    self._function.handler,
                ),
            ],
            env=self._environment,
            cwd=self._function.code,
            log=self._log,
            append=self._started_before,
        )
        self._started_before = True
        wait_for_port(port, self._child, seconds=_START_SECONDS, what=f"the emulator of {self._function.name}")
        self._connection = _Connection("127.0.0.1", port, timeout=self._function.timeout + _MARGIN_SECONDS)
        return self._connection

    def invoke(self, event: Any) -> InvokeResult:
        """Hand over the event. After a time-out or an exit the instance must be stopped."""
        connection = self._connection or self.start()
        began = time.monotonic()
        try:
            connection.request("POST", _INVOKE_PATH, json.dumps(event).encode())
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            result = InvokeResult(None, Failure.EXITED, "Runtime.EmulatorError", repr(error))
        else:
            result = read_answer(answer.status, text)
        finally:
            if connection is not self._connection:  # stopped meanwhile, and opened anew by a request that came after
                connection.close()
        return replace(result, seconds=time.monotonic() - began)

    def stop(self) -> None:
        """End the emulator and the function with it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._child is not None:
            self._child.stop()
            self._child = None


class Pool:
    """At most `size` instances of one function, started when needed."""

    def __init__(self, size: int, make: Callable[[int], Instance]) -> None:
        self._make = make
        self._changed = threading.Condition()
        self._idle = [make(number) for number in range(size, 0, -1)]
        self._all = list(self._idle)
        self._closed = False

    def invoke(self, event: Any) -> InvokeResult:
        """Wait for a free instance and invoke it; one that failed badly starts anew at its next turn."""
        instance = self._take()
        try:
            result = instance.invoke(event)
            if result.failure in {Failure.TIMED_OUT, Failure.EXITED}:
                instance.stop()
            return result
        except BaseException:
            instance.stop()
            raise
        finally:
            self._give_back(instance)

    def close(self) -> None:
        """End all instances, busy ones too; their callers get a failure."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for instance in self._all:
            instance.stop()

    def _take(self) -> Instance:
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._closed)
            if self._closed:
                raise SandboxClosed
            # The one used last: it is warm, and a lone caller never starts a second one.
            return self._idle.pop()

    def _give_back(self, instance: Instance) -> None:
        with self._changed:
            self._idle.append(instance)
            self._changed.notify()
        if self._closed:
            instance.stop()


class LambdaRuntime:
    """Every function of the template behind a pool of emulators of its own."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        environment: Callable[[Function], Mapping[str, str]],
        *,
        log_dir: Path,
        pool_size: int = DEFAULT_POOL_SIZE,
        progress: Progress = print,
    ) -> None:
        self._log_dir = log_dir
        self._progress = progress
        runtime_emulator()
        self._pools = {
            name: Pool(
                min(pool_size, function.concurrency or pool_size),
                partial(self._instance, function, lambda_environment(function, environment(function))),
            )
            for name, function in functions.items()
        }

    def invoke(self, function: str, event: Any) -> InvokeResult:
        """Hand `event` to the function and wait for the outcome."""
        result = self._pools[function].invoke(event)
        if result.failure in {Failure.TIMED_OUT, Failure.EXITED}:
            self._progress(f"function  {function} {result.failure}: {result.error_message}")
        return result

    def logs(self) -> Mapping[str, str]:
        """What each instance printed, by `<function>-<n>`."""
        return {
            file.stem: file.read_text(encoding="utf-8", errors="replace")
            for name in self._pools
            for file in sorted(self._log_dir.glob(f"{name}-*.log"))
        }

    def close(self) -> None:
        """End all instances."""
        for pool in self._pools.values():
            pool.close()

    def _instance(self, function: Function, environment: Mapping[str, str], number: int) -> Instance:
        return Instance(function, environment, self._log_dir / f"{function.name}-{number}.log")


class _Connection(http.client.HTTPConnection):
    """Keep-alive without Nagle's delay, which would cost 40 ms per call."""

    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def lambda_environment(function: Function, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a function's process: Lambda's variables, then the function's own."""
    return {
        **minimal_environment(),
        "TZ": ":UTC",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "LAMBDA_TASK_ROOT": str(function.code),
        "PYTHONPATH": os.pathsep.join(map(str, (function.code, *function.layers))),
        "PYTHONUNBUFFERED": "1",
        **environment,
    }


def read_answer(status: int, text: str) -> InvokeResult:
    """Tell the emulator's four kinds of answer apart; all but a lost process come with status 200."""
    if status == 200 and text.startswith("Task timed out"):
        return InvokeResult(None, Failure.TIMED_OUT, "Sandbox.Timedout", text)
    try:
        payload = json.loads(text) if text else None
    except ValueError:
        return InvokeResult(None, Failure.EXITED, "Runtime.EmulatorError", f"HTTP {status}: {text[:500]}")
    failure = Failure.RAISED if status == 200 else Failure.EXITED
    if isinstance(payload, dict) and {"errorMessage", "errorType"} <= payload.keys() <= _ERROR_KEYS:
        return InvokeResult(None, failure, str(payload["errorType"]), str(payload["errorMessage"]))
    if status != 200:
        return InvokeResult(None, failure, "Runtime.EmulatorError", text[:500])
    return InvokeResult(payload)


def runtime_emulator() -> Path:
    """The emulator's binary for this machine, which aws-sam-cli carries."""
    if platform.system() != "Linux":
        raise EngineMissing('the emulator is a Linux program: use runtime="in-process" on this machine')
    package = find_spec("samcli")
    if package is None or package.origin is None:
        raise EngineMissing("aws-sam-cli is not installed, and the Lambda emulator is in it")
    machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    binary = Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    if not binary.exists():
        raise EngineMissing(f"this aws-sam-cli has no {binary.name}")
    return binary
