"""Two browsers at an open coordinator: what one of them submits, the other only watches."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.test_person import make_study
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import hand_in

ACTS = re.compile("^(Stop|Resume|Extend|Delete)$")
LOOK = "Look at the test split"


def test_only_the_browser_that_submitted_a_study_may_change_it(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    ann, bob = person(coordinator.url), person(coordinator.url)
    make_study(ann, "Ann's irises", None)
    study = ann.url
    bob.goto(study)
    expect(bob.get_by_role("heading", name="Ann's irises", level=1)).to_be_visible()
    expect(bob.get_by_text("Only the submitter can look.")).to_be_visible()
    expect(bob.get_by_role("button", name=LOOK)).to_have_count(0)
    expect(bob.get_by_role("button", name=ACTS)).to_have_count(0)

    expect(ann.get_by_role("button", name=ACTS)).to_have_text(["Stop", "Extend", "Delete"])
    ann.get_by_role("button", name="Stop", exact=True).click()
    ann.get_by_role("button", name="Stop the study").click()
    expect(bob.get_by_text("stopped", exact=True).first).to_be_visible()
    ann.reload()
    ann.get_by_role("button", name="Resume", exact=True).click()
    ann.get_by_role("button", name="Resume the study").click()
    expect(bob.get_by_text("running", exact=True).first).to_be_visible()

    hand_in(coordinator.url, units=4)
    expect(ann.get_by_text("completed", exact=True).first).to_be_visible()
    ann.get_by_role("button", name=LOOK).click()
    ann.get_by_role("button", name="Break the seal and look").click()
    expect(bob.get_by_text("1 look so far.")).to_be_visible()
    expect(bob.get_by_role("button", name=LOOK)).to_have_count(0)

    predictions = f"{study}?tab=predictions"
    ann.goto(predictions)
    expect(ann.get_by_role("region", name="Predictions, table")).to_be_visible()
    bob.goto(predictions)
    expect(bob.get_by_text("Only the submitter sees them")).to_be_visible()
    for page, mine in ((ann, 1), (bob, 0)):
        page.goto(f"{study}?tab=data")
        expect(page.get_by_role("heading", name="What the coordinator understood")).to_be_visible()
        expect(page.get_by_role("button", name="Delete the dataset")).to_have_count(mine)
        for place, empty in (("/models", "No model yet"), ("/datasets", "No dataset yet")):
            page.goto(coordinator.url + place)
            expect(page.get_by_text("Loading the")).to_have_count(0)
            expect(page.get_by_text(empty)).to_have_count(1 - mine)

    ann.goto(coordinator.url + "/models")
    ann.get_by_role("rowheader").get_by_role("link").click()
    model = ann.url
    ann.get_by_role("button", name="Delete", exact=True).click()
    ann.get_by_role("button", name="Delete the model").click()
    expect(ann.get_by_text("A study uses this model.")).to_be_visible()

    ann.goto(study)
    ann.get_by_role("button", name="Delete", exact=True).click()
    ann.get_by_role("button", name="Delete the study").click()
    expect(ann.get_by_role("heading", name="Studies", level=1)).to_be_visible()
    bob.goto(study)
    expect(bob.get_by_text("There is no such study.")).to_be_visible()

    ann.goto(model)
    ann.get_by_role("button", name="Delete", exact=True).click()
    ann.get_by_role("button", name="Delete the model").click()
    expect(ann.get_by_text("No model yet")).to_be_visible()


def test_the_operator_may_stop_a_visitors_study(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    study = coordinator.client().submit(
        model=dense_h5(), data="iris", search={}, trials=1, epochs=1
    )
    page = person(f"{coordinator.url}/account")
    page.get_by_label("Token").fill(coordinator.operator_token())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Signed in as admin")).to_be_visible()
    page.goto(study.url)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop the study").click()
    expect(page.get_by_text("stopped", exact=True).first).to_be_visible()
    page.goto(f"{coordinator.url}/account")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("This coordinator is open")).to_be_visible()
    page.goto(study.url)
    expect(page.get_by_text("stopped", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name=ACTS)).to_have_count(0)
