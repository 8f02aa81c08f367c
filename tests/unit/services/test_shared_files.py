"""Several wait for one file: it is written once, and is there until the last has read it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from potluck_coordinator.services.shared_files import SharedFile, SharedFiles


class Work:
    """Writes a file when it is let to, and counts how often it was begun and called off."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.called_off = 0
        self.may_end = asyncio.Event()
        self._error = error

    async def write(self, folder: Path) -> Path:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.called_off += 1
            raise
        if self._error is not None:
            raise self._error
        path = folder / "file"
        path.write_text("whole")
        return path


async def started(*waiting: asyncio.Task[Any]) -> None:
    """Let everything run until nothing can go on by itself."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)


def test_all_who_wait_get_what_one_wrote_and_the_last_takes_the_folder_away() -> None:
    async def scenario() -> None:
        files, work = SharedFiles[Path](), Work()
        joined = [files.join("a", work.write) for _ in range(3)]
        waiting = [asyncio.create_task(one.wait()) for one in joined]
        await started(*waiting)
        work.may_end.set()
        [path] = set(await asyncio.gather(*waiting))
        assert work.begun == 1
        for one in joined:
            assert path.read_text() == "whole"
            one.leave()
        assert not path.parent.exists()

    asyncio.run(scenario())


def test_other_files_are_written_beside_it_and_what_has_ended_is_written_anew() -> None:
    async def scenario() -> None:
        files, work = SharedFiles[Path](), Work()
        work.may_end.set()
        first, other = files.join("a", work.write), files.join("b", work.write)
        one, two = await first.wait(), await other.wait()
        assert one.parent != two.parent
        await started()
        again = files.join("a", work.write)  # while somebody still reads the first
        assert (await again.wait()).parent != one.parent
        assert work.begun == 3
        for file in (first, other, again):
            file.leave()

    asyncio.run(scenario())


def test_who_goes_away_ends_the_work_for_nobody_else() -> None:
    async def scenario() -> None:
        files, work = SharedFiles[Path](), Work()

        async def ask() -> str:
            file = files.join("a", work.write)
            try:
                return (await file.wait()).read_text()
            finally:
                file.leave()

        first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
        await started(first, second)
        first.cancel()
        await started(second)
        assert first.cancelled()
        work.may_end.set()
        assert await second == "whole"
        assert (work.begun, work.called_off) == (1, 0)

    asyncio.run(scenario())


def test_work_that_nobody_waits_for_is_called_off_and_begun_anew_for_who_comes() -> None:
    async def scenario() -> None:
        files, work = SharedFiles[Path](), Work()
        first = files.join("a", work.write)
        await started()
        first.leave()
        later = files.join("a", work.write)
        work.may_end.set()
        assert (await later.wait()).read_text() == "whole"
        assert (work.begun, work.called_off) == (2, 1)
        later.leave()

    asyncio.run(scenario())


def test_an_error_goes_to_all_who_wait_and_to_nobody_later() -> None:
    async def scenario() -> None:
        files, work = SharedFiles[Path](), Work(ValueError("no such layer"))
        joined: list[SharedFile[Path]] = [files.join("a", work.write) for _ in range(3)]
        waiting = [asyncio.create_task(one.wait()) for one in joined]
        await started(*waiting)
        work.may_end.set()
        for task, one in zip(waiting, joined, strict=True):
            with pytest.raises(ValueError, match="no such layer"):
                await task
            one.leave()
        right = Work()
        right.may_end.set()
        later = files.join("a", right.write)
        assert (await later.wait()).read_text() == "whole"
        later.leave()

    asyncio.run(scenario())
