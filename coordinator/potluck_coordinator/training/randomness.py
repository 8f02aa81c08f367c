"""The generator of docs/protocol.md over whole arrays, with NumPy or inside a compiled step.

`core.randomness` is its definition, one number at a time; the same test vectors hold both.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA
WORD = 2.0**32

Array = Any
"""A uint32 array or scalar of NumPy or JAX; sums wrap around."""


def stream(purpose: str) -> int:
    """Name a stream of random numbers: CRC-32 of its purpose's UTF-8 bytes."""
    return zlib.crc32(purpose.encode())


def threefry(key0: Array, key1: Array, place: Array, index: Array) -> tuple[Array, Array]:
    """Map uint32 keys and counters (that broadcast together) to two random uint32 each."""
    keys = (key0, key1, np.uint32(PARITY) ^ key0 ^ key1)
    x0 = place + keys[0] + index * np.uint32(0)
    x1 = index + keys[1]
    for block in range(5):
        for rotation in ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))) ^ x0
        x0 = x0 + keys[(block + 1) % 3]
        x1 = x1 + keys[(block + 2) % 3] + np.uint32(block + 1)
    return x0, x1


def _numpy(seed: int, purpose: str, place: int, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    # One-element arrays: NumPy's scalars would warn where a sum wraps around, as it should here.
    key = [np.array([word], dtype=np.uint32) for word in (seed, stream(purpose), place)]
    return threefry(key[0], key[1], key[2], np.arange(count, dtype=np.uint32))


def epoch_order(seed: int, epoch: int, rows: int) -> NDArray[np.int32]:
    """Give the order in which an epoch visits its rows: a stable sort of one draw a row."""
    draws, _ = _numpy(seed, "order", epoch, rows)
    return np.argsort(draws, kind="stable").astype(np.int32)


def normals(seed: int, purpose: str, step: int, size: int) -> NDArray[np.float32]:
    """Draw from the normal distribution of mean 0 and deviation 1 (Box and Muller, in pairs)."""
    first, second = _numpy(seed, purpose, step, (size + 1) // 2)
    radius = np.sqrt(-2.0 * np.log((first + 1.0) / WORD))
    angle = 2.0 * np.pi * second / WORD
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return pairs.reshape(-1)[:size].astype(np.float32)


def words(jnp: Any, seed: Array, purpose: str, step: Array, size: int) -> Array:
    """Give `size` random uint32 inside a compiled step; `seed` and `step` are traced uint32."""
    index = jnp.arange((size + 1) // 2, dtype=jnp.uint32)
    x0, x1 = threefry(seed, jnp.uint32(stream(purpose)), step, index)
    return jnp.stack([x0, x1], axis=1).reshape(-1)[:size]


def kept(jnp: Any, drawn: Array, rate: float) -> Array:
    """Give the factor of each drawn word: 0 where dropped, else 1 / (1 - rate)."""
    if rate >= 1.0:
        return jnp.zeros(drawn.shape, jnp.float32)
    held = drawn >= jnp.uint32(int(rate * WORD))
    return jnp.where(held, jnp.float32(1.0 / (1.0 - rate)), jnp.float32(0.0))


def at_least(jnp: Any, drawn: Array, rate: float) -> Array:
    """Say, as 0 and 1, where a word as a float32 in [0, 1) is not below `rate`."""
    # Scaled to whole words: a tiny rate would be a subnormal float32, which XLA takes for 0.
    bound = max(rate * WORD, 1.0) if rate > 0 else 0.0
    least = np.float32(bound)
    if float(least) < bound:  # compared as numbers, not as their nearest float32
        least = np.nextafter(least, np.float32(np.inf))
    return (drawn.astype(jnp.float32) >= least).astype(jnp.float32)
