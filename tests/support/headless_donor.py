"""`potluck donate` in a process of its own, which tests may interrupt or kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from tests.support.programs import child_environment
from tests.support.waiting import PATIENCE_S


class HeadlessDonor:
    """Donates as long as the context lasts; `lines` is what it says."""

    def __init__(
        self, url: str, state: Path, *options: str, env: dict[str, str] | None = None
    ) -> None:
        self._env = child_environment(env)
        self._command = [sys.executable, "-m", "potluck", "donate", url, "--state", str(state)]
        self._command += options
        self.lines: list[str] = []

    def __enter__(self) -> HeadlessDonor:
        self.process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=self._env,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(line.rstrip())

    @property
    def said(self) -> str:
        """Give everything that it said, for looking something up or for a failure."""
        return "\n".join(self.lines)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the donor alone, as a batch system does."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.wait()

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Wait for its end; gives the exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status
