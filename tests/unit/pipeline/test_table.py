from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck_coordinator.core.errors import BadDataset
from potluck_coordinator.pipeline import ReadLimits, profile, read_dataset
from potluck_coordinator.pipeline.dataset import Categorical, Numeric
from tests.unit.pipeline.cases import table


def test_numbers_words_and_gaps_are_told_apart() -> None:
    dataset = table("n,i,w\n1.5,1,red\n,2,\n-3e2, 3 ,blue\n")
    n, i, w = (dataset.columns[name] for name in "niw")
    assert isinstance(n, Numeric)
    assert isinstance(i, Numeric)
    assert isinstance(w, Categorical)
    assert n.missing.tolist() == [False, True, False]
    assert (n.integer, i.integer) == (False, True)
    assert i.values.tolist() == [1, 2, 3]
    assert w.vocabulary == ("blue", "red")
    assert w.codes.tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"a,b\n1,2\n3,4\n", "t.csv"),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4", "t.csv"),
        (b"a;b\n1;2\n3;4\n", "t.csv"),
        (b"a\tb\n1\t2\n3\t4\n", "t.tsv"),
        (b"\n\na,b\n1,2\n\n3,4\n\n", "t.csv"),
        (b'"a","b"\n"1","2"\n3,"4"\n', "t.CSV"),
    ],
)
def test_the_usual_dialects_say_the_same(content: bytes, name: str) -> None:
    dataset = read_dataset(content, name)
    assert dataset.rows == 2
    a, b = dataset.columns["a"], dataset.columns["b"]
    assert isinstance(a, Numeric)
    assert isinstance(b, Numeric)
    assert a.values.tolist() == [1, 3]
    assert b.values.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "dataset.empty"),
        (b"\n\n", "dataset.no_rows"),
        (b"a,b\n", "dataset.no_rows"),
        (b"a,b\n\n\n", "dataset.no_rows"),
        (b"a,b\n1,2\n3\n", "dataset.ragged"),
        (b"a,b\n1,2\n3,4,5\n", "dataset.ragged"),
        (b"a,a\n1,2\n", "dataset.repeated_column"),
        (b"a,b\n1,\xff\n", "dataset.not_text"),
        (b"a,b\n1,\0\n", "dataset.not_text"),
        (b'a,b\n1,"2\n', "dataset.unreadable"),
    ],
)
def test_a_bad_table_is_refused_with_its_code(content: bytes, code: str) -> None:
    with pytest.raises(BadDataset) as caught:
        read_dataset(content, "t.csv")
    assert caught.value.code == code
    assert caught.value.expected
    assert caught.value.got


def test_a_ragged_row_is_named_by_its_line() -> None:
    with pytest.raises(BadDataset) as caught:
        table('a,b\n"two\nlines",2\n3\n')
    assert "line 4" in caught.value.where


def test_a_table_larger_than_the_limit_is_refused() -> None:
    with pytest.raises(BadDataset) as caught:
        read_dataset(b"a\n1\n2\n3\n", "t.csv", ReadLimits(rows=2))
    assert caught.value.code == "dataset.too_large"


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(BadDataset) as caught:
        read_dataset(b"PAR1", "t.parquet")
    assert caught.value.code == "dataset.unknown_kind"


def test_a_header_of_numbers_is_pointed_out() -> None:
    assert any("header" in said for said in profile(table("1,2\n3,4\n")).warnings)


def test_a_word_among_numbers_is_pointed_out() -> None:
    numbers = "".join(f"{i * i},p\n" for i in range(15))
    assert profile(table(f"a,y\n{numbers}")).warnings == []
    said = profile(table(f"a,y\n{numbers}1O,q\n")).warnings
    assert said == ["a: taken as words, because of '1O' among its numbers."]


def test_a_profile_shows_kinds_gaps_and_the_likeliest_target() -> None:
    found = profile(table("n,w\n1,x\n,y\n2.5,x\n"))
    assert (found.kind, found.rows, found.suggested_target) == ("table", 3, "w")
    n, w = found.columns
    assert (n.kind, n.missing, n.unique, n.examples) == ("numeric", 1, 2, ["1", "2.5"])
    assert (w.kind, w.missing, w.unique, w.examples) == ("categorical", 0, 2, ["x", "y"])
    assert found.warnings == ["n: 1 of 3 rows have no value."]


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False),
            st.text("abc,;\"'\n x", min_size=1, max_size=8).map(lambda word: f"w{word}w"),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_written_as_csv_is_read_back(rows: list[tuple[float, str]]) -> None:
    body = "".join(f'{number!r},"{word.replace(chr(34), chr(34) * 2)}"\n' for number, word in rows)
    dataset = table(f"number,word\n{body}")
    number, word = dataset.columns["number"], dataset.columns["word"]
    assert isinstance(number, Numeric)
    assert isinstance(word, Categorical)
    assert np.array_equal(number.values, [n for n, _ in rows])
    assert [word.vocabulary[code] for code in word.codes] == [w for _, w in rows]


@pytest.mark.parametrize(
    ("header", "warned"),
    [
        ("5.1,3.5,1.4,0.2,Iris-setosa", True),
        ("5.1,3.5", True),
        ("1,2,label", True),
        ("7,a,b", False),
        ("0,1,2,3,y", False),
        ("country,1990,1991,1992,1993", False),
    ],
)
def test_a_header_that_looks_like_a_row_is_pointed_out(header: str, warned: bool) -> None:
    row = ",".join("1" for _ in header.split(","))
    said = profile(table(f"{header}\n{row}\n{row}\n")).warnings
    assert any("header" in one and "5.1" in one for one in said) == (warned and "5.1" in header)
    assert any("lack a header line" in one for one in said) == warned


def test_equal_cells_in_a_first_row_without_header_are_explained() -> None:
    with pytest.raises(BadDataset) as caught:
        table("5,0,0,0\n1,0,0,3\n")
    assert caught.value.code == "dataset.repeated_column"
    assert "lack a header line" in caught.value.hint
    with pytest.raises(BadDataset) as caught:
        table("a,a,b\n1,0,0\n")
    assert "header" not in caught.value.hint
