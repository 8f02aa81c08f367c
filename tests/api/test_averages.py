"""With `use_ema`, averages are what is scored and handed out; a result must hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load

from potluck_converter import read_model
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5
from tests.support.scripted_donor import ScriptedDonor, end_step, random_result, state
from tests.support.waiting import PATIENCE_S


def test_the_best_model_is_the_averages_and_no_result_goes_without(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    client = coordinator.client()
    search = {"use_ema": True, "optimizer": "adamw", "schedule": "cosine"}
    study = client.submit(model=dense_h5(), data="iris", search=search, trials=1, epochs=2)
    with ScriptedDonor(coordinator.url) as donor:
        lease = donor.await_lease()
        optimizer = lease.unit.optimizer
        assert (optimizer.name, optimizer.weight_decay) == ("adamw", 0.004)
        assert optimizer.schedule.model_dump()["decay_epochs"] == 2
        lacking = random_result(donor, lease)
        refused = donor.complete(lease, lacking)
        assert refused.error is not None
        assert refused.error.code == "result.names"
        assert refused.error.where.startswith("optimizer/average/")
        lease = donor.await_lease()
        weights = load(lacking)
        averages = {
            key.replace("weights/", "optimizer/average/", 1): value * 0.5
            for key, value in weights.items()
        }
        whole = state(weights | averages, lease.unit, end_step(lease.unit))
        assert donor.complete(lease, whole).outcome == "accepted"
    study.wait(timeout=PATIENCE_S, progress=False)
    study.best.save(tmp_path / "best.h5")
    found = read_model({"best.h5": (tmp_path / "best.h5").read_bytes()}).weights
    for name, value in found.items():
        np.testing.assert_array_equal(value, weights[f"weights/{name}"] * np.float32(0.5))
