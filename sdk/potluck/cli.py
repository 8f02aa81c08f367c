"""The command line's way in: run what was asked for, and say failures in plain words.

Nothing is loaded that the command does not need: the others take longer to load than `potluck
convert` takes to convert.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from potluck.errors import BadArgument, MissingExtra, PotluckError
from potluck.extras import ALONE, explain_missing

EXIT_FAILED = 1
EXIT_MISUSED = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every expected failure is a few plain lines and an exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not _run_alone(given):
            _run(given)
    except MissingExtra as error:
        _end(str(error), EXIT_MISUSED)
    except ModuleNotFoundError as error:
        explained = explain_missing(given, error)
        if explained is None:
            raise
        _end(explained, EXIT_MISUSED)
    except BadArgument as error:
        _end(str(error), EXIT_MISUSED)
    except PotluckError as error:
        _end(str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None


def _end(message: str, status: int) -> None:
    sys.stderr.write(f"potluck: {message}\n")
    raise SystemExit(status)


def _run_alone(given: Sequence[str]) -> bool:
    """Run a command that reads its arguments itself; False if there is none, or it lacks parts."""
    home = ALONE.get(given[0]) if given else None
    if home is None:
        return False
    # Such a command computes no products: threads for them take NumPy long to start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        run = import_module(home).run
    except ImportError:
        return False
    status = run(given[1:])
    if status:
        raise SystemExit(status)
    return True


def _run(given: Sequence[str]) -> None:
    from potluck.commands import app, join_extras

    join_extras(given)
    app(given, prog_name="potluck")
