"""A lying donor: its claim shows as a claim, its score is what its weights deserve."""

from __future__ import annotations

from tests.e2e.conftest import Donate
from tests.support.coordinator import Coordinator
from tests.support.keras_files import digits_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import PATIENCE_S

BOAST = 0.999


def test_random_weights_with_a_great_claim_do_not_lead(
    coordinator: Coordinator, donate: Donate
) -> None:
    study = coordinator.client().submit(
        model=digits_h5(),
        data="digits",
        search={"learning_rate": [0.001, 0.003, 0.01]},
        trials=3,
        epochs=8,
        name="Honest and not",
    )
    with ScriptedDonor(coordinator.url) as liar:
        lease = liar.await_lease()
        claims = {"accuracy": BOAST, "loss": 1e-6}
        result = random_result(liar, lease)
        assert liar.complete(lease, result, claims=claims).outcome == "accepted"
    donate(coordinator.url)
    study.wait(timeout=PATIENCE_S, progress=False)

    lied = study.trial(lease.unit.trial)
    assert lied.units[0].claims["accuracy"] == BOAST
    assert lied.units[0].score is not None
    deserved = lied.units[0].score.metrics["accuracy"]
    assert deserved < 0.5
    assert lied.row.mean == deserved
    rows = study.trials()
    assert rows[0].trial != lease.unit.trial
    assert rows[0].mean is not None
    assert rows[0].mean > 0.8
    assert lied.row.rank == 3
