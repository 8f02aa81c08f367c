"""Which stored weight is which weight of the network, where files name them in longer ways.

TF.js calls a weight `bidirectional/forward_lstm/kernel`. The official converter also writes the
cell (`bidirectional/forward_lstm/lstm_cell/kernel`), the layer inside a wrapper, and, from Keras
3, the models around the layer (`sequential/dense/kernel`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

Shape = tuple[int, ...]
MOST_PARTS = 12
"""Longer names are only taken in full."""
_STACK = re.compile(r"stacked_rnn_cells(_\d+)?")


def match(expected: Mapping[str, Shape], stored: Mapping[str, Shape]) -> dict[str, str]:
    """Give the stored name of each expected weight that has exactly one.

    A stored name fits where the expected one comes of it by leaving parts out; one that loses fewer
    parts goes first. What fits several, or is fitted by several, is left out: nothing is guessed.

    Args:
        expected: Shapes by `<layer>/<weight>`, as the network names them.
        stored: Shapes by the file's names, in its order.
    """
    read = {name: parts for name, parts in _parts(stored).items() if len(parts) <= MOST_PARTS}
    starts: dict[str, list[tuple[str, int, int]]] = {}
    for name, parts in read.items():
        for word, start, end in _words(parts):
            starts.setdefault(word, []).append((name, start, end))
    pairs: dict[int, set[tuple[str, str]]] = {}
    for full, shape in expected.items():
        layer, *rest = full.split("/")
        for name, start, end in starts.get(layer, ()):
            parts = read[name]
            if stored[name] == shape and parts[-1] == rest[-1] and _within(rest, parts[end:]):
                lost = start + len(parts) - end - len(rest)
                pairs.setdefault(lost, set()).add((full, name))
    found: dict[str, str] = {}
    for lost in sorted(pairs):
        _settle(pairs[lost], found)
    return found


def _parts(stored: Mapping[str, Shape]) -> dict[str, list[str]]:
    """Split the names; stacked cells are numbered in the file's order, as TF.js numbers them."""
    cells: dict[tuple[str, ...], dict[str, int]] = {}
    found = {}
    for name in stored:
        parts = name.removesuffix(":0").split("/")
        place = next((i for i, part in enumerate(parts) if _STACK.fullmatch(part)), None)
        if place is not None and place + 2 < len(parts):
            seen = cells.setdefault(tuple(parts[: place + 1]), {})
            index = seen.setdefault(parts[place + 1], len(seen))
            parts = [*parts[:place], f"RNNCell_{index}", *parts[place + 2 :]]
        found[name] = parts
    return found


def _words(parts: list[str]) -> Iterator[tuple[str, int, int]]:
    """Give what may be a layer's name, from which part to before which; a slash in one is `_`."""
    for start in range(len(parts) - 1):
        for end in range(start + 1, len(parts)):
            yield "_".join(parts[start:end]), start, end


def _within(wanted: list[str], parts: list[str]) -> bool:
    """Say whether `wanted` comes of `parts` by leaving some out."""
    rest = iter(parts)
    return all(part in rest for part in wanted)


def _settle(pairs: set[tuple[str, str]], found: dict[str, str]) -> None:
    """Take the pairs that are the only ones of both sides, again while that settles others."""
    while True:
        taken = set(found.values())
        left = {(full, name) for full, name in pairs if full not in found and name not in taken}
        fulls = Counter(full for full, _ in left)
        names = Counter(name for _, name in left)
        sure = {full: name for full, name in left if fulls[full] == names[name] == 1}
        if not sure:
            return
        found.update(sure)
