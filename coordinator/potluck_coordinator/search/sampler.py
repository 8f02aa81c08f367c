"""Asking Optuna for trials, and telling it what they were worth.

The trial table is the truth; the Optuna study is a cache in memory that can be built again from
it. Whoever builds it again asks the same next points as one who never stopped: each draw depends
on the study's seed, the trial's number and the trials before it alone. No two trials train the same
network, and draws go where the space has been asked least (`strata.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Literal, TypeVar

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from potluck_coordinator.search.dimension import Dimension, Options
from potluck_coordinator.search.rules import Scalar
from potluck_coordinator.search.space import LARGEST_GRID, Identity, Space
from potluck_coordinator.search.strata import Spread
from potluck_coordinator.search.twins import Point

Sampler = Literal["random", "grid"]
Direction = Literal["maximize", "minimize"]

T = TypeVar("T")

MOST_DRAWS = 64
DRAWS_A_SETTING = 4
WINDOW = 256
_STATES = {
    "running": TrialState.RUNNING,
    "completed": TrialState.COMPLETE,
    "stopped": TrialState.COMPLETE,
    "failed": TrialState.COMPLETE,
    "incomplete": TrialState.FAIL,
}

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Past:
    """A trial that was asked before: a row of the trial table. `state`: a trial's state."""

    number: int
    parameters: Mapping[str, Scalar]
    state: str
    value: float | None


class Search:
    """The search of one study, for one thread."""

    def __init__(
        self,
        space: Space,
        *,
        sampler: Sampler,
        seed: int,
        direction: Direction,
        history: Sequence[Past] = (),
    ) -> None:
        """Build the search again from its trials, numbered from 0 without a gap.

        Raises `ValueError` for gaps, `BadStudy` for a grid that cannot be.
        """
        self._space = space
        self._sampler = sampler
        self._seed = seed
        self._worst = -math.inf if direction == "maximize" else math.inf
        self._distributions = {
            name: _distribution(dimension) for name, dimension in space.free.items()
        }
        self._seen: set[Identity] = set()
        self._spread = Spread(space.free)
        self._settings = space.settings()
        size = space.grid_size if sampler == "grid" else space.size
        self._finite = size is not None and size <= LARGEST_GRID
        self._order: Iterator[Point] | None = None
        self._window: list[Point] = []
        self._asked = 0
        self._exhausted = False
        self._drawn: Point = {}
        self._study = optuna.create_study(
            direction=direction, sampler=_PointSampler(self._distributions, self._give_drawn)
        )
        for past in sorted(history, key=lambda past: past.number):
            self._remember(past)

    @property
    def exhausted(self) -> bool:
        """Say whether no point was found any more that trains differently from those asked."""
        return self._exhausted

    def ask(self, n: int) -> list[tuple[int, Point]]:
        """Give up to `n` new trials as (number, parameters); fewer once the space is exhausted."""
        asked: list[tuple[int, Point]] = []
        while len(asked) < n:
            found = self._next()
            if found is None:
                self._exhausted = True
                break
            self._drawn = self._searched(found)
            trial = self._study.ask()
            drawn = {
                name: _suggest(trial, name, self._distributions[name])
                for name in trial.relative_params
            }
            point = self._space.effective(drawn)
            self._keep(point)
            asked.append((trial.number, point))
        return asked

    def tell(self, number: int, value: float | None) -> None:
        """Say what a trial was worth, once; again changes nothing.

        NaN and infinities count as the worst value: a trial that diverged is a result. None: the
        trial taught nothing.
        """
        if value is None:
            self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        else:
            self._study.tell(number, self._bounded(value), skip_if_finished=True)

    def _remember(self, past: Past) -> None:
        if past.number != len(self._study.get_trials(deepcopy=False)):
            raise ValueError(f"The history has a gap before trial {past.number}.")
        state = _STATES[past.state]
        if past.value is None and past.state in ("completed", "stopped"):
            state = TrialState.FAIL
        values = {name: past.parameters[name] for name in self._known(past.parameters)}
        self._study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=self._bounded(past.value) if state is TrialState.COMPLETE else None,
                params=values,
                distributions={name: self._distributions[name] for name in values},
            )
        )
        self._keep(self._space.effective(values))

    def _keep(self, point: Point) -> None:
        self._seen.add(self._space.identity(point))
        self._spread.add(point)
        self._asked += 1

    def _known(self, parameters: Mapping[str, Scalar]) -> list[str]:
        return [name for name in self._distributions if name in parameters]

    def _bounded(self, value: float | None) -> float:
        return self._worst if value is None or not math.isfinite(value) else value

    def _next(self) -> Point | None:
        """Choose the next trial's point; None where none is left."""
        found = self._draw() if self._sampler == "random" else None
        return found or (self._next_unseen() if self._finite else None)

    def _draw(self) -> Point | None:
        """Draw until a point is new. A setting of the switches that is used up is left alone."""
        failed: Counter[int] = Counter()
        for attempt in range(MOST_DRAWS):
            random = Random(_seed(self._seed, self._asked, attempt))
            places = [i for i in range(len(self._settings)) if failed[i] < DRAWS_A_SETTING]
            if not places:
                return None
            asked = {i: self._spread.asked(self._settings[i]) for i in places}
            fewest = min(asked.values())
            place = random.choice([i for i in places if asked[i] == fewest])
            setting = self._settings[place]
            rest = [name for name in self._distributions if name not in setting]
            values = {name: self._spread.draw(name, random) for name in rest}
            point = self._space.effective({**values, **setting})
            if self._space.identity(point) not in self._seen:
                return point
            failed[place] += 1
        return None

    def _next_unseen(self) -> Point | None:
        """Give, of the next unseen points in the grid's order, the one asked about least."""
        if self._order is None:
            self._order = self._space.grid(self._seed)
        self._window = [p for p in self._window if self._is_new(p)]
        fresh = (point for point in self._order if self._is_new(point))
        self._window += islice(fresh, WINDOW - len(self._window))
        return min(self._window, key=self._spread.asked, default=None)

    def _is_new(self, point: Point) -> bool:
        return self._space.identity(point) not in self._seen

    def _give_drawn(self) -> dict[str, Any]:
        return self._drawn

    def _searched(self, point: Point) -> dict[str, Any]:
        return {name: point[name] for name in self._known(point)}


class Searcher:
    """A `Search` with a thread of its own, built there at the first question."""

    def __init__(
        self,
        space: Space,
        *,
        sampler: Sampler,
        seed: int,
        direction: Direction,
        history: Sequence[Past] = (),
    ) -> None:
        self._build: Callable[[], Search] = lambda: Search(
            space, sampler=sampler, seed=seed, direction=direction, history=history
        )
        self._search: Search | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="potluck-search")

    async def ask(self, n: int) -> list[tuple[int, Point]]:
        """Give up to `n` new trials as (number, parameters); fewer once the space is exhausted."""
        return await self._in_thread(lambda: self._own().ask(n))

    async def tell(self, number: int, value: float | None) -> None:
        """Say what a trial was worth. See `Search.tell`."""
        await self._in_thread(lambda: self._own().tell(number, value))

    def close(self) -> None:
        """End the thread after what it is doing now."""
        self._thread.shutdown(wait=True)

    def _own(self) -> Search:
        if self._search is None:
            self._search = self._build()
        return self._search

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)


class _PointSampler(BaseSampler):
    """Optuna's view of how we choose points: all of a trial's values at once."""

    def __init__(
        self, distributions: dict[str, BaseDistribution], draw: Callable[[], dict[str, Any]]
    ) -> None:
        self._distributions = distributions
        self._draw = draw

    def infer_relative_search_space(
        self,
        study: optuna.Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """Give every searched parameter."""
        return self._distributions

    def sample_relative(
        self,
        study: optuna.Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Give the trial's point, without what its optimizer ignores."""
        return self._draw()

    def sample_independent(
        self,
        study: optuna.Study,  # noqa: ARG002
        trial: FrozenTrial,  # noqa: ARG002
        param_name: str,
        param_distribution: BaseDistribution,  # noqa: ARG002
    ) -> Any:
        """Refuse: every value belongs to a point."""
        raise RuntimeError(f"{param_name} is not part of the point.")


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Options):
        return CategoricalDistribution(dimension.choices)
    if dimension.kind == "int":
        return IntDistribution(
            int(dimension.low), int(dimension.high), dimension.log, int(dimension.step or 1)
        )
    step = None if dimension.log else dimension.step
    return FloatDistribution(dimension.low, dimension.high, dimension.log, step)


def _suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    if isinstance(distribution, FloatDistribution):
        return trial.suggest_float(
            name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
        )
    raise TypeError(f"No way to ask for {distribution!r}.")


def _seed(study_seed: int, number: int, attempt: int) -> int:
    text = f"{study_seed}/search/{number}/{attempt}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
