"""The one thread that writes: many services' functions, one transaction, one commit."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from potluck_coordinator.core.errors import Busy
from potluck_coordinator.storage.engine import read_only
from potluck_coordinator.storage.hooks import AFTER_COMMIT, Hook
from potluck_coordinator.storage.ledger import seal_all

T = TypeVar("T")

MOST_JOBS = 256
MOST_SECONDS = 0.02
READERS = 4
TRIES = 5
RETRIED_STATES = {"40001", "40P01"}  # PostgreSQL: serialization failure, deadlock

_log = logging.getLogger(__name__)


@dataclass
class _Job:
    """One function and its caller. The outcome stays here until the commit makes it true."""

    run: Callable[[Session], Any]
    future: Future[Any]
    value: Any = None
    error: BaseException | None = None
    hooks: list[Hook] = field(default_factory=list)

    def forget(self) -> None:
        self.value, self.error, self.hooks = None, None, []


class Writer:
    """Group commit. Each function runs in a savepoint of its own.

    A function's exception undoes that function alone and goes to its caller. Futures are resolved
    after the commit, so what a caller was told survives a crash. A function may append callables
    to `session.info["after_commit"]`: they run in the writer's thread right after the commit and
    before the caller hears, and must be quick. Where PostgreSQL asks for another try the whole
    batch runs again, so functions must do nothing but talk to their session.
    """

    def __init__(
        self, engine: Engine, *, most_jobs: int = MOST_JOBS, most_seconds: float = MOST_SECONDS
    ) -> None:
        """Start the thread. A transaction takes at most so many functions, for about so long."""
        self._engine = engine
        self._most_jobs = most_jobs
        self._most_seconds = most_seconds
        self._reading = read_only(engine)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="potluck-reader")
        self._thread = threading.Thread(target=self._work, name="potluck-writer", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[[Session], T]) -> Future[T]:
        """Queue a function; its future resolves after the commit that holds its work.

        Raises `Busy` (`busy.closing`) once the writer is closed.
        """
        future: Future[T] = Future()
        with self._gate:
            if self._closed:
                raise Busy("busy.closing", "The coordinator is shutting down.")
            self._jobs.put(_Job(fn, future))
        return future

    async def run(self, fn: Callable[[Session], T]) -> T:
        """Write, and wait for the commit. A caller that goes away does not undo its work."""
        return await asyncio.shield(asyncio.wrap_future(self.submit(fn)))

    async def read(self, fn: Callable[[Session], T]) -> T:
        """Run a function on one consistent state, in a reader's thread. It cannot write."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_sync, fn)

    def read_sync(self, fn: Callable[[Session], T]) -> T:
        """Do what `read` does, in the caller's thread."""
        with Session(self._reading, autoflush=False, expire_on_commit=False) as session:
            return fn(session)

    def close(self) -> None:
        """Finish what is queued, then stop. Twice is once."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()
        self._readers.shutdown()

    def _work(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            if self._run_batch(first):
                return

    def _run_batch(self, first: _Job) -> bool:
        """Run one transaction; say whether the end of the queue was met."""
        batch: list[_Job] = []
        ended = False

        def following() -> _Job | None:
            nonlocal ended
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return None
            ended = job is None
            return job

        for attempt in range(1, TRIES + 1):
            try:
                self._transact(batch, first, following, again=attempt > 1)
                break
            except Exception as error:
                if attempt < TRIES and _may_be_retried(error):
                    _log.warning("The database asked for another try", exc_info=error)
                    continue
                _log.exception("A batch of %d writes failed", len(batch))
                failure = _as_refusal(error)
                for job in batch:
                    job.forget()
                    job.error = failure
                break
        for job in batch:
            _tell(job)
        return ended

    def _transact(
        self,
        batch: list[_Job],
        first: _Job,
        following: Callable[[], _Job | None],
        *,
        again: bool,
    ) -> None:
        """Run a batch's jobs, or all of them again, and commit."""
        with Session(self._engine, expire_on_commit=False) as session:
            if again:
                for job in batch:
                    _attempt(session, job)
            else:
                until = time.monotonic() + self._most_seconds
                new: _Job | None = first
                while new is not None:
                    if new.future.set_running_or_notify_cancel():
                        batch.append(new)
                        _attempt(session, new)
                    full = len(batch) >= self._most_jobs or time.monotonic() >= until
                    new = None if full else following()
            seal_all(session)
            session.commit()


def _attempt(session: Session, job: _Job) -> None:
    job.forget()
    session.info[AFTER_COMMIT] = job.hooks
    try:
        with session.begin_nested():
            job.value = job.run(session)
        session.expunge_all()  # the next job must read rows as this one's statements left them
    except Exception as error:
        if _may_be_retried(error) or _lost_transaction(error):
            raise
        job.hooks.clear()
        job.error = error


def _tell(job: _Job) -> None:
    if job.error is not None:
        job.future.set_exception(job.error)
        return
    for hook in job.hooks:
        try:
            hook()
        except Exception:
            _log.exception("A hook failed after the commit")
    job.future.set_result(job.value)


def _may_be_retried(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in RETRIED_STATES


def _lost_transaction(error: BaseException) -> bool:
    """Say whether an error took the whole transaction with it, not only its savepoint."""
    if not isinstance(error, DBAPIError):
        return False
    name = _sqlite_name(error)
    return _is_away(error) or name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM"))


def _is_away(error: BaseException) -> bool:
    """Say whether the database could not be reached, or was locked for too long."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", "")
    return (
        error.connection_invalidated
        or _sqlite_name(error).startswith("SQLITE_BUSY")
        # psycopg knows no state where it could not connect; 08 and 57P are lost connections.
        or (isinstance(error, OperationalError) and state is None)
        or (isinstance(state, str) and state.startswith(("08", "57P")))
    )


def _sqlite_name(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", ""))


def _as_refusal(error: Exception) -> Exception:
    """Turn a database that is away or locked into something that a caller can wait out."""
    if not (_is_away(error) or _may_be_retried(error)):
        return error
    refusal = Busy(
        "busy.database",
        "The database did not take the change.",
        expected="a database that answers",
        got=str(getattr(error, "orig", error)),
        hint="Try again in a minute.",
    )
    refusal.__cause__ = error
    return refusal
