"""The page of a new study offers what fits model and data, and says what it took."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.visiting import sign_in_page


def test_losses_metrics_and_weights_that_fit_are_offered(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    model = coordinator.client().upload_model(dense_h5())
    page = person(coordinator.url)
    sign_in_page(page, coordinator.operator_token())  # the model is the SDK user's, not this page's
    page.goto(f"{coordinator.url}/studies/new?model={model.id}")
    page.get_by_role("button", name="Next: data").click()
    page.get_by_role("button", name="Use Iris").click()
    loss, metric = page.get_by_label("Training loss"), page.get_by_label("Rank trials by")
    expect(loss.locator("option", has_text="inferred")).to_have_count(1)
    offered = loss.locator("option").all_text_contents()
    assert {"categorical focal cross-entropy", "Kullback-Leibler divergence"} <= set(offered)
    assert not {"hinge", "binary cross-entropy", "Huber"} & set(offered)
    measured = metric.locator("option").all_text_contents()
    assert "Cohen's kappa" in measured
    assert not {"hinge", "top-5 accuracy", "precision"} & set(measured)
    loss.select_option("categorical_focal_crossentropy")
    page.get_by_label("Focus (gamma)").fill("much")
    expect(page.get_by_text("A number.")).to_be_visible()
    page.get_by_label("Focus (gamma)").fill("1.5")
    page.get_by_label("Weights of rows in training").select_option("balanced")
    expect(page.get_by_text("A number.")).to_have_count(0)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("focus (gamma) 1.5")).to_be_visible()
    expect(page.get_by_text("each class counts alike")).to_be_visible()
