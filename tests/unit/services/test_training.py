"""From a trial's parameters to the optimizer that a unit carries."""

from __future__ import annotations

from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.protocol.schedules import Cosine, OneCycle, Piecewise, Step
from potluck.protocol.study import Choice, Fixed, Parameter
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.search import Space
from potluck_coordinator.search.rules import OPTIMIZERS, RULES, SCHEDULES
from potluck_coordinator.services.training import optimizer
from tests.support.keras_optimizers import CLASSES

EPOCHS = 12


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_not_said_is_keras_s_default(name: str) -> None:
    theirs = getattr(keras.optimizers, CLASSES[name])().get_config()
    ours = optimizer({"optimizer": name}, EPOCHS).model_dump(exclude={"name", "schedule"})
    for field, value in ours.items():
        assert value == pytest.approx(theirs[field]), field


def test_a_schedule_spans_the_trial_unless_it_is_said_otherwise() -> None:
    def schedule(**parameters: Any) -> object:
        return optimizer(parameters, EPOCHS).schedule

    assert schedule(schedule="cosine") == Cosine(decay_epochs=12)
    assert schedule(schedule="cosine", warmup_epochs=2.0) == Cosine(
        decay_epochs=10, warmup_epochs=2
    )
    assert schedule(schedule="one_cycle", decay_epochs=5.0) == OneCycle(decay_epochs=5)
    assert schedule(schedule="step") == Step(every_epochs=4)
    assert schedule(schedule="piecewise", boundaries="2, 6", factor=0.5) == Piecewise(
        boundaries=[2, 6], factors=[1, 0.5, 0.25]
    )


def test_two_clippings_are_refused() -> None:
    with pytest.raises(BadStudy) as refusal:
        optimizer({"clipnorm": 1.0, "clipvalue": 1.0}, EPOCHS)
    assert refusal.value.code == "search.together"
    assert "clipnorm" in refusal.value.expected


VALUES: dict[str, Any] = {
    "int": 3,
    "flag": True,
    "epochs": "1, 2",
    "float": 0.5,
}
ONE_CLIPPING = {"clipvalue", "global_clipnorm"}


def _parameter(name: str) -> Parameter:
    rule = RULES[name]
    if rule.kind == "name":
        return Choice(choices=list(rule.names))
    if name in ("start_divisor", "end_divisor"):
        return Fixed(value=2.0)
    return Fixed(value=-0.5 if name == "learning_rate_power" else VALUES[rule.kind])


@given(st.sampled_from(OPTIMIZERS), st.sampled_from(SCHEDULES), st.booleans())
def test_every_parameter_of_a_point_reaches_the_unit(
    name: str, schedule: str, averaged: bool
) -> None:
    space = Space.from_spec({n: _parameter(n) for n in RULES if n not in ONE_CLIPPING})
    point = space.effective({"optimizer": name, "schedule": schedule})
    point |= {"use_ema": averaged}
    made = optimizer(point, EPOCHS).model_dump()
    fields = made | made["schedule"] | {"optimizer": made["name"], "schedule": schedule}
    for parameter, value in point.items():
        if parameter not in ("batch_size", "boundaries", "name"):
            if parameter == "factor" and schedule == "piecewise":
                assert fields["factors"] == [1.0, 0.5, 0.25]
            else:
                assert fields[parameter] == value, parameter


def test_points_of_other_schedules_leave_out_what_those_do_not_read() -> None:
    space = Space.from_spec(
        {
            "schedule": Choice(choices=["constant", "cosine", "plateau"]),
            "alpha": Choice(choices=[0.0, 0.1]),
            "patience": Choice(choices=[2, 3, 4]),
            "use_ema": Choice(choices=[False, True]),
            "ema_momentum": Fixed(value=0.9),
        }
    )
    assert space.size == 2 * (1 + 2 + 3)
    points = [space.point(i) for i in range(space.size)]
    assert len({tuple(sorted(point.items())) for point in points}) == space.size
    for point in points:
        assert ("alpha" in point) == (point["schedule"] == "cosine")
        assert ("patience" in point) == (point["schedule"] == "plateau")
        assert ("ema_momentum" in point) == point["use_ema"]
