"""The demo's judgement: it must not call a wrong model right."""

from __future__ import annotations

from typing import Any

import httpx2
import numpy as np
import pytest

from potluck import Best
from potluck.protocol.records import BestModel, Prediction, Predictions
from potluck.transport import Transport
from potluck_coordinator.demo.check import Comparison, compare

ROWS = 40
CLASSES = ["3", "5", "9"]


def stored(wrong: int = 0) -> tuple[Predictions, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(7)
    raw = random.dirichlet(np.ones(3), ROWS).astype(np.float32)
    rows = random.permutation(1000)[:ROWS]
    guessed = raw.argmax(axis=1)
    truth = [CLASSES[(guess + (index < wrong)) % 3] for index, guess in enumerate(guessed)]
    predictions = [
        Prediction(row=int(row), truth=truth[i], predicted=CLASSES[guessed[i]], probabilities=None)
        for i, row in enumerate(rows)
    ]
    kept = Predictions(trial=0, kind="validation", predictions=predictions, raw=raw.tolist())
    return kept, rows, raw


def best(mean: float) -> Best:
    record = BestModel(
        study_id="s", trial=0, kind="trial", metric="accuracy", mean=mean, spread=None,
        parameters={}, weights="0" * 64, classes=CLASSES,
    )  # fmt: skip
    nobody = httpx2.MockTransport(lambda _: httpx2.Response(500))
    return Best(Transport("http://coordinator.test", None, transport=nobody), record)


def judged(mean: float, wrong: int = 0, noise: float = 0.0) -> Comparison:
    kept, rows, raw = stored(wrong)
    order = np.random.default_rng(1).permutation(ROWS)  # Keras may get the rows in another order
    raw = raw.copy()
    raw[5, 1] += noise
    return compare(best(mean), kept, rows[order], raw[order])


def test_the_same_predictions_in_another_order_are_a_success() -> None:
    assert judged(1.0).failures() == []
    assert judged(0.975, wrong=1).failures() == []


@pytest.mark.parametrize("noise", [2e-4, -2e-4, 1.0, float("nan")])
def test_one_output_that_differs_is_a_failure(noise: float) -> None:
    assert judged(1.0, noise=5e-5).failures() == []
    assert any("differ" in failure for failure in judged(1.0, noise=noise).failures())


def test_a_low_score_and_a_score_that_the_predictions_do_not_bear_out_are_failures() -> None:
    assert any("below" in failure for failure in judged(0.9, wrong=4).failures())
    assert any("right on" in failure for failure in judged(1.0, wrong=1).failures())
    assert judged(float("nan")).failures()


def test_missing_rows_are_a_failure() -> None:
    kept, rows, raw = stored()
    fewer = kept.model_copy(update={"predictions": kept.predictions[:-1], "raw": kept.raw[:-1]})
    assert compare(best(1.0), fewer, rows, raw).failures()
