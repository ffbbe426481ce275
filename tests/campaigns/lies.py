"""A provider that lies in one answer of a job, and what must hold whatever it says.

The proxy changes the answer to one request: its status, its length, its content, a digest, a version, or what a listing
says. The truth is read past the proxy, before and after. Whatever the lie, the source is as it was, the destination
holds nothing but what it held and what the source holds, and a job that is complete has copied everything.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from persona.config.schema import LocalSettings, PerformanceSettings, StorageSettings
from persona.errors import PersonaError
from persona.storage.backend import StorageBackend
from persona.storage.reserved import BACKUPS
from persona.storage.stack import open_storage
from persona.transfer.model import Kind, State
from tests.campaigns.sites import address_of, fresh, look, through, with_prefix
from tests.faults import Act, Answer, FaultProxy, Seen, changed, forward
from tests.serving import Server
from tests.transfer.conftest import Rig

ITEM = {
    "s3": re.compile(rb"<Contents>.*?</Contents>", re.DOTALL),
    "gcs": re.compile(rb'\{"kind":"storage#object".*?\}(?=,\{"kind"|\])', re.DOTALL),
    "azure": re.compile(rb"<Blob>.*?</Blob>", re.DOTALL),
}
"""One object in a page of a listing."""
_DIGEST = re.compile(rb"((?:etag|md5hash|crc32c|content-md5)\W{1,9})([0-9A-Za-z])", re.IGNORECASE)
_VERSION = re.compile(rb'((?:etag|"generation")\W{1,9})([0-9A-Za-z])', re.IGNORECASE)
_SIZE = re.compile(rb'(<Size>|<Content-Length>|"size":")(\d+)', re.IGNORECASE)
_TOLD_APART = ("etag", "content-md5", "x-goog-hash", "x-goog-generation", "last-modified", "content-range")
QUICK = PerformanceSettings(retry_attempts=2, retry_delay=0.01, timeout=2.0, concurrent_uploads=2)


def _other(match: re.Match[bytes]) -> bytes:
    return match[1] + (b"1" if match[2] != b"1" else b"2")


def _items(provider: str, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """Change the objects of a page, wherever they stand in it."""

    def edit(body: bytes) -> bytes:
        items = list(ITEM[provider].finditer(body))
        if not items:
            return body
        separator = b"," if provider == "gcs" else b""
        texts = separator.join(change([item[0] for item in items]))
        return body[: items[0].start()] + texts + body[items[-1].end() :]

    return edit


BODIES: Mapping[str, Callable[[str], Callable[[bytes], bytes]]] = {
    "flipped": lambda _: lambda body: bytes([body[0] ^ 1]) + body[1:] if body else body,
    "flipped at the end": lambda _: lambda body: body[:-1] + bytes([body[-1] ^ 1]) if body else body,
    "shorter": lambda _: lambda body: body[:-1],
    "empty": lambda _: lambda body: b"",
    "longer": lambda _: lambda body: body + b"more",
    "object left out": lambda provider: _items(provider, lambda items: items[1:]),
    "last object left out": lambda provider: _items(provider, lambda items: items[:-1]),
    "object twice": lambda provider: _items(provider, lambda items: [items[0], *items]),
    "out of order": lambda provider: _items(provider, lambda items: items[::-1]),
    "other size": lambda _: lambda body: _SIZE.sub(lambda match: match[1] + b"9" + match[2], body, count=1),
    "other digest": lambda _: lambda body: _DIGEST.sub(_other, body, count=1),
    "other version": lambda _: lambda body: _VERSION.sub(_other, body, count=1),
    "truncated": lambda _: lambda body: body.replace(b"<IsTruncated>false", b"<IsTruncated>true"),
    "the last page": lambda _: (
        lambda body: re.sub(
            rb"<IsTruncated>true|<NextMarker>[^<]*|\"nextPageToken\"", lambda m: m[0][:12] + b"false", body
        )
    ),
}
STATUSES = (200, 204, 206, 304, 400, 403, 404, 409, 412, 416, 429, 500, 501, 503)
HEADERS = (*_TOLD_APART, "content-type")


@dataclass(frozen=True)
class Lie:
    """One lie: of what kind, and in the answer to which request of a job.

    Args:
        kind: a key of `BODIES`, ``status N``, ``without NAME``, or ``other NAME``, of a header.
        request: how many requests come before.
    """

    kind: str
    request: int

    def act(self, provider: str) -> Act:
        """Return what tells it."""
        return changed(lambda _, given: self.told(provider, given))

    def told(self, provider: str, given: Answer) -> Answer:
        """Return the answer as it is given."""
        word, _, rest = self.kind.partition(" ")
        if word == "status":
            return dataclasses.replace(given, status=int(rest), length=None)
        if word in ("without", "header"):
            pairs = [(name, text) for name, text in given.headers if name.lower() != rest]
            if word == "header":
                pairs += [(name, _turned(text)) for name, text in given.headers if name.lower() == rest]
            return dataclasses.replace(given, headers=pairs)
        return dataclasses.replace(given, body=BODIES[self.kind](provider)(given.body))


def _turned(text: str) -> str:
    return "".join(chr(ord("a") + ord("f") - ord(c)) if c in "abcdef" else c for c in text) + "1"


KINDS = (
    *BODIES,
    *(f"status {status}" for status in STATUSES),
    *(f"without {name}" for name in HEADERS),
    *(f"header {name}" for name in HEADERS),
)


class Liar(FaultProxy):
    """A proxy that lies once.

    Args:
        upstream: the server behind it.
        provider: its kind.
        lie: the lie.
    """

    upstream: str

    def __init__(self, upstream: str, provider: str, lie: Lie) -> None:
        super().__init__(upstream)
        self._act = lie.act(provider)
        self._request = lie.request

    def act_on(self, seen: Seen) -> Act:
        """Return what is done to a request."""
        with self.lock:
            self.seen.append(seen)
            return self._act if len(self.seen) == self._request + 1 else forward


@dataclass(frozen=True)
class Case:
    """A job between a folder and a bucket, and a lie.

    Args:
        way: ``up``, ``down``, or ``across``, within the bucket.
        source: the objects of the source.
        target: what is at the destination before.
        delete: whether it is a sync that removes what the source lacks.
        overwrite: whether other content may be replaced.
        lie: the lie.
    """

    way: str
    source: Mapping[str, bytes]
    target: Mapping[str, bytes]
    delete: bool
    overwrite: bool
    lie: Lie


@dataclass
class Outcome:
    """What a job came to, and what holds afterwards."""

    state: State | None
    error: PersonaError | None
    named: set[str]
    source: Mapping[str, bytes]
    target: Mapping[str, bytes]
    requests: int


def lie_to(server: Server, case: Case) -> Outcome:
    """Run a job behind a proxy that lies once, and return what it came to."""
    with TemporaryDirectory(prefix="persona-lies-") as folder:
        bucket = fresh(server)
        disk = StorageSettings(backend="local", local=LocalSettings(path=Path(folder) / "disk"))
        source, target = {
            "up": (disk, bucket),
            "down": (bucket, disk),
            "across": (with_prefix(bucket, "source"), with_prefix(bucket, "target")),
        }[case.way]
        _fill(source, case.source)
        _fill(target, case.target)
        with Liar(address_of(bucket), bucket.backend, case.lie) as proxy:
            behind = [side if side.backend == "local" else through(side, proxy) for side in (source, target)]
            state, error, named = asyncio.run(_job(Path(folder) / "home", behind[0], behind[1], case))
            requests = len(proxy.seen)
        return Outcome(state, error, named, _read(source), _read(target), requests)


async def _job(
    home: Path, source: StorageSettings, target: StorageSettings, case: Case
) -> tuple[State | None, PersonaError | None, set[str]]:
    opened = [open_storage(dataclasses.replace(side, performance=QUICK)) for side in (source, target)]
    rig = Rig(home, *opened)
    try:
        kind = Kind.SYNC if case.delete else Kind.MIGRATE
        rig.begin(kind, delete=case.delete, delete_limit="100%" if case.delete else "", overwrite=case.overwrite)
        state, error = None, None
        try:
            state = await asyncio.wait_for(rig.run(), 100)
        except PersonaError as raised:
            error = raised
        report = rig.report
        named = {failure["path"] for failure in report["failures"]}
        for kept in (*report["metadata"]["lost"], *report["metadata"]["differs"]):
            named |= set(kept["paths"])
        return state, error, named
    finally:
        rig.close()
        for storage in opened:
            await storage.close()


def assert_right(case: Case, outcome: Outcome) -> None:
    """Hold an outcome against what was there before."""
    before, after = case.target, {path: data for path, data in outcome.target.items() if not path.startswith(BACKUPS)}
    kept = {path.split("/", 2)[2]: data for path, data in outcome.target.items() if path.startswith(BACKUPS)}
    assert outcome.source == case.source, "the source was changed"
    for path, data in case.source.items():
        assert after.get(path) in (before.get(path), data), f"{path} has content of neither side"
        if path in before and before[path] != after.get(path):
            assert case.overwrite, f"{path} was replaced"
            assert kept.get(path) == before[path], f"{path} was replaced, and nothing was kept"
    for path in before.keys() - case.source.keys():
        if path not in after:
            assert case.delete, f"{path} was removed"
            assert kept.get(path) == before[path], f"{path} was removed, and nothing was kept"
        else:
            assert after[path] == before[path], f"{path} was changed"
    assert after.keys() <= before.keys() | case.source.keys(), "something was made up"
    if outcome.error is not None:
        return
    lacking = {path for path, data in case.source.items() if after.get(path) != data}
    if outcome.state is State.COMPLETE:
        assert not lacking, f"complete, without {sorted(lacking)}"
        # What a listing of the destination leaves out stays there until the next sync: looking for it again could not
        # tell it from what someone has written meanwhile, which must stay.
        left = after.keys() - case.source.keys() if case.delete and "left out" not in case.lie.kind else set()
        assert not left, f"complete, with {sorted(left)} left"
    else:
        assert outcome.state is State.INCOMPLETE
        assert outcome.named, "incomplete, and nothing is named"
        assert lacking <= outcome.named, f"{sorted(lacking - outcome.named)} lack and are not named"


def _fill(place: StorageSettings, contents: Mapping[str, bytes]) -> None:
    async def write(storage: StorageBackend) -> None:
        await asyncio.gather(*(storage.write(path, data) for path, data in contents.items()))

    look(place, write)


def _read(place: StorageSettings) -> dict[str, bytes]:
    async def read(storage: StorageBackend) -> dict[str, bytes]:
        return {item.path: await storage.read(item.path) for item in await storage.list()}

    return look(place, read)
