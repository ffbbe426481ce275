"""Five hundred hostile names, down from every provider and up to it: none leads out, none is lost without a word."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from persona.errors import PersonaError
from persona.storage.backend import IfAbsent, StorageBackend
from persona.storage.backends.local import LocalBackend
from persona.storage.paths import to_file
from persona.storage.stack import open_storage
from tests.faults import FaultProxy, Seen, _Handler, answer
from tests.hostile.test_answers import MAKES
from tests.serving import Server

PARTS = [
    *(
        "..",
        ".",
        "",
        "...",
        "..;",
        ".. ",
        "..\\..",
        "..%2f",
        "%2e%2e",
        "%2e%2e%2f",
        "%c0%ae%c0%ae",
        "~",
        "~root",
        "$HOME",
    ),
    *(
        "etc",
        "passwd",
        "CON",
        "con.txt",
        "NUL",
        "aux.yaml",
        "LPT1",
        "COM¹",
        "a:b",
        "C:",
        "\\\\server\\share",
        "a|b",
        "a?b",
    ),
    *(
        ".persona",
        ".PERSONA",
        "locks",
        ".git",
        "%-",
        "%=",
        "%tmp-1",
        "x%=",
        "a%",
        "%25",
        "a*",
        '"q"',
        "<b>",
        "'q'",
        "`id`",
    ),
    *(
        "a\nb",
        "a\rb",
        "a\tb",
        "a\0b",
        "\x1b[2J",
        "a\x7f",
        "a\x85b",
        "a\u2028b",
        "a\u202eb",
        "\u200b",
        "\ufeffx",
        "e\u0301",
        "é",
    ),
    *("ﬁ", "K", "ſ", "İ", "ı", "🙂", "👩‍🔬", "日本語", "עברית", "n" * 199, "n" * 200, "n" * 201, "é" * 150, "x" * 1100),
    *(
        "a ",
        " a",
        "a.",
        "-rf",
        "--help",
        "a;b",
        "a&b",
        "a+b",
        "a=b",
        "a#b",
        "a@b",
        "{a}",
        "[a]",
        "(a)",
        "^",
        "!",
        "$(id)",
    ),
]
HERE = b"content"


def hostile(count: int = 500) -> list[str]:
    """Return different names, the same at every call."""
    draw = random.Random(154)
    names = dict.fromkeys(PARTS)
    while len(names) < count + 1:
        names["/".join(draw.choices(PARTS, k=draw.randint(1, 4)))] = None
    return [name for name in names if name][:count]


def test_there_are_five_hundred() -> None:
    assert len(set(hostile())) == 500


def about(key: str) -> dict[str, str]:
    return {
        "etag": f'"{hashlib.md5(HERE, usedforsecurity=False).hexdigest()}"',
        "last_modified": "Mon, 20 Jan 2025 14:32:00 GMT",
        "x_goog_generation": "5",
        "content_type": "text/plain",
    }


def listing(name: str, keys: list[str]) -> tuple[str, str]:
    """Return the listing of keys as a provider gives it, and its media type."""
    if name == "gcs":
        item = {"size": str(len(HERE)), "updated": "2025-01-20T14:32:00Z", "generation": "5"}
        return json.dumps(
            {"kind": "storage#objects", "items": [item | {"name": key} for key in keys]}
        ), "application/json"
    if name == "s3":
        rows = "".join(
            f"<Contents><Key>{quote(key, safe='/')}</Key><Size>{len(HERE)}</Size><ETag>e</ETag>"
            "<LastModified>2025-01-20T14:32:00Z</LastModified></Contents>"
            for key in keys
        )
        return f"<ListBucketResult><EncodingType>url</EncodingType>{rows}</ListBucketResult>", "application/xml"
    rows = "".join(
        f'<Blob><Name Encoded="true">{escape(quote(key))}</Name><Properties><Etag>e</Etag><Content-Length>{len(HERE)}'
        "</Content-Length><Last-Modified>Mon, 20 Jan 2025 14:32:00 GMT</Last-Modified></Properties></Blob>"
        for key in keys
    )
    return f"<EnumerationResults><Blobs>{rows}</Blobs></EnumerationResults>", "application/xml"


def serving(name: str, keys: list[str]) -> Callable[[_Handler, Seen], None]:
    """Return what a provider does that holds these keys."""

    def act(handler: _Handler, seen: Seen) -> None:
        parts = urlsplit(seen.target)
        path, query = unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)
        if not {"list-type", "comp", "maxResults"}.isdisjoint(query):
            body, kind = listing(name, [key for key in keys if key.startswith(query.get("prefix", [""])[0])])
            answer(200, body, content_type=kind)(handler, seen)
        elif seen.method == "GET" and any(path.endswith(f"/{key}") for key in keys):
            answer(200, HERE, **about(path))(handler, seen)
        else:
            answer(404)(handler, seen)

    return act


def sorted_keys(keys: list[str]) -> list[str]:
    return sorted(keys, key=str.encode)


@pytest.mark.parametrize("name", MAKES)
async def test_down_to_this_disk(name: str, tmp_path: Path) -> None:
    keys = sorted_keys(hostile())
    root, outside = tmp_path / "deep" / "er" / "root", tmp_path / "outside"
    outside.mkdir()
    root.mkdir(parents=True)
    (root / "etc").symlink_to(outside)  # a folder of a frequent name leads out: it is not followed
    with FaultProxy() as proxy:
        for method in ("GET", "HEAD"):
            proxy.on(method, "", serving(name, keys), times=1 << 30)
        source, target = open_storage(MAKES[name](proxy.url)), LocalBackend(root)
        found = await source.list()
        refused = {each.key for each in found.refused}
        carried, failed = [], []
        for each in found:
            try:
                await target.write(each.path, await source.read(each.path))
                carried.append(each.path)
            except PersonaError as error:
                assert str(error)
                failed.append(each.path)
        await source.close()
        proxy.faults.clear()
    assert sorted_keys([*carried, *failed, *refused]) == keys
    assert {path.split("/")[0] for path in failed} <= {"etc"}
    assert len(carried) > 150
    assert [each.path for each in await target.list()] == sorted_keys(carried)
    assert list(outside.iterdir()) == []
    files = {Path(folder, file).resolve() for folder, _, some in os.walk(tmp_path) for file in some}
    assert all(file.is_relative_to(root) for file in files)
    await target.close()


@pytest.mark.parametrize("name", ["seaweedfs", "fake-gcs", "azurite"])
async def test_up_to_a_provider(name: str, tmp_path: Path, running: Callable[[str], Server]) -> None:
    root, outside = tmp_path / "root", tmp_path / "secret"
    outside.write_bytes(b"secret")
    made: set[str] = set()
    for number, key in enumerate(hostile()):
        file = re.sub("[/\0]", "_", key) if number % 2 else key
        parts = [part for part in file.replace("\0", "").split("/") if part not in ("", ".", "..")]
        path = root.joinpath(*parts)
        if not parts:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(outside) if number % 25 == 0 else path.write_bytes(HERE)
        except OSError:  # a name too long for this disk, or one that is a folder already
            continue
        made.add(str(path.relative_to(root)))
    source = LocalBackend(root)
    server = running(name)
    target = open_storage(server.settings(server.make_bucket(f"names-{os.getpid()}"), "below"))
    found = await source.list()
    sent: list[str] = []
    for each in found:
        data = await source.read(each.path)
        assert data == HERE
        try:
            await target.write(each.path, data, condition=IfAbsent())  # as migrations and syncs write
            sent.append(each.path)
        except PersonaError as error:
            assert str(error)
    there = await target.list()
    # the program's own folder and its unfinished files are no objects
    own = {path for path in made if path.split("/")[0].casefold() == ".persona" or "%tmp-" in Path(path).name[:5]}
    files = {str(to_file(root, each.path).relative_to(root)) for each in found}
    files |= {f"{file}%=" for file in files}  # what stands beside a folder of its own name
    assert made - own - files - {os.fsdecode(each.key) for each in found.refused} == set()
    assert len(made) > 250
    assert len(sent) > 0.9 * len(found)
    arrived = [each.path for each in there]
    if name == "fake-gcs":
        assert arrived == sent
    assert len(arrived) + len(there.refused) == len(sent)
    await source.close()
    await target.close()


@pytest.mark.parametrize("name", ["seaweedfs", "fake-gcs", "azurite", "local"])
async def test_all_to_a_storage(name: str, tmp_path: Path, running: Callable[[str], Server]) -> None:
    """Each name is refused in words, or is an object of its own; a server that renames puts none in another's place."""
    if name == "local":
        target: StorageBackend = LocalBackend(tmp_path / "root")
    else:
        server = running(name)
        target = open_storage(server.settings(server.make_bucket(f"all-{os.getpid()}"), "below"))
    sent = []
    for key in hostile():
        try:
            sent.append((await target.write(key, HERE, condition=IfAbsent())).path)
        except PersonaError as error:
            assert str(error)
    there = await target.list()
    assert len(sent) > 150
    assert len(set(sent)) == len(sent) == len(there) + len(there.refused)
    if name in ("fake-gcs", "local"):
        assert [each.path for each in there] == sorted_keys(sent)
    for path in sent:
        assert await target.read(path) == HERE
    await target.close()
