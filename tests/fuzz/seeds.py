"""Valid files of every kind to start from: what Keras 3 and Keras 2 saved, and what we write."""

from __future__ import annotations

import json

from potluck_converter import read_model, write_tfjs
from tests.fuzz.targets import H5, HEAD, KERAS, packed
from tests.parity.cases import FAMILY_OF
from tests.parity.make_oracles import archive_of
from tests.parity.oracle import FOLDER, load

NAMES = ("dense", "conv2d_same", "bidirectional_concat", "heads_self", "nested_sequential")
OLD = FOLDER.parent / "models"


def seeds() -> list[bytes]:
    """Give a few dozen inputs, the smallest kinds of each format."""
    found = []
    for name in NAMES:
        oracle = load(archive_of(FAMILY_OF[name]), name)
        found += [packed(H5, oracle.h5), packed(KERAS, oracle.keras)]
        files = write_tfjs(read_model({"m.h5": oracle.h5}))
        head = json.loads(files["model.json"])
        [shard] = head["weightsManifest"][0]["paths"]
        head["weightsManifest"][0]["paths"] = ["w.bin"]
        found.append(packed(HEAD, json.dumps(head).encode(), files[shard]))
    found += [packed(H5, path.read_bytes()) for path in sorted(OLD.glob("keras2_*.h5"))]
    return found
