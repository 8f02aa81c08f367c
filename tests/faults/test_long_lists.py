"""Whoever keeps very much, and lists it, holds up nobody."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from potluck_coordinator.app import create_app, settle
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage import datasets
from potluck_coordinator.storage.transaction import Transaction
from tests.support.fresh import fresh
from tests.support.loop_watch import watched

MOST_SECONDS = 0.2
"""Written on the loop it took four times as long, and about 0.01 s beside it, on one machine."""
MANY = 300
COLUMNS = 400


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[tuple[httpx2.AsyncClient, Any]]:
    """Serve in this loop; give a client without a key, and the coordinator."""
    settings = Settings(
        data=fresh(data), open=True, workers=1, own_donor=0, allowed_hosts=("testserver",)
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://testserver/api/v1", timeout=120
        ) as client,
    ):
        yield client, app.state.site


@contextmanager
def settled() -> Iterator[None]:
    """Do what `potluck serve` does once it has started."""
    settle()
    try:
        yield
    finally:
        gc.unfreeze()


def wide(tx: Transaction, like: str) -> None:
    """Keep many datasets of many columns each."""
    one = datasets.get(tx, like)
    column = one.profile["columns"][0]
    profile = {**one.profile, "columns": [{**column, "name": f"c{n}"} for n in range(COLUMNS)]}
    for number in range(MANY):
        name = f"wide {number}"
        datasets.add(tx, replace(one, id=f"ds_w{number}", name=name, profile=profile))


@pytest.mark.parametrize("path", ["/datasets", "/datasets?limit=50"])
def test_a_list_of_many_wide_datasets_is_written_beside_the_loop(tmp_path: Path, path: str) -> None:
    held: list[float] = []
    found: list[int] = []

    async def scenario() -> None:
        async with served(tmp_path) as (client, site):
            key = {"Authorization": "Bearer potluck_visitor_" + "k" * 43}
            made = await client.post("/datasets/bundled/iris", headers=key)
            assert made.status_code == 201, made.text
            await site.writer.run(partial(wide, like=made.json()["id"]))
            await client.get("/datasets?limit=1", headers=key)
            with settled():
                async with watched() as watch:
                    answer = await client.get(path, headers=key)
            held.append(watch.held_s)
            assert answer.status_code == 200, answer.text[:300]
            found.append(len(answer.content))

    asyncio.run(scenario())
    assert 1_000_000 < found[0] < 16 * 2**20
    assert held[0] <= MOST_SECONDS
