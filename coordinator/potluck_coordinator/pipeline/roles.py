"""Which column is the target, which are features, before anyone says so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from potluck_coordinator.core.errors import BadDataset, BadStudy
from potluck_coordinator.pipeline.dataset import Array, Dataset
from potluck_coordinator.pipeline.identifiers import identifiers

TARGETS = ("y", "target", "label", "labels", "class", "targets", "outcome", "progression")
INPUTS = ("x", "images", "image", "inputs", "data", "features")
SHOWN = 8


def suggested_target(dataset: Dataset) -> str | None:
    """Give the likeliest target: by name, else a table's last column or the one plain array.

    An array of several numbers a row (one-hot) is one by name only.
    """
    named = _named(dataset)
    return named[0] if named else _by_place(dataset)


def plain_target(dataset: Dataset, fits: Callable[[str], bool]) -> str:
    """Give the target where nobody has to be asked.

    That is where one column has a target's name, where one array has one value a row, or where a
    table's last column is the only one that the model could be trained for. `fits` tells whether it
    could be trained for a column. Raises BadStudy `pipeline.target_unconfirmed` with the guess, and
    BadDataset `dataset.target_missing` where there is none.
    """
    named = _named(dataset)
    if len(named) > 1:
        fitting = [name for name in named if fits(name)]
        named = fitting if len(fitting) == 1 else named
    # A class may also be a traveller's: only the model tells.
    if len(named) == 1 and (
        named[0].lower() != "class"
        or fits(named[0])
        or not any(fits(name) for name in _plain(dataset) if name != named[0])
    ):
        return named[0]
    guess = named[0] if named else _by_place(dataset)
    if guess is None:
        raise BadDataset(
            "dataset.target_missing",
            "No target was named, and none is plain from the data.",
            expected="one of: " + ", ".join(list(dataset.columns)[:20]),
            got="none",
            where="pipeline.target",
        )
    if not named and _only_one(dataset, guess, fits):
        return guess
    raise unconfirmed(dataset, guess)


def unconfirmed(dataset: Dataset, guess: str) -> BadStudy:
    """Refuse a guessed target that nobody has confirmed."""
    others = [name for name in dataset.columns if name != guess]
    more = f" and {len(others) + 1 - SHOWN} more" if len(others) >= SHOWN else ""
    return BadStudy(
        "pipeline.target_unconfirmed",
        f"No target was named, and no column is plainly it; {guess!r} is only a guess.",
        expected="the column to predict, one of: " + ", ".join([guess, *others][:SHOWN]) + more,
        got="none",
        hint=f'Confirm the guess with target="{guess}", or name another column as the target.',
        where="pipeline.target",
    )


@dataclass(frozen=True)
class Features:
    """What a network learns from. `left_out`: other columns, each with why."""

    names: tuple[str, ...]
    left_out: Mapping[str, str]


def suggested_features(dataset: Dataset, target: str) -> Features:
    """Give a table's other columns but identifiers, or the array that is likeliest the input."""
    others = [name for name in dataset.columns if name != target]
    arrays = [name for name in others if isinstance(dataset.columns[name], Array)]
    if arrays:
        by_name = {name.lower(): name for name in reversed(arrays)}
        chosen = next((by_name[name] for name in INPUTS if name in by_name), arrays[0])
        why = f"a network has one array as its input, here {chosen}"
        return Features((chosen,), {name: why for name in others if name != chosen})
    found = identifiers(dataset)
    left_out = {name: found[name] for name in others if name in found}
    kept = tuple(name for name in others if name not in left_out)
    # Where there is nothing else to learn from, the submitter hears of it and decides.
    return Features(kept, left_out) if kept else Features(tuple(others), {})


def features_told(
    dataset: Dataset, features: Collection[str], left_out: Mapping[str, str]
) -> list[str]:
    """Say which columns were left out of the features, and which look as if they should be."""
    said = [
        f"{_listed(names)} left out of the features: {why}. Name the features to choose others."
        for why, names in _by_reason(left_out).items()
    ]
    kept = {name: why for name, why in identifiers(dataset).items() if name in features}
    said += [
        f"{_listed(names)} kept as a feature: {why}. It tells a network the row, not the task."
        for why, names in _by_reason(kept).items()
    ]
    return said


def _by_reason(columns: Mapping[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, why in columns.items():
        names.setdefault(why, []).append(name)
    return names


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more + (" was" if len(names) == 1 else " were")


def _plain(dataset: Dataset) -> list[str]:
    return [name for name, column in dataset.columns.items() if not isinstance(column, Array)]


def _named(dataset: Dataset) -> list[str]:
    """List the columns with a target's name, the likeliest first; wide arrays where none is plain.

    Those are one-hot, or named as what is not yet trained.
    """
    plain = _plain(dataset)
    lowered = [name.strip().lower() for name in plain]
    # Beside x or z, y is the second of several lengths.
    is_length = "z" in lowered or ("x" in lowered and len(dataset.columns) > 2)
    found = [
        (TARGETS.index(word), place)
        for place, word in enumerate(lowered)
        if word in TARGETS and not (word == "y" and is_length)
    ]
    wide = [
        name
        for name, column in dataset.columns.items()
        if isinstance(column, Array) and name.lower() in TARGETS
    ]
    wide.sort(key=lambda name: TARGETS.index(name.lower()))
    return [plain[place] for _, place in sorted(found)] or wide[:1]


def _by_place(dataset: Dataset) -> str | None:
    plain = _plain(dataset)
    if dataset.kind == "table":
        found = identifiers(dataset)
        likely = [name for name in plain if name not in found] or plain
        return likely[-1] if len(plain) > 1 else None
    return plain[0] if len(plain) == 1 else None


def _only_one(dataset: Dataset, guess: str, fits: Callable[[str], bool]) -> bool:
    """Tell whether no other column could be the target. (The guess itself is checked later.)"""
    if dataset.kind == "arrays":
        return True
    found = identifiers(dataset)
    others = [name for name in _plain(dataset) if name != guess and name not in found]
    return not any(fits(name) for name in others)
