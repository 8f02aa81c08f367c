"""How often states are taken and uploaded. Pure: times come in, in seconds from any moment."""

from __future__ import annotations

LONGEST_S = 20.0
SHORTEST_S = 1.0
COST_FACTOR = 20.0
SHARE_OF_UPLINK = 0.05


class Cadence:
    """When to take a snapshot: at most 5% of the time, and at least every 20 s."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._cost = 0.0

    def due(self, now: float) -> bool:
        """Say whether a snapshot is due."""
        wait = min(LONGEST_S, max(SHORTEST_S, COST_FACTOR * self._cost))
        return now - self._since >= wait

    def taken(self, begun: float, ended: float) -> None:
        """Tell that a snapshot was begun and finished."""
        self._cost = ended - begun
        self._since = ended


class UploadBudget:
    """Uploading may take 5% of the time: one of t seconds earns 19 t of quiet."""

    def __init__(self) -> None:
        self._free_at = float("-inf")

    def allows(self, now: float) -> bool:
        """Say whether an upload by the way may begin."""
        return now >= self._free_at

    def spent(self, begun: float, ended: float) -> None:
        """Tell when an upload began and ended, whether it came through or not."""
        self._free_at = ended + (ended - begun) * (1 / SHARE_OF_UPLINK - 1)
