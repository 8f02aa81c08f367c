"""What an honest tab trained is trained again by the coordinator, and the page says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

import potluck
from tests.support.coordinator import Coordinator
from tests.support.headless_donor import HeadlessDonor
from tests.support.keras_files import digits_h5
from tests.support.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def checking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator with a donor of its own."""
    found = Coordinator(tmp_path_factory.mktemp("data"), workers=1, own_donor=1)
    try:
        yield found.start()
    finally:
        found.stop()


@pytest.fixture(scope="module")
def challenging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator for which every unit is too long to be trained again as a whole."""
    data = tmp_path_factory.mktemp("data")
    found = Coordinator(data, workers=1, own_donor=1, own_donor_whole_seconds=0)
    try:
        yield found.start()
    finally:
        found.stop()


def submit_long(challenging: Coordinator) -> potluck.Study:
    """Make a study of eight units: all count as long, and five are no finalists."""
    rates = [k * 1e-3 for k in range(1, 9)]
    return challenging.client().submit(
        model=digits_h5(),
        data="digits",
        trials=len(rates),
        epochs=8,
        search={"learning_rate": rates},
        name="Digits, long",
    )


def challenges_end_well(study: potluck.Study) -> None:
    """Wait for the challenges; those of finalists may be dropped, for all is trained again."""

    def found() -> list[str]:
        replays = httpx2.get(study.url.replace("/studies/", "/api/v1/studies/") + "/replays")
        return [one["state"] for one in replays.json() if one["why"] == "challenge"]

    until(lambda: not {"asked", "open"} & set(found()), what="the verdicts")
    assert found().count("agreed") >= 5
    assert set(found()) <= {"agreed", "dropped"}


def test_a_tab_brings_the_states_that_it_is_asked_for(
    challenging: Coordinator, person: Callable[..., Page]
) -> None:
    study = submit_long(challenging)
    donor = person(challenging.url)
    donor.goto(f"{challenging.url}/donate")
    donor.get_by_role("button", name="Start").first.click()
    study.wait(timeout=PATIENCE_S, progress=False)
    challenges_end_well(study)
    study.delete()


def test_a_headless_donor_brings_the_states_that_it_is_asked_for(
    challenging: Coordinator, tmp_path: Path
) -> None:
    study = submit_long(challenging)
    with HeadlessDonor(challenging.url, tmp_path, "--once") as donor:
        study.wait(timeout=PATIENCE_S, progress=False)
        assert donor.wait() == 0, donor.said
    challenges_end_well(study)
    study.delete()


def test_a_tabs_honest_work_is_confirmed(
    checking: Coordinator, person: Callable[..., Page]
) -> None:
    study = checking.client().submit(
        model=digits_h5(),
        data="digits",
        trials=3,
        rungs=[2, 6],  # others go on from the first one's states: all of those is compared
        folds=2,
        search={"learning_rate": [1e-3, 3e-3, 1e-2], "optimizer": ["adam"]},
        name="Digits, checked",
    )
    donor = person(checking.url)
    donor.goto(f"{checking.url}/donate")
    donor.get_by_role("button", name="Start").first.click()
    study.wait(timeout=PATIENCE_S, progress=False)
    told = [e.body for e in study.ledger().entries if e.kind == "replay"]
    assert len(told) >= 7
    assert {e["verdict"] for e in told} == {"agreed"}, told
    best = study.best
    assert best.check == "confirmed"
    assert best.own is not None
    assert best.own.loss is not None
    reader = person(checking.url)
    reader.goto(f"{checking.url}/studies/{study.id}")
    card = reader.get_by_role("region", name="Best model")
    expect(card.get_by_text("Confirmed:")).to_be_visible()
    expect(card.get_by_text("The file itself, on the")).to_be_visible()
    board = reader.get_by_role("region", name="Leaderboard")
    expect(board.get_by_text("confirmed").first).to_be_visible()
