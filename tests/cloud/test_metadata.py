"""Metadata, and headers of the content, on providers that hold only some of them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona.errors import InputError
from persona.storage.content_headers import NAMES, ContentHeaders
from persona.storage.metadata import AZURE, GCS, S3, Rules, checked, decoded, pack, unpack

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = TEXT | st.sampled_from(["persona-packed", "Persona_Packed", "Mixed", "a-b", "a_b", "a.b", "class", "1st"])
RULES = pytest.mark.parametrize("rules", [S3, AZURE, GCS], ids=["s3", "azure", "gcs"])
HELD = pytest.mark.parametrize("rules", [S3, AZURE], ids=["s3", "azure"])


@RULES
@given(
    metadata=st.dictionaries(KEYS, TEXT, max_size=5),
    headers=st.dictionaries(st.sampled_from(["content-type", *NAMES]), TEXT, max_size=3),
)
def test_what_goes_in_comes_out(rules: Rules, metadata: dict[str, str], headers: dict[str, str]) -> None:
    held = pack(metadata, headers, replace(rules, limit=1 << 20), "a")
    assert all(rules.name.fullmatch(key) for key in held.metadata)
    for value in [*held.headers.values(), *(held.metadata.values() if rules is not GCS else ())]:
        assert value.isascii()
        assert value.isprintable()
        assert " ".join(value.split()) == value != ""
    assert unpack(held.headers, held.metadata) == (headers, metadata)


@HELD
def test_what_fits_stays_readable(rules: Rules) -> None:
    fits = {"author": "Ann Other", "n1": "x=?"[:2]}
    assert pack(fits, {"content-type": "a/b"}, rules, "a") == ({"content-type": "a/b"}, fits)
    assert pack({}, {}, rules, "a") == ({}, {})


@pytest.mark.parametrize("name", ["a_b", "a.b", "Ab", "persona-packed"])
def test_what_a_service_may_change_is_packed_for_s3(name: str) -> None:
    """Ceph turns an underscore into a dash; nginx drops headers with an underscore or a dot."""
    assert set(pack({name: "x", "ab": "y"}, {}, S3, "a").metadata) == {"ab", "persona-packed"}


@pytest.mark.parametrize("spelt", ["persona-packed", "persona_packed", "Persona-Packed", "personapacked"])
def test_the_packed_entry_is_read_however_it_is_spelt(spelt: str) -> None:
    (text,) = pack({"a_b": "x"}, {}, S3, "a").metadata.values()
    assert unpack({}, {spelt: text, "b": "y"}).metadata == {"a_b": "x", "b": "y"}
    old = base64.urlsafe_b64encode(json.dumps({"A": "é"}).encode()).decode()
    assert unpack({}, {spelt: old}).metadata == {"A": "é"}


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-16" if text.startswith("\ufeff") else "utf-8")).decode()


FOREIGN = ["plain words", "%%%", "", "abc", encoded("[1]"), encoded("3"), encoded('{"a": 1}'), encoded("{"), "/w=="]
FOREIGN += [encoded(text) for text in ('[{"a": "b"}, 1]', "[{}, {}, {}]", '[{"a": 1}, {}]', "[" * 100_000)]


@pytest.mark.parametrize("text", [*FOREIGN, base64.b64encode(b"\xff\xfe\xff").decode(), "é"])
def test_an_entry_that_is_not_ours_is_left_alone(text: str) -> None:
    assert unpack({}, {"persona-packed": text, "a": "b"}).metadata == {"persona-packed": text, "a": "b"}


@HELD
@pytest.mark.parametrize("value", ["x" * 100, "é" * 100])
def test_more_than_the_limit(rules: Rules, value: str) -> None:
    size = sum(len(key) + len(text) for key, text in pack({"a": value}, {}, rules, "a").metadata.items())
    pack({"a": value}, {}, replace(rules, limit=size), "a")
    with pytest.raises(
        InputError, match=rf"of “b/c” takes {size} bytes, and the provider allows {size - 1}\."
    ) as caught:
        pack({"a": value}, {}, replace(rules, limit=size - 1), "b/c")
    assert caught.value.hint


@pytest.mark.parametrize("metadata", [{"a": "\ud800"}, {"\udfff": "b"}])
def test_what_is_no_text(metadata: dict[str, str]) -> None:
    with pytest.raises(InputError, match="Unicode"):
        checked(metadata)
    with pytest.raises(InputError, match="Unicode"):
        checked({}, *metadata, *metadata.values())


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("=?UTF-8?B?w6k=?=", "é"),
        ("=?utf-8?q?caf=C3=A9?=", "café"),
        ("=?x-odd?q?a?=", "=?x-odd?q?a?="),
        ("=?utf-8?b?w?=", "=?utf-8?b?w?="),
        ("a =?", "a =?"),
    ],
)
def test_what_s3_has_encoded_is_read_as_it_was_stored(value: str, stored: str) -> None:
    assert decoded(value) == stored


def test_what_a_client_left_in_the_encoding_is_no_part_of_it() -> None:
    assert ContentHeaders.of({"content-encoding": "aws-chunked"}) == ContentHeaders()
    assert ContentHeaders.of({"content-encoding": "gzip,aws-chunked"}) == ContentHeaders("gzip")
    with pytest.raises(TypeError):
        ContentHeaders.of({"expires": 5})
