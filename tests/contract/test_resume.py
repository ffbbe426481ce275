"""Uploads that were left, and go on: by another task, another backend, another process."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from persona.errors import AlreadyExistsError, ConflictError, PersonaError, VerificationError
from persona.storage.backend import Condition, IfAbsent, IfVersion, StorageBackend
from persona.storage.content_headers import ContentHeaders
from tests.contract import helpers
from tests.contract.helpers import MIB, Notebook, StreamBrokeError, block, listed, stream
from tests.contract.places import Place

pytestmark = pytest.mark.needs("bodies over 1 MB")
BLOCKS = 14
CONTENT = [block(number) for number in range(BLOCKS)]
SIZE = BLOCKS * MIB
HEADERS = ContentHeaders("gzip", "de", "inline", "no-cache")
ATTRIBUTES: Any = {"content_type": "text/x-odd", "metadata": {"a": "é"}, "headers": HEADERS}


async def leave(storage: StorageBackend, notebook: Notebook) -> None:
    """Begin an upload, and cancel it after 12 of 14 MiB."""
    await helpers.leave(storage, notebook, CONTENT[:12], SIZE, **ATTRIBUTES)


async def go_on(
    storage: StorageBackend,
    notebook: Notebook,
    content: Iterable[bytes] = CONTENT,
    *,
    condition: Condition | None = None,
) -> None:
    """Write the object again, with what was noted."""
    chunks = list(content)
    await storage.write_stream(
        "big",
        stream(chunks),
        size=sum(map(len, chunks)),
        checkpoint=notebook,
        condition=condition,
        **ATTRIBUTES,
    )


async def check(storage: StorageBackend, content: Iterable[bytes] = CONTENT) -> None:
    """Compare the object with what it should be."""
    assert await storage.read("big") == b"".join(content)
    described = await storage.stat("big")
    assert (described.content_type, dict(described.metadata or {})) == ("text/x-odd", {"a": "é"})
    assert described.headers == HEADERS


async def test_a_cancelled_upload_goes_on(place: Place) -> None:
    notebook = Notebook()
    first, second = place.open(), place.open()
    await leave(first, notebook)
    await first.close()
    assert await listed(second) == []
    await go_on(second, notebook)
    await check(second)
    assert await listed(second) == ["big"]
    await second.close()


@pytest.mark.needs("uploads in parts")
async def test_an_upload_notes_how_it_goes_on_and_no_secret(storage: StorageBackend, place: Place) -> None:
    notebook = Notebook()
    await leave(storage, notebook)
    assert notebook.token
    settings = place.settings
    for section in (settings.s3, settings.gcs, settings.azure):
        for item in dataclasses.fields(section):
            value = getattr(section, item.name)
            if value and hasattr(value, "reveal"):
                assert value.reveal() not in notebook.token
    await storage.abort_upload("big", notebook.token)


async def test_a_broken_stream_leaves_an_upload_that_goes_on(storage: StorageBackend) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        for number in range(11):
            yield block(number)
        raise StreamBrokeError

    notebook = Notebook()
    for _ in range(2):
        with pytest.raises(StreamBrokeError):
            await storage.write_stream("big", breaking(), size=SIZE, checkpoint=notebook, **ATTRIBUTES)
    await go_on(storage, notebook)
    await check(storage)


async def test_a_token_that_is_unknown_by_now_begins_anew(storage: StorageBackend) -> None:
    notebook = Notebook()
    await leave(storage, notebook)
    if notebook.token:
        await storage.abort_upload("big", notebook.token)
        await storage.abort_upload("big", notebook.token)
    await go_on(storage, notebook)
    await check(storage)


@pytest.mark.parametrize("token", ["", "nonsense", "[]", "[1, 2, 3]", '{"a": 1}', "null"])
async def test_a_token_that_is_none_begins_anew(storage: StorageBackend, token: str) -> None:
    await storage.abort_upload("big", token)
    await go_on(storage, Notebook(token))
    await check(storage)


async def test_parts_of_another_size_begin_anew(place: Place) -> None:
    notebook = Notebook()
    first = place.open()
    await leave(first, notebook)
    await first.close()
    larger = dataclasses.replace(place.settings.performance, chunk_size=6 * MIB)
    second = dataclasses.replace(place, settings=dataclasses.replace(place.settings, performance=larger)).open()
    await go_on(second, notebook)
    await check(second)
    await second.close()


@pytest.mark.parametrize("changed", [0, 6, 11, 13])
async def test_another_content_is_never_mixed_with_the_first(storage: StorageBackend, changed: int) -> None:
    notebook = Notebook()
    await leave(storage, notebook)
    other = [*CONTENT]
    other[changed] = block(99)
    try:
        await go_on(storage, notebook, other)
    except VerificationError:  # the provider cannot tell what it has, so that the upload begins anew the next time
        assert await listed(storage) == []
        assert notebook.token is None
        await go_on(storage, notebook, other)
    await check(storage, other)


async def test_a_shorter_content_is_never_mixed_with_the_first(storage: StorageBackend) -> None:
    notebook = Notebook()
    await leave(storage, notebook)
    for content in (CONTENT[:7], CONTENT[:1]):
        try:
            await go_on(storage, notebook, content)
        except VerificationError:
            await go_on(storage, notebook, content)
        await check(storage, content)


@pytest.mark.parametrize("known", [True, False])
async def test_a_condition_that_fails_gives_the_upload_up(storage: StorageBackend, known: bool) -> None:
    there = await storage.write("big", b"there")
    notebook = Notebook()
    condition: Condition = IfAbsent()
    if known:
        await storage.write("big", b"changed since")
        condition = IfVersion(there.version)
    with pytest.raises(ConflictError) as caught:
        await go_on(storage, notebook, condition=condition)
    assert isinstance(caught.value, AlreadyExistsError) is not known
    assert notebook.token is None


async def test_a_stream_of_another_length_gives_the_upload_up(storage: StorageBackend) -> None:
    notebook = Notebook()
    with pytest.raises(VerificationError):
        await storage.write_stream("big", stream(CONTENT[:12]), size=SIZE, checkpoint=notebook)
    assert notebook.token is None
    assert await listed(storage) == []


async def test_a_small_object_needs_no_checkpoint(storage: StorageBackend) -> None:
    notebook = Notebook()
    await storage.write_stream("small", stream([b"a", b"b"]), size=2, checkpoint=notebook)
    assert await storage.read("small") == b"ab"
    assert notebook.saved == []


async def test_a_checkpoint_that_cannot_be_saved_is_the_error(storage: StorageBackend) -> None:
    class Full(Notebook):
        async def save(self, token: str | None) -> None:
            raise PersonaError("no space for the journal")

    notebook = Full()
    try:
        await go_on(storage, notebook)
    except PersonaError as error:
        assert str(error) == "no space for the journal"
        assert await listed(storage) == []
    else:
        await check(storage)  # where there is nothing to note
