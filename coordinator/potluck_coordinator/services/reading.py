"""Jobs of the workers on a dataset: each states its memory, and reads the bytes itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.core.turns import Kind
from potluck_coordinator.pipeline.footprint import reading_memory
from potluck_coordinator.scoring import WorkerLost
from potluck_coordinator.services.room import writing
from potluck_coordinator.services.site import Site
from potluck_coordinator.services.working import Job, refusing, run_job

T = TypeVar("T")


async def on_dataset(
    site: Site,
    artifact: str,
    filename: str,
    fn: Callable[..., T],
    *args: object,
    account: str,
    kind: Kind = Kind.ENCODE,
    more: int = 0,
    writes: int = 0,
    timeout_s: float,
) -> T:
    """Run `fn(kept, filename, *args)` in a worker, when it is the account's turn.

    `artifact` is the dataset's; `more` are bytes that the job takes beside reading it, `writes`
    those that it puts into the artifact store at most.

    Raises what the job raises; TooLarge `size.memory`; NoRoom `disk.full`; BadDataset
    `dataset.too_slow` after `timeout_s`, and `dataset.too_large` where its workers died over it;
    Busy `busy.closing`.
    """
    copied = 0 if site.artifacts.local_path(artifact) else await site.artifacts.size(artifact)
    with TemporaryDirectory(prefix="potluck-") as scratch, writing(site, copied):
        path = await site.artifacts.to_file(artifact, Path(scratch))
        need = await asyncio.to_thread(reading_memory, path, filename)
    kept = site.artifacts.kept(artifact)
    job = Job(kind, account, need + more, timeout_s, "This work on the dataset", writes)
    slow = BadDataset(
        "dataset.too_slow",
        "Working on the dataset took too long.",
        expected=f"at most {timeout_s:g} seconds",
        hint="Use fewer rows or columns.",
        where=filename,
    )
    with refusing(slow, lambda error: _too_large(filename, error)):
        return await run_job(site, job, fn, kept, filename, *args)


def _too_large(filename: str, error: WorkerLost) -> BadDataset:
    return BadDataset(
        "dataset.too_large",
        "Working on the dataset took more than a worker has.",
        expected="data that a worker can hold in memory",
        got=str(error),
        hint="Use fewer rows or columns.",
        where=filename,
    )
