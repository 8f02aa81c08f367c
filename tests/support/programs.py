"""Programs that JAX compiled, kept for who asks next: compiling is most of its work in tests.

What pytest's own processes compile stays in the user's cache, for each other, for the next run and
for other checkouts: a file's name is a hash of all that it was compiled from. What is compiled by
processes that tests start, and may kill meanwhile, is kept as long as the pytest process.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import platform
import shutil
import tempfile
from functools import cache
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
KEPT = CACHE / "potluck-tests" / "programs"
MOST_KEPT_BYTES = 512 * 1024 * 1024
OPTIONS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


def child_environment(settings: dict[str, str] | None = None) -> dict[str, str]:
    """Give the environment of a process that a test starts.

    What it compiles is kept until this process ends, and used again by the next one. JAX reads a
    file that another process is still writing as a bad one: it says so and compiles it itself.

    Args:
        settings: Variables for this process alone (default: none).
    """
    cached = {"JAX_COMPILATION_CACHE_DIR": _folder(), **OPTIONS}
    return {**os.environ, **cached, **(settings or {}), "PYTHONUNBUFFERED": "1"}


def kept_folder() -> Path:
    """Name the folder of what pytest compiles for this kind of processor.

    Programs may use all that a processor can do, and JAX does not ask which one compiled them.
    """
    words = Path("/proc/cpuinfo")
    told = words.read_text(errors="replace") if words.exists() else platform.processor()
    able = {line for line in told.splitlines() if line.startswith(("model", "flags", "Features"))}
    kind = hashlib.sha256("\n".join([platform.machine(), *sorted(able)]).encode())
    return KEPT / kind.hexdigest()[:16]


def make_room() -> None:
    """Start anew where years of programs lie: no run needs as much as this."""
    sizes = (path.stat().st_size for path in KEPT.rglob("*") if path.is_file())
    if sum(sizes) > MOST_KEPT_BYTES:
        shutil.rmtree(KEPT, ignore_errors=True)


@cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="potluck-programs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
