"""The image networks of keras.applications, small and with random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.parity.case import Case

SIZES = {
    "MobileNet": 64,
    "MobileNetV2": 64,
    "ResNet50": 64,
    "DenseNet121": 64,
    "Xception": 75,
    "EfficientNetB0": 64,
    "NASNetMobile": 64,
}


def _builder(name: str, size: int) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        make = getattr(keras.applications, name)
        # Logits of ten classes: what a softmax over a thousand says is all alike.
        return make(
            weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None
        )

    return build


APPLICATIONS = {
    name: Case(f"application_{name}", _builder(name, size), gradients=False)
    for name, size in SIZES.items()
}
