"""Bodies are counted as they come, and not read at all for those who may not send them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from starlette.testclient import TestClient

from potluck_coordinator.app import create_app
from potluck_coordinator.settings import Settings
from tests.api.conftest import SMALL
from tests.support.fresh import fresh

PIECE = 64 * 1024
FORM = b"multipart/form-data; boundary=x"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Give a coordinator on which submitting needs a token."""
    data = tmp_path_factory.mktemp("closed")
    settings = Settings(data=fresh(data), allowed_hosts=("testserver",), workers=1)
    with TestClient(create_app(settings)) as found:
        yield found


class Endless:
    """A sender that never ends; it counts how often it was asked for more."""

    def __init__(self, first: bytes = b"") -> None:
        self.asked = 0
        self._first = first

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        body = self._first if self.asked == 1 else bytes(PIECE)
        return {"type": "http.request", "body": body, "more_body": True}


def stream(
    client: TestClient, path: str, sender: Endless, *headers: tuple[bytes, bytes]
) -> tuple[int, str]:
    """POST an endless body without a declared length; give the status and the error's code."""
    told: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
    }
    assert client.portal is not None
    app: Any = client.app
    client.portal.call(partial(app, scope, sender.receive, send))
    starts = [m for m in told if m["type"] == "http.response.start"]
    assert len(starts) == 1
    body = b"".join(m.get("body", b"") for m in told)
    return starts[0]["status"], json.loads(body)["error"]["code"]


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/datasets"])
def test_an_upload_without_a_token_is_refused_unread(closed: TestClient, path: str) -> None:
    sender = Endless()
    refusal = stream(closed, path, sender, (b"content-type", FORM))
    assert refusal == (401, "access.token_needed")
    assert sender.asked == 0
    declared = (b"content-length", b"99999999999")
    refusal = stream(closed, path, sender, (b"content-type", FORM), declared)
    assert refusal == (401, "access.token_needed")
    assert sender.asked == 0


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/datasets"])
def test_an_upload_is_cut_off_at_the_limit(client: TestClient, path: str) -> None:
    field = b"files" if path.endswith("models") else b"file"
    head = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.h5"\r\n\r\n' % field
    sender = Endless(head)
    assert stream(client, path, sender, (b"content-type", FORM)) == (413, "size.upload")
    assert 3 <= sender.asked <= 3 + (SMALL + PIECE) // PIECE


@pytest.mark.parametrize(
    ("path", "limit"), [("/api/v1/studies", 1 << 20), ("/api/v1/donor/abort", 64 * 1024)]
)
def test_words_are_cut_off_at_their_limit(client: TestClient, path: str, limit: int) -> None:
    sender = Endless()
    json_type = (b"content-type", b"application/json")
    assert stream(client, path, sender, json_type) == (413, "size.upload")
    assert sender.asked <= 2 + limit // PIECE
    unread = Endless()
    declared = (b"content-length", b"%d" % (limit + 1))
    assert stream(client, path, unread, json_type, declared) == (413, "size.upload")
    assert unread.asked == 0
    within = client.post(path, content=b" " * (limit - 100) + b'{"name": 3}')
    assert within.status_code in (400, 422)


class Leaver(Endless):
    """A sender that goes when it has begun."""

    async def receive(self) -> dict[str, Any]:
        return await super().receive() if not self.asked else {"type": "http.disconnect"}


@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/datasets", "/api/v1/donor/abort"])
def test_who_goes_in_the_middle_of_a_body_breaks_nothing(client: TestClient, path: str) -> None:
    leaver = Leaver(b"--x\r\n")
    assert stream(client, path, leaver, (b"content-type", FORM)) == (400, "request.cut_off")


def test_a_name_that_is_not_this_coordinators_is_refused(client: TestClient) -> None:
    for host in ("elsewhere.example", "testserver.elsewhere.example", "127.0.0.1", ""):
        answer = client.get("/api/v1/status", headers={"Host": host})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "access.host"
    for host in ("testserver", "TestServer:8000"):
        assert client.get("/api/v1/status", headers={"Host": host}).status_code == 200


def test_a_socket_by_a_name_of_elsewhere_is_refused(client: TestClient) -> None:
    from starlette.websockets import WebSocketDisconnect

    headers = {"Host": "elsewhere.example", "Origin": "http://elsewhere.example"}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/api/v1/donor/socket", headers=headers),
    ):
        pass
