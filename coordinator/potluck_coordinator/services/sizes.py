"""How large artifacts are, for what counts many of them."""

from __future__ import annotations

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.services.site import Site

_SIZES: dict[str, int] = {}
"""By hash: bytes by their hash never change."""
MOST_SIZES = 100_000


def size_of(site: Site, sha: str) -> int:
    """Give an artifact's bytes; 0 where it was lost. Remembered: bytes by their hash stay."""
    found = _SIZES.get(sha)
    if found is None:
        try:
            found = site.artifacts.size_sync(sha)
        except NotFound:  # lost with its disk; it takes no room
            return 0
        if len(_SIZES) >= MOST_SIZES:
            _SIZES.clear()
        _SIZES[sha] = found
    return found
