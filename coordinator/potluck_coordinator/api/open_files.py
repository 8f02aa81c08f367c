"""How many connections the operating system lets a server have open."""

from __future__ import annotations

import contextlib

KEPT_BACK = 256
"""Files that are for the database, the artifacts and the workers."""
WANTED = 65_536


def most_connections(wanted: int) -> int:
    """Give how many connections may be open: what is wanted, and no more than there are files for.

    Asks the operating system for as many open files as it gives without being told.

    Args:
        wanted: The operator's bound; 0: any number.
    """
    try:
        import resource
    except ImportError:  # a system without such limits
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    most = WANTED if hard == unlimited else min(WANTED, hard)
    if soft != unlimited and soft < most:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft == unlimited:
        return wanted
    room = max(KEPT_BACK // 4, soft - KEPT_BACK)
    return min(wanted, room) if wanted else room
