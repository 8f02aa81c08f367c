"""A donor's tab accepts whatever the converter writes: the classes that it knows are those."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from potluck_converter import tfjs_topology
from tests.parity.answers import model_of
from tests.parity.cases import CASES
from tests.support.tfjs_page import CLIENT

GUARD = CLIENT / "src" / "engine" / "layers" / "guard.ts"
CONTAINERS = {"Sequential", "Functional", "Model"}
INSIDE = ("layers", "layer", "backward_layer", "cell", "cells")


def accepted() -> set[str]:
    """Give the classes of TF.js's own that the tab's guard names."""
    found = re.search(r"const STOCK = new Set\(\[(.*?)\]\)", GUARD.read_text(), re.DOTALL)
    assert found
    return set(re.findall(r'"(\w+)"', found[1]))


def classes(entry: dict[str, Any]) -> Iterator[str]:
    """Give the class of a layer, and of all layers inside it."""
    yield entry["class_name"]
    for key in INSIDE:
        inner = entry["config"].get(key)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None:
                yield from classes(one)


@pytest.fixture(scope="module")
def written() -> set[str]:
    """Give every class of TF.js's own that the table's models are written with."""
    found: set[str] = set()
    for name in CASES:
        found |= set(classes(tfjs_topology(model_of(name).graph)))
    return {name for name in found - CONTAINERS if not name.startswith("Potluck")}


def test_no_class_that_is_written_is_refused(written: set[str]) -> None:
    assert written <= accepted()


def test_no_class_is_accepted_that_is_never_written(written: set[str]) -> None:
    # Written for cells of the GRU of old, of which the table has none by themselves.
    assert accepted() - written == {"GRUCell"}
