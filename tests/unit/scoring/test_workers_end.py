"""Workers end with the process that started them, however it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import alive, await_end, end_group
from tests.support.programs import child_environment
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@pytest.mark.parametrize("job", ["say_in_a_file_and_hang", "hold_the_interpreter"])
def test_busy_and_idle_workers_end_when_their_parent_is_killed(job: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.scoring.workers_process", str(tmp_path), job]
    parent = subprocess.Popen(command, env=child_environment(), start_new_session=True)
    pids: list[int] = []
    try:
        pids = [number_in(tmp_path / name) for name in ("busy", "idle")]
        assert all(alive(pid) for pid in pids)
        parent.kill()
        parent.wait()
        await_end(pids)
    finally:
        end_group(parent)


def number_in(path: Path) -> int:
    """Wait for the number that a file will hold."""
    return until(lambda: int(path.read_text() or 0) if path.exists() else 0, path.name)
