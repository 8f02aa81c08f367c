"""The donor's WebSocket, opened again and again with backoff and jitter until it is closed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from pydantic import TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from potluck.protocol import donor as wire

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 10.0
OPEN_TIMEOUT_S = 20.0
LARGEST_ANSWER = 8 * 2**20
NO_HEADERS: Mapping[str, str] = {}

Said = wire.Hello | wire.Request | wire.Heartbeat | wire.Checkpoint | wire.Complete | wire.Abort
Answer = (
    wire.Welcome | wire.Grant | wire.Wait | wire.Work | wire.Heard | wire.Settled | wire.Problem
)
Send = Callable[[Said], None]
_ANSWER: TypeAdapter[Answer] = TypeAdapter(wire.CoordinatorMessage)


class Listener(Protocol):
    """Who speaks over the line."""

    def connected(self, send: Send) -> None:
        """Hear that there is a line."""

    def received(self, answer: Answer) -> None:
        """Hear a message."""

    def puzzled(self, text: str) -> None:
        """Hear something that this version does not understand."""

    def disconnected(self, why: str) -> None:
        """Hear that there is no line, or still none."""


def parse(text: str) -> Answer | None:
    """Read a message; None where it is of no kind that is known. Unknown fields are ignored."""
    try:
        return _ANSWER.validate_json(text, extra="ignore")
    except ValidationError:
        return None


def delay(failures: int, draw: Callable[[], float] = random.random) -> float:
    """Give the wait before the next try: doubling, and never the same for many donors at once."""
    most = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 16))
    return most * (0.5 + 0.5 * draw())


async def keep_talking(
    origin: str, listener: Listener, headers: Mapping[str, str] = NO_HEADERS
) -> None:
    """Keep a line open until this is cancelled.

    Args:
        origin: The coordinator's.
        listener: Who speaks over the line.
        headers: What else goes along when it is opened.
    """
    address = origin.replace("http", "ws", 1) + "/api/v1/donor/socket"
    failures = 0
    while True:
        try:
            async with connect(
                address,
                open_timeout=OPEN_TIMEOUT_S,
                compression=None,
                max_size=LARGEST_ANSWER,
                additional_headers=headers,
            ) as socket:
                heard = await _talk(socket, listener)
                # Only an answer proves that the other side is well; a proxy opens sockets too.
                failures = 0 if heard else failures
            why = "the coordinator closed the connection"
        except InvalidStatus as error:
            why = f"it answers with status {error.response.status_code}"
        except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
            why = str(error) or type(error).__name__
        listener.disconnected(why)
        await asyncio.sleep(delay(failures))
        failures += 1


async def _talk(socket: ClientConnection, listener: Listener) -> bool:
    outgoing: asyncio.Queue[str] = asyncio.Queue()

    async def send_forever() -> None:
        while True:
            await socket.send(await outgoing.get())

    sending = asyncio.create_task(send_forever())
    heard = False
    try:
        listener.connected(lambda said: outgoing.put_nowait(said.model_dump_json()))
        with suppress(ConnectionClosed):
            async for text in socket:
                answer = parse(text) if isinstance(text, str) else None
                heard = heard or answer is not None
                if answer is None:
                    listener.puzzled(str(text)[:200])
                else:
                    listener.received(answer)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return heard
