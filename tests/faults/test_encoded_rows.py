"""Encoded rows are made when units need them, go when the study has ended, and can come back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import potluck
from potluck.errors import Conflict
from tests.faults.attacks.checked import submit
from tests.support.coordinator import Coordinator
from tests.support.honest_donor import work
from tests.support.scripted_donor import ScriptedDonor
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def tidy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator that checks what comes back, and tidies up soon."""
    data = tmp_path_factory.mktemp("data")
    found = Coordinator(data, workers=1, own_donor=1, clean_seconds=0.1)
    try:
        yield found.start()
    finally:
        found.stop()


def encoded(study: potluck.Study) -> dict[int, set[str]]:
    """Give the artifacts of a study's parts, as far as the ledger has them; each is there once."""
    told = [e.body["parts"] for e in study.ledger().entries if e.kind == "encoded"]
    numbers = [part["part"] for some in told for part in some]
    assert len(numbers) == len(set(numbers))
    return {part["part"]: {part["train"], part["held"]} for some in told for part in some}


def own_rows(folder: Path) -> Path:
    """Write rows that no other study has."""
    path = folder / "own.csv"
    lines = ["a,b,c,d,kind"]
    lines += [f"{n * n % 97}.5,{n % 7},{n % 11},{n * n % 13},{'xyz'[n % 3]}" for n in range(150)]
    path.write_text("\n".join(lines))
    return path


def rows_of(study: potluck.Study) -> set[str]:
    return set().union(*encoded(study).values())


def finished(tidy: Coordinator, **changes: object) -> potluck.Study:
    """Give a study of two folds that is completed, and whose encoded rows went."""
    rates = {"learning_rate": [1e-3, 1e-2]}
    study = submit(tidy, folds=2, **{"search": rates, **changes})
    with ScriptedDonor(tidy.url) as donor:
        work(donor, 3)
        study.wait(timeout=PATIENCE_S, progress=False)
    until(lambda: not rows_of(study) & tidy.stored(), what="an end of the encoded rows")
    return study


def test_the_refits_rows_are_encoded_when_all_trials_have_ended(tidy: Coordinator) -> None:
    study = submit(tidy, folds=2, scaling="minmax")
    with ScriptedDonor(tidy.url) as donor:
        until(lambda: set(encoded(study)) == {0, 1}, what="the folds' rows")
        work(donor, 2)
        lease = donor.await_lease()
        assert lease.unit.kind == "refit"
        assert set(encoded(study)) == {0, 1, -2}
        assert lease.unit.tensors in encoded(study)[-2]
        donor.hand_back(lease)
    study.delete()


def test_a_study_that_ended_keeps_no_rows_and_shows_and_goes_on_all_the_same(
    tidy: Coordinator,
) -> None:
    study = finished(tidy)
    best, rows = study.best, rows_of(study)
    assert len(best.predictions().predictions) == 120
    until(lambda: not rows & tidy.stored(), what="an end of the rows that were shown")
    study.extend(1)
    with ScriptedDonor(tidy.url) as donor:
        work(donor, 2)
        study.wait(timeout=PATIENCE_S, progress=False)
    assert study.refresh().record.state == "completed"
    assert rows_of(study) == rows  # the same once more
    study.delete()


def test_rows_of_a_deleted_dataset_do_not_come_back(tidy: Coordinator, tmp_path: Path) -> None:
    study = finished(tidy, data=own_rows(tmp_path))
    dataset = study.refresh().record.spec.dataset_id
    tidy.client().delete_dataset(dataset)
    for act in (lambda: study.extend(1), study.best.predictions):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "dataset.deleted"
    study.delete()


def ended_with(study: potluck.Study) -> str:
    """Let a study go on that cannot; give why it failed."""
    study.extend(1)
    until(lambda: study.refresh().record.state == "failed", what="its end")
    return study.refresh().record.reason


def test_a_study_whose_data_is_lost_fails_and_says_why(tidy: Coordinator, tmp_path: Path) -> None:
    study = finished(tidy, data=own_rows(tmp_path))
    entry = next(e for e in study.ledger().entries if e.kind == "dataset")
    [path] = (tidy.data / "artifacts").rglob(entry.body["hash"])
    path.unlink()
    assert ended_with(study).startswith("Its rows could not be encoded")
    study.delete()


def test_rows_that_come_out_differently_are_not_trained_on(tidy: Coordinator) -> None:
    study = finished(tidy, scaling="minmax")
    with closing(sqlite3.connect(tidy.data / "potluck.sqlite3", timeout=20)) as database, database:
        question = "UPDATE part SET train = ? WHERE study_id = ? AND part = 1"
        database.execute(question, ("f" * 64, study.id))
    assert "encoded differently" in ended_with(study)
    study.delete()
