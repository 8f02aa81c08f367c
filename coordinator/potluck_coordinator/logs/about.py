"""What the lines of the log are about: ids, known to whatever is called meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

KNOWN = ("study", "trial", "unit", "lease", "donor", "replay", "model", "dataset")
"""Fields that name things. Nothing else gets into a line beside its message."""
ACCESS = ("method", "path", "status", "bytes", "seconds", "address", "account")
"""Fields of the access log."""
PREFIXES = {
    "st": "study",
    "un": "unit",
    "ls": "lease",
    "dn": "donor",
    "md": "model",
    "ds": "dataset",
    "rp": "replay",
}
_ID = re.compile(rf"({'|'.join(PREFIXES)})_[0-9a-z]{{10,24}}")

_about: ContextVar[Mapping[str, object] | None] = ContextVar("about", default=None)


def now_about() -> Mapping[str, object]:
    """Give the ids that this task is about."""
    return _about.get() or {}


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Name ids (of `KNOWN`; None is not known) in each line that is logged inside."""
    given = {name: value for name, value in ids.items() if value is not None}
    token = _about.set({**now_about(), **given})
    try:
        yield
    finally:
        _about.reset(token)


def is_id(word: object) -> bool:
    """Say whether a word is an id of ours: nothing else that came from somebody gets into a line.

    Args:
        word: What stands where an id may.
    """
    return isinstance(word, str) and _ID.fullmatch(word) is not None


def ids_in(path: str) -> dict[str, str]:
    """Give the ids among a path's segments, by what they name."""
    ids = [word for word in path.split("/") if is_id(word)]
    return {PREFIXES[word[:2]]: word for word in ids}
