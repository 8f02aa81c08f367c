"""Words that differ only in how they are typed, and dates that are words."""

from __future__ import annotations

import numpy as np
import pytest

from potluck_coordinator.pipeline import plan_study
from tests.unit.pipeline.cases import arrays, model, plan_table, spec, table


def test_labels_that_differ_only_in_case_are_named() -> None:
    data = arrays(
        x=np.random.default_rng(0).random((60, 2)), y=np.array(["spam", "Spam", "ham"] * 20)
    )
    plan = plan_study(data, spec(), model((2,), 3, "softmax"))
    assert plan.warnings == (
        "y: 'Spam' and 'spam' differ only in case or spaces, and are classes of their own.",
    )


def test_words_of_a_feature_that_differ_only_in_case_are_named() -> None:
    words = ("True", "true", "TRUE", "no")
    text = "w,n,y\n" + "".join(f"{words[i % 4]},{i * 1.5},{'pq'[i % 3 % 2]}\n" for i in range(60))
    _, plan = plan_table(text, 5, 1, "sigmoid")
    assert plan.warnings == (
        "w: 'TRUE' and 'True' and 'true' differ only in case or spaces, "
        "and are words of their own.",
    )


@pytest.mark.parametrize("day", ["2024-01-0{}", "0{}/02/2024", "2024-01-0{} 10:30:00"])
def test_dates_that_are_words_are_named(day: str) -> None:
    text = "day,n,y\n" + "".join(
        f"{day.format(i % 3 + 1)},{i * 1.5},{'pq'[i % 2]}\n" for i in range(60)
    )
    plan = plan_study(table(text), spec(), model((4,), 1, "sigmoid"))
    assert [one for one in plan.warnings if one.startswith("day: dates, taken as 3 words")]


def test_versions_and_plain_words_are_no_dates() -> None:
    text = "v,n,y\n" + "".join(f"1.{i % 3}.7,{i * 1.5},{'pq'[i % 2]}\n" for i in range(60))
    assert plan_table(text, 4, 1, "sigmoid")[1].warnings == ()
