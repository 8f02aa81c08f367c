"""`potluck` in processes that have imported a coordinator already: most of a start is imports.

One process of each that runs tests imports the coordinator once, and does nothing else. What a
test starts is a copy of it (a fork), with its own environment, output and process group. The
commands themselves are tried without this in `tests/faults/test_serve_refused.py` and others.
Scikit-learn's datasets are what a coordinator imports when it is first asked for the irises.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from typing import TextIO

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["potluck_coordinator.app", "potluck.cli", "uvicorn", "sklearn.datasets"]
)


class Prepared:
    """A process that runs `potluck` with `arguments`; what it prints is read from `output`.

    Args:
        arguments: After the word `potluck`.
        environment: All of the process's variables.
    """

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        reading, writing = os.pipe()
        try:
            self._process: ForkServerProcess = _context.Process(
                target=_run, args=(arguments, environment, DupFd(writing)), daemon=False
            )
            self._process.start()
        finally:
            os.close(writing)
        self.output: TextIO = os.fdopen(reading, encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """Give its number, which is its process group's, too."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Say whether it has not ended."""
        return self._process.is_alive()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it alone, at once."""
        self._process.kill()

    def ended(self, within_s: float | None = None) -> bool:
        """Wait until it has ended, at most `within_s` seconds (default: as long as it takes)."""
        self._process.join(within_s)
        return not self.lives


def _run(arguments: list[str], environment: dict[str, str], output: object) -> None:
    """Be that process: as if `python -m potluck` had been started anew."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    handle = output.detach()  # type: ignore[attr-defined]
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0, closefd=False), write_through=True)
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", 0, closefd=False), write_through=True)
    sys.argv = ["potluck", *arguments]
    from potluck.cli import main

    main()
