"""What goes with the content arrives too, on all pairs of places, and what a service changes of it is told."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
import re
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import LocalSettings, StorageSettings
from persona.errors import InputError
from persona.storage.backend import StorageBackend
from persona.storage.backends.local import LocalBackend
from persona.storage.content_headers import ContentHeaders
from persona.storage.stack import open_storage
from persona.transfer.journal import FORMAT, Journal
from persona.transfer.model import Endpoint, Row, State
from tests import quirks
from tests.faults import Act, FaultProxy
from tests.quirks import header_dropped, with_body
from tests.serving import Server
from tests.transfer.conftest import Rig, Run, Side, configure

MakeRig = Callable[..., Rig]
GZIP = ContentHeaders("gzip", "de, en", 'attachment; filename="a b.txt"', "private, max-age=60")
ODD = {
    "a_b": "1",
    "a1": "2",
    "ab": "3",
    "a_1": "4",
    "A_B": "5",
    "a.b": "6",
    "with-dash": "7",
    "é": " zwei  Leerzeichen ",
    "text": "ja,\nnein",
    "persona-packed": "x",
}
OBJECTS: Mapping[str, Mapping[str, Any]] = {
    "plain.yaml": {},
    "gzip.txt": {"headers": GZIP, "metadata": ODD},
    "typed": {
        "content_type": "Text/X-Odd; charset=utf-8",
        "headers": ContentHeaders(expires="Thu, 01 Dec 2044 16:00:00 GMT"),
    },
    "odd.csv": {
        "headers": ContentHeaders(content_disposition="inline; filename=“é”"),
        "content_type": "text/csv\r\nx: y",
    },
    "large.bin": {"headers": GZIP, "metadata": {"a_b": "c"}},
}


MANY = {f"n{number}": "1" for number in range(150)}
"""More pairs than the headers that Python reads of an answer by default."""


def begun(rig: MakeRig, source: StorageBackend, target: StorageBackend) -> Rig:
    """Return an engine, whose places are buckets unless they are on this disk: then digests prove."""
    pair = rig(source, target)
    for side in ("source", "target"):
        found: Endpoint = getattr(pair, side)
        if not isinstance(found.backend, LocalBackend):
            place = dataclasses.replace(found.place, container=found.backend.url())
            setattr(pair, side, dataclasses.replace(found, place=place))
    return pair.begin()


def content_of(path: str) -> bytes:
    return gzip.compress(b"content", mtime=0) if path != "large.bin" else b"0123456789abcdef" * (6 << 16)


async def put(storage: StorageBackend) -> None:
    for path, how in OBJECTS.items():
        await storage.write(path, content_of(path), **how)


async def described(storage: StorageBackend) -> dict[str, tuple[Any, ...]]:
    found = [await storage.stat(path) for path in OBJECTS]
    return {each.path: (each.content_type, dict(each.metadata or {}), each.headers) for each in found}


def settings_of(name: str, running: Callable[[str], Server], tmp_path: Path) -> StorageSettings:
    if name == "local":
        return StorageSettings(local=LocalSettings(path=tmp_path / secrets.token_hex(4)))
    server = running(name)
    return server.settings(server.make_bucket("attributes"), secrets.token_hex(6))


async def test_all_arrives_on_all_pairs(running: Callable[[str], Server], tmp_path: Path, rig: MakeRig) -> None:
    """Each pair of places, in both directions, also within one; with a second run that has nothing to do."""
    names = ("local", "seaweedfs", "fake-gcs", "azurite")
    sources = {name: open_storage(settings_of(name, running, tmp_path)) for name in names}
    for name in names:
        await put(sources[name])
        await sources[name].write("many", b"x", metadata=MANY)
    wanted = await described(sources["local"])
    assert wanted["gzip.txt"] == ("text/plain", ODD, GZIP)
    for source, target in itertools.product(names, names):
        storage = open_storage(settings_of(target, running, tmp_path))
        pair = begun(rig, sources[source], storage)
        assert await pair.run() is State.COMPLETE, (source, target, pair.report["metadata"], pair.report["failures"])
        assert await described(storage) == wanted, (source, target)
        assert (await storage.stat("many")).metadata == MANY
        for path in OBJECTS:
            assert await storage.read(path) == content_of(path)
        found = pair.report["metadata"]
        assert found == {"not_compared": 0, "lost": [], "differs": []}, (source, target)
        await storage.close()
    for storage in sources.values():
        await storage.close()


@pytest.fixture
def through(running: Callable[[str], Server]) -> Any:
    """A function that opens a bucket behind a proxy with a quirk, and the same bucket without."""
    opened: list[FaultProxy] = []

    def make(name: str, *acts: tuple[str, str, Act]) -> tuple[StorageBackend, StorageBackend, FaultProxy]:
        server = running(name)
        settings = server.settings(server.make_bucket("attributes"), secrets.token_hex(6))
        proxy = FaultProxy(server.address).__enter__()
        opened.append(proxy)
        for act in acts:
            proxy.always(*act)
        provider = getattr(settings, settings.backend)
        address = (provider.endpoint_url or "").replace(server.address, proxy.address)
        behind = dataclasses.replace(
            settings, **{settings.backend: dataclasses.replace(provider, endpoint_url=address)}
        )
        return open_storage(behind), open_storage(settings), proxy

    yield make
    for proxy in opened:
        proxy.__exit__(None)


@pytest.mark.parametrize("quirk", ["underscores_to_dashes", "odd_headers_dropped"])
async def test_names_that_a_service_changes_arrive_all_the_same(
    through: Any, tmp_path: Path, rig: MakeRig, quirk: str
) -> None:
    act = getattr(quirks, quirk)
    behind, past, _ = through("moto", ("PUT", r"/gzip\.txt", act))
    source = LocalBackend(tmp_path / "from")
    await put(source)
    pair = begun(rig, source, behind)
    assert await pair.run() is State.COMPLETE
    assert await described(past) == await described(source)
    assert pair.report["metadata"]["lost"] == []


def twisted(changes: Mapping[str, Mapping[str, Any]]) -> Act:
    """Change the properties of objects in listings of Google."""

    def twist(body: bytes) -> bytes:
        page = json.loads(body)
        for item in page.get("items", ()):
            item |= changes.get(item["name"].rpartition("/")[2], {})
        return json.dumps(page).encode()

    return with_body(twist)


LOSSES: dict[str, tuple[str, tuple[str, str, Act], list[str]]] = {
    "all metadata": ("moto", ("PUT", "gzip", quirks.metadata_dropped), [f"metadata {name}" for name in sorted(ODD)]),
    "encoding": ("moto", ("PUT", "gzip", header_dropped("content-encoding")), ["content-encoding"]),
    "disposition": ("moto", ("PUT", "gzip", header_dropped("content-disposition")), ["content-disposition"]),
    "type": ("moto", ("PUT", "typed", header_dropped("content-type")), ["content-type"]),
    "type of parts": ("moto", ("POST", "large.*uploads", header_dropped("content-encoding")), ["content-encoding"]),
    "azure": (
        "azurite",
        ("GET", "comp=list", with_body(lambda body: body.replace(b"<a_b>1<", b"<a_b>0<"))),
        ["metadata a_b"],
    ),
    "google": (
        "fake-gcs",
        ("GET", r"/o\?prefix", twisted({"gzip.txt": {"contentEncoding": ""}})),
        ["content-encoding"],
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_what_a_service_loses_is_told_and_is_never_complete(
    through: Any, tmp_path: Path, rig: MakeRig, loss: str
) -> None:
    server, act, names = LOSSES[loss]
    behind, _, _ = through(server, act)
    source = LocalBackend(tmp_path / "from")
    await put(source)
    pair = begun(rig, source, behind)
    assert await pair.run() is State.INCOMPLETE
    report = pair.report
    assert [each["name"] for each in report["metadata"]["lost"]] == names
    assert (report["objects"]["failed"], report["failures"]) == (0, [])
    assert report["objects"]["verified"] == len(OBJECTS)  # the contents are proved for all that


async def test_what_a_copy_on_the_server_loses_is_told(
    running: Callable[[str], Server], tmp_path: Path, rig: MakeRig
) -> None:
    server = running("moto")
    with FaultProxy(server.address) as proxy:
        settings = server.settings(server.make_bucket("attributes"), secrets.token_hex(6))
        s3 = dataclasses.replace(settings.s3, endpoint_url=f"http://{proxy.address}")
        source, target = (
            open_storage(dataclasses.replace(settings, s3=dataclasses.replace(s3, prefix=f"{s3.prefix}/{name}")))
            for name in ("from", "to")
        )
        await put(source)
        proxy.always("PUT", r"/to/(gzip|typed)", quirks.copied_without)
        pair = begun(rig, source, target)
        assert await pair.run() is State.INCOMPLETE
        assert {each["name"]: each["paths"] for each in pair.report["metadata"]["lost"]} == {
            **{f"metadata {name}": ["gzip.txt"] for name in ODD},
            **{name: ["gzip.txt"] for name in ("cache-control", "content-disposition", "content-encoding")},
            "content-language": ["gzip.txt"],
            "content-type": ["gzip.txt", "typed"],
            "expires": ["typed"],
        }
        assert [seen for seen in proxy.requests("PUT", "/to/") if "x-amz-copy-source" in seen.headers]


def test_a_loss_is_said_once_and_sent_again_by_resume(
    migrate: Run, persona: Run, local: Side, running: Callable[[str], Server], home: Path
) -> None:
    """On the command line: exit code 1, what is missing with its objects; then the service is mended."""
    server = running("moto")
    settings = server.settings(server.make_bucket("attributes"), secrets.token_hex(6))
    with FaultProxy(server.address) as proxy:
        s3 = dataclasses.replace(
            settings.s3, endpoint_url=(settings.s3.endpoint_url or "").replace(server.address, proxy.address)
        )
        configure(home, local, dataclasses.replace(settings, s3=s3))
        for number in range(5):
            local.put(f"{number}.txt", b"%d" % number, metadata={"by": "Kim"} if number else None, headers=GZIP)
        local.put("plain.txt")
        proxy.on("PUT", r"\.txt", quirks.metadata_dropped, times=6)
        ran = persona("storage", "migrate", "--from", "local", "--to", "s3")
        assert ran.code == 1
        assert "  metadata by of 4 objects: 1.txt, 2.txt, 3.txt, …\n" in ran.out
        assert "❌ Incomplete" in ran.out
        job = re.findall(r"Job: (\S+)", ran.out)[0]
        written = len(proxy.requests("PUT", r"\.txt"))
        document = json.loads(persona("storage", "migrate", "resume", job, "--json").out)
    assert (document["state"], document["metadata"]["lost"]) == ("complete", [])
    assert len(proxy.requests("PUT", r"\.txt")) == written + 4


async def test_a_look_at_plain_objects_costs_one_request_a_type(through: Any, tmp_path: Path, rig: MakeRig) -> None:
    behind, _, proxy = through("moto")
    source = LocalBackend(tmp_path / "from")
    for number in range(60):
        await source.write(f"{number:02}.{('txt', 'md', 'csv')[number % 3]}", b"x")
    await source.write("with.md", b"x", metadata={"by": "Kim"})
    pair = begun(rig, source, behind)
    assert await pair.run() is State.COMPLETE
    assert len(proxy.requests("HEAD", r"\.(txt|md|csv)")) == 3 + 1
    assert pair.report["metadata"]["not_compared"] == 0


async def test_a_type_that_is_lost_is_looked_for_on_each_object(through: Any, tmp_path: Path, rig: MakeRig) -> None:
    behind, _, _ = through("moto", ("PUT", r"\.md", header_dropped("content-type")))
    source = LocalBackend(tmp_path / "from")
    for number in range(6):
        await source.write(f"{number}.md", b"x")
        await source.write(f"{number}.txt", b"x")
    pair = begun(rig, source, behind)
    assert await pair.run() is State.INCOMPLETE
    assert pair.report["metadata"]["lost"] == [
        {"name": "content-type", "objects": 6, "paths": ["0.md", "1.md", "2.md"]},
    ]


async def test_other_metadata_that_is_there_already_is_told(
    running: Callable[[str], Server], tmp_path: Path, rig: MakeRig
) -> None:
    """Between places whose listings tell it; nothing of it was sent, so that it is no failure."""
    source = open_storage(settings_of("fake-gcs", running, tmp_path))
    target = open_storage(settings_of("azurite", running, tmp_path))
    await source.write("a.txt", b"x", metadata={"by": "Kim"})
    await target.write("a.txt", b"x", metadata={"by": "Ann"})
    pair = begun(rig, source, target)
    assert await pair.run() is State.COMPLETE
    assert pair.report["metadata"]["differs"] == [{"name": "metadata by", "objects": 1, "paths": ["a.txt"]}]


HOSTILE: dict[str, dict[str, Any]] = {
    "surrogate": {"metadata": {"a": "\ud800"}},
    "type": {"contentType": "a/\ud800"},
    "breaks": {
        "contentType": "a/b\r\nx-evil: 1",
        "cacheControl": "no-cache\r\n\r\nGET /",
        "metadata": {"a\r\nb": "\0\x1b[31m"},
    },
    "huge": {"metadata": {"a": "x" * 100_000}},
}


async def test_hostile_metadata_fails_alone(through: Any, tmp_path: Path, rig: MakeRig) -> None:
    """Of a listing of Google: it is carried where it can be, and else fails by name; the others arrive."""
    behind, past, _ = through("fake-gcs", ("GET", r"/o\?prefix", twisted(HOSTILE)))
    for name in [*HOSTILE, "good"]:
        await past.write(name, b"x")
    target, _, _ = through("moto")
    pair = begun(rig, behind, target)
    assert await pair.run() is State.INCOMPLETE
    assert {each["path"] for each in pair.report["failures"]} == {"surrogate", "huge"}
    assert "takes" in next(each["error"] for each in pair.report["failures"] if each["path"] == "huge")
    found = await target.stat("breaks")
    assert (found.content_type, dict(found.metadata or {})) == ("a/b\r\nx-evil: 1", {"a\r\nb": "\0\x1b[31m"})
    assert found.headers == ContentHeaders(cache_control="no-cache\r\n\r\nGET /")
    assert {item.path for item in await target.list()} == {"breaks", "type", "good"}


async def test_too_much_metadata_for_one_provider_fails_by_name(through: Any, tmp_path: Path, rig: MakeRig) -> None:
    source = LocalBackend(tmp_path / "from")
    await source.write("much", b"x", metadata={"a": "x" * 5000})
    await source.write("good", b"x")
    behind, past, _ = through("moto")
    pair = begun(rig, source, behind)
    assert await pair.run() is State.INCOMPLETE
    (failure,) = pair.report["failures"]
    assert failure["path"] == "much"
    assert "5001 bytes, and the provider allows 2048" in failure["error"]
    assert [item.path for item in await past.list()] == ["good"]
    with pytest.raises(InputError, match="much"):
        await past.write("much", b"x", metadata={"a": "x" * 5000})


def test_a_journal_of_before_is_read(tmp_path: Path) -> None:
    """Format 1 had neither the headers of the content nor what was lost of them."""
    file = tmp_path / "j.db"
    journal = Journal(file, create=True)
    journal.add([Row("a", 1, "v")])
    journal.close()
    with sqlite3.connect(file) as db:
        db.execute("ALTER TABLE objects DROP COLUMN headers")
        db.execute("ALTER TABLE objects DROP COLUMN lost")
        db.execute("UPDATE job SET value = '1' WHERE key = 'format'")
    db.close()
    for _ in range(2):
        journal = Journal(file)
        assert journal.get("format") == FORMAT
        journal.record([dataclasses.replace(row, headers=GZIP, lost="[]") for row in journal.rows()])
        (row,) = journal.rows()
        assert (row.path, row.size, row.version, row.headers, row.lost) == ("a", 1, "v", GZIP, "[]")
        journal.close()
