"""`potluck donate --browser`: the real page, without a screen."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.coordinator import Coordinator
from tests.support.headless_donor import HeadlessDonor
from tests.support.keras_files import dense_h5
from tests.support.waiting import PATIENCE_S, until


def test_a_headless_tab_finishes_a_study_and_is_closed_by_a_signal(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    study = coordinator.client().submit(
        model=dense_h5(), data="iris", search={}, trials=1, epochs=3, name="In a headless tab"
    )
    with HeadlessDonor(coordinator.url, tmp_path, "--browser", "--tabs", "1") as donor:
        study.wait(timeout=PATIENCE_S, progress=False)
        until(lambda: "in 1 tab(s)" in donor.said, what="an open tab")
        donor.signal(signal.SIGTERM)
        assert donor.wait() == 0, donor.said
    assert study.trial(0).units[0].leases[0].backend in ("webgpu", "webgl", "wasm", "cpu")
