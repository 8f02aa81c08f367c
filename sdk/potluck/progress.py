"""How progress is shown: a bar in a terminal and in a notebook, now and then a line elsewhere."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from potluck.notices import say

SECONDS_BETWEEN_LINES = 10.0


def progress_bar(clock: Callable[[], float]) -> Any:
    """Give a tqdm bar where somebody watches the error stream, and `Lines` where a file takes it.

    `clock` gives seconds.
    """
    if not sys.stderr.isatty() and not in_notebook():
        return Lines(clock)
    with warnings.catch_warnings():
        # tqdm advises to install ipywidgets; its bar of text does as well.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(unit="unit", dynamic_ncols=True)


def in_notebook() -> bool:
    """Tell whether this is a notebook's kernel, without loading IPython."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


class Lines:
    """What a bar would show, as lines of a log: one every ten seconds at most, where it changed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.total: int | None = None
        self.n = 0
        self._clock = clock
        self._description = ""
        self._postfix = ""
        self._said = ""
        self._said_at: float | None = None

    def set_description(self, text: str) -> None:
        """Say what is going on."""
        self._description = text

    def set_postfix_str(self, text: str) -> None:
        """Say a few facts."""
        self._postfix = text

    def refresh(self) -> None:
        """Write a line if it says something new and the last one is long enough ago."""
        now = self._clock()
        early = self._said_at is not None and now - self._said_at < SECONDS_BETWEEN_LINES
        if not early and self._postfix and self._line() != self._said:
            self._said, self._said_at = self._line(), now
            say(self._said)

    def close(self) -> None:
        """Write how it ended, where that was not said yet."""
        if self._postfix and self._line() != self._said:
            say(self._line())

    def _line(self) -> str:
        all_units = "?" if self.total is None else str(self.total)
        return f"{self._description}: {self.n}/{all_units} units, {self._postfix}"
