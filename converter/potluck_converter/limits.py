"""How large a stranger's file may be, in every direction that costs memory or time."""

from __future__ import annotations

from dataclasses import dataclass

MAX_RANK = 6  # TF.js has no kernels for tensors of more axes, the batch axis included
MAX_DIMENSION = 2**31 - 1
MAX_NAME = 200


@dataclass(frozen=True)
class Limits:
    """Bound one conversion; the defaults suit a coordinator with a few GB of memory."""

    file_bytes: int = 1 << 30
    json_bytes: int = 32 << 20
    json_depth: int = 64
    layers: int = 2_000
    hdf5_objects: int = 100_000
    hdf5_chunks: int = 20_000
    parameters: int = 200_000_000
    chunk_bytes: int = 256 << 20
    seconds: float = 60.0
    memory_bytes: int = 4 << 30
    output_bytes: int = 1 << 30
    open_files: int = 64
    ratio: int = 200
    """How many times its own length a file may unfold to, beyond the first MB."""

    def unfolded(self, length: int) -> int:
        """Give the bytes that a file of `length` bytes may unfold to."""
        return (1 << 20) + self.ratio * length


DEFAULT_LIMITS = Limits()
