"""HDF5 files made by hand, the way a stranger might."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

DENSE: dict[str, Any] = {
    "class_name": "Sequential",
    "config": {
        "name": "s",
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 3], "name": "in"}},
            {"class_name": "Dense", "config": {"name": "d", "units": 2}},
        ],
    },
}


def architecture(*layers: tuple[str, dict[str, Any]], shape: Any = (None, 3)) -> dict[str, Any]:
    """Give a Sequential's architecture."""
    entries = [("InputLayer", {"batch_shape": shape}), *layers]
    return {
        "class_name": "Sequential",
        "config": {
            "name": "s",
            "layers": [
                {"class_name": name, "config": {"name": f"l{i}", **config}}
                for i, (name, config) in enumerate(entries)
            ],
        },
    }


def h5(
    config: Any = DENSE,
    *,
    text: str | None = None,
    change: Callable[[h5py.File], None] | None = None,
    kernel: Any = None,
) -> bytes:
    """Make a Keras file of one Dense layer, changed at will."""
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file.attrs["keras_version"] = "3.15.1"
        file.attrs["model_config"] = json.dumps(config) if text is None else text
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = np.array([b"d"])
        home = root.create_group("d")
        home.attrs["weight_names"] = np.array([b"d/kernel", b"d/bias"])
        home["d/kernel"] = np.ones((3, 2), "float32") if kernel is None else kernel
        home["d/bias"] = np.zeros(2, "float32")
        if change is not None:
            change(file)
    return target.getvalue()
