"""Recurrent layers, cells, wrappers and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.parity.case import Case, chain, layer

SERIES, FILM = (5, 3), (4, 5, 4, 2)


def _one(name: str, make: Any, **options: Any) -> Case:
    return Case(name, chain(options.pop("shape", SERIES), lambda L: [make(L)]), **options)


def _masked(*following: Callable[[Any], Sequence[Any]]) -> Callable[[Any], Sequence[Any]]:
    """Hide steps of zeros from the layers that follow."""
    return lambda L: [L.Masking(0.0), *(made for make in following for made in make(L))]


def _kinds() -> list[Case]:
    found = []
    for cls, name in (("SimpleRNN", "simple_rnn"), ("LSTM", "lstm"), ("GRU", "gru")):
        for short, options in {
            "last": {},
            "sequences": {"return_sequences": True},
            "backwards": {"go_backwards": True, "return_sequences": True},
            "no_bias": {"use_bias": False},
            "relu": {"activation": "relu"},
        }.items():
            found.append(_one(f"{name}_{short}", lambda L, c=cls, o=options: getattr(L, c)(4, **o)))
        found += [
            _one(
                f"{name}_dropout",
                lambda L, c=cls: getattr(L, c)(4, dropout=0.3, recurrent_dropout=0.2),
                training=False,
            ),
            Case(
                f"{name}_masked",
                chain(SERIES, _masked(layer(cls, 4))),
                zero_tail=True,
                masks=True,
            ),
            Case(
                f"{name}_masked_sequences",
                chain(
                    SERIES,
                    _masked(
                        layer(cls, 4, return_sequences=True),
                        layer(cls, 3, return_sequences=True),
                        layer("Dense", 2),
                    ),
                ),
                zero_tail=True,
                masks=True,
            ),
            _one(f"{name}_open_length", lambda L, c=cls: getattr(L, c)(4), shape=(None, 3)),
        ]
    return found


def _bidirectional() -> list[Case]:
    found = []
    for mode in ("concat", "sum", "mul", "ave"):
        found += [
            _one(
                f"bidirectional_{mode}",
                lambda L, m=mode: L.Bidirectional(L.LSTM(3), merge_mode=m),
            ),
            _one(
                f"bidirectional_{mode}_sequences",
                lambda L, m=mode: L.Bidirectional(
                    L.GRU(3, return_sequences=True, name="inner"), merge_mode=m
                ),
            ),
        ]
    return [
        *found,
        _one(
            "bidirectional_backward_layer",
            lambda L: L.Bidirectional(
                L.LSTM(3, return_sequences=True),
                backward_layer=L.LSTM(
                    3, activation="relu", return_sequences=True, go_backwards=True
                ),
            ),
        ),
        Case(
            "bidirectional_masked",
            chain(
                (5,),
                lambda L: [
                    L.Embedding(8, 3, mask_zero=True),
                    L.Bidirectional(L.LSTM(3, return_sequences=True)),
                    L.GRU(2),
                ],
                "int32",
            ),
            zero_tail=True,
        ),
    ]


def _cells() -> list[Case]:
    return [
        *(
            _one(
                f"rnn_{cls.lower()}",
                lambda L, c=cls: L.RNN(getattr(L, c)(4), return_sequences=True),
            )
            for cls in ("SimpleRNNCell", "LSTMCell", "GRUCell")
        ),
        _one("stacked_cells_list", lambda L: L.RNN([L.LSTMCell(4), L.LSTMCell(3)])),
        _one(
            "stacked_cells",
            lambda L: L.RNN(
                L.StackedRNNCells([L.GRUCell(4), L.SimpleRNNCell(3), L.LSTMCell(2)]),
                return_sequences=True,
            ),
        ),
    ]


def _film(name: str, **options: Any) -> Case:
    return _one(f"conv_lstm2d_{name}", lambda L: L.ConvLSTM2D(2, 2, **options), shape=FILM)


def _masked_bidirectional(name: str, cls: str, mode: str, *, sequences: bool) -> Case:
    """Let masked steps be seen: nothing behind hides them."""

    def layers(L: Any) -> list[Any]:
        inner = getattr(L, cls)(3, return_sequences=sequences)
        words = L.Embedding(8, 3, mask_zero=True)
        return [words, L.Bidirectional(inner, merge_mode=mode), L.Dense(2)]

    return Case(f"bidirectional_masked_{name}", chain((5,), layers, "int32"), keras2=False)


CASES = (
    *_kinds(),
    _one("gru_reset_before", lambda L: L.GRU(4, reset_after=False)),
    _one(
        "gru_reset_before_sequences",
        lambda L: L.GRU(4, reset_after=False, return_sequences=True, use_bias=False),
    ),
    _one("lstm_no_forget_bias", lambda L: L.LSTM(4, unit_forget_bias=False)),
    _one("lstm_sigmoid", lambda L: L.LSTM(4, recurrent_activation="tanh")),
    Case(
        "lstm_zero_output",
        chain(
            SERIES,
            lambda L: [
                L.Masking(0.0),
                L.LSTM(4, return_sequences=True, zero_output_for_mask=True),
            ],
        ),
        zero_tail=True,
        masks=True,
    ),
    *_cells(),
    *_bidirectional(),
    _film("last"),
    _film("sequences", return_sequences=True, padding="same"),
    _film("strides", strides=2, padding="same", use_bias=False),
    _film("dilated", dilation_rate=2, padding="same"),
    _film("backwards", go_backwards=True, return_sequences=True),
    _one("time_distributed_dense", lambda L: L.TimeDistributed(L.Dense(2))),
    _one(
        "time_distributed_conv",
        lambda L: L.TimeDistributed(L.Conv2D(3, 2, activation="relu")),
        shape=FILM,
    ),
    _one("time_distributed_norm", lambda L: L.TimeDistributed(L.BatchNormalization()), shape=FILM),
    _one("time_distributed_dropout", lambda L: L.TimeDistributed(L.Dropout(0.4)), training=False),
    *(
        _masked_bidirectional(name, cls, mode, sequences=name != "rnn_last")
        for name, cls, mode in (
            ("seen", "LSTM", "sum"),
            ("gru_seen", "GRU", "concat"),
            ("rnn_last", "SimpleRNN", "ave"),
        )
    ),
    Case(
        "masking_then_pooling",
        chain(SERIES, lambda L: [L.Masking(0.0), L.GlobalAveragePooling1D(), L.Dense(2)]),
        zero_tail=True,
        masks=True,
    ),
    Case(
        "embedding_mask_pooling",
        chain(
            (5,),
            lambda L: [L.Embedding(8, 3, mask_zero=True), L.GlobalAveragePooling1D(), L.Dense(2)],
            "int32",
        ),
        zero_tail=True,
    ),
    Case(
        "mask_passes_layers",
        chain(
            SERIES,
            lambda L: [
                L.Masking(0.0),
                L.Dense(4, activation="relu"),
                L.Dropout(0.1),
                L.LayerNormalization(),
                L.LSTM(3),
            ],
        ),
        zero_tail=True,
        masks=True,
        training=False,
    ),
    Case(
        "mask_is_lost_in_convolution",
        chain(SERIES, lambda L: [L.Masking(0.0), L.Conv1D(3, 2), L.LSTM(3)]),
        zero_tail=True,
        masks=True,
    ),
)
