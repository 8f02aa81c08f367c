"""Which units can train together: equal but for numbers that each may have for itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from potluck_coordinator.core.stacking import LAYERS, skeleton, stack_from, stack_value

PLAN = Path(__file__).parents[3] / "client_web/src/engine/stacked/plan.ts"

BATCHES: dict[str, Any] = {"tensors": "t", "rows": 100, "batch_size": 32, "epochs": [0, 3]}


def topology(units: int = 8, rate: float = 0.2, l2: float = 0.01, last: str = "Dense") -> Any:
    """Make the topology of a small network."""
    penalty = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": l2}}
    layers = [
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 4]}},
        {
            "class_name": "Dense",
            "config": {"name": "a", "units": units, "kernel_regularizer": penalty},
        },
        {"class_name": "Dropout", "config": {"name": "b", "rate": rate}},
        {"class_name": last, "config": {"name": "c", "units": 3}},
    ]
    return {"class_name": "Sequential", "config": {"layers": layers}}


def training(**optimizer: Any) -> dict[str, Any]:
    """Make a unit's training."""
    chosen = {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": False}
    return {
        "optimizer": {**chosen, **optimizer},
        "loss": "mean_squared_error",
        "from_logits": False,
    }


FIRST = stack_value(skeleton(topology()), training(), BATCHES)


@pytest.mark.parametrize(
    "value",
    [
        stack_value(skeleton(topology(rate=0.5)), training(), BATCHES),
        stack_value(skeleton(topology(l2=0.0)), training(), BATCHES),
        stack_value(skeleton(topology()), training(learning_rate=0.3, momentum=0.5), BATCHES),
    ],
    ids=["dropout", "penalty", "optimizer's numbers"],
)
def test_units_that_differ_in_numbers_train_together(value: str | None) -> None:
    assert value == FIRST is not None


@pytest.mark.parametrize(
    "value",
    [
        stack_value(skeleton(topology(units=9)), training(), BATCHES),
        stack_value(skeleton(topology()), training(momentum=0), BATCHES),
        stack_value(skeleton(topology()), training(nesterov=True), BATCHES),
        stack_value(skeleton(topology()), training(name="rmsprop"), BATCHES),
        stack_value(skeleton(topology()), training() | {"loss": "mean_absolute_error"}, BATCHES),
        stack_value(skeleton(topology()), training() | {"from_logits": True}, BATCHES),
        *(
            stack_value(skeleton(topology()), training(), BATCHES | {key: other})
            for key, other in {
                "tensors": "u",
                "rows": 9,
                "batch_size": 16,
                "epochs": [0, 9],
            }.items()
        ),
    ],
)
def test_units_that_differ_in_more_do_not(value: str | None) -> None:
    assert value is not None
    assert value != FIRST


def test_a_layer_that_engines_do_not_stack_trains_alone() -> None:
    assert skeleton(topology(last="LSTM")) is None
    assert skeleton({"class_name": "Sequential"}) is None
    assert stack_value(skeleton(topology(last="LSTM")), training(), BATCHES) is None


def test_a_unit_that_somebody_began_stacks_with_those_at_its_step_only() -> None:
    assert stack_from("s", 12, 12) == "s"
    assert stack_from("s", 15, 12) == stack_from("s", 15, 12) != stack_from("s", 18, 12)
    assert stack_from("s", 15, 12) != "s"
    assert stack_from(None, 15, 12) is None


def test_units_are_grouped_by_the_layers_that_a_tab_stacks() -> None:
    found = re.search(r"const STACKABLE = new Set\(\[(.*?)\]\)", PLAN.read_text(), re.DOTALL)
    assert found
    assert set(re.findall(r'"(\w+)"', found[1])) == LAYERS
