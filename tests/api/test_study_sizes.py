"""What a study's folds name and what its plan says are bounded before it is made."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.settings import Settings
from tests.api.conftest import spec, upload_model
from tests.support.fresh import fresh


@contextmanager
def bounded(folder: Path, **bounds: Any) -> Iterator[TestClient]:
    """Give an open coordinator with other bounds, and one visitor's client."""
    settings = Settings(
        data=fresh(folder), allowed_hosts=("testserver",), open=True, workers=1, **bounds
    )
    key = new_visitor_key(secrets.token_bytes(32))
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def specification(client: TestClient) -> dict[str, Any]:
    """Upload what a study of irises needs."""
    iris = client.post("/api/v1/datasets/bundled/iris").json()["id"]
    return spec(upload_model(client).json()["id"], iris)


def submit(client: TestClient, told: dict[str, Any], folds: int) -> tuple[int, dict[str, str]]:
    """Submit a study of so many folds; give the status, and the error if there is one."""
    split = {"folds": folds, "validation": None, "test": 0.2}
    answer = client.post("/api/v1/studies", json={**told, "pipeline": {"split": split}})
    return answer.status_code, answer.json().get("error", {})


def test_folds_that_name_too_many_rows_are_refused(tmp_path: Path) -> None:
    with bounded(tmp_path, max_fold_rows=120 * 7) as client:
        told = specification(client)
        status, error = submit(client, told, folds=6)
        assert (status, error["code"]) == (413, "size.folds")
        assert error["expected"] == "at most 840 row numbers in all folds"
        assert error["got"] == "960, of 120 rows in 6 folds"
        assert error["hint"] == "Use at most 5 folds."
        assert client.get("/api/v1/studies").json() == []
        assert submit(client, told, folds=5)[0] == 201


def test_encoded_rows_that_take_too_much_room_are_refused(tmp_path: Path) -> None:
    with bounded(tmp_path, max_encoded_bytes=7 * 120 * 5 * 4) as client:
        told = specification(client)
        status, error = submit(client, told, folds=6)
        assert (status, error["code"]) == (413, "size.encoded")
        assert error["expected"] == "at most 16800 bytes in all its folds"
        assert error["got"] == "about 19200 bytes"
        assert client.get("/api/v1/studies").json() == []
        assert submit(client, told, folds=5)[0] == 201


def test_a_plan_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with bounded(tmp_path, max_plan_bytes=5000) as client:
        told = specification(client)
        answer = client.post("/api/v1/studies", json={**told, "description": "x" * 4000})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "size.plan")
        assert answer.json()["error"]["expected"] == "at most 5000 bytes"
        assert client.get("/api/v1/studies").json() == []
        answer = client.post("/api/v1/studies", json=told)
        assert answer.status_code == 201, answer.text


def test_a_list_is_read_in_pages(tmp_path: Path) -> None:
    with bounded(tmp_path) as client:
        told = specification(client)
        made = [
            client.post("/api/v1/studies", json={**told, "name": name}).json()["id"]
            for name in ("one", "two", "three")
        ]
        read = [
            study["id"]
            for offset in range(4)
            for study in client.get("/api/v1/studies", params={"limit": 1, "offset": offset}).json()
        ]
        assert read == made[::-1]
        for query in ({"limit": 0}, {"limit": 501}, {"offset": -1}):
            assert client.get("/api/v1/studies", params=query).status_code == 422
