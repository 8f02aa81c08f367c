"""What Keras itself saves, predicts and differentiates for a case, kept in one zip per family."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.case import Array, Case, draw_cotangents, draw_inputs, draw_weights

FOLDER = Path(__file__).parents[1] / "fixtures" / "parity"
OLD = (1980, 1, 1, 0, 0, 0)  # members carry no time, so that the same oracle is the same file


@dataclass(frozen=True)
class Oracle:
    """A saved model (`h5`, and by Keras 3 `keras`), inputs, and what Keras makes of them."""

    h5: bytes
    keras: bytes
    inputs: list[Array]
    outputs: list[Array]
    cotangents: list[Array]
    gradients: dict[str, Array]
    """By the fingerprint of the weight that it belongs to, and `input:<index>`."""


def made_by_keras3(case: Case) -> Oracle:
    """Build, save, predict and differentiate with Keras 3 on JAX."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    model = case.build(keras)
    draw_weights(model, case)
    inputs = draw_inputs(model, case)
    outputs = predict(model, inputs)
    cotangents = draw_cotangents(outputs, case)
    grads = differentiate(model, inputs, cotangents, case) if case.gradients else {}
    with tempfile.TemporaryDirectory() as folder:
        saved = {}
        for ending in ("h5", "keras") if case.h5 else ("keras",):
            path = Path(folder) / f"model.{ending}"
            model.save(path)
            saved[ending] = path.read_bytes()
    return Oracle(saved.get("h5", b""), saved["keras"], inputs, outputs, cotangents, grads)


def predict(model: Any, inputs: Sequence[Array]) -> list[Array]:
    """Give every output of a Keras model, in order."""
    outputs = model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(y) for y in (outputs if isinstance(outputs, list | tuple) else [outputs])]


def differentiate(
    model: Any, inputs: Sequence[Array], cotangents: Sequence[Array], case: Case
) -> dict[str, Array]:
    """Give gradients of sum(output * cotangent) + penalties, by trained weights and inputs."""
    import jax
    import jax.numpy as jnp

    floats = [i for i, x in enumerate(inputs) if x.dtype == np.float32 and not case.masks]

    def loss(weights: Any, given: Any) -> Any:
        merged = [given[floats.index(i)] if i in floats else x for i, x in enumerate(inputs)]
        fixed = [variable.value for variable in model.non_trainable_variables]
        outputs, _, penalties = model.stateless_call(
            weights,
            fixed,
            merged if len(merged) > 1 else merged[0],
            training=case.training,
            return_losses=True,
        )
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        products = [jnp.sum(y * c) for y, c in zip(outputs, cotangents, strict=True)]
        return sum(products) + sum(penalties)

    values = [variable.value for variable in model.trainable_variables]
    by_weight, by_input = jax.jit(jax.grad(loss, argnums=(0, 1)))(
        values, [inputs[i] for i in floats]
    )
    names = [fingerprint(np.asarray(value)) for value in values]
    found = {name: np.asarray(g) for name, g in zip(names, by_weight, strict=True)}
    return found | {f"input:{i}": np.asarray(g) for i, g in zip(floats, by_input, strict=True)}


def fingerprint(weight: Array) -> str:
    """Name a weight by its values, which are its own: names and shapes differ between formats."""
    return f"{zlib.crc32(np.ascontiguousarray(weight, '<f4').tobytes()):08x}"


def save_archive(path: Path, oracles: dict[str, Oracle]) -> None:
    """Write oracles, the same bytes for the same oracles."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, oracle in sorted(oracles.items()):
            arrays: dict[str, Any] = {f"x{i}": x for i, x in enumerate(oracle.inputs)}
            arrays |= {f"y{i}": y for i, y in enumerate(oracle.outputs)}
            arrays |= {f"c{i}": c for i, c in enumerate(oracle.cotangents)}
            arrays |= {f"g:{key}": g for key, g in oracle.gradients.items()}
            packed = io.BytesIO()
            np.savez(packed, **arrays)
            members = {"h5": oracle.h5, "keras": oracle.keras, "npz": packed.getvalue()}
            for ending, content in members.items():
                if content:
                    archive.writestr(
                        zipfile.ZipInfo(f"{name}.{ending}", OLD), content, zipfile.ZIP_DEFLATED, 9
                    )


@cache
def names_in(path: Path) -> frozenset[str]:
    """Give the cases that an archive holds; none where there is no archive."""
    if not path.exists():
        return frozenset()
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return frozenset(name.removesuffix(".npz") for name in names if name.endswith(".npz"))


@cache
def load(path: Path, name: str) -> Oracle:
    """Read one case's oracle."""
    with zipfile.ZipFile(path) as archive:
        present = set(archive.namelist())
        files = {
            ending: archive.read(f"{name}.{ending}") if f"{name}.{ending}" in present else b""
            for ending in ("h5", "keras")
        }
        with np.load(io.BytesIO(archive.read(f"{name}.npz"))) as packed:
            arrays = dict(packed)

    def numbered(letter: str) -> list[Array]:
        count = sum(key[0] == letter and key[1:].isdigit() for key in arrays)
        return [arrays[f"{letter}{i}"] for i in range(count)]

    grads = {key[2:]: value for key, value in arrays.items() if key.startswith("g:")}
    return Oracle(files["h5"], files["keras"], numbered("x"), numbered("y"), numbered("c"), grads)


def difference(found: Sequence[Array], expected: Sequence[Array]) -> float:
    """Give the largest difference relative to max(1, largest value) of its array."""
    assert [y.shape for y in found] == [y.shape for y in expected]
    worst = 0.0
    for mine, right in zip(found, expected, strict=True):
        scale = max(1.0, float(np.abs(right).max(initial=0.0)))
        error = float(np.abs(mine - right).max(initial=0.0)) / scale
        worst = max(worst, float("inf") if np.isnan(error) else error)
    return worst
