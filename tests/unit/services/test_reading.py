"""A study's data is read the same way when it is planned, prepared and looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from potluck_coordinator.pipeline import from_safetensors
from potluck_coordinator.services.jobs import encode_rows, plan_job, prepare_study
from potluck_coordinator.storage.artifacts import ArtifactStore
from tests.unit.pipeline.cases import model, spec


def prices(decimal: str, delimiter: str) -> bytes:
    rng = np.random.default_rng(0)
    lines = [delimiter.join(["area", "code", "price"])]
    for area in rng.random(120) * 100:
        cells = [f"{area:.2f}", f"0{int(area) % 7}", f"{1000 * area:.1f}"]
        lines.append(delimiter.join(cell.replace(".", decimal) for cell in cells))
    return "\n".join(lines).encode()


@pytest.mark.parametrize(("decimal", "delimiter"), [(",", ";"), (".", ",")])
def test_rows_are_read_the_same_at_every_step(decimal: str, delimiter: str, tmp_path: Path) -> None:
    content, name = prices(decimal, delimiter), "prices.csv"
    plan = plan_job(
        content, name, spec(target="price").model_dump(mode="json"), model((8,), 1, "linear")
    )
    store = ArtifactStore(tmp_path)
    prepared = prepare_study(content, name, plan, store.shelf())
    part = prepared.parts[0]
    train = from_safetensors(store.get_sync(prepared.first.train))["x"]
    assert train.shape == (len(part.train_rows), 8)
    looked, encoder = encode_rows(content, name, plan, part.train_rows, prepared.test_rows)
    assert encoder == prepared.first.encoder
    truth = from_safetensors(looked)["truth"]
    areas = np.random.default_rng(0).random(120) * 100
    assert np.allclose(truth, 1000 * areas[prepared.test_rows.numbers()], atol=0.051)
