"""What needs more memory than the operator gave is refused, and nothing of it stays."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.settings import Settings, half_of_memory
from tests.faults.hostile_files.inputs import model_h5, npz
from tests.support.fresh import fresh

BUDGET = 160 * 2**20
ROOM = ("testserver",)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def narrow(data: Path) -> Iterator[TestClient]:
    """Give a client of a coordinator with little memory."""
    settings = Settings(data=fresh(data), open=True, workers=1, own_donor=0, memory=BUDGET)
    key = new_visitor_key(secrets.token_bytes(32))
    app = create_app(settings.model_copy(update={"allowed_hosts": ROOM}))
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        yield client


def test_a_dataset_that_needs_more_than_all_is_refused_and_not_kept(
    narrow: TestClient, data: Path
) -> None:
    content = npz(x=np.random.default_rng(1).random((100_000, 10)), y=np.arange(100_000) % 2)
    answer = narrow.post("/api/v1/datasets", files={"file": ("d.npz", io.BytesIO(content))})
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert error["code"] == "size.memory"
    assert error["expected"]
    assert error["hint"]
    kept = [path for path in (data / "artifacts").rglob("*") if path.is_file()]
    assert max((path.stat().st_size for path in kept), default=0) < len(content)


def test_what_fits_is_taken(narrow: TestClient) -> None:
    small = npz(x=np.random.default_rng(1).random((100, 10)), y=np.arange(100) % 2)
    answer = narrow.post("/api/v1/datasets", files={"file": ("d.npz", io.BytesIO(small))})
    assert answer.status_code == 201, answer.text
    values = np.ones((30, 4), np.float32)
    model = {"files": ("m.h5", io.BytesIO(model_h5(30, 4, values)))}
    answer = narrow.post("/api/v1/models", files=model)
    assert answer.status_code == 201, answer.text


def test_a_model_that_would_pass_its_process_s_limit_is_refused(narrow: TestClient) -> None:
    values = np.random.default_rng(1).random((5000, 5000), dtype=np.float32)
    model = {"files": ("m.h5", io.BytesIO(model_h5(5000, 5000, values)))}
    answer = narrow.post("/api/v1/models", files=model)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["code"] in ("model.too_large", "size.memory")


def test_the_budget_is_half_of_the_machine_unless_said() -> None:
    assert Settings().memory == half_of_memory() > 2**28
