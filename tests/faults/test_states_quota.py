"""What the states of studies may take of the disk is bounded, and no study is lost for it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest

import potluck
from potluck.errors import Conflict
from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, hand_in, random_result
from tests.support.waiting import until

STATE = 2_000
"""Bytes: a bit more than a state of the small network takes."""
STILL_S = 5.0
"""Many times as long as the next trial takes to be made."""


def submit(coordinator: Coordinator, trials: int = 30) -> potluck.Study:
    return coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        trials=trials,
        epochs=1,
        search={"learning_rate": potluck.Float(0.001, 0.1)},
        name="Irises",
    )


def train_while_it_runs(coordinator: Coordinator, study: potluck.Study) -> int:
    """Hand in what there is until the study stands still; give how many units that were."""
    done = 0
    with ScriptedDonor(coordinator.url) as donor:
        while study.refresh().record.state == "running":
            leases = donor.request()
            if not leases:
                donor.listen(0.2)
                continue
            settlement = donor.complete(leases[0], random_result(donor, leases[0]))
            done += settlement.outcome == "accepted"
    return done


def test_a_study_stops_before_its_states_take_more_than_they_may_and_can_be_resumed(
    start_coordinator: Start,
) -> None:
    few = start_coordinator(quota_states=10 * STATE, workers=1)
    first = submit(few)
    done = train_while_it_runs(few, first)
    record = first.refresh().record
    assert record.state == "stopped"
    assert "Delete studies" in record.reason
    assert 2 <= done < 30
    acts: list[Callable[[], object]] = [
        lambda: submit(few),
        first.resume,
        lambda: first.extend(1),
    ]
    for act in acts:
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "quota.states"
        assert "kept" in str(refused.value)
    first.delete()
    second = submit(few, trials=2)
    train_while_it_runs(few, second)
    assert second.refresh().record.state == "completed"


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"visitors_states": 6 * STATE, "visitors_share": 1}, id="all"),
        pytest.param({"visitors_states": 30 * STATE}, id="of_a_network"),  # a fifth of it
    ],
)
def test_where_visitors_keep_too_much_together_studies_wait_and_go_on_later(
    start_coordinator: Start, settings: dict[str, int]
) -> None:
    few = start_coordinator(workers=1, **settings)
    study = submit(few)
    hand_in(few.url, 3)

    seen: tuple[object, float] = (None, 0.0)

    def stands_still() -> bool:
        """Say whether no trial was made for a while: between two nothing is ready either."""
        nonlocal seen
        counts = study.refresh().record.counts
        if counts != seen[0]:
            seen = counts, monotonic()
        still = monotonic() - seen[1] > STILL_S
        return still and counts.ready == counts.returned == 0 and counts.scored >= 3

    with ScriptedDonor(few.url) as donor:

        def trained_all() -> bool:
            for lease in donor.request():
                donor.complete(lease, random_result(donor, lease))
            return stands_still()

        until(trained_all, what="an end of the room for states")
    assert study.refresh().record.state == "running"  # others' states are not its own fault
    with pytest.raises(Conflict) as refused:
        submit(few)
    assert refused.value.code == "quota.states"
    assert ("of your network" in str(refused.value)) == ("visitors_share" not in settings)


def test_start_states_count_before_they_are_made(start_coordinator: Start) -> None:
    few = start_coordinator(quota_states=10 * STATE, workers=1)
    with pytest.raises(Conflict) as refused:
        few.client().submit(
            model=dense_h5(), data="iris", trials=1, epochs=1, search={}, folds=5, repeats=10,
            name="Starts",
        )  # fmt: skip
    assert refused.value.code == "quota.states"
    assert "start states to come" in str(refused.value)


def test_what_a_lease_uploaded_goes_when_it_was_handed_back(start_coordinator: Start) -> None:
    coordinator = start_coordinator(clean_seconds=0.05, workers=1)
    submit(coordinator, trials=1)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.begin()
        put = {donor.put(b"state %d" % n, lease.token)[0] for n in range(5)}

        def stored() -> set[str]:
            return {p.name for p in (coordinator.data / "artifacts").rglob("*")} & put

        assert stored() == put
        donor.hand_back(lease, "error")
        until(lambda: not stored(), what="an end of what nobody named")
