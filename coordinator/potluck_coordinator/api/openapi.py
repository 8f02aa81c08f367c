"""The OpenAPI document, donor messages included: FastAPI leaves WebSocket messages out.

`python -m potluck_coordinator.api.openapi FILE` writes it; `make generate` makes TypeScript of it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from potluck.protocol.base import ErrorBody
from potluck.protocol.donor import CoordinatorMessage, DonorMessage

REF = "#/components/schemas/{model}"


def document(app: FastAPI) -> dict[str, Any]:
    """Give the document: routes, and both directions of the donor socket."""
    doc = get_openapi(
        title="Potluck coordinator",
        version="1",
        summary="Many people's browsers carry one trustworthy hyperparameter search.",
        description="Errors are always an `ErrorBody`. The donor socket is "
        "`/api/v1/donor/socket`: messages `DonorMessage` and `CoordinatorMessage`.",
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        ("DonorMessage", "validation", TypeAdapter(DonorMessage)),
        ("CoordinatorMessage", "serialization", TypeAdapter(CoordinatorMessage)),
        ("ErrorBody", "serialization", TypeAdapter(ErrorBody)),
    ]
    roots, shared = TypeAdapter.json_schemas(adapters, ref_template=REF)
    schemas = doc.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(shared.get("$defs", {}))
    for (name, _mode), schema in roots.items():
        schemas.setdefault(name, schema)
    return doc


def use(app: FastAPI) -> None:
    """Make the app serve this document."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def main() -> None:
    """Write the document to the file that the first argument names."""
    from potluck_coordinator.api import add_api

    app = FastAPI()
    add_api(app)
    text = json.dumps(document(app), indent=1, sort_keys=True, ensure_ascii=False)
    Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
