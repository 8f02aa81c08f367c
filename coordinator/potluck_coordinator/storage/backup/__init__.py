"""Everything that a coordinator keeps, as one file, and back."""

from __future__ import annotations

from potluck_coordinator.storage.backup.restore import restore
from potluck_coordinator.storage.backup.write import back_up

__all__ = ["back_up", "restore"]
