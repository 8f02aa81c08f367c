"""What the table knows of a layer class, and how a config is brought to its canonical form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal

from potluck_converter.errors import Unfit
from potluck_converter.graph import Shape

Config = Mapping[str, Any]
Check = Callable[[Any], Any]
Mask = Literal["passes", "ends", "starts", "matters"]


@dataclass(frozen=True)
class Field:
    """One config field. `check` returns the canonical value or raises Unfit.

    Fields that are not `stored` have one accepted value, Keras's default, and are left out.
    """

    name: str
    default: Any
    check: Check
    searchable: bool = False
    stored: bool = True
    null_refused: bool = False
    """Null has a meaning of its own that is not read; elsewhere it is an option left out."""


@dataclass(frozen=True)
class WeightSpec:
    """One weight of a layer. `ones` is a span that starts at one (LSTM's forget gate).

    `name` is TF.js's name for it. `home` is the group, inside the layer's own, where a
    `.keras` file keeps it, and `keras` the name that Keras 3 gives it in a `.h5`, where
    they differ.
    """

    name: str
    shape: tuple[int, ...]
    initializer: Mapping[str, Any]
    trainable: bool = True
    ones: tuple[int, int] | None = None
    home: str = ""
    keras: str = ""
    count: bool = False
    """A whole number in Keras's files."""


class LayerKind:
    """One entry of the table. Shapes are without the batch axis."""

    class_name: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]] = ()
    ignored: ClassVar[frozenset[str]] = frozenset()
    fewest_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 1
    uses_training: ClassVar[bool] = False
    stock: ClassVar[bool] = True
    """Whether stock TF.js has the class at all."""
    mask: ClassVar[Mask] = "passes"
    """What becomes of a mask in Keras: it passes, ends, starts here, or changes the result."""
    arguments: ClassVar[bool] = False
    """Whether Keras takes the tensors as arguments of their own, not as one list."""
    freezable: ClassVar[bool] = True
    """Whether Keras writes and reads `trainable` of it."""
    keras2: ClassVar[bool] = True
    """Whether Keras 2 has the class."""
    call_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that Keras takes when the layer is called, not when it is made."""

    def upgrade(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Rename what older Keras or TF.js calls otherwise."""
        return raw

    def settle(self, config: Config, inputs: Sequence[Shape]) -> Config:
        """Write what depends on the inputs' rank (an axis) in its canonical way."""
        return config

    def output_shape(self, config: Config, inputs: Sequence[Shape]) -> Shape:
        """Infer the output's shape; raises Unfit where the inputs do not fit."""
        return inputs[0]

    def weights(self, config: Config, inputs: Sequence[Shape]) -> tuple[WeightSpec, ...]:
        """List the weights in Keras's order of creation."""
        return ()

    def flops(self, config: Config, inputs: Sequence[Shape], output: Shape) -> int:
        """Count forward operations for one sample; a multiply-add is two, unknown lengths one."""
        return size(output)

    def own(self, config: Config, inputs: Sequence[Shape], trainable: bool) -> str:
        """Say why stock TF.js's class will not do; empty where it will."""
        return ""

    def masked_own(self, config: Config) -> str:
        """Say why stock TF.js's class will not do where a mask comes in; empty where it will."""
        return "TF.js does not heed the mask here" if self.mask == "matters" else ""

    def mask_out(self, config: Config, masked: Sequence[bool]) -> bool:
        """Say whether the output carries a mask, where some inputs do."""
        return self.mask in ("passes", "matters") and any(masked)

    def untrained(self, config: Config) -> Mapping[str, str]:
        """Give TF.js backends on which the layer does not train, each with the reason."""
        return {}

    def state_bytes(self, config: Config, output: Shape) -> int:
        """Count the bytes kept for one sample's backward pass: the output, as float32."""
        return 4 * size(output)

    def tfjs(self, config: Config, inputs: Sequence[Shape], output: Shape) -> dict[str, Any]:
        """Render the config as stock TF.js reads it; shapes are those of the layer's first call."""
        return self.potluck(config, inputs)

    def potluck(self, config: Config, inputs: Sequence[Shape]) -> dict[str, Any]:
        """Render the config as our own TF.js class reads it."""
        from potluck_converter.layers.dialect import tfjs_value

        kept = {key: value for key, value in config.items() if key != "activity_regularizer"}
        return {key: tfjs_value(key, value) for key, value in kept.items()}

    def keras(self, config: Config) -> dict[str, Any]:
        """Render the config as Keras 3 reads it; the canonical form is Keras 3's own."""
        return {key: value for key, value in config.items() if key not in self.call_fields}

    def call_options(self, config: Config) -> dict[str, Any]:
        """Give what Keras takes when the layer is called, beside tensors."""
        return {key: config[key] for key in self.call_fields if config[key]}

    def searchable(self, config: Config) -> dict[str, str | int | float | bool]:
        """List the fields that a study may override, with present values that are one scalar."""
        found: dict[str, str | int | float | bool] = {}
        for entry in self.fields:
            if entry.searchable:
                value = config[entry.name]
                if isinstance(value, list) and len(set(value)) == 1:
                    value = value[0]
                if isinstance(value, str | int | float):
                    found[entry.name] = value
        return found


BOOKKEEPING = frozenset(
    {"name", "trainable", "dtype", "module", "registered_name", "shared_object_id"}
    | {"batch_shape", "batch_input_shape", "build_input_shape", "build_config", "input_dtype"}
)


def unknown_options(kind: LayerKind, config: Mapping[str, Any]) -> list[str]:
    """List the options of a config that the class does not have."""
    known = {entry.name for entry in kind.fields} | BOOKKEEPING | kind.ignored
    return sorted(key for key in config if key not in known)


def normalise(kind: LayerKind, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a file's config to the canonical form; raises Unfit naming the field."""
    given = kind.upgrade(dict(raw))
    for key in unknown_options(kind, given):
        if key == "autocast":  # no option of any layer, but an argument of a class's own
            raise Unfit(
                "one of Keras's own layers",
                got="autocast",
                reason="it is a custom class, which has a name of Keras's",
                hint=f"Use keras.layers.{kind.class_name} in its place.",
            )
        if given[key] is not None and given[key] is not False:
            raise Unfit(
                "no such option",
                got=given[key],
                field=key,
                reason="the converter does not know it; the class is custom, or of a newer Keras",
                hint=f"Build it from Keras's own {kind.class_name}, without this option.",
            )
    config: dict[str, Any] = {}
    for entry in kind.fields:
        value = _value(entry, given)
        if entry.stored:
            config[entry.name] = value
    return config


def _value(entry: Field, given: Mapping[str, Any]) -> Any:
    """Check what is given. TF.js writes null for an option that was left out."""
    value = given.get(entry.name, entry.default)
    if value is not None or entry.default is None or entry.null_refused:
        return checked(entry, value)
    try:
        return entry.check(None)  # null may be one of its values
    except Unfit:
        return checked(entry, entry.default)


def checked(entry: Field, value: Any) -> Any:
    """Check one field's value; raises Unfit naming the field."""
    try:
        return entry.check(value)
    except Unfit as error:
        error.field = error.field or entry.name
        error.got = error.got or repr(value)
        raise


def size(shape: Sequence[int | None]) -> int:
    """Count the elements of one sample; an unknown length counts as one."""
    return prod(1 if n is None else n for n in shape)


def known(length: int | None, what: str) -> int:
    """Insist that a length is known; raises Unfit."""
    if length is None:
        raise Unfit(
            f"{what} of known length",
            got="any length",
            hint="Give the input layer a full shape.",
        )
    return length


def need_rank(inputs: Sequence[Shape], rank: int) -> Shape:
    """Insist on so many axes besides the batch axis; raises Unfit."""
    if len(inputs[0]) != rank:
        raise Unfit(
            f"an input with {rank} axes besides the batch axis",
            got=show(inputs[0]),
            hint="Put a Reshape or Flatten before it, or give the input another shape.",
        )
    return inputs[0]


def show(shape: Sequence[int | None]) -> str:
    """Write a shape for a message."""
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
