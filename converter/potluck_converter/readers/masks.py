"""Masks that a file states, held against those that travel with the tensors.

Keras 3 records the mask that it found for a layer, and the operations that made it, as if a
person had passed it. Nothing but its making tells it from one that a person did pass. So
each stated mask becomes a term, and must be the term of the mask that its tensor carries anyway:
then it can be left out, for TF.js carries it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from potluck_converter.errors import ConversionError, shorten
from potluck_converter.graph import Graph, Layer, TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.shapes import ordered_calls

OPERATIONS = frozenset(
    {"NotEqual", "Equal", "Any", "All", "LogicalAnd", "LogicalOr", "LogicalNot", "ExpandDims"}
    | {"ZerosLike", "OnesLike", "ConvertToTensor", "Concatenate", "Cast", "Squeeze"}
)
"""What Keras 3 and people make masks with."""

_UNCHANGED = frozenset({"ConvertToTensor", "Cast"})
_JOINED_BY_OR = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})


@dataclass(frozen=True)
class Stated:
    """A mask that a call states for the tensor that it takes at a place."""

    key: str
    """The argument's name."""
    place: int
    mask: TensorRef | None


class Masks:
    """Terms of masks, each under a number: equal terms have equal numbers."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._terms: list[tuple[Any, ...]] = []
        self.stated: list[tuple[str, str, TensorRef, int | None]] = []
        """Layer, argument, tensor, and the mask that the file states for it."""

    def _number(self, *term: Any) -> int:
        number = self._numbers.setdefault(term, len(self._terms))
        if number == len(self._terms):
            self._terms.append(term)
        return number

    def operation(
        self,
        class_name: str,
        config: Mapping[str, Any],
        taken: Sequence[TensorRef],
        constants: Sequence[float],
        rank: int,
    ) -> TensorRef:
        """Give what stands for an operation's result: a reference to no layer, by its number."""
        operands = [ref.call if ref.layer == "" else ref for ref in taken]
        axis = config.get("axis")
        if isinstance(axis, list) and len(axis) == 1:
            [axis] = axis
        if not isinstance(axis, int):
            axis = None
        found: int | None = None
        match (class_name, operands, list(constants)):
            case ("NotEqual", [TensorRef() as tensor], [value]):
                found = self._number("differs", tensor, float(value))
            case ("Any", [int(mask)], []) if axis == -1 and not config.get("keepdims"):
                found = self._number("any", mask)
            case ("LogicalOr", [int(one), int(two)], []):
                found = self.either([one, two])
            case ("ExpandDims", [int(mask)], []) if axis == -1:
                found = self._number("wide", mask)
            case ("ZerosLike" | "OnesLike", [TensorRef() as tensor], []):
                found = self._number(class_name, tensor)
            case ("Concatenate", [*parts], []) if axis is not None and parts:
                found = self._number("joined", axis - rank if axis >= rank - 1 else axis, *parts)
            case (name, [int(mask)], []) if name in _UNCHANGED:
                found = mask
        if found is None:
            found = self._number(class_name, len(self._terms))  # equal to no other
        return TensorRef("", found)

    def either(self, masks: Sequence[int]) -> int:
        """Give the mask that holds where one of them does."""
        parts: set[int] = set()
        for mask in masks:
            kind, *inner = self._terms[mask]
            if kind == "or":
                parts |= inner[0]
            elif kind != "ZerosLike":  # Keras widens masks by it
                parts.add(mask)
        return parts.pop() if len(parts) == 1 else self._number("or", frozenset(parts))

    def carried(
        self, layer: Layer, refs: Sequence[TensorRef], masks: Sequence[int | None]
    ) -> int | None:
        """Give the mask that a layer's output carries, as Keras 3 has it."""
        config = layer.config
        kind = TABLE[layer.class_name]
        held = [mask for mask in masks if mask is not None]
        if layer.class_name == "Embedding":
            return self._number("differs", refs[0], 0.0) if config["mask_zero"] else None
        if layer.class_name == "Masking":
            return self._number("any", self._number("differs", refs[0], config["mask_value"]))
        if layer.class_name in _JOINED_BY_OR:
            return self.either(held) if len(held) == len(masks) else None
        if layer.class_name == "Concatenate" and held:
            parts = [
                self._number("OnesLike", ref) if mask is None else self._number("wide", mask)
                for ref, mask in zip(refs, masks, strict=True)
            ]
            return self._number("any", self._number("joined", config["axis"], *parts))
        passes = held and kind.mask_out(config, [mask is not None for mask in masks])
        return masks[0] if passes else None

    def check(self, graph: Graph) -> None:
        """Insist that each stated mask is the one carried; raises ConversionError."""
        if not self.stated:
            return
        found: dict[TensorRef, int | None] = {}
        for layer, index in ordered_calls(graph):
            refs = layer.calls[index].inputs
            masks = [found.get(ref) for ref in refs]
            found[TensorRef(layer.name, index)] = self.carried(layer, refs, masks)
        for name, key, tensor, mask in self.stated:
            if found.get(tensor) != mask:
                raise passed(name, key)


def passed(name: str, key: str) -> ConversionError:
    """Refuse a mask of the person's own."""
    return ConversionError(
        "model.unsupported_option",
        f'Layer "{shorten(name, 80)}" is called with {key}, a mask that its input does not carry; '
        "TF.js would lose it.",
        expected="the mask that comes with the input, from Masking or Embedding",
        got=key,
        hint="Use Masking, or Embedding with mask_zero=True, and call the layer without "
        f"{key}. A mask recorded by an older Keras 3: save the model again.",
        where=f"{name}.{key}",
    )
