"""The one error of this package: what was refused, why, and what the person can do."""

from __future__ import annotations


class ConversionError(Exception):
    """Refuse a model in plain words.

    `code` is stable and starts with `model.`; `where` names the file, layer or field.
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
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.expected = expected
        self.got = shorten(got)
        self.hint = hint
        self.where = shorten(where)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive Exception's own pickling.
        return (_rebuild, (self.as_dict(),))

    def __str__(self) -> str:
        lines = [f"{self.message} ({self.code})"]
        for label, text in (
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
    )


_rebuild = error_from_dict


def shorten(text: str, most: int = 200) -> str:
    """Cut what came out of a stranger's file to a length fit for a message."""
    printable = "".join(c if c.isprintable() else "�" for c in text[: most + 1])
    return printable if len(printable) <= most else printable[: most - 1] + "…"
