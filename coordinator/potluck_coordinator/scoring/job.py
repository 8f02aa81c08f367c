"""What goes into a scoring job, and what comes out. Both cross a process boundary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Readout(Protocol):
    """Decoded outputs of a network (see `pipeline.Decoded`)."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Class labels in the order of class numbers; None for regression."""

    @property
    def values(self) -> NDArray[Any]:
        """[n]: class numbers, or values in original units."""

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """[n, classes]; None for regression, and where outputs are margins."""

    @property
    def scores(self) -> NDArray[np.float64] | None:
        """[n, classes] that rank the classes: probabilities or margins; None for regression."""


Decode = Callable[[Mapping[str, Any], NDArray[Any]], Readout]


@dataclass(frozen=True)
class ScoreJob:
    """One scoring.

    `graph`: canonical graph as JSON. `weights`: a checkpoint's safetensors bytes, or arrays named
    `<layer>/<weight>`. `held`: safetensors bytes with `x` and `truth` (`Encoded.held`).
    `decode`: `pipeline.decode`, handed in because scoring does not know the pipeline.
    """

    graph: Mapping[str, Any]
    weights: bytes | Mapping[str, NDArray[np.float32]]
    held: bytes
    encoder: Mapping[str, Any]
    decode: Decode


@dataclass(frozen=True)
class Score:
    """Metrics by name (in original units), and the network's raw outputs.

    `predictions`: safetensors bytes with `raw` float32 [rows, outputs]. A network that gives a
    number that is not finite has `diverged`; then `metrics` is empty and `predictions` None.
    """

    metrics: Mapping[str, float]
    rows: int
    diverged: bool
    predictions: bytes | None
