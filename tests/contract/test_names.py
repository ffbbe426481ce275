"""Names: whatever a storage path may be comes back as it was; what it may not be is refused everywhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable

import pytest

from persona.errors import NameRefusedError
from persona.storage.backend import IfAbsent, StorageBackend
from tests.contract.helpers import block, listed, scanned, stream
from tests.contract.places import LACKS, Place

pytestmark = pytest.mark.no_cover  # other cases run the same lines, and measuring them takes time

CHARACTERS = " +%#?&=~*'\"<>|:,;@!$()[]{}^`"

NAMES = [
    *(f"folder {character}/{character}x/a{character}b" for character in CHARACTERS),
    "é",
    "日本語/ペルソナ.yaml",
    "🙂/👩‍🔬.yaml",
    "עברית/العربية",
    "a%2Fb",
    "a%2fb/%41",
    "100%",
    "%",
    "%-",
    "%=",
    "x%=",
    "%tmp-1",
    "%25",
    "trailing dot.",
    "trailing dot./x",
    "...",
    "..x",
    ".hidden",
    ".persona",
    ".persona/locks",
    "x/.persona",
    "CON",
    "con.txt",
    "nul/aux",
    "LPT1.yaml",
    "~",
    "~/x",
    "C:/x",
    "-rf",
    "--",
    "a" * 200,
    "a" * 201 + "/b",
    "a=b&c=d",
    "http:/x",
    "name with  two spaces",
    "ends with space /x",
    "soft\u00adhyphen",
    "ﬀ ligature",
    "ß/ẞ",
    "I/İ/ı",
    "Interview 10:30.txt",
    'C++ "draft".md',
    "e\u0301/u\u0308.yaml",
    "é/u\u0308",
    ".PERSONA/x",
    "%~tmp-0123456789abcdef",
    "%~tmp-01234567e24922b0",
    "x%~=",
    "%~2Epersona/%~3A",
    "what?*",
    "\u2028",
    "n" * 255,
]


async def keeps(storage: StorageBackend, path: str) -> None:
    """Take one name through everything that is done with names."""
    await storage.write(path, b"content", metadata={"of": "it"})
    assert await storage.read(path) == b"content"
    assert await storage.exists(path)
    assert (await storage.stat(path)).path == path
    assert await listed(storage) == [path]
    assert await listed(storage, path.split("/")[0]) == [path]
    await storage.copy(path, f"copies/{path}")
    await storage.write_stream(path, stream([b"other"]))
    assert await storage.read(f"copies/{path}") == b"content"
    assert set(await scanned(storage)) == {path, f"copies/{path}"}
    assert await storage.delete_many([f"copies/{path}"]) == {}
    await storage.delete(path)
    assert await listed(storage) == []


@pytest.mark.parametrize("first", range(0, len(NAMES), 8))
async def test_names_are_kept(storage: StorageBackend, first: int) -> None:
    for path in NAMES[first : first + 8]:
        await keeps(storage, path)


@pytest.mark.needs("backslash")
async def test_a_backslash_is_kept(storage: StorageBackend) -> None:
    for path in ("a\\b", "folder\\/x", "\\"):
        await keeps(storage, path)


async def test_a_name_that_the_service_would_change_is_refused(storage: StorageBackend, place: Place) -> None:
    """A service that turns a backslash into a slash puts no object in another's place, and removes none."""
    await storage.write("a/b", b"1")
    if "backslash" not in LACKS[place.name]:
        await storage.write("a\\b", b"2")
        assert await storage.read("a/b") == b"1"
        return
    calls = (
        storage.write("a\\b", b"2"),
        storage.write("c\\d", b"2", condition=IfAbsent()),
        storage.write_stream("a\\b", stream([block(1), block(2)])),
        storage.copy("a/b", "a\\b"),
        storage.copy_from(storage, "a/b", "a\\b"),
    )
    for call in calls:
        with pytest.raises(NameRefusedError, match=r"a\\b|c\\d"):
            await call
    await storage.delete("a\\b")
    assert await storage.delete_many(["a\\b", "x\\y"]) == {}
    assert await storage.read("a/b") == b"1"
    assert await listed(storage) == ["a/b"]
    await storage.write("dot./name.", b"x")  # what the service keeps is not refused for it
    assert await listed(storage) == ["a/b", "dot./name."]


LONG_SEGMENTS = {
    "plain": "n" * 900,
    "two-byte characters": "é" * 450,
    "odd characters": "a%?:" * 225,
}

LONG = {
    "many segments": "/".join(["segment-of-some-length"] * 39) + "/ab",
    "segments of one character": "/".join("a" * 450),
    "emoji": "🙂/" * 179 + "🙂",
}


@pytest.mark.needs("long segments")
@pytest.mark.parametrize("kind", LONG_SEGMENTS)
async def test_a_segment_of_nine_hundred_bytes(storage: StorageBackend, kind: str) -> None:
    await keeps_long(storage, LONG_SEGMENTS[kind])


@pytest.mark.parametrize("kind", LONG)
async def test_a_name_of_nine_hundred_bytes(storage: StorageBackend, kind: str) -> None:
    await keeps_long(storage, LONG[kind])


async def keeps_long(storage: StorageBackend, path: str) -> None:
    """Take a long name through what is done with names."""
    assert 890 <= len(path.encode()) <= 900
    await storage.write(path, b"content")
    assert await storage.read(path) == b"content"
    assert await listed(storage) == [path]
    await storage.delete(path)
    assert await listed(storage) == []


async def test_long_names_sort_among_short_ones(storage: StorageBackend) -> None:
    paths = [
        letter * count + tail
        for letter in "ab"
        for count in (150, 197, 198, 199, 200, 230)
        for tail in ("", "!", "/x", "~", "é")
    ]
    for path in paths:
        await storage.write(path, b"x")
    assert await listed(storage) == sorted(paths, key=str.encode)


async def test_a_name_may_be_typed_as_a_folder_is(storage: StorageBackend) -> None:
    for given, meant in {"./a/b": "a/b", "a/b/": "a/b", "././a/": "a"}.items():
        assert (await storage.write(given, b"x")).path == meant
        assert await listed(storage) == [meant]
        assert await storage.read(meant) == await storage.read(given) == b"x"
        assert await storage.exists(given)
        await storage.delete(given)
        assert await listed(storage) == []


async def test_two_forms_of_a_name_are_two_objects(storage: StorageBackend) -> None:
    nfc, nfd = "Zo\u00eb/M\u00fcller.yaml", "Zoe\u0308/Mu\u0308ller.yaml"
    assert unicodedata.normalize("NFC", nfd) == nfc
    await storage.write(nfd, b"decomposed", condition=IfAbsent())
    assert not await storage.exists(nfc)
    assert await listed(storage, "Zo\u00eb") == []
    await storage.write(nfc, b"composed", condition=IfAbsent())
    assert await listed(storage) == sorted([nfc, nfd], key=str.encode)
    assert await storage.read(nfc) == b"composed"
    await storage.delete(nfc)
    assert await storage.read(nfd) == b"decomposed"
    assert await listed(storage) == [nfd]


REFUSED = {
    "slash first": "/a/b",
    "two slashes first": "//a",
    "two slashes last": "a//",
    "here and a slash": ".//a",
    "parent": "a/../b",
    "only parent": "..",
    "parent first": "../a",
    "parent last": "a/..",
    "here": "a/./b",
    "here last": "a/.",
    "empty segment": "a//b",
    "NUL": "a\0b",
    "newline": "a\nb",
    "tab": "a\tb",
    "escape": "\x1b[31m",
    "DEL": "a\x7f",
    "C1": "a\x85b",
    "1,025 bytes": "a" * 1025,
    "1,026 bytes of é": "é" * 513,
    "lone surrogate": "a\ud800b",
}

CALLS: dict[str, Callable[[StorageBackend, str], Awaitable[object]]] = {
    "read": lambda storage, path: storage.read(path),
    "open": lambda storage, path: storage.open(path),
    "write": lambda storage, path: storage.write(path, b"x"),
    "write_stream": lambda storage, path: storage.write_stream(path, stream([b"x"])),
    "stat": lambda storage, path: storage.stat(path),
    "exists": lambda storage, path: storage.exists(path),
    "list": lambda storage, path: storage.list(path),
    "scan": scanned,
    "scan after": lambda storage, path: scanned(storage, "", path),
    "copy from": lambda storage, path: storage.copy(path, "target"),
    "copy to": lambda storage, path: storage.copy("there", path),
    "delete": lambda storage, path: storage.delete(path),
}


async def test_a_name_is_refused_by_every_call(storage: StorageBackend) -> None:
    await storage.write("there", b"x")
    for name in REFUSED.values():
        for call in CALLS.values():
            with pytest.raises(NameRefusedError):
                await call(storage, name)
        failed = await storage.delete_many(["gone", name])
        assert {path: type(error) for path, error in failed.items()} == {name: NameRefusedError}
    assert await listed(storage) == ["there"]


async def test_the_root_is_no_object(storage: StorageBackend) -> None:
    await storage.write("there", b"x")
    for name, call in CALLS.items():
        if name in ("list", "scan", "scan after"):
            await call(storage, "")
            continue
        for root in ("", "/", "./", "."):
            with pytest.raises(NameRefusedError):
                await call(storage, root)
    assert await listed(storage) == ["there"]
