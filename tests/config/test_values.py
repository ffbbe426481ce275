"""Sizes, durations and the other kinds of value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona.config import values


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("5B", 5), ("5KB", 5_000), ("5MB", 5_000_000), ("5 MB", 5_000_000), ("1GB", 10**9),
        ("2TB", 2 * 10**12), ("1KiB", 1024), ("5MiB", 5_242_880), ("1GiB", 2**30), ("1TiB", 2**40),
        ("0.29GB", 290_000_000), ("1.5KiB", 1536),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert values.size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h", 3600), ("7d", 604_800), ("1.5h", 5400), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert values.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "5mb", "5 M", "MB", "1e3", "٣MB", "9" * 400 + "GB", "0.4", "5MB "])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="a size such as"):
        values.size(text)


@pytest.mark.parametrize("text", ["", "1", "s", "-1s", "1 y", "1h30m", "9" * 15 + "d", "1M"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as"):
        values.duration(text)


@given(st.integers(1, 10**15))
def test_a_size_survives_being_written(size: int) -> None:
    assert values.size(values.written(values.size, size)) == size


@given(st.integers(0, 3650 * 86_400_000))
def test_a_duration_survives_being_written(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert values.duration(values.written(values.duration, seconds)) == seconds


@given(st.decimals(0, 999_999, places=3), st.sampled_from(["KB", "MB", "GB", "KiB", "MiB", "GiB"]))
def test_a_decimal_size_is_exact(number: object, unit: str) -> None:
    factor = values.size(f"1{unit}")
    exact = int(str(number).replace(".", "")) * factor // 1000
    if exact:
        assert values.size(f"{number}{unit}") == exact


def test_how_other_values_are_written() -> None:
    assert values.written(values.boolean, True) == "true"
    assert values.written(values.prefix, "") == '""'
    assert values.written(values.folder, Path("/x")) == "/x"


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("", ""), ("/", ""), ("./a/", "a"), ("/a/b/", "a/b"), ("cafe\u0301", "cafe\u0301"), ("日本/x y", "日本/x y")],
)
def test_prefixes(text: str, prefix: str) -> None:
    assert values.prefix(text) == prefix


@pytest.mark.parametrize("text", ["a//b", "..", "a/./b", "x" * 513, "a\x00", "a\ud800"])
def test_no_prefixes(text: str) -> None:
    with pytest.raises(ValueError, match=r"a folder|text without"):
        values.prefix(text)


@pytest.mark.parametrize("text", ["http://127.0.0.1:9000", "https://s3.example.org/base", "http://[::1]:1/"])
def test_addresses(text: str) -> None:
    assert values.url(text) == text.rstrip("/")


@pytest.mark.parametrize(
    "text", ["x.org", "http://", "http://a b", "http://x?y", "http://u@x", "http://[::1", "http://x:0"]
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="an address"):
        values.url(text)


@pytest.mark.parametrize("text", ["$web", "a.b_c-d", "x" * 222])
def test_buckets(text: str) -> None:
    assert values.bucket(text) == text


def test_a_mixed_case_boolean_of_a_variable() -> None:
    assert values.boolean("True") is True
    assert values.boolean("FALSE") is False
