"""`potluck admin` on the server's own machine, while the coordinator runs."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.programs import child_environment
from tests.support.visiting import code, somebody
from tests.support.waiting import PATIENCE_S


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


def test_tokens_are_renamed_and_given_an_end(closed: Coordinator) -> None:
    with somebody(closed.url, closed.operator_token()) as operator:
        secret = operator.post("/accounts", json={"name": "Ada"}).json()["token"]
    [line] = said(closed.data, "tokens", "Ada")
    token = line.split("\t")[0]
    assert line.split("\t")[5] == "never expires"
    assert said(closed.data, "rename-token", token, " desk ") == ["first token: renamed to desk"]
    with somebody(closed.url, secret) as ada:

        def listed() -> tuple[str, float | None]:
            [found] = ada.get("/account/tokens").json()
            return found["name"], found["expires_at"]

        assert listed() == ("desk", None)
        [told] = said(closed.data, "expire-token", token, "30")
        _, end = listed()
        assert end is not None
        assert abs(end - time.time() - 30 * 86400) < PATIENCE_S
        day = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d")
        assert told == f"desk: expires {day}"
        [line] = said(closed.data, "tokens", "Ada")
        assert line.split("\t")[5] == f"expires {day}"
        assert said(closed.data, "expire-token", token, "never") == ["desk: never expires"]
        assert listed() == ("desk", None)
        said(closed.data, "expire-token", token, "0")
        assert code(ada.get("/account/tokens")) == (401, "access.token_unknown")
    for words in (("expire-token", token, "never"), ("rename-token", token, "x")):
        done = admin(closed.data, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("potluck: This token has expired.")
        assert "make another one" in done.stderr


def test_accounts_are_made_and_renamed(closed: Coordinator) -> None:
    [ada] = said(closed.data, "new-account", " Ada ")
    [boss] = said(closed.data, "new-account", "Boss", "--admin")
    with somebody(closed.url, ada) as client, somebody(closed.url, boss) as operator:
        told = client.get("/session").json()
        assert (told["name"], told["role"]) == ("Ada", "submitter")
        assert operator.get("/session").json()["role"] == "admin"
        group = client.post("/groups", json={"name": "a lab"}).json()
        assert said(closed.data, "rename-account", "Ada", "Ada L.") == ["Ada: renamed to Ada L."]
        assert client.get("/session").json()["name"] == "Ada L."
        assert [one["id"] for one in client.get("/groups").json()] == [group["id"]]
        assert client.get("/groups").json()[0]["owner"] == "Ada L."


def test_tokens_that_only_donate_or_end_are_made(closed: Coordinator) -> None:
    said(closed.data, "new-account", "Ada")
    [node] = said(closed.data, "new-token", "Ada", "--name", "node", "--donate-only")
    [short] = said(closed.data, "new-token", "Ada", "--name", "short", "--days", "30")
    [gone] = said(closed.data, "new-token", "Ada", "--days", "0")
    _, second, third, _ = (line.split("\t") for line in said(closed.data, "tokens", "Ada"))
    day = datetime.fromtimestamp(time.time() + 30 * 86400, UTC).strftime("%Y-%m-%d")
    assert (second[1], second[2], second[5]) == ("node", "donate", "never expires")
    assert (third[1], third[2], third[5]) == ("short", "all", f"expires {day}")
    with somebody(closed.url, node) as client:
        assert code(client.get("/models")) == (403, "access.donate_only")
    with somebody(closed.url, short) as client:
        assert client.get("/models").status_code == 200
    with somebody(closed.url, gone) as client:
        assert code(client.get("/models")) == (401, "access.token_unknown")


def test_what_cannot_be_done_is_said_in_a_line(closed: Coordinator, tmp_path: Path) -> None:
    known = said(closed.data, "tokens", "admin")[0].split("\t")[0]
    for words, reason in (
        (("new-token", "Eve"), "There is no account named Eve."),
        (("revoke-token", "tk_x"), "There is no such token."),
        (("rename-token", "tk_x", "desk"), "There is no such token."),
        (("expire-token", "tk_x", "1"), "There is no such token."),
        (("expire-token", known, "40000"), "A token expires in 0 to 36500 days, or never."),
        (("expire-token", known, "nan"), "A token expires in 0 to 36500 days, or never."),
        (("rename-token", known, " "), "The name of a token shows nothing."),
        (("revoke-account", "admin"), "This is the only admin's account."),
        (("new-token", "--name", " "), "The name of a token shows nothing."),
        (("new-token", "--days", "-1"), "A token expires in 0 to 36500 days, or never."),
        (("new-account", "admin"), "An account of this name exists."),
        (("new-account", "Admin"), "An account of a name that looks like this one exists."),
        (("new-account", "anyone"), "This name stands for those who have no account."),
        (("rename-account", "Eve", "Ada"), "There is no account named Eve."),
        (("rename-account", "admin", "anyone: x"), "This name stands for those who have no"),
    ):
        done = admin(closed.data, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"potluck: {reason}")
        assert done.stderr.count("\n") == 1
    done = admin(closed.data, "expire-token", known, "soon")
    assert done.returncode == 2
    assert "DAYS is 'soon'; it may be a number of days, or never." in done.stderr
    done = admin(tmp_path / "nothing", "accounts")
    assert done.returncode == 1
    assert "There is no coordinator's database" in done.stderr
    assert not (tmp_path / "nothing").exists()
