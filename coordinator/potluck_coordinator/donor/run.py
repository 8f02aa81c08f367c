"""`potluck donate`: a donor on this machine, from its first word to its last."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Any, cast
from urllib.parse import urlsplit

from rich.console import Console

from potluck.errors import BadArgument
from potluck_coordinator.donor.artifacts import Artifacts
from potluck_coordinator.donor.engine_host import PLATFORMS, Platform
from potluck_coordinator.donor.line import keep_talking
from potluck_coordinator.donor.memory import Memory, default_folder
from potluck_coordinator.donor.session import Options, Session
from potluck_coordinator.donor.show import Show

MOST_WORKERS = 16
"""Leases that one donor may hold at a time."""
EXIT_INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def options_from(*, backend: str, **options: Any) -> Options:
    """Check what was asked for on the command line. Raises BadArgument."""
    if backend not in PLATFORMS:
        raise BadArgument(f"--backend is {backend!r}; it may be {', '.join(PLATFORMS)}.")
    found = Options(platform=cast(Platform, backend), **options)
    if not 1 <= found.workers <= MOST_WORKERS:
        raise BadArgument(f"--workers is {found.workers}; it may be 1 to {MOST_WORKERS}.")
    return found


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


def origin_of(url: str) -> str:
    """Give a coordinator's origin from its address, or that of any of its pages."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadArgument(f"{url!r} is no address of a coordinator, such as http://host:8000.")
    return f"{parts.scheme}://{parts.netloc}"


async def _donate(options: Options, origin: str, memory: Memory, show: Show) -> int:
    artifacts = Artifacts(origin)
    session = Session(options, memory, artifacts, show)
    _stop_on_signals(session)
    show.say(f"Donating to {origin} with {options.workers} worker(s). Ctrl-C stops.")
    talking = asyncio.create_task(keep_talking(origin, session))
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
