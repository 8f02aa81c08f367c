"""What `import potluck` promises, and what it must not bring along."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import potluck

SERVER_LIBRARIES = {"fastapi", "starlette", "sqlmodel", "sqlalchemy", "h5py", "keras", "jax"}
SERVER_LIBRARIES |= {"optuna", "sklearn", "uvicorn", "pandas", "polars", "rich", "playwright"}
SERVER_LIBRARIES |= {"potluck_coordinator", "potluck_converter"}


def test_the_public_surface_is_what_all_lists_and_every_name_is_explained() -> None:
    public = {
        name
        for name, value in vars(potluck).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert public == set(potluck.__all__)
    assert all(getattr(potluck, name).__doc__ for name in potluck.__all__)


def test_every_error_of_this_package_is_a_potluck_error() -> None:
    from potluck import errors

    raised = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, Exception)
    ]
    assert len(raised) > 10
    assert all(issubclass(kind, potluck.PotluckError) for kind in raised)
    assert all(kind.__name__ in str(errors.__doc__) for kind in raised)
    assert {kind.__name__ for kind in raised} <= set(potluck.__all__)


@pytest.mark.parametrize("module", ["potluck", "potluck.cli"])
def test_importing_the_sdk_brings_no_library_of_the_other_extras(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    roots = {name.partition(".")[0] for name in json.loads(answer.stdout)}
    assert "httpx2" in roots
    if module == "potluck.cli":
        roots.discard("rich")  # typer takes it where it is installed
    assert not roots & SERVER_LIBRARIES
