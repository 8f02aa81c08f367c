"""Stand between a donor and a real coordinator, and answer one message in its place."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.waiting import PATIENCE_S, until

PASSED_ON = ("x-potluck-lease", "content-encoding", "content-type")


class Between:
    """Passes everything on, but the first message of one kind, which it answers itself."""

    def __init__(self, url: str, kind: str, answer: dict[str, Any]) -> None:
        self._url = url
        self._kind = kind
        self._answer = answer
        self.kept_back: list[dict[str, Any]] = []

    def app(self) -> Starlette:
        """Give it as a site, to be donated to."""
        methods = ["GET", "PUT", "POST"]
        return Starlette(
            routes=[
                WebSocketRoute("/api/v1/donor/socket", self._talk),
                Route("/{path:path}", self._pass, methods=methods),
            ]
        )

    async def _pass(self, request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name in PASSED_ON}
        async with httpx2.AsyncClient(base_url=self._url, timeout=PATIENCE_S) as http:
            answer = await http.request(
                request.method, request.url.path, content=await request.body(), headers=headers
            )
        return Response(answer.content, answer.status_code)

    async def _talk(self, donor: WebSocket) -> None:
        await donor.accept()
        address = self._url.replace("http", "ws", 1) + donor.url.path
        async with connect(address, open_timeout=PATIENCE_S) as coordinator:
            back = asyncio.create_task(self._back(donor, coordinator))
            try:
                with suppress(WebSocketDisconnect, ConnectionClosed):
                    while True:
                        await self._forth(donor, coordinator)
            finally:
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)

    async def _forth(self, donor: WebSocket, coordinator: ClientConnection) -> None:
        text = await donor.receive_text()
        said = json.loads(text)
        if said["type"] == self._kind and not self.kept_back:
            self.kept_back.append(said)
            await donor.send_text(json.dumps(self._answer))
        else:
            await coordinator.send(text)

    async def _back(self, donor: WebSocket, coordinator: ClientConnection) -> None:
        async for text in coordinator:
            await donor.send_text(str(text))


@contextmanager
def serving(between: Between) -> Iterator[str]:
    """Serve it as long as the context lasts; gives the address, without a slash behind."""
    config = uvicorn.Config(between.app(), port=0, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, what="a server")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
