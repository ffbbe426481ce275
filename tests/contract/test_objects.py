"""One object: written, read, described, copied, deleted."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest

from persona.errors import ConflictError, InputError, NotFoundError
from persona.storage.backend import IfVersion, StorageBackend
from persona.storage.content_headers import ContentHeaders
from tests.contract.helpers import digest_of, listed, received, stream
from tests.contract.places import Place


async def test_a_write_is_read(storage: StorageBackend) -> None:
    await storage.write("folder/a.txt", b"hello")
    assert await storage.read("folder/a.txt") == b"hello"


async def test_any_bytes_come_back(storage: StorageBackend) -> None:
    content = bytes(range(256)) * 300
    await storage.write("bytes", content)
    assert await storage.read("bytes") == content


async def test_an_overwrite_replaces_the_whole(storage: StorageBackend) -> None:
    await storage.write("a", b"a long first content")
    await storage.write("a", b"short")
    assert await storage.read("a") == b"short"
    assert (await storage.stat("a")).size == 5


async def test_an_empty_object(storage: StorageBackend) -> None:
    written = await storage.write("empty", b"")
    assert written.size == 0
    assert await storage.read("empty") == b""
    assert await received(storage, "empty") == b""
    assert await storage.exists("empty")
    assert [(found.path, found.size) for found in await storage.list()] == [("empty", 0)]


async def test_the_result_of_a_write_describes_it(storage: StorageBackend) -> None:
    before = datetime.now(UTC) - timedelta(minutes=5)
    written = await storage.write("a.json", b"{}")
    assert (written.path, written.size) == ("a.json", 2)
    assert before < written.last_modified < datetime.now(UTC) + timedelta(minutes=5)
    assert written.version == (await storage.stat("a.json")).version


async def test_stat_and_listing_agree(storage: StorageBackend) -> None:
    await storage.write("a/b.yaml", b"name: Sarah\n")
    described = await storage.stat("a/b.yaml")
    (found,) = await storage.list("a")
    assert (found.path, found.size, found.version) == (described.path, described.size, described.version)
    assert abs(found.last_modified - described.last_modified) < timedelta(seconds=2)
    assert described.last_modified.utcoffset() == timedelta(0)


async def test_an_opened_object_describes_itself(storage: StorageBackend) -> None:
    written = await storage.write("a.md", b"# Sarah", metadata={"by": "Kim"})
    download = await storage.open("a.md")
    assert (download.object.path, download.object.size) == ("a.md", 7)
    assert download.object.version == written.version
    await download.close()


async def test_a_digest_is_that_of_the_content(storage: StorageBackend) -> None:
    content = "Ein Inhalt, 日本".encode() * 50
    written = await storage.write("a", content)
    for found in (written, await storage.stat("a"), *await storage.list()):
        if found.digest is not None:
            assert found.digest == digest_of(found.digest.algorithm, content)


@pytest.mark.needs("version per write")
async def test_the_same_bytes_again_are_a_new_version(storage: StorageBackend) -> None:
    versions = {(await storage.write("a", b"same")).version for _ in range(10)}
    assert len(versions) == 10


async def test_other_bytes_are_a_new_version(storage: StorageBackend) -> None:
    versions = [(await storage.write("a", bytes([number]))).version for number in range(10)]
    assert len(set(versions)) == 10
    assert (await storage.stat("a")).version == versions[-1]


async def test_a_deleted_object_is_gone(storage: StorageBackend) -> None:
    await storage.write("a/b/c", b"x")
    await storage.delete("a/b/c")
    assert not await storage.exists("a/b/c")
    assert await listed(storage) == []
    with pytest.raises(NotFoundError):
        await storage.read("a/b/c")


async def test_a_deleted_object_can_be_written_again(storage: StorageBackend) -> None:
    await storage.write("a", b"1", metadata={"old": "yes"})
    await storage.delete("a")
    await storage.write("a", b"2")
    assert await storage.read("a") == b"2"
    assert dict((await storage.stat("a")).metadata or {}) == {}


async def test_deleting_what_is_not_there_is_no_error(storage: StorageBackend) -> None:
    await storage.delete("never/was")
    await storage.write("never/other", b"x")
    await storage.delete("never/was")
    assert await storage.read("never/other") == b"x"


async def test_deleting_leaves_the_neighbours(storage: StorageBackend) -> None:
    for path in ("a", "a/b", "a/c", "a-b", "ab"):
        await storage.write(path, path.encode())
    await storage.delete("a/b")
    assert await listed(storage) == ["a", "a-b", "a/c", "ab"]
    await storage.delete("a")
    assert await listed(storage) == ["a-b", "a/c", "ab"]
    assert not await storage.exists("a")


async def test_deleting_many_with_some_that_are_missing(storage: StorageBackend, place: Place) -> None:
    """Several batches: of 1,000 on S3, 256 on Azure, 100 on GCS."""
    import asyncio

    kept = ["keep/1", "keep/2", "team-old/x"]
    gone = [f"team/{number:04}" for number in range(300)]
    await asyncio.gather(*(storage.write(path, b"x") for path in kept + gone))
    missing = [f"missing/{number}" for number in range(2200 if place.settings.backend == "s3" else 500)]
    failed = await storage.delete_many([*gone, *missing])
    assert failed == {}
    assert await listed(storage) == kept


async def test_deleting_under_a_condition(storage: StorageBackend) -> None:
    first = await storage.write("team/a", b"first")
    second = await storage.write("team/a", b"second")
    with pytest.raises(ConflictError):
        await storage.delete("team/a", condition=IfVersion(first.version))
    assert await storage.read("team/a") == b"second"
    await storage.delete("team/a", condition=IfVersion(second.version))
    assert not await storage.exists("team/a")
    await storage.delete("team/a", condition=IfVersion(second.version))  # already gone


async def test_deleting_many_under_conditions(storage: StorageBackend) -> None:
    versions = {path: (await storage.write(path, path.encode())).version for path in ("a", "b", "c", "d")}
    await storage.write("b", b"another")
    conditions = {path: IfVersion(version) for path, version in versions.items() if path != "d"}
    conditions["gone"] = IfVersion(versions["a"])
    failed = await storage.delete_many(["a", "b", "c", "d", "gone"], conditions=conditions)
    assert {path: type(error) for path, error in failed.items()} == {"b": ConflictError}
    assert await listed(storage) == ["b"]
    assert await storage.read("b") == b"another"


async def test_deleting_none(storage: StorageBackend) -> None:
    assert await storage.delete_many([]) == {}


async def test_exists_is_of_objects_and_not_of_folders(storage: StorageBackend) -> None:
    await storage.write("folder/a", b"x")
    assert await storage.exists("folder/a")
    assert not await storage.exists("folder")
    assert not await storage.exists("folder/a/b")
    assert not await storage.exists("fold")
    assert not await storage.exists("folder/A")


@pytest.mark.parametrize("path", ["missing", "folder/missing", "folder/there/below", "folder"])
async def test_what_is_missing_is_not_found(storage: StorageBackend, path: str) -> None:
    await storage.write("folder/there", b"x")
    for call in (storage.read, storage.stat, storage.open):
        with pytest.raises(NotFoundError):
            await call(path)
    with pytest.raises(NotFoundError):
        await storage.copy(path, "target")
    assert not await storage.exists(path)
    assert not await storage.exists("target")


async def test_an_object_and_a_folder_of_one_name(storage: StorageBackend) -> None:
    await storage.write("x", b"object", metadata={"kept": "yes"})
    await storage.write("x/y", b"below")
    assert await storage.read("x") == b"object"
    assert await storage.read("x/y") == b"below"
    assert dict((await storage.stat("x")).metadata or {}) == {"kept": "yes"}
    assert await listed(storage, "x") == ["x", "x/y"]
    await storage.write("x", b"again")
    await storage.write("z/y", b"below")
    await storage.write("z", b"object")
    assert await listed(storage) == ["x", "x/y", "z", "z/y"]
    assert await storage.read("x") == b"again"
    await storage.delete("x")
    assert await listed(storage) == ["x/y", "z", "z/y"]
    await storage.delete("z/y")
    assert await storage.read("z") == b"object"
    await storage.write("z", b"once more")
    assert await listed(storage) == ["x/y", "z"]
    assert await storage.read("z") == b"once more"


METADATA = {
    "plain": {"author": "Kim", "study": "2025"},
    "values": {"title": "Überblick 日本 🙂", "quote": "“Ja” & 100 % = ~*'\"<>|:,;", "padded": "  spaces  "},
    "names": {"with-dash": "1", "UPPER": "2", "Mixed_Case": "3", "a space": "4", "é": "5", "x.y/z": "6"},
    "alike": {"name": "lower", "Name": "upper", "NAME": "shout"},
    "empty": {"nothing": ""},
    "lines": {"text": "one\ntwo\ttabbed"},
    "escapes": {"percent": "%41 =?utf-8?Q?no?=", "_x41_": "_", "%2D": "%", "coded": "=?utf-8?Q?no?="},
    "order": {"a_b": "1", "a1": "2", "ab": "3", "a_1": "4", "a": "5", "a_": "6", "A_B": "7", "a-b": "8", "a.b": "9"},
    "spaces": {"two": "a  b", "tab": "a\tb", "break": "a\r\nx-amz-meta-b: c", "name\r\nwith: break": "d"},
    "packed": {"persona-packed": "e30=", "persona_packed": "x", "Persona-Packed": "y"},
}
HEADERS = {
    "all": ContentHeaders("gzip", "de-DE, en", 'attachment; filename="a b.txt"', "no-cache, max-age=5"),
    "odd": ContentHeaders(
        content_disposition="attachment; filename*=UTF-8''%C3%A9; filename=\"é  日\"",
        cache_control="private\r\nx-injected: yes",
        expires="Thu, 01 Dec 2044 16:00:00 GMT",
    ),
}


@pytest.mark.parametrize("kind", METADATA)
async def test_metadata_comes_back(storage: StorageBackend, kind: str) -> None:
    await storage.write("a.yaml", b"x", metadata=METADATA[kind])
    assert dict((await storage.stat("a.yaml")).metadata or {}) == METADATA[kind]


@pytest.mark.parametrize("kind", HEADERS)
async def test_the_headers_of_the_content_come_back(storage: StorageBackend, kind: str) -> None:
    """From each way to write and to read; what was compressed is read as it is stored."""
    content, headers = gzip.compress(b"# Sarah"), HEADERS[kind]
    for path in ("whole.md", "streamed.md"):
        if path == "whole.md":
            written = await storage.write(path, content, content_type="text/odd\n", headers=headers)
        else:
            written = await storage.write_stream(path, stream([content]), metadata={"a_b": "1"}, headers=headers)
        assert written.headers == headers
        described = await storage.stat(path)
        assert described.headers == headers
        assert described.content_type == ("text/odd\n" if path == "whole.md" else "text/markdown")
        download = await storage.open(path)
        assert b"".join([chunk async for chunk in download]) == content
        assert download.object.headers in (headers, None)
    await storage.copy("streamed.md", "copied.md")
    described = await storage.stat("copied.md")
    assert (described.headers, dict(described.metadata or {})) == (headers, {"a_b": "1"})
    for found in await storage.list():
        assert found.headers in (headers, None)
    await storage.write("whole.md", b"plain")
    assert (await storage.stat("whole.md")).headers == ContentHeaders()


async def test_metadata_of_a_stream(storage: StorageBackend) -> None:
    await storage.write_stream("a.yaml", stream([b"x", b"y"]), metadata=METADATA["values"], content_type="a/b")
    described = await storage.stat("a.yaml")
    assert dict(described.metadata or {}) == METADATA["values"]
    assert described.content_type == "a/b"


async def test_metadata_goes_with_an_overwrite(storage: StorageBackend) -> None:
    await storage.write("a", b"1", metadata={"first": "1", "both": "1"})
    await storage.write("a", b"2", metadata={"both": "2"})
    assert dict((await storage.stat("a")).metadata or {}) == {"both": "2"}
    await storage.write("a", b"3")
    assert dict((await storage.stat("a")).metadata or {}) == {}


async def test_large_metadata_is_kept_or_refused(storage: StorageBackend) -> None:
    metadata = {f"name-{number}": "é" * 1000 for number in range(20)}
    try:
        await storage.write("a", b"x", metadata=metadata)
    except InputError:
        assert not await storage.exists("a")
    else:
        assert dict((await storage.stat("a")).metadata or {}) == metadata


async def test_metadata_that_is_no_text_is_refused(storage: StorageBackend) -> None:
    with pytest.raises(InputError):
        await storage.write("a", b"x", metadata={"half": "\ud800"})
    with pytest.raises(InputError):
        await storage.write("a", b"x", headers=ContentHeaders(content_disposition="\ud800"))
    assert not await storage.exists("a")


CONTENT_TYPES = {
    "a.yaml": "application/yaml",
    "a.yml": "application/yaml",
    "A.JSON": "application/json",
    "folder.json/a.md": "text/markdown",
    "a.csv": "text/csv",
    "a.txt": "text/plain",
    "a.unknown": "application/octet-stream",
    "no-ending": "application/octet-stream",
}


@pytest.mark.parametrize("path", CONTENT_TYPES)
async def test_the_content_type_follows_from_the_ending(storage: StorageBackend, path: str) -> None:
    await storage.write(path, b"x")
    assert (await storage.stat(path)).content_type == CONTENT_TYPES[path]


async def test_a_content_type_that_is_given_is_kept(storage: StorageBackend) -> None:
    await storage.write("a.yaml", b"x", content_type="text/plain; charset=utf-8")
    assert (await storage.stat("a.yaml")).content_type == "text/plain; charset=utf-8"
    await storage.write("a.yaml", b"x")
    assert (await storage.stat("a.yaml")).content_type == "application/yaml"


async def test_a_copy_is_the_same_with_all_that_belongs_to_it(storage: StorageBackend) -> None:
    content = bytes(range(256)) * 1000
    await storage.write("a/source.bin", content, content_type="image/png", metadata=METADATA["names"])
    copied = await storage.copy("a/source.bin", "b/target.yaml")
    assert (copied.path, copied.size) == ("b/target.yaml", len(content))
    assert await storage.read("b/target.yaml") == content
    described = await storage.stat("b/target.yaml")
    assert described.content_type == "image/png"
    assert dict(described.metadata or {}) == METADATA["names"]
    assert described.version == copied.version
    assert await storage.read("a/source.bin") == content


async def test_a_copy_replaces_its_target(storage: StorageBackend) -> None:
    await storage.write("source", b"new")
    await storage.write("target", b"old and longer", metadata={"old": "yes"})
    await storage.copy("source", "target")
    assert await storage.read("target") == b"new"
    assert dict((await storage.stat("target")).metadata or {}) == {}


async def test_a_copy_between_odd_names(storage: StorageBackend) -> None:
    await storage.write("ein Ordner/é+%25&=?.yaml", b"x")
    await storage.copy("ein Ordner/é+%25&=?.yaml", "日本/#1 (copy).yaml")
    assert await storage.read("日本/#1 (copy).yaml") == b"x"


async def test_the_url_says_where_and_tells_no_secret(storage: StorageBackend) -> None:
    url = storage.url("team/sarah.yaml")
    assert "://" in url
    assert url.endswith("team/sarah.yaml")
    assert "testsecret" not in url
    assert "@" not in url
    assert url.startswith(storage.url())


async def test_closing_twice_is_fine(storage: StorageBackend) -> None:
    await storage.write("a", b"x")
    await storage.close()
    await storage.close()
