"""A study written down in YAML: `submit()`'s arguments, one key each."""

from __future__ import annotations

import dataclasses
import re
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from potluck.arguments import checked, shown
from potluck.errors import BadArgument
from potluck.protocol.optimizers import AnyOptimizer, Common
from potluck.protocol.schedules import Schedule
from potluck.protocol.words import meant
from potluck.specification import StudyOptions

OPTION_KEYS = tuple(field.name for field in dataclasses.fields(StudyOptions))
KEYS = ("model", "data", *OPTION_KEYS)
_SCHEDULES = typing.get_args(typing.get_args(Schedule)[0])
SEARCHED = tuple(
    dict.fromkeys(
        ["learning_rate", "batch_size", "optimizer", "schedule"]
        + [
            name
            for kind in (Common, *typing.get_args(AnyOptimizer), *_SCHEDULES)
            for name in kind.model_fields
            if name != "name"
        ]
    )
)
"""Parameters, which stand under `search`."""


@dataclass(frozen=True)
class StudyFile:
    """What a study file says; paths are as seen from the file's own folder."""

    model: str | list[str]
    data: str
    options: StudyOptions


class _Loader(yaml.SafeLoader):
    """Plain YAML, in which `1e-4` is a number (YAML 1.1 takes it for text).

    A key that stands twice in one mapping is refused: the last one would win without a word.
    """

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """Read one mapping. Raises `BadArgument` for a repeated key."""
        node = super().compose_mapping_node(anchor)
        lines: dict[object, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            # 1 and "1" too: labels and names are text in the end.
            forms = {key.value, self.construct_object(key)}
            for form in forms & lines.keys():
                raise _twice(key.value, lines[form], line)
            lines |= dict.fromkeys(forms, line)
        return node


def _twice(key: str, first: int, line: int) -> BadArgument:
    where = f"twice in line {line}" if first == line else f"in line {first} and in line {line}"
    return BadArgument(f"The key {shown(key)} stands {where}. Leave one of them out.")


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
    except BadArgument as error:
        raise BadArgument(f"{path}: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A date that no calendar has, a number of too many digits, brackets without an end.
        raise BadArgument(f"{path} is no YAML: {str(error)[:500]}") from None
    if not isinstance(written, dict):
        raise BadArgument(f"{path} needs one key a line, such as `model: cnn.h5`.")
    return _study_file(path, {str(key): value for key, value in written.items()})


def _study_file(path: Path, written: dict[str, Any]) -> StudyFile:
    for key in written:
        if key not in KEYS:
            raise BadArgument(f"{path}: unknown key {shown(key)}. {_other_key(key)}")
    model, data = written.get("model"), written.get("data")
    _check_path(path, "model", model, model if isinstance(model, list) else [model])
    _check_path(path, "data", data, [data])
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


def _other_key(key: str) -> str:
    """Say what to do about a key that is none."""
    near = meant(key, KEYS) if key not in SEARCHED else None
    if near:
        return f"Did you mean {near}?"
    searched = key if key.startswith("layers.") else meant(key, SEARCHED)
    if searched:
        return f"Parameters stand under search: `search: {{{searched}: ...}}`."
    return f"Known: {', '.join(KEYS)}."


def _check_path(path: Path, key: str, given: object, paths: list[object]) -> None:
    if given in (None, ""):
        raise BadArgument(f"{path}: {key} is missing; write a path, as in `{key}: ...`.")
    if not paths or not all(isinstance(one, str) and one for one in paths):
        several = " or a list of paths" if key == "model" else ""
        number = isinstance(given, bool | int | float)
        hint = " Write it in quotation marks." if number else ""
        raise BadArgument(f"{path}: {key} must be a path{several}, got {shown(given)}.{hint}")


def _beside(path: Path, named: str) -> str:
    try:
        beside = path.parent / Path(named).expanduser()
        return str(beside) if beside.exists() else named
    except (OSError, ValueError, RuntimeError):  # no path can be so written
        return named
