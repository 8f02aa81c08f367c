"""Make a model for the bench with Keras 2: python make_models.py tiny|resnet50 PATH."""

from __future__ import annotations

import sys

import tf_keras as keras  # type: ignore[import-not-found, unused-ignore]

L = keras.layers


def main(kind: str, path: str) -> None:
    """Save a model with random weights."""
    if kind == "resnet50":
        model = keras.applications.ResNet50(weights=None)
    else:
        model = keras.Sequential(
            [
                L.InputLayer((28, 28, 1)),
                L.Conv2D(8, 3, activation="relu"),
                L.MaxPooling2D(),
                L.Flatten(),
                L.Dense(10, activation="softmax"),
            ]
        )
    model.save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
