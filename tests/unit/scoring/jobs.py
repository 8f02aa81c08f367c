"""Functions that tests send to worker processes."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
from pathlib import Path

from potluck_coordinator.core.errors import BadDataset


def pid() -> int:
    """Tell which process this is."""
    return os.getpid()


def surroundings() -> tuple[str | None, str | None, str, int]:
    """Tell what a worker was given, and how it was started."""
    method = multiprocessing.get_start_method(allow_none=True) or "default"
    return os.environ.get("KERAS_BACKEND"), os.environ.get("JAX_PLATFORMS"), method, os.nice(0)


def die() -> None:
    """Die as a process does that runs out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(mark: str) -> int:
    """Die the first time only."""
    path = Path(mark)
    if not path.exists():
        path.touch()
        die()
    return os.getpid()


def hang() -> None:
    """Never come back."""
    signal.pause()


def say_and_hang(fifo: str) -> None:
    """Say who hangs, then never come back."""
    with open(fifo, "w") as out:
        out.write(str(os.getpid()))
    signal.pause()


def refuse() -> None:
    """Raise a refusal with all its fields."""
    raise BadDataset("dataset.test", "No.", expected="a", got="b", hint="c", where="d")


def hold_the_interpreter(mark: str) -> None:
    """Say so, then keep every other Python thread of this process from running, for hours."""
    Path(mark).write_text(str(os.getpid()))
    re.match("(a+)+$", "a" * 60 + "b")


def take(size: int) -> int:
    """Take so many bytes, and give how many it were."""
    import numpy as np

    return int(np.ones(size, np.uint8).sum())


def take_in_jax(size: int) -> int:
    """Take so many bytes in a compiled program."""
    import jax.numpy as jnp

    return int(jnp.ones(size, jnp.uint8).sum())


def fail_on(cell: str) -> float:
    """Raise what quotes a cell."""
    return float(cell)


def say_in_a_file_and_hang(mark: str) -> None:
    """Say who hangs, then never come back."""
    Path(mark).write_text(str(os.getpid()))
    signal.pause()
