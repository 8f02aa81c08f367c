"""A token that may only donate opens nothing else, at whichever address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.settings import Settings
from tests.api.conftest import spec
from tests.support.fresh import fresh
from tests.support.keras_files import dense_h5

DONORS_ROUTES = {
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/session"),
    ("POST", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),
    ("GET", "/api/v1/donor/artifacts/{sha}"),
    ("PUT", "/api/v1/donor/artifacts/{sha}"),
    ("POST", "/api/v1/donor/abort"),
    ("GET", "/api/v1/donor/groups"),
    ("POST", "/api/v1/donor/groups/invitation"),
    ("POST", "/api/v1/donor/groups/join"),
    ("DELETE", "/api/v1/donor/groups/{group_id}"),
}
"""What a donor may ask: how things are, who it is; about its leases, and groups, by their keys."""
BODIES: tuple[dict[str, Any], ...] = ({}, {"json": {}}, {"files": {"files": ("m.h5", b"x")}})
REFUSED = (403, "access.donate_only")


@pytest.fixture(scope="module", params=["open", "closed"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """Give a coordinator, and the admin's client."""
    data: Path = tmp_path_factory.mktemp("data")
    settings = Settings(
        data=fresh(data), allowed_hosts=("testserver",), workers=1, open=request.param == "open"
    )
    with TestClient(create_app(settings)) as found:
        token = found.app.state.admin_token  # type: ignore[attr-defined]
        found.headers["Authorization"] = f"Bearer {token}"
        yield found


def donate_only(client: TestClient) -> str:
    """Give a token of the admin's that may only donate."""
    made = client.post("/api/v1/account/tokens", json={"name": "node", "scope": "donate"})
    assert made.status_code == 201, made.text
    return str(made.json()["token"])


def addresses(client: TestClient) -> list[tuple[str, str, str]]:
    """List every method and address of the API, with names that exist where they can."""
    files = [("files", ("m.h5", dense_h5()))]
    model = client.post("/api/v1/models", files=files).json()["id"]
    dataset = client.post("/api/v1/datasets/bundled/iris").json()["id"]
    study = client.post("/api/v1/studies", json=spec(model, dataset)).json()["id"]
    account = client.get("/api/v1/accounts").json()[0]["id"]
    named = {"study_id": study, "model_id": model, "dataset_id": dataset, "account_id": account}
    paths = client.get("/api/openapi.json").json()["paths"]
    return [
        (method.upper(), path, filled(path, named))
        for path, methods in paths.items()
        for method in methods
    ]


def filled(path: str, named: dict[str, str]) -> str:
    """Write names into an address."""
    return re.sub(r"{(\w+)}", lambda match: named.get(match[1], "0"), path)


def told(answer: Any) -> tuple[int, str]:
    """Give an answer's status and, of a refusal, its code."""
    return answer.status_code, answer.json()["error"]["code"] if answer.is_error else ""


@pytest.mark.parametrize("by", ["bearer", "session"])
def test_every_other_address_refuses_it(client: TestClient, by: str) -> None:
    places = addresses(client)
    assert len(places) > 40
    found = {(method, path) for method, path, _ in places}
    assert found >= DONORS_ROUTES
    donor = TestClient(client.app)
    secret = donate_only(client)
    if by == "session":
        session = donor.post("/api/v1/session", json={"token": secret}).json()
        assert (session["role"], session["may_submit"]) == ("donor", False)
        donor.headers["X-Potluck-CSRF"] = session["csrf"]
    else:
        donor.headers["Authorization"] = f"Bearer {secret}"
    for method, path, address in places:
        if (method, path) not in DONORS_ROUTES:
            for body in BODIES:
                answer = donor.request(method, address, **body)
                assert told(answer) == REFUSED, (method, address)
    for path in ("/studies", "/models/x"):
        assert donor.get(path, headers={"Accept": "text/html"}).status_code in (200, 404)


def test_it_says_who_it_is_and_how_the_coordinator_is(client: TestClient) -> None:
    donor = TestClient(client.app, headers={"Authorization": f"Bearer {donate_only(client)}"})
    session = donor.get("/api/v1/session").json()
    assert (session["signed_in"], session["role"], session["name"]) == (True, "donor", "admin")
    assert donor.get("/api/v1/status").status_code == 200
