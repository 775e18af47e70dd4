"""Twenty processes and one breaker: it opens once, and one of them probes."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime

import pytest

from bookend.domain.circuit import FAILURES, CircuitKind, CircuitState
from tests.races import probers
from tests.support.tables.engines import engine

PROCESSES = 20
NOW = datetime(2025, 10, 27, 9, 0, tzinfo=UTC)


@pytest.mark.engine
@pytest.mark.usefixtures("engine_installed")
def test_twenty_processes_open_it_once_and_one_of_them_probes() -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([probers.__name__])
    with engine("ministack") as store:
        endpoint = store.client.meta.endpoint_url
        gate, said = context.Barrier(PROCESSES, timeout=120), context.SimpleQueue()
        processes = [
            context.Process(target=probers.instance, args=(endpoint, store.table, NOW, f"p{number}", gate, said))
            for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=180)
        assert [process.exitcode for process in processes] == [0] * PROCESSES
        ends = [said.get() for _ in processes]
        breaker = probers.circuit_at(endpoint, store.table, NOW).read()[CircuitKind.WRITES]
    assert sum(each.counted for each in ends) == FAILURES
    assert sum(each.opened for each in ends) == 1
    assert sum(each.probes for each in ends) == 1
    assert (breaker.state, breaker.failures) == (CircuitState.HALF, FAILURES)
