"""Metadata on providers that hold only some names and values."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona.errors import InputError
from persona.storage.metadata import AZURE_NAME, PACKED, S3_NAME, checked, pack, unpack

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = pytest.mark.parametrize("name", [S3_NAME, AZURE_NAME], ids=["s3", "azure"])


@NAMES
@given(metadata=st.dictionaries(TEXT | st.sampled_from([PACKED, "Mixed", "a-b", "class", "1st"]), TEXT, max_size=5))
def test_what_goes_in_comes_out(name: re.Pattern[str], metadata: dict[str, str]) -> None:
    stored = pack(metadata, name, 1 << 20)
    assert all(name.fullmatch(key) for key in stored)
    for value in stored.values():
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip() != ""
    assert unpack(stored) == metadata


@NAMES
def test_what_fits_stays_readable(name: re.Pattern[str]) -> None:
    assert pack({"author": "Ann Other", "n1": "=?x"}, name, 100) == {"author": "Ann Other", "n1": "=?x"}
    assert pack(None, name, 0) == {}


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-16" if text.startswith("\ufeff") else "utf-8")).decode()


FOREIGN = ["plain words", "%%%", "", "abc", encoded("[1]"), encoded("3"), encoded('{"a": 1}'), encoded("{"), "/w=="]


@pytest.mark.parametrize("text", [*FOREIGN, base64.b64encode(b"\xff\xfe\xff").decode(), "é"])
def test_an_entry_that_is_not_ours_is_left_alone(text: str) -> None:
    assert unpack({PACKED: text, "a": "b"}) == {PACKED: text, "a": "b"}


@NAMES
@pytest.mark.parametrize("value", ["x" * 100, "é" * 100])
def test_more_than_the_limit(name: re.Pattern[str], value: str) -> None:
    size = sum(len(key) + len(text) for key, text in pack({"a": value}, name, 10_000).items())
    pack({"a": value}, name, size)
    with pytest.raises(InputError, match=rf"takes {size} bytes, and the provider allows {size - 1}\.") as caught:
        pack({"a": value}, name, size - 1)
    assert caught.value.hint


@pytest.mark.parametrize("metadata", [{"a": "\ud800"}, {"\udfff": "b"}])
def test_what_is_no_text(metadata: dict[str, str]) -> None:
    with pytest.raises(InputError, match="Unicode"):
        checked(metadata)
