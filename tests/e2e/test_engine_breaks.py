"""A donor's engine breaks in every way that a Chromium can be made to; the unit is finished."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Worker, expect

from tests.e2e.conftest import Donate
from tests.support.coordinator import Coordinator
from tests.support.donor_tab import (
    A_LITTLE,
    at_work,
    await_end,
    digits_study,
    donate_by_own_clock,
    engine,
    give,
    pass_time,
)
from tests.support.waiting import until

# Enough that a unit is not over before its engine breaks: SwiftShader is slow by itself.
EPOCHS = {"wasm": 900, "webgl": 80, "webgpu": 12}
SHARES = {"wasm": A_LITTLE, "webgl": 100, "webgpu": 100}

LOSE_WEBGL = """() => new Promise((done) => {
  const drawElements = WebGL2RenderingContext.prototype.drawElements;
  WebGL2RenderingContext.prototype.drawElements = function (...given) {
    WebGL2RenderingContext.prototype.drawElements = drawElements;
    this.getExtension("WEBGL_lose_context").loseContext();
    done();
    return drawElements.apply(this, given);
  };
})"""
LOSE_WEBGPU = """() => new Promise((done) => {
  const create = GPUDevice.prototype.createCommandEncoder;
  GPUDevice.prototype.createCommandEncoder = function (...given) {
    GPUDevice.prototype.createCommandEncoder = create;
    this.destroy();
    done();
    return create.apply(this, given);
  };
})"""
RUN_OUT_OF_MEMORY = """() => {
  for (const name of ["ArrayBuffer", "Uint8Array", "Float32Array"]) {
    globalThis[name] = class extends globalThis[name] {
      constructor(...given) {
        if (typeof given[0] === "number") throw new RangeError("Array buffer allocation failed");
        super(...given);
      }
    };
  }
}"""
CLOSE = "() => setTimeout(() => self.close())"
CRASH = "() => setTimeout(() => { throw new Error('a crash'); })"


@pytest.mark.parametrize(
    ("backend", "harm", "says"),
    [
        ("wasm", CLOSE, "ended by itself"),
        ("wasm", CRASH, "a crash"),
        ("wasm", RUN_OUT_OF_MEMORY, "ran out of memory"),
        ("webgl", LOSE_WEBGL, "The browser took the graphics card away"),
        ("webgpu", LOSE_WEBGPU, "The browser took the graphics card away"),
    ],
    ids=["closed", "crashed", "out of memory", "WebGL lost", "WebGPU lost"],
)
def test_a_unit_is_finished_after_its_engine_broke(
    coordinator: Coordinator, donate: Donate, backend: str, harm: str, says: str
) -> None:
    study = digits_study(coordinator, f"{backend} {says}", epochs=EPOCHS[backend])
    page = donate(coordinator.url, backend, share=SHARES[backend])
    first = at_work(page)
    first.evaluate(harm)
    expect(page.get_by_role("status").filter(has_text=says)).to_be_visible()
    engine(page, other_than=first)
    give(page, 100)
    await_end(study, page)
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_text("Stopped. Thank you for what you gave.")).to_be_visible()
    # Training went on from its last state: one lease, not two.
    assert [lease.state for lease in study.trial(0).units[0].leases] == ["completed"]


def test_an_engine_that_hangs_is_noticed_and_replaced(
    coordinator: Coordinator, person: Callable[..., Page]
) -> None:
    study = digits_study(coordinator, "Hangs", epochs=EPOCHS["wasm"])
    page = person("about:blank")
    donate_by_own_clock(page, coordinator)
    first = at_work(page)
    hang(first)
    told = page.get_by_role("status").filter(has_text="said nothing")
    until(lambda: pass_time(page) and told.is_visible(), what="silence")
    page.clock.resume()
    engine(page, other_than=first)
    give(page, 100)
    await_end(study, page)


def hang(worker: Worker) -> None:
    """Keep a Worker busy for ever, a moment after this call is answered."""
    worker.evaluate("() => setTimeout(() => { for (;;); })")


def test_training_that_diverges_ends_early_with_a_reason(
    coordinator: Coordinator, donate: Donate
) -> None:
    study = digits_study(
        coordinator,
        "Diverges",
        search={"learning_rate": [0.001, 1e30]},
        trials=2,
        epochs=60,
        sampler="grid",
    )
    page = donate(coordinator.url)
    until(lambda: study.refresh().record.state == "completed", what="the study's end")
    page.get_by_role("button", name="Stop now").click()
    rows = {row.parameters["learning_rate"]: row for row in study.trials()}
    assert rows[0.001].state == "completed"
    assert rows[1e30].state == "failed"
    assert "diverged" in (rows[1e30].reason or "")
    ends = {rate: study.trial(row.trial).units[0].leases[-1] for rate, row in rows.items()}
    assert [lease.state for lease in ends.values()] == ["completed", "completed"]
    assert ends[1e30].to_step < ends[0.001].to_step
