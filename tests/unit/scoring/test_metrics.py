from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from potluck_coordinator.pipeline import Decoded
from potluck_coordinator.scoring import compute_metrics

LABELS = ("a", "b", "c")


def shares(seed: int, rows: int, classes: int) -> NDArray[np.float64]:
    draws: NDArray[np.float64] = np.random.default_rng(seed).dirichlet(np.ones(classes), rows)
    return draws


def decoded(probabilities: NDArray[np.float64]) -> Decoded:
    classes = LABELS[: probabilities.shape[1]]
    return Decoded(classes, probabilities.argmax(axis=1), probabilities)


@given(st.integers(0, 1000), st.sampled_from([2, 3]))
def test_metrics_are_scikit_learns_where_every_class_is_there(seed: int, classes: int) -> None:
    probabilities = shares(seed, 40, classes)
    truth = np.arange(40) % classes
    found = compute_metrics(decoded(probabilities), truth)
    values = probabilities.argmax(axis=1)
    area = (
        metrics.roc_auc_score(truth, probabilities[:, 1])
        if classes == 2
        else metrics.roc_auc_score(truth, probabilities, multi_class="ovr")
    )
    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(truth, values),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, values),
            "f1_macro": metrics.f1_score(truth, values, average="macro"),
            "log_loss": metrics.log_loss(truth, probabilities),
            "roc_auc": area,
        }
    )


def test_rows_that_lack_a_class_are_still_measured() -> None:
    probabilities = shares(1, 20, 3)
    found = compute_metrics(decoded(probabilities), np.arange(20) % 2)
    assert all(np.isfinite(value) for value in found.values())
    chances = probabilities[np.arange(20), np.arange(20) % 2]
    assert found["log_loss"] == pytest.approx(-np.log(chances).mean())


def test_rows_of_one_class_have_an_area_of_a_half() -> None:
    found = compute_metrics(decoded(shares(1, 20, 2)), np.zeros(20, dtype=np.int32))
    assert found["roc_auc"] == 0.5


def test_a_sure_mistake_costs_much_but_not_infinitely() -> None:
    wrong = compute_metrics(decoded(np.array([[1.0, 0.0], [0.0, 1.0]])), np.array([1, 0]))
    assert 30 < wrong["log_loss"] < 40
    assert wrong["accuracy"] == 0


@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=30),
)
def test_errors_are_in_the_targets_units(pairs: list[tuple[float, float]]) -> None:
    truth, values = (np.array(side) for side in zip(*pairs, strict=True))
    found = compute_metrics(Decoded(None, values, None), truth)
    assert found["mse"] == pytest.approx(np.mean((truth - values) ** 2))
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((truth - values) ** 2)))
    assert found["mae"] == pytest.approx(np.mean(np.abs(truth - values)))
    if truth.std() > 1e-3:
        assert found["r2"] == pytest.approx(metrics.r2_score(truth, values))


def test_one_row_has_an_r2() -> None:
    found = compute_metrics(Decoded(None, np.array([2.0]), None), np.array([3.0]))
    assert found["r2"] == 0
    assert found["mae"] == 1
