"""The losses of a donor without a browser, and the file by which tabs' are held: Keras's own."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest

from potluck.protocol.study import LossName, LossOptions
from potluck_coordinator.training.losses import row_losses, weighted

CLIENT = Path(__file__).parents[3] / "client_web"
TOLERANCE = 1e-5


def _oracle() -> ModuleType:
    path = CLIENT / "oracle/loss_cases.py"
    found = importlib.util.spec_from_file_location("loss_cases", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


ORACLE = _oracle()
CASES = ORACLE.cases()
WRITTEN = json.loads(ORACLE.OUT.read_text())


def ours(case: Any, data: Any, options: LossOptions) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    targets = jnp.asarray(data["targets"])
    weights = None if data["weights"] is None else jnp.asarray(data["weights"])

    def mean(outputs: Any) -> Any:
        rows = row_losses(case.loss, options, case.from_logits, targets, outputs)
        assert rows.shape == (len(data["outputs"]),)
        return jnp.mean(weighted(rows, weights))

    value, gradient = jax.value_and_grad(mean)(jnp.asarray(data["outputs"]))
    return {"value": float(value), "gradient": np.asarray(gradient)}


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    right = np.ravel(other["gradient"])
    error = np.abs(np.ravel(one["gradient"]) - right).max() / np.abs(right).max()
    value = abs(one["value"] - other["value"]) / max(abs(other["value"]), 1e-3)
    return float(max(error, value))


def test_every_loss_of_the_wire_has_a_case_with_each_of_its_options() -> None:
    from potluck_coordinator.pipeline.losses import KINDS

    for name in get_args(LossName):
        told = {option for case in CASES if case.loss == name for option in case.options}
        assert told == set(KINDS[name].options), name
        assert any(case.weighted for case in CASES if case.loss == name)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_loss_is_keras_s_here_and_in_the_file_that_tabs_are_held_to(number: int) -> None:
    case = CASES[number]
    data = ORACLE.given(case)
    right = ORACLE.by_keras(case, data)
    assert apart(ours(case, data, LossOptions(**case.options)), right) < TOLERANCE
    written = WRITTEN[number]
    assert (written["loss"], written["options"]) == (case.loss, dict(case.options))
    assert apart(written, right) < TOLERANCE
    for option, value in case.options.items():
        if not isinstance(value, bool):
            other = LossOptions(**{**case.options, option: value + 0.01})
            assert apart(ours(case, data, other), right) > 10 * TOLERANCE
    if case.weighted:
        plain = {**data, "weights": None}
        assert apart(ours(case, plain, LossOptions(**case.options)), right) > 10 * TOLERANCE
