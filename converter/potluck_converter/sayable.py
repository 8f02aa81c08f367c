"""Text out of a file that can be written into another: whole characters, and no NUL."""

from __future__ import annotations

from potluck_converter.errors import ConversionError


def check_sayable(text: str, where: str) -> None:
    """Refuse text that no UTF-8 can hold, or that holds NUL; raises `model.unreadable`."""
    got = "a NUL character" if "\0" in text else ""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        got = f"half of a character (U+{ord(text[error.start]):04X})"
    if got:
        raise ConversionError(
            "model.unreadable",
            f"{where} holds text that cannot be kept.",
            expected="text in UTF-8, of whole characters and without NUL",
            got=got,
            hint="The file may be damaged: save the model again, and give its layers plain names.",
            where=where,
        )
