"""What all studies and donors come to, which the home page shows: counted once in some seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from potluck_coordinator.storage import donors, scores, studies
from potluck_coordinator.storage.transaction import Transaction
from potluck_coordinator.storage.writer import Writer

TOTALS_SECONDS = 5.0


@dataclass(frozen=True)
class Total:
    """What was counted. `flops`: verified, of all donors."""

    studies_running: int
    units_scored: int
    flops: int


class Totals:
    """Counts again only after a while, however many ask, and for all of them at once.

    `clock`: gives the time in seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counting = asyncio.Lock()
        self._found: tuple[float, Total] | None = None

    async def of(self, writer: Writer) -> Total:
        """Give the totals, as they were at most some seconds ago.

        Args:
            writer: What reads the database.
        """
        async with self._counting:
            if self._found is None or self._clock() >= self._found[0]:
                total = await writer.read(_count)
                self._found = (self._clock() + TOTALS_SECONDS, total)
            return self._found[1]


def _count(tx: Transaction) -> Total:
    return Total(studies.count_running(tx), scores.count(tx), donors.credit(tx))
