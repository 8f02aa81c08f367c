"""Parts of one row, on which nothing can differ."""

from __future__ import annotations

import numpy as np
import pytest

from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.pipeline import plan_study
from tests.unit.pipeline.cases import arrays, model, spec

FREE = model((2,), 1, "linear")


@pytest.mark.parametrize("split", [{}, {"folds": 5, "test": 0}])
def test_a_part_of_one_row_is_why_r2_has_no_value(split: dict[str, float]) -> None:
    data = arrays(x=np.random.default_rng(0).random((5, 2)), y=np.arange(5) * 1.5)
    with pytest.raises(BadStudy) as caught:
        plan_study(data, spec(split=split), FREE)
    assert caught.value.code == "pipeline.metric_undefined"
    assert caught.value.got == "there is only one row"
    assert "more rows" in caught.value.hint
    assert plan_study(data, spec(metric="mae", split=split), FREE).metric == "mae"


def test_equal_values_of_several_rows_are_still_named() -> None:
    y = np.array([0.5] * 39 + [1.5])
    data = arrays(x=np.random.default_rng(0).random((40, 2)), y=y)
    with pytest.raises(BadStudy) as caught:
        plan_study(data, spec(split={"seed": 1, "stratify": False}), FREE)
    assert caught.value.got == "all true values are equal"
