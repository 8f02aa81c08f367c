"""What may be a name."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import BadInput
from potluck_coordinator.core.names import (
    MOST_CHARACTERS,
    check_account_name,
    check_name,
    check_note,
    likeness,
)

BAD = {
    "nothing": ("", "name.blank"),
    "spaces": ("  \u00a0\u3000", "name.blank"),
    "no width at all": ("\u200b\u2060\ufeff\u00ad", "name.blank"),
    "letters that show nothing": ("\u3164\u115f\u2800", "name.blank"),
    "NUL": ("a\0b", "name.characters"),
    "a new line": ("a\nb", "name.characters"),
    "a return": ("a\r", "name.characters"),
    "a tab": ("a\tb", "name.characters"),
    "a line separator": ("a\u2028b", "name.characters"),
    "a bell": ("a\x07", "name.characters"),
    "an escape to a terminal": ("\x1b[31mred", "name.characters"),
    "a next line": ("a\x85b", "name.characters"),
    "a right-to-left override": ("model\u202e5h.exe", "name.characters"),
    "an isolate": ("a\u2066b", "name.characters"),
    "half a character": ("a\ud800", "name.characters"),
    "too many": ("x" * (MOST_CHARACTERS + 1), "name.too_long"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_name_is_refused(what: str) -> None:
    name, code = BAD[what]
    with pytest.raises(BadInput) as caught:
        check_name(name, of="a study")
    assert caught.value.code == code
    assert "a study" in caught.value.message
    caught.value.got.encode()


@pytest.mark.parametrize(
    "name",
    [
        "Irises",
        "Größe 2",
        "日本語",
        "עברית \u200f(א)",
        "\U0001f469\u200d\U0001f52c",
        "0",
        "x" * 120,
    ],
    ids=["ascii", "umlauts", "japanese", "hebrew", "joined emoji", "zero", "long"],
)
def test_names_of_every_script_are_names(name: str) -> None:
    assert check_name(f" {name} ", of="a study") == name


@given(st.text(st.characters()))
def test_what_passes_is_one_visible_line_that_utf8_holds(name: str) -> None:
    try:
        found = check_name(name, of="a study")
    except BadInput:
        return
    assert found.encode().decode() == found == found.strip()
    assert 0 < len(found) <= MOST_CHARACTERS
    assert len(found.splitlines()) == 1
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in found)


def test_a_note_may_have_lines_and_no_other_controls() -> None:
    check_note("Two\nlines,\r\n\tand a tab", of="A note", where="description")
    for text in ("a\0", "a\u202eb", "\x1b[2J", "\ud800"):
        with pytest.raises(BadInput, match="A note"):
            check_note(text, of="A note", where="description")


@pytest.mark.parametrize(
    "name",
    [
        "anyone",
        " Anyone ",
        "ANYONE",
        "anyone:ann",
        "Anyone:ann",
        "\uff41\uff4e\uff59\uff4f\uff4e\uff45",
        "\u0430nyone",
        "any\u043ene",
        "an\u0443on\u0435",
        "any0ne",
        "any\u200bone",
        "ányone",
        "any one",
    ],
)
def test_no_account_looks_like_those_who_have_none(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_account_name(name)
    assert caught.value.code == "access.name_reserved"


@pytest.mark.parametrize("name", ["ann", "anyones", "someone", "Jörg", "anton"])
def test_other_accounts_keep_their_names(name: str) -> None:
    assert check_account_name(name) == name


def test_names_that_look_alike_have_one_likeness() -> None:
    assert likeness("Ann") == likeness("\u0430nn") == likeness("ann\u200b")
    assert likeness("Jörg") != likeness("Jorg")
