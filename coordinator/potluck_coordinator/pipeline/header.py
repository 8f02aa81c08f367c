"""The first line of a table: names of its columns, or a row that was taken for them."""

from __future__ import annotations

from collections import Counter

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline.spelling import number_of

FEWEST_COUNTED = 3
"""So many names in steps of 1 may be a row of numbers by chance, where they do not start at 0."""


def read_names(header: list[str], filename: str) -> tuple[list[str], list[str]]:
    """Give the columns' names, and warnings. Raises BadDataset `dataset.repeated_column`."""
    names = [name.strip() or f"column_{i + 1}" for i, name in enumerate(header)]
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    numbers = [name for name in names if number_of(name) is not None]
    all_or_most = "All" if len(numbers) == len(names) else "Most"
    lacking = f"{all_or_most} column names are numbers: does the file lack a header line?"
    likely = 2 * len(numbers) > len(names)
    if repeated:
        raise BadDataset(
            "dataset.repeated_column",
            "Two columns have the same name.",
            expected="a name of its own for each column",
            got=", ".join(repeated[:5]),
            hint=f"{lacking} Put one above its rows." if likely else "Rename one of them.",
            where=filename,
        )
    if not likely or (len(numbers) < len(names) and _counted(numbers)):
        return names, []
    first = ", ".join(names[:3])
    return names, [f"{lacking} Its first row ({first[:60]}, …) was taken for one."]


def _counted(numbers: list[str]) -> bool:
    """Tell names that count columns (0, 1, 2) or years from the cells of a row."""
    whole = [int(name) for name in numbers if name.isdecimal()]
    from_start = list(range(len(numbers)))
    steps = [number - whole[0] for number in whole]
    return steps == from_start and (whole[0] == 0 or len(whole) > FEWEST_COUNTED)
