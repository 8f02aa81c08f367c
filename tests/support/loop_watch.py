"""How long an event loop was held: by its own thread, or by another that kept the interpreter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

TICK_S = 0.002


class Watch:
    """`held_s`: the longest time for which the loop stood still while this process worked.

    A machine that gives its time to others makes the clock's gaps long, and the processor's not:
    a gap counts as the shorter of the two.
    """

    def __init__(self) -> None:
        self.held_s = 0.0

    async def run(self) -> None:
        """Look every 2 ms, until cancelled."""
        while True:
            clock, worked = time.monotonic(), time.process_time()
            try:
                await asyncio.sleep(TICK_S)
            finally:
                gap = min(time.monotonic() - clock - TICK_S, time.process_time() - worked)
                self.held_s = max(self.held_s, gap)


@asynccontextmanager
async def watched() -> AsyncIterator[Watch]:
    """Watch the running loop while inside."""
    watch = Watch()
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    try:
        yield watch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
