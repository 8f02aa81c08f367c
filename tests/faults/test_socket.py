"""The donor socket when the coordinator itself is in trouble: never silence."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from potluck.protocol import donor as wire
from potluck_coordinator.app import create_app
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage.engine import make_engine
from potluck_coordinator.storage.writer import Writer
from tests.conftest import Start
from tests.support.fresh import fresh
from tests.support.hello import HELLO
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Give a coordinator whose database a test may spoil."""
    settings = Settings(data=fresh(tmp_path), allowed_hosts=("testserver",), open=True, workers=1)
    with TestClient(create_app(settings)) as found:
        yield found


def ask(socket: WebSocketTestSession, message: dict[str, Any]) -> dict[str, Any]:
    socket.send_text(json.dumps(message))
    answer: dict[str, Any] = socket.receive_json()
    return answer


def database(client: TestClient) -> Path:
    settings: Settings = client.app.state.site.settings  # type: ignore[attr-defined]
    return settings.data / "potluck.sqlite3"


def test_an_error_that_nobody_expected_is_answered_and_the_talk_goes_on(
    client: TestClient,
) -> None:
    with client.websocket_connect("/api/v1/donor/socket") as socket:
        assert ask(socket, HELLO)["type"] == "welcome"
        with closing(sqlite3.connect(database(client), timeout=30)) as connection:
            connection.execute("ALTER TABLE lease RENAME TO elsewhere")
        beat = {"lease_id": "ls_1", "epoch": 0, "step": 0}
        for _ in range(2):
            answer = ask(socket, {"type": "heartbeat", "leases": [beat]})
            assert (answer["type"], answer["error"]["code"]) == ("problem", "internal")
        with closing(sqlite3.connect(database(client), timeout=30)) as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO lease")
        answer = ask(socket, {"type": "heartbeat", "leases": [beat]})
        assert answer["stop"] == {"ls_1": "unknown"}


def test_a_busy_database_makes_a_donor_wait(client: TestClient) -> None:
    app: Any = client.app
    engine = make_engine(f"sqlite:///{database(client)}", busy_timeout_s=0.05)
    whole, hasty = app.state.site, Writer(engine)
    with client.websocket_connect("/api/v1/donor/socket") as first:
        assert ask(first, HELLO)["type"] == "welcome"
    app.state.site = replace(whole, writer=hasty)
    with (
        client.websocket_connect("/api/v1/donor/socket") as socket,
        closing(sqlite3.connect(database(client), timeout=30)) as connection,
    ):
        assert ask(socket, HELLO)["type"] == "welcome"
        connection.execute("BEGIN IMMEDIATE")
        answer = ask(socket, {"type": "request", "most": 1, "cached": []})
        assert (answer["type"], answer["reason"]) == ("wait", "busy")
        connection.rollback()
        request = {"type": "request", "most": 1, "cached": []}
        # The coordinator's own writing may keep so hasty a writer waiting once more.
        until(lambda: ask(socket, request).get("reason") == "no_work", what="the end of the wait")
    app.state.site = whole
    hasty.close()
    engine.dispose()


def test_a_donor_hears_that_results_are_being_scored(start_coordinator: Start) -> None:
    coordinator = start_coordinator(workers=1)  # its first scoring takes seconds: it loads Keras
    study = coordinator.client().submit(
        model=dense_h5(), data="iris", search={}, trials=1, epochs=2, name="Scored"
    )
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        donor.complete(lease, random_result(donor, lease))
        assert donor.why_wait() == "scoring"
        study.wait(timeout=PATIENCE_S, progress=False)
        assert donor.why_wait() == "no_work"


def test_a_coordinator_that_shuts_down_says_so(start_coordinator: Start) -> None:
    coordinator = start_coordinator(workers=1)
    with ScriptedDonor(coordinator.url) as donor:
        assert donor.request() == []
        coordinator.stop()
        last = donor.hear()
        assert isinstance(last, wire.Wait)
        assert last.reason == "shutting_down"
