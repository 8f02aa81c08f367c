"""Keep a test process small: JAX keeps each program that it compiled, 28 MB for a small LSTM."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from potluck_coordinator.scoring.programs import forget_programs

MOST_GROWTH = 400 * 1024 * 1024
_STATM = Path("/proc/self/statm")


class Room:
    """Forgets compiled programs where the process has grown by 400 MB since it last did."""

    def __init__(self) -> None:
        self._before = resident()

    def make(self) -> None:
        """Look, and forget where it is time."""
        if resident() - self._before > MOST_GROWTH and "jax" in sys.modules:
            forget_programs()
            self._before = resident()


def resident() -> int:
    """Give the bytes of memory that this process takes; 0 where the system does not say."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
