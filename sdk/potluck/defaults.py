"""What holds where nothing is said."""

from __future__ import annotations

DEFAULT_URL = "http://127.0.0.1:8000"
"""A coordinator on this machine."""
