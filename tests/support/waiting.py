"""Wait for a condition with a deadline, never for a length of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 240.0
"""How long tests wait for what must come: twice a lease, and more than a crowded machine needs."""

T = TypeVar("T")

_TICK = threading.Event()


def until(
    condition: Callable[[], T | None],
    what: str | Callable[[], str] = "",
    patience_s: float = PATIENCE_S,
    tick_s: float = 0.05,
) -> T:
    """Ask until the condition gives something true; after the deadline, fail with `what`.

    Args:
        condition: Asked every `tick_s` seconds.
        what: It waits for; a function says so when the time is over.
        patience_s: Seconds until the deadline.
        tick_s: Seconds between two questions (default: a twentieth).
    """
    deadline = time.monotonic() + patience_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            due = what() if callable(what) else what
            raise AssertionError(f"not within {patience_s} s: {due or condition}")
        _TICK.wait(tick_s)
