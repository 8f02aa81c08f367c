"""A study for a group: a tab that joined by its link trains it, a tab of a stranger waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Start
from tests.e2e.test_accessible import serious
from tests.e2e.test_person import irises
from tests.support.coordinator import Coordinator
from tests.support.donor_tab import press
from tests.support.keras_files import dense_h5
from tests.support.visiting import sign_in_page, somebody
from tests.support.waiting import until

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def closed(start_coordinator: Start) -> Coordinator:
    return start_coordinator(open=False, workers=1)


@pytest.fixture
def ada(closed: Coordinator) -> str:
    """Give the token of a submitter."""
    with somebody(closed.url, closed.operator_token()) as operator:
        return str(operator.post("/accounts", json={"name": "Ada"}).json()["token"])


def make_group(page: Page, name: str) -> str:
    """Make a group on the account page; give its link."""
    page.get_by_label("Name of a new group").fill(name)
    page.get_by_role("button", name="Make a group").click()
    link = page.get_by_role("listitem").filter(has_text=name).locator("code")
    expect(link).to_be_visible()
    return str(link.text_content())


def make_study(page: Page, group: str) -> None:
    """Go through the steps of a new study, for a group."""
    page.get_by_label("Upload a model").set_input_files(
        {"name": "net.h5", "mimeType": "application/octet-stream", "buffer": dense_h5()}
    )
    page.get_by_role("button", name="Next: data").click()
    page.get_by_label("Upload a dataset").set_input_files(
        {"name": "irises.csv", "mimeType": "text/csv", "buffer": irises()}
    )
    consent = page.get_by_label("I know that encoded training rows are public")
    expect(consent).to_be_visible()
    page.get_by_label("Who may train it").select_option("group")
    expect(consent).to_have_count(0)
    page.get_by_label("Group", exact=True).select_option(group)
    page.get_by_label("Who may see it").select_option("private")
    page.get_by_role("button", name="Next: search").click()
    page.get_by_label("Trials", exact=True).fill("2")
    page.get_by_label("Epochs", exact=True).fill("6")
    page.get_by_label("Rungs", exact=True).fill("2")
    page.get_by_role("button", name="Next: review").click()
    expect(page.get_by_text("Only donors of the study's group")).to_be_visible()
    page.get_by_label("Name of the study").fill("Blood counts")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_group_study_is_trained_by_a_joined_tab_while_a_strangers_waits(
    closed: Coordinator,
    ada: str,
    person: Callable[..., Page],
    viewport: dict[str, int],
    tmp_path: Path,
) -> None:
    def picture(page: Page, name: str) -> None:
        page.screenshot(path=tmp_path / f"{name}-{viewport['width']}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert serious(page) == []

    stranger = person(f"{closed.url}/donate?backend=wasm", viewport=viewport)
    press(stranger)
    expect(stranger.get_by_role("status").first).to_contain_text("No unit is ready")

    page = person(closed.url, viewport=viewport)
    sign_in_page(page, ada)
    page.goto(f"{closed.url}/account")
    link = make_group(page, "Clinic")
    picture(page, "account")
    page.goto(f"{closed.url}/studies/new")
    make_study(page, "Clinic")
    picture(page, "review")
    page.get_by_role("button", name="Start the study").click()
    expect(page.get_by_role("heading", name="Blood counts", level=1)).to_be_visible()
    expect(page.get_by_text("It waits for donors of its group.")).to_be_visible()
    picture(page, "study")

    member = person(link, viewport=viewport)
    expect(member.get_by_role("heading", name="Help “Clinic”")).to_be_visible()
    picture(member, "join")
    member.get_by_label("Your name").fill("Ward 3")
    member.get_by_role("button", name="Join and donate").click()
    expect(member.get_by_text("Member of the group “Clinic”.")).to_be_visible()
    picture(member, "donate")
    member.goto(f"{closed.url}/donate?backend=wasm")
    press(member)
    expect(page.get_by_text("completed", exact=True).first).to_be_visible()
    expect(stranger.get_by_role("status").first).to_contain_text("No unit is ready")

    with somebody(closed.url, ada) as client:
        [study] = client.get("/studies").json()
        rows = client.get(f"/studies/{study['id']}/ledger").json()["entries"]
        donors = {entry["body"]["donor"] for entry in rows if entry["kind"] == "lease"}
        assert len(donors) == 1
    # Removed, its tab gets no more; the page says whom the group still has.
    page.goto(f"{closed.url}/account")
    page.get_by_role("button", name="1 member").click()
    page.get_by_role("button", name="Remove Ward 3").click()
    page.get_by_role("button", name="Remove the member").click()
    expect(page.get_by_role("button", name="0 members")).to_be_visible()
    member.goto(f"{closed.url}/donate")
    expect(member.get_by_text("Start donating")).to_be_visible()
    expect(member.get_by_text("Member of the group")).to_have_count(0)


def test_tokens_are_made_and_revoked_and_a_browser_is_signed_out_with_them(
    closed: Coordinator, person: Callable[..., Page]
) -> None:
    admin = person(f"{closed.url}/account")
    admin.get_by_label("Token", exact=True).fill(closed.operator_token())
    admin.get_by_role("button", name="Sign in").click()
    admin.get_by_role("link", name="Accounts and tokens of others").click()
    admin.get_by_label("Whose account").fill("Bob")
    admin.get_by_role("button", name="Make an account").click()
    token = str(admin.get_by_role("status").locator("code").text_content())
    expect(admin.get_by_role("heading", name="Bob")).to_be_visible()

    bob = person(f"{closed.url}/account")
    bob.get_by_label("Token", exact=True).fill(token)
    bob.get_by_role("button", name="Sign in").click()
    expect(bob.get_by_role("heading", name="Signed in as Bob")).to_be_visible()
    bob.get_by_label("Name of a new token").fill("node")
    bob.get_by_label("It may").select_option("donate")
    bob.get_by_role("button", name="Make a token").click()
    node = str(bob.get_by_text("Token “node”").locator("code").text_content())
    expect(bob.get_by_text("never used · does not expire")).to_be_visible()
    bob.get_by_role("button", name="Change node").click()
    changing = bob.get_by_role("dialog", name="Change a token")
    changing.get_by_label("It expires").select_option("in 30 days")
    changing.get_by_role("button", name="Change the token").click()
    expect(bob.get_by_text("never used · expires")).to_be_visible()

    donor = person(f"{closed.url}/account")
    donor.get_by_label("Token", exact=True).fill(node)
    donor.get_by_role("button", name="Sign in").click()
    expect(donor.get_by_text("Signed in as a donor for Bob.")).to_be_visible()
    for place in ("/studies", "/account", "/admin"):
        donor.goto(closed.url + place)
        expect(donor.get_by_role("button", name="Start donating")).to_be_visible()
        expect(donor.get_by_role("navigation").get_by_role("link")).to_have_count(0)
    donor.get_by_role("button", name="Sign out").click()
    expect(donor.get_by_role("heading", name="Admin")).to_be_visible()

    admin.get_by_role("button", name="Tokens of Bob").click()
    admin.get_by_role("button", name="Revoke first token").click()
    admin.get_by_role("button", name="Revoke the token").click()
    expect(admin.get_by_text("revoked", exact=True)).to_be_visible()
    bob.get_by_label("Name of a new token").fill("spare")
    bob.get_by_role("button", name="Make a token").click()
    expect(bob.get_by_role("alert")).to_contain_text("token")
    bob.reload()
    expect(bob.get_by_role("heading", name="Sign in to submit")).to_be_visible()
    until(lambda: serious(admin) == [])
