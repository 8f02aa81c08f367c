"""Recurrent layers, wrappers, embeddings and masks."""

from __future__ import annotations

from typing import Any

from tests.gradients.case import Case, case

CASES: list[Case] = []
PLAIN: dict[str, Any] = {"recurrent_initializer": {"class_name": "Zeros", "config": {}}}
MASKING = ("Masking", {"mask_value": 0.0})
MASKED: dict[str, Any] = {"zero_steps": True}
SHAPE = (3, 4, 2)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"return_sequences": True},
    {"go_backwards": True, "return_sequences": True},
    {"unroll": True},
    {"use_bias": False, "activation": "softsign"},
)


def _kind(name: str) -> dict[str, Any]:
    return PLAIN | ({"reset_after": False} if name.startswith("GRU") else {})


def _inner(name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": name, "config": {"name": "inner", **_kind(name), **config}}


def _add(family: str, class_name: str, shape: Any, **options: Any) -> None:
    CASES.append(case(family, class_name, shape, **options))


for name in ("SimpleRNN", "LSTM", "GRU"):
    for options in OPTIONS:
        said = ", ".join(f"{k}={v}" for k, v in options.items()) or "last step"
        _add(name, name, SHAPE, about=said, units=3, **_kind(name), **options)
    for options in OPTIONS[:3]:
        said = ", ".join(f"{k}={v}" for k, v in options.items()) or "last step"
        _add(
            name,
            name,
            SHAPE,
            about=f"masked, {said}",
            units=3,
            before=[MASKING],
            case_options=MASKED,
            **_kind(name),
            **options,
        )
    _add(
        name,
        name,
        SHAPE,
        about="two, one behind the other",
        units=3,
        return_sequences=True,
        after=[(name, {"units": 2, **_kind(name)})],
        **_kind(name),
    )
for padding, strides in (("valid", 1), ("same", 1), ("same", 2)):
    _add(
        "ConvLSTM2D",
        "ConvLSTM2D",
        (2, 2, 4, 4, 2),
        filters=2,
        kernel_size=2,
        padding=padding,
        strides=strides,
        **PLAIN,
    )
_add(
    "ConvLSTM2D",
    "ConvLSTM2D",
    (2, 2, 5, 5, 1),
    filters=2,
    kernel_size=2,
    dilation_rate=2,
    **PLAIN,
)
for mode in ("concat", "sum", "mul", "ave"):
    _add(
        "Bidirectional",
        "Bidirectional",
        SHAPE,
        about=f"{mode}, LSTM",
        layer=_inner("LSTM", units=2),
        merge_mode=mode,
    )
for name in ("SimpleRNN", "GRU"):
    _add(
        "Bidirectional",
        "Bidirectional",
        SHAPE,
        about=f"{name}, all steps",
        layer=_inner(name, units=2, return_sequences=True),
        merge_mode="concat",
    )
    _add(
        "Bidirectional",
        "Bidirectional",
        SHAPE,
        about=f"{name}, masked",
        before=[MASKING],
        layer=_inner(name, units=2),
        merge_mode="concat",
        case_options=MASKED,
    )
CELLS = [
    {"class_name": "LSTMCell", "config": {"units": 2, **PLAIN}},
    {"class_name": "GRUCell", "config": {"units": 3, **_kind("GRUCell")}},
]
_add(
    "RNN",
    "RNN",
    SHAPE,
    about="two cells",
    cell={"class_name": "StackedRNNCells", "config": {"cells": CELLS}},
)
_add(
    "TimeDistributed",
    "TimeDistributed",
    (2, 3, 4),
    about="Dense",
    layer=_inner("Dense", units=3, activation="tanh"),
)
_add(
    "TimeDistributed",
    "TimeDistributed",
    (2, 2, 4, 4, 2),
    about="Conv2D",
    layer=_inner("Conv2D", filters=2, kernel_size=3),
)
_add(
    "TimeDistributed",
    "TimeDistributed",
    (2, 2, 4, 4, 1),
    about="MaxPooling2D, negative values",
    layer=_inner("MaxPooling2D", pool_size=2),
    case_options={"values": "apart", "low": -20.0, "high": -1.0},
)
_add("Masking", "Masking", SHAPE, about="alone", case_options=MASKED)
_add(
    "Masking",
    "Masking",
    SHAPE,
    about="before Dense",
    after=[("Dense", {"units": 2})],
    case_options=MASKED,
)
WHOLE: dict[str, Any] = {"values": "whole", "low": 0.0, "high": 6.0}
EMBEDDING = {"input_dim": 6, "output_dim": 3}
_add("Embedding", "Embedding", (3, 4), case_options=WHOLE, **EMBEDDING)
_add(
    "Embedding",
    "Embedding",
    (3, 4),
    about="before Dense",
    after=[("Flatten", {}), ("Dense", {"units": 2})],
    case_options=WHOLE,
    **EMBEDDING,
)
for name in ("SimpleRNN", "LSTM", "GRU"):
    _add(
        "Embedding",
        "Embedding",
        (3, 5),
        about=f"mask_zero, before {name}",
        mask_zero=True,
        after=[(name, {"units": 2, **_kind(name)})],
        case_options=WHOLE,
        **EMBEDDING,
    )
