"""The coverage tables of docs/converter.md, from the table of layers.

`python -m potluck_converter.coverage docs/converter.md` writes it between its two marks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from potluck_converter.layers import TABLE
from potluck_converter.layers.activations import OWN, STOCK
from potluck_converter.layers.base import LayerKind
from potluck_converter.layers.cells import MAX_CELLS
from potluck_converter.layers.initializers import INITIALIZERS
from potluck_converter.layers.penalties import CONSTRAINTS, REGULARIZERS
from potluck_converter.layers.recurrent import CELLS

START, END = "<!-- coverage: start -->", "<!-- coverage: end -->"


def coverage() -> str:
    """Give the tables and lists as Markdown."""
    lines = [
        "| layer | TF.js class | options that are read | fields to override |",
        "|---|---|---|---|",
        *(
            f"| {kind.class_name} | {_class(kind)} | {_options(kind)} | {_searchable(kind)} |"
            for kind in TABLE.values()
        ),
        "",
        "Inside RNN:",
        "",
        "| cell | TF.js class | options that are read | fields to override, by the RNN's name |",
        "|---|---|---|---|",
        *(
            f"| {cell.class_name} | {_either(cell)} | {_options(cell)} | {_searchable(cell)} |"
            for cell in CELLS.values()
        ),
        f"| StackedRNNCells | stock | `cells`: 1 to {MAX_CELLS} of these | those of each cell |",
        "",
        f"Initializers: {_list(INITIALIZERS)}.",
        "",
        f"Regularizers: {_list(REGULARIZERS)}. Constraints: {_list(CONSTRAINTS)}.",
        "",
        f"Activations: {_list(STOCK)}; of our own: {_list(OWN)}.",
    ]
    return "\n".join(lines)


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _searchable(kind: LayerKind) -> str:
    held = {"RNN": "the cell's", "Bidirectional": "the layer's", "TimeDistributed": "the layer's"}
    own = _list(field.name for field in kind.fields if field.searchable)
    return "; ".join(part for part in (own, held.get(kind.class_name, "")) if part)


def _class(kind: LayerKind) -> str:
    if not kind.stock:
        return f"`Potluck{kind.class_name}`"
    if type(kind).own is LayerKind.own and kind.mask != "matters":
        return "stock"
    return _either(kind)


def _either(kind: LayerKind) -> str:
    return f"stock, or `Potluck{kind.class_name}` where an option asks for it"


def _options(kind: LayerKind) -> str:
    return _list(field.name for field in kind.fields if field.stored)


def with_table(text: str) -> str:
    """Put the table into a document; raises ValueError where the marks are missing."""
    before, after = text.index(START) + len(START), text.index(END)
    return f"{text[:before]}\n{coverage()}\n{text[after:]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text()))
