"""A real coordinator in a thread of this process: a test can give its workers jobs of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from potluck_coordinator.app import create_app
from potluck_coordinator.services.site import Site
from potluck_coordinator.settings import Settings
from tests.support.fresh import fresh
from tests.support.waiting import PATIENCE_S, until

T = TypeVar("T")


@dataclass(frozen=True)
class Inside:
    """A coordinator that serves at `url`, its rooms, and its event loop."""

    url: str
    site: Site
    loop: asyncio.AbstractEventLoop

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in its loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def asked(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in its loop, and wait for what comes of it."""
        return self.start(work).result(PATIENCE_S)


@contextmanager
def inside(data: Path, **settings: Any) -> Iterator[Inside]:
    """Serve on a free port while inside."""
    app = create_app(Settings(data=fresh(data), open=True, **{"own_donor": 0, **settings}))
    loops: list[asyncio.AbstractEventLoop] = []

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            loops.append(asyncio.get_running_loop())
            await super().startup(sockets=sockets)

    config = uvicorn.Config(app, port=0, log_config=None, log_level="error", ws="websockets-sansio")
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive(), "the coordinator")
        assert server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Inside(f"http://127.0.0.1:{port}", app.state.site, loops[0])
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
