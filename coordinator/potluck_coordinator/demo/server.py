"""A coordinator in a process of its own, as a person would start it."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from types import TracebackType

LISTENING = re.compile(r"Potluck is listening on (https?://\S+)")
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
KEPT_LINES = 40


class ServerDied(Exception):
    """The coordinator ended, or did not begin to listen; the message holds its last words."""


class Server:
    """Run `potluck serve --open` on a free port as long as the context lasts."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: subprocess.Popen[str] | None = None
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._found: queue.Queue[str | None] = queue.Queue()
        self._reader: threading.Thread | None = None
        self.url = ""

    def __enter__(self) -> Server:
        command = [sys.executable, "-m", "potluck", "serve", "--open", "--host", "127.0.0.1"]
        command += ["--port", "0", "--data", str(self._data)]
        command += ["--own-donor", "1"]  # somebody waits for it
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1", "POTLUCK_LOG_LEVEL": "warning"},
            # Ctrl-C must reach us alone: donors' tabs are closed first, then the coordinator.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self._wait_for_address()
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

    def require_alive(self) -> None:
        """Raise `ServerDied` if the coordinator has ended."""
        if self._process is None or self._process.poll() is not None:
            raise ServerDied(self._last_words("The coordinator ended."))

    def stop(self) -> None:
        """End the coordinator: politely, then by force."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._reader is not None:
            self._reader.join(STOP_TIMEOUT_S)
        if process.stdout is not None:
            process.stdout.close()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line.rstrip())
            match = LISTENING.search(line)
            if match:
                self._found.put(match[1])
        self._found.put(None)

    def _wait_for_address(self) -> str:
        try:
            address = self._found.get(timeout=START_TIMEOUT_S)
        except queue.Empty:
            raise ServerDied(self._last_words("The coordinator does not listen.")) from None
        if address is None:
            raise ServerDied(self._last_words("The coordinator ended at once."))
        return address.rstrip("/")

    def _last_words(self, what: str) -> str:
        return "\n".join([f"{what} It said:", *self._lines])
