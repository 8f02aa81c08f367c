"""How many bytes of states donors keep here with units that they hold, or let expire."""

from __future__ import annotations

from collections.abc import Callable

from potluck_coordinator.storage import uploads
from potluck_coordinator.storage.transaction import Transaction

COUNTED_EVERY_S = 5.0


class StateShares:
    """Counts them anew every few seconds; what comes meanwhile is added, what goes is not seen."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._bytes: dict[str, int] = {}

    def of(self, tx: Transaction, now: float, near: Callable[[str], bool]) -> int:
        """Count the bytes of some donors.

        Args:
            tx: A transaction.
            now: Seconds since 1970.
            near: Says of a donor whether it is one of them.
        """
        if not now - COUNTED_EVERY_S < self._at <= now:
            self._bytes, self._at = uploads.bytes_by_donor(tx), now
        return sum(size for donor, size in list(self._bytes.items()) if near(donor))

    def came(self, donor_id: str, size: int) -> None:
        """Add what a donor has uploaded.

        Args:
            donor_id: The donor.
            size: Bytes.
        """
        self._bytes[donor_id] = self._bytes.get(donor_id, 0) + size
