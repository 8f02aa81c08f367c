"""What the command line gives goes before the environment, which goes before the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from potluck_coordinator.settings import Settings, settings_from

NOTHING_GIVEN = {"host": None, "port": None, "data": None, "open": None, "workers": None}


def test_the_environment_holds_where_the_command_line_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"OPEN": "true", "HOST": "0.0.0.0", "PORT": "9000", "WORKERS": "5", "DATA": "/tmp/x"}
    for name, value in values.items():
        monkeypatch.setenv(f"POTLUCK_{name}", value)
    found = settings_from(**NOTHING_GIVEN)
    assert (found.open, found.host, found.port) == (True, "0.0.0.0", 9000)
    assert (found.workers, found.data) == (5, Path("/tmp/x"))
    given = settings_from(open=False, port=0, workers=1)
    assert (given.open, given.port, given.workers, given.host) == (False, 0, 1, "0.0.0.0")


def test_without_either_the_defaults_suit_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPEN", "HOST", "PORT", "WORKERS", "SECURE_COOKIES", "ALLOWED_HOSTS"):
        monkeypatch.delenv(f"POTLUCK_{name}", raising=False)
    found = settings_from(**NOTHING_GIVEN)
    assert (found.open, found.host, found.port, found.workers) == (False, "127.0.0.1", 8000, 2)
    assert found.secure_cookies is False


def test_https_makes_cookies_secure_unless_somebody_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings_from(tls_cert=Path("cert.pem")).secure_cookies is True
    monkeypatch.setenv("POTLUCK_SECURE_COOKIES", "0")
    assert settings_from(tls_cert=Path("cert.pem")).secure_cookies is False
    monkeypatch.setenv("POTLUCK_SECURE_COOKIES", "1")
    assert settings_from().secure_cookies is True


NUMBERS = {
    name
    for name, field in Settings.model_fields.items()
    if {int, float} & {field.annotation, *get_args(field.annotation)} and name != "port"
}
"""Listening itself says which port cannot be."""


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1" + 30 * "0"])
def test_every_number_has_bounds(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"POTLUCK_{name.upper()}", value)
    with pytest.raises(ValidationError):
        settings_from()


def test_there_are_such_numbers() -> None:
    assert {"workers", "memory", "quota_bytes", "quota_states", "sweep_seconds"} <= NUMBERS


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_a_coordinator_for_this_machine_answers_to_this_machines_names(host: str) -> None:
    names = settings_from(host=host).names()
    assert names is not None
    assert {"localhost", "127.0.0.1", "[::1]", host} == set(names) | {host}


def test_other_coordinators_answer_to_any_name_until_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_from(host="0.0.0.0").names() is None
    monkeypatch.setenv("POTLUCK_ALLOWED_HOSTS", "potluck.example, localhost")
    assert settings_from(host="0.0.0.0").names() == ("potluck.example", "localhost")
    monkeypatch.setenv("POTLUCK_ALLOWED_HOSTS", "*")
    assert settings_from(host="127.0.0.1").names() is None
