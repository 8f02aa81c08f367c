from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import BadDataset, BadInput, BadStudy
from potluck_coordinator.pipeline import (
    Plan,
    encode,
    plan_study,
    profile,
    read_dataset,
    split_rows,
)
from potluck_coordinator.pipeline.dataset import Categorical, Numeric
from tests.unit.pipeline.cases import arrays, model, plan_table, spec, table


def column(words: list[str], beside: str = "", name: str = "t.csv") -> Any:
    """Read one column `a`, quoted, beside columns that are given as text."""
    head, _, cell = beside.partition("=")
    lines = [f'"{word}",{cell}' if head else f'"{word}"' for word in words]
    header = f"a,{head}" if head else "a"
    dataset = table("\n".join([header, *lines]) + "\n", name)
    return dataset.columns["a"], dataset.warnings


@pytest.mark.parametrize(
    ("words", "numbers", "said"),
    [
        (["0,637", "-1,5", "2", "1,234"], [0.637, -1.5, 2, 1.234], "decimal comma"),
        (["1.234,5", "7,25", "1.000.000,0"], [1234.5, 7.25, 1e6], "'.' between thousands"),
        (["1,234.5", "7.25", "-1,000,000"], [1234.5, 7.25, -1e6], "',' between thousands"),
        (["1 234", "999", "12 345 678"], [1234, 999, 12345678], "' ' between thousands"),
        (["1\u202f234,5", "1\u00a0000,25", "3"], [1234.5, 1000.25, 3], "decimal comma"),
        (["1'234.50", "12’345", "9"], [1234.5, 12345, 9], "between thousands"),
        (["1,23,456", "12,34,567.5", "99"], [123456, 1234567.5, 99], "between thousands"),
        (["1.234.567", "12.345.678", "2.000"], [1234567, 12345678, 2000], "'.' between"),
        (["12 %", "7,5%", "-3%"], [12, 7.5, -3], "in %"),
        (["$5", "-$1,000.50", "$-7", "0"], [5, -1000.5, -7, 0], "in $"),
        (["1.299,00 €", "5 €", "-7,10 €"], [1299, 5, -7.1], "in €"),
        (["EUR 5", "EUR 7.5", "EUR -1"], [5, 7.5, -1], "in EUR"),
        (["(123)", "45", "(1,000)", "7"], [-123, 45, -1000, 7], "brackets negative"),
        (["($5.10)", "$45", "$7"], [-5.1, 45, 7], "brackets negative"),
        (["\u22125", "\u22127.5", "3"], [-5, -7.5, 3], "read as numbers"),
        (["12,50-", "7,25", "1,00"], [-12.5, 7.25, 1], "decimal comma"),
        (["1,5e3", "2,5E-1", "7"], [1500, 0.25, 7], "decimal comma"),
        (["999", "1,234", "850"], [999, 1234, 850], "between thousands"),
        (["$1,234", "$5,678", "$9,012"], [1234, 5678, 9012], "',' between thousands, in $"),
        (["1.234 €", "5.678 €"], [1234, 5678], "'.' between thousands, in €"),
        (["1000", "1,234", "850"], [1000, 1.234, 850], "decimal comma"),
    ],
)
def test_numbers_as_people_write_them_are_read(
    words: list[str], numbers: list[float], said: str
) -> None:
    found, warnings = column(words)
    assert isinstance(found, Numeric)
    assert found.values.tolist() == numbers
    assert said in warnings[0]


@pytest.mark.parametrize("gap", ["?", "-", "n/a", "NA", "null", "N/A", "--", "None", "\u2013"])
def test_one_word_for_missing_keeps_a_column_of_numbers(gap: str) -> None:
    for words in (["130", "165", gap, "150"], ["1,5", "2,75", gap, "0,5"]):
        found, _ = column(words)
        assert isinstance(found, Numeric)
        assert found.missing.tolist() == [False, False, True, False]


def test_a_gap_is_named_where_it_is_refused() -> None:
    text = "a,y\n" + "".join(f"{'?' if i == 3 else i},{'pq'[i % 2]}\n" for i in range(30))
    with pytest.raises(BadDataset) as caught:
        plan_table(text, 1, 1, "sigmoid")
    assert caught.value.code == "dataset.missing_values"
    assert "('?' says so), first row 4" in caught.value.got


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["1,234", "5,678", "9,012"], "'1,234' may be 1234 or 1.234"),
        (["1,234.5", "1.234,5", "7"], "written in different ways"),
        (["1.5%", "2,5%", "7%"], "'2,5%' and '1.5%' are written in different ways"),
        (["5 %", "7", "8 %"], "the same unit"),
        (["$5", "€7", "$8"], "the same unit"),
        (["02134", "10001", "02134"], "'02134' begins with 0"),
        (["02134", "10001", "?", "00501"], "'02134' begins with 0"),
        ([*map(str, range(30)), "1O"], "of '1O' among its numbers"),
        ([*(f"{i},5" for i in range(30)), "1O"], "of '1O' among its numbers"),
    ],
)
def test_what_is_not_plain_stays_words_and_says_why(words: list[str], why: str) -> None:
    found, warnings = column(words)
    assert isinstance(found, Categorical)
    assert why in found.note
    assert warnings == (found.note,)


@pytest.mark.parametrize(
    "words",
    [
        ["1-", "2+", "3", "2-"],
        ["(1)", "(2)", "(3)"],
        ["12.05.2020", "13.05.2020", "01.06.2021"],
        ["1.2.3", "1.2.4", "2.0.0"],
        ["10:30", "11:45", "12:00"],
        ["A1", "B2", "C3"],
        ["1", "?", "?"],
        ["10-20", "20-30", "30-40"],
        ["red", "blue", "1"],
    ],
)
def test_words_stay_words(words: list[str]) -> None:
    found, warnings = column(words)
    assert isinstance(found, Categorical)
    assert sorted(found.vocabulary) == sorted(set(words))
    assert warnings == ()


def test_other_columns_decide_what_one_leaves_open() -> None:
    open_words = ["1,234", "5,678", "9,012"]
    found, _ = column(open_words, 'b="0,5"')
    assert found.values.tolist() == [1.234, 5.678, 9.012]
    found, _ = column(open_words, "b=0.5")
    assert found.values.tolist() == [1234, 5678, 9012]
    plain = ["1.234", "5.678", "9.012"]
    assert column(plain, "b=0.5")[0].values.tolist() == [1.234, 5.678, 9.012]
    assert column(plain, 'b="0,5"')[0].values.tolist() == [1234, 5678, 9012]
    assert column(plain)[0].values.tolist() == [1.234, 5.678, 9.012]


def german(rows: int = 200) -> str:
    rng = np.random.default_rng(0)
    lines = ["a;b;c"]
    for a, b in rng.random((rows, 2)):
        lines.append(";".join(f"{value:.3f}".replace(".", ",") for value in (a, b, 2 * a - b)))
    return "\n".join(lines) + "\n"


def test_a_table_with_decimal_commas_trains_as_one_with_points() -> None:
    one, two = (table(text) for text in (german(), german().replace(",", ".").replace(";", ",")))
    facts = model((2,), 1, "linear")
    plans = [plan_study(dataset, spec(target="c"), facts) for dataset in (one, two)]
    assert plans[0].warnings == ("a, b, c: read as numbers (decimal comma).",)
    encoded = [
        encode(dataset, plan, np.arange(150), np.arange(150, 200))
        for dataset, plan in zip((one, two), plans, strict=True)
    ]
    assert np.array_equal(encoded[0].train["x"], encoded[1].train["x"])
    assert np.array_equal(encoded[0].held["truth"], encoded[1].held["truth"])
    assert encoded[0].encoder["spellings"]["a"]["decimal"] == ","


def test_a_plan_reads_other_rows_as_it_read_its_own() -> None:
    """Rows that are read later may lack what settled how their columns are written."""
    facts = model((2,), 1, "linear")
    plan = plan_study(table(german()), spec(target="c"), facts)
    stored = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert stored == plan
    later = read_dataset(b"a;b;c\n1,234;1,5;x\n", "t.csv", spellings=stored.spellings)
    assert later.columns["a"].values.tolist() == [1.234]  # type: ignore[union-attr]
    assert later.columns["c"].missing.tolist() == [True]


def test_a_plan_from_before_reads_its_columns_as_words() -> None:
    content = b"a;y\n" + b"".join(
        b"0,%d;%s\n" % (i % 7, b"pq"[i % 2 : i % 2 + 1]) for i in range(99)
    )
    plan = plan_study(read_dataset(content, "t.csv"), spec(), model((1,), 1, "sigmoid"))
    stored = {**plan.to_json(), "input_shape": [7]}
    for new in ("spellings", "duplicates", "parts", "encoded_width"):
        del stored[new]
    before = Plan.from_json(stored)
    dataset = read_dataset(content, "t.csv", spellings=before.spellings)
    splits = split_rows(dataset, before)
    assert encode(dataset, before, splits.train, splits.test).train["x"].shape[1] == 7


LABELS = [["01", "1", "1e0"], ["1", "1.0", "1.00"], ["7", "007", "7.0"], ["1.1", "1.10", "1.100"]]


@pytest.mark.parametrize("labels", [*LABELS, ["9007199254740993", "9007199254740992", "1"]])
def test_labels_stay_as_they_are_written(labels: list[str]) -> None:
    text = "x,code\n" + "".join(f"{i * 0.3717 % 1:.4f},{labels[i % 3]}\n" for i in range(300))
    _, plan = plan_table(text, 1, 3, "softmax")
    assert (plan.classes, plan.warnings) == (tuple(sorted(labels)), ())
    again = read_dataset(text.encode(), "t.csv", spellings=plan.spellings)
    encoded = encode(again, plan, np.arange(200), np.arange(200, 300))
    order = [sorted(labels).index(labels[i % 3]) for i in range(300)]
    assert encoded.train["y"].tolist() == order[:200]
    assert encoded.held["truth"].tolist() == order[200:]
    text_array = arrays(x=np.random.default_rng(0).random((30, 2)), y=np.array(labels * 10))
    assert plan_study(text_array, spec(), model((2,), 3, "softmax")).classes == plan.classes


def test_one_label_written_twice_is_one_class_where_the_model_wants_so() -> None:
    words = ["0", "1", "0.0", "1.0"]
    text = "x,y\n" + "".join(f"{i * 0.3717 % 1:.4f},{words[i % 4]}\n" for i in range(100))
    _, plan = plan_table(text, 1, 1, "sigmoid")
    assert plan.classes == ("0", "1")
    assert "y: '0' and '0.0' are taken as one class." in plan.warnings


def test_numbers_written_in_two_ways_stay_numbers_where_amounts_are_wanted() -> None:
    text = "x,y\n" + "".join(
        f"{i * 0.3717 % 1:.4f},{('1.5', '1.50', '2')[i % 3]}\n" for i in range(99)
    )
    _, plan = plan_table(text, 1, 1, "linear")
    assert (plan.task, plan.spellings) == ("regression", {})


@pytest.mark.parametrize(
    "labels", [["5 €", "10 €", "20 €"], ["1,000", "2,000", "500"], ["1,5", "2,5", "3"]]
)
def test_labels_keep_their_units_and_marks(labels: list[str]) -> None:
    text = "x;y\n" + "".join(f"{i * 0.3717 % 1:.4f};{labels[i % 3]}\n" for i in range(99))
    _, plan = plan_table(text, 1, 3, "softmax")
    assert plan.classes == tuple(sorted(labels))
    assert "y: its labels stay as they are written." in plan.warnings
    again = read_dataset(text.encode(), "t.csv", spellings=plan.spellings)
    order = [sorted(labels).index(labels[i % 3]) for i in range(99)]
    assert encode(again, plan, np.arange(50), np.arange(9)).train["y"].tolist() == order[:50]
    amounts = plan_study(table(text), spec(), model((1,), 1, "linear"))
    assert amounts.task == "regression"


def test_a_target_with_gaps_is_refused_by_its_missing_rows() -> None:
    text = "x,y\n" + "".join(f"{i * 0.3717 % 1:.4f},{'012?'[i % 4]}\n" for i in range(99))
    with pytest.raises(BadDataset) as caught:
        plan_table(text, 1, 3, "softmax")
    assert caught.value.code == "dataset.missing_values"


def zips(rows: int = 300, different: int = 40) -> str:
    codes = [f"{i * 331 % 99999:05d}" for i in range(different)]
    return "zip,y\n" + "".join(f"{codes[i % different]},{'pq'[i // 3 % 2]}\n" for i in range(rows))


def test_codes_with_zeros_before_are_categories() -> None:
    dataset, plan = plan_table(zips(), 40, 1, "sigmoid")
    assert any(said.startswith("zip: taken as words") for said in plan.warnings)
    again = read_dataset(zips().encode(), "t.csv", spellings=plan.spellings)
    assert isinstance(again.columns["zip"], Categorical)
    assert (
        encode(again, plan, np.arange(200), np.arange(9)).train["x"].sum(axis=1).tolist()
        == [1.0] * 200
    )
    assert dataset.columns["zip"].vocabulary == again.columns["zip"].vocabulary  # type: ignore[union-attr]


def test_codes_are_numbers_where_numbers_are_wanted() -> None:
    text = "x,y\n" + "".join(f"{i * 0.3717 % 1:.4f},{i % 90:03d}\n" for i in range(300))
    _, plan = plan_table(text, 1, 1, "linear")
    assert (plan.task, plan.spellings, plan.warnings) == ("regression", {}, ())
    tokens = "w,y\n" + "".join(f"{i % 9:02d},{'pq'[i // 9 % 2]}\n" for i in range(300))
    facts = model((1,), 1, "sigmoid", vocabulary=9)
    assert plan_study(table(tokens), spec(), facts).tokens
    weighed = "x,w,y\n" + "".join(f"{i},{i % 9:02d},{'pq'[i % 2]}\n" for i in range(300))
    asked = spec(sample_weight="w")
    assert plan_study(table(weighed), asked, model((1,), 1, "sigmoid")).sample_weight == "w"


def test_why_a_wide_column_is_no_number_is_said_where_it_is_refused() -> None:
    text = "price,y\n" + "".join(f'"{i + 1},{i % 900 + 100}",{"pq"[i % 2]}\n' for i in range(200))
    with pytest.raises(BadStudy) as caught:
        plan_table(text, 1, 1, "sigmoid")
    assert "'1,100' may be 1100 or 1.1" in (caught.value.hint or "")


def test_why_a_target_is_no_number_is_said_where_it_is_refused() -> None:
    text = "x,price\n" + "".join(f'{i},"{i + 1},{i % 900 + 100}"\n' for i in range(50))
    with pytest.raises(BadInput) as caught:
        plan_table(text, 1, 1, "linear")
    assert "'1,100' may be 1100 or 1.1" in caught.value.hint


def test_many_numbers_in_an_array_of_text_are_pointed_out() -> None:
    dataset = arrays(x=np.array([f"{i},5" for i in range(200)]), y=np.arange(200) % 2)
    assert "Save x.astype('float32')" in dataset.warnings[0]


def test_many_columns_of_one_kind_are_one_sentence() -> None:
    names = [f"c{i}" for i in range(40)]
    text = ";".join(names) + "\n" + "\n".join(";".join([f"{r},5"] * 40) for r in range(30)) + "\n"
    said = profile(table(text)).warnings
    assert len(said) == 1
    assert "and 32 more: read as numbers (decimal comma)" in said[0]


@given(
    st.lists(st.decimals(-999_999_999, 999_999_999, places=2), min_size=3, max_size=30),
    st.sampled_from([(".", ","), (",", "."), (",", " "), (".", "'"), (",", "\u202f")]),
    st.sampled_from(["{}", "{} €", "${}", "{} %"]),
)
def test_what_is_written_in_one_way_is_read_back(
    numbers: list[Any], marks: tuple[str, str], form: str
) -> None:
    decimal, thousands = marks
    swap = str.maketrans({".": decimal, ",": thousands})
    words = [form.format(f"{number:,.2f}".translate(swap)) for number in numbers]
    found, _ = column(words)
    assert isinstance(found, Numeric)
    assert found.values.tolist() == [float(number) for number in numbers]


ODD = st.one_of(st.text("0123456789.,' %$€()-+?eE", min_size=1, max_size=9), st.text(max_size=9))


@given(st.lists(ODD, min_size=1, max_size=20))
def test_any_words_are_read_and_read_the_same_again(words: list[str]) -> None:
    kept = ["".join(c for c in word if c.isprintable() and c != '"') or "x" for word in words]
    text = "a\n" + "".join(f'"{word}"\n' for word in kept)
    first = table(text)
    again = read_dataset(text.encode(), "t.csv", spellings=first.spellings)
    one, two = first.columns["a"], again.columns["a"]
    assert type(one) is type(two)
    assert np.array_equal(one.missing, two.missing)
    if isinstance(one, Numeric) and isinstance(two, Numeric):
        assert np.array_equal(one.values, two.values, equal_nan=True)
        gone = [word for word, gap in zip(kept, one.missing, strict=True) if gap]
        # 2e7534 is beyond what a number can be.
        assert not any(c.isdigit() for word in gone for c in word if "e" not in word.lower())


@pytest.mark.parametrize("word", ["1" * 100_000, "1,234" * 20_000, "(" * 100_000, "1 " * 50_000])
def test_long_words_take_no_time(word: str) -> None:
    start = time.process_time()
    column([word, word + "1", "2,5", "3,5"])
    assert time.process_time() - start < 5
