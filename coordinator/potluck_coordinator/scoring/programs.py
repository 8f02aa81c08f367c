"""Networks kept compiled, a bounded number of them.

JAX keeps every program that it compiled until all are forgotten together: what is dropped here
alone would stay in memory, 8 MB for a small recurrent network, and a long search fill the machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Programs(Generic[K, V]):
    """Keeps what was compiled by its key. After `most` builds all are forgotten.

    A build that failed counts too: it may have compiled something before it did.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._builds = 0
        self._kept: dict[K, V] = {}

    def get(self, key: K, build: Callable[[], V]) -> V:
        """Give what is kept under a key, or build it. What `build` raises comes through."""
        if key not in self._kept:
            if self._builds >= self._most:
                self._kept.clear()
                forget_programs()
                self._builds = 0
            self._builds += 1
            self._kept[key] = build()
        return self._kept[key]


def forget_programs() -> None:
    """Free the memory of all programs that JAX compiled. What is called again is compiled again."""
    import jax

    jax.clear_caches()
    gc.collect()
    # glibc keeps freed pages for later; other systems' libraries have no such call.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
