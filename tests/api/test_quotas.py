"""What an account, a visitor and all visitors together may keep and have under way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage.artifacts import ArtifactStore
from tests.api.conftest import spec, stored_files, upload_data, upload_model
from tests.support.fresh import fresh
from tests.support.visiting import bearer

ROWS = b"".join(b"%d,%d,%s\n" % (i, i * i, b"xy"[i % 2 :][:1]) for i in range(40))
CSV = b"a,b,label\n" + ROWS
OTHER = b"c,d,label\n" + ROWS
Start = Callable[..., TestClient]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a coordinator, and gives a client of a new visitor's on it."""
    with ExitStack() as stack:

        def begin(**settings: Any) -> TestClient:
            given: dict[str, Any] = {"open": True, "workers": 1, **settings}
            app = create_app(Settings(data=fresh(tmp_path), allowed_hosts=("testserver",), **given))
            first = stack.enter_context(TestClient(app))  # its lifespan is the coordinator's
            app.state.portal = first.portal
            return another(app)

        yield begin


def another(app: Any, address: str = "192.0.2.1") -> TestClient:
    """Give a client at an address with a new visitor's key."""
    return known(app, bearer(new_visitor_key(secrets.token_bytes(32))), address)


def known(app: Any, headers: dict[str, str], address: str = "192.0.2.1") -> TestClient:
    """Give a client whose requests run in the coordinator's own loop, as its jobs do."""
    client = TestClient(app, headers=headers, client=(address, 1))
    client.portal = app.state.portal
    return client


def admin(client: TestClient) -> TestClient:
    app: Any = client.app
    return known(app, bearer(app.state.admin_token))


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_more_bytes_than_may_be_kept_are_refused_and_nothing_of_them_stays(start: Start) -> None:
    client = start(quota_bytes=len(CSV) + 100)
    kept = upload_data(client, CSV)
    assert kept.status_code == 201, kept.text
    before = stored_files(client)
    refused = upload_data(client, OTHER)
    assert refusal(refused) == (409, "quota.bytes")
    detail = refused.json()["error"]
    assert "kept" in detail["got"]
    assert "data.csv" in detail["hint"]
    assert refusal(upload_model(client)) == (409, "quota.bytes")
    assert stored_files(client) == before
    assert upload_data(client, CSV).status_code == 200  # what is there already
    assert client.delete(f"/api/v1/datasets/{kept.json()['id']}").status_code == 204
    assert upload_data(client, OTHER).status_code == 201


def test_models_count_with_their_weights(start: Start) -> None:
    client = start(quota_bytes=3_000)
    assert upload_model(client).status_code == 201
    assert refusal(upload_data(client, OTHER * 5)) == (409, "quota.bytes")


def fit(client: TestClient, model: str, width: int) -> Any:
    return client.post(f"/api/v1/models/{model}/fitted", json={"width": width})


def test_a_fitted_model_counts_and_one_too_many_leaves_nothing(start: Start) -> None:
    client = start(quota_bytes=60_000)
    model = upload_model(client).json()["id"]
    before = stored_files(client)
    assert refusal(fit(client, model, 2_000)) == (409, "quota.bytes")
    assert stored_files(client) == before
    assert fit(client, model, 7).status_code == 201


def test_what_is_made_here_needs_room_on_the_disk(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()
    app: Any = client.app
    model = upload_model(client).json()["id"]
    before = stored_files(client)
    monkeypatch.setattr(app.state.site.settings, "disk_floor", 2**62)
    for answer in (fit(client, model, 7), client.post("/api/v1/datasets/bundled/iris")):
        assert refusal(answer) == (507, "disk.full")
    assert stored_files(client) == before
    assert app.state.site.incoming.bytes == 0


def test_a_fitted_models_weights_do_not_pass_through_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()
    model = upload_model(client).json()["id"]

    def held(*_: object) -> None:
        raise AssertionError("an artifact was held in the server's memory")

    monkeypatch.setattr(ArtifactStore, "get", held)
    monkeypatch.setattr(ArtifactStore, "put", held)
    monkeypatch.setattr(ArtifactStore, "put_sync", held)
    assert fit(client, model, 7).status_code == 201


def test_new_keys_do_not_get_round_what_visitors_may_keep_together(start: Start) -> None:
    client = start(visitors_bytes=len(CSV) + 100, visitors_share=1)
    assert upload_data(client, CSV).status_code == 201
    refused = upload_data(another(client.app), OTHER)
    assert refusal(refused) == (409, "quota.bytes")
    assert "All visitors together" in refused.json()["error"]["message"]
    assert "data.csv" not in refused.text
    made = admin(client).post("/api/v1/tokens", json={"name": "Ada"}).json()
    ada = known(client.app, bearer(made["token"]))
    assert upload_data(ada, OTHER).status_code == 201


def test_admins_have_no_quota_unless_the_operator_says_so(start: Start) -> None:
    client = start(quota_bytes=10)
    assert upload_data(admin(client), CSV).status_code == 201


def test_admins_have_a_quota_where_the_operator_says_so(start: Start) -> None:
    client = start(quota_bytes=10, quota_admins=True)
    assert refusal(upload_data(admin(client), CSV)) == (409, "quota.bytes")


def _study(client: TestClient, **changes: Any) -> Any:
    iris = client.post("/api/v1/datasets/bundled/iris").json()["id"]
    model = upload_model(client).json()["id"]
    return client.post("/api/v1/studies", json=spec(model, iris, **changes))


def test_studies_that_run_are_counted_until_they_end(start: Start) -> None:
    client = start(quota_studies=1)
    first = _study(client)
    assert first.status_code == 201, first.text
    assert refusal(_study(client)) == (409, "quota.studies")
    address = f"/api/v1/studies/{first.json()['id']}"
    assert client.post(f"{address}/stop").is_success
    second = _study(client)
    assert second.status_code == 201, second.text
    assert refusal(client.post(f"{address}/resume")) == (409, "quota.studies")
    assert another(client.app).get("/api/v1/studies").is_success


def test_units_of_running_studies_are_counted_and_so_are_added_trials(start: Start) -> None:
    client = start(quota_units=8)
    rate = {"kind": "float", "low": 0.001, "high": 0.1}
    made = _study(client, parameters={"learning_rate": rate})  # two trials of two rungs
    assert made.status_code == 201, made.text
    refused = _study(client, parameters={"learning_rate": rate}, trials=3)
    assert refusal(refused) == (409, "quota.units")
    address = f"/api/v1/studies/{made.json()['id']}"
    assert client.post(f"{address}/extend", json={"trials": 2}).is_success
    assert refusal(client.post(f"{address}/extend", json={"trials": 1})) == (409, "quota.units")


def test_uploads_end_before_the_disk_is_full(start: Start) -> None:
    client = start(disk_floor=2**62)
    for answer in (upload_data(client, CSV), upload_model(client)):
        assert refusal(answer) == (507, "disk.full")
        assert "free" in answer.json()["error"]["got"]
    assert client.get("/api/v1/status").is_success


NEAR = ("2001:db8:0:7::1", "2001:db8:0:7:aaaa::2")
"""One network's addresses."""
FAR = "2001:db8:0:8::1"


def from_network(answer: Any) -> str:
    """Give the code of a refusal that is the network's, and tells of nobody else's things."""
    status, code = refusal(answer)
    assert status == 409
    assert "visitors of your network together" in answer.json()["error"]["message"]
    assert "Irises" not in answer.text
    assert "data.csv" not in answer.text
    return code


def test_the_visitors_of_one_network_keep_a_share_of_what_all_may(start: Start) -> None:
    app = start(visitors_bytes=5 * (len(CSV) + 100)).app
    first = another(app, NEAR[0])
    kept = upload_data(first, CSV)
    assert kept.status_code == 201
    for refused in (upload_data(another(app, NEAR[1]), OTHER), upload_model(first)):
        assert from_network(refused) == "quota.bytes"
    assert upload_data(another(app, FAR), OTHER).status_code == 201
    assert first.delete(f"/api/v1/datasets/{kept.json()['id']}").status_code == 204
    assert upload_data(another(app, NEAR[1]), OTHER).status_code == 201


def test_the_visitors_of_one_network_run_a_share_of_the_units(start: Start) -> None:
    app = start(visitors_units=20).app  # four each: the two trials of a study, of two rungs
    first, second = another(app, NEAR[0]), another(app, NEAR[1])
    rate = {"learning_rate": {"kind": "float", "low": 0.001, "high": 0.1}}
    made = _study(first, parameters=rate)
    assert made.status_code == 201, made.text
    address = f"/api/v1/studies/{made.json()['id']}"
    assert from_network(_study(second, parameters=rate)) == "quota.units"
    # Nor does its submitter get round it from elsewhere, where it runs already.
    elsewhere = known(app, dict(first.headers), FAR)
    for one in (first, elsewhere):
        assert from_network(one.post(f"{address}/extend", json={"trials": 1})) == "quota.units"
    assert _study(another(app, FAR), parameters=rate).status_code == 201
    assert first.post(f"{address}/stop").is_success
    assert _study(second, parameters=rate).status_code == 201
    assert from_network(first.post(f"{address}/resume")) == "quota.units"
    assert admin(first).post(f"{address}/resume").is_success


def test_the_visitors_of_one_network_run_a_share_of_the_studies(start: Start) -> None:
    app = start(visitors_studies=5).app
    first = another(app, NEAR[0])
    made = _study(first)
    assert made.status_code == 201
    assert from_network(_study(another(app, NEAR[1]))) == "quota.studies"
    assert _study(another(app, FAR)).status_code == 201
    assert first.delete(f"/api/v1/studies/{made.json()['id']}").status_code == 204
    assert _study(another(app, NEAR[1])).status_code == 201


def test_accounts_have_no_share(start: Start) -> None:
    client = start(visitors_studies=5)
    made = admin(client).post("/api/v1/tokens", json={"name": "Ada"}).json()
    ada = known(client.app, bearer(made["token"]), NEAR[0])
    assert [_study(ada).status_code for _ in range(2)] == [201, 201]
