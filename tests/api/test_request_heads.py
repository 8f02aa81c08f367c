"""What a request's head brings is bounded, and read without taking longer than it is long."""

from __future__ import annotations

from http import cookies
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from potluck_coordinator.api import pages
from potluck_coordinator.api.cookies import COOKIE, MOST_CHARACTERS, cookie_of, only_ours
from potluck_coordinator.api.request_heads import (
    LONGEST_ADDRESS,
    MOST_HEADER_BYTES,
    MOST_HEADERS,
)
from potluck_coordinator.app import create_app
from potluck_coordinator.settings import Settings
from tests.api.test_bad_input import assert_refused
from tests.support.fresh import fresh

QUOTED = '"' + "\\" * 3000 + '"'


def connection(*headers: str) -> HTTPConnection:
    given = [(b"cookie", header.encode("latin-1")) for header in headers]
    return HTTPConnection({"type": "http", "headers": given})


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([f"{COOKIE}=abc-_.9"], "abc-_.9"),
        ([f"a=b; {COOKIE} = abc ;c"], "abc"),
        ([f"{COOKIE}=old", f"{COOKIE}=new"], "new"),
        (["a=b"], None),
        ([], None),
        ([COOKIE], None),
        ([f"{COOKIE}="], None),
        ([f"x{COOKIE}=abc"], None),
        ([f'{COOKIE}="abc"'], None),
        ([f"{COOKIE}={QUOTED}"], None),
        ([f"{COOKIE}=\xff"], None),
        ([f"{COOKIE}={'a' * 5000}"], None),
        ([f"{COOKIE}=abc", "a" * MOST_CHARACTERS], None),
    ],
)
def test_a_cookie_of_ours_is_plain(headers: list[str], value: str | None) -> None:
    assert cookie_of(connection(*headers), COOKIE) == value


def test_of_a_requests_cookies_ours_are_kept() -> None:
    headers = [(b"host", b"a"), (b"cookie", f"a=b; {COOKIE}=c".encode()), (b"cookie", b"d=e")]
    assert only_ours(headers) == [(b"host", b"a"), (b"cookie", f"{COOKIE}=c".encode())]
    assert only_ours([*headers[:1], (b"cookie", QUOTED.encode())]) == headers[:1]
    assert only_ours(headers[:1]) == headers[:1]


def test_no_cookie_of_a_stranger_is_unquoted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    unquote = cookies._unquote

    def plain(word: str) -> str:
        assert "\\" not in word
        return str(unquote(word))

    monkeypatch.setattr(cookies, "_unquote", plain)
    monkeypatch.delitem(client.headers, "Authorization")
    headers = {"Cookie": f"{COOKIE}={QUOTED}; potluck_visitor={QUOTED}; potluck_groups={QUOTED}"}
    for method, address in (
        ("GET", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
        ("GET", "/api/v1/studies"),
        ("GET", "/api/v1/donor/groups"),
        ("GET", "/studies/st_1"),
        ("POST", "/api/v1/models"),
    ):
        assert client.request(method, address, headers=headers).status_code < 500
    with client.websocket_connect("/api/v1/donor/socket", headers=headers) as socket:
        socket.send_text("{}")
        assert socket.receive_json()["type"] == "problem"


LONG: dict[str, tuple[str, dict[str, str]]] = {
    "path": ("/" + "a/" * (LONGEST_ADDRESS // 2), {}),
    "query": ("/api/v1/status?" + "a&" * (LONGEST_ADDRESS // 2), {}),
    "header": ("/api/v1/status", {"X-A": "a" * MOST_HEADER_BYTES}),
    "cookie": ("/api/v1/status", {"Cookie": "a" * MOST_HEADER_BYTES}),
    "headers": ("/api/v1/status", {f"X-{i}": "" for i in range(MOST_HEADERS)}),
}


@pytest.mark.parametrize("what", LONG)
def test_a_head_that_is_too_long_is_refused(client: TestClient, what: str) -> None:
    address, headers = LONG[what]
    assert_refused(client.get(address, headers=headers), "request.head", 431)
    socket = address.replace("/api/v1/status", "/api/v1/donor/socket")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(socket, headers=headers):
        pass


def test_no_address_of_many_parts_reaches_the_file_system(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_given: Any, **_named: Any) -> Any:
        raise AssertionError

    index = pages.STATIC / "index.html"
    monkeypatch.setattr(Path, "resolve", never)
    monkeypatch.setattr(Path, "is_file", lambda path: path == index or never())
    for path in ("a/" * 2000, "a/" * 3 + "b", "..%2f" * 3, ".hidden", "a" * 300, "a%0ab", "ä"):
        answer = client.get(f"/{path}")
        assert answer.status_code in (404, 503), path


def test_many_ranges_are_no_range(client: TestClient) -> None:
    path = next((pages.STATIC / "assets").glob("*.js"))
    address, whole = f"/assets/{path.name}", path.read_bytes()
    many = "bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(1000))
    for asked in (many, "bytes=0-1,3-4", "bytes=" + "0" * 100 + "-1"):
        answer = client.get(address, headers={"Range": asked})
        assert (answer.status_code, len(answer.content)) == (200, len(whole))
    one = client.get(address, headers={"Range": "bytes=2-5"})
    assert (one.status_code, one.content) == (206, whole[2:6])


def test_what_may_be_asked_of_a_page_names_head(client: TestClient) -> None:
    for address in ("/studies", "/nothing/here", "/api/v1/status"):
        answer = client.put(address)
        assert_method(answer, {"GET", "HEAD"})


def assert_method(answer: Any, allowed: set[str]) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "address.method")
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_a_sign_in_over_https_goes_over_https_alone(tmp_path: Path) -> None:
    settings = Settings(data=fresh(tmp_path), allowed_hosts=("testserver",), workers=1)
    app = create_app(settings)
    with TestClient(app, base_url="https://testserver") as closed:
        token = app.state.admin_token
        made = closed.post("/api/v1/session", json={"token": token})
        assert "; secure" in made.headers["set-cookie"].lower()
        closed.headers["X-Potluck-CSRF"] = made.json()["csrf"]
        gone = closed.delete("/api/v1/session").headers["set-cookie"].lower()
        assert "max-age=0" in gone
        assert "; secure" in gone
        assert closed.get("/api/v1/session").json()["signed_in"] is False
    with TestClient(create_app(settings)) as plain:
        made = plain.post("/api/v1/session", json={"token": token})
        assert "secure" not in made.headers["set-cookie"].lower()
