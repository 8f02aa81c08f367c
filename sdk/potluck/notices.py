"""Words to the person at the terminal: on the error stream, so that output can be piped."""

from __future__ import annotations

import sys

ROWS_ARE_PUBLIC = (
    "Note: the encoded training rows of this study are sent to donors' browsers; "
    "treat them as public. (Names, categories and unused columns stay with the coordinator.)"
)


def say(text: str) -> None:
    """Write one notice."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
