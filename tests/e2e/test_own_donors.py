"""Studies that not everyone may train, from the SDK and the command line to headless donors."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import potluck
from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.headless_donor import HeadlessDonor
from tests.support.keras_files import dense_h5
from tests.support.processes import descendants
from tests.support.programs import child_environment
from tests.support.visiting import somebody
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture
def closed(start_coordinator: Start) -> Coordinator:
    return start_coordinator(open=False, workers=1)


@pytest.fixture
def ada(closed: Coordinator) -> str:
    """Give the token of a submitter."""
    with somebody(closed.url, closed.operator_token()) as operator:
        return str(operator.post("/accounts", json={"name": "Ada"}).json()["token"])


def submit(client: potluck.Client, **options: object) -> potluck.Study:
    return client.submit(
        model=dense_h5(),
        data="iris",
        trials=1,
        epochs=1,
        rows_are_public=False,
        **options,  # type: ignore[arg-type]  # passed on
    )


def potluck_group(url: str, token: str, *words: str) -> list[str]:
    """Run `potluck group`; give its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "potluck", "group", *words, "--url", url, "--token", token],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_donate_only_token_trains_its_accounts_own_study(
    closed: Coordinator, ada: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = submit(closed.client(ada), donors="mine", visibility="private")
    assert "Only the submitter's own donors get" in capsys.readouterr().err
    with somebody(closed.url, ada) as client:
        made = client.post("/account/tokens", json={"name": "node", "scope": "donate"}).json()
    once = ("--once", "--patience", "3")
    with HeadlessDonor(closed.url, tmp_path / "stranger", *once) as stranger:
        assert stranger.wait() == 0, stranger.said
    assert study.refresh().record.counts.ready == 1
    with HeadlessDonor(closed.url, tmp_path / "own", "--token", made["token"], *once) as own:
        assert own.wait() == 0, own.said
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.state == "completed"
    with somebody(closed.url, ada) as client:
        client.delete(f"/account/tokens/{made['record']['id']}")
    with HeadlessDonor(closed.url, tmp_path / "own", "--token", made["token"]) as late:
        assert late.wait() == 1
    assert "This token is not known here" in late.said


def test_headless_tabs_donate_by_a_donate_only_token_that_no_other_process_gets(
    closed: Coordinator, ada: str, tmp_path: Path
) -> None:
    study = submit(closed.client(ada), donors="mine", visibility="private")
    with somebody(closed.url, ada) as client:
        made = client.post("/account/tokens", json={"name": "node", "scope": "donate"}).json()
    token = made["token"]
    with HeadlessDonor(closed.url, tmp_path, "--browser", env={"POTLUCK_TOKEN": token}) as tabs:
        study.wait(timeout=PATIENCE_S, progress=False)
        assert study.state == "completed"
        others = {pid: words_of(pid) for pid in descendants(tabs.process.pid)}
        assert any("chrom" in words for words in others.values())
        assert [pid for pid, words in others.items() if token in words] == []
        tabs.signal(signal.SIGTERM)
        assert tabs.wait() == 0, tabs.said
    assert token not in tabs.said
    with somebody(closed.url, ada) as client:
        client.delete(f"/account/tokens/{made['record']['id']}")
    with HeadlessDonor(closed.url, tmp_path, "--browser", "--token", token) as late:
        assert late.wait() == 1
    assert "This token is not known here" in late.said


def words_of(pid: int) -> str:
    """Give a process's arguments and environment; nothing where it is gone."""
    words = ""
    for name in ("cmdline", "environ"):
        with suppress(OSError):
            words += (Path("/proc") / str(pid) / name).read_bytes().decode(errors="replace")
    return words


def test_a_group_is_made_joined_and_left_on_the_command_line(
    closed: Coordinator, ada: str, tmp_path: Path
) -> None:
    [link] = potluck_group(closed.url, ada, "new", "Cluster nodes")
    client = closed.client(ada)
    study = submit(client, donors="group", group="Cluster nodes")
    with HeadlessDonor(closed.url, tmp_path, "--join", link) as member:
        study.wait(timeout=PATIENCE_S, progress=False)
        assert study.state == "completed"
        assert "Joined the group Cluster nodes of Ada." in member.said
        member.signal(signal.SIGTERM)
        assert member.wait() == 0
    # Its key is kept: the next run needs no link.
    again = submit(client, donors="group", group="Cluster nodes")
    with HeadlessDonor(closed.url, tmp_path, "--once", "--patience", "3") as member:
        assert member.wait() == 0
    again.wait(timeout=PATIENCE_S, progress=False)
    [_, line] = potluck_group(closed.url, ada, "members", "Cluster nodes")
    assert "potluck donate on " in line
    assert potluck_group(closed.url, ada, "remove", "Cluster nodes", line.split()[0]) == [
        "Removed."
    ]
    assert potluck_group(closed.url, ada, "rename", "Cluster nodes", "Nodes") == ["Nodes: renamed"]
    [newer] = potluck_group(closed.url, ada, "new-link", "Nodes")
    assert newer != link
    assert newer in "\n".join(potluck_group(closed.url, ada, "list"))
    with HeadlessDonor(closed.url, tmp_path / "late", "--join", link) as late:
        assert late.wait() == 1
    assert "No group has this code." in late.said
    assert potluck_group(closed.url, ada, "delete", "Nodes") == ["Deleted."]
    assert client.groups.all() == []


def test_groups_in_the_sdk(closed: Coordinator, ada: str) -> None:
    groups = closed.client(ada).groups
    lab = groups.make("Lab 3")
    assert groups.link("Lab 3") == groups.link(lab) == f"{closed.url}/join/{lab.code}"
    assert groups.find(lab.id) == lab
    assert groups.members(lab) == []
    with pytest.raises(potluck.BadArgument, match="You have no group 'Lab 4'; there are: 'Lab 3'"):
        groups.find("Lab 4")
    with pytest.raises(potluck.BadArgument, match="1 to 120 characters"):
        groups.make("")
    with pytest.raises(potluck.Conflict):
        groups.make("Lab 3")


def test_on_an_open_coordinator_a_users_own_programs_train_what_they_submitted(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    study = submit(coordinator.client(), donors="mine", visibility="private")
    until(lambda: study.refresh().record.counts.ready == 1)
    with HeadlessDonor(coordinator.url, tmp_path, "--once", "--patience", "3") as own:
        assert own.wait() == 0, own.said
    study.wait(timeout=PATIENCE_S, progress=False)
    assert study.state == "completed"
