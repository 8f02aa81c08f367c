"""The search space: which points a study may try, how many there are, and each by its number."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from potluck.protocol.study import Parameter
from potluck_coordinator.core.errors import BadStudy
from potluck_coordinator.search.dimension import Dimension, Options, read_parameter
from potluck_coordinator.search.rules import DEFAULTS, SWITCHES, Scalar, check_value, rule_of
from potluck_coordinator.search.twins import Point, as_trained

LARGEST_GRID = 100_000
MOST_SAMPLES = 4096
ENOUGH_SAMPLES = 256

Identity = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Space:
    """Fixed values and searched dimensions.

    A parameter that the point's optimizer or schedule does not read is left out of the point, and
    two points that train the same network have one `identity`. `epochs`: those of a whole trial;
    `rows`: those that train.
    """

    fixed: Mapping[str, Scalar]
    free: Mapping[str, Dimension]
    epochs: int | None = None
    rows: int | None = None

    @classmethod
    def from_spec(
        cls,
        parameters: Mapping[str, Parameter],
        epochs: int | None = None,
        rows: int | None = None,
    ) -> Space:
        """Check a study's parameters. Raises `BadStudy` with a code `search.*`.

        `learning_rate`, `batch_size` and `optimizer` have defaults (0.001, 32, adam). Where
        `epochs` and `rows` are known, so are schedules that come too late to matter and batches of
        all rows.
        """
        fixed: dict[str, Scalar] = dict(DEFAULTS)
        free: dict[str, Dimension] = {}
        for name in sorted(parameters):
            rule_of(name)
            found = read_parameter(name, parameters[name])
            fixed.pop(name, None)
            if isinstance(found, bool | int | float | str):
                fixed[name] = check_value(name, found)
            else:
                free[name] = found
        space = cls(fixed, free, epochs, rows)
        space._refuse_unread(parameters)
        return space

    @property
    def size(self) -> int | None:
        """Count the points by what they read; None where there is no end to them."""
        total = 0
        for _, free in self._branches():
            sizes = [dimension.size for dimension in free.values()]
            if None in sizes:
                return None
            total += math.prod(size for size in sizes if size is not None)
        return total

    @property
    def grid_size(self) -> int:
        """Count the grid's points, up to 100,000.

        Raises `BadStudy`: `search.grid_continuous` for a real range without a step,
        `search.grid_too_large` beyond.
        """
        for name, dimension in self.free.items():
            if dimension.size is None:
                raise BadStudy(
                    "search.grid_continuous",
                    f"A grid cannot visit every value of {name}.",
                    expected="a step, a list of choices or one value",
                    got="a range of real numbers",
                    hint="Give the range a step, list the values, or take the random sampler.",
                    where=name,
                )
        size = self.size or 0
        if size > LARGEST_GRID:
            raise BadStudy(
                "search.grid_too_large",
                "The grid has too many points.",
                expected=f"at most {LARGEST_GRID} points",
                got=f"{size} points",
                hint="Take wider steps, fewer choices, or the random sampler.",
            )
        return size

    def most_trials(self, wanted: int, sampler: str) -> int:
        """Give how many trials make sense: no more than there are points that train differently.

        Where there are too many points to visit, a sample of them answers.
        """
        size = self.grid_size if sampler == "grid" else self.size
        visited = size is not None and size <= LARGEST_GRID
        enough = wanted if visited else min(wanted, ENOUGH_SAMPLES)
        found: set[Identity] = set()
        for point in self._points() if visited else self._sample():
            found.add(self.identity(point))
            if len(found) == enough:
                return wanted
        return len(found)

    def identity(self, point: Mapping[str, Scalar]) -> Identity:
        """Give what points that train the same network have in common, and no others."""
        return identity(as_trained(point, self.epochs, self.rows))

    def settings(self) -> list[Point]:
        """Give every combination of the searched switches (`optimizer`, `schedule`, `use_ema`)."""
        searched = [switch for switch in SWITCHES if switch in self.free]
        return [{s: setting[s] for s in searched} for setting in self._settings()]

    def _points(self) -> Iterator[Point]:
        return (self.point(index) for index in range(self.size or 0))

    def _sample(self) -> Iterator[Point]:
        random = Random(0)
        for _ in range(MOST_SAMPLES):
            values = {
                name: random.choice(dimension.choices)
                if isinstance(dimension, Options)
                else dimension.value_in(random.randrange(dimension.cells), random.random())
                for name, dimension in self.free.items()
            }
            yield self.effective(values)

    def point(self, index: int) -> Point:
        """Give a finite space's point by its number, from 0."""
        for fixed, free in self._branches():
            sizes = [dimension.size or 0 for dimension in free.values()]
            if index >= math.prod(sizes):
                index -= math.prod(sizes)
                continue
            found = dict(fixed)
            for (name, dimension), size in zip(free.items(), sizes, strict=True):
                index, place = divmod(index, size)
                found[name] = dimension.value(place)
            return found
        raise IndexError("The space has fewer points.")

    def grid(self, seed: int) -> Iterator[Point]:
        """Give every point of a grid once, in an order that covers the space early."""
        size = self.grid_size
        for index in sorted(range(size), key=lambda i: _shuffle_key(seed, i)):
            yield self.point(index)

    def effective(self, values: Mapping[str, Scalar]) -> Point:
        """Make a point of sampled values: on the steps, without what its optimizer ignores."""
        found = dict(self.fixed)
        for name, dimension in self.free.items():
            if name in values:
                found[name] = dimension.snap(values[name])
        return {name: value for name, value in found.items() if rule_of(name).reads(found)}

    def _settings(self) -> Iterator[dict[str, Scalar]]:
        """Give every combination of the switches that are given or searched."""
        choices: dict[str, tuple[Scalar, ...]] = {}
        for switch in SWITCHES:
            searched = self.free.get(switch)
            if isinstance(searched, Options):
                choices[switch] = searched.choices
            elif switch in self.fixed:
                choices[switch] = (self.fixed[switch],)
        for values in itertools.product(*choices.values()):
            yield dict(zip(choices, values, strict=True))

    def _branches(self) -> Iterator[tuple[Point, dict[str, Dimension]]]:
        """Split the space by its switches, each with only the parameters that are read."""
        for setting in self._settings():
            fixed = {name: v for name, v in self.fixed.items() if rule_of(name).reads(setting)}
            yield (
                {**fixed, **setting},
                {
                    name: dimension
                    for name, dimension in self.free.items()
                    if name not in SWITCHES and rule_of(name).reads(setting)
                },
            )

    def _refuse_unread(self, parameters: Mapping[str, Parameter]) -> None:
        settings = list(self._settings())
        for name in sorted(parameters):
            rule = rule_of(name)
            if any(rule.reads(setting) for setting in settings):
                continue
            missing = next(
                switch
                for switch, values in rule.needs.items()
                if not any(s.get(switch, SWITCHES[switch]) in values for s in settings)
            )
            readers = " or ".join(_said(value) for value in rule.needs[missing])
            chosen = {_said(s.get(missing, SWITCHES[missing])): None for s in settings}
            raise BadStudy(
                "search.parameter_unused",
                f"No {missing} of this study reads {name}.",
                expected=f"{missing} {readers}",
                got=f"{missing} {', '.join(chosen)}",
                hint=f"Leave {name} out, or change the {missing}.",
                where=name,
            )


def _said(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def identity(point: Mapping[str, Scalar]) -> Identity:
    """Give a point as something to compare; true and 1 differ."""
    return tuple((name, repr(point[name])) for name in sorted(point))


def _shuffle_key(seed: int, index: int) -> bytes:
    return hashlib.sha256(f"{seed}/grid/{index}".encode()).digest()
