"""A pool of persistent worker processes that survives the death of any of them."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from potluck_converter.lifeline import end_with
from potluck_coordinator.logs import set_up_child
from potluck_coordinator.scoring.backend import ENVIRONMENT
from potluck_coordinator.scoring.limits import WorkerFull, limited

T = TypeVar("T")
NICENESS = 5
IDLE_SECONDS = 120.0


class WorkerLost(Exception):
    """A job's workers died twice (a fault in native code), took too much memory, or were closed."""


class WorkersClosed(WorkerLost):
    """There are no workers any more."""


class JobTooLarge(WorkerLost):
    """A job took more memory than it had stated, and its worker was replaced."""


def _settle_in() -> None:
    """Prepare a worker: it ends with its parent; environment, priority.

    Interrupts are the parent's to handle.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert isinstance(parent.sentinel, int)
    end_with(parent.sentinel)  # a pipe whose other end only the parent holds
    os.environ.update(ENVIRONMENT)
    set_up_child()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)


class _Seat:
    """One worker process at a time. Spawned, never forked: JAX and polars run threads."""

    def __init__(self) -> None:
        self._pool = self._spawn()
        self._pid: Future[int] | None = None
        self.closed = False
        self.retiring: asyncio.TimerHandle | None = None
        self.last = ""
        """What it did last: it is warm for more of that."""

    @staticmethod
    def _spawn() -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_settle_in)

    @property
    def started(self) -> bool:
        """Say whether it has a process."""
        return self._pid is not None

    def submit(self, need: int | None, fn: Callable[..., T], *args: object) -> Future[T]:
        if self.closed:
            raise WorkersClosed("The workers are closed.")
        if self._pid is None:
            self._pid = self._pool.submit(os.getpid)
        return self._pool.submit(limited, need, fn, *args)

    def replace(self) -> None:
        """Kill this seat's worker, if it lives, and let the next job start another."""
        self._kill()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool, self._pid, self.last = self._spawn(), None, ""

    def close(self) -> None:
        """Kill this seat's worker for good."""
        self.closed = True
        self._kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _kill(self) -> None:
        if self._pid is None:
            return  # it never had work: to ask would start a worker
        try:
            self._pool.submit(int)
        except (BrokenProcessPool, RuntimeError):
            return  # the worker is gone, and its number may be another process's by now
        self._pid.add_done_callback(_end)  # at once, or when a worker that starts is known


def _end(pid: Future[int]) -> None:
    if not pid.cancelled() and pid.exception() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid.result(), signal.SIGKILL)


class Workers:
    """Runs plain functions in worker processes, one job a worker at a time.

    `processes`: that stay. `most`: that there are at once at most; those beyond `processes` start
    when all others are busy, and end when they had nothing to do for `idle_s` seconds.
    """

    def __init__(
        self, processes: int = 2, most: int | None = None, idle_s: float = IDLE_SECONDS
    ) -> None:
        self._stay = processes
        self._idle_s = idle_s
        self._seats = [_Seat() for _ in range(max(processes, most or 0))]
        self._free = list(reversed(self._seats))
        self._vacant = asyncio.Semaphore(len(self._seats))

    async def run(
        self,
        fn: Callable[..., T],
        *args: object,
        timeout_s: float | None = None,
        need: int | None = None,
        like: str = "",
    ) -> T:
        """Run an importable function. What it raises comes through.

        `need`: bytes that it stated; it is ended where it takes much more. `like`: what it is
        for; a worker that did the same last is preferred.

        A job whose worker dies is tried once more, then raises WorkerLost. A job that takes longer
        than `timeout_s` is killed and raises TimeoutError. So is one whose caller is cancelled.
        One that takes too much memory raises JobTooLarge, and another worker takes its seat.
        """
        await self._vacant.acquire()
        seat = self._sit(like)
        try:
            for last in (False, True):
                try:
                    return await self._once(seat, timeout_s, need, fn, *args)
                except WorkerFull as error:
                    seat.replace()
                    raise JobTooLarge(f"The job took {error}.") from None
                except BrokenProcessPool:
                    if not seat.closed:
                        seat.replace()
                    if last:
                        raise WorkerLost(
                            "The worker process died twice over this job; "
                            "there may be too little memory."
                        ) from None
            raise AssertionError("unreachable")
        finally:
            self._rise(seat)

    def _sit(self, like: str) -> _Seat:
        """Take a free seat: one that did the like last, then the last to work, then a new one."""
        seat = next((s for s in reversed(self._free) if s.started and s.last == like), None)
        started = sum(s.started for s in self._seats)
        if seat is None and started < self._stay:
            seat = next((s for s in reversed(self._free) if not s.started), None)
        seat = seat or next((s for s in reversed(self._free) if s.started), None) or self._free[-1]
        self._free.remove(seat)
        if seat.retiring is not None:
            seat.retiring.cancel()
        seat.last = like
        return seat

    def _rise(self, seat: _Seat) -> None:
        if sum(s.started for s in self._seats) > self._stay:
            loop = asyncio.get_running_loop()
            seat.retiring = loop.call_later(self._idle_s, self._retire, seat)
        self._free.append(seat)
        self._vacant.release()

    def _retire(self, seat: _Seat) -> None:
        many = sum(s.started for s in self._seats) > self._stay
        if many and seat.started and not seat.closed and seat in self._free:
            seat.replace()

    async def _once(
        self,
        seat: _Seat,
        timeout_s: float | None,
        need: int | None,
        fn: Callable[..., T],
        *args: object,
    ) -> T:
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(seat.submit(need, fn, *args))
        except (TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) or timeout_s is not None:
                seat.replace()
            raise

    def close(self) -> None:
        """End all workers, busy ones too."""
        for seat in self._seats:
            seat.close()
