"""A unit that would not fit is not offered, and its submitter is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import spec
from tests.support.hello import HELLO


@contextmanager
def donor(client: TestClient, name: str, memory_bytes: int | None) -> Iterator[Any]:
    """Connect a donor that allows so much memory."""
    with client.websocket_connect("/api/v1/donor/socket") as socket:
        hello = HELLO | {"donor_key": name * 16, "memory_bytes": memory_bytes}
        socket.send_text(json.dumps(hello))
        assert socket.receive_json()["type"] == "welcome"
        yield socket


def answer(socket: Any, message: dict[str, Any], *types: str) -> dict[str, Any]:
    """Say something; news that comes between is passed over."""
    socket.send_text(json.dumps(message))
    while True:
        found: dict[str, Any] = socket.receive_json()
        if found["type"] in types:
            return found


def ask(socket: Any) -> dict[str, Any]:
    """Ask for one unit."""
    return answer(socket, {"type": "request", "most": 1}, "grant", "wait")


def await_grant(socket: Any) -> dict[str, Any]:
    """Ask until there is a unit; the coordinator says when to ask again."""
    while (found := ask(socket))["type"] == "wait":
        while socket.receive_json()["type"] != "work":
            pass
    return found


def plan_warnings(client: TestClient, study: str) -> str:
    told = client.get(f"/api/v1/studies/{study}").json()["plan"]["warnings"]
    return " ".join(told)


def test_a_unit_goes_only_to_a_donor_that_allows_its_memory(
    client: TestClient, model_id: str, iris_id: str
) -> None:
    made = client.post("/api/v1/studies", json=spec(model_id, iris_id, trials=1, rungs=[1]))
    assert made.status_code == 201, made.text
    study = made.json()["id"]
    with donor(client, "r", None) as roomy:
        (lease,) = await_grant(roomy)["leases"]
        needed = lease["unit"]["memory_bytes"]
        assert needed > 0
        back = {"lease_id": lease["id"], "token": lease["token"], "reason": "closing"}
        answer(roomy, {"type": "abort", "leases": [back]}, "settled")
        with donor(client, "s", needed - 1) as small:
            assert ask(small)["type"] == "wait"
            # Somebody without a limit is there: nothing to warn of.
            assert "memory" not in plan_warnings(client, study)
    with donor(client, "t", needed // 2) as small:
        assert ask(small)["type"] == "wait"
        assert "allow" in plan_warnings(client, study)
        same = spec(model_id, iris_id, trials=1, rungs=[1])
        planned = client.post("/api/v1/studies/plan", json=same).json()
        assert any("memory" in warning for warning in planned["warnings"])
    assert "memory" not in plan_warnings(client, study)
    with donor(client, "u", needed) as enough:
        assert ask(enough)["leases"][0]["unit"]["id"] == lease["unit"]["id"]
    client.delete(f"/api/v1/studies/{study}")
