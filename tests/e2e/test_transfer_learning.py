"""A head on a frozen network of `keras.applications` trains in a tab as it does in Keras.

The networks are those that Keras makes, narrower and less deep, and without what draws by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from potluck_converter import trainable_weights
from tests.support.engine_page import EnginePage, distance
from tests.support.keras_training import KerasTraining
from tests.support.optimizer_cases import EVERY, optimizer, slightly_wrong
from tests.support.small_units import small_unit

SIDE, STEPS, TOLERANCE = 32, 4, 2e-3
SHAPE = (SIDE, SIDE, 3)
HEADLESS: dict[str, Any] = {"include_top": False, "weights": None, "input_shape": SHAPE}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[EnginePage]:
    with EnginePage(browser) as opened:
        yield opened


def mobilenet_v3() -> Any:
    import keras

    return keras.applications.MobileNetV3Small(alpha=0.35, pooling="avg", **HEADLESS)


def efficientnet_v2() -> Any:
    from keras.src.applications.efficientnet_v2 import EfficientNetV2

    sizes = {"width_coefficient": 0.3, "depth_coefficient": 0.2, "default_size": SIDE}
    name = "efficientnetv2-b0"
    return EfficientNetV2(**sizes, name=name, drop_connect_rate=0.0, pooling="avg", **HEADLESS)


def convnext() -> Any:
    from keras.src.applications.convnext import ConvNeXt

    sizes = {"depths": [1, 1, 2, 1], "projection_dims": [8, 16, 24, 32], "default_size": SIDE}
    return ConvNeXt(**sizes, pooling="avg", **HEADLESS)


def resnet_v2() -> Any:
    from keras.src.applications.resnet import ResNet, stack_residual_blocks_v2

    def blocks(x: Any) -> Any:
        x = stack_residual_blocks_v2(x, 8, 2, name="conv2")
        return stack_residual_blocks_v2(x, 16, 2, stride1=1, name="conv3")

    return ResNet(blocks, True, True, pooling="avg", **HEADLESS)


NETWORKS = [mobilenet_v3, efficientnet_v2, convnext, resnet_v2]


def with_statistics(network: Any) -> Any:
    """Let BatchNormalization know what it sees, as after training: else little gets through."""
    import keras

    rows = np.random.default_rng(4).normal(size=(20, *SHAPE)).astype(np.float32)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(rows, training=True)
    return network


def on_frozen(make: Callable[[], Any]) -> Any:
    """Put a head on a network, behind arithmetic, as tutorials do."""
    import keras

    keras.utils.set_random_seed(1)
    k = keras.layers
    base = with_statistics(make())
    base.trainable = False
    images = keras.Input(SHAPE)
    seen = base((images + 1.0) * 0.5 - 0.5, training=False)
    seen = k.LayerNormalization(trainable=False)(seen)
    return keras.Model(images, k.Dense(3, activation="softmax", name="head")(seen))


@pytest.mark.parametrize("make", NETWORKS)
def test_a_head_trains_as_in_keras_and_the_base_stays(
    page: EnginePage, make: Callable[[], Any]
) -> None:
    network = on_frozen(make)
    unit = small_unit(network)
    assert trainable_weights(unit.model.graph) == {"head/kernel", "head/bias"}
    start = dict(unit.model.weights)
    named = KerasTraining(network).train(unit, EVERY["adam"], STEPS)
    right = dict(zip(start, named.values(), strict=True))

    def apart(rule: Any) -> float:
        asked = replace(unit, optimizer=optimizer(rule))
        got = page.train("wasm", asked.recipe, asked.topology, start, unit.data, STEPS)
        return distance(got.weights, right, start)

    assert apart(EVERY["adam"]) < TOLERANCE
    assert apart(slightly_wrong(EVERY["adam"])) > TOLERANCE
