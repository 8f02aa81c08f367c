"""A study is run at the most talkative level: no cell, no class, no token is in any line."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import numpy as np

from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import PATIENCE_S, until

CELL = "8675309.25"
CLASSES = ("hemlockwort", "nightshadeling", "foxglovette")
CODE = "JOIN-4711-sesame"
COLUMN = "shoesize"


def table() -> bytes:
    """Write rows with one cell and with labels that can be found again."""
    values = np.random.default_rng(3).normal(size=(120, 4)).round(4).tolist()
    lines = [f"a,b,c,{COLUMN},kind"]
    for i, row in enumerate(values):
        cells = [CELL if (i, j) == (7, 3) else str(value) for j, value in enumerate(row)]
        lines.append(",".join([*cells, CLASSES[i % 3]]))
    return "\n".join(lines).encode()


def events(coordinator: Coordinator) -> list[dict[str, Any]]:
    """Read all lines so far that are objects."""
    return [json.loads(line) for line in coordinator.lines if line.startswith("{")]


def test_a_whole_study_leaves_no_value_and_no_secret_in_the_log(start_coordinator: Start) -> None:
    coordinator = start_coordinator(open=False, workers=1, log_level="debug", own_donor=1)
    admin = coordinator.operator_token()
    study = coordinator.client(admin).submit(
        model=dense_h5(), data=table(), target="kind", trials=2, epochs=1, name="Plants", search={}
    )
    secrets = [admin, CELL, *CLASSES, COLUMN, CODE]
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        secrets += [lease.token, donor.key]
        donor.get(lease.unit.tensors, lease.token)
        donor.get(lease.unit.tensors, "x" * 43)
        donor.say(json.dumps({"type": "nothing", "token": lease.token}))
        donor.hear()
        donor.say({"type": "heartbeat", "leases": [{"lease_id": CODE, "epoch": 0, "step": 0}]})
        donor.hear()
        donor.complete(lease, random_result(donor, lease))
    with httpx2.Client(base_url=coordinator.url, timeout=PATIENCE_S) as anybody:
        for path in (f"/join/{CODE}", f"/?token={admin}", f"/api/v1/studies/{CODE}?key={CODE}"):
            anybody.get(path)
        for name in (admin[:-1] + "x", CODE):
            anybody.get("/api/v1/studies", headers={"Authorization": f"Bearer {name}"})
        anybody.post("/api/v1/session", json={"token": CODE})
        mine = {"Authorization": f"Bearer {admin}"}
        bad = f"a,b\n{CELL},{CLASSES[0]}\n{CELL},{CLASSES[0]},{CODE}\n".encode()
        anybody.post("/api/v1/datasets", files={"file": ("bad.csv", bad)}, headers=mine)
        anybody.get(f"/api/v1/studies/{study.id}/leaderboard", headers=mine)

    def board_read() -> dict[str, Any] | None:
        return next((e for e in events(coordinator) if "leaderboard" in e.get("path", "")), None)

    read = until(board_read, "the line of a request")
    assert read["account"] == "admin"
    assert read["study"] == study.id
    assert (read["method"], read["status"], read["address"]) == ("GET", 200, "127.0.0.1")
    assert read["bytes"] > 0
    kinds = {(e["message"], e["level"]) for e in events(coordinator)}
    assert {("recorded: lease", "info"), ("recorded: study", "info")} <= kinds
    coordinator.stop()
    said = "\n".join(coordinator.lines)
    assert [secret for secret in secrets if secret in said] == []
    assert {e["lease"] for e in events(coordinator) if e["message"] == "recorded: result"}
    assert not any("?" in e.get("path", "") for e in events(coordinator))


def test_what_cannot_be_scored_is_told_with_its_unit_and_without_its_values(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(workers=1, log_level="debug")
    study = coordinator.client().submit(
        model=dense_h5(), data=table(), target="kind", trials=1, epochs=1, name="Plants", search={}
    )
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        weights = random_result(donor, lease)
        for path in (coordinator.data / "artifacts").rglob("*"):
            if path.is_file() and b"truth" in path.read_bytes()[:300]:
                path.write_bytes(f"{CELL} {CLASSES[0]}".encode())
        donor.complete(lease, weights)

    def failure() -> dict[str, Any] | None:
        return next((e for e in events(coordinator) if "could not be scored" in e["message"]), None)

    told = until(failure, "the failure")
    assert (told["study"], told["unit"]) == (study.id, lease.unit.id)
    assert told["errors"][0]["kind"]
    assert told["errors"][0]["frames"]
    coordinator.stop()
    assert [word for word in (CELL, *CLASSES) if word in "\n".join(coordinator.lines)] == []
