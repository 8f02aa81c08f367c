"""Who connects is counted before TLS begins, has little time for it, and is read bit by bit."""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio import sslproto
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from potluck_coordinator.api import transports
from potluck_coordinator.api.connections import SPARE, careful
from potluck_coordinator.api.listening import CountedListener
from potluck_coordinator.api.transports import HEAD_BYTES, READ_BYTES, careful_tls
from potluck_coordinator.settings import Settings
from tests.faults.test_serve_refused import made
from tests.support.waiting import PATIENCE_S

EACH = 2
TLS_RECORD = 16 * 1024


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Give what a server of TLS needs."""
    certificate, key = made(tmp_path, "own")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(autouse=True)
def tls_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what is said to all TLS of this process."""
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", sslproto.SSLProtocol.max_size)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[CountedListener]:
    """Give a socket that takes few connections, and does not wait for one."""
    settings = Settings(data=tmp_path, connections_per_address=EACH, sockets_per_address=EACH)
    inner = socket.create_server(("127.0.0.1", 0))
    with CountedListener(inner, settings, 3 * EACH, "127.0.0.2".__eq__) as found:
        found.settimeout(PATIENCE_S)
        yield found


def connect(listener: CountedListener, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(listener.getsockname(), PATIENCE_S, source_address=(source, 0))


def test_connections_of_an_address_are_counted_when_they_are_accepted(
    listener: CountedListener,
) -> None:
    most = 2 * EACH + SPARE
    ours = [connect(listener) for _ in range(most)]
    theirs = [listener.accept()[0] for _ in range(most)]
    refused, proxy = connect(listener), connect(listener, "127.0.0.2")
    taken, address = listener.accept()
    assert address[0] == "127.0.0.2"
    assert refused.recv(1) == b""
    theirs.pop().close()
    again = connect(listener)
    last, address = listener.accept()
    assert address[0] == "127.0.0.1"
    for one in (*ours, *theirs, refused, proxy, taken, again, last):
        one.close()
        one.close()  # the second time counts for nothing
    assert (listener._total, listener._open) == (0, {})


def test_all_connections_are_counted(listener: CountedListener) -> None:
    listener._most = 1
    with connect(listener), connect(listener, "127.0.0.2") as refused, listener.accept()[0]:
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert refused.recv(1) == b""


def test_a_flood_is_refused_some_at_a_time(
    listener: CountedListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("potluck_coordinator.api.listening.AT_ONCE", 2)
    listener._most = 1
    kept = [connect(listener) for _ in range(5)]
    with listener.accept()[0]:
        for _ in range(2):
            with pytest.raises(BlockingIOError):
                listener.accept()
    for one in kept:
        one.close()


def test_a_handshake_that_does_not_begin_is_not_waited_for(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "HANDSHAKE_SECONDS", 0.1)

    async def scenario() -> bytes:
        loop = asyncio.get_running_loop()
        careful_tls(loop)
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=tls)
        async with server, asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            said = await reader.read()
            writer.close()
            return said

    assert asyncio.run(scenario()) == b""


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_connection_is_read_a_little_at_once(
    tmp_path: Path, tls: ssl.SSLContext, secure: bool
) -> None:
    import uvicorn
    from uvicorn.server import ServerState

    sizes: list[int] = []
    content = b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    class Counted(careful(Settings(data=tmp_path), 0)):  # type: ignore[misc]
        def data_received(self, data: bytes) -> None:
            sizes.append(len(data))
            super().data_received(data)

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"read %d" % size})

    async def scenario() -> bytes:
        loop = asyncio.get_running_loop()
        if secure:
            careful_tls(loop)
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, h11_max_incomplete_event_size=HEAD_BYTES
        )
        config.load()
        state = ServerState()
        server = await loop.create_server(
            lambda: Counted(config=config, server_state=state, app_state={}),
            "127.0.0.1",
            0,
            ssl=tls if secure else None,
        )
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        async with server, asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(
                *server.sockets[0].getsockname(), ssl=trusting if secure else None
            )
            writer.write(head + content)
            said = await reader.readuntil(b"read 50000")
            writer.close()
            for connection in [*state.connections]:
                connection.transport.abort()
            return said

    assert asyncio.run(scenario()).startswith(b"HTTP/1.1 200")
    assert sum(sizes) == len(head + content)
    assert max(sizes) <= READ_BYTES + (TLS_RECORD if secure else 0)
