"""What is fuzzed: any bytes at all become a Model or a typed ConversionError."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from potluck_converter import ConversionError, Limits, Model, read_model

LIMITS = Limits(
    file_bytes=4 << 20,
    json_bytes=1 << 20,
    layers=200,
    hdf5_objects=2_000,
    parameters=1_000_000,
    chunk_bytes=8 << 20,
)
H5, KERAS, HEAD, PAIR = range(4)
MAX_BYTES = 1 << 20


def files_of(content: bytes) -> dict[str, bytes]:
    """Read an input's first byte as its kind: `.h5`, `.keras`, model.json, or a pair."""
    kind, rest = content[:1], content[1:]
    form = kind[0] % 4 if kind else H5
    if form == H5:
        return {"m.h5": rest}
    if form == KERAS:
        return {"m.keras": rest}
    cut = int.from_bytes(rest[:4], "little") % (len(rest) + 1)
    head, body = rest[4 : 4 + cut], rest[4 + cut :]
    return {"model.json": head, "w.bin" if form == HEAD else "w.h5": body}


def packed(form: int, head: bytes, body: bytes = b"") -> bytes:
    """Write an input that `files_of` reads as these files."""
    if form in (H5, KERAS):
        return bytes([form]) + head
    return bytes([form]) + len(head).to_bytes(4, "little") + head + body


def outcome(content: bytes) -> Model | ConversionError:
    """Read an input; anything but a model or a ConversionError is a bug, and is raised."""
    try:
        return read_model(files_of(content), LIMITS)
    except ConversionError as error:
        refused = error
    assert refused.code.startswith("model.")
    assert refused.message
    json.dumps(refused.as_dict())
    return refused


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Change a valid input a little: bits, numbers that matter, cuts, repeats, swapped pieces."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4, 16))):
        if len(data) < 8:
            break
        at = draw.randrange(1, len(data))
        change = draw.randrange(7)
        if change == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif change == 1:
            data[at] = draw.choice(b'\x00\xff\x7f\x80{}[]"0-9')
        elif change == 2:
            width = draw.choice((2, 4, 8))
            value = draw.choice((0, 1, (1 << (8 * width - 1)) - 1, (1 << (8 * width)) - 1))
            data[at : at + width] = value.to_bytes(width, "little")
        elif change == 3:
            del data[at : at + draw.randrange(1, 64)]
        elif change == 4:
            data[at:at] = data[at : at + draw.randrange(1, 64)]
        elif change == 5:
            other = draw.randrange(1, len(data))
            size = draw.randrange(1, 64)
            data[at : at + size] = data[other : other + size]
        else:
            words: Sequence[bytes] = (b"null", b"-1", b"1e999", b"[]", b"Lambda", b"999999999999")
            word = draw.choice(words)
            data[at : at + len(word)] = word
    return bytes(data[:MAX_BYTES])
