"""When a donor asks for work: one question at a time, and pauses between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

FIRST_PENALTY_S = 4.0
LONGEST_PENALTY_S = 300.0


class Asking:
    """Whether a question is open, and until when there is none. `again` ends a pause."""

    def __init__(self, again: Callable[[], None]) -> None:
        self._again = again
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._handbacks_in_a_row = 0
        self._idle_since: float | None = None
        self.open = False
        """Whether the next grant, wait or problem answers a question."""

    @property
    def pausing(self) -> bool:
        """Say whether a pause is under way."""
        return self._timer is not None

    @property
    def early_s(self) -> float:
        """Say for how long nothing may be asked because units were handed back."""
        return max(0.0, self._not_before - time.monotonic())

    def pause(self, seconds: float) -> None:
        """Ask again after so many seconds."""
        self.close()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end_pause)

    def close(self) -> None:
        """End a pause without asking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def gave_up(self) -> None:
        """Ask more and more rarely: the same unit may come again."""
        penalty = FIRST_PENALTY_S * 2.0 ** min(self._handbacks_in_a_row, 16)
        self._handbacks_in_a_row += 1
        self._not_before = time.monotonic() + min(LONGEST_PENALTY_S, penalty)

    def went_well(self) -> None:
        """Forget the hand-backs."""
        self._handbacks_in_a_row = 0

    def got_work(self) -> None:
        """Hear that there was work."""
        self.open, self._idle_since = False, None

    def may_follow(self) -> None:
        """Hear that more work may follow soon: this is no time without work."""
        self._idle_since = None

    def idle_s(self) -> float:
        """Hear that there is no work; gives for how long there has been none."""
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        return now - self._idle_since

    def _end_pause(self) -> None:
        self._timer = None
        self._again()
