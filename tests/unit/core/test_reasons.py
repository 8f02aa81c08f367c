"""What a study says of its end names the cause."""

from __future__ import annotations

from potluck.protocol.base import one_line
from potluck_coordinator.core import reasons
from potluck_coordinator.core.errors import BadResult

REFUSED = BadResult(
    "result.dtype",
    "A tensor has another type than it should.",
    expected="F32",
    got="I32",
    where="weights/normalization/count",
)


def test_a_refusal_names_the_tensor_and_both_sides() -> None:
    assert reasons.of_refusal(REFUSED) == (
        "result.dtype: A tensor has another type than it should (weights/normalization/count): "
        "expected F32, got I32."
    )
    assert reasons.of_refusal(BadResult("result.hash", "Wrong.")) == "result.hash: Wrong."


def test_a_unit_s_reason_is_its_last_without_the_lease() -> None:
    told = ("ls_0ab: fell silent", f"ls_1cd: {reasons.of_refusal(REFUSED)}")
    assert reasons.of_unit(told) == f"A unit was set aside: {reasons.of_refusal(REFUSED)}"
    assert reasons.of_unit(["scoring: ValueError"]) == "A unit was set aside: scoring: ValueError"
    assert "no reason is known" in reasons.of_unit(())


def test_a_study_gives_the_reason_of_most_trials_and_says_of_how_many() -> None:
    assert reasons.of_study(["", ""]) == reasons.NO_TRIAL
    assert reasons.of_study(["a.", "a."]) == f"{reasons.NO_TRIAL} a."
    assert reasons.of_study(["a.", "b.", "b."]) == f"{reasons.NO_TRIAL} In 2 of 3 trials: b."


def test_what_strangers_say_becomes_one_bounded_line() -> None:
    assert one_line("a\n\tb\x1b[2J \u202ec", 20) == "a b [2J c"
    assert one_line("x" * 30, 10) == "x" * 9 + "…"
    assert one_line("\ud800 lone", 10) == "lone"
    assert len(one_line("y " * 10**6, 500)) <= 500
