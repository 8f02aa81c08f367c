"""A tab can die at any moment; a coordinator too. Nothing is lost, nothing counts twice."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from potluck.protocol.records import LeaseRecord
from potluck.verification import verify_ledger
from tests.conftest import Start
from tests.e2e.conftest import Donate
from tests.support.coordinator import Coordinator, offers
from tests.support.donor_tab import A_LITTLE
from tests.support.keras_files import digits_h5
from tests.support.waiting import PATIENCE_S, until


def row(data: Path, question: str, *values: object) -> tuple[Any, ...] | None:
    """Ask the coordinator's own database one thing."""
    with sqlite3.connect(data / "potluck.sqlite3") as database:
        found: tuple[Any, ...] | None = database.execute(question, values).fetchone()
        return found


def test_another_donor_goes_on_from_the_checkpoint_of_a_closed_tab(
    start_coordinator: Start, donate: Donate
) -> None:
    coordinator = start_coordinator()
    # What was trained twice lies between the last checkpoint and the tab's end; the checkpoints of
    # a unit as small as this are seconds apart, so it is less than what came before the checkpoint.
    # Where this test itself stood still before it closed the tab, that says nothing: once more.
    for _ in range(3):
        first, second = trained_by_two(coordinator, donate)
        if first.to_step - second.from_step < second.from_step - first.from_step:
            return
    pytest.fail(f"{first.to_step - second.from_step} steps were trained twice")


def trained_by_two(coordinator: Coordinator, donate: Donate) -> tuple[LeaseRecord, LeaseRecord]:
    """Close a tab in the middle of a unit; give its lease and that of the donor that went on."""
    study = coordinator.client().submit(
        model=digits_h5(), data="digits", search={}, trials=1, epochs=600, name="Long"
    )

    def checkpoint() -> int:
        question = "SELECT checkpoint_step FROM unit WHERE study_id = ?"
        found = row(coordinator.data, question, study.id)
        return int(found[0]) if found else 0

    first = donate(coordinator.url, share=A_LITTLE)
    until(checkpoint, what="a checkpoint in mid-unit")
    first.close(run_before_unload=True)
    until(lambda: offers(study), what="the unit handed back")
    saved = checkpoint()
    second = donate(coordinator.url)
    study.wait(timeout=PATIENCE_S, progress=False)
    second.close()

    before, after = study.trial(0).units[0].leases
    # On a crowded machine a closing page's last word is lost now and then; it is soon missed.
    assert before.state in ("handed_back", "expired")
    assert after.state == "completed"
    assert after.from_step == saved > 0
    assert study.refresh().record.counts.scored == 1
    assert study.trials()[0].n == 1
    kinds = Counter(entry.kind for entry in study.ledger().entries)
    assert (kinds["lease"], kinds["result"], kinds["score"]) == (2, 1, 1)
    assert verify_ledger(study.ledger()).holds
    return before, after


def test_a_killed_coordinator_comes_back_and_the_study_finishes(
    start_coordinator: Start, donate: Donate
) -> None:
    coordinator = start_coordinator()
    study = coordinator.client().submit(
        model=digits_h5(),
        data="digits",
        search={"learning_rate": [0.001, 0.003, 0.01]},
        trials=3,
        epochs=400,
        rungs=[10, 400],
        name="Survivor",
    )
    for _ in range(2):
        donate(coordinator.url)

    def midway() -> bool:
        counts = study.refresh().record.counts
        return counts.scored >= 1 and counts.leased >= 1

    until(midway, what="a study in its middle")
    coordinator.kill()
    coordinator.start()
    study.wait(timeout=PATIENCE_S, progress=False)

    record = study.refresh().record
    assert record.state == "completed"
    assert record.counts.scored == record.plan.units == 6
    ledger = study.ledger()
    assert verify_ledger(ledger).holds
    accepted = Counter(e.body["unit"] for e in ledger.entries if e.kind == "result")
    scored = Counter(e.body["unit"] for e in ledger.entries if e.kind == "score")
    assert set(accepted.values()) == set(scored.values()) == {1}
    assert len(accepted) == len(scored) == 6
