"""How much is read of a connection at once, and how long its TLS may take to begin."""

from __future__ import annotations

import asyncio
from asyncio import sslproto
from functools import partial
from typing import Any, cast

READ_BYTES = 8 * 1024
"""Read at once, and parsed before anybody else is served: a few bytes can be a chunk of a body or a
message, each of which takes as long as a large one. asyncio's own number is 32 times as much."""
HEAD_BYTES = 16 * 1024
"""Bytes of a request's head, as long as it is not whole; one read more may come beyond them."""
HANDSHAKE_SECONDS = 10.0
"""asyncio's own number is 60."""


def read_little(transport: asyncio.BaseTransport) -> None:
    """Read at most `READ_BYTES` of a connection at once, where that can be said.

    Args:
        transport: The connection's. One of TLS reads as `careful_tls` said.
    """
    if hasattr(transport, "max_size"):
        cast(Any, transport).max_size = READ_BYTES


def careful_tls(loop: asyncio.AbstractEventLoop) -> None:
    """Bound what servers of TLS do for whoever connects, from now on.

    A handshake takes `HANDSHAKE_SECONDS` at most; a connection has a buffer of `READ_BYTES`, not of
    256 KiB, and at most that much is read of it at once, beside a record that was not whole.

    Args:
        loop: That of the servers. All that it makes from now on are of TLS.
    """
    given = partial(loop.create_server, ssl_handshake_timeout=HANDSHAKE_SECONDS)
    cast(Any, loop).create_server = given
    cast(Any, sslproto.SSLProtocol).max_size = READ_BYTES
