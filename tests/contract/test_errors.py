"""Errors: what goes wrong at the provider comes as this project's own error, from every call."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest

from persona.errors import BucketNotFoundError, CredentialsError, PersonaError, UnreachableError
from persona.storage.backend import IfAbsent, StorageBackend
from tests.contract.helpers import MIB, block, scanned, stream
from tests.contract.places import Place


async def delete_two(storage: StorageBackend) -> None:
    """Delete in bulk, and raise what came back for the first."""
    failed = await storage.delete_many(["a", "b"])
    assert failed.keys() == {"a", "b"}
    raise failed["a"]


CALLS: dict[str, Callable[[StorageBackend], Awaitable[object]]] = {
    "read": lambda storage: storage.read("a"),
    "open": lambda storage: storage.open("a"),
    "open a range": lambda storage: storage.open("a", start=5, length=5),
    "write": lambda storage: storage.write("a", b"x"),
    "write if absent": lambda storage: storage.write("a", b"x", condition=IfAbsent()),
    "write big": lambda storage: storage.write("a", b"x" * (11 * MIB)),
    "write_stream": lambda storage: storage.write_stream("a", stream([b"x"])),
    "write_stream big": lambda storage: storage.write_stream("a", stream(block(n) for n in range(11))),
    "stat": lambda storage: storage.stat("a"),
    "exists": lambda storage: storage.exists("a"),
    "list": lambda storage: storage.list("a"),
    "list all": lambda storage: storage.list(),
    "scan": scanned,
    "copy": lambda storage: storage.copy("a", "b"),
    "delete": lambda storage: storage.delete("a"),
    "delete_many": delete_two,
}


async def fails(place: Place, name: str, expected: type[PersonaError]) -> PersonaError:
    """Call once, and return the error, which must be the expected one and must say what to do."""
    storage = place.open()
    try:
        with pytest.raises(expected) as caught:
            await CALLS[name](storage)
    finally:
        await storage.close()
    assert caught.value.message
    assert caught.value.hint
    assert "testsecret" not in f"{caught.value} {caught.value.hint}"
    return caught.value


@pytest.mark.needs("bucket")
@pytest.mark.parametrize("name", CALLS)
async def test_a_missing_bucket(place: Place, name: str) -> None:
    error = await fails(place.without_bucket(), name, BucketNotFoundError)
    assert "there-is-no-such-bucket-3141" in error.message


@pytest.mark.needs("credentials")
@pytest.mark.parametrize("name", CALLS)
async def test_wrong_credentials(place: Place, name: str) -> None:
    await fails(place.with_wrong_key(), name, CredentialsError)


@pytest.mark.needs("endpoint")
@pytest.mark.parametrize("name", CALLS)
async def test_nothing_listens(place: Place, name: str) -> None:
    began = time.monotonic()
    error = await fails(place.unreachable(), name, UnreachableError)
    assert error.temporary
    assert time.monotonic() - began < 10
