"""A hard limit on what one job may add to a worker's memory, set by the worker itself."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from potluck_coordinator.logs.faults import FRAMES

T = TypeVar("T")

OUT_OF_MEMORY = re.compile(r"RESOURCE_EXHAUSTED|[Oo]ut of memory|std::bad_alloc")
SLACK = 512 << 20
"""Bytes that allocators, compilers and threads reserve without having to do with the job's size."""
TIMES = 2
"""A job may take so many times what it stated: statements are estimates."""


class WorkerFull(Exception):
    """A job took more memory than it had stated, with all slack, and was ended."""


def limited(need: int | None, fn: Callable[..., T], *args: object) -> T:
    """Run a job in this process, within `need` bytes of data and some slack; None is no limit.

    Raises WorkerFull; else what the job raises, with its frames.
    """
    with _limit(need):
        try:
            return fn(*args)
        except Exception as error:
            if isinstance(error, MemoryError) or is_full(error):
                raise WorkerFull(f"more than {need or 0} bytes and their slack") from None
            setattr(error, FRAMES, _frames(error))
            raise


def is_full(error: Exception) -> bool:
    """Say whether JAX raised this because it got no memory."""
    jax = type(error).__name__ in ("XlaRuntimeError", "JaxRuntimeError")
    return jax and OUT_OF_MEMORY.search(str(error)) is not None


def _frames(error: Exception) -> list[str]:
    return [
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[1:]
    ]


@contextmanager
def _limit(need: int | None) -> Iterator[None]:
    """Bound this process's writable memory of its own (Linux counts it); elsewhere do nothing."""
    have = _data_bytes()
    if need is None or have is None:
        yield
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = have + TIMES * need + SLACK
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _data_bytes() -> int | None:
    """Give what this process has of such memory; None where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return None
