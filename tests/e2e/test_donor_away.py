"""A donor's tab loses the network, its storage, its timers, its version: the work goes on."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from playwright.sync_api import Browser, Page, Route, expect

from potluck.version import VERSION
from tests.conftest import Start
from tests.support.coordinator import Coordinator, offers
from tests.support.donor_tab import (
    A_LITTLE,
    at_work,
    await_end,
    digits_study,
    donate_by_own_clock,
    give,
    pass_time,
    press,
)
from tests.support.waiting import PATIENCE_S, until

UNREACHABLE = "The coordinator cannot be reached."
LEASE_SECONDS = 40.0
STOP_PAGE_TIMERS = "window.setTimeout = () => 0; window.setInterval = () => 0;"


def heartbeats_of(page: Page) -> list[str]:
    """Collect what a page tells of its leases, from its next socket on."""
    heartbeats: list[str] = []

    def note(frame: str | bytes) -> None:
        if '"type":"heartbeat"' in str(frame):
            heartbeats.append(str(frame))

    page.on("websocket", lambda socket: socket.on("framesent", note))
    return heartbeats


def test_a_minute_without_network_costs_nothing(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    study = digits_study(coordinator, "Offline", epochs=1200)
    page = person("about:blank")
    donate_by_own_clock(page, coordinator)
    at_work(page)
    unreachable = page.get_by_role("status").filter(has_text=UNREACHABLE)
    # Chromium's own switch leaves open sockets alone; here nothing is answered any more.
    coordinator.freeze()
    try:
        until(lambda: pass_time(page) and unreachable.is_visible(), what="the silence noticed")
    finally:
        coordinator.thaw()
    page.clock.resume()
    give(page, 100)
    expect(unreachable).not_to_be_visible()
    await_end(study, page)
    assert [lease.state for lease in study.trial(0).units[0].leases] == ["completed"]


def test_a_laptop_that_slept_for_eight_hours_goes_on(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    study = digits_study(coordinator, "Sleeps", epochs=900)
    page = person("about:blank")
    donate_by_own_clock(page, coordinator)
    at_work(page)
    page.clock.fast_forward("08:00:00")
    page.clock.resume()
    give(page, 100)
    await_end(study, page)


def test_a_page_whose_timers_sleep_trains_and_keeps_its_lease(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    study = digits_study(coordinator, "Hidden", epochs=60)
    # Such a page asks once.
    until(lambda: offers(study), what="the unit")
    page = person("about:blank")
    page.add_init_script(STOP_PAGE_TIMERS)
    heartbeats = heartbeats_of(page)
    page.goto(f"{coordinator.url}/donate?backend=wasm")
    press(page)
    await_end(study, page)
    page.evaluate("0")  # lets Playwright hear of what was said meanwhile
    assert heartbeats


def test_a_full_disk_costs_nothing(coordinator: Coordinator, person: Callable[..., Page]) -> None:
    study = digits_study(coordinator, "Full disk", epochs=60)
    page = person("about:blank")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": coordinator.url, "quotaSize": 1})
    page.goto(f"{coordinator.url}/donate?backend=wasm")
    press(page)
    await_end(study, page)
    page.get_by_role("button", name="Stop now").click()
    keys = "caches.open('potluck-artifacts-v1').then((kept) => kept.keys())"
    assert page.evaluate(f"{keys}.then((kept) => kept.length)") == 0


def test_two_tabs_of_a_browser_are_one_donor_and_divide_the_device(
    coordinator: Coordinator, browser: Browser
) -> None:
    # Of two studies: units of one would train together, in one tab.
    studies = [digits_study(coordinator, name, epochs=2000) for name in ("Left", "Right")]
    context = browser.new_context()
    context.set_default_timeout(1_000 * PATIENCE_S)
    try:
        tabs = [context.new_page() for _ in range(2)]
        for tab in tabs:
            tab.goto(f"{coordinator.url}/donate?backend=wasm")
            give(tab, A_LITTLE)
            press(tab)
            at_work(tab)
        for tab in tabs:
            expect(tab.get_by_text("2 tabs divide this device")).to_be_visible()
        names = {tab.get_by_role("heading", name="Thank you, ").inner_text() for tab in tabs}
        assert len(names) == 1
        tokens = [tab.evaluate("sessionStorage.getItem('potluck.leases')") for tab in tabs]
        assert len(set(tokens)) == 2
        tabs[1].close(run_before_unload=True)
        expect(tabs[0].get_by_text("2 tabs divide this device")).not_to_be_visible()
        give(tabs[0], 100)
        for study in studies:
            await_end(study, tabs[0])
    finally:
        context.close()


def test_a_tab_that_closes_without_a_last_word_is_soon_missed(
    start_coordinator: Start, person: Callable[..., Page]
) -> None:
    coordinator = start_coordinator(
        lease_seconds=LEASE_SECONDS, unheard_seconds=0.5, sweep_seconds=0.1, workers=1
    )
    context = person("about:blank").context
    context.add_init_script("navigator.sendBeacon = () => false;")

    def soon_missed() -> bool:
        study = digits_study(coordinator, "Gone", epochs=20_000)
        page = context.new_page()
        heartbeats = heartbeats_of(page)
        page.goto(f"{coordinator.url}/donate?backend=wasm")
        press(page)
        until(lambda: page.evaluate("1") and heartbeats, what="a heartbeat")
        page.close(run_before_unload=True)
        until(lambda: offers(study), what="the lease's end")
        lease = study.trial(0).units[0].leases[0]
        study.stop()
        return (lease.ended_at or inf) - lease.started_at < LEASE_SECONDS

    # On a crowded machine Chromium itself says nothing for one page of ten that it closes.
    until(soon_missed, what="a lease that ended before its time")


def old_bundle(route: Route) -> None:
    """Serve the donor's program as a release before this one had it."""
    answer = route.fetch()
    text = answer.text().replace(VERSION, "0.0.0")
    assert text != answer.text()
    route.fulfill(response=answer, body=text)


def test_an_old_page_loads_the_new_one_once_and_goes_on_by_itself(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    page = person(f"{coordinator.url}/donate?backend=wasm")
    loads: list[str] = []
    page.on("domcontentloaded", lambda loaded: loads.append(loaded.url))
    page.context.route("**/assets/donor-*.js", old_bundle, times=1)
    with page.expect_event("domcontentloaded"):
        press(page)
    study = digits_study(coordinator, "Upgraded", epochs=10)
    await_end(study, page)
    page.evaluate("0")  # lets Playwright hear of a second one
    assert len(loads) == 1
    page.reload()
    expect(page.get_by_role("button", name="Start donating")).to_be_visible()


def test_a_page_that_stays_old_donates_as_it_is(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    page = person(f"{coordinator.url}/donate?backend=wasm")
    loads: list[str] = []
    page.on("domcontentloaded", lambda loaded: loads.append(loaded.url))
    page.context.route("**/assets/donor-*.js", old_bundle)
    with page.expect_event("domcontentloaded"):
        press(page)
    study = digits_study(coordinator, "Stays old", epochs=10)
    await_end(study, page)
    page.evaluate("0")  # lets Playwright hear of a second one
    assert len(loads) == 1
