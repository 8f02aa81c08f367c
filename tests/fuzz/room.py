"""A process to fuzz in: HDF5's own code may hang or die on a broken file, the tests must not."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from dataclasses import replace
from types import TracebackType

from potluck_converter import ConversionError, convert_isolated
from tests.fuzz.targets import LIMITS, files_of

MOST_SECONDS = 4.0


class Escaped(AssertionError):
    """A reader let through something other than a ConversionError, or what nothing contained."""


class Room:
    """`with Room() as room: room.outcome(content)`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()
        self.contained = 0

    def __enter__(self) -> Room:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def outcome(self, content: bytes) -> str:
        """Give `model`, or the code of the refusal. Raises Escaped.

        Where the process dies or hangs, the limited subprocess that the coordinator reads in must
        refuse the same files with a ConversionError.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(len(content).to_bytes(4, "little") + content)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it died before reading; the missing answer tells
        try:
            line = self._lines.get(timeout=MOST_SECONDS)
        except queue.Empty:
            return self._isolated(content)
        if line:
            return line.decode().strip()
        status = process.wait()
        if status > 0:
            assert process.stderr is not None
            raise Escaped(process.stderr.read().decode()[-2000:])
        return self._isolated(content)

    def _isolated(self, content: bytes) -> str:
        self._end()
        try:
            convert_isolated(files_of(content), replace(LIMITS, seconds=MOST_SECONDS))
        except ConversionError as error:
            self.contained += 1
            return error.code
        raise Escaped("It killed one process, and was a model in the other.")

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        lines: queue.Queue[bytes] = queue.Queue()

        def listen() -> None:
            assert process.stdout is not None
            while line := process.stdout.readline():
                lines.put(line)
            lines.put(b"")

        threading.Thread(target=listen, daemon=True).start()
        self._process, self._lines = process, lines
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
