"""Amounts that the last activation cannot give are warned of, others are not."""

from __future__ import annotations

from typing import Any

import pytest

from potluck_coordinator.pipeline import plan_study
from tests.unit.pipeline.cases import amounts, model, spec, table

SHARES = "a,y\n" + "".join(f"{i * 1.5},{(i * 7 % 60) / 100 + 0.005}\n" for i in range(60))


def said(text: str, activation: str, **asked: Any) -> list[str]:
    plan = plan_study(table(text), spec(task="regression", **asked), model((1,), 1, activation))
    return [one for one in plan.warnings if "activation" in one]


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh", "softplus"])
def test_an_activation_reaches_what_is_scaled_to_its_range(activation: str) -> None:
    assert said(amounts(), activation, scaling="minmax") == []
    assert said(SHARES, activation, scaling="none") == []


def test_standardizing_is_named_as_the_cause_with_what_would_fit() -> None:
    (told,) = said(SHARES, "sigmoid")
    assert "sigmoid: it gives numbers from 0 to 1" in told
    assert "standardized" in told
    assert 'Scaling "minmax" or "none" would fit' in told
    (told,) = said(amounts(), "sigmoid")
    assert 'Scaling "minmax" would fit' in told
    (told,) = said(amounts(), "relu")
    assert 'Scaling "minmax" or "none" would fit' in told


def test_amounts_in_their_own_units_may_be_too_large() -> None:
    (told,) = said(amounts(), "sigmoid", scaling="none")
    assert "in its own units, goes from 100 to 292" in told


def test_a_loss_in_own_units_is_not_told_of_scaling() -> None:
    plan = plan_study(table(amounts()), spec(loss="poisson"), model((1,), 1, "softplus"))
    assert not [one for one in plan.warnings if "activation" in one]
    loss = spec(loss="mean_squared_logarithmic_error")
    plan = plan_study(table(amounts()), loss, model((1,), 1, "sigmoid"))
    (told,) = [one for one in plan.warnings if "activation" in one]
    assert "Scaling" not in told
