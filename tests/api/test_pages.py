"""The pages' addresses and the headers that keep them to themselves."""

from __future__ import annotations

import re

import pytest
from httpx2 import Headers
from starlette.testclient import TestClient

from potluck_coordinator.api.pages import PAGES, STATIC
from tests.api.conftest import spec

PERSON = "text/html,application/xhtml+xml,*/*;q=0.8"
"""What a browser accepts of an address."""


def secured(headers: Headers) -> bool:
    return "frame-ancestors 'none'" in headers.get("content-security-policy", "") and (
        headers.get("x-content-type-options") == "nosniff"
    )


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for address in ("/", "/donate", "/api/v1/status", "/healthz", "/nothing.js"):
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self' 'wasm-unsafe-eval';" in policy
        assert "unsafe-inline" not in policy
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-embedder-policy"] == "require-corp"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_only_the_engines_worker_may_start_blob_workers(client: TestClient) -> None:
    page = client.get("/donate").headers["content-security-policy"]
    worker = client.get("/assets/worker-x.js").headers["content-security-policy"]
    assert "blob:;" not in page.split("worker-src")[1].split(";")[0] + ";"
    assert "worker-src 'self' blob:" in worker


def test_a_page_is_served_for_every_page_address(client: TestClient) -> None:
    for address in ("/", "/donate", "/studies", "/studies/new", "/models", "/account/"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("address", ["/nowhere", "/studies/st_123", "/studies/a/b", "/models/m_1"])
def test_the_page_of_nothing_is_told_with_404(client: TestClient, address: str) -> None:
    answer = client.get(address, headers={"Accept": PERSON})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert secured(answer.headers)


def test_every_page_of_the_client_is_known_here() -> None:
    table = (STATIC.parents[2] / "client_web/src/pages/App.svelte").read_text()
    patterns = re.findall(r'pattern: "/([^"]*)"', table)
    plain = {tuple(filter(None, found.split("/"))) for found in patterns if "{" not in found}
    assert plain == PAGES
    named = {found for found in patterns if "{" in found}
    assert named == {"studies/{id}", "models/{id}", "join/{code}"}


def test_the_page_of_a_study_that_is_there_is_found(
    client: TestClient, model_id: str, iris_id: str
) -> None:
    study = client.post("/api/v1/studies", json=spec(model_id, iris_id)).json()
    assert client.get(f"/studies/{study['id']}").status_code == 200
    assert client.get(f"/models/{model_id}").status_code == 200


def test_no_file_outside_the_pages_is_served(client: TestClient) -> None:
    for address in ("/../pyproject.toml", "/%2e%2e/app.py", "/..%2f..%2fpyproject.toml"):
        assert client.get(address).status_code == 404


def test_unknown_api_addresses_are_errors_not_pages(client: TestClient) -> None:
    answer = client.get("/api/v1/nope")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "address.not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/robots.txt",
        "/.env",
        "/.git/config",
        "/foo.json",
        "/wp-login.php",
        "/administrator",
        "/nowhere/at/all",
        "/favicon.ico",
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "application/openmetrics-text", ""])
def test_a_program_that_asks_for_no_page_gets_no_page(
    client: TestClient, path: str, accept: str
) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "address.not_found"


@pytest.mark.parametrize("path", ["/metrics", "/.git/config", "/administrator"])
def test_a_person_there_gets_the_page_that_says_so(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": PERSON})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path", ["/studies/%ff", "/studies/%00", "/models/%ed%a0%80", "/%ff", "/%c3", "/a%00.js"]
)
def test_an_address_that_is_no_text_is_plainly_not_found(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": PERSON})
    assert answer.status_code == 404
    assert "Nothing at this address" in answer.text
    assert "<script" not in answer.text
    assert secured(answer.headers)
    program = client.get(path)
    assert program.status_code == 404
    assert program.json()["error"]["code"] == "address.not_found"


def test_head_is_answered_like_get_without_a_body(
    client: TestClient, model_id: str, iris_id: str
) -> None:
    study = client.post("/api/v1/studies", json=spec(model_id, iris_id)).json()["id"]
    script = next((STATIC / "assets").glob("*.js")).name
    found = client.get("/api/openapi.json").json()["paths"]
    named = {"{study_id}": study, "{model_id}": model_id, "{dataset_id}": iris_id, "{number}": "0"}
    addresses = ["/", "/donate", "/nowhere", "/healthz", f"/assets/{script}", "/api/openapi.json"]
    for path, methods in found.items():
        for name, value in named.items():
            path = path.replace(name, value)
        if "get" in methods and not path.endswith("/events"):
            addresses.append(path.replace("{sha}", "0" * 64))
    for address in addresses:
        got, head = client.get(address), client.head(address)
        assert (head.status_code, head.content) == (got.status_code, b""), address
        for header in ("content-type", "content-length", "cache-control", "etag"):
            assert head.headers.get(header) == got.headers.get(header), (address, header)
    live = client.head(f"/api/v1/studies/{study}/events")
    assert live.status_code == 200
    assert live.headers["content-type"].startswith("text/event-stream")
    only_post = client.head("/api/v1/studies/plan")
    assert only_post.status_code in (404, 405)
    client.delete(f"/api/v1/studies/{study}")


def test_a_method_that_an_address_lacks_is_told_those_it_has(client: TestClient) -> None:
    answer = client.put("/api/v1/tokens")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_what_is_told_to_one_person_is_kept_by_nobody(
    client: TestClient, model_id: str, iris_id: str
) -> None:
    for address in (
        "/api/v1/session",
        "/api/v1/models",
        f"/api/v1/models/{model_id}",
        f"/api/v1/datasets/{iris_id}",
        "/api/v1/studies",
        "/api/v1/studies/none",
        "/api/v1/nowhere",
    ):
        assert client.get(address).headers["cache-control"] == "no-store", address
    assert client.get("/donate").headers["cache-control"] == "no-cache"
    script = next((STATIC / "assets").glob("*.js")).name
    assert "immutable" in client.get(f"/assets/{script}").headers["cache-control"]


def test_pages_ask_for_nothing_of_the_machine_but_to_stay_awake(client: TestClient) -> None:
    policy = client.get("/donate").headers["permissions-policy"].split(", ")
    assert {part for part in policy if not part.endswith("=()")} == {"screen-wake-lock=(self)"}
    assert {"camera=()", "microphone=()", "geolocation=()", "usb=()"} <= set(policy)
    sources = (STATIC.parents[2] / "client_web/src").rglob("*.ts")
    used = "".join(source.read_text() for source in sources)
    for word in ("getUserMedia", "geolocation", "navigator.clipboard", "requestFullscreen"):
        assert word not in used


def test_only_https_is_told_to_stay_https(client: TestClient) -> None:
    def told(address: str) -> str | None:
        headers = TestClient(client.app, base_url=address).get("/api/v1/status").headers
        return headers.get("strict-transport-security")

    assert told("https://testserver") == "max-age=31536000"
    assert told("http://testserver") is None
    assert told("https://localhost") is None  # other programs of this machine have this name too


@pytest.mark.parametrize("path", ["/%00", "/a%00.js", "/" + "a" * 5000, "/assets/" + "b" * 300])
def test_an_address_that_no_file_can_have_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "address.not_found"


def test_the_answer_to_an_unexpected_error_carries_the_headers_too(client: TestClient) -> None:
    def fail() -> None:
        raise RuntimeError("nobody expected this")

    client.app.add_api_route("/fails", fail, methods=["POST"])  # type: ignore[attr-defined]
    answer = TestClient(client.app, raise_server_exceptions=False).post("/fails")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert secured(answer.headers)


def test_the_hint_of_a_bad_request_names_an_address_that_exists(client: TestClient) -> None:
    hint = client.post("/api/v1/studies", json={}).json()["error"]["hint"]
    address = next(word for word in hint.split() if word.startswith("/"))
    assert client.get(address).status_code == 200


def test_built_files_come_packed_to_those_who_read_that(client: TestClient) -> None:
    largest = max((STATIC / "assets").glob("*.js"), key=lambda path: path.stat().st_size)
    address = f"/assets/{largest.name}"
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content == largest.read_bytes()
    assert int(packed.headers["content-length"]) < 0.5 * int(plain.headers["content-length"])
    for answer in (packed, plain):
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["vary"] == "Accept-Encoding"
    part = client.get(address, headers={"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, largest.read_bytes()[:10])
    wasm = next((STATIC / "assets").glob("*.wasm"))
    answer = client.get(f"/assets/{wasm.name}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-type"] == "application/wasm"


def test_the_page_of_a_groups_link_tells_nobody_whether_the_code_is_right(
    client: TestClient,
) -> None:
    group = client.post("/api/v1/groups", json={"name": "Lab 3"}).json()
    answers = [client.get(f"/join/{code}") for code in (group["code"], "guess")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert client.get("/join").status_code == 404
