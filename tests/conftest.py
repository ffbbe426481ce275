"""What all tests share: a home of their own, and the servers, each started when a test first asks for it."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from persona.storage.backend import StorageBackend
from tests.contract.places import Place
from tests.servers import SERVERS, Azurite, FakeGCS, Moto, RcloneS3, SeaweedFS
from tests.serving import Server

_CLOUD_VARIABLES = ("AWS_", "AZURE_", "GOOGLE_", "GCS_", "GCLOUD_", "STORAGE_EMULATOR_HOST", "CLOUDSDK_")
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_UNMEASURED = (
    "campaigns",
    "canary",
    "hostile",
    "test_public_surveys",
    "test_real_tables",
    "test_recount",
    "test_studies",
)

settings.register_profile("any machine", deadline=None)  # a busy one takes any time
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "needs(name, …): what a place must have for this case of the contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage where other cases run the same lines: measuring takes nearly as long as what is measured."""
    for item in items:
        if item.path.parent.name in _UNMEASURED or item.path.stem in _UNMEASURED:
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PERSONA_HOME of the test's own; of the user's own configuration of providers nothing, but at a live place."""
    live = is_live(request.node)
    for name in list(os.environ):
        theirs = name.startswith(_CLOUD_VARIABLES) or name.lower().endswith("_proxy") or name in _AUTHORITIES
        ours = name.startswith("PERSONA_")
        if (ours or (theirs and not live)) and not name.startswith("PERSONA_LIVE_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("PERSONA_HOME", str(folder))
    if not live:
        monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def is_live(node: pytest.Item) -> bool:
    """Say whether a test runs at a live place, for which it needs the credentials of whoever runs it."""
    place = getattr(node, "callspec", None) and node.callspec.params.get("place")  # type: ignore[attr-defined]
    return str(place).startswith("live-")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Callable[[str], Server]]:
    """A function that starts a server by name, or joins the one that another worker started."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "servers"
    started: dict[str, Server] = {}

    def start(name: str) -> Server:
        if name not in started:
            server = SERVERS[name](folder / name)
            started[name] = server  # also when it fails to start: it is then left as well
            server.start()
        return started[name]

    yield start
    for server in started.values():
        server.stop(wait=False)


@pytest.fixture
def seaweedfs(running: Callable[[str], Server]) -> Server:
    """SeaweedFS, the main S3 server."""
    return running(SeaweedFS.name)


@pytest.fixture
def moto(running: Callable[[str], Server]) -> Server:
    """moto: S3, STS and IAM."""
    return running(Moto.name)


@pytest.fixture
def rclone(running: Callable[[str], Server]) -> Server:
    """The weak S3 endpoint, which ignores conditions."""
    return running(RcloneS3.name)


@pytest.fixture
def fake_gcs(running: Callable[[str], Server]) -> Server:
    """Google Cloud Storage."""
    return running(FakeGCS.name)


@pytest.fixture
def azurite(running: Callable[[str], Server]) -> Server:
    """Azure Blob Storage."""
    return running(Azurite.name)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, in an event loop of its own; a `Place` comes as its opened storage."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    given: dict[str, Any] = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        opened: list[StorageBackend] = []
        for name, value in given.items():
            if name != "place" and isinstance(value, Place):
                given[name] = value.open()
                opened.append(given[name])
        try:
            await pyfuncitem.obj(**given)
        finally:
            for storage in opened:
                await storage.close()

    asyncio.run(run())
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of a server's log beside the failure of a test that used it."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            server = getattr(value, "server", value)
            if isinstance(server, Server):
                report.sections.append((f"the end of the log of {server.name}", server.tail()))
    return report
