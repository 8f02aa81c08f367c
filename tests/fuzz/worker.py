"""Read inputs from standard input and say what became of each: python -m tests.fuzz.worker.

An input is its length (4 bytes, little endian) and its bytes; the answer is one line.
"""

from __future__ import annotations

import contextlib
import sys

from potluck_converter import Model
from tests.fuzz.targets import outcome

MEMORY_BYTES = 4 << 30


def main() -> None:
    """Answer until the input ends. What `outcome` raises ends the process."""
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    source, target = sys.stdin.buffer, sys.stdout
    while head := source.read(4):
        found = outcome(source.read(int.from_bytes(head, "little")))
        target.write("model\n" if isinstance(found, Model) else f"{found.code}\n")
        target.flush()


if __name__ == "__main__":
    main()
