"""The pages' addresses and the headers that keep them to themselves."""

from __future__ import annotations

from starlette.testclient import TestClient


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
    for address in ("/", "/donate", "/studies/st_123", "/studies/new"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")


def test_no_file_outside_the_pages_is_served(client: TestClient) -> None:
    for address in ("/../pyproject.toml", "/%2e%2e/app.py", "/..%2f..%2fpyproject.toml"):
        assert client.get(address).status_code == 404


def test_unknown_api_addresses_are_errors_not_pages(client: TestClient) -> None:
    answer = client.get("/api/v1/nope")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "address.not_found"
