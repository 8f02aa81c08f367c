"""Who may connect at all: counted when a connection is accepted, before its TLS has begun.

Connections without TLS are counted by `api.connections`, which answers in words who has too many. A
connection whose handshake never ends would not reach it.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from potluck_coordinator.api.connections import SPARE
from potluck_coordinator.core.manners import network_of
from potluck_coordinator.settings import Settings

AT_ONCE = 64
"""Connections that are refused before others are served."""


class CountedListener(socket.socket):
    """A listening socket that closes, without a word, what comes beyond all bounds."""

    def __init__(
        self,
        listener: socket.socket,
        settings: Settings,
        most: int,
        is_proxy: Callable[[str], bool],
    ) -> None:
        """Go on listening.

        Args:
            listener: What listens so far; it is taken over.
            settings: The operator's.
            most: HTTP connections that may be open at a time; 0: any number.
            is_proxy: Whether an address is that of a trusted proxy, which speaks for many.
        """
        self._each = _sum(settings.connections_per_address, settings.sockets_per_address)
        self._most = _sum(most, settings.sockets)
        self._is_proxy = is_proxy
        self._open: Counter[str] = Counter()
        self._total = 0
        family, kind, protocol = listener.family, listener.type, listener.proto
        super().__init__(family, kind, protocol, fileno=listener.detach())

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection that may be. Raises BlockingIOError where there is none."""
        for _ in range(AT_ONCE):
            connection, address = super().accept()
            host = address[0] if isinstance(address, tuple) else ""
            network = network_of(host)
            if self._may_be(host, network):
                self._open[network] += 1
                self._total += 1
                return _Counted(connection, partial(self._ended, network)), address
            connection.close()
        raise BlockingIOError

    def _may_be(self, host: str, network: str) -> bool:
        if self._most and self._total >= self._most:
            return False
        each = 0 if self._is_proxy(host) else self._each
        return not each or self._open[network] < each

    def _ended(self, network: str) -> None:
        self._total -= 1
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]


class _Counted(socket.socket):
    """An accepted connection, which says when it is closed."""

    def __init__(self, connection: socket.socket, ended: Callable[[], None]) -> None:
        self._ended: Callable[[], None] | None = ended
        family, kind, protocol = connection.family, connection.type, connection.proto
        super().__init__(family, kind, protocol, fileno=connection.detach())

    def close(self) -> None:
        super().close()
        if self._ended is not None:
            ended, self._ended = self._ended, None
            ended()


def _sum(connections: int, sockets: int) -> int:
    """Add bounds, and some who are still told of them in words; 0 where either is any number."""
    return connections + sockets + SPARE if connections and sockets else 0
