"""Room on the disk: uploads end before it is full, so that what is here can be worked on."""

from __future__ import annotations

import shutil
import tempfile

from potluck_coordinator.core.errors import NoRoom
from potluck_coordinator.core.quotas import told_bytes
from potluck_coordinator.services.site import Site


def must_have_room(site: Site, more: int) -> None:
    """Refuse bytes that would leave less of a disk free than the operator keeps.

    Args:
        site: The coordinator.
        more: Bytes to come.

    Raises:
        NoRoom: `disk.full`.
    """
    floor = site.settings.disk_floor
    if not floor:
        return
    free = shutil.disk_usage(tempfile.gettempdir()).free  # where uploads are put together
    kept = site.artifacts.free_bytes()
    free = free if kept is None else min(free, kept)
    if free - more < floor:
        raise NoRoom(
            "disk.full",
            "This coordinator's disk is as good as full.",
            expected=f"{told_bytes(floor)} that stay free",
            got=f"{told_bytes(free)} free, and {told_bytes(more)} to come",
            hint="Nothing of yours is wrong: tell the operator, and try again later.",
        )
