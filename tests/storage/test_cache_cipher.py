"""Sealed content comes back whole or in part, and anything else than what was sealed is noticed."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona.config.secret import Secret
from persona.errors import ConfigError, VerificationError
from persona.storage.cache import cipher
from persona.storage.cache.cipher import CHUNK_BYTES, HEADER_BYTES, Cipher, Opened

KEY = Secret("1f" * 32)
SMALL = 16
SEALED = SMALL + 16


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16 bytes, so that little content has many."""
    monkeypatch.setattr(cipher, "CHUNK_BYTES", SMALL)
    monkeypatch.setattr(cipher, "_SEALED_CHUNK", SEALED)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def opened(sealed: bytes, context: str = "a", key: Secret = KEY) -> Opened:
    return Cipher(key).opened(lambda at, count: sealed[at : at + count], len(sealed), context)


def refused(sealed: bytes, context: str = "a", key: Secret = KEY) -> None:
    """It is refused in whole, and when it is read as a stream."""
    assert Cipher(key).unseal(sealed, context) is None
    with pytest.raises(VerificationError):
        list(opened(sealed, context, key).read())


SIZES = [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL, 3 * SMALL + 5]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("size", SIZES)
def test_it_comes_back_and_is_as_large_as_foretold(size: int) -> None:
    sealed = Cipher(KEY).seal(content(size), "a")
    assert Cipher(KEY).unseal(sealed, "a") == content(size)
    assert len(sealed) == Cipher(KEY).size(size)
    assert opened(sealed).size == size
    assert size < 3 or content(size) not in sealed


@pytest.mark.parametrize("size", [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_chunks_of_a_mebibyte(size: int) -> None:
    sealed = Cipher(KEY).seal(content(size), "a")
    assert len(sealed) == Cipher(KEY).size(size)
    assert Cipher(KEY).unseal(sealed, "a") == content(size)
    assert all(len(chunk) <= CHUNK_BYTES for chunk in opened(sealed).read())


@pytest.mark.usefixtures("small_chunks")
@settings(max_examples=200)
@given(data=st.binary(max_size=100), cuts=st.lists(st.integers(0, 100), max_size=8), context=st.text(max_size=20))
def test_pieces_of_any_size_are_sealed(data: bytes, cuts: list[int], context: str) -> None:
    marks = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(marks)]
    sealer = Cipher(KEY).sealer(context)
    sealed = b"".join(map(sealer.feed, pieces)) + sealer.finish()
    assert len(sealed) == Cipher(KEY).size(len(data))
    assert Cipher(KEY).unseal(sealed, context) == data


@pytest.mark.usefixtures("small_chunks")
@settings(max_examples=200)
@given(size=st.integers(0, 100), start=st.integers(0, 120), length=st.none() | st.integers(0, 120))
def test_any_range_is_read_from_the_chunks_that_hold_it(size: int, start: int, length: int | None) -> None:
    sealed = Cipher(KEY).seal(content(size), "a")
    asked: list[int] = []

    def read(at: int, count: int) -> bytes:
        asked.append(count)
        return sealed[at : at + count]

    found = b"".join(Cipher(KEY).opened(read, len(sealed), "a").read(start, length))
    assert found == content(size)[start : None if length is None else start + length]
    assert len(asked) - 1 <= len(found) // SMALL + 2


@pytest.mark.usefixtures("small_chunks")
@settings(max_examples=200)
@given(size=st.integers(0, 100), bit=st.integers(0))
def test_every_bit_counts(size: int, bit: int) -> None:
    sealed = bytearray(Cipher(KEY).seal(content(size), "a"))
    bit %= len(sealed) * 8
    sealed[bit // 8] ^= 1 << bit % 8
    refused(bytes(sealed))


@pytest.mark.usefixtures("small_chunks")
@settings(max_examples=200)
@given(size=st.integers(0, 100), cut=st.integers(0), more=st.binary(max_size=40))
def test_it_cannot_be_cut_or_made_longer(size: int, cut: int, more: bytes) -> None:
    sealed = Cipher(KEY).seal(content(size), "a")
    changed = sealed[: cut % (len(sealed) + 1)] + more
    if changed != sealed:
        refused(changed)


def chunk(sealed: bytes, number: int) -> bytes:
    start = HEADER_BYTES + number * SEALED
    return sealed[start : start + SEALED]


CHANGES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "reordered": lambda one, _: one[:HEADER_BYTES] + chunk(one, 1) + chunk(one, 0) + one[HEADER_BYTES + 2 * SEALED :],
    "left out": lambda one, _: one[:HEADER_BYTES] + one[HEADER_BYTES + SEALED :],
    "repeated": lambda one, _: one[: HEADER_BYTES + SEALED] + one[HEADER_BYTES:],
    "last chunk gone": lambda one, _: one[: HEADER_BYTES + 3 * SEALED],
    "chunk of another": lambda one, other: (
        one[: HEADER_BYTES + SEALED] + chunk(other, 1) + one[HEADER_BYTES + 2 * SEALED :]
    ),
    "head of another": lambda one, other: other[:HEADER_BYTES] + one[HEADER_BYTES:],
    "another version": lambda one, _: one[:7] + b"\x02" + one[8:],
    "nothing": lambda *_: b"",
    "no sealed content": lambda *_: b"x" * 200,
}


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("name", CHANGES)
def test_chunks_keep_their_place(name: str) -> None:
    one, other = (Cipher(KEY).seal(content(4 * SMALL), "a") for _ in range(2))
    refused(CHANGES[name](one, other))


def test_another_key_or_context_opens_nothing() -> None:
    sealed = Cipher(KEY).seal(b"transcript", "personas/a.yaml v1")
    refused(sealed, "personas/b.yaml v1")
    refused(sealed, "personas/a.yaml v1", Secret("2e" * 32))


def test_a_range_of_damaged_content_is_refused_where_the_damage_is() -> None:
    sealed = bytearray(Cipher(KEY).seal(content(3 * CHUNK_BYTES), "a"))
    sealed[-1] ^= 1
    assert b"".join(opened(bytes(sealed)).read(0, CHUNK_BYTES)) == content(3 * CHUNK_BYTES)[:CHUNK_BYTES]
    with pytest.raises(VerificationError, match="damaged"):
        list(opened(bytes(sealed)).read(2 * CHUNK_BYTES))


def test_equal_content_is_never_sealed_equally() -> None:
    sealed = {Cipher(KEY).seal(b"same", "a") for _ in range(50)}
    assert len(sealed) == 50
    assert len({item[HEADER_BYTES:] for item in sealed}) == 50


def test_the_key_has_a_fingerprint_and_is_not_shown() -> None:
    one = Cipher(KEY)
    assert one.key_id == Cipher(Secret("1F" * 32)).key_id != Cipher(Secret("2e" * 32)).key_id
    assert len(one.key_id) == 16
    assert one.key_id not in KEY.reveal()
    assert KEY.reveal() not in repr(vars(one)) + repr(vars(one.sealer("a"))) + repr(vars(opened(one.seal(b"", "a"))))


def test_without_the_library_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ConfigError) as caught:
        Cipher(KEY)
    assert "persona[encrypt]" in caught.value.hint
