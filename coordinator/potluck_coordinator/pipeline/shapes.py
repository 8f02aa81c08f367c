"""How a row's numbers meet the model's input: axes are never put into another order silently."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, permutations

from potluck_coordinator.core.errors import BadStudy, OtherWidth
from potluck_coordinator.pipeline.dataset import Array, Categorical, Column, Dataset
from potluck_coordinator.pipeline.facts import ModelFacts, Shape
from potluck_coordinator.pipeline.features import width_of

Row = tuple[int, ...]
MOST_AXES_TRIED = 6
"""An array may have 64 axes, which have more orders than can be tried."""


def fit_shape(
    dataset: Dataset, features: Sequence[str], row: Row, model: ModelFacts
) -> tuple[Row, list[str]]:
    """Give the input shape of a row, and what is to be said about how it was read.

    Axes of 1 come and go. Flat rows take the shape of the model's input, and rows of several axes
    go flat, in the order of their numbers. Raises BadStudy `pipeline.input_mismatch`, as OtherWidth
    where only the number of features differs.
    """
    shapes = list(model.input_shapes.values())
    if len(shapes) != 1:
        raise _mismatch(dataset, features, row, model, "Only models with one input can be trained.")
    wanted = shapes[0]
    fitted = _exact(row, wanted)
    if fitted is None:
        fitted = _without_ones(row, wanted)
    if fitted is not None:
        return fitted, []
    fitted = _flat(row, wanted)
    if fitted is not None:
        said = f"Each row's {math.prod(row)} numbers are read as {_shown(fitted)}, in their order"
        return fitted, [said + (": the last axis changes first." if len(fitted) > 1 else ".")]
    orders = list(islice(_orders(row, wanted), 3))
    if orders:
        raise _other_order(features[0], row, wanted, orders)
    raise _mismatch(dataset, features, row, model, "")


def _exact(row: Row, wanted: Shape) -> Row | None:
    fits = len(wanted) == len(row) and all(w in (None, r) for w, r in zip(wanted, row, strict=True))
    return row if fits else None


def _without_ones(row: Row, wanted: Shape) -> Row | None:
    sizes = [size for size in row if size != 1]
    if _exact(tuple(sizes), tuple(size for size in wanted if size != 1)) is None:
        return None
    left = iter(sizes)
    return tuple(1 if size == 1 else next(left) for size in wanted)


def _flat(row: Row, wanted: Shape) -> Row | None:
    """Fold a flat row out, or lay a row of several axes flat; one open axis takes what is left."""
    if min(_axes(row), _axes(wanted)) > 1 or wanted.count(None) > 1:
        return None
    size, known = math.prod(row), math.prod(w for w in wanted if w is not None)
    if None not in wanted:
        return tuple(w for w in wanted if w is not None) if size == known else None
    if not known or size % known:
        return None
    return tuple(size // known if w is None else w for w in wanted)


def _axes(shape: Shape) -> int:
    return sum(size != 1 for size in shape)


def _orders(row: Row, wanted: Shape) -> Iterator[Row]:
    """Give the orders in which the row's axes would fit, first the one that keeps most of theirs.

    Axes of 1 go last.
    """
    long = [axis for axis, size in enumerate(row) if size != 1]
    ones = [axis for axis, size in enumerate(row) if size == 1]
    places = tuple(size for size in wanted if size != 1)
    if len(places) != len(long):
        return
    first = _first_order(row, long, places)
    if first is None:
        return
    yield (*first, *ones)
    if len(long) > MOST_AXES_TRIED:
        return
    for order in permutations(long):
        if order != first and _exact(tuple(row[axis] for axis in order), places):
            yield (*order, *ones)


def _first_order(row: Row, axes: list[int], places: Shape) -> Row | None:
    left = list(axes)
    order: dict[int, int] = {}
    open_last = sorted(range(len(places)), key=lambda place: places[place] is None)
    for place in open_last:
        axis = next((axis for axis in left if places[place] in (None, row[axis])), None)
        if axis is None:
            return None
        order[place] = axis
        left.remove(axis)
    return tuple(order[place] for place in range(len(places)))


def _other_order(name: str, row: Row, wanted: Shape, orders: Sequence[Row]) -> BadStudy:
    calls = [
        f"{name}.transpose({', '.join(str(n) for n in (0, *(axis + 1 for axis in order)))})"
        for order in orders
    ]
    others = f", or {' or '.join(calls[1:])} if that is their order" if calls[1:] else ""
    return BadStudy(
        "pipeline.input_mismatch",
        f"The axes of {name} are in another order than the model's input.",
        expected=f"rows of shape {_shown(wanted)}",
        got=f"rows of shape {_shown(row)}",
        hint=f"Save {calls[0]}{others}.",
        where="pipeline.features",
    )


def _mismatch(
    dataset: Dataset, features: Sequence[str], row: Row, model: ModelFacts, hint: str
) -> BadStudy:
    columns = [dataset.columns[name] for name in features]
    widest = sorted(columns, key=width_of, reverse=True)
    inputs = model.input_shapes
    takes = ", ".join(f"{name}: {_shown(shape)}" for name, shape in inputs.items()) or "one input"
    got = f"rows of shape {_shown(row)}"
    message = "The data does not fit the model's input."
    if not isinstance(columns[0], Array):
        model_takes = " and ".join(_said(shape) for shape in inputs.values())
        message = f"{became(len(columns), row[0])}; the model takes {model_takes}."
        parts = [f"{column.name} {width_of(column)}" for column in widest[:8]]
        got += f" ({', '.join(parts)}{', …' if len(widest) > 8 else ''})"
        hint = hint or _about_widest(widest[0], row)
    kind = OtherWidth if _only_width(row, model) else BadStudy
    error = kind(
        "pipeline.input_mismatch",
        message,
        expected=takes,
        got=got,
        hint=hint or f"Pick other features, or give the model's input the shape {_shown(row)}.",
        where="pipeline.features",
    )
    if isinstance(error, OtherWidth):
        error.width = row[-1]
    return error


def _only_width(row: Row, model: ModelFacts) -> bool:
    """Tell whether a model whose input has another last axis would take the rows."""
    shapes = list(model.input_shapes.values())
    if len(shapes) != 1 or len(shapes[0]) != len(row) or not row:
        return False
    return shapes[0][-1] is not None and _exact(row[:-1], shapes[0][:-1]) is not None


def _about_widest(column: Column, row: Row) -> str:
    if not isinstance(column, Categorical) or width_of(column) <= 20:
        return ""
    if column.note:
        return column.note
    return (
        f"{column.name!r} alone becomes {width_of(column)} numbers, one for each word: leave it "
        f"out, or give the model's input the shape {_shown(row)}."
    )


def became(columns: int, numbers: int) -> str:
    """Say how wide columns are once they are encoded."""
    several = "columns become" if columns != 1 else "column becomes"
    return f"Your {columns} {several} {numbers} number{'s' if numbers != 1 else ''}"


def _said(shape: Shape) -> str:
    return str(shape[0]) if len(shape) == 1 and shape[0] is not None else _shown(shape)


def _shown(shape: Shape) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
