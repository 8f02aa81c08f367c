"""A model that scales its inputs itself gets them as they are, unless scaling is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from potluck.study import Study
from tests.support.coordinator import Coordinator
from tests.support.keras_files import saved

L: Any = keras.layers
RANDOM = np.random.default_rng(3)
RAW = RANDOM.normal([3000.0, 15.0], [800.0, 3.0], (60, 2)).astype(np.float32)
AMOUNTS = (30.0 - RAW[:, 0] / 200 + RAW[:, 1]).astype(np.float32)


def network(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((2,)), *layers, L.Dense(1)])


def adapted() -> Any:
    layer = L.Normalization(name="fitted")
    layer.adapt(RAW)
    return network(layer, L.Dense(8, activation="relu"))


def given_statistics() -> Any:
    return network(L.Normalization(mean=[3000.0, 15.0], variance=[640000.0, 9.0], name="given"))


def rescaled() -> Any:
    return network(L.Rescaling([0.001, 0.1], name="smaller"), L.Dense(4))


def behind_arithmetic() -> Any:
    inputs = keras.Input((2,))
    return keras.Model(inputs, L.Dense(1)(L.Dense(4)(inputs / 127.5 - 1.0)))


def flattened() -> Any:
    return network(L.Reshape((2, 1)), L.Flatten(), L.Rescaling(0.01, name="behind"), L.Dense(4))


def pooled() -> Any:
    layers = (L.AveragePooling1D(2), L.Dropout(0.1), L.Flatten(), L.Rescaling(0.01))
    return network(L.Reshape((2, 1)), *layers)


def frozen() -> Any:
    return network(L.Dense(4, trainable=False, name="learned"))


def never_adapted() -> Any:
    layer = L.Normalization()
    layer.build((None, 2))
    return network(layer, L.Dense(4))


def batch_normalization() -> Any:
    return network(L.BatchNormalization(), L.Dense(4))


def cast_only() -> Any:
    return network(L.Rescaling(1.0), L.Dense(4))


def later() -> Any:
    return network(L.Dense(4), L.Rescaling(2.0))


def planned(coordinator: Coordinator, make: Callable[[], Any], **asked: Any) -> Study:
    """Submit a study and stop it, for its plan."""
    content = saved(make(), ".keras")
    study = coordinator.client().submit(
        model=content, data=(RAW, AMOUNTS), search={}, trials=1, epochs=1, quiet=True, **asked
    )
    return study.stop()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (adapted, "fitted"),
        (given_statistics, "given"),
        (rescaled, "smaller"),
        (behind_arithmetic, ""),
        (flattened, "behind"),
        (pooled, ""),
        (frozen, "learned"),
    ],
)
def test_numbers_go_as_they_are_where_the_model_expects_them_so(
    coordinator: Coordinator, make: Callable[[], Any], named: str
) -> None:
    plan = planned(coordinator, make).plan
    assert plan.scaling == "none"
    assert any("go in as they are" in w and named in w for w in plan.warnings)


@pytest.mark.parametrize("make", [never_adapted, batch_normalization, cast_only, later])
def test_numbers_are_scaled_for_every_other_model(
    coordinator: Coordinator, make: Callable[[], Any]
) -> None:
    plan = planned(coordinator, make).plan
    assert plan.scaling == "standard"
    assert not any("scale" in warning for warning in plan.warnings)


def test_what_is_asked_for_is_done_and_warned_of(coordinator: Coordinator) -> None:
    plan = planned(coordinator, adapted, scaling="standard").plan
    assert plan.scaling == "standard"
    assert any('"fitted"' in w and "Leave scaling out" in w for w in plan.warnings)
    plan = planned(coordinator, adapted, scaling="none").plan
    assert plan.scaling == "none"
    assert not any("scale" in warning for warning in plan.warnings)


def test_a_layer_fitted_to_another_width_scales_no_more(coordinator: Coordinator) -> None:
    client = coordinator.client()
    wide = np.concatenate([RAW, RAW[:, :1] - 7], axis=1)
    study = client.submit(
        model=saved(adapted(), ".keras"),
        data=(wide, AMOUNTS),
        search={},
        trials=1,
        epochs=1,
        fit_first_layer=True,
    )
    assert study.stop().plan.scaling == "standard"


POSITIVE = (1.0 + 4.0 / (1.0 + np.exp(-(RAW[:, 1] - 15.0)))).astype(np.float32)


def rated() -> Any:
    inputs = keras.Input((2,))
    hidden = L.Dense(1, activation="sigmoid")(L.BatchNormalization()(inputs))
    return keras.Model(inputs, hidden * 4.0 + 1.0)


def behind_relu() -> Any:
    return keras.Sequential([keras.Input((2,)), L.Dense(1), L.ReLU()])


def squashed(amounts: Any) -> Any:
    return (amounts - amounts.min()) / (amounts.max() - amounts.min())


def bounded(activation: str) -> Any:
    return keras.Sequential([keras.Input((2,)), L.Dense(1, activation=activation)])


@pytest.mark.parametrize(
    ("model", "target", "said"),
    [
        (rated(), POSITIVE, "the target is not scaled"),
        (behind_relu(), POSITIVE, "the target is not scaled"),
        (bounded("sigmoid"), squashed(POSITIVE), "the target is not scaled"),
        (bounded("sigmoid"), POSITIVE, "the target is scaled to 0 to 1"),
        (bounded("tanh"), POSITIVE - 3, "the target is scaled to 0 to 1"),
        (rated(), 100 * POSITIVE, "cannot reach all of the target"),
        (bounded("linear"), POSITIVE, ""),
        (bounded("leaky_relu"), POSITIVE, ""),
    ],
)
def test_a_target_is_scaled_to_where_the_outputs_reach(
    coordinator: Coordinator, model: Any, target: Any, said: str
) -> None:
    study = coordinator.client().submit(
        model=saved(model, ".keras"),
        data=(RAW, target),
        search={},
        trials=1,
        epochs=1,
        task="regression",
    )
    found = [w for w in study.stop().plan.warnings if "outputs lie" in w]
    assert [said in warning for warning in found] == ([True] if said else [])


@pytest.mark.parametrize(
    ("scaling", "warned"), [("standard", True), ("minmax", False), ("none", True)]
)
def test_a_target_that_the_outputs_cannot_reach_is_warned_of_with_the_remedy(
    coordinator: Coordinator, scaling: Any, warned: bool
) -> None:
    study = coordinator.client().submit(
        model=saved(bounded("sigmoid"), ".keras"),
        data=(RAW, POSITIVE),
        search={},
        trials=1,
        epochs=1,
        task="regression",
        scaling=scaling,
    )
    found = [w for w in study.stop().plan.warnings if "cannot reach" in w]
    assert ['"minmax"' in warning for warning in found] == ([True] if warned else [])
