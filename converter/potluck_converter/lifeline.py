"""End this process with the one that started it, however that one ends.

A pipe is the lifeline: the parent holds the other end, and the system closes that with the parent,
`kill -9` too. On Linux the system then kills this process itself, even in the middle of native
code; elsewhere a thread of it notices.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading

STATUS = 1


def end_with(pipe: int) -> None:
    """End this process, without any clearing up, when the other end of a pipe is closed.

    Args:
        pipe: A descriptor to read from. Nothing may ever be written to its other end.
    """
    with contextlib.suppress(ImportError, AttributeError, OSError):
        _ask_the_kernel(pipe)
    threading.Thread(target=_watch, args=(pipe,), name="potluck-lifeline", daemon=True).start()


def _ask_the_kernel(pipe: int) -> None:
    import fcntl

    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    # Linux alone has F_SETSIG; what else would come is a signal that many systems ignore.
    fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _watch(pipe: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(pipe, 1):
            pass
    os._exit(STATUS)
