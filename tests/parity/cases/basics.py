"""Dense layers, activations, shaping, embedding, dropout at inference."""

from __future__ import annotations

from typing import Any

from tests.parity.case import Case, chain, layer

FLAT, SERIES, IMAGE = (6,), (5, 4), (5, 4, 3)

# What Keras 2 lacks.
NEW_ACTIVATIONS = (
    *("celu", "glu", "hard_silu", "hard_swish", "hard_tanh", "hard_shrink", "log_sigmoid"),
    *("soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink"),
)
# What it has, by its own meaning: its hard_sigmoid is 0.2x + 0.5.
OLD_ACTIVATIONS = (
    *("relu", "elu", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh", "gelu"),
    *("swish", "mish", "exponential", "linear", "hard_sigmoid", "leaky_relu", "log_softmax"),
    *("relu6", "silu"),
)


def _activation(name: str) -> Case:
    keras2 = name in OLD_ACTIVATIONS
    build = chain(FLAT, lambda L: [L.Dense(8), L.Activation(name)])
    return Case(f"activation_{name}", build, keras2=keras2, low=-2.0, high=2.0)


def _inside(name: str) -> Case:
    """Use an activation as an option of layers that have several."""

    def layers(L: Any) -> list[Any]:
        return [
            L.Conv1D(6, 2, activation=name),
            L.GRU(4, activation=name, return_sequences=True, reset_after=False),
            L.LSTM(4, recurrent_activation="hard_sigmoid", activation=name),
            L.Dense(4, activation=name),
        ]

    return Case(f"activations_inside_{name}", chain(SERIES, layers), keras2=name in OLD_ACTIVATIONS)


CASES = (
    Case("dense", chain(FLAT, lambda L: [L.Dense(4, activation="relu"), L.Dense(2)])),
    Case("dense_without_bias", chain(FLAT, lambda L: [L.Dense(4, use_bias=False)])),
    Case("dense_on_series", chain(SERIES, lambda L: [L.Dense(3), L.Dense(2)])),
    Case("dense_on_image", chain(IMAGE, lambda L: [L.Dense(2, activation="tanh")])),
    Case("dense_on_open_length", chain((None, 4), lambda L: [L.Dense(3)])),
    Case("frozen", chain(FLAT, lambda L: [L.Dense(4, trainable=False), L.Dense(2)])),
    *(
        Case(
            f"einsum_dense_{index}",
            chain(
                shape,
                layer("EinsumDense", equation, output_shape=out, bias_axes=bias, activation="tanh"),
            ),
        )
        for index, (shape, equation, out, bias) in enumerate(
            [
                (FLAT, "ab,bc->ac", 4, "c"),
                (SERIES, "abc,cd->abd", (None, 3), "d"),
                (SERIES, "...x,xy->...y", 3, "y"),
                (SERIES, "abc,cde->abde", (5, 2, 3), "de"),
                (SERIES, "abc,bcd->ad", 3, None),
                (IMAGE, "abcd,cde->abce", (5, 4, 2), "ce"),
            ]
        )
    ),
    *(_activation(name) for name in (*OLD_ACTIVATIONS, *NEW_ACTIVATIONS)),
    *(_inside(name) for name in ("hard_sigmoid", "leaky_relu", "silu", "hard_tanh", "celu")),
    Case("relu_max", chain(FLAT, lambda L: [L.Dense(6), L.ReLU(max_value=0.5)])),
    Case("relu_slope", chain(FLAT, lambda L: [L.Dense(6), L.ReLU(negative_slope=0.2)])),
    Case("relu_threshold", chain(FLAT, lambda L: [L.Dense(6), L.ReLU(threshold=0.3)])),
    Case(
        "relu_all",
        chain(
            FLAT, lambda L: [L.Dense(6), L.ReLU(max_value=0.7, negative_slope=0.1, threshold=0.2)]
        ),
    ),
    Case(
        "leaky_relu",
        chain(FLAT, lambda L: [L.Dense(6), L.LeakyReLU(negative_slope=0.15)]),
        keras2=False,
    ),
    Case("leaky_relu_default", chain(FLAT, lambda L: [L.Dense(6), L.LeakyReLU()])),
    Case("prelu", chain(SERIES, lambda L: [L.Dense(4), L.PReLU()])),
    Case("prelu_shared", chain(IMAGE, lambda L: [L.PReLU(shared_axes=[1, 2])])),
    Case("elu_layer", chain(FLAT, lambda L: [L.Dense(6), L.ELU()])),
    Case("elu_alpha", chain(FLAT, lambda L: [L.Dense(6), L.ELU(alpha=0.4)])),
    Case("softmax_layer", chain(SERIES, lambda L: [L.Dense(4), L.Softmax()])),
    Case("softmax_axis", chain(SERIES, lambda L: [L.Dense(4), L.Softmax(axis=1)])),
    Case("softmax_axes", chain(SERIES, lambda L: [L.Dense(4), L.Softmax(axis=[1, 2])])),
    Case("flatten", chain(IMAGE, lambda L: [L.Flatten(), L.Dense(2)])),
    Case("reshape", chain(IMAGE, lambda L: [L.Reshape((6, -1)), L.Dense(2)])),
    Case("permute", chain(IMAGE, lambda L: [L.Permute((3, 1, 2)), L.Dense(2)])),
    Case("repeat_vector", chain(FLAT, lambda L: [L.RepeatVector(3), L.Dense(2)])),
    Case("identity", chain(FLAT, lambda L: [L.Identity(), L.Dense(2)])),
    Case("embedding", chain((5,), lambda L: [L.Embedding(8, 3), L.Flatten(), L.Dense(2)], "int32")),
    Case("activity", chain(FLAT, lambda L: [L.ActivityRegularization(0.1, 0.2), L.Dense(2)])),
    Case(
        "random_at_inference",
        chain(
            (4, 4, 3),
            lambda L: [
                L.Dropout(0.4, seed=5),
                L.Dense(3),
                L.Dropout(0.3, noise_shape=(None, 1, 1, 3)),
                L.SpatialDropout2D(0.3),
                L.GaussianNoise(0.4),
                L.GaussianDropout(0.4),
                L.AlphaDropout(0.4),
                L.Reshape((16, 3)),
                L.SpatialDropout1D(0.3),
                L.Reshape((4, 2, 2, 3)),
                L.SpatialDropout3D(0.3),
                L.Dense(2),
            ],
        ),
        training=False,
    ),
)
