"""A study written down in YAML: `submit()`'s arguments, one key each."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from potluck.arguments import checked, shown
from potluck.errors import BadArgument
from potluck.protocol.words import meant
from potluck.specification import StudyOptions

OPTION_KEYS = tuple(field.name for field in dataclasses.fields(StudyOptions))
KEYS = ("model", "data", *OPTION_KEYS)


@dataclass(frozen=True)
class StudyFile:
    """What a study file says; paths are as seen from the file's own folder."""

    model: str | list[str]
    data: str
    options: StudyOptions


class _Loader(yaml.SafeLoader):
    """Plain YAML, in which `1e-4` is a number (YAML 1.1 takes it for text)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+0123456789."),
)


def read_study_file(path: Path) -> StudyFile:
    """Read a study file. Raises `BadArgument` for what is missing, unknown or unreadable."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadArgument(f"The study file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadArgument(f"The study file {path} is no UTF-8 text.") from None
    try:
        written = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A date that no calendar has, a number of too many digits, brackets without an end.
        raise BadArgument(f"{path} is no YAML: {str(error)[:500]}") from None
    if not isinstance(written, dict):
        raise BadArgument(f"{path} needs one key a line, such as `model: cnn.h5`.")
    return _study_file(path, {str(key): value for key, value in written.items()})


def _study_file(path: Path, written: dict[str, Any]) -> StudyFile:
    for key in written:
        if key not in KEYS:
            near = meant(key, KEYS)
            told = f"Did you mean {near}?" if near else f"Known: {', '.join(KEYS)}."
            raise BadArgument(f"{path}: unknown key {shown(key)}. {told}")
    model, data = written.get("model"), written.get("data")
    models = model if isinstance(model, list) else [model]
    for key, given in (("model", models), ("data", [data])):
        if not given or not all(isinstance(one, str) for one in given):
            raise BadArgument(f"{path}: {key} is missing; write a path, as in `{key}: ...`.")
    search = written.get("search")
    if search is not None and not isinstance(search, dict):
        raise BadArgument(f"{path}: search maps parameters to values, got {shown(search)}.")
    options = {key: written[key] for key in OPTION_KEYS if written.get(key) is not None}
    if search is not None:
        options["search"] = {str(name): value for name, value in search.items()}
    try:
        options = checked(options)
    except BadArgument as error:
        raise BadArgument(f"{path}: {error}") from None
    return StudyFile(
        model=[_beside(path, one) for one in model]
        if isinstance(model, list)
        else _beside(path, str(model)),
        data=_beside(path, str(data)),
        options=StudyOptions(**options),
    )


def _beside(path: Path, named: str) -> str:
    try:
        beside = path.parent / Path(named).expanduser()
        return str(beside) if beside.exists() else named
    except (OSError, ValueError, RuntimeError):  # no path can be so written
        return named
