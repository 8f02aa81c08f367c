"""How much a dataset may unfold to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadLimits:
    """Bounds of one dataset in memory. `unpacked_bytes` counts a whole `.npz`, unzipped.

    An archive that unfolds to more than `always_bytes` may do so by `large_ratio` in all: real
    arrays of that size do, and zeros do not. `cells` counts a table's columns times its rows.
    """

    unpacked_bytes: int = 2 * 1024**3
    members: int = 64
    ratio: int = 1200
    always_bytes: int = 64 * 1024**2
    large_ratio: int = 200
    cells: int = 64_000_000
    rows: int = 20_000_000
    columns: int = 10_000
