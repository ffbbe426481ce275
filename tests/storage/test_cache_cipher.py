"""Sealed content comes back, and anything else than what was sealed, where it was sealed, is noticed."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona.config.secret import Secret
from persona.errors import ConfigError
from persona.storage.cache import sealing
from persona.storage.cache.cipher import Cipher
from persona.storage.cache.sealing import CHUNK_BYTES, seal_whole, size_of, unseal_whole

KEY = Secret("1f" * 32)
OTHER = Secret("2e" * 32)
SMALL = 16


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16 bytes, so that little content has many."""
    monkeypatch.setattr(sealing, "CHUNK_BYTES", SMALL)


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def sealed_file(data: bytes, file: str = "f", key: Secret = KEY) -> bytes:
    return b"".join(seal_whole(Cipher(key), file, data))


@given(data=st.binary(max_size=300), context=st.text(max_size=20))
def test_a_piece_comes_back_and_is_as_large_as_foretold(data: bytes, context: str) -> None:
    sealed = Cipher(KEY).seal(data, context)
    assert Cipher(KEY).unseal(sealed, context) == data
    assert len(sealed) == Cipher(KEY).size(len(data))
    assert len(data) < 4 or data not in sealed


@settings(max_examples=300)
@given(data=st.binary(max_size=100), bit=st.integers(0))
def test_every_bit_of_a_piece_counts(data: bytes, bit: int) -> None:
    sealed = bytearray(Cipher(KEY).seal(data, "a"))
    bit %= len(sealed) * 8
    sealed[bit // 8] ^= 1 << bit % 8
    assert Cipher(KEY).unseal(bytes(sealed), "a") is None


@settings(max_examples=300)
@given(data=st.binary(max_size=100), cut=st.integers(0), more=st.binary(max_size=40))
def test_a_piece_cannot_be_cut_or_made_longer(data: bytes, cut: int, more: bytes) -> None:
    sealed = Cipher(KEY).seal(data, "a")
    changed = sealed[: cut % (len(sealed) + 1)] + more
    assert changed == sealed or Cipher(KEY).unseal(changed, "a") is None


@given(one=st.text(max_size=10), other=st.text(max_size=10))
def test_another_key_or_context_opens_nothing(one: str, other: str) -> None:
    sealed = Cipher(KEY).seal(b"transcript", one)
    assert Cipher(KEY).unseal(sealed, other) == (b"transcript" if one == other else None)
    assert Cipher(OTHER).unseal(sealed, one) is None


@pytest.mark.parametrize("data", [b"", b"\x01", b"transcript", b"x" * 200])
def test_what_was_never_sealed_opens_as_nothing(data: bytes) -> None:
    assert Cipher(KEY).unseal(data, "a") is None


def test_equal_pieces_are_never_sealed_equally() -> None:
    assert len({Cipher(KEY).seal(b"same", "a")[33:] for _ in range(50)}) == 50


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL, 3 * SMALL + 5])
def test_a_file_comes_back_and_is_as_large_as_foretold(size: int) -> None:
    sealed = sealed_file(content(size))
    assert unseal_whole(Cipher(KEY), "f", sealed) == content(size)
    assert len(sealed) == size_of(Cipher(KEY), size)


@pytest.mark.parametrize("size", [CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_file_of_chunks_of_a_mebibyte(size: int) -> None:
    sealed = sealed_file(content(size))
    assert len(sealed) == size_of(Cipher(KEY), size)
    assert unseal_whole(Cipher(KEY), "f", sealed) == content(size)


STEP = Cipher(KEY).size(SMALL)
CHANGES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "reordered": lambda one, _: one[STEP : 2 * STEP] + one[:STEP] + one[2 * STEP :],
    "first left out": lambda one, _: one[STEP:],
    "repeated": lambda one, _: one[:STEP] + one,
    "last left out": lambda one, _: one[:-STEP],
    "cut": lambda one, _: one[:-1],
    "longer": lambda one, _: one + b"x",
    "chunk of another": lambda one, other: one[:STEP] + other[STEP : 2 * STEP] + one[2 * STEP :],
    "last of another": lambda one, other: one[:-STEP] + other[-STEP:],
    "another": lambda _, other: other,
    "nothing": lambda *_: b"",
}


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("name", CHANGES)
def test_chunks_keep_their_file_and_their_place(name: str) -> None:
    one, other = sealed_file(content(4 * SMALL), "f"), sealed_file(content(4 * SMALL), "g")
    assert unseal_whole(Cipher(KEY), "f", CHANGES[name](one, other)) is None


def test_the_key_has_a_fingerprint_and_is_not_shown() -> None:
    one = Cipher(KEY)
    assert one.key_id == Cipher(Secret("1F" * 32)).key_id != Cipher(OTHER).key_id
    assert len(one.key_id) == 16
    assert one.key_id not in KEY.reveal()
    assert KEY.reveal() not in repr(vars(one))


def test_without_the_library_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.kdf.hkdf", None)
    with pytest.raises(ConfigError) as caught:
        Cipher(KEY)
    assert "persona[encrypt]" in caught.value.hint
