"""Who is slow, silent or many on the wire itself: honest people are served all the same."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.raw_connection import RawConnection
from tests.support.scripted_donor import ScriptedDonor
from tests.support.waiting import PATIENCE_S, until

ELSEWHERE = "127.0.0.2"
"""Another address of this machine, which no coordinator takes for a proxy."""
SIGN_IN = "/api/v1/session"
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a coordinator that soon loses patience, with room for 60 connections."""
    found = Coordinator(
        tmp_path_factory.mktemp("impatient"),
        workers=1,
        header_seconds=1,
        body_seconds=1,
        connections=60,
        connections_per_address=20,
    )
    try:
        yield found.start()
    finally:
        found.stop()


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    status, body = answer
    return status, body["error"]["code"]


def answers(coordinator: Coordinator) -> bool:
    """Say whether a person's new browser gets a page and what it shows.

    Over a connection each: one that is kept may be closed for others between two requests, and a
    browser then opens another.
    """
    return all(
        httpx2.get(coordinator.url + path, timeout=PATIENCE_S).is_success
        for path in ("/", "/api/v1/status")
    )


def test_a_head_of_one_byte_now_and_then_is_not_waited_for(impatient: Coordinator) -> None:
    with RawConnection(impatient.url) as slow:
        slow.say("GET / HTTP/1.1\r\nX-Slow: ")
        slow.drip("a", 0.05)
        assert code_of(slow.hear()) == (408, "request.too_slow")


def test_a_kept_connection_that_begins_its_next_request_slowly_is_closed_too(
    impatient: Coordinator,
) -> None:
    with RawConnection(impatient.url) as slow:
        slow.begin("GET", "/api/v1/status")
        assert slow.hear_answer()[0] == 200
        slow.drip("G", 0.05)
        assert code_of(slow.hear())[0] in (400, 408)


def test_a_body_that_stops_or_drips_is_not_waited_for(impatient: Coordinator) -> None:
    for every_s, piece in ((0.05, " "), (PATIENCE_S, "")):
        with RawConnection(impatient.url) as slow:
            slow.begin("POST", SIGN_IN, 100_000, JSON)
            slow.drip(piece, every_s)
            assert code_of(slow.hear()) == (408, "request.too_slow")


def test_a_slow_but_steady_body_is_taken(impatient: Coordinator) -> None:
    with RawConnection(impatient.url) as steady:
        steady.begin("POST", SIGN_IN, 4000, JSON)
        for _ in range(8):  # over more than two looks
            assert not steady.has_news(0.3)
            steady.say(" " * 500)
        assert steady.hear_answer()[0] in (400, 422)  # which is about what was said


def test_an_answer_that_nobody_reads_is_given_up(start_coordinator: Start) -> None:
    coordinator = start_coordinator(header_seconds=1, body_seconds=1)
    with RawConnection(coordinator.url) as deaf:
        until(lambda: established(coordinator) == 1, what="the connection")
        for _ in range(200):  # many times what lies between the two in buffers
            deaf.begin("GET", "/api/openapi.json")
        until(lambda: established(coordinator) == 0, what="the coordinator to give up")


def established(coordinator: Coordinator) -> int:
    """Count the connections that a coordinator has, as the system knows them."""
    port = int(coordinator.url.rsplit(":", 1)[1])
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(f":{port:04X}") and state == "01" for _, local, _, state, *_ in lines)


def test_three_hundred_idle_connections_keep_nobody_out(impatient: Coordinator) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(RawConnection(impatient.url))
        assert answers(impatient)


def test_where_all_connections_are_at_work_the_next_one_hears_so(
    start_coordinator: Start,
) -> None:
    small = start_coordinator(connections=8)
    with ExitStack() as stack:
        for _ in range(8):
            busy = stack.enter_context(RawConnection(small.url))
            busy.begin("POST", SIGN_IN, 100_000, JSON, "Expect: 100-continue")
            assert busy.has_news(PATIENCE_S)  # its head was heard
        with RawConnection(small.url) as late:
            late.begin("GET", "/api/v1/status")
            assert code_of(late.hear_answer()) == (503, "busy.connections")
    until(lambda: answers(small), what="room for honest people again")


def test_one_address_does_not_take_all_connections(impatient: Coordinator) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(RawConnection(impatient.url, ELSEWHERE))
        with RawConnection(impatient.url, ELSEWHERE) as one_more:
            one_more.begin("GET", "/api/v1/status")
            assert code_of(one_more.hear_answer()) == (429, "rate.connections")
        assert answers(impatient)


def test_pings_whose_answers_nobody_reads_do_not_pile_up(impatient: Coordinator) -> None:
    with RawConnection(impatient.url) as flood:
        flood.begin(
            "GET",
            "/api/v1/donor/socket",
            0,
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        assert flood.has_news(PATIENCE_S)
        ping = b"\x89\xfd" + b"\0\0\0\0" + b"x" * 125
        until(lambda: not flood.say(ping * 1000), what="the coordinator to give up")
    assert answers(impatient)


def test_a_socket_on_which_nothing_is_said_is_closed(start_coordinator: Start) -> None:
    coordinator = start_coordinator(socket_idle_seconds=1)
    with ScriptedDonor(coordinator.url) as silent, pytest.raises(Exception, match="1001"):
        silent.await_work()
