"""A donor's words: read, and what is wrong with them told, without keeping others waiting."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from potluck.protocol import donor as wire

Said = wire.Hello | wire.Request | wire.Heartbeat | wire.Checkpoint | wire.Complete | wire.Abort
_SAID: TypeAdapter[Said] = TypeAdapter(wire.DonorMessage)

LARGEST_MESSAGE = 256 * 1024
MOST_FAULTS = 100
"""Of one message, of which the first is told: finding one writes all of them down."""


def read_message(text: str) -> Said:
    """Understand a donor's message.

    Args:
        text: What was sent; `api.plain_words` has looked at it.

    Raises:
        ValidationError: It is no message of docs/protocol.md.
    """
    return _SAID.validate_json(text)


def first_fault(error: ValidationError) -> str:
    """Say what is wrong with a message: its first fault, or how many where they are many.

    Args:
        error: The faults.
    """
    if error.error_count() > MOST_FAULTS:
        return f"The message has {error.error_count():,} faults."
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'message'}: {first['msg']}."
