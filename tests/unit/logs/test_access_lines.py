"""Of the line of a request nothing is what its sender made up, nor as long as they like."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from potluck_coordinator.api.access_log import AccessLog

MADE_UP = "SESAME4711" * 1000


def line(caplog: pytest.LogCaptureFixture, **scope: Any) -> Any:
    """Serve a request, and give the line that tells of it."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 405, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    async def never() -> Any:
        raise AssertionError

    async def send(_message: Any) -> None:
        return

    given = {"type": "http", "method": "GET", "path": "/studies", "client": ("192.0.2.1", 5)}
    with caplog.at_level(logging.INFO, "potluck.access"):
        asyncio.run(AccessLog(app, ["/studies"])({**given, **scope}, never, send))
    [record] = caplog.records
    caplog.clear()
    return record


@pytest.mark.parametrize(
    ("method", "told"), [("GET", "GET"), ("PATCH", "PATCH"), ("get", "*"), (MADE_UP, "*")]
)
def test_a_method_is_one_of_https(caplog: pytest.LogCaptureFixture, method: str, told: str) -> None:
    assert line(caplog, method=method).method == told


def test_a_socket_is_called_so(caplog: pytest.LogCaptureFixture) -> None:
    assert line(caplog, type="websocket").method == "SOCKET"


@pytest.mark.parametrize(
    ("client", "told"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("2001:db8::1", 5), "2001:db8::1"),
        ((MADE_UP, 0), "*"),
        (("unknown", 0), "*"),
        (("", 0), "*"),
        (None, None),
    ],
)
def test_an_address_is_one(
    caplog: pytest.LogCaptureFixture, client: tuple[str, int] | None, told: str | None
) -> None:
    assert line(caplog, client=client).address == told


def test_a_path_of_many_parts_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    told = line(caplog, path="/studies/" + f"{MADE_UP}/" * 50)
    assert len(told.path) < 40
    assert "SESAME" not in told.path
