"""Seven things that go wrong at every provider: each told at once, with its cause and what to do."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import StorageSettings
from persona.config.secret import Secret
from tests.cli.conftest import Configure, Run, changed
from tests.faults import Act, FaultProxy, answer, html
from tests.proxies.tls import certificate
from tests.servers import Azurite, SeaweedFS
from tests.serving import Server

COMMANDS = (["storage", "list"], ["storage", "status"], ["storage", "config", "test"])
SECONDS = 3.0
Place = Callable[[str], StorageSettings]


def told(persona: Run, code: int, *said: str) -> None:
    """Run each command, which must fail with the code, in time, and say the cause and the fix."""
    for command in COMMANDS:
        begun = time.perf_counter()
        ran = persona(*command)
        assert time.perf_counter() - begun < SECONDS, command
        shown = ran.out + ran.err
        assert ran.code == code, (command, shown)
        for text in said:
            assert text in shown, (command, text, shown)
        assert "→ " in shown, "a fix"
        assert "Traceback" not in shown


@pytest.fixture
def scripted() -> Iterator[Callable[[Act], FaultProxy]]:
    """A function that starts a server which answers every request in one way."""
    with ExitStack() as stack:

        def start(act: Act) -> FaultProxy:
            proxy = stack.enter_context(FaultProxy())
            proxy.act_on = lambda seen: act  # type: ignore[method-assign]
            return proxy

        yield start


def at(settings: StorageSettings, url: str) -> StorageSettings:
    """Return settings with another endpoint."""
    path = "/testaccount" if settings.backend == "azure" else ""
    return changed(settings, endpoint_url=url + path)


SERVERS = ("seaweedfs", "fake-gcs", "azurite")


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("seaweedfs", {"access_key_id": "nobody"}, "knows no such access key"),
        ("seaweedfs", {"secret_access_key": Secret("wrong")}, "secret key does not belong to the access key"),
        ("azurite", {"account_key": Secret("d3Jvbmc=")}, "storage.azure.account_key"),
    ],
)
def test_a_wrong_key(
    persona: Run, configure: Configure, place: Place, name: str, wrong: dict[str, Any], said: str
) -> None:
    configure(changed(place(name), **wrong))
    told(persona, 4, "does not accept the credentials from the configuration", said, "set the right ones there")


@pytest.mark.parametrize("name", SERVERS)
def test_a_wrong_bucket(persona: Run, configure: Configure, place: Place, name: str) -> None:
    key = "container" if name == "azurite" else "bucket"
    configure(changed(place(name), **{key: "there-is-none-3141"}))
    told(
        persona,
        5,
        f"There is no {key} “there-is-none-3141”",
        f"Check storage.{'azure' if name == 'azurite' else ''}"[:14],
    )


class Restricted(SeaweedFS):
    """SeaweedFS with identities that may do one thing each."""

    name = "restricted"

    def command(self) -> list[str]:
        line = super().command()
        file = self.folder / "identities.json"
        known = json.loads(file.read_text())
        for allowed in ("List", "Read", "Write"):
            key = {"accessKey": allowed.lower(), "secretKey": self.secret_key}
            known["identities"].append({"name": allowed, "credentials": [key], "actions": [allowed]})
        file.write_text(json.dumps(known))
        return line


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A server with restricted identities, and a bucket with an object."""
    with Restricted(tmp_path_factory.mktemp("restricted")) as server:
        server.make_bucket("team")
        server.signed("PUT", "/team/persona", body=b"x")
        yield server


def steps(persona: Run) -> dict[str, tuple[bool, str, str]]:
    """Return what `config test` says of each step, in time."""
    begun = time.perf_counter()
    ran = persona("storage", "config", "test", "--json")
    assert time.perf_counter() - begun < SECONDS
    assert ran.code == 4
    return {check["name"]: (check["ok"], check["detail"], check["hint"]) for check in ran.json["checks"]}


def test_who_may_list_only(persona: Run, configure: Configure, restricted: SeaweedFS) -> None:
    configure(changed(restricted.settings("team"), access_key_id="list"))
    assert persona("storage", "list").code == 0
    assert persona("storage", "status").code == 0
    found = steps(persona)
    assert found["list"][0]
    assert (found["write"][0], found["read"][0]) == (False, False)
    assert "they may not write" in found["write"][1]
    assert "s3:PutObject" in found["write"][2]
    assert "s3:GetObject" in found["read"][2]


def test_who_may_read_and_not_list(persona: Run, configure: Configure, restricted: SeaweedFS) -> None:
    configure(changed(restricted.settings("team"), access_key_id="read"))
    told(persona, 4, "they may not list", "s3:ListBucket")
    found = steps(persona)
    assert not found["write"][0]


def test_who_may_write_and_not_list(persona: Run, configure: Configure, restricted: SeaweedFS) -> None:
    configure(changed(restricted.settings("team"), access_key_id="write"))
    told(persona, 4, "they may not list", "s3:ListBucket")
    found = steps(persona)
    assert found["write"][0]
    assert "s3:GetObject" in found["read"][2]


def test_a_sas_that_may_list_only(persona: Run, configure: Configure, azurite: Azurite, place: Place) -> None:
    from tests.cloud.test_credentials_azure import account_sas

    settings = place("azurite")
    configure(changed(settings, account_key=None, sas_token=Secret(account_sas(azurite, "l"))))
    assert persona("storage", "list").code == 0
    found = steps(persona)
    assert found["list"][0]
    assert "c and w (create, write) in the SAS" in found["write"][2]


def test_a_role_of_google_that_may_not_list(
    persona: Run, configure: Configure, place: Place, scripted: Callable[[Act], FaultProxy]
) -> None:
    refusal = answer(403, json.dumps({"error": {"code": 403, "errors": [{"reason": "forbidden"}]}}))
    configure(at(place("fake-gcs"), scripted(refusal).url))
    told(persona, 4, "they may not list", "storage.objects.list")


def test_a_clock_that_is_off(persona: Run, configure: Configure, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock is 20 minutes behind, and a real server checks the signature."""
    from persona.storage.backends import rest, sigv4

    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(minutes=20)

    class Clock:
        @staticmethod
        def time() -> float:
            return time.time() - 1200

    monkeypatch.setattr(sigv4, "datetime", Late)
    monkeypatch.setattr(rest, "time", Clock)
    configure(place("seaweedfs"))
    told(persona, 4, "this machine's clock is 20 minutes behind the provider's", "Set this machine's clock")


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("seaweedfs", 403, "<Error><Code>RequestTimeTooSkewed</Code></Error>"),
        ("azurite", 403, "<Error><Code>AuthenticationFailed</Code></Error>"),
    ],
)
def test_a_provider_that_says_so(
    persona: Run,
    configure: Configure,
    place: Place,
    scripted: Callable[[Act], FaultProxy],
    name: str,
    status: int,
    body: str,
) -> None:
    ahead = format_datetime(datetime.now(UTC) + timedelta(minutes=20), usegmt=True)
    configure(at(place(name), scripted(answer(status, body, date=ahead)).url))
    told(persona, 4, "clock is 20 minutes behind", "Set this machine's clock")


def test_keys_that_have_expired(
    persona: Run, configure: Configure, place: Place, scripted: Callable[[Act], FaultProxy], monkeypatch: Any
) -> None:
    settings = changed(place("seaweedfs"), access_key_id=None, secret_access_key=None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "expired")
    configure(at(settings, scripted(answer(400, "<Error><Code>ExpiredToken</Code></Error>")).url))
    told(persona, 4, "finds that they have expired", "Get new keys, and set AWS_ACCESS_KEY_ID")


def test_a_sas_that_has_expired(persona: Run, configure: Configure, azurite: Azurite, place: Place) -> None:
    sas = "sv=2022-11-02&ss=b&srt=sco&sp=rl&se=2020-01-01T00:00:00Z&sig=c2ln"
    configure(changed(place("azurite"), account_key=None, sas_token=Secret(sas)))
    told(persona, 4, "it expired at 2020-01-01 00:00 UTC", "Make a new one")


@pytest.mark.parametrize("status", [200, 403, 404, 407])
@pytest.mark.parametrize("name", SERVERS)
def test_a_web_page(
    persona: Run,
    configure: Configure,
    place: Place,
    scripted: Callable[[Act], FaultProxy],
    name: str,
    status: int,
) -> None:
    configure(at(place(name), scripted(html(status)).url))
    if status == 200:
        told(persona, 7, "gives an answer that makes no sense", "Check that the endpoint is right")
    elif status == 407:
        told(persona, 7, "is behind a proxy that asks for a user and a password", "Set https_proxy to its address")
    else:
        told(persona, 7, f"answers with {status} and a web page, as no storage service does", "Check the endpoint")


@pytest.mark.parametrize("name", SERVERS)
def test_tls_on_a_plain_port(persona: Run, configure: Configure, place: Place, running: Any, name: str) -> None:
    server: Server = running(name)
    configure(at(place(name), f"https://{server.address}"))
    told(persona, 7, "does not speak TLS, and the endpoint begins with https://", "Correct the endpoint_url")


@contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    """A server that speaks TLS only, with a certificate of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(folder))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


@pytest.mark.parametrize("name", SERVERS)
def test_plain_on_a_tls_port(persona: Run, configure: Configure, place: Place, name: str, tmp_path: Path) -> None:
    with tls_server(tmp_path) as address:
        configure(at(place(name), f"http://{address}"))
        told(persona, 7, "speaks TLS, and the endpoint begins with http://", "Write https://")


def test_a_certificate_that_nobody_trusts(persona: Run, configure: Configure, place: Place, tmp_path: Path) -> None:
    with tls_server(tmp_path) as address:
        configure(at(place("seaweedfs"), f"https://{address}"))
        told(persona, 7, "has no certificate that this machine trusts", "SSL_CERT_FILE")


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://no-such-host.invalid", "no-such-host.invalid"),
        ("http://127.0.0.1:9", "Nothing answers at 127.0.0.1:9"),
        ("black hole", "Nothing answers at 127.0.0.1:"),
    ],
)
def test_no_network(persona: Run, configure: Configure, place: Place, name: str, address: str, said: str) -> None:
    with ExitStack() as stack:
        if address == "black hole":  # its queue is full, so that no connection is accepted
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            port = listening.getsockname()[1]
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            address = f"http://127.0.0.1:{port}"
        settings = at(place(name), address)
        configure(settings)
        told(persona, 7, said, "Check the endpoint")
