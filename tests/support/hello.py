"""What a donor says first."""

from __future__ import annotations

from typing import Any

HELLO: dict[str, Any] = {
    "type": "hello",
    "protocol": 1,
    "client": "scripted",
    "donor_key": "k" * 32,
    "backends": [],
    "backend": "cpu",
}
