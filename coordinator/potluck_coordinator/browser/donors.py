"""Donors in tabs: a process of their own that holds the browser.

Playwright cannot be interrupted in the middle of a call: a Ctrl-C that reached it would leave it
waiting for a driver that is gone. In a session of its own it hears nothing of Ctrl-C; its tabs
close when its input does, however the demo ends.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

# Imported for its name alone, and so that a missing Playwright is missed before anything starts.
from potluck_coordinator.browser import tabs

START_TIMEOUT_S = 180.0
ANSWER_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
TOKEN = "POTLUCK_TOKEN"
"""Stays with the process that was given it: tabs get a session at most."""


class DonorsFailed(Exception):
    """The donors' tabs cannot be opened, or are gone."""


class Donors:
    """Donate in several tabs as long as the context lasts."""

    def __init__(self, url: str, count: int, chromium: Path, *, session: str | None = None) -> None:
        """Say where to donate, and as whom.

        Args:
            url: The coordinator's origin.
            count: How many tabs.
            chromium: The browser's path.
            session: The value of a sign-in's cookie that all tabs show; None: they are nobody's.
        """
        self._session = session
        self._command = [sys.executable, "-m", tabs.__name__]
        self._command += [url, str(count), str(chromium)]
        self._process: subprocess.Popen[str] | None = None
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()

    def __enter__(self) -> Donors:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != TOKEN},
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        try:
            # Not among the arguments, which every user of the machine may read.
            with suppress(BrokenPipeError):  # what it said last tells why it is gone
                self._tell(json.dumps({"session": self._session}))
            if not self._answer(START_TIMEOUT_S).get("ready"):
                raise DonorsFailed("The donors' tabs did not start.")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def pause(self, seconds: float) -> None:
        """Wait. Raises `DonorsFailed` as soon as the tabs are gone."""
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        self._answer(ANSWER_TIMEOUT_S)
        raise DonorsFailed("The donors' tabs ended by themselves.")

    def describe(self) -> str:
        """Say what the tabs show, for a failure's report."""
        try:
            self._tell("describe")
            return str(self._answer(ANSWER_TIMEOUT_S).get("shown", ""))
        except (DonorsFailed, OSError) as error:
            return f"The tabs say nothing: {error}"

    def stop(self) -> None:
        """Close the tabs: politely, then by force."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        with suppress(OSError):  # it may be gone already
            process.stdin.close()
        for harder in (process.terminate, process.kill):
            try:
                process.wait(STOP_TIMEOUT_S)
                return
            except subprocess.TimeoutExpired:
                harder()
        process.wait()

    def _tell(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._said.put(json.loads(line))
        self._said.put({"failed": "The donors' browser ended."})

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        try:
            said = self._said.get(timeout=timeout_s)
        except queue.Empty:
            raise DonorsFailed(f"The donors' tabs said nothing for {timeout_s:.0f} s.") from None
        if "failed" in said:
            raise DonorsFailed(str(said["failed"]))
        return said
