"""Those who follow a study share its drawings, and each sees what it may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from potluck_coordinator.core.errors import NotFound
from potluck_coordinator.core.visitors import owner_of
from potluck_coordinator.services.access import Asker
from potluck_coordinator.services.drawings import Drawings
from tests.api.conftest import spec
from tests.support.earlier import make_private

NO_KEY = Asker("anyone", "anonymous", open=True)
STRANGER = replace(NO_KEY, visitor="anyone:strange")
OTHER = Asker("other", "submitter")


@pytest.fixture
def study_id(client: TestClient, model_id: str, iris_id: str) -> Iterator[str]:
    """Give a private study."""
    answer = client.post("/api/v1/studies", json=spec(model_id, iris_id))
    assert answer.status_code == 201, answer.text
    data = client.app.state.site.settings.data  # type: ignore[attr-defined]
    make_private(data, answer.json()["id"])
    yield str(answer.json()["id"])
    client.delete(f"/api/v1/studies/{answer.json()['id']}")


def owner(client: TestClient) -> Asker:
    """Give the visitor whose key the client sends."""
    key = client.headers["Authorization"].removeprefix("Bearer ")
    return replace(NO_KEY, visitor=owner_of(key))


def run(client: TestClient, act: Any) -> Any:
    """Run a coroutine function where the app lives."""
    assert client.portal is not None
    return client.portal.call(act)


def test_the_list_the_study_and_its_events_say_the_same(client: TestClient, study_id: str) -> None:
    client.post(f"/api/v1/studies/{study_id}/stop")
    one = client.get(f"/api/v1/studies/{study_id}").json()
    listed = {s["id"]: s for s in client.get("/api/v1/studies").json()}
    assert listed[study_id] == one
    drawings = Drawings(client.app.state.site)  # type: ignore[attr-defined]

    async def draw() -> dict[str, str]:
        with drawings.follow(study_id) as followed:
            return (await followed.drawing()).seen_by(owner(client))

    told = {name: json.loads(data) for name, data in run(client, draw).items()}
    assert told["study"] == one
    address = f"/api/v1/studies/{study_id}"
    assert told["leaderboard"] == client.get(address + "/leaderboard").json()
    assert told["curves"] == client.get(address + "/curves").json()


def test_many_followers_share_a_drawing_until_something_changes(
    client: TestClient, study_id: str
) -> None:
    client.post(f"/api/v1/studies/{study_id}/stop")
    site: Any = client.app.state.site  # type: ignore[attr-defined]
    drawings = Drawings(site)

    async def follow() -> tuple[int, int, str, str]:
        with drawings.follow(study_id) as first, drawings.follow(study_id) as second:
            assert first is second
            before = await asyncio.gather(*(first.drawing() for _ in range(20)))
            drawn = first.drawn
            site.hub.publish(study_id)
            await asyncio.sleep(0)
            after = await asyncio.gather(*(second.drawing() for _ in range(20)))
            return drawn, second.drawn, before[0].study, after[-1].study

    once, twice, before, after = run(client, follow)
    assert (once, twice) == (1, 2)
    assert before == after
    assert site.hub._listeners.get(study_id) is None


def test_a_drawing_shows_each_asker_only_what_it_may_see(client: TestClient, study_id: str) -> None:
    drawings = Drawings(client.app.state.site)  # type: ignore[attr-defined]

    async def draw() -> Any:
        with drawings.follow(study_id) as followed:
            return await followed.drawing()

    drawing = run(client, draw)
    assert json.loads(drawing.seen_by(owner(client))["study"])["may_edit"] is True
    for stranger in (OTHER, STRANGER, NO_KEY):
        with pytest.raises(NotFound):
            drawing.seen_by(stranger)
    client.delete(f"/api/v1/studies/{study_id}")
    with pytest.raises(NotFound):
        run(client, draw)
