"""What is not right yet: each name stands here until it is, and a test insists that it is not."""

from __future__ import annotations

UNREAD = {
    "random_brightness_at_inference": "data_format of image layers is refused",
    "random_images_at_inference": "data_format of image layers is refused",
    "add_ranks": "merging layers refuse inputs of different rank, which Keras broadcasts",
    "nested_many": "a nested model's call with mask=[None, None] is refused",
    "time_distributed_model": "TimeDistributed of a Sequential is refused",
}
"""Saved by Keras, refused by the converter."""

WRONG = {
    "simple_rnn_masked_sequences": "install() disposes a mask too early in predict",
    "lstm_masked_sequences": "install() disposes a mask too early in predict",
    "gru_masked_sequences": "install() disposes a mask too early in predict",
    "bidirectional_masked": "install() disposes a mask too early in predict",
    "mask_passes_layers": "install() disposes a mask too early in predict",
    "heads_masked": "install() disposes a mask too early in predict",
    "mask_is_lost_in_convolution": "after install() the mask goes on behind PotluckUnmask",
    "bidirectional_backward_layer": "weight names of a backward layer of its own differ",
    "output_twice": "TF.js leaves nothing at an output that is listed twice",
    "transformer": "TF.js disposes a tensor that one layer reads twice too early in predict",
    "time_distributed_norm": "Keras 3 normalizes step by step while training",
}
"""Opened, and wrong on the CPU."""

_NARROW = "WASM's convolution writes zeros where a padded kernel is narrower than strides"
_REVERSE = "TF.js's Reverse knows no tensors of five axes here"
WRONG_ON: dict[str, dict[str, str]] = {
    "wasm": {
        "conv2d_narrow": _NARROW,
        "conv2d_transpose_narrow": _NARROW,
        "depthwise_conv2d_narrow": _NARROW,
        "separable_conv2d_narrow": _NARROW,
    },
    "webgl": {
        "conv_lstm2d_backwards": _REVERSE,
        "activation_log_softmax": "the gradient leaves NaN in padding, which a product then reads",
    },
    "webgpu": {"conv_lstm2d_backwards": _REVERSE},
}
"""Opened, right on the CPU, wrong on one backend."""

OTHERWISE = {"reshape": "a length of -1 comes back from TF.js as what it stands for"}
"""Read back from TF.js as another graph, of the same meaning."""


def expected(backend: str, name: str) -> bool:
    """Say whether a case must be right on a backend."""
    return not (name in UNREAD or name in WRONG or name in WRONG_ON.get(backend, {}))
