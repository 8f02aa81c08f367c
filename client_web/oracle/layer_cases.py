"""Write what Keras 3 on JAX computes for every layer of ours: outputs and gradients.

Run from the repository: KERAS_BACKEND=jax python client_web/oracle/layer_cases.py
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from case_list import CASES, Case

OUT = Path(__file__).parents[1] / "src/engine/layers/layer_cases.gen.json"


def numbers(shape: Sequence[int], offset: int) -> np.ndarray:
    """Give the numbers that the tests compute too, from -1 to 1."""
    size = math.prod(shape)
    places = 12.9898 * np.arange(1, size + 1, dtype=np.float64) + offset
    return np.sin(places).astype(np.float32).reshape(shape)


def weight_values(name: str, shape: Sequence[int], index: int) -> np.ndarray:
    """Give a weight's value; variances are positive."""
    drawn = numbers(shape, 20 + index) * np.float32(0.5)
    return np.abs(drawn) + np.float32(0.5) if name.endswith("variance") else drawn


def input_values(case: Case, shape: Sequence[int], index: int) -> np.ndarray:
    """Give an input's values; masked steps are all zero."""
    drawn = numbers(shape, index) * np.float32(case.spread)
    if case.masked[index : index + 1] == (True,):
        for row in range(shape[0]):
            for step in range(shape[1]):
                if (2 * row + step + index) % 3 == 0:
                    drawn[row, step] = 0
    return drawn


def tfjs_name(path: str, class_name: str) -> str:
    """Give TF.js's name of a Keras variable."""
    tokens = [token for token in path.split("/") if not token.endswith("_cell")]
    if "DepthwiseConv" in class_name and tokens[-1] == "kernel":
        tokens[-1] = "depthwise_kernel"
    return "/".join(tokens)


def names_of(layer: Any) -> dict[int, str]:
    """Give TF.js's names of a layer's variables, by Keras's identity of them."""
    kind = type(layer).__name__
    if kind == "Bidirectional":
        return {
            id(v): f"layer/{way}_g/{v.name}"
            for way, inner in (("forward", layer.forward_layer), ("backward", layer.backward_layer))
            for v in inner.weights
        }
    if kind == "RNN":
        cells = enumerate(layer.cell.cells)
        return {id(v): f"layer/RNNCell_{i}/{v.name}" for i, cell in cells for v in cell.weights}
    if kind == "TimeDistributed":
        return {id(v): f"layer/{v.name}" for v in layer.weights}
    return {id(v): re.sub(r"^[^/]+", "layer", tfjs_name(v.path, kind)) for v in layer.weights}


def rounded(values: Any) -> dict[str, Any]:
    """Write an array with six digits."""
    array = np.asarray(values, np.float32)
    flat = [float(f"{value:.7g}") for value in array.reshape(-1)]
    return {"shape": list(array.shape), "data": flat}


def compute(case: Case) -> dict[str, Any]:
    """Compute one case's output and gradients."""
    keras.utils.clear_session()
    layer = case.make()
    inputs = [keras.Input(shape[1:], batch_size=shape[0]) for shape in case.shapes]
    values = [input_values(case, shape, i) for i, shape in enumerate(case.shapes)]
    fed = [
        keras.layers.Masking()(tensor) if case.masked[i : i + 1] == (True,) else tensor
        for i, tensor in enumerate(inputs)
    ]
    out = (
        layer(*fed, **case.call)
        if case.arguments
        else layer(fed if len(fed) > 1 else fed[0], **case.call)
    )
    model = keras.Model(inputs, out)
    weights = {}
    named = names_of(layer)
    for index, variable in enumerate(layer.weights):
        if "seed_generator" in variable.path:
            continue
        name = named[id(variable)]
        value = weight_values(name, variable.shape, index)
        variable.assign(value)
        weights[id(variable)] = {"name": name, "shape": list(variable.shape), "index": index}
    trainable = [v.value for v in model.trainable_variables]
    frozen = [v.value for v in model.non_trainable_variables]

    def loss(trained: list[Any], given: list[Any]) -> Any:
        result, changed = model.stateless_call(
            trained, frozen, given if len(given) > 1 else given[0], training=case.training
        )
        return jnp.sum(result * numbers(result.shape, 9)), (result, changed)

    (grads, slopes), (result, changed) = jax.grad(loss, argnums=(0, 1), has_aux=True)(
        trainable, values
    )
    by_name = {
        weights[id(v)]["name"]: rounded(g)
        for v, g in zip(model.trainable_variables, grads, strict=True)
    }
    states = {
        weights[id(v)]["name"]: rounded(new)
        for v, new in zip(model.non_trainable_variables, changed, strict=True)
        if id(v) in weights and case.training
    }
    return {
        "name": case.name,
        "class_name": case.class_name,
        "config": case.config,
        "shapes": [list(shape) for shape in case.shapes],
        "masked": list(case.masked),
        "spread": case.spread,
        "training": case.training,
        "weights": list(weights.values()),
        "output": rounded(result),
        "input_gradients": [rounded(slope) for slope in slopes],
        "weight_gradients": by_name,
        "states": states,
    }


def main() -> None:
    """Write all cases."""
    found = []
    for case in CASES:
        try:
            found.append(compute(case))
        except Exception as error:
            error.add_note(case.name)
            raise
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in found)
    OUT.write_text(f"[\n{lines}\n]\n")
    print(f"{len(found)} cases, {OUT.stat().st_size // 1024} KiB")  # noqa: T201


if __name__ == "__main__":
    main()
