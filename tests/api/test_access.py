"""Who may do what: tokens, cookies, and other sites' pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from potluck_coordinator.api import artifacts
from potluck_coordinator.app import create_app
from potluck_coordinator.settings import Settings
from tests.api.conftest import spec, upload_model
from tests.support.fresh import fresh
from tests.support.keras_files import dense_h5
from tests.support.waiting import until


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give a coordinator on which submitting needs a token."""
    data = tmp_path_factory.mktemp("closed")
    settings = Settings(data=fresh(data), allowed_hosts=("testserver",), workers=1)
    with TestClient(create_app(settings)) as found:
        yield found


@pytest.fixture(autouse=True)
def no_cookies(closed: TestClient) -> Iterator[None]:
    """Begin and end every test signed out."""
    closed.cookies.clear()
    yield
    closed.cookies.clear()


def admin(closed: TestClient) -> str:
    """Give the token that was printed once at the first start."""
    token = closed.app.state.admin_token  # type: ignore[attr-defined]
    assert isinstance(token, str)
    return token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def new_submitter(closed: TestClient, name: str) -> dict[str, str]:
    """Have the admin make a submitter; give the headers to use."""
    answer = closed.post("/api/v1/tokens", json={"name": name}, headers=bearer(admin(closed)))
    assert answer.status_code == 201, answer.text
    return bearer(answer.json()["token"])


def submit(closed: TestClient, headers: dict[str, str], **changes: Any) -> str:
    """Make a study on the irises; give its id."""
    files = [("files", ("m.h5", dense_h5()))]
    model = closed.post("/api/v1/models", files=files, headers=headers).json()["id"]
    dataset = closed.post("/api/v1/datasets/bundled/iris", headers=headers).json()["id"]
    answer = closed.post("/api/v1/studies", json=spec(model, dataset, **changes), headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_submitting_needs_a_token_and_reading_does_not(closed: TestClient) -> None:
    assert code(upload_model(closed)) == (401, "access.token_needed")
    assert code(closed.post("/api/v1/datasets/bundled/iris")) == (401, "access.token_needed")
    assert closed.get("/api/v1/studies").status_code == 200
    assert closed.get("/api/v1/session").json()["may_submit"] is False


def test_an_unknown_token_is_refused(closed: TestClient) -> None:
    answer = closed.get("/api/v1/session", headers=bearer("potluck_nonsense"))
    assert code(answer) == (401, "access.token_unknown")
    assert code(closed.post("/api/v1/session", json={"token": "x"})) == (
        401,
        "access.token_unknown",
    )


def test_only_the_admin_makes_tokens_and_names_are_unique(closed: TestClient) -> None:
    ann = new_submitter(closed, "ann")
    body = {"name": "bob"}
    assert code(closed.post("/api/v1/tokens", json=body)) == (401, "access.token_needed")
    assert code(closed.post("/api/v1/tokens", json=body, headers=ann)) == (
        403,
        "access.admin_only",
    )
    again = closed.post("/api/v1/tokens", json={"name": "ann"}, headers=bearer(admin(closed)))
    assert code(again) == (409, "access.name_taken")


def test_tokens_are_kept_as_hashes(closed: TestClient) -> None:
    token = new_submitter(closed, "carl")["Authorization"].removeprefix("Bearer ")
    folder = closed.app.state.site.settings.data  # type: ignore[attr-defined]
    content = b"".join(p.read_bytes() for p in folder.glob("potluck.sqlite3*"))
    assert b"carl" in content
    assert token.encode() not in content


def test_a_browser_signs_in_by_cookie_and_changes_need_its_secret(closed: TestClient) -> None:
    answer = closed.post("/api/v1/session", json={"token": admin(closed)})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    csrf = answer.json()["csrf"]
    assert closed.get("/api/v1/session").json() == answer.json()
    assert code(upload_model(closed)) == (403, "access.csrf")
    closed.headers["X-Potluck-CSRF"] = csrf
    try:
        assert upload_model(closed).status_code == 201
        assert closed.delete("/api/v1/session").json()["signed_in"] is False
    finally:
        del closed.headers["X-Potluck-CSRF"]
    assert closed.get("/api/v1/session").json()["signed_in"] is False


def test_another_sites_page_changes_nothing(closed: TestClient) -> None:
    headers = {**bearer(admin(closed)), "Origin": "https://elsewhere.example"}
    answer = closed.post("/api/v1/datasets/bundled/iris", headers=headers)
    assert code(answer) == (403, "access.origin")
    own = {**bearer(admin(closed)), "Origin": "http://testserver"}
    assert closed.post("/api/v1/datasets/bundled/iris", headers=own).status_code == 201


def test_another_sites_page_opens_no_donor_socket(closed: TestClient) -> None:
    headers = {"Origin": "https://elsewhere.example"}
    with (
        pytest.raises(WebSocketDisconnect),
        closed.websocket_connect("/api/v1/donor/socket", headers=headers),
    ):
        pass


def test_a_private_study_is_its_submitters(closed: TestClient) -> None:
    dora, eve = new_submitter(closed, "dora"), new_submitter(closed, "eve")
    private = submit(closed, dora, visibility="private", name="Secret")
    public = submit(closed, dora, name="Open")
    address = f"/api/v1/studies/{private}"
    for who in ({}, eve):
        for part in ("", "/leaderboard", "/curves", "/ledger", "/best", "/trials/0", "/events"):
            assert code(closed.get(address + part, headers=who)) == (404, "study.not_found")
        assert private not in closed.get("/api/v1/studies", headers=who).text
    assert closed.get(address, headers=dora).json()["may_edit"] is True
    assert closed.get(address, headers=bearer(admin(closed))).status_code == 200
    seen = closed.get(f"/api/v1/studies/{public}", headers=eve)
    assert seen.json()["may_edit"] is False
    for act in ("stop", "resume"):
        answer = closed.post(f"/api/v1/studies/{public}/{act}", headers=eve)
        assert code(answer) == (403, "access.not_yours")
    assert code(closed.delete(f"/api/v1/studies/{public}", headers=eve)) == (
        403,
        "access.not_yours",
    )
    model = closed.get("/api/v1/models", headers=dora).json()[0]["id"]
    assert code(closed.get(f"/api/v1/models/{model}", headers=eve)) == (404, "model.not_found")
    assert closed.get("/api/v1/models", headers=eve).json() == []


def test_nobody_reads_artifacts_of_a_study_they_may_not_see(closed: TestClient) -> None:
    fred = new_submitter(closed, "fred")
    # The same bytes in a public study would be public: these are scaled as no other's here.
    study = submit(closed, fred, visibility="private", name="Mine", pipeline={"scaling": "minmax"})
    ledger = closed.get(f"/api/v1/studies/{study}/ledger", headers=fred).json()
    entry = next(e for e in ledger["entries"] if e["kind"] == "encoded")
    tensors = entry["body"]["parts"][0]["train"]
    address = f"/api/v1/artifacts/{tensors}"
    assert closed.get(address, headers=fred).status_code == 200
    assert closed.get(address).status_code == 404
    dataset = next(e for e in ledger["entries"] if e["kind"] == "dataset")["body"]["hash"]
    assert closed.get(f"/api/v1/artifacts/{dataset}").status_code == 404


def test_a_public_studys_tensors_and_predictions_stay_its_owners(closed: TestClient) -> None:
    gina = new_submitter(closed, "gina")
    study = submit(closed, gina, name="Folds", pipeline={"scaling": "none", "split": {"folds": 3}})

    def parts() -> list[dict[str, str]]:
        ledger = closed.get(f"/api/v1/studies/{study}/ledger").json()
        encoded = [e["body"]["parts"] for e in ledger["entries"] if e["kind"] == "encoded"]
        return [part for some in encoded for part in some]

    until(lambda: len(parts()) == 3, what="the folds' rows")
    for part in parts():
        # One fold's training rows are another fold's held rows: nobody gets them here unasked.
        assert closed.get(f"/api/v1/artifacts/{part['train']}").status_code == 404
        assert closed.get(f"/api/v1/artifacts/{part['train']}", headers=gina).status_code == 200
        assert closed.get(f"/api/v1/artifacts/{part['held']}", headers=gina).status_code == 404
    for place in ("best/predictions", "best/inputs.npz"):
        assert closed.get(f"/api/v1/studies/{study}/{place}").status_code in (403, 404)


@pytest.mark.parametrize("held", [artifacts.HELD, 4], ids=["whole", "in-pieces"])
def test_an_artifact_travels_as_gzip_in_ranges_and_only_once(
    closed: TestClient, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "HELD", held)
    hanna = new_submitter(closed, f"hanna-{held}")
    study = submit(closed, hanna, name="Travel", pipeline={"scaling": "standard"})
    ledger = closed.get(f"/api/v1/studies/{study}/ledger", headers=hanna).json()
    entry = next(e for e in ledger["entries"] if e["kind"] == "encoded")
    sha = entry["body"]["parts"][0]["train"]
    address = f"/api/v1/artifacts/{sha}"
    plain = closed.get(address, headers={**hanna, "Accept-Encoding": "identity"})
    packed = closed.get(address, headers={**hanna, "Accept-Encoding": "gzip"})
    assert hashlib.sha256(plain.content).hexdigest() == sha
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert packed.headers["content-encoding"] == "gzip"
    assert int(plain.headers["content-length"]) == len(plain.content)
    assert packed.num_bytes_downloaded < len(plain.content)
    part = closed.get(address, headers={**hanna, "Range": "bytes=8-15"})
    assert (part.status_code, part.content) == (206, plain.content[8:16])
    assert part.headers["content-length"] == "8"
    for answer in (plain, packed):
        again = closed.get(address, headers={**hanna, "If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


KEY = "potluck_visitor_" + "k" * 43


@pytest.mark.parametrize("key", [KEY, KEY[:-1], "potluck_visitor_"])
def test_a_visitors_key_counts_for_nothing_where_a_token_is_needed(
    closed: TestClient, key: str
) -> None:
    session = closed.get("/api/v1/session", headers=bearer(key))
    assert (session.json()["name"], session.json()["may_submit"]) == ("", False)
    refused = closed.post("/api/v1/datasets/bundled/iris", headers=bearer(key))
    assert code(refused) == (401, "access.token_needed")
    closed.cookies.set("potluck_visitor", key)
    session = closed.get("/api/v1/session")
    assert (session.json()["csrf"], session.json()["may_submit"]) == ("", False)
    assert "set-cookie" not in session.headers
    assert code(closed.post("/api/v1/datasets/bundled/iris")) == (401, "access.token_needed")


def test_a_coordinator_that_is_open_no_longer_heeds_no_key(tmp_path: Path) -> None:
    settings = Settings(data=fresh(tmp_path), allowed_hosts=("testserver",), workers=1, open=True)
    headers = bearer(KEY)
    with TestClient(create_app(settings)) as opened:
        study = submit(opened, headers)
        address = f"/api/v1/studies/{study}"
        assert opened.get(address, headers=headers).json()["may_edit"] is True
        token = admin(opened)
    shut = settings.model_copy(update={"open": False})
    with TestClient(create_app(shut)) as closed:
        assert closed.get(address, headers=headers).json()["may_edit"] is False
        assert code(closed.post(f"{address}/stop", headers=headers)) == (403, "access.not_yours")
        assert closed.get("/api/v1/models", headers=headers).json() == []
        assert closed.post(f"{address}/stop", headers=bearer(token)).status_code == 200


def test_a_key_goes_over_https_alone_where_it_was_given_over_https(tmp_path: Path) -> None:
    settings = Settings(data=fresh(tmp_path), allowed_hosts=("testserver",), workers=1, open=True)
    with TestClient(create_app(settings), base_url="https://testserver") as opened:
        assert "; secure" in opened.get("/api/v1/session").headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("site", "origin", "let_in"),
    [
        ("http://testserver", "http://testserver", True),
        ("http://testserver:80", "http://testserver", True),
        ("http://testserver:8000", "http://testserver:8000", True),
        ("http://testserver", "http://TestServer", True),
        ("http://testserver", "https://testserver", True),  # a proxy ended TLS before
        ("http://testserver:8000", "http://testserver:9000", False),
        ("http://testserver", "http://testserver.elsewhere.example", False),
        ("http://testserver", "ftp://testserver", False),
        ("http://testserver", "null", False),
        ("http://testserver", "", False),
        ("https://testserver", "https://testserver", True),
        ("https://testserver:443", "https://testserver", True),
        ("https://testserver", "http://testserver", False),
        ("https://testserver", "http://testserver:443", False),
    ],
)
def test_the_scheme_is_part_of_where_a_request_comes_from(
    closed: TestClient, site: str, origin: str, let_in: bool
) -> None:
    client = TestClient(closed.app, base_url=site)
    answer = client.post("/api/v1/session", json={"token": "x"}, headers={"Origin": origin})
    expected = (401, "access.token_unknown") if let_in else (403, "access.origin")
    assert code(answer) == expected


def test_a_site_that_is_known_to_be_https_hears_no_http_page(tmp_path: Path) -> None:
    settings = Settings(
        data=fresh(tmp_path), allowed_hosts=("testserver",), workers=1, secure_cookies=True
    )
    with TestClient(create_app(settings)) as behind_a_proxy:
        for origin, expected in (("http", "access.origin"), ("https", "access.token_unknown")):
            answer = behind_a_proxy.post(
                "/api/v1/session",
                json={"token": "x"},
                headers={"Origin": f"{origin}://testserver"},
            )
            assert answer.json()["error"]["code"] == expected


def test_a_socket_of_an_http_page_is_refused_by_an_https_site(closed: TestClient) -> None:
    secure = TestClient(closed.app, base_url="https://testserver")
    address = "wss://testserver/api/v1/donor/socket"
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        secure.websocket_connect(address, headers={"Origin": "http://testserver"}),
    ):
        pass
    assert caught.value.code == 4403
    with secure.websocket_connect(address, headers={"Origin": "https://testserver"}) as socket:
        socket.send_text("{}")
        assert socket.receive_json()["type"] == "problem"
