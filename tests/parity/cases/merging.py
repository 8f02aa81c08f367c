"""Merging layers and attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.parity.case import Build, Case

SERIES = (5, 4)


def joined(
    shapes: Sequence[tuple[int, ...]],
    make: Callable[[Any], Any],
    call: dict[str, Any] | None = None,
) -> Build:
    """Give a builder that joins several inputs by one layer."""

    def build(keras: Any) -> Any:
        inputs = [keras.Input(shape, name=f"in{i}") for i, shape in enumerate(shapes)]
        return keras.Model(inputs, make(keras.layers)(inputs, **(call or {})))

    return build


def _same(name: str, cls: str, count: int = 2) -> Case:
    return Case(name, joined([SERIES] * count, lambda L: getattr(L, cls)()))


def _ranks(name: str) -> Case:
    shapes = [(4,), (2, 1, 4)] if name == "Subtract" else [(3, 4), (2, 1, 4), (4,)]
    build = joined(shapes, lambda L: getattr(L, name)())
    return Case(f"{name.lower()}_ranks", build, keras2=False)


def _dot(name: str, shapes: Sequence[tuple[int, ...]], **options: Any) -> Case:
    return Case(f"dot_{name}", joined(shapes, lambda L: L.Dot(**options)))


def _attention(name: str, cls: str, shapes: Any, call: Any = None, **options: Any) -> Case:
    build = joined(shapes, lambda L: getattr(L, cls)(**options), call)
    return Case(name, build, training=not options.get("dropout"))


def _heads(name: str, shapes: Sequence[tuple[int, ...]], call: Any = None, **options: Any) -> Case:
    def build(keras: Any) -> Any:
        inputs = [keras.Input(shape, name=f"in{i}") for i, shape in enumerate(shapes)]
        layer = keras.layers.MultiHeadAttention(**options)
        # Query, value and, where given, key.
        arguments = [*inputs, inputs[0]] if len(inputs) == 1 else inputs
        start = inputs[0] if len(inputs) == 1 else inputs
        return keras.Model(start, layer(*arguments, **(call or {})))

    return Case(f"heads_{name}", build, training=not options.get("dropout"))


def _masked_heads(keras: Any) -> Any:
    """Attend over a padded sequence: the mask comes from the embedding."""
    words = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(8, 4, mask_zero=True)(words)
    x = keras.layers.MultiHeadAttention(2, 3)(x, x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(words, keras.layers.Dense(2)(x))


def _masked_joins(keras: Any) -> Any:
    """Work out masks of what is joined, summed and attended to; recurrent layers need them.

    Keras 3 names what it joins masks with "concatenate", "concatenate_1", ... when it opens a
    file, and then stumbles over layers of the same names.
    """
    L = keras.layers
    words = keras.Input((5,), dtype="int32")
    x = L.Embedding(8, 4, mask_zero=True)(words)
    joined = L.Concatenate(name="joined")([x, L.LSTM(2, return_sequences=True)(x)])
    part = L.Concatenate(name="part")([x, L.Conv1D(3, 1)(x)])
    summed = L.Add()([x, L.Attention()([x, x])])
    found = [L.LSTM(3)(joined), L.LSTM(3)(part), L.GRU(3)(summed)]
    return keras.Model(words, L.Concatenate(name="all")(found))


def _masked_attention(keras: Any) -> Any:
    """Attend over a padded sequence with the plain layer."""
    words = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(8, 4, mask_zero=True)(words)
    x = keras.layers.Attention()([x, x])
    return keras.Model(words, keras.layers.GlobalMaxPooling1D()(x))


CASES = (
    *(_same(name.lower(), name) for name in ("Add", "Subtract", "Multiply", "Average")),
    *(_same(name.lower(), name) for name in ("Maximum", "Minimum", "Concatenate")),
    *(_same(f"{name.lower()}_three", name, 3) for name in ("Add", "Multiply", "Average")),
    *(_same(f"{name.lower()}_three", name, 3) for name in ("Maximum", "Minimum", "Concatenate")),
    Case("concatenate_axis", joined([(5, 4), (3, 4)], lambda L: L.Concatenate(axis=1))),
    Case("add_broadcast", joined([(5, 4), (1, 4)], lambda L: L.Add())),
    Case("maximum_broadcast", joined([(5, 4), (5, 1)], lambda L: L.Maximum()), keras2=False),
    Case("multiply_broadcast", joined([(5, 4), (5, 1)], lambda L: L.Multiply())),
    Case("add_ranks", joined([(5, 4), (4,)], lambda L: L.Add())),
    *(_ranks(name) for name in ("Subtract", "Multiply", "Average", "Maximum", "Minimum")),
    _dot("vectors", [(4,), (4,)], axes=1),
    _dot("cosine", [(4,), (4,)], axes=1, normalize=True),
    _dot("matrices", [(5, 4), (3, 4)], axes=2),
    _dot("pair", [(5, 4), (4, 3)], axes=(2, 1)),
    _dot("negative", [(5, 4), (3, 4)], axes=-1),
    _dot("normalized", [(5, 4), (5, 3)], axes=1, normalize=True),
    _attention("attention", "Attention", [(5, 4), (3, 4)]),
    _attention("attention_key", "Attention", [(5, 4), (3, 2), (3, 4)]),
    _attention("attention_scale", "Attention", [(5, 4), (3, 4)], use_scale=True),
    _attention("attention_concat", "Attention", [(5, 4), (3, 4)], score_mode="concat"),
    _attention(
        "attention_concat_scale",
        "Attention",
        [(5, 4), (3, 4)],
        score_mode="concat",
        use_scale=True,
    ),
    _attention("attention_causal", "Attention", [SERIES, SERIES], {"use_causal_mask": True}),
    _attention("attention_dropout", "Attention", [SERIES, SERIES], dropout=0.3),
    _attention("additive_attention", "AdditiveAttention", [(5, 4), (3, 4)]),
    _attention("additive_attention_key", "AdditiveAttention", [(5, 4), (3, 4), (3, 4)]),
    _attention(
        "additive_attention_no_scale", "AdditiveAttention", [(5, 4), (3, 4)], use_scale=False
    ),
    _attention(
        "additive_attention_causal",
        "AdditiveAttention",
        [SERIES, SERIES],
        {"use_causal_mask": True},
    ),
    _heads("self", [SERIES], num_heads=2, key_dim=3),
    _heads("cross", [(5, 4), (3, 6)], num_heads=2, key_dim=3),
    _heads("key", [(5, 4), (3, 6), (3, 5)], num_heads=2, key_dim=3),
    # Without dropout, Keras on JAX fails where the two differ.
    _heads("value_dim", [SERIES], num_heads=2, key_dim=3, value_dim=5, dropout=0.1),
    _heads("no_bias", [SERIES], num_heads=1, key_dim=3, use_bias=False),
    _heads("output_shape", [SERIES], num_heads=2, key_dim=3, output_shape=6),
    _heads("causal", [SERIES], {"use_causal_mask": True}, num_heads=2, key_dim=3),
    _heads("axes", [(4, 3, 4)], num_heads=2, key_dim=3, attention_axes=(1, 2)),
    _heads("one_axis", [(4, 3, 4)], num_heads=2, key_dim=3, attention_axes=1),
    _heads("dropout", [SERIES], num_heads=2, key_dim=3, dropout=0.3),
    Case("heads_masked", _masked_heads, zero_tail=True),
    Case("joins_masked", _masked_joins, keras2=False, zero_tail=True),
    Case("attention_masked", _masked_attention, zero_tail=True),
)
