"""The composition root: puts the rooms together, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.types import ASGIApp

from potluck.version import VERSION
from potluck_coordinator.api import add_api, openapi, pages, paths
from potluck_coordinator.api.access_log import AccessLog
from potluck_coordinator.api.body_limits import BodyLimits
from potluck_coordinator.api.donor import say_farewell
from potluck_coordinator.api.errors import add_handlers
from potluck_coordinator.api.heads import Heads
from potluck_coordinator.api.hosts import KnownHosts
from potluck_coordinator.api.plain_words import PlainWords
from potluck_coordinator.api.rates import CountedRequests, charging
from potluck_coordinator.api.request_heads import BoundedHeads
from potluck_coordinator.core.turns import seats_for
from potluck_coordinator.scoring import Workers
from potluck_coordinator.services.admission import Admission
from potluck_coordinator.services.conductor import Conductor
from potluck_coordinator.services.converters import Converters
from potluck_coordinator.services.drawings import Drawings
from potluck_coordinator.services.events import Hub
from potluck_coordinator.services.presence import Presence
from potluck_coordinator.services.rates import Rates
from potluck_coordinator.services.sign_in import first_admin
from potluck_coordinator.services.site import Site
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage.artifacts import ArtifactStore
from potluck_coordinator.storage.opening import opened
from potluck_coordinator.storage.writer import Writer

__all__ = ["create_app", "say_farewell", "settle"]

_log = logging.getLogger(__name__)


class _Coordinator(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """Put the headers around everything, even around the answer to an unexpected error."""
        bounded = BoundedHeads(super().build_middleware_stack())
        inner = Heads(pages.SecurityHeaders(bounded))
        return AccessLog(inner, [*paths(), "/healthz"])


def create_app(settings: Settings, engine: Engine | None = None) -> FastAPI:
    """Make a coordinator. Its rooms open with the app's lifespan and close with it.

    Args:
        settings: The operator's.
        engine: On the database, where the caller has opened it (and closes it) with
            `storage.opening.opened`. Otherwise the lifespan does, and raises what that raises.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            mine = engine or stack.enter_context(opened(settings.data, settings.database_url()))
            await stack.enter_async_context(running(app, mine))
            yield

    @asynccontextmanager
    async def running(app: FastAPI, engine: Engine) -> AsyncIterator[None]:
        hub = Hub()
        hub.bind(asyncio.get_running_loop())
        memory = Admission(settings.memory, settings.workers)
        site = Site(
            settings=settings,
            writer=Writer(engine),
            artifacts=ArtifactStore(settings.artifact_place()),
            workers=Workers(settings.workers, seats_for(settings.workers)),
            hub=hub,
            presence=Presence(),
            own_donor=Workers(1),
            memory=memory,
            converters=Converters(memory, settings.workers),
            rates=Rates(settings),
        )
        app.state.site = site
        app.state.drawings = Drawings(site)
        app.state.admin_token = await first_admin(site)
        conductor = Conductor(site)
        conductor.start()
        try:
            yield
        finally:
            await say_farewell(app)
            await conductor.stop()
            site.converters.close()
            site.workers.close()
            site.own_donor.close()
            await asyncio.to_thread(site.writer.close)

    app = _Coordinator(
        title="Potluck coordinator",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    add_handlers(app)
    add_api(app)

    @app.get("/healthz", include_in_schema=False)
    async def healthy() -> dict[str, str]:
        return {"status": "ok", "version": VERSION}

    app.include_router(pages.router)
    app.add_middleware(PlainWords)
    app.add_middleware(BodyLimits, settings=settings, charging=charging)
    app.add_middleware(CountedRequests)
    names = settings.names()
    if names is not None:
        app.add_middleware(KnownHosts, names=names)
    openapi.use(app)
    return app


def settle() -> None:
    """Take what a coordinator consists of out of the garbage collector's rounds.

    Looking through some hundred thousand things that stay takes a quarter of a second, in which
    nobody is served; requests that make many things would bring it on. For a process that serves
    one coordinator, once, when it has started.
    """
    gc.collect()
    gc.freeze()
