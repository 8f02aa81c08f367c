"""The equations of EinsumDense: what they say of the shapes of kernel, bias and output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape
from potluck_converter.layers.base import known, show
from potluck_converter.limits import MAX_RANK

_FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


def equation(value: Any) -> str:
    """Accept "ab,bc->ac", also with an ellipsis on one side."""
    text = value.replace(" ", "") if isinstance(value, str) else ""
    found = _FORM.fullmatch(text)
    if found is None or len(text) > 8 * MAX_RANK:
        raise Unfit('an equation such as "ab,bc->ac"', got=value)
    first, a, last, _, first_out, _, last_out = found.groups()
    if (first, last) != (first_out, last_out) or (first and last):
        raise Unfit("the ellipsis on the same side of input and output", got=value)
    if not last and not first and not a:
        raise Unfit("an equation of the batch axis", got=value)
    return text


def kernel_and_output(
    text: str, bias_axes: str | None, given: Shape, wanted: Sequence[int | None]
) -> tuple[tuple[int, ...], tuple[int, ...] | None, Shape, int]:
    """Give the shapes of kernel, bias and output, and how many products are summed a sample."""
    found = _FORM.fullmatch(text)
    assert found is not None, text
    _, ins, tail, kernel, _, outs, _ = found.groups()
    left = "..." in text and not tail
    full: Shape = (None, *given)
    if len(ins) > len(full) or ("..." not in text and len(ins) != len(full)):
        raise Unfit(f"an input whose axes are those of {text}", got=show(given))
    spare = len(full) - len(ins)
    hidden = full[:spare] if left else full[len(ins) :]
    shaped: Shape = (None, *hidden[1:], *wanted) if left else (None, *wanted, *hidden)
    if len(shaped) != len(outs) + spare:
        raise Unfit("a length for each axis of the output", got=show(wanted), field="output_shape")
    into = dict(zip(ins, full[spare:] if left else full[: len(ins)], strict=True))
    out = dict(zip(outs, shaped[spare:] if left else shaped[: len(outs)], strict=True))
    for name in out:
        if name in into and None is not out[name] != into[name]:
            raise Unfit(f"axis {name} of length {into[name]}", got=out[name], field="output_shape")
        if name not in into and name not in kernel:
            raise Unfit(f"axis {name} in input or kernel", got=text, field="equation")
    for name in kernel:
        if name not in into and name not in out:
            raise Unfit(f"axis {name} of the kernel in input or output", got=text, field="equation")
    kernel_shape = tuple(known(out.get(n, into.get(n)), f"axis {n}") for n in kernel)
    sizes = into | {n: length for n, length in out.items() if length is not None}
    shaped = (
        tuple(
            into.get(n) if length is None else length
            for n, length in zip(
                ("." * spare + outs) if left else (outs + "." * spare), shaped, strict=True
            )
        )
        if "..." not in text
        else shaped
    )
    bias = None
    if bias_axes is not None:
        bias = _bias(bias_axes, outs, out, trailing=() if left else hidden)
    products = prod(n or 1 for n in sizes.values()) * prod(n or 1 for n in hidden)
    return kernel_shape, bias, shaped[1:], products


def _bias(
    bias_axes: str, outs: str, sizes: dict[str, int | None], trailing: Shape
) -> tuple[int, ...]:
    """Give the bias's shape: stretched over the axes after its first that it leaves out."""
    places = [outs.find(n) for n in bias_axes]
    if -1 in places:
        raise Unfit("axes of the output", got=bias_axes, field="bias_axes")
    start = min(places)
    shape = [known(sizes[n], f"axis {n}") if n in bias_axes else 1 for n in outs[start:]]
    return (*shape, *(1 for _ in trailing))
