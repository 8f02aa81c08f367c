"""Networks kept compiled by topology: new weights of a known topology cost milliseconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck_converter import graph_from_json, training_memory
from potluck_coordinator.scoring.network import build_network, weight_variables
from potluck_coordinator.scoring.programs import Programs

BATCH = 512
PREDICTED_AT_ONCE = 256 << 20
"""Bytes that a batch may take; large samples go in smaller ones, the largest one by one."""
KEPT = 16

Forward = Callable[[list[Any], list[Any], NDArray[Any]], Any]


@dataclass(frozen=True)
class Predictor:
    """A compiled forward pass, with weights as arguments."""

    trained: tuple[str | None, ...]
    fixed: tuple[str | None, ...]
    defaults: tuple[list[Any], list[Any]]
    shapes: Mapping[str, tuple[int, ...]]
    forward: Forward
    batch: int = BATCH

    def predict(self, weights: Mapping[str, NDArray[Any]], x: NDArray[Any]) -> NDArray[np.float32]:
        """Give the first output for rows x, [rows, outputs] float32. Raises ValueError."""
        if set(weights) != set(self.shapes):
            raise ValueError("the weights are not those of the topology")
        for name, shape in self.shapes.items():
            if weights[name].shape != shape:
                raise ValueError(f"{name} has shape {weights[name].shape}, not {shape}")
        trained = self._arrange(self.trained, self.defaults[0], weights)
        fixed = self._arrange(self.fixed, self.defaults[1], weights)
        parts = []
        for start in range(0, len(x), self.batch):
            rows = x[start : start + self.batch]
            # Few sizes, so that few programs are compiled.
            size = min(self.batch, 1 << max(len(rows) - 1, 0).bit_length())
            padded = np.zeros((size, *x.shape[1:]), dtype=x.dtype)
            padded[: len(rows)] = rows
            parts.append(np.asarray(self.forward(trained, fixed, padded))[: len(rows)])
        return np.concatenate(parts).astype(np.float32, copy=False)

    @staticmethod
    def _arrange(
        names: tuple[str | None, ...], defaults: list[Any], weights: Mapping[str, NDArray[Any]]
    ) -> list[Any]:
        return [
            default if name is None else weights[name]
            for name, default in zip(names, defaults, strict=True)
        ]


_kept: Programs[str, Predictor] = Programs(KEPT)


def predictor_for(graph: Mapping[str, Any]) -> Predictor:
    """Build the predictor of a graph (as JSON), or take the one that this process has kept."""
    key = sha256(json.dumps(graph, sort_keys=True).encode()).hexdigest()
    return _kept.get(key, lambda: _build(graph))


def _build(graph: Mapping[str, Any]) -> Predictor:
    read = graph_from_json(dict(graph))
    network = build_network(read)
    variables = weight_variables(network, read)
    import jax

    @jax.jit
    def forward(trained: list[Any], fixed: list[Any], x: Any) -> Any:
        outputs, _ = network.stateless_call(trained, fixed, x, training=False)
        return outputs[0] if isinstance(outputs, list | tuple) else outputs

    names = {id(variable): name for name, variable in variables.items()}
    trained, fixed = network.trainable_variables, network.non_trainable_variables
    return Predictor(
        trained=tuple(names.get(id(variable)) for variable in trained),
        fixed=tuple(names.get(id(variable)) for variable in fixed),
        defaults=([v.value for v in trained], [v.value for v in fixed]),
        shapes={name: tuple(v.shape) for name, v in variables.items()},
        forward=forward,
        batch=_batch(training_memory(read).sample),
    )


def _batch(sample: int) -> int:
    """Give the largest batch, a power of two, of samples of so many bytes."""
    return 1 << min(BATCH, max(1, PREDICTED_AT_ONCE // max(1, sample))).bit_length() - 1
