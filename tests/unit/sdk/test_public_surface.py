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
    assert set(potluck.__all__) <= set(dir(potluck))
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


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        _ = potluck.Clinet


def roots_after(code: str) -> set[str]:
    """Give what a fresh Python has loaded after running some code."""
    told = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, check=True, text=True
    )
    return {name.partition(".")[0] for name in json.loads(answer.stdout)}


@pytest.mark.parametrize("code", ["from potluck import Client", "import potluck.commands"])
def test_importing_the_sdk_brings_no_library_of_the_other_extras(code: str) -> None:
    roots = roots_after(code)
    if "commands" in code:
        roots.discard("rich")  # typer takes it where it is installed
    else:
        assert "httpx2" in roots
    assert not roots & SERVER_LIBRARIES


def test_the_way_into_the_command_line_loads_nothing_that_convert_does_not_need() -> None:
    assert not roots_after("import potluck.cli") & {"httpx2", "pydantic", "numpy", "typer"}
