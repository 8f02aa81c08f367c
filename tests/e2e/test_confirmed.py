"""What an honest tab trained is trained again by the coordinator, and the page says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.coordinator import Coordinator
from tests.support.keras_files import digits_h5
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def checking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give a coordinator with a donor of its own."""
    found = Coordinator(tmp_path_factory.mktemp("data"), workers=1, own_donor=1)
    try:
        yield found.start()
    finally:
        found.stop()


def test_a_tabs_honest_work_is_confirmed(
    checking: Coordinator, person: Callable[..., Page]
) -> None:
    study = checking.client().submit(
        model=digits_h5(),
        data="digits",
        trials=3,
        epochs=6,
        folds=2,
        search={"learning_rate": [1e-3, 3e-3, 1e-2], "optimizer": ["adam"]},
        name="Digits, checked",
    )
    donor = person(checking.url)
    donor.goto(f"{checking.url}/donate")
    donor.get_by_role("button", name="Start").first.click()
    study.wait(timeout=PATIENCE_S, progress=False)
    told = [e.body for e in study.ledger().entries if e.kind == "replay"]
    assert len(told) == 7
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
