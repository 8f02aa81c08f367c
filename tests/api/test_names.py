"""Names that nobody could read or tell apart are refused wherever a name can be given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.settings import Settings
from tests.api.conftest import spec, stored_files, upload_data, upload_model
from tests.api.test_bad_input import assert_refused, tfjs_files
from tests.support.fresh import fresh
from tests.support.keras_files import dense_h5

BAD = {
    "blanks": (" \u3000\u200b", "name.blank"),
    "a new line": ("a\nb", "name.characters"),
    "an escape": ("\x1b[31m", "name.characters"),
    "a turn of direction": ("a\u202eb", "name.characters"),
    "too many": ("x" * 121, "name.too_long"),
}
TABLE = b"a,b\n1,2\n3,4\n5,6\n"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give a coordinator's admin."""
    data = tmp_path_factory.mktemp("closed")
    settings = Settings(data=fresh(data), allowed_hosts=("testserver",), workers=1)
    with TestClient(create_app(settings)) as found:
        found.headers["Authorization"] = f"Bearer {found.app.state.admin_token}"  # type: ignore[attr-defined]
        yield found


@pytest.mark.parametrize("what", BAD)
def test_uploads_of_such_a_name_are_refused(client: TestClient, what: str) -> None:
    name, code = BAD[what]
    before = stored_files(client)
    data = client.post("/api/v1/datasets", files={"file": ("a.csv", TABLE)}, data={"name": name})
    assert_refused(data, code)
    model = client.post(
        "/api/v1/models", files=[("files", ("m.h5", dense_h5()))], data={"name": name}
    )
    assert_refused(model, code)
    assert stored_files(client) == before


@pytest.mark.parametrize("what", ["blanks", "a turn of direction"])
def test_files_of_such_a_name_are_refused(client: TestClient, what: str) -> None:
    name, code = BAD[what]
    before = stored_files(client)
    assert_refused(upload_data(client, TABLE, name), code)
    assert_refused(upload_model(client, dense_h5(), name), code)
    assert stored_files(client) == before


@pytest.mark.parametrize("what", [what for what in BAD if what != "too many"])
def test_studies_of_such_a_name_are_refused(
    client: TestClient, model_id: str, iris_id: str, what: str
) -> None:
    name, code = BAD[what]
    for address in ("/api/v1/studies", "/api/v1/studies/plan"):
        answer = client.post(address, json=spec(model_id, iris_id, name=name))
        assert_refused(answer, code)
    if code == "name.characters" and "\n" not in name:
        answer = client.post(
            "/api/v1/studies", json=spec(model_id, iris_id, description=f"Why: {name}")
        )
        assert_refused(answer, code)
    assert client.get("/api/v1/studies").json() == []


@pytest.mark.parametrize("what", [what for what in BAD if what != "too many"])
def test_accounts_of_such_a_name_are_refused(closed: TestClient, what: str) -> None:
    name, code = BAD[what]
    assert_refused(closed.post("/api/v1/tokens", json={"name": name}), code)


@pytest.mark.parametrize("name", ["anyone", "Anyone", "\u0430nyone", "any\u200bone", "any0ne"])
def test_no_account_looks_like_those_who_have_none(closed: TestClient, name: str) -> None:
    answer = closed.post("/api/v1/tokens", json={"name": name})
    assert_refused(answer, "access.name_reserved")


def test_no_account_looks_like_another(closed: TestClient) -> None:
    assert closed.post("/api/v1/tokens", json={"name": " berta "}).json()["name"] == "berta"
    for name in ("Berta", "bert\u0430", "\u0430dmin", "Admin"):
        answer = closed.post("/api/v1/tokens", json={"name": name})
        assert_refused(answer, "access.name_taken", 409)


def test_a_tfjs_model_is_not_named_after_its_shards(client: TestClient, model_id: str) -> None:
    files = tfjs_files(client, model_id)
    assert min(files) != "model.json"
    found = client.post(
        "/api/v1/models",
        files=[("files", (name, data)) for name, data in files.items()],
        headers={"Authorization": ""},
    )
    assert found.status_code in (200, 201), found.text
    assert found.json()["name"] == "model.json"
