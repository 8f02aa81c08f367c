"""What tests do to a donor's tab, and to the Worker in it: nothing in the product helps them."""

from __future__ import annotations

from playwright.sync_api import Page, Worker, expect

import potluck
from tests.support.coordinator import Coordinator
from tests.support.keras_files import digits_h5
from tests.support.waiting import until

FIRST_BATCH = "performance.getEntriesByName('potluck.first_batch')[0]?.startTime ?? 0"
A_LITTLE = 10
"""Of the device, in percent: what takes WASM seconds is not over before a test disturbs it."""
PRESSED = "performance.getEntriesByName('potluck.start')[0]?.startTime ?? 0"


def digits_study(coordinator: Coordinator, name: str, **options: object) -> potluck.Study:
    """Start a study of the bundled digits: one unit of some seconds, if nothing else is said."""
    defaults: dict[str, object] = {"search": {}, "trials": 1, "epochs": 120}
    return coordinator.client().submit(
        model=digits_h5(),
        data="digits",
        name=name,
        **{**defaults, **options},  # type: ignore[arg-type]  # passed on
    )


def press(page: Page) -> None:
    """Begin to donate."""
    page.get_by_role("button", name="Start donating").click()


def give(page: Page, percent: int) -> None:
    """Give a share of the device: a small one makes a unit last, and the whole ends it soon."""
    page.get_by_label("Share of this device").fill(str(percent))


def donate_by_own_clock(page: Page, coordinator: Coordinator) -> None:
    """Begin to donate a little, on a page whose time a test lets pass."""
    page.clock.install()
    page.goto(f"{coordinator.url}/donate?backend=wasm")
    give(page, A_LITTLE)
    press(page)


def at_work(page: Page) -> Worker:
    """Wait until a tab's engine has trained its first batch; give the engine's Worker."""
    expect(page.get_by_text("samples a second")).to_be_visible()
    return engine(page)


def engine(page: Page, other_than: Worker | None = None) -> Worker:
    """Give the engine's Worker; after a restart, the one that is not `other_than`."""

    def find() -> Worker | None:
        page.evaluate("0")  # lets Playwright hear of Workers that came and went
        found = [worker for worker in page.workers if "/assets/worker-" in worker.url]
        return next((worker for worker in found if worker != other_than), None)

    return until(find, what="the engine's Worker")


def await_end(study: potluck.Study, page: Page) -> None:
    """Wait until every unit came back and was scored; a failure tells where each stands.

    Longer than a lease: what a donor took with it comes back by itself.
    """

    def ended() -> bool:
        page.evaluate("0")  # lets Playwright answer what the page asks for
        record = study.refresh().record
        return record.state == "completed" and record.counts.scored == record.plan.units

    def standing() -> str:
        units = [unit for row in study.trials() for unit in study.trial(row.trial).units]
        states = [(unit.state, [lease.state for lease in unit.leases]) for unit in units]
        return f"the study's end; its units: {states}; the page: {page.inner_text('main')[:400]}"

    until(ended, what=standing)


def pass_time(page: Page, milliseconds: int = 5_000) -> bool:
    """Let the time of a page with Playwright's clock pass in no time, unlike its Worker's."""
    page.clock.run_for(milliseconds)
    return True
