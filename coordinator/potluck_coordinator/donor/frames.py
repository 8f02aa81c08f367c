"""Messages between a donor and its engines: a line of JSON, then the bytes that it names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

PREFIX = 8


@dataclass(frozen=True)
class Frame:
    """One message: `head` is JSON with a `type`; `blobs` are bytes by name."""

    head: Mapping[str, Any]
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """Name the kind of message."""
        return str(self.head["type"])


def pack(frame: Frame) -> bytes:
    """Write a frame: length of the head, head, blobs."""
    sizes = {name: len(blob) for name, blob in frame.blobs.items()}
    head = json.dumps({"head": dict(frame.head), "blobs": sizes}).encode()
    return b"".join([len(head).to_bytes(PREFIX, "little"), head, *frame.blobs.values()])


def read(stream: BinaryIO) -> Frame | None:
    """Read a frame; None at the end of the stream, wherever it comes."""
    prefix = stream.read(PREFIX)
    told = json.loads(stream.read(int.from_bytes(prefix, "little")) or "null")
    if told is None:
        return None
    blobs = {name: stream.read(size) for name, size in told["blobs"].items()}
    whole = all(len(blob) == told["blobs"][name] for name, blob in blobs.items())
    return Frame(told["head"], blobs) if whole else None


async def read_async(stream: asyncio.StreamReader) -> Frame | None:
    """Read a frame; None at the end of the stream, wherever it comes."""
    try:
        prefix = await stream.readexactly(PREFIX)
        told = json.loads(await stream.readexactly(int.from_bytes(prefix, "little")))
        blobs = {name: await stream.readexactly(size) for name, size in told["blobs"].items()}
    except asyncio.IncompleteReadError:
        return None
    return Frame(told["head"], blobs)
