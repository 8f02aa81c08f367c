"""`potluck donate` as a donor like any other: a real coordinator, real processes, no browser."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import potluck
from potluck.verification import verify_ledger
from tests.conftest import Start
from tests.support.between import Between, serving
from tests.support.coordinator import Coordinator, offers
from tests.support.headless_donor import HeadlessDonor
from tests.support.keras_files import dense_h5, digits_h5, saved
from tests.support.waiting import PATIENCE_S, until


def task() -> tuple[np.ndarray, np.ndarray]:
    """Make a task that a small network learns: which of three numbers is the smallest."""
    x = np.random.default_rng(5).normal(size=(240, 4)).astype(np.float32)
    return x, x[:, :3].argmin(axis=1)


def long_study(coordinator: Coordinator) -> potluck.Study:
    return coordinator.client().submit(
        model=digits_h5(), data="digits", search={}, trials=1, epochs=1500, name="Long"
    )


def saved_step(data: Path) -> int:
    """Ask the coordinator's own database for the step of the newest checkpoint."""
    with sqlite3.connect(data / "potluck.sqlite3") as database:
        found = database.execute("SELECT checkpoint_step FROM unit").fetchone()
        return int(found[0] or 0) if found else 0


def identity(state: Path) -> str:
    [path] = state.glob("*/identity.json")
    return str(json.loads(path.read_text())["donor_key"])


def test_two_workers_finish_a_study_and_end_when_there_is_no_work(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    study = coordinator.client().submit(
        model=dense_h5(),
        data=task(),
        search={"learning_rate": [0.003, 0.01, 0.03], "layers.hidden.units": [8, 16]},
        trials=6,
        epochs=12,
        rungs=[4, 12],
        name="Without a browser",
    )
    options = ("--workers", "2", "--once", "--patience", "5")
    with HeadlessDonor(coordinator.url, tmp_path, *options) as donor:
        study.wait(timeout=PATIENCE_S, progress=False)
        assert donor.wait() == 0, donor.said
    rows = study.trials()
    assert rows[0].mean is not None
    assert rows[0].mean > 0.6
    record = study.refresh().record
    assert record.counts.scored == record.plan.units
    assert f"{record.counts.scored} units were trained" in donor.said
    leases = [
        lease for row in rows for unit in study.trial(row.trial).units for lease in unit.leases
    ]
    assert {(lease.backend, lease.state) for lease in leases} == {("jax", "completed")}
    assert verify_ledger(study.ledger()).holds
    assert list(tmp_path.glob("*/runs/*")) == []  # nothing stays but the identity


def test_a_study_of_a_fitted_normalization_is_completed_and_taken_home(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    import keras

    x, y = task()
    x = 300 * x + 5000  # scaled before the layer scales them, they would be all alike to it
    fitted = keras.layers.Normalization()
    fitted.adapt(x)
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3, activation="softmax")]
    network = keras.Sequential([keras.Input((4,)), fitted, *layers])
    study = coordinator.client().submit(
        model=saved(network, ".keras"),
        data=(x, y),
        search={"learning_rate": [0.03]},
        trials=1,
        epochs=20,
    )
    with HeadlessDonor(coordinator.url, tmp_path, "--once", "--patience", "5") as donor:
        study.wait(timeout=PATIENCE_S, progress=False)
        assert donor.wait() == 0, donor.said
    best = study.best
    assert best.mean > 0.6
    found = np.asarray(best.keras()(best.inputs()["x"]))
    assert np.abs(found - np.asarray(best.predictions().raw)).max() < 1e-5


def test_a_donor_with_little_memory_is_offered_nothing_that_would_not_fit(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    study = coordinator.client().submit(
        model=dense_h5(), data=task(), search={}, trials=1, epochs=2, name="Small"
    )
    until(lambda: offers(study), what="the unit")
    for memory, units in (("0.01M", 0), ("1M", 1)):
        options = ("--once", "--patience", "2", "--memory", memory)
        with HeadlessDonor(coordinator.url, tmp_path, *options) as donor:
            assert donor.wait() == 0, donor.said
            assert f"There is no work. {units} units were trained" in donor.said
    assert [lease.state for lease in study.trial(0).units[0].leases] == ["completed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_hands_back_with_a_checkpoint_and_another_donor_goes_on(
    start_coordinator: Start, tmp_path: Path, number: signal.Signals
) -> None:
    coordinator = start_coordinator(workers=1)
    study = long_study(coordinator)
    with HeadlessDonor(coordinator.url, tmp_path / "first") as donor:
        until(lambda: saved_step(coordinator.data), what=lambda: donor.said or "a checkpoint")
        donor.signal(number)
        assert donor.wait() == 0, donor.said
    assert offers(study)
    saved = saved_step(coordinator.data)
    assert f"Handed back Long: trial 0, epochs 1 to 1500, at step {saved}." in donor.said
    with HeadlessDonor(coordinator.url, tmp_path / "second", "--once", "--patience", "1"):
        study.wait(timeout=PATIENCE_S, progress=False)
    first, second = study.trial(0).units[0].leases
    assert (first.state, second.state) == ("handed_back", "completed")
    # Nothing at all was lost: the last step that was trained is the first checkpoint's.
    assert first.to_step == second.from_step == saved > 0
    assert identity(tmp_path / "first") != identity(tmp_path / "second")


def test_a_killed_donor_s_lease_expires_and_the_unit_is_done_again(
    start_coordinator: Start, tmp_path: Path
) -> None:
    coordinator = start_coordinator(
        workers=1, lease_seconds=30, heartbeat_seconds=1, sweep_seconds=0.2
    )
    study = long_study(coordinator)
    with HeadlessDonor(coordinator.url, tmp_path / "first") as donor:
        until(lambda: study.refresh().record.counts.leased, what="a lease")
        donor.kill()
    until(lambda: offers(study), what="the lease's end")
    with HeadlessDonor(coordinator.url, tmp_path / "second", "--once", "--patience", "1"):
        study.wait(timeout=PATIENCE_S, progress=False)
    states = [lease.state for lease in study.trial(0).units[0].leases]
    assert states == ["expired", "completed"]
    kinds = Counter(entry.kind for entry in study.ledger().entries)
    assert (kinds["lease"], kinds["result"], kinds["score"]) == (2, 1, 1)


def test_a_donor_that_was_killed_and_comes_back_in_time_goes_on_with_its_lease(
    start_coordinator: Start, tmp_path: Path
) -> None:
    coordinator = start_coordinator(workers=1, lease_seconds=600)
    study = long_study(coordinator)
    with HeadlessDonor(coordinator.url, tmp_path) as donor:
        until(lambda: saved_step(coordinator.data), what=lambda: donor.said or "a checkpoint")
        donor.kill()
    with HeadlessDonor(coordinator.url, tmp_path, "--once", "--patience", "1"):
        study.wait(timeout=PATIENCE_S, progress=False)
    assert [lease.state for lease in study.trial(0).units[0].leases] == ["completed"]


def test_a_coordinator_that_is_killed_and_comes_back_finds_its_donor_at_work(
    start_coordinator: Start, tmp_path: Path
) -> None:
    coordinator = start_coordinator(workers=1)
    study = long_study(coordinator)
    with HeadlessDonor(coordinator.url, tmp_path) as donor:
        until(lambda: saved_step(coordinator.data), what=lambda: donor.said or "a checkpoint")
        coordinator.kill()
        until(lambda: "training goes on" in donor.said, what="a donor that noticed")
        coordinator.start()
        study.wait(timeout=PATIENCE_S, progress=False)
        donor.signal(signal.SIGTERM)
        assert donor.wait() == 0, donor.said
    assert [lease.state for lease in study.trial(0).units[0].leases] == ["completed"]
    assert verify_ledger(study.ledger()).holds


def test_a_study_that_is_stopped_is_put_down_calmly(
    start_coordinator: Start, tmp_path: Path
) -> None:
    coordinator = start_coordinator(workers=1, heartbeat_seconds=0.5)
    study = long_study(coordinator)
    with HeadlessDonor(coordinator.url, tmp_path) as donor:
        # At work: what is stopped while it is still fetched ends as a download that is refused.
        until(lambda: saved_step(coordinator.data), what="a checkpoint")
        study.stop()
        until(lambda: "was put down: the study was stopped" in donor.said, what="a calm donor")
        assert donor.process.poll() is None
        donor.signal(signal.SIGTERM)
        assert donor.wait() == 0, donor.said


def test_a_result_that_meets_a_busy_coordinator_is_handed_in_again(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    study = coordinator.client().submit(
        model=dense_h5(), data=task(), search={}, trials=1, epochs=2, name="Busy"
    )
    error = {"code": "busy.database", "message": "Not now.", "hint": "Try again.", "where": ""}
    between = Between(coordinator.url, "complete", {"type": "problem", "error": error})
    options = ("--once", "--patience", "1")
    with serving(between) as url, HeadlessDonor(url, tmp_path, *options) as donor:
        study.wait(timeout=PATIENCE_S, progress=False)
        assert donor.wait() == 0, donor.said
    assert "Not now. Try again." in donor.said
    [unit] = study.trial(0).units
    assert [lease.state for lease in unit.leases] == ["completed"]
    assert [said["leases"][0]["lease_id"] for said in between.kept_back] == [unit.leases[0].id]


def test_an_unreachable_address_is_told_and_a_wrong_one_refused(tmp_path: Path) -> None:
    with HeadlessDonor("http://127.0.0.1:9", tmp_path) as donor:
        until(lambda: "cannot be reached" in donor.said, what="the reason")
        donor.signal(signal.SIGTERM)
        assert donor.wait() == 0, donor.said
    with HeadlessDonor("ftp://nowhere", tmp_path) as donor:
        assert donor.wait() == 2
    assert "no address of a coordinator" in donor.said
