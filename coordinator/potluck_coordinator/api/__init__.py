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
    studies,
    tokens,
    uploads,
)

PREFIX = "/api/v1"


def add_api(app: FastAPI) -> None:
    """Add every router of the API."""
    api = APIRouter(prefix=PREFIX)
    for room in (access, tokens, accounts, groups, uploads, events, studies, donor, artifacts):
        api.include_router(room.router)
    api.include_router(groups.donor_router)
    app.include_router(api)
