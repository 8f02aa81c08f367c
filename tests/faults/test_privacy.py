"""Promise 1, literally: a unit is never sent the rows it is scored on, nor test rows to anyone."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

import potluck
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result

ROWS = 90
CANARY = 70_000.0
"""Row i carries 70000 + i in its first column: unmistakable in any encoding that keeps values."""


def table() -> str:
    """Write a table whose every row can be told by its first number."""
    lines = ["canary,b,c,d,kind"]
    for i in range(ROWS):
        lines.append(f"{CANARY + i},{i % 7},{i % 5},{i % 3},{'xyz'[i % 3]}")
    return "\n".join(lines) + "\n"


def rows_in(content: bytes) -> set[int]:
    """Decode a served artifact; give the rows whose canaries it holds."""
    try:
        tensors = load(content)
    except Exception:
        json.loads(content)  # a topology: names and numbers of layers, which hold no row
        text = content.decode()
        return {i for i in range(ROWS) if str(int(CANARY + i)) in text}
    found: set[int] = set()
    for values in tensors.values():
        numbers = np.asarray(values, dtype=np.float64).ravel()
        found |= {int(v - CANARY) for v in numbers if CANARY <= v < CANARY + ROWS}
    return found


def held_rows(data: Any, study: str) -> tuple[dict[int, set[int]], set[int]]:
    """Read from the coordinator's own database which rows score which part, and the test rows."""
    with sqlite3.connect(data / "potluck.sqlite3") as database:
        parts = database.execute(
            "SELECT part, held_rows FROM part WHERE study_id = ?", (study,)
        ).fetchall()
        (sealed,) = database.execute(
            "SELECT rows FROM sealed WHERE study_id = ?", (study,)
        ).fetchone()
    return {part: set(json.loads(rows)) for part, rows in parts}, set(json.loads(sealed))


@pytest.mark.parametrize("folds", [None, 3])
def test_no_unit_gets_the_rows_it_is_scored_on_and_nobody_gets_test_rows(
    coordinator: Coordinator, tmp_path: Any, folds: int | None
) -> None:
    path = tmp_path / "canaries.csv"
    path.write_text(table())
    client = coordinator.client()
    study = client.submit(
        model=dense_h5(),
        data=path,
        target="kind",
        features=["canary", "b", "c", "d"],  # canaries look like row numbers
        scaling="none",
        folds=folds,
        search={},
        trials=1,
        epochs=2,
        name="Canaries",
    )
    held, sealed = held_rows(coordinator.data, study.id)
    assert sealed
    served: dict[str, set[int]] = {}
    with ScriptedDonor(coordinator.url) as donor:
        while study.refresh().state == "running":
            leases = donor.request()
            if not leases:
                donor.await_work()
                continue
            lease = leases[0]
            part = -2 if lease.unit.kind == "refit" else (-1 if folds is None else lease.unit.fold)
            assert part is not None
            assert_only_its_own(donor, lease, client, study, held[part], sealed, served)
            assert donor.complete(lease, random_result(donor, lease)).outcome == "accepted"
            if lease.unit.kind == "refit":
                break
            if folds is None:
                break
    everything = set().union(*served.values())
    assert everything
    assert not everything & sealed
    if folds is None:
        assert not everything & held[-1]


def assert_only_its_own(
    donor: ScriptedDonor,
    lease: Any,
    client: potluck.Client,
    study: potluck.Study,
    held: set[int],
    sealed: set[int],
    served: dict[str, set[int]],
) -> None:
    """Ask for every hash that the ledger names: 404 for all but the unit's own."""
    unit = lease.unit
    own = {unit.topology, unit.start, unit.tensors}
    named = hashes_in(client.study(study.id).ledger().model_dump())
    assert own <= named
    assert len(named) > len(own)
    for sha in named:
        answer = donor.get(sha, lease.token)
        assert (answer.status_code == 200) == (sha in own), sha
        if answer.status_code == 200:
            served[sha] = rows_in(answer.content)
            scored_on = held if unit.kind == "trial" else set()
            assert not served[sha] & (scored_on | sealed)


def hashes_in(value: Any) -> set[str]:
    """Collect everything that looks like an artifact's name."""
    if isinstance(value, dict):
        return set().union(*map(hashes_in, value.values()), *map(hashes_in, value.keys()))
    if isinstance(value, list | tuple):
        return set().union(*map(hashes_in, value)) if value else set()
    is_hash = isinstance(value, str) and len(value) == 64
    return {value} if is_hash and set(value) <= set("0123456789abcdef") else set()


def test_the_canaries_would_be_found() -> None:
    """The check itself works: a tensor with a planted row is caught."""
    from safetensors.numpy import save

    leaked = save({"x": np.array([[1.0, CANARY + 7]], np.float32)})
    assert rows_in(leaked) == {7}
