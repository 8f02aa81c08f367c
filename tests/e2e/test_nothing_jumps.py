"""From the upload to the best model, no page moves under a reader by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.test_person import make_study, prepare_study
from tests.support.coordinator import Coordinator
from tests.support.donor_tab import give, press
from tests.support.layout import MOST_SHIFT, shifts, watch_layout
from tests.support.waiting import until

SIZES = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("size", SIZES)
def test_a_study_from_upload_to_download(
    coordinator: Coordinator, person: Callable[..., Page], size: str
) -> None:
    pages: dict[str, Page] = {}

    def visit(name: str, address: str) -> Page:
        pages[name] = person("about:blank", viewport=SIZES[size])
        watch_layout(pages[name])
        pages[name].goto(coordinator.url + address)
        return pages[name]

    page = visit("new study, then the study", "/")
    make_study(page, f"Still on a {size} screen", folds=3)
    expect(page.get_by_text("Nobody is training this study right now")).to_be_visible()
    expect(page.get_by_text("waiting", exact=True).first).to_be_visible()
    expect(page.get_by_text("training", exact=True)).to_have_count(0)
    visit("home", "/")
    visit("gallery", "/studies")
    donor = visit("donate", "/donate?backend=wasm")
    give(donor, 100)
    press(donor)
    expect(page.get_by_text("completed", exact=True)).to_be_visible()
    expect(page.get_by_text("finished", exact=True)).to_have_count(2)
    expect(page.get_by_role("link", name="Download .keras")).to_be_attached()
    expect(donor.get_by_text("no unit now")).to_be_visible()
    moved = {name: shifts(one) for name, one in pages.items()}
    assert {name: one for name, one in moved.items() if one.total > MOST_SHIFT} == {}


@pytest.mark.parametrize("size", SIZES)
def test_a_plan_that_comes_late_finds_its_room(
    coordinator: Coordinator, person: Callable[..., Page], size: str
) -> None:
    held: list[Route] = []
    page = person("about:blank", viewport=SIZES[size])
    watch_layout(page)
    page.goto(coordinator.url)
    prepare_study(page, folds=None)
    expect(page.get_by_text("This is what will run.")).to_be_visible()
    before = shifts(page).total
    page.route("**/api/v1/studies/plan", lambda route: held.append(route))
    page.reload()  # from here on nothing that moves follows from a click or a key
    expect(page.get_by_role("button", name="Start the study")).to_be_attached()
    until(lambda: page.evaluate("() => true") and held, what="the question for the plan")
    waiting = shifts(page).total
    for route in held:
        route.continue_()
    expect(page.get_by_text("This is what will run.")).to_be_visible()
    expect(page.get_by_text("Who gets what")).to_be_visible()
    found = shifts(page)
    assert before <= MOST_SHIFT
    assert found.total - waiting <= MOST_SHIFT / 5, found
