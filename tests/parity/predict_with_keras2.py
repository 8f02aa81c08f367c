"""Predict with a file of Keras 2: python predict_with_keras2.py MODEL INPUT.npy OUTPUT.npy.

Needs `tf_keras` (.venv-oracle), and runs apart from all else.
"""

from __future__ import annotations

import sys

import numpy as np


def main(model: str, inputs: str, outputs: str) -> None:
    """Load without compiling, predict, save."""
    import tf_keras  # type: ignore[import-not-found, unused-ignore]

    network = tf_keras.models.load_model(model, compile=False)
    np.save(outputs, network.predict(np.load(inputs), verbose=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
