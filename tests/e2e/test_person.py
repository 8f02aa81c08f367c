"""A person's acts: upload, donate in another tab, watch, download; Keras has the last word."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Donate
from tests.support.coordinator import Coordinator
from tests.support.keras_files import dense_h5


def irises() -> bytes:
    """Give the irises as the CSV that a person would have."""
    from potluck_coordinator.pipeline import bundled_file

    return bundled_file("iris")[1]


def make_study(page: Page, name: str, folds: int | None) -> None:
    """Go through the four steps of a new study as a person does."""
    prepare_study(page, folds)
    page.get_by_label("Name of the study").fill(name)
    page.get_by_role("button", name="Start the study").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def prepare_study(page: Page, folds: int | None) -> None:
    """Go to the last step of a new study as a person does."""
    page.get_by_role("link", name="New study").first.click()
    page.get_by_label("Upload a model").set_input_files(
        {"name": "net.h5", "mimeType": "application/octet-stream", "buffer": dense_h5()}
    )
    expect(page.get_by_role("heading", name="net.h5")).to_be_visible()
    expect(page.get_by_role("rowheader", name="hidden")).to_be_visible()
    page.get_by_role("button", name="Next: data").click()
    page.get_by_label("Upload a dataset").set_input_files(
        {"name": "irises.csv", "mimeType": "text/csv", "buffer": irises()}
    )
    expect(page.get_by_role("heading", name="irises.csv")).to_be_visible()
    if folds:
        page.get_by_label("Score trials on").select_option("folds")
        page.get_by_label("Folds", exact=True).fill(str(folds))
    page.get_by_label("I know that encoded training rows are public").check()
    page.get_by_role("button", name="Next: search").click()
    page.get_by_label("Trials", exact=True).fill("2")
    page.get_by_label("Epochs", exact=True).fill("6")
    page.get_by_label("Rungs", exact=True).fill("2")
    page.get_by_role("button", name="Next: review").click()


def keras_predicts(content: bytes, x: Any, folder: Path) -> Any:
    """Open a downloaded file with real Keras and predict."""
    import keras

    path = folder / "best.h5"
    path.write_bytes(content)
    return np.asarray(keras.models.load_model(path).predict(x, verbose=0))


@pytest.mark.parametrize("folds", [None, 3])
def test_upload_donate_watch_and_download(
    coordinator: Coordinator,
    person: Callable[..., Page],
    donate: Donate,
    tmp_path: Path,
    folds: int | None,
) -> None:
    name = f"Irises with {folds} folds" if folds else "Irises"
    page = person(coordinator.url)
    make_study(page, name, folds)
    donate(coordinator.url)
    expect(page.get_by_text("completed", exact=True).first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download .h5").click()
    content = Path(download.value.path()).read_bytes()

    # The study is the page's: of others only the operator may read its predictions.
    operator = coordinator.client(coordinator.operator_token())
    study = next(s for s in operator.studies() if s.name == name)
    best = study.best
    address = f"{coordinator.url}/api/v1/studies/{study.id}/best/inputs.npz"
    inputs = page.request.get(address).body()
    x = np.load(io.BytesIO(inputs))["x"]
    stored = best.predictions()
    predicted = keras_predicts(content, x, tmp_path)
    assert np.abs(predicted - np.asarray(stored.raw)).max() <= 1e-4
    classes = best.classes or []
    guesses = [classes[k] for k in predicted.argmax(axis=1)]
    right = [p.truth == g for p, g in zip(stored.predictions, guesses, strict=True)]
    assert best.record.kind == ("refit" if folds else "trial")
    assert np.mean(right) == pytest.approx(score_of(study, best.trial, best.record.kind))


def score_of(study: Any, trial: int, kind: str) -> float:
    """Give the accuracy that the coordinator computed for the best model's own unit."""
    units = [u for u in study.trial(trial).units if u.kind == kind]
    return float(units[-1].score.metrics["accuracy"])
