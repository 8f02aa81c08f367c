"""Connections below the app: how long each may take, how many are open, and who goes first."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any, cast

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from potluck_coordinator.api.errors import answer
from potluck_coordinator.api.transports import read_little
from potluck_coordinator.core.errors import Busy, Crowded, PotluckError, TooSlow
from potluck_coordinator.core.manners import network_of
from potluck_coordinator.settings import Settings

SPARE = 64
"""Connections beyond the limit that are still told so; more are closed without a word."""
LARGEST_BACKLOG = 1 << 20
"""Bytes that a socket's other end may leave unread before it is given up."""
MOST_FRAMES = 64


class Connections:
    """Every open HTTP connection of one server, and its bounds."""

    def __init__(self, settings: Settings, most: int) -> None:
        self.settings = settings
        self.most = most
        self.open: dict[CarefulProtocol, str] = {}
        self._by_network: Counter[str] = Counter()
        self._idle: dict[str, dict[CarefulProtocol, None]] = {}
        """Those without a request under way, by network; those that are idle the longest first."""
        self.proxies: ProxyHeadersMiddleware | None = None
        """Whom the server believes about other addresses: they speak for many."""

    def add(self, connection: CarefulProtocol, network: str) -> None:
        """Count a connection."""
        self.open[connection] = network
        self._by_network[network] += 1

    def remove(self, connection: CarefulProtocol) -> None:
        """Count it no more; one that was not counted is fine."""
        network = self.open.pop(connection, None)
        if network is not None:
            self._is_busy(connection, network)
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]

    def of(self, network: str) -> int:
        """Count the connections of a network."""
        return self._by_network[network]

    def note(self, connection: CarefulProtocol, idle: bool) -> None:
        """Hear whether a request is under way on a connection.

        Args:
            connection: The connection; one that is not counted is fine.
            idle: Whether none is.
        """
        network = self.open.get(connection)
        if network is None:
            return
        if idle:
            self._idle.setdefault(network, {}).setdefault(connection)
        else:
            self._is_busy(connection, network)

    def _is_busy(self, connection: CarefulProtocol, network: str) -> None:
        mine = self._idle.get(network)
        if mine is not None:
            mine.pop(connection, None)
            if not mine:
                del self._idle[network]

    def make_room(self, newest: CarefulProtocol) -> bool:
        """Close an idle connection of the network that has most of them; False: none is idle.

        The one goes that is idle the longest. This is asked at every new connection while all are
        taken: the others are not looked at.

        Args:
            newest: For which room is made.
        """
        self.note(newest, False)
        while self._idle:
            network = max(self._idle, key=lambda near: len(self._idle[near]))
            longest = next(iter(self._idle[network]))
            self._is_busy(longest, network)
            if longest.is_idle():
                longest.give_way()
                return True
        return False


class CarefulProtocol(H11Protocol):
    """HTTP/1.1 that waits for nobody for ever. `careful` makes the class for one server.

    A request's head must be whole within `header_seconds`; its body must come on by
    `least_bytes_per_second`, measured every `body_seconds`, unless this side is the one that reads
    slowly; an answer must be read on within `body_seconds`. Who is too slow hears 408
    `request.too_slow`. Where too many connections are open, idle ones are closed first; then
    requests are answered 503 `busy.connections` (429 `rate.connections` for one address).
    """

    room: Connections

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._phase = ""
        self._bytes = 0
        self._flagged = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request's head."""
        super().connection_made(transport)
        read_little(transport)
        host = self.client[0] if self.client else ""
        network = network_of(host)
        self.room.add(self, network)
        settings = self.room.settings
        each = settings.connections_per_address
        if each and self.room.of(network) > each and not self._is_proxy(host):
            self._flag(_crowded(each))
        elif (
            self.room.most
            and len(self.connections) > self.room.most
            and not self.room.make_room(self)
        ):
            if len(self.connections) > self.room.most + SPARE:
                transport.abort()
                return
            self._flag(_full(self.room.most))
        self._look()

    def _is_proxy(self, host: str) -> bool:
        if self.room.proxies is None:
            given = self.config.forwarded_allow_ips
            self.room.proxies = ProxyHeadersMiddleware(self.app, given)
        return host in self.room.proxies.trusted_hosts

    def _flag(self, refusal: PotluckError) -> None:
        """Answer every request of this connection with a refusal, and close it."""
        self._flagged = True

        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            told = answer(refusal)
            told.headers["Connection"] = "close"
            await told(scope, receive, send)

        self.app = cast(Any, refuse)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end()
        super().connection_lost(exc)

    def _end(self) -> None:
        self.room.remove(self)
        self._wait("", 0.0)
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _should_upgrade(self) -> bool:
        return not self._flagged and super()._should_upgrade()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to the socket's protocol, which has bounds of its own."""
        self._end()
        super().handle_websocket_upgrade(event)

    def data_received(self, data: bytes) -> None:
        """Count what comes, and look what is waited for next."""
        self._bytes += len(data)
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Look what is waited for next."""
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._look()
        else:  # a kept connection, whose own timer runs until its next request begins
            self._wait("", 0.0)
            self.room.note(self, self.is_idle())

    def is_idle(self) -> bool:
        """Say whether no request is under way."""
        return self.conn.their_state is h11.IDLE and not self.transport.is_closing()

    def give_way(self) -> None:
        """Close an idle connection for a newer one; it counts no more from now on."""
        self.room.remove(self)
        self.connections.discard(self)
        self.transport.close()

    def _look(self) -> None:
        self.room.note(self, self.is_idle())
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._wait("", 0.0)
        elif self.conn.their_state is h11.IDLE:
            self._wait("head", self.room.settings.header_seconds)
        elif self.conn.their_state is h11.SEND_BODY:
            self._wait("body", self.room.settings.body_seconds)
        else:
            self._wait("", 0.0)

    def _wait(self, phase: str, seconds: float) -> None:
        """Wait for a part of the request; going on to wait for the same gives no more time."""
        if phase == self._phase:
            return
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if phase and seconds:
            self._bytes = 0
            self._timer = self.loop.call_later(seconds, self._is_due, seconds)

    def _is_due(self, seconds: float) -> None:
        phase, self._phase, self._timer = self._phase, "", None
        if self.transport.is_closing():
            return
        least = self.room.settings.least_bytes_per_second * seconds
        if phase == "body" and (self.flow.read_paused or self._bytes >= least):
            self._look()  # once more as long
        else:
            self._refuse_slow(phase, seconds)

    def _refuse_slow(self, phase: str, seconds: float) -> None:
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is under way already
            if (
                self.cycle is None
                or self.cycle.response_complete
                or not self.cycle.response_started
            ):
                told = answer(_too_slow(phase, seconds))
                headers = [*told.raw_headers, (b"connection", b"close")]
                events = [
                    h11.Response(status_code=told.status_code, headers=headers),
                    h11.Data(data=bytes(told.body)),
                    h11.EndOfMessage(),
                ]
                self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def pause_writing(self) -> None:
        """Wait until the other end reads on."""
        super().pause_writing()
        seconds = self.room.settings.body_seconds
        if seconds and self._write_timer is None:
            left = self.transport.get_write_buffer_size()
            self._write_timer = self.loop.call_later(seconds, self._is_unread, seconds, left)

    def resume_writing(self) -> None:
        """Stop waiting for it."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _is_unread(self, seconds: float, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if before - left < self.room.settings.least_bytes_per_second * seconds:
            self._write_timer = None
            self.transport.abort()
        else:
            self._write_timer = self.loop.call_later(seconds, self._is_unread, seconds, left)


class CarefulSocket(WebSocketsSansIOProtocol):
    """A WebSocket that keeps little for its other end: pieces of messages, and what is unread."""

    def handle_cont(self, event: Any) -> None:
        """Take a piece of a message; many small ones do not take more room than they are."""
        if event.data or event.fin:
            super().handle_cont(event)
        if len(self.frames) > MOST_FRAMES:
            self.frames = [b"".join(self.frames)]

    def handle_ping(self) -> None:
        """Answer; whoever asks on and on without reading the answers is given up."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > LARGEST_BACKLOG:
            self.transport.abort()


def careful(settings: Settings, most: int) -> type[CarefulProtocol]:
    """Make the protocol of one server.

    Args:
        settings: The operator's.
        most: Connections and sockets that it may have open; 0: any number.
    """
    return type("Careful", (CarefulProtocol,), {"room": Connections(settings, most)})


def _too_slow(phase: str, seconds: float) -> TooSlow:
    what = "head" if phase == "head" else "body"
    return TooSlow(
        "request.too_slow",
        f"The request's {what} came too slowly.",
        expected=f"the whole head within {seconds:g} seconds"
        if phase == "head"
        else f"more of it every {seconds:g} seconds",
        hint="Check your connection, and try again.",
    )


def _full(most: int) -> Busy:
    return Busy(
        "busy.connections",
        "Too many connections are open at this coordinator.",
        expected=f"at most {most}",
        got="one more",
        hint="Try again in a few seconds.",
    )


def _crowded(most: int) -> Crowded:
    return Crowded(
        "rate.connections",
        "Too many connections are open from here.",
        retry_after=10.0,
        expected=f"at most {most} from one address",
        got="one more",
        hint="Close some, or try again in 10 seconds.",
    )
