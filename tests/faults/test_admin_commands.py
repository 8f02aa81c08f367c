"""`potluck admin` on the server's own machine, while the coordinator runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.programs import child_environment
from tests.support.visiting import code, somebody


def admin(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `potluck admin`."""
    return subprocess.run(
        [sys.executable, "-m", "potluck", "admin", *words, "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
    )


def said(data: Path, *words: str) -> list[str]:
    """Run a command that works; give its lines."""
    done = admin(data, *words)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


@pytest.fixture
def closed(start_coordinator: Start) -> Coordinator:
    return start_coordinator(open=False, workers=1)


def test_a_lost_admin_token_has_a_way_back(closed: Coordinator) -> None:
    [token] = said(closed.data, "new-token")
    with somebody(closed.url, token) as operator:
        assert operator.get("/session").json()["role"] == "admin"
        assert operator.post("/accounts", json={"name": "Ada"}).status_code == 201
    lines = said(closed.data, "accounts")
    assert [line.split("\t")[:2] for line in lines] == [["admin", "admin"], ["Ada", "submitter"]]
    [ada] = said(closed.data, "new-token", "Ada", "--name", "spare")
    with somebody(closed.url, ada) as client:
        assert client.get("/session").json()["name"] == "Ada"
        lines = said(closed.data, "tokens", "Ada")
        assert [line.split("\t")[1] for line in lines] == ["first token", "spare"]
        assert not any(ada in line for line in lines)
        assert said(closed.data, "revoke-token", lines[1].split("\t")[0]) == ["spare: revoked"]
        assert code(client.get("/session")) == (401, "access.token_unknown")
    assert said(closed.data, "revoke-account", "Ada") == ["Ada: revoked"]


def test_it_works_while_no_coordinator_runs_and_its_token_counts_afterwards(
    closed: Coordinator,
) -> None:
    closed.stop()
    [token] = said(closed.data, "new-token")
    closed.start()
    with somebody(closed.url, token) as operator:
        assert operator.get("/session").json()["role"] == "admin"


def test_what_cannot_be_done_is_said_in_a_line(closed: Coordinator, tmp_path: Path) -> None:
    for words, reason in (
        (("new-token", "Eve"), "There is no account named Eve."),
        (("revoke-token", "tk_x"), "There is no such token."),
        (("revoke-account", "admin"), "This is the only admin's account."),
        (("new-token", "--name", " "), "The name of a token shows nothing."),
    ):
        done = admin(closed.data, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"potluck: {reason}")
        assert done.stderr.count("\n") == 1
    done = admin(tmp_path / "nothing", "accounts")
    assert done.returncode == 1
    assert "There is no coordinator's database" in done.stderr
    assert not (tmp_path / "nothing").exists()
