"""A specification written by hand: wrong types are refused, and near words are understood."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import spec


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"trials": "10"}, "trials"),
        ({"trials": True}, "trials"),
        ({"trials": 2.5}, "trials"),
        ({"rungs": [True]}, "rungs.0"),
        ({"rungs": ["10"]}, "rungs.0"),
        ({"name": 2024}, "name"),
        ({"rows_are_public": "yes"}, "rows_are_public"),
        ({"seed": "1"}, "seed"),
    ],
)
def test_a_value_of_another_type_is_refused(
    client: TestClient, model_id: str, iris_id: str, changes: dict[str, Any], where: str
) -> None:
    answer = client.post("/api/v1/studies", json=spec(model_id, iris_id) | changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["where"] == where


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"objective": {"metric": "auc"}}, "Did you mean 'roc_auc'?"),
        ({"objective": {"direction": "max"}}, "Did you mean 'maximize'?"),
        ({"loss": "mse"}, "Did you mean 'mean_squared_error'?"),
        ({"parameters": {"lr": {"kind": "fixed", "value": 0.1}}}, "Did you mean 'learning_rate'?"),
        ({"parameters": {"optimizer": {"kind": "fixed", "value": "Adam"}}}, "mean 'adam'?"),
    ],
)
def test_a_word_that_is_near_is_guessed(
    client: TestClient, model_id: str, iris_id: str, changes: dict[str, Any], hint: str
) -> None:
    answer = client.post("/api/v1/studies", json=spec(model_id, iris_id) | changes)
    assert answer.status_code in (400, 422), answer.text
    assert hint in answer.json()["error"]["hint"]
