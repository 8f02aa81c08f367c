"""How many of the losses that donors claim are kept, and drawn: curves need no more."""

from __future__ import annotations

from math import ceil

MOST_KEPT = 500
"""Claims of one unit: of a longer one, several epochs share a claim, the newest."""
MOST_ON_A_LINE = 500
"""Points of one trial's curve."""
MOST_DRAWN = 20_000
"""Points of all curves of a study; each has two at least."""


def sharing(epoch: int, from_epoch: int, to_epoch: int) -> tuple[int, int]:
    """Give the first and the last of the epochs that share one claim with an epoch.

    Args:
        epoch: One of the unit's own: after `from_epoch`, up to `to_epoch`.
        from_epoch: The last epoch before the unit.
        to_epoch: The unit's last epoch.
    """
    width = ceil((to_epoch - from_epoch) / MOST_KEPT)
    first = epoch - (epoch - from_epoch - 1) % width
    return first, min(first + width - 1, to_epoch)


def drawn_apart(epochs: int, lines: int) -> int:
    """Say of how many epochs a curve shows the last one only.

    Args:
        epochs: Those of a whole trial.
        lines: The study's trials.
    """
    points = max(2, min(MOST_ON_A_LINE, MOST_DRAWN // max(1, lines)))
    return max(1, ceil(epochs / points))
