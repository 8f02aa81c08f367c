"""`potluck convert`, which reads its arguments itself: Typer loads longer than it converts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py  # noqa: F401 - where it is missing, `potluck` says what brings it

from potluck_converter.errors import ConversionError

if TYPE_CHECKING:
    import typer

_LARGE = 20 << 20
_SUMMARY = "Convert a Keras or TF.js model and print what it is."


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
        end = "\n" if percent == 100 else ""
        sys.stderr.write(f"\r[{bar:<40}] {percent:3d}%{end}")
        sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="potluck convert", description=_SUMMARY)
    parser.add_argument(
        "source",
        metavar="IN",
        type=Path,
        help="a .h5 or .keras, an architecture .json beside its weights .h5, TF.js's model.json "
        "beside its weight files, or a folder with one of them",
    )
    parser.add_argument(
        "target",
        metavar="OUT",
        help="a file ending in .h5 or .keras, or a folder; made if missing",
    )
    parser.add_argument(
        "--to", choices=("tfjs", "h5", "keras"), help="what to write, where OUT's ending is silent"
    )
    parser.add_argument(
        "--quantize",
        choices=("float16", "uint16", "uint8"),
        help="store TF.js weights in fewer bits",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Convert as the arguments ask; give the exit status. SystemExit where they cannot be read."""
    asked = _parser().parse_args(list(arguments))
    try:
        from potluck_converter.conversion import convert

        found = convert(asked.source, asked.target, asked.to, asked.quantize, progress=_Bar())
    except ConversionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(_shown(found, as_json=asked.json))
    return 0


def _shown(found: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        import json

        return json.dumps(found) + "\n"
    from potluck_converter.description import as_text

    return f"{as_text(found)}\nwrote {', '.join(found['written'])}\n"


def add_to(app: typer.Typer) -> None:
    """Add this package's commands to the command line."""
    import typer

    untouched = {
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    }

    def convert(context: typer.Context) -> None:
        if status := run(context.args):
            raise typer.Exit(status)

    # Typer looks annotations up among a module's names, where typer is not.
    convert.__annotations__["context"] = typer.Context
    app.command(help=_SUMMARY, context_settings=untouched)(convert)
