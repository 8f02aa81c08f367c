"""What all folds of a study name is bounded before it is made."""

from __future__ import annotations

import secrets
from pathlib import Path

from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.settings import Settings
from tests.api.conftest import spec, upload_model


def test_folds_that_name_too_many_rows_are_refused(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path, allowed_hosts=("testserver",), open=True, workers=1, max_fold_rows=120 * 7
    )
    key = new_visitor_key(secrets.token_bytes(32))
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {key}"}) as client:
        iris = client.post("/api/v1/datasets/bundled/iris").json()["id"]
        model = upload_model(client).json()["id"]

        def submit(folds: int) -> tuple[int, dict[str, str]]:
            split = {"folds": folds, "validation": None, "test": 0.2}
            told = spec(model, iris, pipeline={"split": split})
            answer = client.post("/api/v1/studies", json=told)
            return answer.status_code, answer.json().get("error", {})

        status, error = submit(6)
        assert (status, error["code"]) == (413, "size.folds")
        assert error["expected"] == "at most 840 row numbers in all folds"
        assert error["got"] == "960, of 120 rows in 6 folds"
        assert error["hint"] == "Use at most 5 folds."
        assert client.get("/api/v1/studies").json() == []
        assert submit(5)[0] == 201
