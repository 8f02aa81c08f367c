"""The `.h5` that we write opens in Keras 2 too where it has the layer, and predicts the same."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from potluck_converter import ConversionError, write_keras_h5
from tests.parity.answers import model_of, oracle_of
from tests.parity.browser import ROOT
from tests.parity.cases import CASES
from tests.parity.oracle import difference

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1200)]

TENSORFLOW = ROOT / ".venv-oracle" / "bin" / "python"
TOLERANCE = 1e-4

NOT_IN_KERAS2 = {
    "rms_norm": "no such layer",
    "resizing_pad": "no such option",
    **{
        f"activation_{name}": "no such activation"
        for name in (
            *("celu", "glu", "hard_shrink", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid"),
            *("soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus"),
            "tanh_shrink",
        )
    },
    "activations_inside_celu": "no such activation",
    "activations_inside_hard_tanh": "no such activation",
}
COMPUTED_OTHERWISE = {
    "joins_masked": "masks are joined by 'and'",
    "activation_hard_sigmoid": "hard_sigmoid is another function",
    "activations_inside_hard_sigmoid": "hard_sigmoid is another function",
    "activations_inside_leaky_relu": "hard_sigmoid is another function",
    "activations_inside_silu": "hard_sigmoid is another function",
    "conv3d_transpose_dilated": "dilation makes another shape",
    "resizing_bicubic": "TensorFlow's bicubic differs from JAX's",
    "up_sampling2d_bicubic": "TensorFlow's bicubic differs from JAX's",
}
# Keras 2 keeps the arguments of MultiHeadAttention where Keras 3 does not look for them.
ONLY_KERAS3 = {
    *(name for name in CASES if name.startswith("heads_")),
    "transformer",
}


def written() -> dict[str, bytes]:
    """Give what is written of each case that a `.h5` can hold."""
    found = {}
    for name in CASES:
        try:
            found[name] = write_keras_h5(model_of(name))
        except ConversionError:
            continue  # what a `.h5` cannot hold; test_round_trips says which
    return found


def test_keras2_opens_every_h5_that_we_write_where_it_has_the_layer(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("opened_by_keras2")
    names = written()
    for name, content in names.items():
        (folder / f"{name}.h5").write_bytes(content)
        inputs = {f"{i:02}": value for i, value in enumerate(oracle_of(name).inputs)}
        np.savez(folder / f"{name}.npz", **inputs)  # type: ignore[arg-type, unused-ignore]
    program = ROOT / "tests" / "parity" / "open_with_keras2.py"
    done = subprocess.run(
        [str(TENSORFLOW), str(program), str(folder)], capture_output=True, text=True, check=True
    )
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    errors = {one["name"]: one["error"] for one in told}
    assert set(errors) == set(names)
    wrong = {}
    for name, error in errors.items():
        if not error:
            with np.load(folder / f"{name}.out.npz") as packed:
                outputs = [packed[key] for key in sorted(packed.files)]
            right = oracle_of(name).outputs
            same = [y.shape for y in outputs] == [y.shape for y in right]
            worst = difference(outputs, right) if same else float("inf")
            error = "" if worst <= TOLERANCE else f"off by {worst:g}"
        if error:
            wrong[name] = error
    excused = {*NOT_IN_KERAS2, *COMPUTED_OTHERWISE, *ONLY_KERAS3}
    assert {name: wrong[name] for name in wrong if name not in excused} == {}
    assert {name for name in excused if name not in wrong} == set()
