"""Which donors are connected now. In memory: a reconnecting donor says hello again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Presence:
    """Counts each donor's open sockets (a person may have two tabs)."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._allowed: Counter[int | None] = Counter()

    @contextmanager
    def connected(self, donor_id: str, memory_bytes: int | None = None) -> Iterator[None]:
        """Count a donor as online, with the memory that it allows, while its socket is open."""
        self._allowed[memory_bytes] += 1
        self._open[donor_id] = self._open.get(donor_id, 0) + 1
        try:
            yield
        finally:
            self._allowed[memory_bytes] -= 1
            self._allowed += Counter()  # drops what nobody allows any more
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

    def roomiest(self) -> int | None:
        """Give the most memory that a donor online allows; None: there is no limit, or no donor."""
        return None if None in self._allowed else max(self._limits(), default=None)

    def _limits(self) -> list[int]:
        return [limit for limit in self._allowed if limit is not None]

    def others(self, donor_id: str) -> bool:
        """Say whether any other donor is online."""
        return any(other != donor_id for other in self._open)
