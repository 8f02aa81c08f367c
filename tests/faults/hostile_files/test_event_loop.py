"""Nothing in the suite holds the server's event loop: others are served meanwhile."""

from __future__ import annotations

import asyncio
import io
import secrets
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from potluck_coordinator.app import create_app
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.settings import Settings
from tests.faults.hostile_files.inputs import HOSTILE, Files, model_h5, npz
from tests.support.fresh import fresh
from tests.support.loop_watch import Watch, watched

MOST_SECONDS = 0.05
SIDE = 6000
"""A model of 144 MB."""


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve in this loop. What the first requests load is loaded then."""
    settings = Settings(
        data=fresh(data), open=True, workers=1, own_donor=0, allowed_hosts=("testserver",)
    )
    app = create_app(settings)
    key = new_visitor_key(secrets.token_bytes(32))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://testserver/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=120,
        ) as client,
    ):
        small = np.random.default_rng(2).random((30, 4), dtype=np.float32)
        made = await put_model(client, {"m.h5": model_h5(30, 4, small)})
        assert made.status_code == 201, made.text
        await client.get(f"/models/{made.json()['id']}/file")
        await put_dataset(client, {"d.npz": npz(x=small, y=np.arange(30) % 2)})
        yield client


async def put_model(client: httpx2.AsyncClient, files: Files) -> httpx2.Response:
    """Upload a model."""
    given = [("files", (name, io.BytesIO(content))) for name, content in files.items()]
    return await client.post("/models", files=given)


async def put_dataset(client: httpx2.AsyncClient, files: Files) -> httpx2.Response:
    """Upload a dataset."""
    [(name, content)] = files.items()
    return await client.post("/datasets", files={"file": (name, io.BytesIO(content))})


def test_no_file_that_asks_for_much_holds_the_loop(tmp_path: Path) -> None:
    held: dict[str, float] = {}

    async def scenario() -> None:
        async with served(tmp_path) as client:
            for hostile in HOSTILE:
                files = hostile.make(0.01)
                put = put_model if hostile.kind == "model" else put_dataset
                async with watched() as watch:
                    answer = await put(client, files)
                held[hostile.name] = watch.held_s
                assert answer.status_code in (200, 201, 400, 413), answer.text

    asyncio.run(scenario())
    assert {name: s for name, s in held.items() if s > MOST_SECONDS} == {}


def test_a_large_model_is_taken_in_and_given_out_beside_the_loop(tmp_path: Path) -> None:
    held: dict[str, float] = {}
    values = np.random.default_rng(1).random((SIDE, SIDE), dtype=np.float32)
    content = model_h5(SIDE, SIDE, values)

    async def scenario() -> None:
        async with served(tmp_path) as client:
            async with watched() as watch:
                made = await put_model(client, {"m.h5": content})
            held["upload"] = watch.held_s
            assert made.status_code == 201, made.text
            for kind in ("h5", "keras", "tfjs"):
                async with watched() as watch:
                    size = await drained(client, f"/models/{made.json()['id']}/file", kind)
                held[kind] = watch.held_s
                assert size > values.nbytes

    asyncio.run(scenario())
    assert {name: s for name, s in held.items() if s > MOST_SECONDS} == {}


async def drained(client: httpx2.AsyncClient, path: str, kind: str) -> int:
    """Download a model's file and keep none of it; give its bytes.

    A client of this loop would hold it itself while it puts the pieces together.
    """
    size, asked = 0, client.build_request("GET", path, params={"format": kind})
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": asked.url.path,
        "raw_path": asked.url.path.encode(),
        "query_string": asked.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in asked.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    gone = asyncio.Event()

    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal size
        assert message.get("status", 200) == 200
        size += len(message.get("body", b""))

    transport = client._transport
    assert isinstance(transport, httpx2.ASGITransport)
    await transport.app(scope, receive, send)
    return size


def test_large_arrays_are_read_beside_the_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    content = npz(x=rng.random((250_000, 20)), y=rng.integers(0, 2, 250_000))
    held = Watch()

    async def scenario() -> None:
        nonlocal held
        async with served(tmp_path) as client:
            async with watched() as held:
                made = await put_dataset(client, {"d.npz": content})
            assert made.status_code == 201, made.text

    asyncio.run(scenario())
    assert held.held_s <= MOST_SECONDS


@pytest.mark.parametrize("off_the_loop", [False, True], ids=["on-it", "in-a-thread"])
def test_the_watch_sees_a_loop_that_is_held(off_the_loop: bool) -> None:
    def hold() -> None:
        end = time.process_time() + 0.2
        text = "a" * 30_000_000
        while time.process_time() < end:
            text.count("ab")  # one call that keeps the interpreter

    async def scenario() -> float:
        async with watched() as watch:
            await (asyncio.to_thread(hold) if off_the_loop else _at_once(hold))
        return watch.held_s

    assert asyncio.run(scenario()) > (0.01 if off_the_loop else MOST_SECONDS)


async def _at_once(hold: object) -> None:
    assert callable(hold)
    hold()
