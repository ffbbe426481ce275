from __future__ import annotations

import asyncio

import pytest

from persona.errors import (
    AlreadyExistsError,
    BucketNotFoundError,
    ConflictError,
    InputError,
    NotFoundError,
    UnreachableError,
)
from persona.personas import document
from persona.personas.export import export
from persona.personas.generate.provider import Generated
from persona.personas.library import Refused, find, load, save
from persona.storage.backend import RefusedName, StorageObject
from persona.storage.paths import sort_key
from persona.storage.reserved import is_reserved
from tests.personas.memory import MemoryBackend


def paths_of(examples: Generated) -> list[str]:
    return [f"team/{persona.id}.yaml" for persona in examples.personas]


def test_save_writes_one_file_a_persona(examples: Generated) -> None:
    storage = MemoryBackend()
    written = asyncio.run(save(storage, "./team/", examples.personas))
    assert written == paths_of(examples) == list(storage.objects)
    data, _, content_type = storage.objects[written[0]]
    assert document.read("p", data) == examples.personas[0]
    assert content_type == "application/yaml"


def test_a_second_run_overwrites_nothing(examples: Generated) -> None:
    storage = MemoryBackend()
    taken = paths_of(examples)[1]
    storage.put(taken, b"mine")
    with pytest.raises(AlreadyExistsError, match=f"This is there already: {taken}. Nothing was written") as caught:
        asyncio.run(save(storage, "team", examples.personas))
    assert caught.value.exit_code == 6
    assert "--overwrite" in caught.value.hint
    assert storage.writes == []
    storage.put(paths_of(examples)[0], b"mine too")
    with pytest.raises(AlreadyExistsError, match="These are there already"):
        asyncio.run(save(storage, "team", examples.personas))


def test_overwrite_replaces_what_was_seen(examples: Generated) -> None:
    storage = MemoryBackend()
    storage.put(paths_of(examples)[0], b"old")
    asyncio.run(save(storage, "team", examples.personas, overwrite=True))
    assert storage.objects[paths_of(examples)[0]][0] == document.write(examples.personas[0])
    assert [data for path, (data, *_) in storage.objects.items() if is_reserved(path)] == [b"old"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_somebody_else_in_between_is_a_conflict_and_says_what_was_written(examples: Generated, overwrite: bool) -> None:
    storage = MemoryBackend()
    first, second = paths_of(examples)[:2]
    if overwrite:
        storage.put(second, b"old")

    def meddle(path: str) -> None:
        if path == second:
            storage.put(path, b"theirs")

    storage.before_write = meddle
    with pytest.raises(ConflictError, match=f"wrote {second} meanwhile. Written before: {first}.") as caught:
        asyncio.run(save(storage, "team", examples.personas, overwrite=overwrite))
    assert caught.value.exit_code == 6
    assert storage.objects[second][0] == b"theirs"
    assert [path for path in storage.writes if not is_reserved(path)] == [first]


def test_an_outage_midway_says_what_was_written(examples: Generated) -> None:
    storage = MemoryBackend()
    first, second = paths_of(examples)[:2]

    def fail(path: str) -> None:
        if path == second:
            raise UnreachableError("No answer.")

    storage.before_write = fail
    with pytest.raises(UnreachableError, match=f"No answer. Written before: {first}."):
        asyncio.run(save(storage, "team", examples.personas))


def test_load_reports_what_is_no_persona_and_goes_on(examples: Generated) -> None:
    storage = MemoryBackend()
    asyncio.run(save(storage, "team", examples.personas))
    storage.put("team/broken.yaml", b"a: [")
    storage.put("team/foreign.yml", b"a: 1")
    storage.put("team/notes.txt", b"not looked at")
    storage.put("team-old/x.yaml", b"elsewhere")
    storage.refused = [RefusedName("team/a//b.yaml", "it has an empty segment")]
    library = asyncio.run(load(storage, "team/"))
    assert [path for path, _ in library.personas] == sorted(paths_of(examples), key=sort_key)
    assert [item.path for item in library.refused] == [
        "team/broken.yaml",
        "team/foreign.yml",
        "team/a//b.yaml",
    ]
    assert library.refused[2] == Refused("team/a//b.yaml", "it has an empty segment")


def test_load_of_one_file_of_nothing_and_of_an_empty_root(examples: Generated) -> None:
    storage = MemoryBackend()
    assert asyncio.run(load(storage, "")).personas == []
    with pytest.raises(NotFoundError, match="nothing at memory://team"):
        asyncio.run(load(storage, "team"))
    asyncio.run(save(storage, "team", examples.personas))
    single = asyncio.run(load(storage, paths_of(examples)[0]))
    assert [persona for _, persona in single.personas] == [examples.personas[0]]


class Vanishing(MemoryBackend):
    """Objects that are gone when they are read, or a bucket that is."""

    error: type[NotFoundError] = NotFoundError

    async def read(self, path: str) -> bytes:
        raise self.error("Gone.")

    async def stat(self, path: str) -> StorageObject:
        raise self.error("Gone.")


def test_what_vanished_since_the_listing_is_passed_over_but_a_missing_bucket_is_not(
    examples: Generated,
) -> None:
    storage = Vanishing()
    storage.put("team/a.yaml", b"x")
    assert asyncio.run(load(storage, "team")).personas == []
    storage.error = BucketNotFoundError
    for work in (load(storage, "team"), find(storage, "team/a"), save(storage, "team", examples.personas)):
        with pytest.raises(BucketNotFoundError):
            asyncio.run(work)


def test_too_large_is_not_read(examples: Generated, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MemoryBackend()
    storage.put("team/a.yaml", b"x" * 20)
    monkeypatch.setattr(document, "MAX_BYTES", 10)
    assert "too large" in asyncio.run(load(storage, "team")).refused[0].reason


def test_find_by_path_and_by_id(examples: Generated) -> None:
    storage = MemoryBackend()
    asyncio.run(save(storage, "team", examples.personas))
    persona = examples.personas[0]
    for path, key in (
        (f"team/{persona.id}.yaml", None),
        (f"./team/{persona.id}", None),
        ("team/", persona.id),
    ):
        assert asyncio.run(find(storage, path, key)) == (f"team/{persona.id}.yaml", persona)
    for path, key in (("team", "nobody"), ("team/nobody.yaml", None), ("", None)):
        with pytest.raises(NotFoundError, match="no persona at"):
            asyncio.run(find(storage, path, key))
    storage.put("team/broken.yaml", b"a: [")
    with pytest.raises(InputError):
        asyncio.run(find(storage, "team/broken"))


def test_the_same_library_exports_the_same_bytes_anywhere(examples: Generated) -> None:
    one, other = MemoryBackend("s3://a/"), MemoryBackend("file:///b/")
    asyncio.run(save(one, "team", examples.personas))
    asyncio.run(save(other, "team", list(reversed(examples.personas))))
    for format_name in ("yaml", "json", "markdown", "csv"):
        found = {export(asyncio.run(load(storage, "team")).personas, format_name) for storage in (one, other)}
        assert len(found) == 1
