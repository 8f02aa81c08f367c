"""The study page: it fits, and it fetches what is looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

import potluck
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import hand_in

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SEARCH: dict[str, Any] = {
    "learning_rate": potluck.Float(1e-4, 1e-1, log=True),
    "batch_size": [16, 32, 64],
    "optimizer": ["adam", "sgd", "rmsprop"],
    "layers.hidden.units": [8, 16, 32],
    "layers.hidden.activation": ["relu", "tanh"],
}


def submit(coordinator: Coordinator, name: str, trials: int, **changes: Any) -> potluck.Study:
    """Start a study whose board has many parameters."""
    wanted: dict[str, Any] = {"search": SEARCH, "epochs": 3, "rungs": 2, **changes}
    return coordinator.client().submit(
        model=dense_h5(), data="iris", trials=trials, name=name, quiet=True, **wanted
    )


@pytest.mark.parametrize("searched", [1, 5, 8])
def test_a_board_of_any_width_fits_and_shows_its_parameters(
    coordinator: Coordinator, person: Callable[..., Page], searched: int
) -> None:
    more = {"schedule": ["constant", "cosine"], "clipnorm": [0.5, 1.0]}
    more |= {"layers.hidden.use_bias": [True, False]}
    search = dict(list((SEARCH | more).items())[:searched])
    study = submit(coordinator, f"{searched} parameters", 4, search=search, epochs=1, rungs=1)
    hand_in(coordinator.url, 4)
    for viewport in (WIDE, PHONE):
        page = person(study.url, viewport=viewport)
        board = page.get_by_role("region", name="Leaderboard", exact=True)
        expect(board.get_by_text("finished")).to_have_count(4)
        named = board.locator("th, td, dt").filter(has_text="learning rate")
        expect(named.first).to_be_visible()
        cut = "e => [e, ...e.querySelectorAll('*')].filter(x => x.scrollWidth > x.clientWidth + 1"
        cut += " && getComputedStyle(x).overflowX !== 'visible').map(x => x.className)"
        assert board.evaluate(cut) == []
    study.delete()


def test_a_trial_opens_beside_the_board_as_a_table(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    study = submit(coordinator, "Open one", 2, folds=2)
    hand_in(coordinator.url, 2)
    for viewport in (WIDE, PHONE):
        page = person(study.url, viewport=viewport)
        opener = page.get_by_role("button", name="Trial 0", exact=True)
        opener.focus()
        before = opener.bounding_box()
        page.keyboard.press("Enter")
        panel = page.get_by_role("dialog", name="Trial 0")
        expect(panel.get_by_role("columnheader", name="accuracy")).to_be_visible()
        expect(panel.get_by_role("row").filter(has_text="0 to 1")).to_have_count(2)
        assert opener.bounding_box() == before
        page.keyboard.press("Escape")
        expect(panel).to_have_count(0)
        expect(opener).to_be_focused()
    study.delete()


def test_charts_and_ledger_are_fetched_when_they_are_looked_at(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    study = submit(coordinator, "Light", 12, epochs=1, rungs=1)
    hand_in(coordinator.url, 12)
    page = person("about:blank", viewport=WIDE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{study.url}?tab=trials")
    expect(page.get_by_text("finished")).to_have_count(12)
    assert not [url for url in asked if "echarts" in url or "ledger" in url]
    page.get_by_role("tab", name="Overview").click()
    page.get_by_role("img", name="Learning curves").scroll_into_view_if_needed()
    expect(page.locator("canvas")).to_be_visible()
    assert [url for url in asked if "echarts" in url]
    page.get_by_role("tab", name="Ledger").click()
    entries = page.get_by_role("region", name="Ledger entries")
    expect(entries.get_by_role("rowheader")).to_have_count(50)
    (ledger,) = [url for url in asked if "ledger" in url]
    assert "limit=50" in ledger
    newest = entries.get_by_role("row").nth(1).inner_text()
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_role("button", name="Newer")).to_be_enabled()
    assert entries.get_by_role("row").nth(1).inner_text() != newest
    page.get_by_role("button", name="Newest").click()
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()
    study.delete()
