"""Wait for a condition with a deadline, never for a length of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_TICK = threading.Event()


def until(condition: Callable[[], T | None], seconds: float = 60.0, what: str = "") -> T:
    """Ask until the condition gives something true; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        _TICK.wait(0.05)
