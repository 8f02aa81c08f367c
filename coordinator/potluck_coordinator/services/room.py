"""Room on the disk: uploads end before it is full, so that what is here can be worked on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from potluck_coordinator.core.errors import NoRoom
from potluck_coordinator.core.quotas import told_bytes
from potluck_coordinator.services.site import Site


def has_room(site: Site, more: int) -> bool:
    """Say whether so many bytes leave as much of a disk free as the operator keeps.

    What uploads under way are about to write is not free any more.

    Args:
        site: The coordinator.
        more: Bytes to come.
    """
    floor = site.settings.disk_floor
    return not floor or _free(site) - site.incoming.bytes - more >= floor


def room_left(site: Site) -> int:
    """Give the bytes that may still be written, but for what the operator keeps free.

    Args:
        site: The coordinator.
    """
    return max(0, _free(site) - site.incoming.bytes - site.settings.disk_floor)


def must_have_room(site: Site, more: int) -> None:
    """Refuse bytes that would leave less of a disk free than the operator keeps.

    Args:
        site: The coordinator.
        more: Bytes to come.

    Raises:
        NoRoom: `disk.full`.
    """
    if not has_room(site, more):
        raise _full(f"{told_bytes(site.settings.disk_floor)} that stay free", _free(site), more)


@contextmanager
def writing(site: Site, most: int) -> Iterator[None]:
    """Hold room on the disk for what a job writes, while it works: jobs see each other's.

    Not for one that waits for its turn, or those in the queue would keep a whole disk from others.

    Args:
        site: The coordinator.
        most: Bytes that it may write at most; 0: it writes nothing that counts.

    Raises:
        NoRoom: `disk.full`.
    """
    if not most:
        yield
        return
    must_have_room(site, most)
    with _promised(site, most):
        yield


@contextmanager
def passing_through(site: Site, more: int) -> Iterator[None]:
    """Hold what `must_pass_through` asks for while a file is written: others see it.

    Args:
        site: The coordinator.
        more: Bytes of the file.

    Raises:
        NoRoom: `disk.full`.
    """
    must_pass_through(site, more)
    with _promised(site, more):
        yield


@contextmanager
def _promised(site: Site, size: int) -> Iterator[None]:
    room = site.incoming.upload()
    room.promise(size)
    try:
        yield
    finally:
        room.close()


def must_pass_through(site: Site, more: int) -> None:
    """Refuse a file that is written, sent and deleted, where it would fill the disk meanwhile.

    It may take what the operator keeps free: half of what is left of it, so that several at a time
    leave some of it too.

    Args:
        site: The coordinator.
        more: Bytes of the file.

    Raises:
        NoRoom: `disk.full`.
    """
    if has_room(site, more):
        return
    free = max(0, _free(site) - site.incoming.bytes)
    if more > free // 2:
        raise _full(f"{told_bytes(2 * more)} free", free, more)


def must_be_shared(site: Site, used: int, more: int) -> None:
    """Refuse bytes with which one network's donors would keep half of the disk's room, or more.

    However many networks come, there is room left for one more. A store without a disk has no end.

    Args:
        site: The coordinator.
        used: Bytes that they keep by now.
        more: Bytes to come; none: whether any may.

    Raises:
        NoRoom: `disk.share`.
    """
    kept = site.artifacts.free_bytes()
    if not used or kept is None:
        return
    most = max(0, kept - site.settings.disk_floor + used) // 2
    if used + more > most:
        raise NoRoom(
            "disk.share",
            "Donors of this network keep as many states here as there is room for.",
            expected=f"at most {told_bytes(most)}, half of what is free",
            got=f"{told_bytes(used)}, and {told_bytes(more)} to come",
            hint="Finish units, or close some tabs, and try again later.",
        )


def _free(site: Site) -> int:
    free = shutil.disk_usage(tempfile.gettempdir()).free  # where uploads are put together
    kept = site.artifacts.free_bytes()
    return free if kept is None else min(free, kept)


def _full(expected: str, free: int, more: int) -> NoRoom:
    return NoRoom(
        "disk.full",
        "This coordinator's disk is as good as full.",
        expected=expected,
        got=f"{told_bytes(free)} free, and {told_bytes(more)} to come",
        hint="Nothing of yours is wrong: tell the operator, and try again later.",
    )
