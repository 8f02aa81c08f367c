"""Commands whose extra is not installed: they exist, and say what brings them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from potluck.errors import MissingExtra

if TYPE_CHECKING:
    import typer

COMMANDS: dict[str, dict[str, str]] = {
    "coordinator": {
        "serve": "Run a coordinator.",
        "backup": "Write all that a coordinator keeps into one file.",
        "restore": "Restore a backup into an empty place.",
        "admin": "Keep accounts and tokens, on the server's own machine.",
        "donate": "Train other people's units on this machine.",
        "demo": "Run a whole study on this machine.",
    },
    "converter": {"convert": "Convert a model between Keras and TF.js."},
}
"""By entry point: its commands, each with one line for `--help`."""

ALONE = {"convert": "potluck_converter.commands"}
"""Commands that run without the others: the module whose `run` takes their arguments."""

EXTRAS = {
    "serve": "coordinator",
    "backup": "coordinator",
    "restore": "coordinator",
    "admin": "coordinator",
    "donate": "coordinator",
    "demo": "demo",
    "convert": "converter",
}
"""Which extra brings all that a command needs."""


def entry_point_of(command: str) -> str | None:
    """Say which entry point brings a command; None where none is known to."""
    return next((name for name, commands in COMMANDS.items() if command in commands), None)


def add_stand_ins(app: typer.Typer, entry_point: str, error: ImportError) -> None:
    """Add a stand-in for each command that an entry point would have brought."""
    for name, summary in COMMANDS.get(entry_point, {}).items():
        if name not in {command.name for command in app.registered_commands}:
            _add_stand_in(app, name, summary, missing_extra(name, error))


def missing_extra(command: str, error: ImportError) -> str:
    """Say which installation brings a command."""
    lacking = f" (missing here: {error.name})" if error.name else f" ({error})"
    return (
        f"`potluck {command}` needs more than is installed{lacking}. "
        f'Bring it with: pip install "potluck[{EXTRAS[command]}]"'
    )


def explain_missing(arguments: Sequence[str], error: ModuleNotFoundError) -> str | None:
    """Explain a library that a command missed when it ran; None if the fault is ours."""
    ours = (error.name or "potluck").startswith("potluck")
    command = next((word for word in arguments if not word.startswith("-")), "")
    return None if ours or command not in EXTRAS else missing_extra(command, error)


def _add_stand_in(app: typer.Typer, name: str, summary: str, message: str) -> None:
    extra = EXTRAS[name]

    # Whatever options the real command has, the answer is the same.
    @app.command(
        name,
        help=f'{summary} (not installed: pip install "potluck[{extra}]")',
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def stand_in() -> None:
        raise MissingExtra(message)
