"""Graphs: several inputs and outputs, shared layers, nested models, options of every layer."""

from __future__ import annotations

from typing import Any

from tests.parity.case import Case, chain


def _branches(keras: Any) -> Any:
    L = keras.layers
    words = keras.Input((6,), dtype="int32", name="words")
    picture = keras.Input((8, 8, 2), name="picture")
    a = L.LSTM(5)(L.Embedding(9, 4)(words))
    b = L.Conv2D(3, 3, padding="same", strides=2, activation="relu")(picture)
    b = L.BatchNormalization()(b)
    c = L.GlobalAveragePooling2D()(b)
    d = L.Dense(5, activation="tanh")(L.Flatten()(b))
    both = L.Concatenate()([L.Add()([a, d]), c])
    kind = L.Dense(3, activation="softmax", name="kind")(both)
    return keras.Model([words, picture], [kind, L.Dense(1, name="size")(c)])


def _shared(keras: Any) -> Any:
    """One layer read at two places, in one of them twice in a row."""
    L = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    dense, norm = L.Dense(4, activation="tanh"), L.LayerNormalization()
    return keras.Model([a, b], L.Concatenate()([norm(dense(dense(a))), norm(dense(b))]))


def _siamese(keras: Any) -> Any:
    """A nested model that is called twice."""
    L = keras.layers
    tower = keras.Sequential([keras.Input((6, 3)), L.Conv1D(4, 2), L.GRU(3)], name="tower")
    a, b = keras.Input((6, 3), name="a"), keras.Input((6, 3), name="b")
    return keras.Model([a, b], L.Dot(axes=1)([tower(a), tower(b)]))


def _nested(keras: Any) -> Any:
    """A model in a model in a model, Sequential and Functional, with layers of equal names."""
    L = keras.layers
    inner_in = keras.Input((4,))
    inner = keras.Model(inner_in, L.Dense(3, name="dense")(L.Dense(4, name="first")(inner_in)))
    middle = keras.Sequential([keras.Input((4,)), inner, L.Dense(2, name="dense")], name="middle")
    x = keras.Input((4,))
    y = middle(L.Dense(4, activation="relu", name="dense")(x))
    return keras.Model(x, L.Add()([y, L.Dense(2, name="skip")(x)]))


def _nested_many(keras: Any) -> Any:
    """A nested model with two inputs and two outputs."""
    L = keras.layers
    a, b = keras.Input((3,)), keras.Input((3,))
    inner = keras.Model([a, b], [L.Add()([a, b]), L.Dense(2)(b)], name="pair")
    x, y = keras.Input((3,), name="x"), keras.Input((3,), name="y")
    total, small = inner([L.Dense(3)(x), y])
    return keras.Model([x, y], [small, L.Dense(2)(total)])


def _output_twice(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((4,))
    y = L.Dense(3)(x)
    return keras.Model(x, [y, L.Dense(2)(y), y])


def _residual(keras: Any) -> Any:
    """What image networks are made of, small."""
    L = keras.layers
    x = keras.Input((9, 9, 3))
    y = L.ZeroPadding2D(1)(x)
    y = L.Conv2D(6, 3, strides=2, use_bias=False)(y)
    y = L.BatchNormalization()(y)
    y = L.ReLU(6.0)(y)
    z = L.SeparableConv2D(6, 3, padding="same", use_bias=False)(y)
    z = L.BatchNormalization()(z)
    s = L.GlobalAveragePooling2D(keepdims=True)(z)
    s = L.Dense(6, activation="sigmoid")(s)
    z = L.Multiply()([z, s])
    y = L.Add()([y, z])
    return keras.Model(x, L.Dense(3)(L.GlobalMaxPooling2D()(y)))


def _transformer(keras: Any) -> Any:
    L = keras.layers
    words = keras.Input((6,), dtype="int32")
    x = L.Embedding(9, 8)(words)
    a = L.MultiHeadAttention(2, 4)(x, x)
    x = L.LayerNormalization(epsilon=1e-6)(L.Add()([x, a]))
    f = L.Dense(8)(L.Dense(12, activation="gelu")(x))
    x = L.LayerNormalization(epsilon=1e-6)(L.Add()([x, f]))
    return keras.Model(words, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def _penalised(keras: Any) -> Any:
    """Regularizers and constraints: they change neither predictions nor these gradients."""
    L, both = keras.layers, keras.regularizers.L1L2(0.01, 0.02)
    layers = [
        L.Dense(4, kernel_regularizer="l2", kernel_constraint="max_norm"),
        L.Dense(4, kernel_regularizer="l1", bias_constraint="non_neg"),
        L.Dense(4, bias_regularizer=both, kernel_constraint="unit_norm"),
        L.Dense(3, kernel_regularizer="orthogonal_regularizer", kernel_constraint="min_max_norm"),
    ]
    return keras.Sequential([keras.Input((4,)), *layers])


INITIALIZERS = (
    *("zeros", "ones", "random_normal", "random_uniform", "truncated_normal", "glorot_normal"),
    *("glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"),
    *("orthogonal", "identity", "variance_scaling"),
)


def _frames(keras: Any) -> Any:
    """A small network with a branch and normalization over the frames of a film."""
    L = keras.layers
    frame = keras.Input((6, 6, 2))
    x = L.Conv2D(3, 3, padding="same", use_bias=False)(frame)
    x = L.BatchNormalization()(x)
    x = L.Add()([x, L.Conv2D(3, 1, name="out")(frame)])
    eye = keras.Model(frame, L.Dense(2)(L.GlobalAveragePooling2D()(x)), name="eye")
    film = keras.Input((3, 6, 6, 2))
    seen = L.TimeDistributed(eye)(film)
    return keras.Model(film, L.Dense(2, name="out")(L.LSTM(3)(seen)))


CASES = (
    Case("branches", _branches),
    Case("shared", _shared),
    Case("siamese", _siamese),
    # Keras 2 cannot save equal names in one nested model.
    Case("nested", _nested, keras2=False),
    Case("nested_many", _nested_many),
    Case("output_twice", _output_twice),
    Case("residual", _residual),
    Case("transformer", _transformer),
    Case("penalised", _penalised),
    Case(
        "initializers",
        chain((4,), lambda L: [L.Dense(4, kernel_initializer=name) for name in INITIALIZERS]),
    ),
    Case(
        "nested_sequential",
        lambda keras: keras.Sequential(
            [
                keras.Input((6, 3)),
                keras.Sequential(
                    [
                        keras.Input((6, 3)),
                        keras.layers.Conv1D(4, 2),
                        keras.layers.BatchNormalization(),
                    ]
                ),
                keras.layers.Flatten(),
                keras.layers.Dense(2),
            ]
        ),
    ),
    Case(
        "time_distributed_frozen",
        lambda keras: keras.Sequential(
            [
                keras.Input((3, 5)),
                keras.layers.TimeDistributed(
                    keras.Sequential(
                        [
                            keras.Input((5,)),
                            keras.layers.Dense(3, trainable=False, kernel_regularizer="l2"),
                            keras.layers.LayerNormalization(),
                            keras.layers.Dense(3, activation="gelu"),
                        ]
                    )
                ),
            ]
        ),
        keras2=False,
    ),
    Case("time_distributed_frames", _frames, keras2=False),
    Case(
        "time_distributed_model",
        lambda keras: keras.Sequential(
            [
                keras.Input((4, 5)),
                keras.layers.TimeDistributed(
                    keras.Sequential(
                        [
                            keras.Input((5,)),
                            keras.layers.Dense(3, activation="relu"),
                            keras.layers.Dense(2),
                        ]
                    )
                ),
            ]
        ),
    ),
)
