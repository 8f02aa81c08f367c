"""Which processes there are (Linux)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.waiting import until

PROC = Path("/proc")
O_ASYNC = 0o20000


def descendants(pid: int) -> set[int]:
    """Give a process's children, their children, and so on."""
    parents = {int(path.name): found for path in PROC.glob("[0-9]*") if (found := _parent(path))}
    family = {pid}
    while born := {child for child, parent in parents.items() if parent in family} - family:
        family |= born
    return family - {pid}


def alive(pid: int) -> bool:
    """Say whether a process runs or sleeps; one that is dead but not waited for does not."""
    fields = _fields(PROC / str(pid))
    return bool(fields) and fields[0] not in "ZX"


def await_end(pids: Iterable[int]) -> None:
    """Wait until none of these processes is alive."""
    left = set(pids)

    def ended() -> bool:
        left.difference_update([pid for pid in left if not alive(pid)])
        return not left

    until(ended, lambda: "the end of " + ", ".join(f"{pid} ({command(pid)})" for pid in left))


def command(pid: int) -> str:
    """Give a process's command line; nothing where it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def holds_its_lifeline(pid: int) -> bool:
    """Say whether the system kills this process when its standard input ends."""
    try:
        said = (PROC / str(pid) / "fdinfo" / "0").read_text()
    except OSError:
        return False
    flags = next(line.split()[1] for line in said.splitlines() if line.startswith("flags:"))
    return bool(int(flags, 8) & O_ASYNC)


def end_group(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End all that is left of a process that was started in a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _parent(path: Path) -> int | None:
    fields = _fields(path)
    return int(fields[1]) if fields else None


def _fields(path: Path) -> list[str]:
    """Give what follows the name: state, parent, and more."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
