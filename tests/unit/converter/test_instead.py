"""A bare operation is refused with the layer that does the same, where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_converter import ConversionError, read_model
from potluck_converter.readers.instead import instead
from tests.support.keras_files import saved

L: Any = keras.layers
ops: Any = keras.ops
STEPS, PICTURE = (4, 3), (4, 4, 3)
CASES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], str]] = {
    "mean of steps": (STEPS, lambda x: ops.mean(x, axis=1), "GlobalAveragePooling1D()"),
    "mean of places": (PICTURE, lambda x: ops.mean(x, axis=(1, 2)), "GlobalAveragePooling2D()"),
    "kept axes": (STEPS, lambda x: ops.max(x, -2, True), "GlobalMaxPooling1D(keepdims=True)"),
    "mean of channels": (STEPS, lambda x: ops.mean(x, axis=-1), "own layers alone"),
    "reshape": (STEPS, lambda x: ops.reshape(x, (-1, 12)), "Reshape"),
    "a new axis": (STEPS, lambda x: ops.expand_dims(x, -1), "Reshape"),
    "transpose": (STEPS, lambda x: ops.transpose(x, (0, 2, 1)), "Permute"),
    "clip": (STEPS, lambda x: ops.clip(x, 0, 6), "ReLU(max_value=6)"),
    "clip below 0": (STEPS, lambda x: ops.clip(x, -1, 1), "own layers alone"),
    "maximum": (STEPS, lambda x: ops.maximum(x, 0.0), "keras.layers.ReLU in"),
    "last step": (
        STEPS,
        lambda x: L.LSTM(3, return_sequences=True)(x)[:, -1, :],
        "return_sequences=False",
    ),
    "square root": (STEPS, lambda x: ops.sqrt(x), "own layers alone"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_hint_names_what_does_the_same(case: str) -> None:
    shape, operation, hint = CASES[case]
    x = keras.Input(shape)
    with pytest.raises(ConversionError) as caught:
        read_model({"m.keras": saved(keras.Model(x, operation(x)), ".keras")})
    assert "bare operation" in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("class_name", "function", "options", "hint"),
    [
        ("TFOpLambda", "math.reduce_mean", {"axis": [1, 2]}, "GlobalAveragePooling2D()"),
        ("TFOpLambda", "reshape", {"shape": [-1, 12]}, "Reshape"),
        ("TFOpLambda", "compat.v1.transpose", {"perm": [0, 2, 1]}, "Permute"),
        (
            "TFOpLambda",
            "clip_by_value",
            {"clip_value_min": 0, "clip_value_max": 6.0},
            "ReLU(max_value=6)",
        ),
        ("TFOpLambda", "math.maximum", {"y": 0.0}, "keras.layers.ReLU in"),
        ("SlicingOpLambda", "__operators__.getitem", {}, "return_sequences=False"),
        ("TFOpLambda", "math.sqrt", {}, "own layers alone"),
    ],
)
def test_so_it_does_in_the_words_of_keras_2(
    class_name: str, function: str, options: dict[str, Any], hint: str
) -> None:
    node = [["dense", 0, 0, options]]
    assert hint in instead(class_name, {"function": function}, [node])


WORDS = st.sampled_from(["axis", "config", "shape", "args", "kwargs", "x_max", "x_min", "order"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda some: st.lists(some, max_size=4) | st.dictionaries(WORDS, some),
    max_leaves=12,
)
OPERATIONS = st.sampled_from(["Mean", "Clip", "Maximum", "Transpose", "Normalize", "TFOpLambda"])


@given(OPERATIONS, st.dictionaries(WORDS, ANYTHING), ANYTHING)
def test_whatever_a_file_says_there_is_a_hint(name: str, config: Any, nodes: Any) -> None:
    assert len(instead(name, config, nodes)) < 300
