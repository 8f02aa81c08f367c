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

WRONG: dict[str, str] = {}
"""Opened, and wrong on the CPU."""

WRONG_ON: dict[str, dict[str, str]] = {}
"""Opened, right on the CPU, wrong on one backend."""

OTHERWISE = {"reshape": "a length of -1 comes back from TF.js as what it stands for"}
"""Read back from TF.js as another graph, of the same meaning."""


def expected(backend: str, name: str) -> bool:
    """Say whether a case must be right on a backend."""
    return not (name in UNREAD or name in WRONG or name in WRONG_ON.get(backend, {}))
