"""Models inside models, laid flat: every layer under a name of its own, called where it is used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from potluck_converter.assemble import RawLayer
from potluck_converter.errors import ConversionError, shorten
from potluck_converter.graph import Call, TensorRef
from potluck_converter.limits import MAX_NAME, Limits
from potluck_converter.readers.inference import quiet as make_quiet
from potluck_converter.readers.masks import Masks, Stated, passed


@dataclass(frozen=True)
class Entry:
    """One layer of a file's model: its name there, and its name in the graph once it has one."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    nodes: tuple[tuple[TensorRef, ...], ...]
    """What each call takes, by the file's own references."""
    block: Block | None = None
    stated: tuple[tuple[Stated, ...], ...] = ()
    """The masks that each call states; empty where none does."""
    notes: tuple[str, ...] = ()
    operation: bool = False
    """Whether it is no layer, but a step in working out a mask."""
    constants: tuple[float, ...] = ()
    rank: int = 0
    """How many axes an operation's first tensor has."""
    made: bool = False
    """Whether it is a layer for an operation; the operation's constant then has `rank` axes."""
    channels: int = 0
    """So many channels its input must have, where it stands for an operation; 0 is any number."""
    filed: str = ""
    """Its class in the file, where another stands for it."""
    quiet: bool = False
    """Whether Keras 2 calls it with training=False."""


@dataclass(frozen=True)
class Block:
    """A model as a file states it."""

    name: str
    class_name: str
    entries: tuple[Entry, ...]
    inputs: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]
    trainable: bool = True


@dataclass(frozen=True)
class Origin:
    """Where the file keeps a layer's weights: its name and class there, and the graph's name."""

    name: str
    class_name: str
    layer: str
    """Empty for a model, which has `children`."""
    children: tuple[Origin, ...] = ()


@dataclass
class _Grown:
    class_name: str
    config: dict[str, Any]
    calls: list[tuple[TensorRef, ...]] = field(default_factory=list)


class Flattener:
    """Lays a block flat. Layers that a writer put in between for TF.js alone are folded again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._calls = 0
        self._layers: dict[str, _Grown] = {}
        self._names: dict[int, str] = {}
        self._called: dict[str, int] = {}
        self.warnings: list[str] = []
        self.masks = Masks()
        self.made: dict[str, tuple[int, int]] = {}
        """The layers that stand for operations, with `rank` and `channels` of each."""

    def flatten(
        self, block: Block
    ) -> tuple[list[RawLayer], list[TensorRef], list[TensorRef], Origin]:
        """Give layers, inputs, outputs, and where the file keeps each layer's weights."""
        self._claim_outer(block)
        origin = self._claim(block, frozen=False, quiet=False)
        outputs = self._run(block, None)
        order = list(self._layers)
        if any(entry.block for entry in block.entries):
            order.sort(key=lambda name: self._called.get(name, -1))
        raws = [
            RawLayer(name, grown.class_name, grown.config, tuple(Call(c) for c in grown.calls))
            for name, grown in ((name, self._layers[name]) for name in order)
            if not (_hands_on(name, grown.class_name) or _is_activity(name, grown.class_name))
        ]
        by_name = {entry.name: entry for entry in block.entries}
        inputs = []
        for ref in block.inputs:
            if ref.layer not in by_name:
                raise _no_such(ref)
            inputs.append(TensorRef(self._names[id(by_name[ref.layer])]))
        return raws, inputs, outputs, origin

    def _claim_outer(self, block: Block) -> None:
        """Name the outermost layers first, so that they keep the names they have."""
        for entry in block.entries:
            if entry.block is None and not entry.operation:
                name = _clean(entry.name)
                if name in self._layers:
                    raise ConversionError(
                        "model.bad_config",
                        "Two layers have the same name.",
                        expected="a name of its own for each layer",
                        got=name,
                        where=name,
                    )
                if name != entry.name:
                    self.warnings.append(f'Layer "{entry.name}" is now called "{name}".')
                self._names[id(entry)] = name
                self._layers[name] = _Grown(entry.class_name, dict(entry.config))

    def _claim(self, block: Block, *, frozen: bool, quiet: bool) -> Origin:
        children = []
        for entry in block.entries:
            frozen_here = frozen or not block.trainable
            quiet_here = quiet or entry.quiet
            self.warnings += entry.notes
            if entry.operation:
                continue
            if entry.block is not None:
                self.warnings.append(f'The model "{entry.name}" inside is laid flat.')
                children.append(self._claim(entry.block, frozen=frozen_here, quiet=quiet_here))
                continue
            if id(entry) not in self._names and entry.class_name != "InputLayer":
                name = self._free(_clean(entry.name), _clean(block.name))
                if name != entry.name:
                    self.warnings.append(
                        f'Layer "{entry.name}" of "{block.name}" is now called "{name}".'
                    )
                self._names[id(entry)] = name
                self._layers[name] = _Grown(entry.class_name, dict(entry.config))
            name = self._names.get(id(entry), "")
            if entry.made:
                self.made[name] = (entry.rank, entry.channels)
                continue  # no layer in the file, and without weights
            if name and frozen_here and entry.class_name != "InputLayer":
                self._layers[name].config["trainable"] = False
            if name and quiet_here:
                grown = self._layers[name]
                grown.class_name, grown.config = make_quiet(name, grown.class_name, grown.config)
            children.append(Origin(entry.name, entry.filed or entry.class_name, name))
        return Origin(block.name, block.class_name, "", tuple(children))

    def _free(self, name: str, scope: str) -> str:
        if name not in self._layers:
            return name
        longer = f"{scope}_{name}"[:MAX_NAME]
        count = 1
        found = longer
        while found in self._layers:
            count += 1
            found = f"{longer[: MAX_NAME - 8]}_{count}"
        return found

    def _run(self, block: Block, given: Sequence[TensorRef] | None) -> list[TensorRef]:
        """Call a block on tensors (the outermost on none); give what comes out."""
        known: dict[TensorRef, TensorRef] = {}
        by_name: dict[str, Entry] = {}
        start: dict[str, int] = {}
        for entry in block.entries:
            by_name[entry.name] = entry
            if entry.block is None and id(entry) in self._names:
                calls = self._layers[self._names[id(entry)]].calls
                start[entry.name] = len(calls)
                calls.extend([()] * len(entry.nodes))
        if given is not None:
            if len(given) != len(block.inputs):
                raise _broken(f'The model "{block.name}" inside takes other tensors.', block.name)
            known.update(zip(block.inputs, given, strict=True))
        resolved = {
            (entry.name, n): tuple(_resolve(ref, by_name, block) for ref in node)
            for entry in block.entries
            for n, node in enumerate(entry.nodes)
        }
        stated = {
            (entry.name, n): [
                (one, None if one.mask is None else _resolve(one.mask, by_name, block))
                for one in masks
            ]
            for entry in block.entries
            for n, masks in enumerate(entry.stated)
            if masks
        }
        waiting = [(name, n) for name, n in resolved if TensorRef(name, n) not in known]
        while waiting:
            later = []
            for name, n in waiting:
                masks = stated.get((name, n), ())
                needed = [*resolved[name, n], *(mask for _, mask in masks if mask is not None)]
                if all(ref in known for ref in needed):
                    taken = tuple(known[ref] for ref in resolved[name, n])
                    for one, mask in masks:
                        self._state(by_name[name], one, taken, mask and known[mask])
                    for index, ref in enumerate(self._call(by_name[name], n, start, taken)):
                        known[TensorRef(name, n, index)] = ref
                else:
                    later.append((name, n))
            if len(later) == len(waiting):
                name = later[0][0]
                raise _broken(
                    "Some layers take a tensor that nothing gives, or feed themselves.", name
                )
            waiting = later
        outputs = [_resolve(ref, by_name, block, output=True) for ref in block.outputs]
        for ref in outputs:
            if ref not in known:
                raise _broken("An output names a tensor that nothing gives.", ref.layer)
        return [known[ref] for ref in outputs]

    def _state(
        self, entry: Entry, one: Stated, taken: Sequence[TensorRef], mask: TensorRef | None
    ) -> None:
        """Keep a stated mask for the check, when the whole graph is known."""
        if one.place >= len(taken) or (mask is not None and mask.layer != ""):
            raise passed(entry.name, one.key)
        number = None if mask is None else mask.call
        self.masks.stated.append((entry.name, one.key, taken[one.place], number))

    def _call(
        self, entry: Entry, n: int, start: Mapping[str, int], taken: tuple[TensorRef, ...]
    ) -> list[TensorRef]:
        self._calls += 1
        if self._calls > 4 * self._limits.layers:
            raise ConversionError(
                "model.too_large",
                "The model's layers are called too often.",
                expected=f"at most {4 * self._limits.layers} calls",
                where=entry.name,
            )
        if entry.block is not None:
            return self._run(entry.block, taken)
        if entry.operation:
            given = (entry.class_name, entry.config, taken, entry.constants, entry.rank)
            return [self.masks.operation(*given)]
        name = self._names.get(id(entry))
        if name is None:
            raise _broken("A model inside has an input that nothing feeds.", entry.name)
        if _hands_on(name, entry.class_name) and len(taken) == 1:
            return [taken[0]]
        if _is_activity(name, entry.class_name) and len(taken) == 1:
            sizes = {key: entry.config.get(key, 0.0) for key in ("l1", "l2")}
            self._layers[taken[0].layer].config["activity_regularizer"] = {
                "class_name": "L1L2",
                "config": sizes,
            }
            return [taken[0]]
        self._called.setdefault(name, len(self._called))
        call = start[entry.name] + n
        self._layers[name].calls[call] = taken
        return [TensorRef(name, call)]


UNMASK = "PotluckUnmask"


def _hands_on(name: str, class_name: str) -> bool:
    """Say whether our writer put a layer there that TF.js needs and Keras does not."""
    again = class_name == "Activation" and re.search(r"__again(_\d+)?$", name) is not None
    return again or class_name == UNMASK


def _is_activity(name: str, class_name: str) -> bool:
    return class_name == "PotluckActivityRegularization" and name.endswith("__activity")


def _resolve(
    ref: TensorRef, by_name: Mapping[str, Entry], block: Block, *, output: bool = False
) -> TensorRef:
    """Undo the offset that some files give to calls of models inside, which count from 1."""
    entry = by_name.get(ref.layer)
    if entry is None:
        raise _no_such(ref)
    if entry.block is None or ref.call == 0:
        return ref
    count = len(entry.nodes)
    if output and ref.call < count:
        # Keras 3 counts outputs of Functional models from 1, and of Sequential ones from 0.
        shifted = entry.block.class_name != "Sequential" and _most(block, entry) < count
        return ref._replace(call=ref.call - 1) if shifted and _is_used(block, ref) else ref
    if ref.call >= count or _most(block, entry) >= count:
        return ref._replace(call=ref.call - 1)
    return ref


def _most(block: Block, entry: Entry) -> int:
    return max(
        (r.call for e in block.entries for node in e.nodes for r in node if r.layer == entry.name),
        default=0,
    )


def _is_used(block: Block, ref: TensorRef) -> bool:
    """Say whether a layer takes the very tensor: then it is rather the call before that leaves."""
    return any(ref == r for e in block.entries for node in e.nodes for r in node)


def _clean(name: str) -> str:
    """Give a name without slashes, which separate a layer from its weights."""
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise ConversionError(
            "model.bad_config",
            "A layer's name is empty, too long or not printable.",
            expected=f"1 to {MAX_NAME} printable characters",
            got=name,
            where=name,
        )
    return name.replace("/", "_")


def _broken(message: str, where: str) -> ConversionError:
    return ConversionError(
        "model.broken_graph",
        message,
        expected="a graph without cycles or loose ends",
        got=shorten(where),
        where=where,
    )


def _no_such(ref: TensorRef) -> ConversionError:
    return ConversionError(
        "model.broken_graph",
        "A connection names a layer that the model does not have.",
        got=ref.layer,
        where=ref.layer,
    )
