"""What is said of one moment is the same wherever it is said: bar, notes, rows and donors."""

from __future__ import annotations

from collections import Counter

import potluck
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.waiting import until


def activities(study: potluck.Study) -> Counter[str | None]:
    """Count what the leaderboard says of its rows, and compare it with the study's own record."""
    record = study.refresh().record
    rows = study.trials()
    held = Counter(unit.trial for donor in record.donors for unit in donor.units)
    assert sum(held.values()) == record.counts.leased
    assert {row.trial for row in rows if row.activity == "training"} == set(held)
    return Counter(row.activity for row in rows)


def test_bar_rows_and_donors_agree_from_the_first_moment_to_the_last(
    coordinator: Coordinator,
) -> None:
    study = coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        trials=4,
        epochs=2,
        search={"learning_rate": [0.1, 0.01, 0.001, 0.0001], "batch_size": 32},
        sampler="grid",
        name="One source",
        quiet=True,
    )
    until(lambda: study.refresh().record.counts.ready == 4, what="four trials")
    assert activities(study) == {"waiting": 4}, "no donor was ever there"
    with ScriptedDonor(coordinator.url) as donor:
        leases = donor.request(most=3)
        assert activities(study) == {"training": 3, "waiting": 1}
        (at_work,) = study.refresh().record.donors
        assert len(at_work.units) == 3, "one tab that trains three units is one donor"
        for lease in leases:
            donor.heartbeat(lease, samples_per_second=10.0)
        (at_work,) = study.refresh().record.donors
        assert at_work.samples_per_second == 30.0
        for lease in leases:
            assert donor.complete(lease, random_result(donor, lease)).outcome == "accepted"
        until(lambda: study.refresh().record.counts.scored == 3, what="three scores")
        assert activities(study) == {None: 3, "waiting": 1}
        assert study.record.donors == []
    study.delete()
