"""What an account, a visitor and all visitors together may keep and have under way."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from potluck_converter import convert_into, render_isolated
from potluck_coordinator.app import create_app
from potluck_coordinator.core.quotas import Thing, Whose
from potluck_coordinator.core.visitors import new_visitor_key
from potluck_coordinator.services import collection, models, quotas, renderings
from potluck_coordinator.services.collection import collect
from potluck_coordinator.services.jobs import hash_of
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


def test_models_and_datasets_count_by_their_number_however_small_they_are(start: Start) -> None:
    client = start(quota_uploads=1, visitors_uploads=10)
    kept = upload_data(client, CSV)
    assert kept.status_code == 201
    for refused in (upload_data(client, OTHER), upload_model(client)):
        assert refusal(refused) == (409, "quota.uploads")
        assert "at most 1 models and datasets" in refused.json()["error"]["expected"]
    second = another(client.app)  # of the same network: two in all
    assert upload_data(second, OTHER).status_code == 201
    assert from_network(upload_data(another(client.app), CSV)) == "quota.uploads"
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


def test_a_conversion_holds_room_for_what_it_writes_and_for_the_copy_that_is_kept(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()
    site: Any = client.app.state.site  # type: ignore[attr-defined]
    held: dict[str, int] = {}
    put_file = ArtifactStore.put_file

    def converting(*given: Any) -> None:
        held["converting"] = site.incoming.bytes
        convert_into(*given)

    async def putting(store: ArtifactStore, path: Path) -> str:
        held[path.name] = site.incoming.bytes
        return await put_file(store, path)

    monkeypatch.setattr(models, "convert_into", converting)
    monkeypatch.setattr(ArtifactStore, "put_file", putting)
    made = upload_model(client)
    assert made.status_code == 201, made.text
    kept = sum(thing.size for thing in _things(client))
    assert held["converting"] >= max(kept, 2**20)
    assert held["weights.safetensors"] >= kept
    assert site.incoming.bytes == 0


def test_a_conversion_that_the_disk_has_no_room_for_leaves_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()
    site: Any = client.app.state.site  # type: ignore[attr-defined]
    before = stored_files(client)
    monkeypatch.setattr(models, "mostly_written", lambda *_: 2**62)
    assert refusal(upload_model(client)) == (507, "disk.full")
    assert stored_files(client) == before
    assert site.incoming.bytes == 0


def test_a_models_file_holds_room_while_it_is_written(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()
    site: Any = client.app.state.site  # type: ignore[attr-defined]
    model = upload_model(client).json()["id"]
    held: list[int] = []
    put_file = ArtifactStore.put_file

    def rendering(*given: Any) -> None:
        held.append(site.incoming.bytes)
        render_isolated(*given)

    async def putting(store: ArtifactStore, path: Path) -> str:
        held.append(site.incoming.bytes)
        return await put_file(store, path)

    monkeypatch.setattr(renderings, "render_isolated", rendering)
    monkeypatch.setattr(ArtifactStore, "put_file", putting)
    answer = client.get(f"/api/v1/models/{model}/file")
    assert answer.status_code == 200
    [writes, keeps] = held
    assert writes >= sum(thing.size for thing in _things(client))
    assert keeps >= len(answer.content)
    assert site.incoming.bytes == 0


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


def test_studies_count_until_they_are_deleted_in_whatever_state_they_are(start: Start) -> None:
    client = start(quota_kept_studies=2)
    made = [_study(client).json()["id"] for _ in range(2)]
    for study in made:
        assert client.post(f"/api/v1/studies/{study}/stop").is_success
    before = stored_files(client)
    refused = _study(client)
    assert refusal(refused) == (409, "quota.kept_studies")
    assert "those that ended included" in refused.json()["error"]["expected"]
    assert stored_files(client) == before
    assert client.post(f"/api/v1/studies/{made[0]}/resume").is_success  # it is counted already
    assert client.delete(f"/api/v1/studies/{made[1]}").status_code == 204
    assert _study(client).status_code == 201


def test_what_ended_studies_keep_in_the_database_counts_with_models_and_datasets(
    start: Start,
) -> None:
    client = start(quota_bytes=2**40)
    app: Any = client.app
    made = _study(client).json()["id"]
    assert client.post(f"/api/v1/studies/{made}/stop").is_success
    owner, kept = _kept(client, made)
    assert kept > 1_000
    app.state.site.settings.quota_bytes = _all_kept(client, owner) + kept // 2
    refused = _study(client)
    assert refusal(refused) == (409, "quota.bytes")
    assert "study “Irises”" in refused.json()["error"]["hint"]
    app.state.site.settings.quota_bytes = _all_kept(client, owner) + 10
    assert refusal(upload_data(client, CSV)) == (409, "quota.bytes")
    assert client.delete(f"/api/v1/studies/{made}").status_code == 204
    assert upload_data(client, CSV).status_code == 201


def _kept(client: TestClient, study: str) -> tuple[str, int]:
    """Give a study's owner, and what it takes of the database by what is in it."""
    data = client.app.state.site.settings.data  # type: ignore[attr-defined]
    with closing(sqlite3.connect(data / "potluck.sqlite3", timeout=30)) as database:
        query = "SELECT owner, kept_bytes, length(spec) + length(plan) + length(wire_plan) FROM "
        owner, kept, plans = database.execute(f"{query} study WHERE id = ?", [study]).fetchone()
        query = "SELECT length(rows) FROM sealed WHERE study_id = ?"
        rows = database.execute(query, [study]).fetchone()[0]
        query = "SELECT sum(length(train_rows) + length(held_rows) + length(encoder)) FROM part"
        parts = database.execute(f"{query} WHERE study_id = ?", [study]).fetchone()[0]
    assert kept == pytest.approx(plans + rows + parts, rel=0.3)
    return owner, kept


def _all_kept(client: TestClient, owner: str) -> int:
    return sum(thing.size for thing in _things(client, owner))


def _things(client: TestClient, owner: str | None = None) -> list[Thing]:
    """Give what an owner keeps, or all visitors do."""
    site: Any = client.app.state.site  # type: ignore[attr-defined]

    def look(tx: Any) -> list[Thing]:
        return list(quotas.kept_by(site, tx, Whose(owner)))

    return list(site.writer.read_sync(look))


def test_new_keys_do_not_get_round_how_many_studies_visitors_may_keep(start: Start) -> None:
    app = start(visitors_kept_studies=5).app
    first = another(app, NEAR[0])
    made = _study(first).json()["id"]
    assert first.post(f"/api/v1/studies/{made}/stop").is_success
    assert from_network(_study(another(app, NEAR[1]))) == "quota.kept_studies"
    assert _study(another(app, FAR)).status_code == 201
    assert first.delete(f"/api/v1/studies/{made}").status_code == 204
    assert _study(another(app, NEAR[1])).status_code == 201


def test_what_a_ledger_keeps_of_a_deleted_study_is_short(start: Start) -> None:
    client = start()
    words = {"description": "secret words " * 200}
    made = _study(client, **words)
    assert made.status_code == 201, made.text
    address = f"/api/v1/studies/{made.json()['id']}"
    spec_before = client.get(address).json()["spec"]
    assert client.delete(address).status_code == 204
    entries = client.get(f"{address}/ledger").json()["entries"]
    told = next(entry["body"] for entry in entries if entry["kind"] == "study")
    assert told["spec"] == hash_of(spec_before)
    assert len(json.dumps(told)) < 2_000
    assert "secret words" not in json.dumps(entries)
    assert "petal" not in json.dumps(entries)


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


def _group(client: TestClient, name: str) -> Any:
    return client.post("/api/v1/groups", json={"name": name})


def test_visitors_have_a_bounded_number_of_groups_together(start: Start) -> None:
    app = start(visitors_groups=5).app
    first = another(app, NEAR[0])
    made = _group(first, "one")
    assert made.status_code == 201, made.text
    assert from_network(_group(another(app, NEAR[1]), "two")) == "quota.groups"
    assert _group(another(app, FAR), "two").status_code == 201
    assert first.delete(f"/api/v1/groups/{made.json()['id']}").status_code == 204
    assert _group(another(app, NEAR[1]), "two").status_code == 201
    granted = admin(first).post("/api/v1/tokens", json={"name": "Ada"}).json()
    ada = known(app, bearer(granted["token"]), NEAR[1])
    assert [_group(ada, name).status_code for name in ("one", "two")] == [201, 201]


def test_a_visitors_group_that_nobody_uses_is_collected(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start()
    app: Any = client.app
    unused, joined = _group(client, "unused").json(), _group(client, "joined").json()
    body = {"code": joined["code"], "name": "a node"}
    assert client.post("/api/v1/donor/groups/join", json=body).status_code == 200
    kept = _group(admin(client), "the operator's").json()

    def listed() -> set[str]:
        return {group["id"] for group in admin(client).get("/api/v1/groups").json()}

    app.state.portal.call(collect, app.state.site)
    assert listed() == {unused["id"], joined["id"], kept["id"]}  # all are new
    monkeypatch.setattr(collection, "GROUP_SECONDS", -1.0)
    app.state.portal.call(collect, app.state.site)
    assert listed() == {joined["id"], kept["id"]}


def test_who_joins_and_leaves_again_and_again_leaves_no_keys_behind(start: Start) -> None:
    client = start()
    app: Any = client.app
    group = _group(client, "a lab").json()
    members = f"/api/v1/groups/{group['id']}/members"
    for _ in range(4):
        body = {"code": group["code"], "name": "a node"}
        assert client.post("/api/v1/donor/groups/join", json=body).status_code == 200
        [member] = client.get(members).json()
        assert client.delete(f"{members}/{member['id']}").status_code == 204
    data = app.state.site.settings.data
    with closing(sqlite3.connect(data / "potluck.sqlite3", timeout=30)) as database:
        query = "SELECT count(*) FROM access_token WHERE group_id = ?"
        assert database.execute(query, [group["id"]]).fetchone()[0] == 1


def test_accounts_have_no_share(start: Start) -> None:
    client = start(visitors_studies=5)
    made = admin(client).post("/api/v1/tokens", json={"name": "Ada"}).json()
    ada = known(client.app, bearer(made["token"]), NEAR[0])
    assert [_study(ada).status_code for _ in range(2)] == [201, 201]
