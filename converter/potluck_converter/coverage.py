"""The coverage table of docs/converter.md, from the table of layers.

`python -m potluck_converter.coverage docs/converter.md` writes it between its two marks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from potluck_converter.layers import TABLE
from potluck_converter.layers.activations import OWN, STOCK
from potluck_converter.layers.base import LayerKind

START, END = "<!-- coverage: start -->", "<!-- coverage: end -->"


def coverage() -> str:
    """Give the table as Markdown."""
    lines = ["| layer | TF.js class | options that are read |", "|---|---|---|"]
    for kind in TABLE.values():
        lines.append(f"| {kind.class_name} | {_class(kind)} | {_options(kind)} |")
    stock = ", ".join(f"`{name}`" for name in STOCK)
    own = ", ".join(f"`{name}`" for name in OWN)
    return "\n".join([*lines, "", f"Activations: {stock}; of our own: {own}."])


def _class(kind: LayerKind) -> str:
    if not kind.stock:
        return f"`Potluck{kind.class_name}`"
    if type(kind).own is LayerKind.own and kind.mask != "matters":
        return "stock"
    return f"stock, or `Potluck{kind.class_name}` where an option asks for it"


def _options(kind: LayerKind) -> str:
    return ", ".join(f"`{field.name}`" for field in kind.fields if field.stored)


def with_table(text: str) -> str:
    """Put the table into a document; raises ValueError where the marks are missing."""
    before, after = text.index(START) + len(START), text.index(END)
    return f"{text[:before]}\n{coverage()}\n{text[after:]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text()))
