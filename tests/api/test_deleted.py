"""What was deleted is gone: names and cells at once, the row with the last study that names it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import spec, upload_data, upload_model
from tests.support.keras_files import dense_h5

HERBS = ("marjoram", "tarragon", "chervil")
ROWS = [f"{i % 7},{i % 5},{i % 3},{i % 4},{HERBS[i % 3]}" for i in range(40)]
CSV = "\n".join(["shoe_size,b,c,d,herb", *ROWS, ""]).encode()
WORDS = ("shoe_size", "herb", "patients", *HERBS)
TARGET = {"target": "herb"}


@pytest.fixture
def dataset_id(client: TestClient) -> str:
    """Upload a table whose words are nowhere else."""
    made = upload_data(client, CSV, "patients.csv")
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def row_of(client: TestClient, table: str, id: str) -> str | None:
    """Read a row as text, from the database itself."""
    data = client.app.state.site.settings.data  # type: ignore[attr-defined]
    with closing(sqlite3.connect(data / "potluck.sqlite3", timeout=30)) as database:
        found = database.execute(f"SELECT * FROM {table} WHERE id = ?", [id]).fetchone()
    return None if found is None else repr(found)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_of_a_deleted_dataset_that_no_study_names_nothing_stays(
    client: TestClient, dataset_id: str
) -> None:
    address = f"/api/v1/datasets/{dataset_id}"
    assert "marjoram" in client.get(address).text
    assert client.delete(address).status_code == 204
    assert row_of(client, "dataset", dataset_id) is None
    assert code(client.get(address)) == (404, "dataset.not_found")


def test_under_an_ended_study_its_names_and_cells_go_at_once_and_its_row_with_the_study(
    client: TestClient, dataset_id: str
) -> None:
    model = upload_model(client, dense_h5()).json()["id"]
    made = client.post("/api/v1/studies", json=spec(model, dataset_id, pipeline=TARGET))
    assert made.status_code == 201, made.text
    study = f"/api/v1/studies/{made.json()['id']}"
    assert made.json()["dataset_name"] == "patients.csv"
    assert client.post(f"{study}/stop").is_success
    address = f"/api/v1/datasets/{dataset_id}"
    assert client.delete(address).status_code == 204
    left = client.get(address).json()
    assert (left["name"], left["deleted"]) == ("deleted dataset", True)
    assert left["profile"]["columns"] == []
    row = row_of(client, "dataset", dataset_id)
    assert row is not None
    assert left["hash"] in row
    assert not [word for word in WORDS if word in row + str(left)]
    assert client.get(study).json()["dataset_name"] == "deleted dataset"
    assert client.delete(address).status_code == 204  # twice is once
    again = upload_data(client, CSV, "patients.csv")
    assert again.status_code == 201  # the same bytes are another dataset now
    assert client.delete(study).status_code == 204
    assert row_of(client, "dataset", dataset_id) is None
    assert code(client.get(address)) == (404, "dataset.not_found")
    assert client.delete(f"/api/v1/datasets/{again.json()['id']}").status_code == 204


def test_of_a_deleted_model_nothing_stays(client: TestClient) -> None:
    model = upload_model(client, dense_h5(activation="softsign")).json()["id"]
    assert row_of(client, "model", model) is not None
    assert client.delete(f"/api/v1/models/{model}").status_code == 204
    assert row_of(client, "model", model) is None
