"""Live studies: server-sent events, drawn afresh when something changed, at most twice a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from potluck_coordinator.api.deps import TheAsker, TheSite
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.services import views
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.site import Site

router = APIRouter(prefix="/studies", tags=["studies"])

LEAST_SECONDS = 0.5
REFRESH_SECONDS = 5.0
"""Time left and speeds change even when nothing else does."""


async def must_see(site: TheSite, asker: TheAsker, study_id: str) -> None:
    """Refuse before the stream begins: afterwards no status could tell."""
    await views.study_view(site, asker, study_id)


@router.get(
    "/{study_id}/events", response_class=EventSourceResponse, dependencies=[Depends(must_see)]
)
async def study_events(
    site: TheSite, asker: TheAsker, study_id: str, request: Request
) -> AsyncIterator[ServerSentEvent]:
    """Follow a study: events `study`, `leaderboard`, `curves`, and `gone` when it is deleted."""
    last: dict[str, str] = {}
    with site.hub.listen(study_id) as changed:
        while not await request.is_disconnected():
            changed.clear()
            try:
                drawn = await _draw(site, asker, study_id)
            except NotFound:
                yield ServerSentEvent(event="gone", raw_data="{}")
                return
            for name, data in drawn.items():
                if last.get(name) != data:
                    last[name] = data
                    yield ServerSentEvent(event=name, raw_data=data)
            await asyncio.sleep(LEAST_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), REFRESH_SECONDS)


async def _draw(site: Site, asker: Asker, study_id: str) -> dict[str, str]:
    study = await views.study_view(site, asker, study_id)
    board = await views.leaderboard(site, asker, study_id)
    curves = await views.curves(site, asker, study_id)
    return {"study": study.model_dump_json(), "leaderboard": _list(board), "curves": _list(curves)}


def _list(items: Sequence[BaseModel]) -> str:
    return json.dumps([item.model_dump(mode="json") for item in items], separators=(",", ":"))
