"""From submit()'s arguments to the specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck import BadArgument
from potluck.protocol.study import StudySpec
from potluck.specification import StudyOptions, require_consent, rung_epochs, study_spec


def write(options: StudyOptions) -> StudySpec:
    return study_spec(options, model_id="m", dataset_id="d", default_name="cnn on digits")


@given(rungs=st.integers(1, 12), epochs=st.integers(1, 1000))
def test_rungs_ascend_and_end_with_the_studys_epochs(rungs: int, epochs: int) -> None:
    counts = rung_epochs(rungs, epochs)
    assert counts[-1] == epochs
    assert counts[0] >= 1
    assert counts == sorted(set(counts))
    assert len(counts) <= rungs


def test_rungs_are_a_factor_of_three_apart() -> None:
    assert rung_epochs(3, 18) == [2, 6, 18]
    assert rung_epochs(1, None) == [10]
    assert rung_epochs([2, 4, 8], None) == [2, 4, 8]
    assert rung_epochs([2, 4, 8], 8) == [2, 4, 8]


@pytest.mark.parametrize(
    ("rungs", "epochs"), [([4, 2], None), ([2, 2], None), ([], None), ([0, 1], None), ([2, 4], 8),
                          (0, 10), (1, 0)]
)  # fmt: skip
def test_rungs_that_make_no_ladder_are_refused(rungs: int | list[int], epochs: int | None) -> None:
    with pytest.raises(BadArgument):
        rung_epochs(rungs, epochs)


def test_without_a_word_a_fifth_of_the_rows_validates_and_a_fifth_tests() -> None:
    spec = write(StudyOptions())
    assert spec.pipeline.split.validation == 0.2
    assert spec.pipeline.split.test == 0.2
    assert spec.pipeline.split.folds is None
    assert spec.name == "cnn on digits"
    assert spec.rows_are_public


def test_folds_replace_validation() -> None:
    split = write(StudyOptions(folds=5)).pipeline.split
    assert (split.folds, split.validation) == (5, None)


def test_equal_rows_stay_together_or_part_as_asked() -> None:
    assert write(StudyOptions()).pipeline.split.duplicates is None
    assert write(StudyOptions(duplicates="free")).pipeline.split.duplicates == "free"
    with pytest.raises(BadArgument, match="one of together, free"):
        write(StudyOptions(duplicates="apart"))


def test_folds_beside_validation_are_refused() -> None:
    with pytest.raises(BadArgument, match="exclude each other"):
        write(StudyOptions(folds=5, validation=0.2))


def test_a_value_that_the_wire_has_no_word_for_is_refused_with_its_place() -> None:
    with pytest.raises(BadArgument, match=r"metric.*got 'acuracy'"):
        write(StudyOptions(metric="acuracy"))
    with pytest.raises(BadArgument, match="trials"):
        write(StudyOptions(trials=0))


def test_rows_that_must_stay_private_cannot_be_submitted() -> None:
    require_consent(StudyOptions())
    with pytest.raises(BadArgument, match="donors='mine'"):
        require_consent(StudyOptions(rows_are_public=False))


def test_rows_need_not_be_public_where_not_everyone_may_train() -> None:
    require_consent(StudyOptions(rows_are_public=False, donors="mine"))
    require_consent(StudyOptions(rows_are_public=False, donors="group", group="Lab 3"))
    spec = write(StudyOptions(rows_are_public=False, donors="group", group="gr_1"))
    assert (spec.donors, spec.group_id, spec.rows_are_public) == ("group", "gr_1", False)
    assert (write(StudyOptions()).donors, write(StudyOptions()).group_id) == ("everyone", None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (StudyOptions(donors="group"), "says by group=... which one"),
        (StudyOptions(donors="mine", group="Lab 3"), "goes with donors='group'"),
        (StudyOptions(donors="friends"), "donors must be one of everyone, group, mine"),
    ],
)
def test_half_a_group_is_refused(options: StudyOptions, said: str) -> None:
    with pytest.raises(BadArgument, match=said):
        require_consent(options)
