"""Metrics of classification. Classes that a set of rows happens to lack must not spoil them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.core.measurable import undefined_for_classes

SMALLEST = 1e-15
"""Probabilities are kept this far from 0: one sure mistake must not make a loss infinite."""

Numbers = NDArray[np.int64]
Scores = NDArray[np.float64]


def measure_classes(
    truth: Numbers, values: Numbers, scores: Scores, *, margins: bool
) -> dict[str, float]:
    """Measure predicted class numbers [n] and what ranks the classes [n, classes].

    Measures that the true classes leave without a meaning are left out.

    `margins`: scores are no probabilities, but distances from a boundary.
    """
    from sklearn import metrics

    classes = scores.shape[1]
    recalls = [float((values[truth == number] == number).mean()) for number in np.unique(truth)]
    found = {
        "accuracy": float(metrics.accuracy_score(truth, values)),
        "balanced_accuracy": float(np.mean(recalls)),
        **_shared("macro", truth, values, suffix="_macro"),
        "cohen_kappa": _kappa(truth, values),
        "mcc": _correlation(truth, values),
        "roc_auc": _area(metrics.roc_auc_score, truth, scores),
        "pr_auc": _area(metrics.average_precision_score, truth, scores),
        "cosine_similarity": _cosine(truth, scores),
    }
    if classes == 2:
        found |= _shared("binary", truth, values)
    for most in (3, 5):
        if classes > most:
            found[f"top_{most}_accuracy"] = _among_best(truth, scores, most)
    found |= {"hinge": _hinge(truth, scores)} if margins else {"log_loss": _log_loss(truth, scores)}
    without = undefined_for_classes(np.unique(truth).tolist())
    return {name: value for name, value in found.items() if name not in without}


def _shared(average: str, truth: Numbers, values: Numbers, suffix: str = "") -> dict[str, float]:
    from sklearn import metrics

    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth,
        values,
        average=average,
        labels=np.unique(truth) if average == "macro" else None,
        zero_division=0.0,
    )
    scores = {"precision": precision, "recall": recall, "f1": f1}
    return {name + suffix: float(score) for name, score in scores.items()}


def _kappa(truth: Numbers, values: Numbers) -> float:
    """Give Cohen's kappa, of rows of two classes or more; 0 for one class."""
    of_truth, of_values = _shares_of_classes(truth, values)
    expected, agreed = float(of_truth @ of_values), float((truth == values).mean())
    return (agreed - expected) / (1 - expected) if 1 - expected > SMALLEST else 0.0


def _correlation(truth: Numbers, values: Numbers) -> float:
    """Give Matthews's correlation, of several classes too; 0 where either side is constant."""
    of_truth, of_values = _shares_of_classes(truth, values)
    together = float((truth == values).mean() - of_truth @ of_values)
    alone = float((1 - of_truth @ of_truth) * (1 - of_values @ of_values))
    return together / float(np.sqrt(alone)) if alone > SMALLEST else 0.0


def _shares_of_classes(truth: Numbers, values: Numbers) -> tuple[Scores, Scores]:
    size = int(max(truth.max(), values.max())) + 1
    of_truth, of_values = (np.bincount(s, minlength=size) / len(s) for s in (truth, values))
    return of_truth, of_values


def _among_best(truth: Numbers, scores: Scores, most: int) -> float:
    """Give the share of rows whose class is among the best scored; ties go by class number."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    return float((best == truth[:, np.newaxis]).any(axis=1).mean())


def _cosine(truth: Numbers, scores: Scores) -> float:
    """Give the mean cosine between a row's scores and its one-hot class."""
    lengths = np.sqrt(np.square(scores).sum(axis=1))
    own = scores[np.arange(len(truth)), truth]
    return float(np.where(lengths > 0, own / np.where(lengths > 0, lengths, 1.0), 0.0).mean())


def _hinge(truth: Numbers, scores: Scores) -> float:
    """Give Keras's hinge of two classes, its categorical hinge of more."""
    own = scores[np.arange(len(truth)), truth]
    if scores.shape[1] == 2 and np.array_equal(scores[:, 0], -scores[:, 1]):
        return float(np.maximum(1 - own, 0).mean())
    others = scores.copy()
    others[np.arange(len(truth)), truth] = 0
    return float(np.maximum(others.max(axis=1) - own + 1, 0).mean())


def _log_loss(truth: Numbers, probabilities: Scores) -> float:
    # A network's float32 shares sum to 1 but for rounding, which scikit-learn warns about.
    clipped = np.clip(probabilities, SMALLEST, 1.0)
    shares = clipped / clipped.sum(axis=1, keepdims=True)
    return float(-np.log(shares[np.arange(len(truth)), truth]).mean())


def _area(area: Callable[..., float], truth: Numbers, scores: Scores) -> float:
    numbers = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    areas = [
        float(area(truth == number, scores[:, number]))
        for number in numbers
        if 0 < int((truth == number).sum()) < len(truth)
    ]
    return float(np.mean(areas)) if areas else math.nan  # left out: the rows are of one class
