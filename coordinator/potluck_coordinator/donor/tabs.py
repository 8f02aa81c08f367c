"""`potluck donate --browser`: the real donate page in a headless Chromium."""

from __future__ import annotations

import signal
from types import FrameType

from rich.console import Console

from potluck.errors import BadArgument
from potluck_coordinator.browser.chromium import NoChromium, ensure_chromium
from potluck_coordinator.browser.donors import Donors, DonorsFailed
from potluck_coordinator.donor.access import signed_in
from potluck_coordinator.donor.options import origin_of, token_of

MOST_TABS = 16
POLL_S = 1.0


def donate_in_tabs(url: str, count: int, token: str | None = None) -> int:
    """Donate in tabs until Ctrl-C or SIGTERM; gives the exit status.

    Args:
        url: The coordinator's address.
        count: How many tabs, 1 to `MOST_TABS`.
        token: The tabs donate for its account, too; one that may only donate will do.

    Raises:
        BadArgument: For a number, an address or a token that cannot be.
        ApiError: Where the coordinator refuses the token.
    """
    if not 1 <= count <= MOST_TABS:
        raise BadArgument(f"--tabs is {count}; it may be 1 to {MOST_TABS}.")
    origin = origin_of(url)
    secret = None if token is None else token_of(token)
    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        chromium = ensure_chromium(say)
        with (
            signed_in(origin, secret) as session,
            Donors(origin, count, chromium, session=session) as donors,
        ):
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
