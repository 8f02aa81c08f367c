"""Units that differ in numbers come in one grant, and the ledger keeps what trained together."""

from __future__ import annotations

from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import until


def test_a_grant_brings_units_that_train_together_and_their_results_say_so(
    coordinator: Coordinator,
) -> None:
    study = coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        trials=2,
        epochs=2,
        search={"learning_rate": [0.1, 0.01], "batch_size": 32},
        sampler="grid",
        name="Two at once",
    )
    with ScriptedDonor(coordinator.url) as donor:
        until(lambda: study.refresh().record.counts.ready == 2, what="both trials")
        leases = donor.request(most=2)
        assert len({lease.unit.trial for lease in leases}) == 2
        assert len({lease.unit.stack for lease in leases}) == 1
        assert leases[0].unit.stack is not None
        for lease, stacked in zip(leases, (True, False), strict=True):
            settled = donor.complete(lease, random_result(donor, lease), stacked=stacked)
            assert settled.outcome == "accepted"
    entries = study.ledger().entries
    results = [entry.body for entry in entries if entry.kind == "result"]
    said = {result["lease"]: result["stacked"] for result in results}
    assert said == {leases[0].id: True, leases[1].id: False}
    study.delete()
