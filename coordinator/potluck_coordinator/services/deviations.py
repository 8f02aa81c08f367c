"""How far honest replays were off, by what trained: from this more may be allowed than usual.

In memory, and bounded: after a start nothing more is allowed until replays showed it again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from threading import Lock

from potluck_coordinator.core.trust import TOLERANCE, Voice, learned_tolerance

MOST_BACKENDS = 64
MOST_NETWORKS = 1000
MOST_OF_NETWORK = 20
"""Distances that are remembered of a network, the newest."""

Distances = OrderedDict[tuple[str, bool], deque[float]]


class Deviations:
    """Remembers at which distances known donors' work agreed, by backend class and network."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told: OrderedDict[str, Distances] = OrderedDict()

    def agreed(self, backend: str, network: str, distance: float, *, signed_in: bool) -> None:
        """Hear that a known donor's work agreed.

        Args:
            backend: Its backend class.
            network: Where the donor is connected from.
            distance: Between its end and the replay's. What agreed only since more was allowed
                says nothing, or a liar could widen that bit by bit.
            signed_in: It is signed in to an account of this coordinator.
        """
        if distance > TOLERANCE:
            return
        with self._lock:
            there = self._told.setdefault(backend, OrderedDict())
            self._told.move_to_end(backend)
            told = there.setdefault((network, signed_in), deque(maxlen=MOST_OF_NETWORK))
            there.move_to_end((network, signed_in))
            told.append(distance)
            while len(there) > MOST_NETWORKS:
                there.popitem(last=False)
            while len(self._told) > MOST_BACKENDS:
                self._told.popitem(last=False)

    def refuted(self, network: str) -> None:
        """Hear that work from a network was refuted: nothing that came from there counts."""
        with self._lock:
            for there in self._told.values():
                for key in [key for key in there if key[0] == network]:
                    del there[key]

    def learned(self, backend: str) -> float | None:
        """Give the tolerance that was learned for a backend class; None where none was.

        Args:
            backend: The class.
        """
        with self._lock:
            there = self._told.get(backend, OrderedDict())
            voices = [
                Voice(network, tuple(told), signed_in)
                for (network, signed_in), told in there.items()
            ]
        return learned_tolerance(voices)
