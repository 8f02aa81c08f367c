"""The counter-based generator of docs/protocol.md: Threefry-2x32 with 20 rounds.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). Scalar and pure: it
makes the test vectors that TypeScript shares, and later lets a donor in Python replay a unit.
"""

from __future__ import annotations

import hashlib
import zlib

MASK = 0xFFFFFFFF
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


def threefry2x32(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Map a 64-bit key and a 64-bit counter, as two uint32 each, to two random uint32."""
    keys = (key[0], key[1], PARITY ^ key[0] ^ key[1])
    x0 = (counter[0] + keys[0]) & MASK
    x1 = (counter[1] + keys[1]) & MASK
    for block in range(5):
        for rotation in ROTATIONS[block % 2]:
            x0 = (x0 + x1) & MASK
            x1 = ((x1 << rotation) | (x1 >> (32 - rotation))) & MASK
            x1 ^= x0
        x0 = (x0 + keys[(block + 1) % 3]) & MASK
        x1 = (x1 + keys[(block + 2) % 3] + block + 1) & MASK
    return x0, x1


def stream(purpose: str) -> int:
    """Name a stream of random numbers: CRC-32 of its purpose's UTF-8 bytes."""
    return zlib.crc32(purpose.encode())


def epoch_order(seed: int, epoch: int, rows: int) -> list[int]:
    """Give the order in which an epoch visits its rows: a stable sort of one draw a row."""
    key = (seed, stream("order"))
    draws = [threefry2x32(key, (epoch, row))[0] for row in range(rows)]
    return sorted(range(rows), key=draws.__getitem__)


def dropout_keep(seed: int, layer: str, step: int, rate: float, size: int) -> list[bool]:
    """Say which of `size` elements (C order) a dropout layer keeps at a step."""
    key = (seed, stream(f"dropout/{layer}"))
    threshold = int(rate * 2**32)
    return [threefry2x32(key, (step, i >> 1))[i & 1] >= threshold for i in range(size)]


def derive_seed(study_seed: int, purpose: str, fold: int | None, repeat: int) -> int:
    """Derive a unit's uint32 seed. The trial is left out: common random numbers."""
    text = f"{study_seed}/{purpose}/{'-' if fold is None else fold}/{repeat}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
