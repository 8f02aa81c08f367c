"""Addresses and sockets: wire <-> services; error -> status in one table."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from potluck_coordinator.api import (
    access,
    accounts,
    artifacts,
    donor,
    events,
    groups,
    pages,
    studies,
    tokens,
    uploads,
)

PREFIX = "/api/v1"
ROOMS = (access, tokens, accounts, groups, uploads, events, studies, donor, artifacts)


def add_api(app: FastAPI) -> None:
    """Add every router of the API."""
    api = APIRouter(prefix=PREFIX)
    for room in ROOMS:
        api.include_router(room.router)
    api.include_router(groups.donor_router)
    app.include_router(api)


def paths() -> list[str]:
    """Give the addresses of the API and the pages, with `{...}` where something is named."""
    mine = [getattr(route, "path", "") for room in ROOMS for route in room.router.routes]
    mine += [getattr(route, "path", "") for route in groups.donor_router.routes]
    return [PREFIX, *mine, *("/".join(parts) for parts in pages.PAGES), "/api/openapi.json"]
