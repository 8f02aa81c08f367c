"""How a headless donor reads its command line."""

from __future__ import annotations

from typing import Any

import pytest

from potluck.errors import BadArgument
from potluck_coordinator.donor.options import Options, code_of, options_from, size_of


def options(**changes: Any) -> Options:
    return options_from(**{"url": "http://host", "backend": "auto", **changes})


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 512 << 20), ("4G", 4 << 30), ("1.5g", 3 << 29), ("2 GiB", 2 << 30), ("8MB", 8 << 20)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "4", "G", "-1G", "4T", "4G of it"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadArgument, match="such as 512M"):
        options(memory=text)


def test_workers_share_the_memory_that_is_allowed() -> None:
    assert options(memory="4G", workers=4).memory_bytes == 1 << 30
    assert options().memory_bytes is None


@pytest.mark.parametrize("link", ["abc-_1", " abc-_1\n", "http://here:80/join/abc-_1/"])
def test_a_groups_link_or_its_code_will_do(link: str) -> None:
    assert code_of(link, "http://here:80") == "abc-_1"


def test_another_coordinators_link_is_refused() -> None:
    with pytest.raises(BadArgument, match="http://elsewhere"):
        code_of("http://elsewhere/join/abc", "http://here")


def test_a_token_comes_without_its_line_end_and_with_nothing_odd() -> None:
    read = options_from(url="http://here", backend="cpu", token="potluck_x\n")
    assert read.token == "potluck_x"
    with pytest.raises(BadArgument, match="--token"):
        options_from(url="http://here", backend="cpu", token="two words")
