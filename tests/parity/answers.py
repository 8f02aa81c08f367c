"""One case on one backend: converted, opened by TF.js, and set beside what Keras says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from potluck_converter import Model, read_model, write_tfjs
from tests.parity.browser import Answer, ParityPage
from tests.parity.case import Array
from tests.parity.cases import CASES, FAMILY_OF
from tests.parity.make_oracles import archive_of
from tests.parity.oracle import Oracle, difference, fingerprint, load

# Relative to max(1, largest value). WebGL and WebGPU may compute sums in another order, and take
# exponentials and roots from the device.
TOLERANCE = {"cpu": 1e-4, "wasm": 1e-4, "webgl": 3e-4, "webgpu": 3e-4}
ALL_PARTS = ("predictions", "twin", "gradients", "gradientTwin")


@dataclass(frozen=True)
class Compared:
    """Differences from Keras: of what is right, and of the twins, which must be large."""

    predictions: float
    twin: float
    gradients: dict[str, float]
    gradient_twins: float


def oracle_of(name: str) -> Oracle:
    """Give a case's checked-in oracle."""
    return load(archive_of(FAMILY_OF[name]), name)


@cache
def model_of(name: str) -> Model:
    """Read what Keras 3 saved."""
    oracle = oracle_of(name)
    return read_model({"m.h5": oracle.h5} if oracle.h5 else {"m.keras": oracle.keras})


def compare(
    page: ParityPage, backend: str, model: Model, oracle: Oracle, training: bool
) -> Compared:
    """Run a converted model and compare all that the oracle knows."""
    answer = page.run(
        backend,
        write_tfjs(model),
        oracle.inputs,
        oracle.cotangents,
        training=training,
        by_inputs=any(key.startswith("input:") for key in oracle.gradients),
        parts=ALL_PARTS if oracle.gradients else ALL_PARTS[:2],
    )
    return Compared(
        difference(answer.predictions, oracle.outputs),
        difference(answer.twin, oracle.outputs),
        gradient_differences(answer.gradients, model, oracle),
        max(gradient_differences(answer.gradient_twin, model, oracle).values(), default=0.0),
    )


def gradient_differences(
    found: Mapping[str, Array], model: Model, oracle: Oracle
) -> dict[str, float]:
    """Compare gradients by weight; one that TF.js did not give is infinitely wrong."""
    by_values = {fingerprint(value): name for name, value in model.weights.items()}
    differences = {}
    for key, right in oracle.gradients.items():
        name = by_values.get(key, key)
        mine = found.get(name)
        if mine is None or mine.size != right.size or not np.isfinite(mine).all():
            differences[name] = float("inf")
        else:
            differences[name] = difference([mine.reshape(right.shape)], [right])
    return differences


_done: dict[tuple[str, str], Compared | Exception] = {}


def compared(page: ParityPage, backend: str, name: str) -> Compared:
    """Compare a case of the table, once for all tests that ask."""
    key = (backend, name)
    if key not in _done:
        try:
            _done[key] = compare(
                page, backend, model_of(name), oracle_of(name), CASES[name].training
            )
        except Exception as error:
            _done[key] = error
    outcome = _done[key]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


__all__ = ["TOLERANCE", "Answer", "Compared", "compare", "compared", "model_of", "oracle_of"]
