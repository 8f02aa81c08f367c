"""The one error of this package: what was refused, why, and what the person can do."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


HINTS = {
    "model.bad_config": "Save the model again, with Keras itself.",
    "model.bad_seed": "Give another seed.",
    "model.broken_graph": "Save the model again, with Keras itself.",
    "model.cannot_fit": "Build the model again for the new width.",
    "model.external_link": "Save the model again, into one file.",
    "model.never_written": "Save the model again, whole: this file was left unfinished.",
    "model.no_input_shape": "Give the model an Input layer, or call it once, and save it again.",
    "model.not_hdf5": 'Save with model.save("model.h5").',
    "model.not_quantizable": "Leave out the quantization.",
    "model.not_tfjs": "Save or convert the model again.",
    "model.other_format": "Give a .keras, an .h5 or a model.json with its weights.",
    "model.override_impossible": "Choose another value, or change the layers behind it too.",
    "model.override_unknown_field": "Use one of the fields listed.",
    "model.override_unknown_layer": "Use one of the layers listed.",
    "model.shard_length": "Copy or upload the weight files again.",
    "model.shards_missing": "Add the weight files that model.json names.",
    "model.too_large": "Use a smaller model.",
    "model.too_slow": "Use a smaller model.",
    "model.truncated": "Copy or upload it again.",
    "model.unknown_ending": "End it in .h5 or .keras, or name a folder.",
    "model.unreadable": "Save the model again, and check that the file is whole.",
    "model.unsupported_layer": "Replace the layer with a built-in one.",
    "model.unsupported_option": "Build the layer without this option, and save the model again.",
    "model.unwritable": "Write to another place.",
    "model.weights_mismatch": "Save the model again: its weights are not those of its layers.",
    "model.weights_missing": "Add the weights, or save the whole model.",
    "model.weights_only": "Add the architecture, or save the whole model.",
}
"""What to do, where the place that refuses knows nothing better."""


class ConversionError(Exception):
    """Refuse a model in plain words.

    `code` is stable and starts with `model.`; `where` names the layer or field, or a file inside
    `file`. `hint` is never empty for a code that this package raises.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        expected: str = "",
        got: str = "",
        hint: str = "",
        where: str = "",
        file: str = "",
    ) -> None:
        message = sayable(message)
        super().__init__(message)
        self.code = code
        self.message = message
        self.expected = sayable(expected)
        self.got = shorten(got)
        self.hint = sayable(hint) or HINTS.get(code, "")
        self.where = shorten(where)
        self.file = shorten(file)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive Exception's own pickling.
        return (_rebuild, (self.as_dict(),))

    def __str__(self) -> str:
        lines = [f"{self.message} ({self.code})"]
        for label, text in (
            ("file", self.file if self.file != self.where else ""),
            ("where", self.where),
            ("expected", self.expected),
            ("got", self.got),
            ("what to do", self.hint),
        ):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str]:
        """Give every field as text, for JSON."""
        return {
            "code": self.code,
            "message": self.message,
            "expected": self.expected,
            "got": self.got,
            "hint": self.hint,
            "where": self.where,
            "file": self.file,
        }


class Unfit(Exception):
    """Say what a layer's entry in the table does not accept; the caller adds which layer it is."""

    def __init__(
        self, expected: str, *, got: object = "", hint: str = "", reason: str = "", field: str = ""
    ) -> None:
        super().__init__(expected)
        self.expected = expected
        self.got = got if isinstance(got, str) else repr(got)
        self.hint = hint
        self.reason = reason
        self.field = field


def error_from_dict(fields: dict[str, str]) -> ConversionError:
    """Build the error again from `as_dict`."""
    return ConversionError(
        fields["code"],
        fields["message"],
        expected=fields["expected"],
        got=fields["got"],
        hint=fields["hint"],
        where=fields["where"],
        file=fields.get("file", ""),
    )


_rebuild = error_from_dict


def sayable(text: str) -> str:
    """Put U+FFFD where a text holds halves of characters, so that it can be written."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shorten(text: str, most: int = 200) -> str:
    """Cut what came out of a stranger's file to a length fit for a message."""
    printable = "".join(c if c.isprintable() else "�" for c in text[: most + 1])
    return printable if len(printable) <= most else printable[: most - 1] + "…"


def unreadable(error: OSError, path: Path) -> ConversionError:
    """Say what kept a file from being read."""
    return ConversionError(
        "model.unreadable",
        "The file cannot be read.",
        expected="a file that may be read",
        got=error.strerror or str(error),
        hint=_REASONS.get(error.errno or 0, "Check the file, and the disk that it is on."),
        where=str(error.filename or path),
    )


def unwritable(error: OSError, path: Path) -> ConversionError:
    """Say what kept a file from being written."""
    return ConversionError(
        "model.unwritable",
        "The model cannot be written there.",
        expected="a place that may be written to",
        got=error.strerror or str(error),
        hint=_REASONS.get(error.errno or 0, "Write to another place."),
        where=str(path),
    )


_REASONS = {
    errno.EACCES: "Change the permissions, or choose another place.",
    errno.EPERM: "Change the permissions, or choose another place.",
    errno.EROFS: "Choose another place: this one is read-only.",
    errno.ENOSPC: "Free some space, or choose another place.",
    errno.EDQUOT: "Free some space, or choose another place.",
    errno.EEXIST: "A file has this name already: choose another, or remove it.",
    errno.ENOTDIR: "A part of the path is a file, not a folder: choose another path.",
    errno.EISDIR: "A folder has this name already: choose another, or remove it.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}
