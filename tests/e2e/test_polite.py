"""A donor's device is a gift: limits are kept, told in plain words, and remembered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import potluck
from tests.e2e.conftest import Donate
from tests.e2e.test_accessible import AXE, RUN
from tests.support.coordinator import Coordinator
from tests.support.donor_tab import press
from tests.support.keras_files import digits_h5
from tests.support.waiting import until

LONG_MS = 50.0
PERCENT = re.compile(r"^\d+% · Potluck$")

# Chromium plays no battery: this device's is on the page's own switch.
BATTERY = """
  const battery = Object.assign(new EventTarget(), {charging: true, level: 0.34});
  navigator.getBattery = () => Promise.resolve(battery);
  window.unplug = (out) => {
    battery.charging = !out;
    battery.dispatchEvent(new Event('chargingchange'));
  };
"""


@pytest.fixture
def _study(coordinator: Coordinator) -> Iterator[potluck.Study]:
    """Make a study with one long unit."""
    client = coordinator.client()
    made = client.submit(
        model=digits_h5(), data="digits", search={}, trials=1, epochs=100_000, name="Long"
    )
    yield made
    made.delete()


def share(page: Page) -> str:
    """Read the chosen share."""
    return page.get_by_label("Share of this device").input_value()


def test_choices_are_remembered_and_nothing_starts_by_itself(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    page = person(f"{coordinator.url}/donate")
    assert share(page) == "100"
    page.get_by_label("Share of this device").fill("35")
    page.get_by_label("While it runs on battery").select_option("pause below 20%")
    page.get_by_label("Pause while this tab is hidden").check()
    page.get_by_label("Only at certain hours").check()
    page.get_by_label("From").fill("22:30")
    page.get_by_text("Memory, way of computing, screen").click()
    page.get_by_label("Memory for one unit").select_option("500 MB")
    page.get_by_label("Compute with").select_option("wasm")
    page.get_by_label("Keep the screen on").check()
    page.reload()
    assert share(page) == "35"
    expect(page.get_by_label("While it runs on battery")).to_have_value("20")
    expect(page.get_by_label("Pause while this tab is hidden")).to_be_checked()
    expect(page.get_by_label("From")).to_have_value("22:30")
    page.get_by_text("Memory, way of computing, screen").click()
    expect(page.get_by_label("Memory for one unit")).to_have_value("500000000")
    expect(page.get_by_label("Compute with")).to_have_value("wasm")
    expect(page.get_by_label("Keep the screen on")).to_be_checked()
    expect(page.get_by_role("button", name="Start donating")).to_be_visible()


@pytest.mark.usefixtures("_study")
def test_a_running_battery_pauses_with_its_reason_and_its_owner_has_the_last_word(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    page = person(f"{coordinator.url}/donate?backend=wasm")
    page.add_init_script(BATTERY)
    page.reload()
    press(page)
    expect(page).to_have_title(PERCENT)
    page.evaluate("unplug(true)")
    told = page.get_by_text("Paused: this device runs on battery (34%). It goes on when charging.")
    expect(told).to_be_visible()
    expect(page).to_have_title("Paused · Potluck")
    page.evaluate("unplug(false)")
    expect(page).to_have_title(PERCENT)
    # What its owner pauses is not undone by a condition that ends.
    page.get_by_role("button", name="Pause").click()
    page.evaluate("unplug(true)")
    page.evaluate("unplug(false)")
    expect(page.get_by_text("Nothing is computed until you go on.")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_title(PERCENT)
    # And what a condition pauses, its owner may overrule.
    page.evaluate("unplug(true)")
    page.get_by_role("button", name="Go on anyway").click()
    expect(page).to_have_title(PERCENT)


def long_tasks(page: Page) -> int:
    """Read how many tasks over 50 ms the page's own observer counted, by the clock on the wall."""
    return int(page.locator("[data-long-tasks]").get_attribute("data-long-tasks") or "-1")


def longest_task_ms(browser: Browser, page: Page, act: Callable[[], object]) -> float:
    """Give the most processor time that one task of the page's own thread took while `act` ran.

    The wall's clock also counts while another process has the processor; this one does not.
    """
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
    act()
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    pages = {
        (e["pid"], e["tid"])
        for e in events
        if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        float(e.get("tdur", 0))
        for e in events
        if e["name"] == "RunTask" and (e["pid"], e["tid"]) in pages
    ]
    assert tasks
    return max(tasks) / 1000


@pytest.mark.usefixtures("_study")
def test_work_rests_while_a_person_uses_the_page_but_not_when_it_scrolls_by_itself(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    page = person(f"{coordinator.url}/donate?backend=wasm", viewport={"width": 390, "height": 400})
    press(page)
    expect(page).to_have_title(PERCENT)
    told = page.get_by_text("Paused: you are using this page. It goes on in a moment.")
    expect(told).not_to_be_visible()
    after_scrolling = page.evaluate("""() => new Promise((done) => {
      scrollTo(0, 0);
      const shown = () => done(document.body.innerText);
      const drawn = () => requestAnimationFrame(() => requestAnimationFrame(shown));
      addEventListener("scroll", drawn, { once: true });
      scrollTo(0, document.body.scrollHeight);
    })""")
    assert "you are using this page" not in after_scrolling
    page.mouse.move(200, 200)

    def turns() -> bool:
        page.mouse.wheel(0, -50)
        return told.is_visible()

    until(turns, what="a rest")
    expect(told).not_to_be_visible()
    expect(page).to_have_title(PERCENT)


@pytest.mark.usefixtures("_study")
def test_training_costs_the_pages_own_thread_no_task_over_50_ms(
    browser: Browser, coordinator: Coordinator, donate: Donate
) -> None:
    page = donate(coordinator.url)
    expect(page).to_have_title(PERCENT)
    page.evaluate("new Promise(done => setTimeout(done, 1000))")
    epoch = "Number(/epoch (\\d+) of/.exec(document.body.innerText)?.[1])"
    begun = page.evaluate(epoch)

    def train() -> None:
        page.wait_for_function(f"from => {epoch} > from + 150", arg=begun)

    assert longest_task_ms(browser, page, train) < LONG_MS
    # And one that is long is found, by the trace and by the observer that the page shows.
    before = long_tasks(page)
    busy = """() => new Promise(done => setTimeout(() => {
      const end = performance.now() + 600;
      for (let turns = 0; turns < 5e6 || performance.now() < end; turns += 1) performance.now();
      done();
    }))"""
    assert longest_task_ms(browser, page, lambda: page.evaluate(busy)) > LONG_MS
    page.wait_for_function(
        "from => Number(document.querySelector('[data-long-tasks]').dataset.longTasks) > from",
        arg=before,
    )


@pytest.mark.usefixtures("_study")
def test_a_working_page_is_accessible_and_gives_its_title_back(
    coordinator: Coordinator, donate: Donate
) -> None:
    page = donate(coordinator.url)
    expect(page).to_have_title(PERCENT)
    page.get_by_label("Only at certain hours").check()
    page.get_by_text("Memory, way of computing, screen").click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    findings: list[Any] = page.evaluate(RUN)
    assert [f["id"] for f in findings if f["impact"] in ("serious", "critical")] == []
    page.get_by_role("link", name="Studies").first.click()
    expect(page).to_have_title("Studies · Potluck")
