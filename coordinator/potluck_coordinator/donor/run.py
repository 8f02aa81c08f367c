"""`potluck donate`: a donor on this machine, from its first word to its last."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from types import FrameType

from rich.console import Console

from potluck.errors import BadArgument
from potluck_coordinator.donor.access import headers_of, join
from potluck_coordinator.donor.artifacts import Artifacts
from potluck_coordinator.donor.line import keep_talking
from potluck_coordinator.donor.memory import Memory, default_folder
from potluck_coordinator.donor.options import Options, origin_of
from potluck_coordinator.donor.session import Session
from potluck_coordinator.donor.show import Show

EXIT_INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def donate(options: Options) -> int:
    """Donate until it is stopped, or there is no work; gives the exit status."""
    origin = origin_of(options.url)
    console = Console()
    with Show(console) as show:
        try:
            memory = Memory(options.state or default_folder(), origin, fresh=options.fresh)
        except OSError as error:
            raise BadArgument(
                f"The donor's identity cannot be kept: {error}. Choose a folder with --state."
            ) from error
        try:
            return asyncio.run(_donate(options, origin, memory, show))
        finally:
            memory.close()


async def _donate(options: Options, origin: str, memory: Memory, show: Show) -> int:
    artifacts = Artifacts(origin)
    session = Session(options, memory, artifacts, show)
    _stop_on_signals(session)
    if options.join is not None:
        joined = await join(origin, options.join, memory)
        show.say(f"Joined the group {joined.name} of {joined.owner}.")
    headers = headers_of(origin, options, memory)
    show.say(f"Donating to {origin} with {options.workers} worker(s). Ctrl-C stops.")
    talking = asyncio.create_task(keep_talking(origin, session, headers))
    try:
        return await session.run()
    finally:
        talking.cancel()
        with suppress(asyncio.CancelledError):
            await talking
        await artifacts.close()


def _stop_on_signals(session: Session) -> None:
    """The first signal stops in order, the second at once: engines end when their input does."""
    loop = asyncio.get_running_loop()
    heard: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        if heard:
            os._exit(EXIT_INTERRUPTED)
        heard.append(number)
        loop.call_soon_threadsafe(session.stop)

    for number in SIGNALS:
        signal.signal(number, stop)
