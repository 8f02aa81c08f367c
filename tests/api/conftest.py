"""The real app in process, with a folder of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.settings import Settings
from tests.support.fresh import fresh
from tests.support.keras_files import dense_h5

SMALL = 200_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give an open coordinator that takes uploads of at most 200 kB, and one visitor's client."""
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(
        data=fresh(folder),
        allowed_hosts=("testserver",),
        open=True,
        workers=1,
        max_model_bytes=SMALL,
        max_dataset_bytes=SMALL,
    )
    key = new_visitor_key(secrets.token_bytes(32))
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {key}"}) as found:
        yield found


def stored_files(client: TestClient) -> set[str]:
    """List every artifact on disk: what a refused upload must not add to."""
    folder = Path(client.app.state.site.settings.artifact_place())  # type: ignore[attr-defined]
    return {p.name for p in folder.rglob("*") if p.is_file()}


def upload_model(client: TestClient, content: bytes | None = None, name: str = "m.h5") -> Any:
    """Upload a model, a good one by default."""
    files = [("files", (name, dense_h5() if content is None else content))]
    return client.post("/api/v1/models", files=files)


def upload_data(client: TestClient, content: bytes, name: str = "data.csv") -> Any:
    """Upload a dataset."""
    return client.post("/api/v1/datasets", files={"file": (name, content)})


@pytest.fixture(scope="module")
def iris_id(client: TestClient) -> str:
    """Give the bundled iris dataset's id."""
    answer = client.post("/api/v1/datasets/bundled/iris")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def model_id(client: TestClient) -> str:
    """Give the id of a network for iris."""
    answer = upload_model(client)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def spec(model: str, dataset: str, **changes: Any) -> dict[str, Any]:
    """Write a good specification, with changes."""
    return {
        "name": "Irises",
        "model_id": model,
        "dataset_id": dataset,
        "trials": 2,
        "rungs": [1, 2],
        "rows_are_public": True,
        **changes,
    }
