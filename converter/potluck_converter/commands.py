"""`potluck convert`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from potluck_converter.convert import convert as convert_file
from potluck_converter.errors import ConversionError
from potluck_converter.report import as_text

_LARGE = 20 << 20


class Target(StrEnum):
    """What to write."""

    tfjs = "tfjs"
    h5 = "h5"
    keras = "keras"


class Quantized(StrEnum):
    """How to store weights for TF.js."""

    float16 = "float16"
    uint16 = "uint16"
    uint8 = "uint8"


class _Bar:
    """A progress bar that appears for large models alone."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // max(1, total)
        if total < _LARGE or percent == self._shown:
            return
        self._shown = percent
        bar = "#" * (percent * 40 // 100)
        typer.echo(f"\r[{bar:<40}] {percent:3d}%", nl=percent == 100, err=True)


def add_to(app: typer.Typer) -> None:
    """Add this package's commands to the command line."""

    @app.command()
    def convert(
        source: Annotated[
            Path,
            typer.Argument(
                metavar="IN",
                help="A .h5 or .keras, an architecture .json beside its weights .h5, or TF.js's "
                "model.json beside its weight files.",
            ),
        ],
        target: Annotated[
            Path,
            typer.Argument(
                metavar="OUT", help="A file ending in .h5 or .keras, or a folder; made if missing."
            ),
        ],
        to: Annotated[
            Target | None, typer.Option(help="What to write, where OUT's ending does not say.")
        ] = None,
        quantize: Annotated[
            Quantized | None, typer.Option(help="Store TF.js weights in fewer bits.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    ) -> None:
        """Convert a Keras or TF.js model and print what it is."""
        try:
            found = convert_file(
                source,
                target,
                to.value if to else None,
                quantize.value if quantize else None,
                progress=_Bar(),
            )
        except ConversionError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        if as_json:
            typer.echo(json.dumps(found))
            return
        typer.echo(as_text(found))
        typer.echo("wrote " + ", ".join(found["written"]))
