"""Long answers, written beside the event loop: others are served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import Response
from pydantic import BaseModel

from potluck_coordinator.services.drawn import as_list

JSON = "application/json"


async def told_list(items: Sequence[BaseModel]) -> Response:
    """Answer with a list, which strangers may have made long.

    Routes declare what it is a list of as their `response_model`.

    Args:
        items: What the wire tells, as its types have it.
    """
    return Response(await asyncio.to_thread(lambda: as_list(items).encode()), media_type=JSON)


async def told_one(item: BaseModel) -> Response:
    """Answer with one thing that may be large.

    Args:
        item: What the wire tells.
    """
    return Response(await asyncio.to_thread(item.model_dump_json), media_type=JSON)
