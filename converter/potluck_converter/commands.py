"""`potluck convert`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from potluck_converter.errors import ConversionError
from potluck_converter.limits import DEFAULT_LIMITS
from potluck_converter.read import read_model
from potluck_converter.report import as_text, report
from potluck_converter.writers.keras_h5 import write_keras_h5
from potluck_converter.writers.tfjs import write_tfjs


class Target(StrEnum):
    """What to write."""

    tfjs = "tfjs"
    h5 = "h5"


def add_to(app: typer.Typer) -> None:
    """Add this package's commands to the command line."""

    @app.command()
    def convert(
        source: Annotated[
            Path, typer.Argument(metavar="IN", help="A .h5, or model.json beside its weight files.")
        ],
        outdir: Annotated[Path, typer.Argument(help="A folder; made where missing.")],
        to: Annotated[Target, typer.Option(help="What to write.")] = Target.tfjs,
    ) -> None:
        """Convert a Keras or TF.js model and print what it is."""
        try:
            model = read_model(gather(source))
        except ConversionError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        if to is Target.tfjs:
            files = write_tfjs(model)
        else:
            files = {f"{_stem(source)}.h5": write_keras_h5(model)}
        outdir.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (outdir / name).write_bytes(content)
        typer.echo(as_text(report(model)))
        typer.echo("wrote " + ", ".join(str(outdir / name) for name in files))


def gather(source: Path) -> dict[str, bytes]:
    """Read a model's file, or `model.json` (or its folder) with the `.bin` files beside it."""
    if source.is_dir():
        source = source / "model.json"
    if not source.is_file():
        raise ConversionError(
            "model.unreadable",
            "There is no such file.",
            expected="a .h5 file, or model.json",
            got=str(source),
            where=str(source),
        )
    paths = [source]
    if source.suffix == ".json":
        paths += sorted(source.parent.glob("*.bin"))
    if sum(path.stat().st_size for path in paths) > DEFAULT_LIMITS.file_bytes:
        raise ConversionError(
            "model.too_large",
            "The files are too large.",
            expected=f"at most {DEFAULT_LIMITS.file_bytes} bytes",
            where=str(source),
        )
    return {path.name: path.read_bytes() for path in paths}


def _stem(source: Path) -> str:
    return source.stem if source.is_file() and source.suffix != ".json" else "model"
