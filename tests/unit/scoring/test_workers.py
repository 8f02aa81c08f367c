from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.logs.faults import chain_of
from potluck_coordinator.scoring import JobTooLarge, WorkerLost, Workers
from potluck_coordinator.scoring.limits import SLACK, TIMES
from tests.support.waiting import PATIENCE_S
from tests.unit.scoring import jobs

MB = 2**20


@pytest.fixture
def workers() -> Iterator[Workers]:
    pool = Workers(1)
    yield pool
    pool.close()


def test_a_worker_lives_on_from_job_to_job(workers: Workers) -> None:
    async def scenario() -> None:
        first = await workers.run(jobs.pid)
        assert first != os.getpid()
        assert await workers.run(jobs.pid) == first

    asyncio.run(scenario())


def test_a_worker_runs_keras_on_jax_on_the_cpu_and_gives_way(workers: Workers) -> None:
    backend, platform, _, niceness = asyncio.run(workers.run(jobs.surroundings))
    assert (backend, platform) == ("jax", "cpu")
    assert niceness > os.nice(0)


def test_a_refusal_comes_through_whole(workers: Workers) -> None:
    with pytest.raises(BadDataset) as caught:
        asyncio.run(workers.run(jobs.refuse))
    assert caught.value.code == "dataset.test"
    assert caught.value.details() == {"expected": "a", "got": "b", "hint": "c", "where": "d"}


def test_an_idle_worker_that_was_killed_is_replaced(workers: Workers) -> None:
    async def scenario() -> None:
        first = await workers.run(jobs.pid)
        os.kill(first, signal.SIGKILL)
        second = await workers.run(jobs.pid)
        assert second != first
        assert await workers.run(jobs.pid) == second

    asyncio.run(scenario())


def test_a_job_whose_worker_is_killed_is_done_by_another(workers: Workers, tmp_path: Path) -> None:
    assert asyncio.run(workers.run(jobs.die_once, str(tmp_path / "died"))) > 0
    assert (tmp_path / "died").exists()


def test_a_job_that_kills_every_worker_fails_and_the_pool_lives(workers: Workers) -> None:
    async def scenario() -> None:
        with pytest.raises(WorkerLost):
            await workers.run(jobs.die)
        assert await workers.run(jobs.pid) > 0

    asyncio.run(scenario())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts such memory")
@pytest.mark.parametrize("take", [jobs.take, jobs.take_in_jax])
def test_a_job_that_takes_more_than_it_stated_fails_and_its_worker_is_replaced(
    workers: Workers, take: Callable[[int], int]
) -> None:
    async def scenario() -> None:
        await workers.run(jobs.surroundings)
        first = await workers.run(jobs.pid)
        with pytest.raises(JobTooLarge):
            await workers.run(take, TIMES * MB + SLACK + MB, need=MB)
        second = await workers.run(jobs.pid, need=MB)
        assert second != first
        await gone(first)
        assert await workers.run(jobs.take, SLACK + MB) == SLACK + MB
        assert await workers.run(jobs.pid) == second

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_an_error_brings_the_place_where_it_was_raised(workers: Workers) -> None:
    with pytest.raises(ValueError, match="sesame") as caught:
        asyncio.run(workers.run(jobs.fail_on, "sesame"))
    told = chain_of(caught.value)
    assert any("jobs.py" in frame and "fail_on" in frame for _, frames in told for frame in frames)
    assert "sesame" not in str(told)


def test_workers_beyond_those_that_stay_end_when_they_are_idle(tmp_path: Path) -> None:
    async def scenario() -> None:
        pool = Workers(1, most=2, idle_s=0.0)
        fifo = str(tmp_path / "fifo")
        os.mkfifo(fifo)
        busy = asyncio.create_task(pool.run(jobs.say_and_hang, fifo))
        hanging = int(await asyncio.to_thread(Path(fifo).read_text))
        other = await pool.run(jobs.pid)
        assert other != hanging
        await gone(other)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        pool.close()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_a_job_that_takes_too_long_is_ended_with_its_process(workers: Workers) -> None:
    async def scenario() -> None:
        first = await workers.run(jobs.pid)
        with pytest.raises(TimeoutError):
            await workers.run(jobs.hang, timeout_s=0.2)
        assert await workers.run(jobs.pid) != first
        await gone(first)

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_a_cancelled_job_frees_its_worker(workers: Workers, tmp_path: Path) -> None:
    async def scenario() -> None:
        fifo = str(tmp_path / "fifo")
        os.mkfifo(fifo)
        task = asyncio.create_task(workers.run(jobs.say_and_hang, fifo))
        hanging = int(await asyncio.to_thread(Path(fifo).read_text))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await workers.run(jobs.pid) != hanging
        await gone(hanging)

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_more_jobs_than_workers_wait_their_turn() -> None:
    async def scenario() -> set[int]:
        return set(await asyncio.gather(*(pool.run(jobs.pid) for _ in range(8))))

    pool = Workers(2)
    try:
        assert len(asyncio.run(scenario())) <= 2
    finally:
        pool.close()


def test_closing_ends_a_busy_worker(tmp_path: Path) -> None:
    async def scenario() -> None:
        pool = Workers(1)
        fifo = str(tmp_path / "fifo")
        os.mkfifo(fifo)
        task = asyncio.create_task(pool.run(jobs.say_and_hang, fifo))
        hanging = int(await asyncio.to_thread(Path(fifo).read_text))
        await asyncio.to_thread(pool.close)
        with pytest.raises(WorkerLost):
            await task
        await gone(hanging)

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


async def gone(pid: int) -> None:
    """Wait until a process has ended; the callers' time limits end a wait in vain."""
    while Path(f"/proc/{pid}").exists():
        await asyncio.sleep(0)


def test_closing_workers_that_never_worked_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    start = BaseProcess.start

    def noted(process: BaseProcess) -> None:
        started.append(process.name)
        start(process)

    monkeypatch.setattr(BaseProcess, "start", noted)
    Workers(2, most=4).close()
    assert started == []

    async def scenario() -> None:
        pool = Workers(2, most=4)
        await pool.run(jobs.pid)
        pool.close()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))
    assert len(started) == 1
