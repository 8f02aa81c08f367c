"""Compiled programs that the processes of one run share, so that donors start faster."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache

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


@cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="potluck-programs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
