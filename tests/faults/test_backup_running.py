"""`potluck backup` while studies run; what is restored into an empty place goes on from there."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import potluck
from potluck.verification import verify_ledger
from potluck_coordinator.storage.artifacts import STAGING
from potluck_coordinator.storage.engine import make_engine
from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.database_rows import all_rows
from tests.support.headless_donor import HeadlessDonor
from tests.support.keras_files import dense_h5
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.programs import child_environment
from tests.support.waiting import PATIENCE_S, until

__all__ = ["postgres_server"]


def command(*words: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line as an operator would."""
    return subprocess.run(
        [sys.executable, "-m", "potluck", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment({f"POTLUCK_{k.upper()}": v for k, v in settings.items()}),
        timeout=PATIENCE_S,
    )


def begin(coordinator: Coordinator) -> potluck.Study:
    return coordinator.client().submit(
        model=dense_h5(),
        data="iris",
        search={"learning_rate": [0.003, 0.01, 0.03]},
        trials=3,
        epochs=20,
        rungs=[5, 20],
        name="Under way",
    )


def artifacts_of(folder: Path) -> dict[str, str]:
    """Hash every artifact of a folder, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and STAGING not in path.parts
    }


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_backup_of_a_running_coordinator_goes_on_elsewhere(
    database: str, start_coordinator: Start, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings: dict[str, str] = {}
    elsewhere: dict[str, str] = {}
    if database == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        settings["database"] = server.new_database(migrated=False)
        elsewhere["database"] = server.new_database(migrated=False)
    coordinator = start_coordinator(workers=1, **settings)
    study = begin(coordinator)
    file, still = tmp_path / "running.tar", tmp_path / "still.tar"
    with HeadlessDonor(coordinator.url, tmp_path / "donor", "--once", "--patience", "1"):
        until(lambda: study.refresh().record.counts.scored >= 2, "two scores")
        done = command("backup", file, "--data", coordinator.data, **settings)
        assert done.returncode == 0, done.stderr
        with tarfile.open(file, "r:") as archive:
            assert all(
                member.name == f"artifacts/{hashlib.sha256(content.read()).hexdigest()}"
                for member in archive
                if member.name.startswith("artifacts/")
                and (content := archive.extractfile(member)) is not None
            )
        until(lambda: study.refresh().record.counts.scored >= 3, "more scores")
    coordinator.stop()

    # Of a coordinator that stands still, every row and every artifact can be compared.
    assert command("backup", still, "--data", coordinator.data, **settings).returncode == 0
    new = tmp_path / "compared"
    done = command("restore", still, "--data", new)
    assert done.returncode == 0, done.stderr
    here = make_engine(settings.get("database", f"sqlite:///{coordinator.data}/potluck.sqlite3"))
    there = make_engine(f"sqlite:///{new}/potluck.sqlite3")
    assert all_rows(there) == all_rows(here)
    here.dispose()
    there.dispose()
    kept = artifacts_of(coordinator.data / "artifacts")
    assert artifacts_of(new / "artifacts") == kept == {name: name for name in kept}

    # What was backed up in the middle of the study goes on to its end.
    done = command("restore", file, "--data", tmp_path / "again", **elsewhere)
    assert done.returncode == 0, done.stderr
    again = start_coordinator("again", workers=1, **elsewhere)
    found = again.client().study(study.id)
    assert found.refresh().record.counts.scored >= 2
    with HeadlessDonor(again.url, tmp_path / "donor2", "--once", "--patience", "1"):
        found.wait(timeout=PATIENCE_S, progress=False)
    assert found.refresh().record.state == "completed"
    assert verify_ledger(found.ledger()).holds
    assert found.best is not None
