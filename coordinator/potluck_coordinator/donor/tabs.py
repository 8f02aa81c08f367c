"""`potluck donate --browser`: the real donate page in a headless Chromium."""

from __future__ import annotations

import signal
from types import FrameType

from rich.console import Console

from potluck.errors import BadArgument
from potluck_coordinator.browser.chromium import NoChromium, ensure_chromium
from potluck_coordinator.browser.donors import Donors, DonorsFailed
from potluck_coordinator.donor.options import origin_of

MOST_TABS = 16
POLL_S = 1.0


def donate_in_tabs(url: str, count: int) -> int:
    """Donate in tabs until Ctrl-C or SIGTERM; gives the exit status."""
    if not 1 <= count <= MOST_TABS:
        raise BadArgument(f"--tabs is {count}; it may be 1 to {MOST_TABS}.")
    origin = origin_of(url)
    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Donors(origin, count, ensure_chromium(say)) as donors:
            say(f"Donating to {origin} in {count} tab(s). Ctrl-C stops.")
            while True:
                donors.pause(POLL_S)
    except (NoChromium, DonorsFailed) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        # A closed page hands back what it holds by a beacon.
        say("The tabs are closed.")
        return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    signal.signal(number, signal.SIG_IGN)  # once: a second one must not break off the closing
    raise KeyboardInterrupt
