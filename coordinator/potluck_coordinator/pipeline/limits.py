"""How much a dataset may unfold to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadLimits:
    """Bounds of one dataset in memory. `unpacked_bytes` counts a whole `.npz`, unzipped."""

    unpacked_bytes: int = 2 * 1024**3
    members: int = 64
    ratio: int = 1200
    rows: int = 20_000_000
    columns: int = 10_000
