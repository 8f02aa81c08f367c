"""What nothing names is collected; what somebody is about to name, or names, never is."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import potluck
from potluck_coordinator.app import create_app
from potluck_coordinator.core.records import Donor
from potluck_coordinator.services.collection import collect
from potluck_coordinator.services.site import Site
from potluck_coordinator.settings import Settings
from potluck_coordinator.storage import donors
from potluck_coordinator.storage.transaction import Transaction
from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.fresh import fresh
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, hand_in
from tests.support.waiting import PATIENCE_S, until

TRIALS = 8
TABLE = {"a": [1, 2] * 9, "b": ["x", "y"] * 9}


@pytest.fixture
def greedy(start_coordinator: Start) -> Coordinator:
    """Give a coordinator that collects all the time whatever nothing names at that moment."""
    return start_coordinator(collect_seconds=0.05, collect_after=0, clean_seconds=0.05, workers=1)


def submit(coordinator: Coordinator) -> potluck.Study:
    rate = potluck.Float(0.001, 0.1)
    return coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        trials=TRIALS,
        epochs=2,
        search={"learning_rate": rate},
        name="Irises",
    )


def test_a_study_runs_to_its_end_while_everything_unnamed_is_collected(
    greedy: Coordinator, tmp_path: Path
) -> None:
    study = submit(greedy)
    hand_in(greedy.url, TRIALS)
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().record.counts.scored == TRIALS
    assert study.best.save(tmp_path / "best.h5").stat().st_size > 0


def test_when_all_is_deleted_nothing_is_left(greedy: Coordinator) -> None:
    study = submit(greedy)
    hand_in(greedy.url, 3)
    with ScriptedDonor(greedy.url) as donor:
        lease = donor.begin()
        donor.put(b"a state that nobody will ever name", lease.token)
        client = greedy.client()
        with pytest.raises(potluck.Conflict, match=r"model\.in_use"):
            client.delete_model(study.record.spec.model_id)
        study.stop()
        study.delete()
        client.delete_model(study.record.spec.model_id)
        client.delete_dataset(study.record.spec.dataset_id)
        assert client.models() == []
    until(lambda: not greedy.stored(), what=lambda: f"an empty store, not {greedy.stored()}")


def test_what_a_crash_left_behind_is_collected(start_coordinator: Start, tmp_path: Path) -> None:
    orphan = tmp_path / "data" / "artifacts" / "ab" / "cd" / ("abcd" + "0" * 60)
    torn = tmp_path / "data" / "artifacts" / ".incoming" / "potluck-torn"
    for path in (orphan, torn):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"nobody knows what this was")
        os.utime(path, (1e9, 1e9))
    coordinator = start_coordinator(collect_seconds=0.05, collect_after=0)
    coordinator.client().upload_data(TABLE)  # so that it is seen that the folder is its own
    until(lambda: not orphan.exists() and not torn.exists(), what="both to go")


def test_what_another_database_names_is_not_collected(start_coordinator: Start) -> None:
    coordinator = start_coordinator(
        collect_seconds=0.05, collect_after=0, forget_donors_after=2, workers=1
    )
    kept = coordinator.client().upload_data(TABLE)
    until(lambda: (coordinator.data / "artifacts-of").exists(), what="a round of collection")
    coordinator.stop()
    before = coordinator.stored()
    for file in coordinator.data.glob("potluck.sqlite3*"):
        file.rename(file.with_name(f"set-aside-{file.name}"))
    coordinator.start()
    assert kept.id not in [one.id for one in coordinator.client().datasets()]
    with ScriptedDonor(coordinator.url) as passing:
        identity = passing.welcome.donor_id
    until(lambda: not knows(coordinator, identity), what="a round of collection")
    assert coordinator.stored() == before


def test_artifacts_at_another_place_are_not_collected(
    start_coordinator: Start, tmp_path: Path
) -> None:
    place = tmp_path / "shared"
    others = place / "ab" / "cd" / ("abcd" + "0" * 60)
    others.parent.mkdir(parents=True)
    others.write_bytes(b"another coordinator's")
    coordinator = start_coordinator(
        collect_seconds=0.05, collect_after=0, forget_donors_after=2, artifacts=place
    )
    made = coordinator.client().upload_data(TABLE)
    coordinator.client().delete_dataset(made)
    with ScriptedDonor(coordinator.url, secrets.token_hex(16)) as passing:
        identity = passing.welcome.donor_id
    until(lambda: not knows(coordinator, identity), what="a round of collection")
    assert others.exists()


def test_a_stranger_who_never_did_anything_is_forgotten(start_coordinator: Start) -> None:
    coordinator = start_coordinator(collect_seconds=0.1, forget_donors_after=2)
    with ScriptedDonor(coordinator.url) as here:
        for _ in range(5):
            with ScriptedDonor(coordinator.url) as passing:
                last = passing.welcome.donor_id
        until(lambda: not knows(coordinator, last), what="the strangers to be forgotten")
        assert knows(coordinator, here.welcome.donor_id)  # who is here stays


def knows(coordinator: Coordinator, donor: str) -> bool:
    """Say whether a coordinator's database has a donor's record."""
    with closing(sqlite3.connect(coordinator.data / "potluck.sqlite3")) as database:
        found = database.execute("select 1 from donor where id = ?", (donor,)).fetchone()
    return found is not None


def test_strangers_go_some_at_a_time_and_others_write_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("testserver",)
    app = create_app(
        Settings(data=fresh(tmp_path), allowed_hosts=names, workers=1, collect_seconds=0)
    )
    sizes: list[int] = []
    forget = donors.forget_strangers

    def noted(tx: Transaction, donor_ids: list[str], before: float) -> int:
        sizes.append(len(donor_ids))
        return forget(tx, donor_ids, before)

    def meet(tx: Transaction) -> None:
        for number in range(1200):
            donors.meet(tx, Donor(id=f"d{number}", name="d", created_at=1.0, seen_at=1.0))

    monkeypatch.setattr(donors, "forget_strangers", noted)
    with TestClient(app) as client:
        site: Site = app.state.site
        site.writer.submit(meet).result()
        assert client.portal is not None
        assert client.portal.call(collect, site).donors == 1200
    assert sizes == [500, 500, 200]
