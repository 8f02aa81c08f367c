"""One coordinator a data folder, and what the first start tells whom."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.processes import end_group
from tests.support.programs import child_environment
from tests.support.waiting import PATIENCE_S


def serve(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Try to start a coordinator that will not listen for long."""
    command = [sys.executable, "-m", "potluck", "serve", "--port", "0", "--data", str(data)]
    return subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
        timeout=PATIENCE_S,
    )


def test_a_second_coordinator_on_a_folder_is_refused_in_one_sentence(
    start_coordinator: Start,
) -> None:
    first = start_coordinator(workers=1)
    answer = serve(first.data)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert re.fullmatch(
        rf"potluck: The data folder {re.escape(str(first.data))} is in use by another coordinator "
        rf"\(process {first.pid}, started 20\d\d-\S+\): stop that one, or choose another folder "
        r"with --data\.\n",
        answer.stderr,
    )
    assert httpx2.get(f"{first.url}/healthz").json()["status"] == "ok"


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(Coordinator.kill, id="killed"),
        pytest.param(Coordinator.kill_alone, id="killed-without-its-workers"),
        pytest.param(Coordinator.stop, id="stopped"),
    ],
)
def test_a_coordinator_that_ended_blocks_no_other(
    end: Callable[[Coordinator], object], start_coordinator: Start
) -> None:
    coordinator = start_coordinator(workers=1)
    before = coordinator.pid
    end(coordinator)
    assert json.loads((coordinator.data / "potluck.lock").read_text())["process"] == before
    coordinator.start()
    assert json.loads((coordinator.data / "potluck.lock").read_text())["process"] == coordinator.pid


def test_whatever_the_lock_says_counts_for_nothing(start_coordinator: Start) -> None:
    coordinator = start_coordinator(workers=1)
    for said in ("", "not json", '{"process": []}', "[" * 5000):
        (coordinator.data / "potluck.lock").write_text(said)
        answer = serve(coordinator.data)
        assert answer.returncode == 1
        assert "is in use by another coordinator: stop that one" in answer.stderr


def test_a_folder_that_cannot_be_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = serve(tmp_path / "file" / "data")
    assert answer.returncode == 1
    assert answer.stderr.startswith("potluck: The data folder")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/db",
        "nonsense",
        "sqlite://",
        "sqlite:////nowhere/at/all.db",
        "postgresql://ann:secret@127.0.0.1:1/potluck",
    ],
)
def test_a_database_that_cannot_be_is_refused_in_one_sentence(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POTLUCK_DATABASE", url)
    answer = serve(tmp_path / "data")
    assert answer.returncode == 1
    assert answer.stderr.startswith("potluck: The database")
    assert "secret" not in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_damaged_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "potluck.sqlite3").write_bytes(b"No database. " * 1000)
    answer = serve(tmp_path)
    assert answer.returncode == 1
    assert "is damaged (file is not a database)" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_postgresql_address_without_its_driver_says_what_brings_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        f"from potluck.cli import main; main(['serve', '--data', {str(tmp_path)!r}])"
    )
    address = {"POTLUCK_DATABASE": "postgresql://ada@127.0.0.1/potluck"}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(address),
    )
    assert answer.returncode == 1
    assert answer.stderr == (
        "potluck: A postgresql:// database needs PostgreSQL's driver, which is not installed: "
        'pip install "potluck[postgresql]".\n'
    )


def test_without_a_terminal_the_admin_token_goes_to_a_file_of_this_user(
    start_coordinator: Start,
) -> None:
    coordinator = start_coordinator(open=False, workers=1, tables=False)
    token = coordinator.operator_token()
    path = coordinator.data / "admin-token"
    assert path.read_text() == f"{token}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert coordinator.data.stat().st_mode & 0o777 == 0o700
    assert any(str(path) in line for line in coordinator.lines)
    assert not any(token in line for line in coordinator.lines)
    headers = {"Authorization": f"Bearer {token}"}
    made = httpx2.post(f"{coordinator.url}/api/v1/tokens", json={"name": "Ada"}, headers=headers)
    assert made.status_code == 201
    coordinator.stop()
    coordinator.start()
    assert sum("Admin token" in line for line in coordinator.lines) == 1


def test_a_terminal_is_told_the_admin_token_and_no_file_holds_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "potluck", "serve", "--port", "0", "--data", str(tmp_path)]
    process = subprocess.Popen(
        command, stdout=theirs, stderr=theirs, env=child_environment(), start_new_session=True
    )
    os.close(theirs)
    giving_up = threading.Timer(PATIENCE_S, end_group, [process])
    giving_up.start()
    try:
        said = b""
        while b"Admin token" not in said or not said.endswith(b"\n"):
            said += os.read(ours, 1000)
    finally:
        giving_up.cancel()
        end_group(process)
        os.close(ours)
    assert re.search(rb"Admin token, shown this once: \S{20,}\r\n", said)
    assert not (tmp_path / "admin-token").exists()
