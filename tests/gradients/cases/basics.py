"""Dense layers, activations, shapes, merges and normalization."""

from __future__ import annotations

from typing import Any

from tests.gradients.case import Case, case

ACTIVATIONS = (
    *("elu", "relu", "relu6", "linear", "sigmoid", "hardSigmoid", "softplus", "softsign"),
    *("tanh", "softmax", "logSoftmax", "swish", "mish", "selu", "gelu"),
)
APART: dict[str, Any] = {"values": "apart", "low": -2.0, "high": 2.0}
CASES: list[Case] = []


def _add(family: str, class_name: str, shape: Any, **options: Any) -> None:
    CASES.append(case(family, class_name, shape, **options))


for name in ACTIVATIONS:
    _add("Dense", "Dense", (3, 5), units=4, activation=name)
    _add("Activation", "Activation", (3, 8), activation=name, case_options=APART)
_add(
    "Activation",
    "Activation",
    (3, 5),
    about="logSoftmax, before Dense",
    activation="logSoftmax",
    after=[("Dense", {"units": 3})],
)
_add("Dense", "Dense", (2, 3, 4), about="of sequences", units=3, activation="tanh")
_add("Dense", "Dense", (2, 4), units=3, use_bias=False)
PENALTY = {"class_name": "L1L2", "config": {"l1": 0.03, "l2": 0.02}}
_add("Dense", "Dense", (2, 4), units=3, kernel_regularizer=PENALTY, bias_regularizer=PENALTY)

_add("Activation layer", "ReLU", (3, 8), case_options=APART)
_add("Activation layer", "ReLU", (3, 8), max_value=1.0, case_options=APART)
_add("Activation layer", "LeakyReLU", (3, 8), alpha=0.2, case_options=APART)
_add("Activation layer", "PReLU", (3, 8), case_options=APART)
_add("Activation layer", "PReLU", (2, 3, 2, 4), shared_axes=[1, 2], case_options=APART)
_add("Activation layer", "ELU", (3, 8), case_options=APART)
_add("Activation layer", "ThresholdedReLU", (3, 8), theta=0.8, case_options=APART)
_add("Activation layer", "Softmax", (3, 5))
_add("Activation layer", "Softmax", (2, 3, 4), axis=-1)

_add("Shape", "Flatten", (2, 3, 2, 2), after=[("Dense", {"units": 2})])
_add("Shape", "Reshape", (2, 3, 4), target_shape=[2, 6])
_add("Shape", "Permute", (2, 3, 4), dims=[2, 1])
_add("Shape", "Permute", (2, 3, 2, 4), dims=[3, 1, 2])
_add("Shape", "RepeatVector", (2, 4), n=3)
_add("Shape", "Dropout", (4, 6), rate=0.4, seed=7, case_options={"training": True})
_add(
    "Shape",
    "SpatialDropout1D",
    (3, 4, 5),
    rate=0.4,
    seed=7,
    case_options={"training": True},
)

SAME = ((2, 3, 4), (2, 3, 4))
THREE = ((2, 3, 4), (2, 3, 4), (2, 3, 4))
STRETCHED = ((2, 3, 4), (2, 1, 4))
SHORTER = ((2, 3, 4), (2, 4))
for name in ("Add", "Average", "Multiply", "Maximum", "Minimum"):
    _add("Merge", name, SAME, about="two inputs")
    _add("Merge", name, THREE, about="three inputs")
    _add("Merge", name, STRETCHED, about="one stretched over the steps")
    _add("Merge", name, SHORTER, about="one with an axis less")
for axis in (-1, 1):
    _add("Merge", "Concatenate", SAME, axis=axis)
_add("Merge", "Concatenate", ((2, 3), (2, 1), (2, 4)), about="three widths")
_add("Merge", "Dot", ((2, 4), (2, 4)), axes=1)
_add("Merge", "Dot", ((2, 4), (2, 4)), axes=1, normalize=True)
_add("Merge", "Dot", ((2, 3, 4), (2, 5, 4)), axes=2)
_add("Merge", "Dot", ((2, 4, 3), (2, 4, 5)), about="of sequences, axes=1", axes=1)

for shape in ((6, 4), (3, 4, 3), (3, 3, 2, 3), (2, 2, 2, 2, 3)):
    for training in (False, True):
        _add(
            "Normalization",
            "BatchNormalization",
            shape,
            about=f"{len(shape)} axes, {'training' if training else 'predicting'}",
            case_options={"training": training, "written": len(shape) > 4},
        )
for options in ({"axis": 1}, {"scale": False}, {"center": False}):
    _add(
        "Normalization",
        "BatchNormalization",
        (4, 3, 5),
        about=", ".join(f"{k}={v}" for k, v in options.items()) + ", training",
        case_options={"training": True, "written": True},
        **options,
    )
_add("Normalization", "LayerNormalization", (3, 5))
_add("Normalization", "LayerNormalization", (2, 3, 4), axis=[1, 2])
_add("Normalization", "LayerNormalization", (2, 3, 2, 4), epsilon=0.1)
_add(
    "Normalization",
    "LayerNormalization",
    (3, 5),
    scale=False,
    case_options={"written": True},
)
