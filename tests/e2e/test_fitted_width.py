"""A table that is wider than the model: a person presses the offer, and a tab trains the study."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Donate
from tests.e2e.test_person import irises
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5


def with_places() -> bytes:
    """Give the irises with a column of six words: four numbers become ten."""
    head, *rows = irises().decode().splitlines()
    told = [f"{'abcdef'[i % 6]}town,{row}" for i, row in enumerate(rows)]
    return "\n".join([f"place,{head}", *told, ""]).encode()


def test_the_offer_is_pressed_and_a_tab_trains_the_fitted_model(
    coordinator: Coordinator, person: Callable[..., Page], donate: Donate
) -> None:
    page = person(f"{coordinator.url}/studies/new")
    page.get_by_label("Upload a model").set_input_files(
        {"name": "net.h5", "mimeType": "application/octet-stream", "buffer": dense_h5()}
    )
    expect(page.get_by_role("rowheader", name="hidden")).to_be_visible()
    page.get_by_role("button", name="Next: data").click()
    page.get_by_label("Upload a dataset").set_input_files(
        {"name": "places.csv", "mimeType": "text/csv", "buffer": with_places()}
    )
    page.get_by_label("Target: species").check()
    page.get_by_label("Test rows, %").fill("10")
    fit = page.get_by_role("button", name="Fit the first layer to 10 numbers")
    expect(fit).to_be_visible()
    expect(page.get_by_role("button", name="Next: search")).to_be_disabled()
    expect(page.get_by_text("starts anew: 10 × 8 weights")).to_be_visible()
    fit.click()
    expect(page.get_by_text("The model is net, 10 inputs, made from net.h5")).to_be_visible()
    expect(fit).to_have_count(0)
    expect(page.get_by_label("Test rows, %")).to_have_value("10")

    # Other columns: the offer comes again, of the uploaded model; and that can be taken back.
    page.get_by_label("Feature: place").uncheck()
    page.get_by_role("button", name="Take net.h5 back").click()
    expect(page.get_by_role("button", name="Next: search")).to_be_enabled()
    page.get_by_label("Feature: place").check()
    fit.click()
    expect(page.get_by_text("The model is net, 10 inputs, made from net.h5")).to_be_visible()

    page.get_by_label("I know that encoded training rows are public").check()
    page.get_by_role("button", name="Next: search").click()
    page.get_by_label("Trials", exact=True).fill("1")
    page.get_by_label("Epochs", exact=True).fill("2")
    page.get_by_label("Rungs", exact=True).fill("1")
    page.get_by_role("button", name="Next: review").click()
    page.get_by_label("Name of the study").fill("Irises by place")
    page.get_by_role("button", name="Start the study").click()
    expect(page.get_by_role("heading", name="Irises by place", level=1)).to_be_visible()
    donate(coordinator.url)
    expect(page.get_by_text("completed", exact=True).first).to_be_visible()

    study = next(s for s in coordinator.client().studies() if s.name == "Irises by place")
    assert study.plan.input_shape == [10]
    assert study.plan.rows_test == 15
    assert study.best.mean > 0
