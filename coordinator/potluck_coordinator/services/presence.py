"""Which donors are connected now. In memory: a reconnecting donor says hello again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Presence:
    """Counts each donor's open sockets (a person may have two tabs)."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    @contextmanager
    def connected(self, donor_id: str) -> Iterator[None]:
        """Count a donor as online while its socket is open."""
        self._open[donor_id] = self._open.get(donor_id, 0) + 1
        try:
            yield
        finally:
            left = self._open[donor_id] - 1
            if left:
                self._open[donor_id] = left
            else:
                del self._open[donor_id]

    def online(self) -> int:
        """Count the donors online."""
        return len(self._open)

    def sockets(self) -> int:
        """Count the open sockets."""
        return sum(self._open.values())

    def others(self, donor_id: str) -> bool:
        """Say whether any other donor is online."""
        return any(other != donor_id for other in self._open)
