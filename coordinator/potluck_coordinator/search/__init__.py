"""The search space, and asking it for points.

Space.from_spec(parameters)   check a study's parameters, or raise `BadStudy` (`search.*`)
Searcher(space, ...)          ask for trials, tell what they were worth
"""

from __future__ import annotations

from potluck_coordinator.search.corners import extremes, samples
from potluck_coordinator.search.dimension import Dimension, Options, Range
from potluck_coordinator.search.rules import boundaries
from potluck_coordinator.search.sampler import Past, Search, Searcher
from potluck_coordinator.search.space import Space

__all__ = [
    "Dimension",
    "Options",
    "Past",
    "Range",
    "Search",
    "Searcher",
    "Space",
    "boundaries",
    "extremes",
    "samples",
]
