"""Live studies: server-sent events, drawn afresh when something changed, at most twice a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from potluck_coordinator.api.deps import TheAsker, TheSite
from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.services import views
from potluck_coordinator.services.drawings import LEAST_SECONDS, REFRESH_SECONDS, Drawings

router = APIRouter(prefix="/studies", tags=["studies"])


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
    drawings: Drawings = request.app.state.drawings
    last: dict[str, str] = {}
    with drawings.follow(study_id) as followed, site.hub.listen(study_id) as changed:
        while not await request.is_disconnected():
            changed.clear()
            try:
                drawn = (await followed.drawing()).seen_by(asker)
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
