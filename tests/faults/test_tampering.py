"""What strangers may try with bytes, states and spaces: nothing of anybody else's is harmed."""

from __future__ import annotations

import io

import keras
import pytest

import potluck
from potluck.errors import BadInput
from potluck.protocol import donor as wire
from potluck.protocol.records import Ledger
from potluck.verification import verify_ledger
from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.earlier import make_private
from tests.support.keras_files import dense_h5, saved
from tests.support.scripted_donor import ScriptedDonor, random_result, state
from tests.support.visiting import somebody
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture
def study(coordinator: Coordinator) -> potluck.Study:
    """Make a study of one unit."""
    return coordinator.client().submit(
        model=dense_h5(), data="iris", search={}, trials=1, epochs=2, name="Precious"
    )


def test_known_bytes_under_a_wrong_name_are_refused_and_stay_where_they_are(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        headers = {"X-Potluck-Lease": lease.token}
        for sha in (lease.unit.topology, lease.unit.start, lease.unit.tensors):
            content = donor.get(sha, lease.token).content
            answer = donor.http.put(
                f"/api/v1/donor/artifacts/{'0' * 64}", content=content, headers=headers
            )
            assert answer.json()["error"]["code"] == "result.hash"
            assert donor.get(sha, lease.token).content == content
    study.delete()


def test_a_studys_tensors_sent_as_a_dataset_stay_where_they_are(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        content = donor.get(lease.unit.tensors, lease.token).content
        sent = donor.http.post(
            "/api/v1/datasets", files={"file": ("data.csv", io.BytesIO(content))}
        )
        assert sent.status_code == 400
        assert donor.get(lease.unit.tensors, lease.token).content == content
    study.delete()


def test_a_deleted_studys_bytes_go_and_anothers_same_bytes_stay(
    coordinator: Coordinator,
) -> None:
    def make() -> potluck.Study:
        return coordinator.client().submit(
            model=dense_h5(), data="iris", search={}, trials=1, epochs=1, name="Twin"
        )

    first, second = make(), make()
    tensors = hashes(first)
    assert tensors == hashes(second)
    until(lambda: len(first.trials()) == len(second.trials()) == 1, what="both trials")
    first.delete()
    assert tensors <= coordinator.stored()
    second.delete()
    assert not tensors & coordinator.stored()
    told = second.ledger()
    assert told.entries[-1].kind == "delete"
    assert verify_ledger(told).holds
    with somebody(coordinator.url, coordinator.operator_token()) as operator:
        site = operator.get("/ledger").json()
    assert verify_ledger(Ledger.model_validate(site)).holds
    deleted = [e["body"]["study"] for e in site["entries"] if e["kind"] == "study_deleted"]
    assert {first.id, second.id} <= set(deleted)


def hashes(study: potluck.Study) -> set[str]:
    """Give the hashes of a study's encoded rows."""
    entry = next(e for e in study.ledger().entries if e.kind == "encoded")
    return {part[key] for part in entry.body["parts"] for key in ("train", "held")}


def test_a_state_that_nobody_could_go_on_from_is_refused(
    coordinator: Coordinator, study: potluck.Study
) -> None:
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        good = donor.start_weights(lease)
        garbage = [
            (b"no checkpoint at all", 2, "result.unreadable"),
            (state(dict(list(good.items())[1:]), lease.unit, 2), 2, "result.names"),
            (state(good, lease.unit, 2), 3, "result.step"),
            (state(good, lease.unit, 10_000), 10_000, "result.step"),
        ]
        for content, step, code in garbage:
            sha, _ = donor.put(content, lease.token)
            named = {"lease_id": lease.id, "artifact": sha, "epoch": 0, "step": step}
            donor.say({"type": "checkpoint", "leases": [named]})
            answer = donor.hear()
            assert isinstance(answer, wire.Problem), answer
            assert answer.error.code == code
        donor.hand_back(lease)
        again = donor.await_lease()
        assert again.unit.start == lease.unit.start
        donor.hand_back(again)
    study.delete()


def test_layers_that_do_not_fit_together_fail_their_trial_and_not_the_study(
    coordinator: Coordinator,
) -> None:
    layers = keras.layers
    picky = saved(
        keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(2, 3, name="one"),
                layers.Conv2D(2, 3, name="two"),
                layers.Flatten(),
                layers.Dense(10, activation="softmax", name="out"),
            ]
        )
    )
    study = coordinator.client().submit(
        model=picky,
        data="digits",
        search={"layers.one.kernel_size": [3, 5], "layers.two.kernel_size": [3, 5]},
        sampler="grid",
        trials=4,
        epochs=1,
        name="Some do not fit",
    )
    with ScriptedDonor(coordinator.url) as donor:
        for _ in range(3):
            lease = donor.await_lease()
            donor.complete(lease, random_result(donor, lease))
    study.wait(timeout=PATIENCE_S, progress=False)
    rows = study.trials()
    assert [r.state for r in rows] == ["completed"] * 3 + ["failed"]
    assert rows[-1].reason
    assert rows[-1].parameters["layers.one.kernel_size"] == 5
    study.delete()


def test_a_private_studys_name_stays_with_its_submitter(coordinator: Coordinator) -> None:
    study = coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        search={},
        trials=1,
        epochs=1,
        name="Our secret",
    )
    make_private(coordinator.data, study.id)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        assert "secret" not in lease.model_dump_json()
        assert lease.unit.study_name == "a private study"
    study.delete()


def test_a_coordinators_own_sleep_is_not_held_against_donors(start_coordinator: Start) -> None:
    coordinator = start_coordinator(lease_seconds=12.0, sweep_seconds=0.1, workers=1)
    study = coordinator.client().submit(
        model=dense_h5(), data="iris", search={}, trials=1, epochs=2, name="Nap"
    )
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        key = donor.key
    coordinator.kill()
    until(lambda: lease_is_over(coordinator, lease.id), what="the lease's time to pass")
    coordinator.start()
    with ScriptedDonor(coordinator.url, key, held=[lease.token]) as again:
        assert [held.id for held in again.welcome.resumed] == [lease.id]
        assert study.trial(0).units[0].tries == 0


def lease_is_over(coordinator: Coordinator, lease: str) -> bool:
    """Say whether a lease's time has passed, by the database of a coordinator that is down."""
    import sqlite3
    import time

    with sqlite3.connect(coordinator.data / "potluck.sqlite3") as database:
        question = "SELECT expires_at FROM lease WHERE id = ?"
        (until_then,) = database.execute(question, (lease,)).fetchone()
        return bool(until_then < time.time())


def test_more_units_a_trial_than_make_sense_are_refused(coordinator: Coordinator) -> None:
    with pytest.raises(BadInput) as refused:
        coordinator.client().submit(
            model=dense_h5(),
            data="iris",
            search={},
            trials=1,
            folds=20,
            repeats=20,
            epochs=3,
            rungs=[1, 2, 3],
            name="Far too many",
        )
    assert refused.value.code == "study.too_many_units"
