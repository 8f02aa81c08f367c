"""What uploads under way will still write: room on the disk that is not free any more."""

from __future__ import annotations


class Incoming:
    """Counts bytes that are promised to uploads and not on the disk yet.

    Without it a crowd of uploads would each find the same room. Only for the event loop's thread.
    """

    def __init__(self) -> None:
        self.bytes = 0
        """Of all uploads together."""

    def upload(self) -> Upcoming:
        """Begin to count one upload; `close` ends it."""
        return Upcoming(self)


class Upcoming:
    """What one upload will still write."""

    def __init__(self, all_of_them: Incoming) -> None:
        self._all = all_of_them
        self._promised = 0
        self._written = 0
        self._counted = 0

    @property
    def promised(self) -> int:
        """Give the bytes that this upload has been given room for, written or not."""
        return self._promised

    def promise(self, size: int) -> None:
        """Count that this upload may write so many bytes in all; less than before is as before.

        Args:
            size: Bytes, those included that it has written.
        """
        self._promised = max(size, self._promised)
        self._count()

    def wrote(self, size: int) -> None:
        """Count that so many bytes more are on the disk: whoever asks for free bytes sees them.

        Args:
            size: Bytes.
        """
        self._written += size
        self._count()

    def close(self) -> None:
        """Count nothing of this upload any more."""
        self._promised = 0
        self._count()

    def _count(self) -> None:
        open_ = max(0, self._promised - self._written)
        self._all.bytes += open_ - self._counted
        self._counted = open_
