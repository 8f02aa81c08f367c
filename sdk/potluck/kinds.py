"""What kind of thing was passed, told without importing the library that it is of."""

from __future__ import annotations


def is_frame(thing: object) -> bool:
    """Tell a pandas or polars DataFrame without importing either."""
    return is_of(thing, "DataFrame")


def is_of(thing: object, class_name: str, package: str | None = None) -> bool:
    """Tell an instance of a class, by the class's name and the package that it comes from."""
    packages = {package} if package else {"pandas", "polars"}
    return any(
        kind.__name__ == class_name and kind.__module__.partition(".")[0] in packages
        for kind in type(thing).__mro__
    )
