"""Lists are read a page at a time: models, datasets, groups, studies."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import upload_data, upload_model
from tests.support.keras_files import dense_h5


@pytest.fixture(scope="module", autouse=True)
def kept(client: TestClient) -> None:
    """Keep three of each kind."""
    for number, word in enumerate(("relu", "tanh", "sigmoid")):
        assert upload_model(client, dense_h5(activation=word)).status_code == 201
        assert upload_data(client, f"a,b\n{number},2\n3,4\n5,6\n".encode()).status_code == 201
        made = client.post("/api/v1/groups", json={"name": f"group {number}"})
        assert made.status_code == 201, made.text


@pytest.mark.parametrize("kind", ["models", "datasets", "groups"])
def test_pages_are_the_whole_list(client: TestClient, kind: str) -> None:
    address = f"/api/v1/{kind}"
    whole = client.get(address).json()
    assert len(whole) == 3
    read: list[object] = []
    while page := client.get(address, params={"limit": 2, "offset": len(read)}).json():
        assert len(page) <= 2
        read += page
    assert read == whole


@pytest.mark.parametrize("kind", ["models", "datasets", "groups", "studies"])
@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 501}, {"offset": -1}, {"offset": 2**31}, {"limit": "all"}]
)
def test_a_page_has_bounds(client: TestClient, kind: str, query: dict[str, object]) -> None:
    answer = client.get(f"/api/v1/{kind}", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "request.invalid"


def test_one_is_told_as_it_is_in_the_list(client: TestClient) -> None:
    for kind in ("models", "datasets"):
        for one in client.get(f"/api/v1/{kind}").json():
            answer = client.get(f"/api/v1/{kind}/{one['id']}")
            assert answer.headers["content-type"] == "application/json"
            assert answer.json() == one
