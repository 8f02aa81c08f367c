from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from potluck_coordinator.core.measurable import absent
from potluck_coordinator.pipeline import Decoded, decode
from potluck_coordinator.pipeline.measures import suited_metrics
from potluck_coordinator.scoring import compute_metrics

LABELS = tuple("abcdef")


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
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, values, average="macro"
    )
    hits = np.eye(classes)[truth]
    expected = {
        "accuracy": metrics.accuracy_score(truth, values),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, values),
        "precision_macro": precision,
        "recall_macro": recall,
        "f1_macro": f1,
        "cohen_kappa": metrics.cohen_kappa_score(truth, values),
        "mcc": metrics.matthews_corrcoef(truth, values),
        "log_loss": metrics.log_loss(truth, probabilities),
        "roc_auc": area,
        "pr_auc": metrics.average_precision_score(hits[:, -1], probabilities[:, -1])
        if classes == 2
        else metrics.average_precision_score(hits, probabilities),
        "cosine_similarity": np.diag(
            metrics.pairwise.cosine_similarity(hits, probabilities)
        ).mean(),
    }
    if classes == 2:
        expected |= {
            "precision": metrics.precision_score(truth, values),
            "recall": metrics.recall_score(truth, values),
            "f1": metrics.f1_score(truth, values),
        }
    assert found == pytest.approx(expected)
    assert set(found) == set(suited_metrics("classification", LABELS[:classes], margins=False))


@given(st.integers(0, 1000), st.sampled_from([4, 6]))
def test_a_class_among_the_best_counts_for_the_top_scores(seed: int, classes: int) -> None:
    probabilities = shares(seed, 30, classes)
    truth = np.random.default_rng(seed).integers(0, classes, 30)
    found = compute_metrics(decoded(probabilities), truth)
    for most in (3, 5):
        if classes > most:
            right = metrics.top_k_accuracy_score(
                truth, probabilities, k=most, labels=np.arange(classes)
            )
            assert found[f"top_{most}_accuracy"] == pytest.approx(right)
    wrong = metrics.top_k_accuracy_score(truth, probabilities, k=1, labels=np.arange(classes))
    assert found["accuracy"] == pytest.approx(wrong)
    assert found["accuracy"] <= found["top_3_accuracy"]
    assert set(found) == set(suited_metrics("classification", LABELS[:classes], margins=False))


@given(st.integers(0, 1000), st.sampled_from([1, 3]))
def test_margins_are_ranked_and_measured_by_their_hinge(seed: int, outputs: int) -> None:
    raw = np.random.default_rng(seed).normal(size=(20, outputs)) * 2
    classes = LABELS[: max(outputs, 2)]
    target = {"kind": "classes", "classes": classes, "outputs": outputs, "margins": True}
    truth = np.arange(20) % len(classes)
    read = decode({"target": target}, raw)
    assert read.probabilities is None
    found = compute_metrics(read, truth)
    if outputs == 1:
        assert np.array_equal(read.values, raw[:, 0] > 0)
        signs = 2 * truth - 1
        assert found["hinge"] == pytest.approx(np.maximum(1 - signs * raw[:, 0], 0).mean())
        assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, raw[:, 0]))
    else:
        assert np.array_equal(read.values, raw.argmax(axis=1))
        hits = np.eye(3)[truth]
        best_other = ((1 - hits) * raw).max(axis=1)
        hinges = np.maximum(best_other - (hits * raw).sum(axis=1) + 1, 0)
        assert found["hinge"] == pytest.approx(hinges.mean())
    assert "log_loss" not in found
    assert set(found) == set(suited_metrics("classification", classes, margins=True))


def test_agreement_by_chance_alone_is_worth_nothing() -> None:
    alike = np.array([[0.9, 0.1]] * 6)
    truth = np.array([0, 1, 0, 1, 0, 0])
    found = compute_metrics(decoded(alike), truth)
    assert (found["cohen_kappa"], found["mcc"], found["precision"]) == (0, 0, 0)


def test_rows_that_lack_a_class_are_still_measured() -> None:
    probabilities = shares(1, 20, 3)
    found = compute_metrics(decoded(probabilities), np.arange(20) % 2)
    assert all(np.isfinite(value) for value in found.values())
    chances = probabilities[np.arange(20), np.arange(20) % 2]
    assert found["log_loss"] == pytest.approx(-np.log(chances).mean())


@pytest.mark.parametrize("number", [0, 1])
def test_rows_of_one_class_define_no_measure_that_needs_two(number: int) -> None:
    probabilities = shares(1, 20, 2)
    found = compute_metrics(decoded(probabilities), np.full(20, number))
    lacking = {"roc_auc", "pr_auc", "mcc", "cohen_kappa"}
    if number == 0:
        lacking |= {"precision", "recall", "f1"}
    expected = set(suited_metrics("classification", LABELS[:2], margins=False))
    assert set(found) == expected - lacking
    reasons = absent(sorted(expected), found)
    assert set(reasons) == lacking
    assert all(reasons.values())
    hits = (probabilities.argmax(axis=1) == number).mean()
    assert found["accuracy"] == found["balanced_accuracy"] == found["recall_macro"] == hits


def test_a_class_that_rows_lack_is_no_part_of_a_mean_over_classes() -> None:
    certain = np.eye(3)[[0, 1, 0, 1]]
    found = compute_metrics(decoded(certain), np.array([0, 1, 0, 1]))
    for name in ("precision_macro", "recall_macro", "f1_macro", "roc_auc", "pr_auc", "mcc"):
        assert found[name] == pytest.approx(1)
    strayed = compute_metrics(decoded(np.eye(3)[[0, 1, 0, 2]]), np.array([0, 1, 0, 1]))
    assert strayed["recall_macro"] == pytest.approx(0.75)


def test_a_class_that_is_never_predicted_has_a_precision_of_nothing() -> None:
    found = compute_metrics(decoded(np.array([[0.9, 0.1]] * 4)), np.array([0, 1, 0, 1]))
    assert (found["precision"], found["recall"], found["f1"]) == (0, 0, 0)


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
    assert found["median_absolute_error"] == pytest.approx(np.median(np.abs(truth - values)))
    undefined = {"r2", "explained_variance"} if truth.min() == truth.max() else set()
    undefined |= {"mape"} if np.abs(truth).min() < 1e-7 else set()
    assert set(found) == set(suited_metrics("regression", None, margins=False)) - undefined
    if truth.std() > 1e-3:
        assert found["r2"] == pytest.approx(metrics.r2_score(truth, values))


@given(
    st.lists(
        st.tuples(st.floats(0, 1e3, width=32), st.floats(-1e3, 1e3, width=32)),
        min_size=2,
        max_size=30,
    ),
)
def test_shares_logarithms_and_variance_are_as_defined(pairs: list[tuple[float, float]]) -> None:
    truth, values = (np.array(side) for side in zip(*pairs, strict=True))
    found = compute_metrics(Decoded(None, values, None), truth)
    shares = [abs(t - v) / max(abs(t), 1e-7) for t, v in zip(truth, values, strict=True)]
    if np.abs(truth).min() < 1e-7:
        assert "mape" not in found
    else:
        assert found["mape"] == pytest.approx(100 * np.mean(shares))
    logs = [np.log1p(max(t, 1e-7)) - np.log1p(max(v, 1e-7)) for t, v in pairs]
    assert found["msle"] == pytest.approx(np.mean(np.square(logs)), abs=1e-12)
    if truth.std() > 1e-3:
        rest = truth - values
        assert found["explained_variance"] == pytest.approx(1 - rest.var() / truth.var(), abs=1e-9)
        shifted = compute_metrics(Decoded(None, values + 3, None), truth)
        assert shifted["explained_variance"] == pytest.approx(
            found["explained_variance"], rel=1e-6, abs=1e-6
        )


@pytest.mark.parametrize("truth", [[3.0], [3.0, 3.0, 3.0]])
def test_equal_true_values_define_no_share_of_their_spread(truth: list[float]) -> None:
    found = compute_metrics(Decoded(None, np.full(len(truth), 2.0), None), np.array(truth))
    assert found["mae"] == 1
    expected = suited_metrics("regression", None, margins=False)
    reasons = absent(expected, found, rows=len(truth))
    assert set(reasons) == {"r2", "explained_variance"}
    only_one = "there is only one row"
    assert reasons["r2"] == (only_one if len(truth) == 1 else "all true values are equal")


def test_a_true_value_of_0_has_no_share() -> None:
    found = compute_metrics(Decoded(None, np.array([1.0, 2.0]), None), np.array([0.0, 2.0]))
    assert "mape" not in found
    assert found["r2"] == 0.5
