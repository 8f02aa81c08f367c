"""Every layer that the converter knows with its options, as models that real Keras 3 builds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from tests.unit.converter.oracles import Build, L, chain

VEC, SERIES, IMAGE, VOLUME = (6,), (8, 4), (8, 8, 4), (5, 5, 5, 2)
CASES: dict[str, Build] = {}


def put(name: str, shape: tuple[int | None, ...], *layers: Any, dtype: str = "float32") -> None:
    CASES[name] = chain(shape, *layers, dtype=dtype)


def called(shape: tuple[int, ...], call: Callable[[Any], Any]) -> Build:
    def build() -> Any:
        x = keras.Input(shape)
        return keras.Model(x, call(x))

    return build


def merged(merge: Any) -> Build:
    return called(SERIES, lambda x: merge()([L.Dense(3)(x), L.Dense(3)(x)]))


for rank, shape in ((1, SERIES), (2, IMAGE), (3, VOLUME)):
    conv, transpose = getattr(L, f"Conv{rank}D"), getattr(L, f"Conv{rank}DTranspose")
    put(f"conv{rank} dilated", shape, conv(4, 2, padding="same", dilation_rate=2))
    put(f"conv{rank} grouped", shape, conv(4, 2, groups=2, activation="hard_silu"))
    put(f"transposed{rank}", shape, transpose(3, 2, strides=3))
    put(f"transposed{rank} same", shape, transpose(3, 4, strides=2, padding="same"))
    put(f"transposed{rank} dilated", shape, transpose(3, 2, dilation_rate=2))
    put(f"transposed{rank} padded", shape, transpose(3, 3, strides=2, output_padding=1))
    for how in ("Max", "Average"):
        pool = getattr(L, f"{how}Pooling{rank}D")
        put(f"{how}{rank} padded", shape, pool(3, strides=2, padding="same"))
        whole = getattr(L, f"Global{how}Pooling{rank}D")
        put(f"global {how}{rank}", shape, whole(keepdims=rank != 2))
    put(f"upsampling{rank}", shape, getattr(L, f"UpSampling{rank}D")(2))
    put(f"padding{rank}", shape, getattr(L, f"ZeroPadding{rank}D")(2))
    put(f"cropping{rank}", shape, getattr(L, f"Cropping{rank}D")(1))
    put(f"spatial dropout{rank}", shape, getattr(L, f"SpatialDropout{rank}D")(0.3))
for rank, shape in ((1, SERIES), (2, IMAGE)):
    separable, depthwise = (getattr(L, f"{name}Conv{rank}D") for name in ("Separable", "Depthwise"))
    put(f"separable{rank}", shape, separable(3, 2, depth_multiplier=2, activation="leaky_relu"))
    put(f"separable{rank} dilated", shape, separable(3, 2, dilation_rate=2, padding="same"))
    put(f"depthwise{rank}", shape, depthwise(2, strides=2, use_bias=False))
put("causal", SERIES, L.Conv1D(4, 3, padding="causal", dilation_rate=2))
put("uneven sides", IMAGE, L.ZeroPadding2D(((1, 2), (0, 3))), L.Cropping2D(((0, 1), (2, 1))))
put("bilinear", IMAGE, L.UpSampling2D((2, 3), interpolation="bilinear"))
put("batch axis 1", IMAGE, L.BatchNormalization(axis=1, scale=False))
put("batch frozen", IMAGE, L.BatchNormalization(center=False, trainable=False))
put("layer norm", SERIES, L.LayerNormalization(), L.LayerNormalization(scale=False))
put("layer norm axes", SERIES, L.LayerNormalization(axis=[1, 2]))
put("group norm", IMAGE, L.GroupNormalization(2), L.GroupNormalization(-1, axis=1, scale=False))
put("unit norm", SERIES, L.UnitNormalization(), L.UnitNormalization(axis=(1, 2)))
put("rms norm", SERIES, L.RMSNormalization())
put("fitted", VEC, L.Normalization(), L.Dense(2))
put("fitted whole", VEC, L.Normalization(axis=None), L.Dense(2))
put("given", SERIES, L.Normalization(mean=[1.0, 2, 3, 4], variance=[2.0] * 4, invert=True))
put("rescaling", IMAGE, L.Rescaling([1.0, 2, 3, 4], [0.0, 1, 2, 3]), L.Rescaling(0.5, 1))
for cell in (L.SimpleRNN, L.LSTM, L.GRU):
    name = cell.__name__
    put(name, SERIES, cell(3, dropout=0.1, recurrent_dropout=0.2, activation="hard_sigmoid"))
    put(f"{name} back", SERIES, cell(3, return_sequences=True, go_backwards=True, use_bias=False))
    for mode in ("sum", "mul", "ave", "concat"):
        put(f"{name} {mode}", SERIES, L.Bidirectional(cell(3), merge_mode=mode))
put("GRU reset before", SERIES, L.GRU(3, reset_after=False))
put("two ways", SERIES, L.Bidirectional(L.LSTM(3), backward_layer=L.GRU(3, go_backwards=True)))
put("stacked", SERIES, L.RNN([L.LSTMCell(3), L.GRUCell(2), L.LSTMCell(2)]))
put("stacked both ways", SERIES, L.Bidirectional(L.RNN([L.LSTMCell(3), L.GRUCell(2)])))
put("one cell", SERIES, L.RNN(L.SimpleRNNCell(3), return_sequences=True))
put("conv lstm", (3, 6, 6, 2), L.ConvLSTM2D(3, 2, padding="same", dilation_rate=2))
put("steps", (3, 8, 8, 2), L.TimeDistributed(L.Conv2D(3, 2, activation="relu")))
put("steps normalized", SERIES, L.TimeDistributed(L.BatchNormalization()))
put("masked", (8,), L.Embedding(8, 3, mask_zero=True), L.Bidirectional(L.GRU(2)), dtype="int32")
put(
    "masked mean",
    (8,),
    L.Embedding(8, 3, mask_zero=True),
    L.GlobalAveragePooling1D(),
    dtype="int32",
)
put("mask ends", (8,), L.Embedding(8, 3, mask_zero=True), L.Conv1D(2, 2), dtype="int32")
put("masking", SERIES, L.Masking(0.5), L.LSTM(3, zero_output_for_mask=True, return_sequences=True))
put("embedded pairs", (2, 3), L.Embedding(8, 3), dtype="int32")
put("shapes", SERIES, L.Permute((2, 1)), L.Identity(), L.Flatten(), L.RepeatVector(3))
put("noise", VEC, L.GaussianNoise(0.1), L.GaussianDropout(0.1), L.AlphaDropout(0.1))
put("noise shape", VEC, L.Dropout(0.2, noise_shape=(None, 1)), L.ActivityRegularization(0.1, 0.2))
put("rectifiers", VEC, L.LeakyReLU(0.1), L.ELU(0.5), L.ReLU(2.0, 0.1, 0.2), L.PReLU())
put("shared slopes", IMAGE, L.PReLU(shared_axes=[1, 2]))
put("softmax axes", SERIES, L.Softmax(axis=1), L.Softmax(axis=(1, 2)))
put("resized", IMAGE, L.Resizing(4, 5), L.CenterCrop(3, 3))
put("einsum", SERIES, L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"))
put("einsum rest", SERIES, L.EinsumDense("...x,xy->...y", 5, bias_axes="y", activation="gelu"))
put(
    "penalties",
    VEC,
    L.Dense(
        2,
        activity_regularizer="l2",
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
        kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.1, "columns"),
    ),
)
for name in (
    *("hard_sigmoid", "leaky_relu", "exponential", "celu", "glu", "hard_silu", "hard_tanh"),
    *("hard_shrink", "soft_shrink", "squareplus", "sparse_plus", "sparsemax", "tanh_shrink"),
    *("log_sigmoid", "sparse_sigmoid"),
):
    put(name, VEC, L.Dense(4, activation=name))
for name in ("Subtract", "Multiply", "Average", "Maximum", "Minimum"):
    CASES[name] = merged(getattr(L, name))
CASES["dot"] = called((4, 4), lambda x: L.Dot((1, 2), normalize=True)([x, L.Dense(4)(x)]))
CASES["attention"] = called(SERIES, lambda x: L.Attention(use_scale=True)([x, L.Dense(4)(x)]))
CASES["causal attention"] = called(
    SERIES,
    lambda x: L.Attention(score_mode="concat")([x, L.Dense(4)(x), x], use_causal_mask=True),
)
CASES["additive"] = called(SERIES, lambda x: L.AdditiveAttention()([x, L.Dense(4)(x)]))
CASES["heads"] = called(
    SERIES,
    lambda x: L.MultiHeadAttention(2, 3, output_shape=7)(x, L.Dense(5)(x), key=L.Dense(6)(x)),
)
CASES["causal heads"] = called(
    SERIES, lambda x: L.MultiHeadAttention(2, 3, dropout=0.1)(x, x, use_causal_mask=True)
)
CASES["heads over an image"] = called(
    IMAGE, lambda x: L.MultiHeadAttention(2, 3, attention_axes=(2,))(x, x)
)


def nested() -> Any:
    """Build models inside a model, each called twice, beside a layer called three times."""
    x, z = keras.Input((4,)), keras.Input((4,))
    chained = keras.Sequential([L.Dense(4), L.BatchNormalization()], name="chained")
    forked = keras.Model(z, [L.Dense(4, name="q")(z), L.Add()([z, L.Dense(4)(z)])], name="forked")
    shared = L.Dense(4, name="shared")
    a, b = forked(chained(shared(shared(x))))
    c, d = forked(chained(shared(a)))
    return keras.Model(x, [a, chained(b), L.Add()([c, d])])


def transferred() -> Any:
    """Build on a frozen model."""
    base = keras.Sequential([keras.Input(IMAGE), L.Conv2D(3, 2), L.BatchNormalization()])
    base.trainable = False
    return keras.Sequential([base, L.Flatten(), L.Dense(3)])


def same_names() -> Any:
    """Build models in models whose layers have one name."""
    inmost = keras.Sequential([L.Dense(3, name="d")], name="i")
    outer = keras.Sequential([keras.Input((4,)), inmost, L.Dense(4, name="d")], name="o")
    x = keras.Input((4,))
    return keras.Model(x, outer(L.Dense(4, name="d")(x)))


CASES |= {"nested": nested, "transferred": transferred, "same names": same_names}
