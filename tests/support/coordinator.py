"""A real coordinator in a process of its own, which tests may kill and start again."""

from __future__ import annotations

import os
import queue
import re
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

import potluck
from tests.support.fresh import fresh
from tests.support.prepared import Prepared
from tests.support.processes import descendants
from tests.support.programs import child_environment
from tests.support.waiting import PATIENCE_S, until

LISTENING = re.compile(r"Potluck is listening on (https?://\S+)")
ADMIN = re.compile(r"Admin token, for this user's eyes only: (.+)")


def offers(study: potluck.Study) -> bool:
    """Say whether one unit of a study waits for a donor."""
    return study.refresh().record.counts.ready == 1


class Coordinator:
    """`potluck serve` on a data folder. `settings` become POTLUCK_* variables.

    Args:
        data: The folder.
        open: Whether everyone may submit.
        tables: Whether a folder without a database gets one before the first start, which saves
            a second of it.
        settings: Others, by their names.
    """

    def __init__(
        self, data: Path, *, open: bool = True, tables: bool = True, **settings: object
    ) -> None:
        self.data = data
        self.url = ""
        self.admin_token: str | None = None
        self._open = open
        self._tables = tables and "database" not in settings
        # Most tests hand in weights that nobody trained: only those of trust check them.
        settings = {"own_donor": 0, **settings}
        self._environment = {f"POTLUCK_{k.upper()}": str(v) for k, v in settings.items()}
        self._process: Prepared | None = None
        self._port = 0
        self._clients = ExitStack()
        self.lines: list[str] = []

    def start(self) -> Coordinator:
        """Start, or start again on the same port and folder; return when it listens."""
        if self._tables:
            fresh(self.data)
        arguments = ["serve", "--port", str(self._port), "--data", str(self.data)]
        arguments += ["--open"] if self._open else []
        self._process = Prepared(arguments, child_environment(self._environment))
        found: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=self._read, args=(self._process, found), daemon=True)
        reader.start()
        self._clients.callback(reader.join, 20)
        try:
            self.url = found.get(timeout=PATIENCE_S)
        except queue.Empty:
            self.url = ""
        if not self.url:
            raise AssertionError("the coordinator did not start:\n" + "\n".join(self.lines[-40:]))
        self._port = int(self.url.rsplit(":", 1)[1])
        return self

    def _read(self, process: Prepared, found: queue.Queue[str]) -> None:
        with process.output as output:
            for line in output:
                self.lines.append(line.rstrip())
                if kept := ADMIN.search(line):
                    self.admin_token = Path(kept[1]).read_text().strip()
                if match := LISTENING.search(line):
                    found.put(match[1])
        found.put("")

    @property
    def pid(self) -> int:
        """Give the server's process number."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it as a power cut would: the process and its workers, at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.ended()

    def kill_alone(self) -> set[int]:
        """End the server's own process at once, not its workers; give all that it had started."""
        assert self._process is not None
        started = descendants(self._process.pid)
        self._process.kill()
        self._process.ended()
        return started

    def freeze(self) -> None:
        """Let it neither hear nor answer, as behind a network that swallows everything."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it politely, and close the clients that were given out."""
        if self._process is not None and self._process.lives:
            self._process.terminate()
            if not self._process.ended(20):
                self.kill()
        self._clients.close()

    def stored(self) -> set[str]:
        """Name the files in its folder of artifacts, whatever they are."""
        return {path.name for path in (self.data / "artifacts").rglob("*") if path.is_file()}

    def operator_token(self) -> str:
        """Give the token of the first start, which keeps it in a file of the data folder."""
        return until(lambda: self.admin_token, what="the operator's token")

    def client(self, token: str | None = None) -> potluck.Client:
        """Give the SDK on this coordinator; without a token all are one visitor's."""
        return self._clients.enter_context(potluck.Client(self.url, token=token))
