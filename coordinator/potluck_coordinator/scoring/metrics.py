"""Metrics by scikit-learn, in original units, for whatever classes the rows happen to hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_coordinator.scoring.amounts import measure_amounts
from potluck_coordinator.scoring.classes import measure_classes
from potluck_coordinator.scoring.job import Readout


def compute_metrics(decoded: Readout, truth: NDArray[Any]) -> dict[str, float]:
    """Compute every metric that these rows define; `truth` is `Encoded.held["truth"]`.

    What the rows leave without a meaning is absent (`core.measurable` has the reasons). What the
    predictions alone leave so, such as the precision of a class that was never predicted, is 0.
    `precision`, `recall` and `f1` are of the second of two classes. `roc_auc` and `pr_auc` are the
    mean, over the classes that the rows both hold and lack, of one against the rest; the `_macro`
    ones are means over the classes that the rows hold. `mape` is in percent.
    """
    if decoded.classes is None:
        return measure_amounts(
            truth.astype(np.float64), np.asarray(decoded.values, dtype=np.float64)
        )
    assert decoded.scores is not None
    return measure_classes(
        truth.astype(np.int64),
        np.asarray(decoded.values, dtype=np.int64),
        np.asarray(decoded.scores, dtype=np.float64),
        margins=decoded.probabilities is None,
    )
