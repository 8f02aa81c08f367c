"""A request for some of a file's bytes."""

from __future__ import annotations

MOST_DIGITS = 18


def asked_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Read one range of bytes; what is anything else means the whole file.

    Args:
        header: `Range` as it was sent: `bytes=a-b`, `bytes=a-` or, for the last ones, `bytes=-n`.
        size: Of the file, in bytes.

    Returns:
        The bytes `[start, end)`, with start >= end where the file has none of them. None: all.
    """
    if header is None or not header.startswith("bytes=") or "," in header:
        return None
    first, dash, last = header[6:].strip().partition("-")
    if not dash or not all(_is_number(part) for part in (first, last) if part):
        return None
    if not first:
        return (max(0, size - int(last)), size) if last else None
    start, end = int(first), min(size, int(last) + 1) if last else size
    return None if last and int(last) < start else (start, end)


def _is_number(text: str) -> bool:
    return len(text) <= MOST_DIGITS and text.isascii() and text.isdigit()
