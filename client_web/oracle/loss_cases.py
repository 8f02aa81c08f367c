"""Write what Keras 3 on JAX computes for every loss and option, weighted or not: value, gradient.

Run from the repository: KERAS_BACKEND=jax python client_web/oracle/loss_cases.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

OUT = Path(__file__).parents[1] / "src/engine/losses/loss_cases.gen.json"
ROWS, CLASSES = 6, 4
Kind = Literal["classes", "two", "signs", "amounts", "counts"]

CLASS_NAMES = {
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "categorical_hinge": "CategoricalHinge",
    "kl_divergence": "KLDivergence",
    "cosine_similarity": "CosineSimilarity",
    "binary_crossentropy": "BinaryCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "hinge": "Hinge",
    "squared_hinge": "SquaredHinge",
    "dice": "Dice",
    "tversky": "Tversky",
    "mean_squared_error": "MeanSquaredError",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_absolute_percentage_error": "MeanAbsolutePercentageError",
    "mean_squared_logarithmic_error": "MeanSquaredLogarithmicError",
    "huber": "Huber",
    "log_cosh": "LogCosh",
    "poisson": "Poisson",
}


@dataclass(frozen=True)
class Case:
    """One loss with its options, on targets of a kind. `activation` makes the outputs."""

    loss: str
    kind: Kind
    activation: str
    options: Mapping[str, Any] = field(default_factory=dict)
    weighted: bool = False

    @property
    def from_logits(self) -> bool:
        """Say whether the loss takes raw outputs for probabilities."""
        return self.loss.endswith("crossentropy") and self.activation == "linear"


def _plain() -> Iterator[Case]:
    smooth = {"label_smoothing": 0.2}
    focal = {"gamma": 1.5, "alpha": 0.6}
    for activation in ("softmax", "linear"):
        yield Case("sparse_categorical_crossentropy", "classes", activation)
        yield Case("categorical_crossentropy", "classes", activation)
        yield Case("categorical_crossentropy", "classes", activation, smooth)
        yield Case("categorical_focal_crossentropy", "classes", activation)
        yield Case("categorical_focal_crossentropy", "classes", activation, {**focal, **smooth})
        yield Case("categorical_hinge", "classes", activation)
        yield Case("cosine_similarity", "classes", activation)
    yield Case("kl_divergence", "classes", "softmax")
    yield Case("dice", "classes", "softmax")
    yield Case("tversky", "classes", "softmax")
    yield Case("tversky", "classes", "softmax", {"alpha": 0.3, "beta": 0.9})
    balanced = {"apply_class_balancing": True, "alpha": 0.3}
    for activation in ("sigmoid", "linear"):
        yield Case("binary_crossentropy", "two", activation)
        yield Case("binary_crossentropy", "two", activation, smooth)
        yield Case("binary_focal_crossentropy", "two", activation)
        yield Case("binary_focal_crossentropy", "two", activation, {"gamma": 0.0})
        yield Case("binary_focal_crossentropy", "two", activation, {**balanced, **smooth})
    for activation in ("linear", "tanh"):
        yield Case("hinge", "signs", activation)
        yield Case("squared_hinge", "signs", activation)
    yield Case("dice", "two", "sigmoid")
    yield Case("tversky", "two", "sigmoid", {"alpha": 0.3, "beta": 0.9})
    for name in ("mean_squared_error", "mean_absolute_error", "log_cosh", "huber"):
        yield Case(name, "amounts", "linear")
    yield Case("huber", "amounts", "linear", {"delta": 0.4})
    yield Case("mean_absolute_percentage_error", "counts", "linear")
    yield Case("mean_squared_logarithmic_error", "counts", "linear")
    yield Case("poisson", "counts", "softplus")


def cases() -> list[Case]:
    """Give every case, without weights and with them."""
    plain = list(_plain())
    return plain + [Case(c.loss, c.kind, c.activation, c.options, True) for c in plain]


def given(case: Case) -> dict[str, Any]:
    """Give outputs, targets and weights of a case."""
    import numpy as np

    draw = np.random.default_rng(5)
    width = CLASSES if case.kind == "classes" else 1
    outputs = draw.normal(size=(ROWS, width))
    if case.activation == "softmax":
        outputs = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    elif case.activation == "sigmoid":
        outputs = 1 / (1 + np.exp(-outputs))
    elif case.activation == "tanh":
        outputs = np.tanh(outputs)
    elif case.activation == "softplus":
        outputs = np.log1p(np.exp(outputs))
    targets: Any = {
        "classes": np.array([0, 2, 1, 3, 2, 0], np.int32),
        "two": np.array([[1], [0], [0], [1], [1], [0]], np.float32),
        "signs": np.array([[1], [-1], [-1], [1], [1], [-1]], np.float32),
        "amounts": draw.normal(size=(ROWS, 1)).astype(np.float32),
        "counts": np.array([[3], [1], [4], [1], [5], [9]], np.float32),
    }[case.kind]
    weights = np.array([1, 0.5, 0, 2, 3, 0.25], np.float32) if case.weighted else None
    return {"outputs": outputs.astype(np.float32), "targets": targets, "weights": weights}


def by_keras(case: Case, data: Mapping[str, Any]) -> dict[str, Any]:
    """Let Keras's loss class compute the batch's loss, and its gradient by the outputs."""
    import jax
    import jax.numpy as jnp
    import keras
    import numpy as np

    options = dict(case.options)
    if case.loss.endswith("crossentropy"):
        options["from_logits"] = case.from_logits
    loss = getattr(keras.losses, CLASS_NAMES[case.loss])(**options)
    targets = data["targets"]
    if case.kind == "classes" and not case.loss.startswith("sparse"):
        targets = np.eye(CLASSES, dtype=np.float32)[targets]

    def of(outputs: Any) -> Any:
        # A loss of a whole batch stays one number for each weight.
        return jnp.mean(loss(targets, outputs, sample_weight=data["weights"]))

    value, gradient = jax.value_and_grad(of)(jnp.asarray(data["outputs"]))
    return {"value": float(value), "gradient": np.asarray(gradient)}


def _digits(values: Any) -> list[float]:
    return [float(f"{float(value):.7g}") for value in values.reshape(-1)]


def main() -> None:
    """Write the file."""
    lines = []
    for case in cases():
        data = given(case)
        found = by_keras(case, data)
        lines.append(
            json.dumps(
                {
                    "loss": case.loss,
                    "from_logits": case.from_logits,
                    "options": dict(case.options),
                    "kind": case.kind,
                    "shape": list(data["outputs"].shape),
                    "outputs": _digits(data["outputs"]),
                    "targets": _digits(data["targets"]),
                    "weights": None if data["weights"] is None else _digits(data["weights"]),
                    "value": float(f"{found['value']:.7g}"),
                    "gradient": _digits(found["gradient"]),
                },
                separators=(",", ":"),
            )
        )
    OUT.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
