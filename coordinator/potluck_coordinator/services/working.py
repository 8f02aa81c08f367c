"""Jobs of the workers: each says what it is for, whose it is, what it takes, how long it may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from potluck_coordinator.core.errors import BadInput, Busy, NotFound, PotluckError, TooLarge
from potluck_coordinator.core.turns import Kind
from potluck_coordinator.scoring import JobTooLarge, WorkerLost, WorkersClosed
from potluck_coordinator.services.room import writing
from potluck_coordinator.services.site import Site

T = TypeVar("T")
TIMES_MADE = 5


@dataclass(frozen=True)
class Job:
    """What is known of a job before it begins.

    `need`: bytes. `seconds`: after so many of work it is ended; waiting does not count. `what`:
    how a refusal calls it. `writes`: bytes that it puts into the artifact store at most.
    """

    kind: Kind
    account: str
    need: int
    seconds: float
    what: str
    writes: int = 0


async def run_job(site: Site, job: Job, fn: Callable[..., T], *args: object) -> T:
    """Run a function in a worker when it is its turn and there is memory. What it raises comes.

    Raises TooLarge `size.memory`; NoRoom `disk.full`; TimeoutError; JobTooLarge; WorkerLost.
    """
    async with site.memory.room(job.need, job.what, kind=job.kind, account=job.account):
        with writing(site, job.writes):
            return await site.workers.run(
                fn, *args, timeout_s=job.seconds, need=job.need, like=job.kind.value
            )


async def in_worker(site: Site, job: Job, fn: Callable[..., T], *args: object) -> T:
    """Do what `run_job` does, with refusals for what it cannot do.

    Raises what the function raises; TooLarge `size.memory`, `job.memory`; NoRoom `disk.full`;
    BadInput `job.too_slow`, `job.lost`; Busy `busy.closing`.
    """
    slow = BadInput(
        "job.too_slow",
        f"{job.what} took too long.",
        expected=f"at most {job.seconds:g} seconds",
        hint="Make it smaller.",
    )
    with refusing(slow, lambda error: _too_large(job, error)):
        return await run_job(site, job, fn, *args)


@contextmanager
def refusing(slow: PotluckError, lost: Callable[[WorkerLost], PotluckError]) -> Iterator[None]:
    """Let what a worker cannot do be a refusal: the one place that knows how workers fail.

    Args:
        slow: What to raise where a job came to its deadline.
        lost: Gives what to raise where its workers died, or it took too much memory.

    Raises:
        Busy: `busy.closing` where the coordinator shuts down; else what was given.
    """
    try:
        yield
    except TimeoutError as error:
        raise slow from error
    except WorkersClosed as error:
        raise Busy("busy.closing", "The coordinator shuts down.") from error
    except WorkerLost as error:
        raise lost(error) from error


def _too_large(job: Job, error: WorkerLost) -> PotluckError:
    if isinstance(error, JobTooLarge):
        return TooLarge(
            "job.memory",
            f"{job.what} took more memory than it was given.",
            expected=f"about {job.need} bytes",
            got="more than twice as much",
            hint="Make it smaller.",
        )
    return BadInput(
        "job.lost",
        f"{job.what} ended a worker process, twice.",
        expected="what a worker can hold in memory",
        got=str(error),
        hint="Make it smaller.",
    )


async def keep_made(
    site: Site, make: Callable[[], Awaitable[T]], names: Callable[[T], Collection[str]]
) -> T:
    """Let a worker make artifacts, and hold them under `naming` as if they had been put here.

    What was deleted in between, because a study that had the same bytes was, is made again.
    Raises what `make` raises; NotFound where that happened again and again.
    """
    for last in (*[False] * (TIMES_MADE - 1), True):
        made = await make()
        try:
            await site.artifacts.adopt(names(made))
        except NotFound:
            if last:
                raise
        else:
            return made
    raise AssertionError("unreachable")
