"""A process with busy workers, for a test that kills it: `python -m ... FOLDER JOB`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from potluck_coordinator.scoring import Workers
from tests.unit.scoring import jobs


async def main(folder: Path, job: str) -> None:
    """Keep one worker busy and another idle, and write down their process numbers."""
    workers = Workers(2)
    busy = asyncio.create_task(workers.run(getattr(jobs, job), str(folder / "busy")))
    idle = await workers.run(jobs.pid)
    (folder / "idle.part").write_text(str(idle))
    (folder / "idle.part").rename(folder / "idle")
    await busy


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
