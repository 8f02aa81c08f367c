"""A study that runs again after its group was deleted: for whom, and that it says so."""

from __future__ import annotations

from tests.conftest import Start
from tests.faults.attacks.checked import submit
from tests.support.honest_donor import work
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.visiting import bearer
from tests.support.waiting import PATIENCE_S, until


def test_a_refutation_gives_it_to_the_submitters_own_donors(start_coordinator: Start) -> None:
    trusting = start_coordinator(own_donor=0, workers=1)
    token = trusting.operator_token()
    client = trusting.client(token)
    group = client.groups.make("Lab 3")
    made = client.submit(
        model=dense_h5(),
        data="iris",
        trials=1,
        epochs=3,
        search={},
        donors="group",
        group=group.id,
        rows_are_public=False,
    )
    with ScriptedDonor(trusting.url, headers=bearer(token)) as liar:
        lease = liar.await_lease()
        assert liar.complete(lease, random_result(liar, lease)).outcome == "accepted"
        made.wait(timeout=PATIENCE_S, progress=False)
    client.groups.delete(group.id)
    trusting.stop()

    doubting = start_coordinator(own_donor=1, workers=1)
    study = doubting.client(token).study(made.id)
    assert (study.record.state, study.record.group_gone) == ("completed", True)
    # A lie elsewhere lets all that counts of its donor be trained again.
    other = submit(doubting)
    with ScriptedDonor(doubting.url, key=liar.key) as again:
        lease = again.await_lease()
        assert lease.unit.study_id == other.id
        assert again.complete(lease, random_result(again, lease)).outcome == "accepted"
    until(lambda: study.refresh().record.state == "running", what="the study's second life")
    until(lambda: study.refresh().record.counts.ready == 1, what="the unit in the queue")
    assert study.record.group_gone
    other.stop()
    with ScriptedDonor(doubting.url) as stranger:
        assert stranger.request() == []
    with ScriptedDonor(doubting.url, headers=bearer(token)) as own:
        [lease] = work(own, 1)
        assert lease.unit.study_id == study.id
        study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().record.state == "completed"
