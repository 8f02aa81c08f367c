"""How layers are called: what each call takes, beside tensors too, and what it may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from potluck_converter.errors import ConversionError
from potluck_converter.graph import TensorRef
from potluck_converter.layers import TABLE
from potluck_converter.readers.masks import Stated, passed
from potluck_converter.refused_classes import CONTAINERS, OWN


def broken(message: str, *, got: str = "", where: str = "model_config") -> ConversionError:
    """Say that the architecture does not hold together."""
    return ConversionError(
        "model.bad_config",
        message,
        expected="an architecture as Keras or TF.js writes it",
        got=got,
        hint="Save the model again.",
        where=where,
    )


@dataclass
class Beside:
    """What a layer's calls take beside tensors."""

    options: dict[str, Any] = field(default_factory=dict)
    stated: list[tuple[Stated, ...]] = field(default_factory=list)
    """The masks that each call states."""
    notes: list[str] = field(default_factory=list)
    quiet: list[bool] = field(default_factory=list)
    """Whether each call of a Keras 2 layer says training=False."""


def call(name: str, class_name: str, node: Any, beside: Beside) -> tuple[TensorRef, ...]:
    """Read what one call takes; what it takes beside tensors goes into `beside`."""
    if isinstance(node, dict):
        return _keras3_call(name, class_name, node, beside)
    if isinstance(node, list) and node and isinstance(node[0], str):
        node = [node]  # Keras 2 drops one level where a layer takes one tensor by keyword
    if not isinstance(node, list):
        raise broken("A connection is not in Keras's form.", got=repr(node)[:80], where=name)
    refs = []
    quiet = False
    for entry in node:
        if not isinstance(entry, list) or not 3 <= len(entry) <= 4:
            raise broken("A connection is not in Keras's form.", got=repr(entry)[:80], where=name)
        extra = entry[3] if len(entry) == 4 else {}
        if not isinstance(extra, dict):
            raise broken("A connection is not in Keras's form.", got=repr(entry)[:80], where=name)
        refs.append(reference(entry[:3], name))
        left = dict(extra)
        for key in _tensor_arguments(class_name):
            # Keras 2 keeps a second tensor as [layer, call, output] among the other arguments.
            if isinstance(left.get(key), list):
                refs.append(reference(left.pop(key), name))
        if left.get("training") is False:
            quiet = True
            del left["training"]
        _check_extra(name, class_name, left, beside, keras3=False)
    beside.stated.append(())
    beside.quiet.append(quiet)
    return tuple(refs)


def _tensor_arguments(class_name: str) -> tuple[str, ...]:
    kind = TABLE.get(class_name.removeprefix(OWN))
    return ("value", "key") if kind is not None and kind.arguments else ()


def _keras3_call(
    name: str, class_name: str, node: Mapping[str, Any], beside: Beside
) -> tuple[TensorRef, ...]:
    args, extra = node.get("args"), node.get("kwargs", {})
    named = _tensor_arguments(class_name)
    if (
        not isinstance(args, list)
        or not isinstance(extra, dict)
        or not 1 <= len(args) <= 1 + len(named)
    ):
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) is called with more than its input.',
            expected="one tensor, or one list of tensors",
            got=f"{len(args) if isinstance(args, list) else 0} arguments",
            hint="States and masks cannot be passed as extra inputs.",
            where=name,
        )
    left = dict(extra)
    tensors = list(args) if named else (args[0] if isinstance(args[0], list) else [args[0]])
    for key in named[len(args) - 1 :]:
        if left.get(key) is not None:
            tensors.append(left.pop(key))
    beside.stated.append(_stated(name, class_name, left))
    _check_extra(name, class_name, left, beside, keras3=True)
    return tuple(tensor(one, name, class_name) for one in tensors)


def tensor(given: Any, name: str, class_name: str) -> TensorRef:
    """Read where one argument of a call comes from."""
    history = None
    if isinstance(given, dict) and given.get("class_name") == "__keras_tensor__":
        inner = given.get("config")
        history = inner.get("keras_history") if isinstance(inner, dict) else None
    if history is None:
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) takes a constant where a tensor is expected.',
            expected="a layer's output",
            got=repr(given)[:80],
            where=name,
        )
    return reference(history, name)


_PLACES = {"mask": 0, "query_mask": 0, "value_mask": 1, "key_mask": 2}


def _stated(name: str, class_name: str, left: dict[str, Any]) -> tuple[Stated, ...]:
    """Take the masks out of a call's options: Keras 3 records those that it found itself."""
    found = []
    for key in [key for key, value in left.items() if key.endswith("mask") and value is not None]:
        value = left[key]
        if key not in _PLACES and value is not False and value is not True:
            raise passed(name, key)
        if key not in _PLACES:
            continue  # use_causal_mask
        del left[key]
        several = value if isinstance(value, list) else [value]
        for place, one in enumerate(several, _PLACES[key]):
            if one is not None:
                found.append(Stated(key, place, tensor(one, name, class_name)))
            elif class_name not in CONTAINERS:
                found.append(Stated(key, place, None))
    return tuple(found)


def _check_extra(
    name: str, class_name: str, extra: Mapping[str, Any], beside: Beside, *, keras3: bool
) -> None:
    kind = TABLE.get(class_name.removeprefix(OWN))
    for key, value in extra.items():
        if value is None:
            continue
        if key == "training" and kind is not None and not kind.uses_training:
            continue
        if key == "training" and keras3 and isinstance(value, bool):
            # Keras 3 writes it where nobody asked for it, and `fit` and `predict` say it anew.
            if value and not class_name.startswith("Random"):
                beside.notes.append(
                    f'Layer "{name}" is called with training=True, which is left out: '
                    "it is random while training, and not in predictions, as with Keras's predict."
                )
            continue
        if key == "return_attention_scores" and value is False:
            continue
        at_call = kind is not None and key in kind.call_fields and isinstance(value, bool)
        if at_call and beside.options.setdefault(key, value) is value:
            continue
        raise ConversionError(
            "model.unsupported_option",
            f'Layer "{name}" ({class_name}) is called with {key}, which TF.js would lose.',
            expected=f"a call without {key}",
            got=repr(value)[:80],
            hint=f"Call the layer without {key} and save again.",
            where=f"{name}.{key}",
        )


def reference(value: Any, where: str) -> TensorRef:
    """Read `[layer, call, output]`."""
    if (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and all(type(n) is int and n >= 0 for n in value[1:])
    ):
        return TensorRef(*value)
    raise broken("A connection does not name layer, call and output.", got=repr(value), where=where)


def ends(value: Any, what: str) -> list[TensorRef]:
    """Read inputs or outputs: `[name, 0, 0]`, a list of these, or a dict of these."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        value = [value]
    if not isinstance(value, list) or not value:
        raise broken("The model does not say where tensors enter and leave.", where=what)
    return [reference(entry, what) for entry in value]
