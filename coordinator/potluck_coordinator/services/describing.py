"""Look at a converted model, as work for the worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from potluck_converter import from_folder, report
from potluck_coordinator.services.facts import facts_of, facts_to_json


def describe_model(folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the report and the facts, as JSON, of what `convert_into` left in a folder."""
    model = from_folder(Path(folder))
    return report(model), facts_to_json(facts_of(model))
