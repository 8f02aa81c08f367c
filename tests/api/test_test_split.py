"""The test split is sealed: scored when asked, each look counted and recorded."""

from __future__ import annotations

import json

import pytest

from potluck.errors import Conflict
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import PATIENCE_S


def test_looks_are_counted_recorded_and_nothing_else_takes_their_place(
    coordinator: Coordinator,
) -> None:
    client = coordinator.client()
    study = client.submit(model=dense_h5(), data="iris", search={}, trials=1, epochs=1)
    assert study.test_looks() == []
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    ranked_by = study.trials()[0].mean

    first, second = study.look_at_test(), study.look_at_test()
    assert (first.number, second.number) == (1, 2)
    assert first.metrics == second.metrics
    assert first.rows == study.plan.rows_test == 30
    assert study.refresh().record.test_looks == 2
    assert study.trials()[0].mean == ranked_by
    told = [e for e in study.ledger().entries if e.kind == "test_look"]
    assert [e.body["look"] for e in told] == [1, 2]
    score = next(e for e in study.ledger().entries if e.kind == "score")
    assert "test" not in json.dumps(score.body)


def test_without_a_test_split_there_is_nothing_to_look_at(coordinator: Coordinator) -> None:
    client = coordinator.client()
    study = client.submit(model=dense_h5(), data="iris", search={}, trials=1, epochs=1, test=0)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    with pytest.raises(Conflict) as refused:
        study.look_at_test()
    assert refused.value.code == "study.no_test_split"
