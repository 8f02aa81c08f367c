"""What may be a name: one line that people can see, read in its own order, and tell from others."""

from __future__ import annotations

import unicodedata

from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.core.text import fault_in
from potluck_coordinator.core.visitors import ANYONE, has_no_account

MOST_CHARACTERS = 120
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of the text that follows: a name could read as another one."""
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks by their category that show nothing."""
_BREAKS = ("Cc", "Zl", "Zp")
_BLANK = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs")
_LINES = frozenset("\n\r\t")
_ALIKE = {
    letter: plain
    for plain, letters in {
        "a": "\u0430\u03b1\u0251\u237a",
        "n": "\u043f\u0578\u0274\u03b7\u03bd\u1d28",
        "y": "\u0443\u04af\u03b3\u028f\u1d8c\u10e7",
        "o": "0\u043e\u03bf\u0585\u10ff\u0d20\u1d0f\u06f0\u0660",
        "e": "\u0435\u04bd\u0454\u212e\u1d07\u03b5",
    }.items()
    for letter in letters
}
"""Letters of other scripts that look like those of `anyone`."""


def check_name(
    name: str, *, of: str, where: str = "name", most: int | None = MOST_CHARACTERS
) -> str:
    """Give a name without the spaces around it.

    Args:
        name: What was given.
        of: What it is to be the name of, for the refusal: "a study".
        where: The field concerned.
        most: Characters that it may have; None bounds nothing.

    Raises:
        BadInput: `name.blank`, `name.characters`, `name.too_long`.
    """
    if fault := _fault_of_line(name):
        raise BadInput(
            "name.characters",
            f"The name of {of} holds a character that no name may have.",
            expected="one line of text, without control characters and changes of direction",
            got=fault,
            hint="Type the name again.",
            where=where,
        )
    if not any(seen(character) for character in name):
        raise BadInput(
            "name.blank",
            f"The name of {of} shows nothing.",
            expected="at least one letter, number or sign",
            got=f"{len(name)} blank characters" if name else "an empty text",
            where=where,
        )
    if most is not None and len(name.strip()) > most:
        raise BadInput(
            "name.too_long",
            f"The name of {of} is too long.",
            expected=f"at most {most} characters",
            got=str(len(name.strip())),
            hint="Choose a shorter one; a study's description has room for more.",
            where=where,
        )
    return name.strip()


def check_note(text: str, *, of: str, where: str) -> None:
    """Refuse a text of several lines that holds what cannot be shown.

    Args:
        text: What was given.
        of: What it is, for the refusal: "a study's description".
        where: The field concerned.

    Raises:
        BadInput: `name.characters`.
    """
    if fault := _fault_of_line("".join(c for c in text if c not in _LINES)):
        raise BadInput(
            "name.characters",
            f"{of} holds a character that cannot be shown.",
            expected="text without control characters and changes of direction",
            got=fault,
            hint="Type the text again.",
            where=where,
        )


def check_account_name(name: str) -> str:
    """Give an account's name without the spaces around it.

    Args:
        name: What was given.

    Raises:
        BadInput: What `check_name` refuses, and `access.name_reserved` for what is, or looks like,
            the name of those who have no account.
    """
    found = check_name(name, of="an account")
    first = unicodedata.normalize("NFKD", found.partition(":")[0])
    bare = "".join(c for c in first if unicodedata.category(c) not in ("Mn", "Me"))
    if has_no_account(found) or likeness(bare) == ANYONE:
        raise BadInput(
            "access.name_reserved",
            "This name stands for those who have no account.",
            expected=f"a name that does not look like `{ANYONE}`, nor begins with it and `:`",
            got=found,
            hint="Choose another name.",
            where="name",
        )
    return found


def likeness(name: str) -> str:
    """Give what a name looks like: two names of one likeness can be taken for each other.

    Args:
        name: A name.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(_ALIKE.get(character, character) for character in plain if seen(character))


def seen(character: str) -> bool:
    """Say whether a character shows anything.

    Args:
        character: One character.
    """
    return unicodedata.category(character) not in _BLANK and character not in _UNSEEN


def _fault_of_line(text: str) -> str:
    """Say which character a line of text may not have; give nothing where there is none."""
    if fault := fault_in(text):
        return fault
    for character in text:
        if unicodedata.category(character) in _BREAKS or character in _TURNS:
            name = unicodedata.name(character, "a control character")
            return f"U+{ord(character):04X} ({name.lower()})"
    return ""
