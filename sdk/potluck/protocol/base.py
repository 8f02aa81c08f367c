"""What every wire type shares. Imports nothing of ours."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PROTOCOL_VERSION = 1
"""Raised only for a change that an older tab cannot live with; additions do not raise it."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["9f86d081884c7d65" * 4])]
"""Lower-case hexadecimal SHA-256 of an artifact's bytes: its name."""

BigCount = Annotated[str, Field(pattern=r"^[0-9]+$", examples=["1234567890123"])]
"""A whole number too big for a double, as a decimal string (FLOPs, bytes)."""

UInt32 = Annotated[int, Field(ge=0, le=2**32 - 1)]
JsonValue = Any
Backend = Literal["webgpu", "webgl", "wasm", "cpu", "jax"]


def one_line(text: str, most: int) -> str:
    """Give a text as one line of at most `most` characters, without control characters.

    What strangers say is kept, and shown on pages and in terminals.
    """
    # Cut first: what is thrown away need not be looked at.
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


class Wire(BaseModel):
    """A frozen message; unknown fields are refused so that a typo is never silent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Exact(Wire):
    """A message that somebody writes by hand: '10' is no number, and true and 2.5 no count."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FitOffer(Wire):
    """A way out of a refusal: the model's first layer fitted to the width of the rows.

    `POST /models/{model_id}/fitted` with `width` makes that model.
    """

    model_id: str = Field(description="The model to fit: the one that was uploaded.")
    width: int = Field(description="How many numbers the new model takes.")
    was: int = Field(description="How many numbers the uploaded model takes.")
    layers: list[str] = Field(
        description="Layers that start anew; empty where the uploaded model itself fits."
    )
    text: str = Field(description="What it does to the weights, in plain words.")


class ErrorDetail(Wire):
    """One refusal: a stable code, what was expected, what came, what to do."""

    code: str = Field(examples=["dataset.target_missing"])
    message: str
    expected: str = ""
    got: str = ""
    hint: str = ""
    where: str = Field("", description="The field, layer, column or file concerned.")
    offer: FitOffer | None = Field(
        None, description="With `pipeline.input_mismatch`, and only where it can be done."
    )


class ErrorBody(Wire):
    """The body of every 4xx and 5xx answer."""

    error: ErrorDetail
