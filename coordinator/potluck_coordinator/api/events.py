"""Live studies: server-sent events, drawn afresh when something changed, at most twice a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from potluck_coordinator.api.deps import TheAsker, TheSite, get_asker
from potluck_coordinator.core.errors import NotAllowed, NotFound, NotSignedIn
from potluck_coordinator.services import views
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.drawings import LEAST_SECONDS, REFRESH_SECONDS, Drawings
from potluck_coordinator.services.events import ACCESS

router = APIRouter(prefix="/studies", tags=["studies"])
ASKED_AGAIN_S = 15.0
"""A token may expire, or be revoked beside this process: who listens is asked for so often."""


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
    asked_at = time.monotonic()
    with (
        drawings.follow(study_id) as followed,
        site.hub.listen(study_id) as changed,
        site.hub.listen(ACCESS) as ended,
    ):
        while not await request.is_disconnected():
            if ended.is_set() or time.monotonic() - asked_at >= ASKED_AGAIN_S:
                ended.clear()
                asked_at = time.monotonic()
                if not await _is_still(request, asker):
                    return
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


async def _is_still(request: Request, asker: Asker) -> bool:
    """Say whether a stream's listener is who it was: a sign-in ends with its token."""
    if not asker.token_id:
        return True
    try:
        return await get_asker(request) == asker
    except (NotSignedIn, NotAllowed):
        return False
