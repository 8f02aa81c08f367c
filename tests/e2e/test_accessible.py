"""Pages that everybody can use: nothing serious is found, nothing jumps, phones scroll one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.layout import MOST_SHIFT, shifts, watch_layout
from tests.support.scripted_donor import hand_in
from tests.support.visiting import sign_in_page
from tests.support.waiting import PATIENCE_S

AXE = Path(__file__).parents[2] / "client_web/node_modules/axe-core/axe.min.js"
RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
WIDE, PHONE = {"width": 1240, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def study_id(coordinator: Coordinator) -> str:
    """Make a study with something to show in every place."""
    client = coordinator.client()
    study = client.submit(
        model=dense_h5(),
        data="iris",
        search={"learning_rate": [0.001, 0.01]},
        trials=2,
        epochs=2,
        rungs=2,
        name="Something to look at",
    )
    hand_in(coordinator.url, study.plan.units)
    study.wait(timeout=PATIENCE_S, progress=False)
    study.look_at_test()
    return study.id


PLACES = [
    ("/", "One search for the best network"),
    ("/studies", "Studies"),
    ("/studies/new", "New study"),
    ("/studies/{id}", "Something to look at"),
    ("/studies/{id}?tab=trials", "Something to look at"),
    ("/studies/{id}?tab=data", "Something to look at"),
    ("/studies/{id}?tab=ledger", "Something to look at"),
    ("/studies/{id}?tab=predictions", "Something to look at"),
    ("/models", "Models"),
    ("/datasets", "Datasets"),
    ("/donate", "Give this tab's computing"),
    ("/account", "Account"),
    ("/admin", "Admin"),
    ("/join/nothing", "Join a group"),
]


def serious(page: Page) -> list[Any]:
    """Give what axe-core finds serious or critical on a page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    findings: list[Any] = page.evaluate(RUN)
    return [
        (f["id"], [n["html"][:160] for n in f["nodes"]][:3])
        for f in findings
        if f["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("address", "heading"), PLACES)
def test_no_serious_finding_and_no_sideways_scrolling(
    coordinator: Coordinator,
    person: Callable[..., Page],
    study_id: str,
    address: str,
    heading: str,
    scheme: str,
) -> None:
    viewport = PHONE if scheme == "dark" else WIDE
    url = coordinator.url + address.format(id=study_id)
    page = person(coordinator.url, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    if address != "/account":  # the operator sees every button: the study is another visitor's
        sign_in_page(page, coordinator.operator_token())
    watch_layout(page)
    page.goto(url)
    expect(page.get_by_role("heading", level=1).filter(has_text=heading)).to_be_visible()
    expect(page.get_by_text("Loading")).to_have_count(0)
    assert serious(page) == []
    moved = shifts(page)
    assert moved.total <= MOST_SHIFT, moved
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0


def test_a_study_can_be_reached_and_opened_by_keyboard_alone(
    coordinator: Coordinator, person: Callable[..., Page], study_id: str
) -> None:
    page = person(f"{coordinator.url}/studies/{study_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Something to look at")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to")).to_be_focused()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel") == "Trial 0":
            break
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="Trial 0")
    expect(panel.get_by_text("handed in").first).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Trial 0")).to_be_focused()
