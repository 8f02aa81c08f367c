"""Files that several wait for: written once, and there until the last of them has read it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Written:
    """A model's file that was just written. `sha`: its hash, where it is kept in the store too."""

    path: Path
    sha: str | None


class SharedFile(Generic[T]):
    """One piece of work in a folder of its own; whoever joined it leaves it once.

    When the last one leaves the folder goes, and so does work that is still under way, as nobody
    waits for it. (A process that writes there ends by itself.)
    """

    def __init__(self, write: Callable[[Path], Awaitable[T]], ended: Callable[[], None]) -> None:
        self._folder = TemporaryDirectory(prefix="potluck-download-", ignore_cleanup_errors=True)
        self._ended = ended
        self._readers = 0

        async def work() -> T:
            return await write(Path(self._folder.name))

        self._task = asyncio.create_task(work())
        self._task.add_done_callback(self._done)

    def join(self) -> None:
        """Let the folder stay until `leave`."""
        self._readers += 1

    def leave(self) -> None:
        """Be done with it."""
        self._readers -= 1
        if not self._readers:
            self._ended()
            self._task.cancel()
            self._folder.cleanup()

    async def wait(self) -> T:
        """Wait for the work, and give or raise what came of it. Whoever stops waiting ends alone.

        Call it between `join` and `leave`.
        """
        await asyncio.wait({self._task})
        return self._task.result()

    def _done(self, task: asyncio.Task[T]) -> None:
        self._ended()
        if not task.cancelled():
            task.exception()  # everybody may have left


class SharedFiles(Generic[T]):
    """The files that are being written, by what they are. Only for the event loop's thread."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, SharedFile[T]] = {}

    def join(self, key: Hashable, write: Callable[[Path], Awaitable[T]]) -> SharedFile[T]:
        """Join the work on a file, or begin it.

        What has ended, well or not, is joined by nobody: what comes later begins anew.

        Args:
            key: What the file is.
            write: Writes it into a folder, in a task of its own.

        Returns:
            The work, which was joined: `leave` it.
        """
        found = self._under_way.get(key)
        if found is None:

            def ended() -> None:
                if self._under_way.get(key) is begun:
                    del self._under_way[key]

            begun = SharedFile(write, ended)
            found = self._under_way[key] = begun
        found.join()
        return found
