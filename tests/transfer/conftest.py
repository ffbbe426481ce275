"""Two sides and a command line between them: a local library, and a folder or a bucket behind a proxy."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from persona.cli import app
from persona.config.places import Place
from persona.config.schema import LocalSettings, StorageSettings
from persona.errors import PersonaError
from persona.storage.backend import StorageBackend, StorageObject
from persona.storage.stack import open_storage
from persona.transfer.engine import Engine
from persona.transfer.executor import AsyncioExecutor
from persona.transfer.jobs import Jobs
from persona.transfer.journal import Journal
from persona.transfer.model import Endpoint, Guard, Kind, Options, Row, State
from persona.transfer.progress import Watch
from persona.transfer.report import document
from tests.faults import FaultProxy
from tests.serving import Server

T = TypeVar("T")
WHOLE = 1 << 20


@dataclass(frozen=True)
class Ran:
    """What a command line gave: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    def done(self, code: int = 0) -> Any:
        """Return the document of a run that ended with an exit code."""
        assert self.code == code, f"{self.code}\n{self.out}\n{self.err}"
        assert "Traceback" not in self.err
        return self.json

    def failed(self, code: int) -> str:
        """Return the message of an error that is told as it should be."""
        assert self.code == code, f"{self.code}\n{self.out}\n{self.err}"
        assert "Error: " in self.err
        assert "Traceback" not in self.err
        return self.err


Run = Callable[..., Ran]


class Side:
    """One side of a transfer, looked at and changed past the program.

    Args:
        settings: where it is.
        name: what the command line calls it.
    """

    def __init__(self, settings: StorageSettings, name: str) -> None:
        self.settings = settings
        self.name = name

    def do(self, work: Callable[[StorageBackend], Coroutine[Any, Any, T]]) -> T:
        """Open the storage, do something with it, and close it."""

        async def run() -> T:
            storage = open_storage(self.settings)
            try:
                return await work(storage)
            finally:
                await storage.close()

        return asyncio.run(run())

    def put(self, path: str, data: bytes = b"content", **how: Any) -> StorageObject:
        """Write an object."""
        return self.do(lambda storage: storage.write(path, data, **how))

    def fill(self, contents: Mapping[str, bytes]) -> None:
        """Write many objects."""

        async def work(storage: StorageBackend) -> None:
            await asyncio.gather(*(storage.write(path, data) for path, data in contents.items()))

        self.do(work)

    def get(self, path: str) -> bytes:
        """Read an object."""
        return self.do(lambda storage: storage.read(path))

    def stat(self, path: str) -> StorageObject:
        """Describe an object."""
        return self.do(lambda storage: storage.stat(path))

    def drop(self, path: str) -> None:
        """Delete an object."""
        self.do(lambda storage: storage.delete(path))

    @property
    def all(self) -> dict[str, bytes]:
        """Every object with its content."""

        async def work(storage: StorageBackend) -> dict[str, bytes]:
            return {item.path: await storage.read(item.path) for item in await storage.list()}

        return self.do(work)


class Bucket(Side):
    """A side in a bucket, which the command line reaches through a proxy.

    Args:
        settings: past the proxy.
        through: the settings through the proxy.
        proxy: the proxy.
    """

    def __init__(self, settings: StorageSettings, through: StorageSettings, proxy: FaultProxy) -> None:
        super().__init__(settings, "s3")
        self.through = through
        self.proxy = proxy

    def written(self) -> list[str]:
        """Return the requests that came and are not for reading."""
        return [f"{seen.method} {seen.target}" for seen in self.proxy.seen if seen.method not in ("GET", "HEAD")]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an empty project. No credentials are found, nor looked for on the network."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def persona(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command line in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = app.run([str(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def migrate(persona: Run) -> Run:
    """A function that runs ``persona storage migrate --json``."""
    return lambda *arguments: persona("storage", "migrate", "--json", *arguments)


@pytest.fixture
def sync(persona: Run) -> Run:
    """A function that runs ``persona storage sync --json --from X --to Y``."""
    return lambda source, target, *more: persona("storage", "sync", "--json", "--from", source, "--to", target, *more)


@pytest.fixture
def local(tmp_path: Path, home: Path) -> Side:
    """The library: the storage of the configuration, on this disk."""
    side = Side(StorageSettings(local=LocalSettings(path=tmp_path / "library")), "local")
    configure(home, side)
    return side


@pytest.fixture
def folder(tmp_path: Path) -> Side:
    """Another folder of this machine."""
    path = tmp_path / "elsewhere"
    return Side(StorageSettings(local=LocalSettings(path=path)), f"file://{path}")


@pytest.fixture
def s3(running: Callable[[str], Server], local: Side, home: Path) -> Iterator[Bucket]:
    """A bucket behind a proxy, configured beside the library; the test fails if a fault of its script was not met."""
    server = running("seaweedfs")
    settings = server.settings(server.make_bucket("transfers"), secrets.token_hex(6))
    with FaultProxy(server.address) as proxy:
        address = (settings.s3.endpoint_url or "").replace(server.address, proxy.address)
        through = dataclasses.replace(settings, s3=dataclasses.replace(settings.s3, endpoint_url=address))
        configure(home, local, through)
        yield Bucket(settings, through, proxy)


def configure(home: Path, local: Side, s3: StorageSettings | None = None, **performance: Any) -> Path:
    """Write the user's persona.yaml, with the library in use and the bucket as a section beside it."""
    storage: dict[str, Any] = {
        "backend": "local",
        "local": {"path": str(local.settings.local.path)},
        "performance": {"retry_attempts": 3, "retry_delay": "10ms", "timeout": "5s"} | performance,
    }
    if s3 is not None:
        section = s3.s3
        secret = section.secret_access_key
        storage["s3"] = {
            "bucket": section.bucket,
            "prefix": section.prefix,
            "region": section.region,
            "endpoint_url": section.endpoint_url,
            "access_key_id": section.access_key_id,
            "secret_access_key": secret.reveal() if secret else None,
        }
    home.mkdir(mode=0o700, exist_ok=True)
    file = home / "persona.yaml"
    file.touch(0o600)
    file.write_text(json.dumps({"storage": storage}), "utf-8")
    return file


def journals(home: Path) -> list[Path]:
    """Return the journals of the default workspace."""
    return sorted((home / "transfers" / "default").glob("*.db"))


class Rig:
    """The engine without a command line, between two storages of the test's own.

    Args:
        home: PERSONA_HOME.
        source: where objects come from.
        target: where they go.
    """

    def __init__(self, home: Path, source: StorageBackend, target: StorageBackend) -> None:
        self.jobs = Jobs(home, "default")
        self.source = _endpoint("source", source)
        self.target = _endpoint("target", target)
        self.job = ""
        self.journal: Journal

    def begin(self, kind: Kind = Kind.MIGRATE, **options: Any) -> Rig:
        """Make a job."""
        self.job, self.journal = self.jobs.create(kind, self.source, self.target, Options(**options), WHOLE)
        return self

    def engine(
        self,
        *,
        watch: Watch | None = None,
        concurrency: int = 2,
        pair: Path | None = None,
        guard: Callable[[], Awaitable[Guard | None]] | None = None,
    ) -> Engine:
        """Return an engine for the job, as a new process would make it."""
        facts: dict[str, Any] = self.journal.get("options")
        values: dict[str, Any] = {key: tuple(it) if isinstance(it, list) else it for key, it in facts.items()}
        return Engine(
            self.job,
            self.journal,
            self.source,
            self.target,
            Options(**values),
            AsyncioExecutor(concurrency),
            whole_bytes=WHOLE,
            pair=pair,
            pause_file=self.jobs.pause_request(self.job),
            watch=watch or Watch(),
            guard=guard,
        )

    async def run(self, **how: Any) -> State:
        """Run the job, or go on with it."""
        return await self.engine(**how).run()

    async def fail(self, kind: type[PersonaError], **how: Any) -> PersonaError:
        """Run the job to the error that it ends with."""
        with pytest.raises(kind) as caught:
            await self.engine(**how).run()
        return caught.value

    @property
    def report(self) -> dict[str, Any]:
        """The report."""
        return document(self.journal, self.jobs.info(self.job, running=False), everything=True)

    def row(self, path: str) -> Row:
        """Return what the journal says of an object."""
        (row,) = [row for row in self.journal.rows() if row.path == path]
        return row

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()


@pytest.fixture
def rig(home: Path) -> Iterator[Callable[[StorageBackend, StorageBackend], Rig]]:
    """A function that makes an engine between two storages."""
    made: list[Rig] = []

    def make(source: StorageBackend, target: StorageBackend) -> Rig:
        made.append(Rig(home, source, target))
        return made[-1]

    yield make
    for each in made:
        each.close()


def _endpoint(name: str, backend: StorageBackend) -> Endpoint:
    return Endpoint(name, Place(backend.url(), "", backend.url()), backend)
