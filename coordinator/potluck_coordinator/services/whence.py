"""From where visitors' studies, models and datasets came: keys cost them nothing, networks do."""

from __future__ import annotations

from threading import Lock

MOST_REMEMBERED = 50_000
"""Things; beyond it the oldest of the network that has most is forgotten: it pushes out no other's
things."""


class Whence:
    """Remembers the network of what visitors made. In memory: a restart forgets. For any thread."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        """Begin with nothing.

        Args:
            most: How many things are remembered.
        """
        self._most = most
        self._networks: dict[str, str] = {}
        self._things: dict[str, dict[str, None]] = {}
        self._lock = Lock()

    def note(self, thing: str, network: str) -> None:
        """Remember from which network a thing was made, or set going last.

        Args:
            thing: Its id.
            network: An IPv4 address or an IPv6 /64.
        """
        with self._lock:
            self._forget(thing)
            if len(self._networks) >= self._most:
                crowd = max(self._things.values(), key=len)
                self._forget(next(iter(crowd)))
            self._networks[thing] = network
            self._things.setdefault(network, {})[thing] = None

    def forget(self, thing: str) -> None:
        """Forget a thing that was deleted.

        Args:
            thing: Its id.
        """
        with self._lock:
            self._forget(thing)

    def network_of(self, thing: str) -> str | None:
        """Give a thing's network; None where nobody knows.

        Args:
            thing: Its id.
        """
        return self._networks.get(thing)

    def things_of(self, network: str) -> frozenset[str]:
        """Give the ids of what came from a network.

        Args:
            network: The network.
        """
        with self._lock:
            return frozenset(self._things.get(network, ()))

    def _forget(self, thing: str) -> None:
        network = self._networks.pop(thing, None)
        if network is None:
            return
        crowd = self._things[network]
        del crowd[thing]
        if not crowd:
            del self._things[network]
