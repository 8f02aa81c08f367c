"""Tables for a terminal, without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def text_table(rows: Sequence[Mapping[str, object]]) -> str:
    """Lay rows out in columns; numbers to the right, columns that are empty throughout left out."""
    names = [name for name in (rows[0] if rows else ()) if any(_filled(row[name]) for row in rows)]
    columns = []
    for name in names:
        cells = [_cell(row[name]) for row in rows]
        width = max(len(name), *(len(cell) for cell in cells))
        right = any(_is_number(row[name]) for row in rows)
        columns.append(
            [cell.rjust(width) if right else cell.ljust(width) for cell in (name, *cells)]
        )
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def _filled(value: object) -> bool:
    return value is not None and value != ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value)
