"""A coordinator with its own certificate: handshakes that do not go on hold up nobody."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from potluck_coordinator.api.connections import SPARE
from tests.conftest import Start
from tests.faults.test_serve_refused import made
from tests.support.waiting import PATIENCE_S

ELSEWHERE = "127.0.0.3"
"""Another address of this machine, which no coordinator takes for a proxy."""


def test_handshakes_that_do_not_go_on_are_bounded_for_an_address(
    start_coordinator: Start, tmp_path: Path
) -> None:
    certificate, key = made(tmp_path, "own")
    coordinator = start_coordinator(
        workers=1,
        tls_cert=certificate,
        tls_key=key,
        connections_per_address=2,
        sockets_per_address=2,
    )
    parts = urlsplit(coordinator.url)
    assert parts.scheme == "https"
    with ExitStack() as stack:
        silent = [
            stack.enter_context(
                socket.create_connection(
                    ("127.0.0.1", parts.port or 0), PATIENCE_S, source_address=(ELSEWHERE, 0)
                )
            )
            for _ in range(4 + SPARE + 1)
        ]
        assert silent[-1].recv(1) == b""
        with httpx2.Client(base_url=coordinator.url, verify=False, timeout=PATIENCE_S) as person:
            answer = person.get("/api/v1/session")
            assert answer.status_code == 200
            assert "; secure" in answer.headers["set-cookie"].lower()
            assert person.get("/", headers={"Cookie": "a=b"}).status_code == 200
