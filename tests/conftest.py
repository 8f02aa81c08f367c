"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from potluck_coordinator.browser.chromium import ensure_chromium, launch_options
from tests.support import programs
from tests.support.coordinator import Coordinator
from tests.support.room import Room

# Read when Keras is first imported, by the modules of tests that come next.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# What passes here passes there: drawn examples are the same in every run of `make test`.
# `make test-long` draws new ones.
# Machines are noisy, so that no law has a time limit of its own.
UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", derandomize=True, **UNTIMED)
settings.register_profile("exploring", derandomize=False, **UNTIMED)
settings.load_profile("repeatable")

Start = Callable[..., Coordinator]
ROOM = Room()


def pytest_configure(config: pytest.Config) -> None:
    """Look once, before the processes that share the tests start, whether too much is kept."""
    if not hasattr(config, "workerinput"):
        programs.make_room()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what needs a browser last: its event loop stays in the process until the session ends.

    Where several processes share the tests, each takes one file's of either kind at a time.
    """
    items.sort(key=needs_browser)
    for item in items:
        kind = "browser" if needs_browser(item) else "plain"
        item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}.{item.path.stem}.{kind}"))


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    """Keep a process that runs thousands of tests small."""
    ROOM.make()


def needs_browser(item: pytest.Item) -> bool:
    """Say whether a test drives a Chromium."""
    return "browser" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session", autouse=True)
def compiled_programs() -> None:
    """Let JAX compile each program once: tests ask for the same small ones often."""
    if "jax" in sys.modules:
        import jax

        jax.config.update("jax_compilation_cache_dir", str(programs.kept_folder()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="session", autouse=True)
def configuration_of_a_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the secret of whoever runs the tests out of them; programs that they start share it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POTLUCK_CONFIG", str(tmp_path_factory.mktemp("configuration")))
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Give one Chromium for all tests; each person has a context of her own."""
    with sync_playwright() as playwright:
        # WebGPU on the processor: donors pass it over, the tests of every backend do not.
        options = launch_options(ensure_chromium(print), webgpu=True)
        found = playwright.chromium.launch(**options)
        yield found
        found.close()


@pytest.fixture
def start_coordinator(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts real coordinators; they end with the test."""
    with ExitStack() as stack:

        def start(name: str = "data", **settings: object) -> Coordinator:
            found = Coordinator(tmp_path / name, **settings)  # type: ignore[arg-type]
            stack.callback(found.stop)
            return found.start()

        yield start


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """Give an open coordinator that a module's tests share."""
    found = Coordinator(tmp_path_factory.mktemp("data"), workers=1)
    try:
        yield found.start()
    finally:
        found.stop()
