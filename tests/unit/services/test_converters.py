from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from potluck_coordinator.core.errors import TooLarge
from potluck_coordinator.services.admission import Admission
from potluck_coordinator.services.converters import Converters
from tests.support.waiting import PATIENCE_S

BUDGET, NEED = 100, 60


class Blocked:
    """A job that says when it began, and works until it may end."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def work(self) -> str:
        self.began.set()
        assert self.may_end.wait(PATIENCE_S)
        return "done"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


def test_a_process_waits_until_there_is_memory_for_it() -> None:
    async def scenario() -> None:
        memory = Admission(BUDGET)
        converters, first, second = Converters(memory, 2), Blocked(), Blocked()
        second.may_end.set()
        one = asyncio.create_task(converters.run(NEED, "It", first.work))
        two = asyncio.create_task(converters.run(NEED, "It", second.work))
        await until(first.began.is_set)
        assert not second.began.is_set()
        first.may_end.set()
        assert [await one, await two] == ["done", "done"]
        await until(lambda: memory.held == 0)
        converters.close()

    asyncio.run(scenario())


def test_memory_is_held_until_the_process_has_ended_though_its_caller_left() -> None:
    async def scenario() -> None:
        memory, job = Admission(BUDGET), Blocked()
        converters = Converters(memory, 1)
        task = asyncio.create_task(converters.run(NEED, "It", job.work))
        await until(job.began.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert memory.held == NEED
        job.may_end.set()
        await until(lambda: memory.held == 0)
        converters.close()

    asyncio.run(scenario())


def test_what_needs_more_than_all_is_refused() -> None:
    async def scenario() -> None:
        converters = Converters(Admission(BUDGET), 1)
        try:
            await converters.run(BUDGET + 1, "It", str)
        finally:
            converters.close()

    with pytest.raises(TooLarge) as caught:
        asyncio.run(scenario())
    assert caught.value.code == "size.memory"
