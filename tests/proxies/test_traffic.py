"""All that goes to a provider goes through the proxy, to names that are known there alone; and what is said if not."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from persona.config.schema import StorageSettings
from persona.errors import CredentialsError, UnreachableError
from persona.storage.stack import open_storage
from tests.cli.conftest import Configure, Run, changed, files_below
from tests.credentials.services import AppService, GoogleIdentity, InstanceMetadata
from tests.faults import FaultProxy, html
from tests.proxies import tls
from tests.proxies.names import BUSY, FORBIDDEN
from tests.proxies.server import AskingProxy, HTTPProxy
from tests.serving import Server

Place = Callable[[str], StorageSettings]
USER, _, PASSWORD = AskingProxy.users.partition(":")
RIGHT = f"{quote(USER)}:{quote(PASSWORD, safe='')}"
WRONG = "someone:CANARY8-not-the-password"
PART = 5 << 20


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that names a proxy for all addresses. What fails is not tried again, which would only take time."""
    monkeypatch.setenv("PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS", "0")

    def name(url: str) -> None:
        for variable in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(variable, url)

    return name


def at(settings: StorageSettings, url: str) -> StorageSettings:
    """Return settings with another origin of their endpoint."""
    path = urlsplit(getattr(settings, settings.backend).endpoint_url).path
    return changed(settings, endpoint_url=url + path, allow_insecure=True)


def fresh() -> str:
    """Return a name that nobody else has, so that it can be seen what the proxy was asked."""
    return f"s{secrets.token_hex(6)}.persona.test"


@contextmanager
def reached(server: Server, scheme: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Give a name of a server that only the proxy knows, and its address with it: with TLS, or without."""
    host = fresh()
    if scheme == "http":
        yield host, f"http://{host}:{server.ports[0]}"
        return
    file = tls.certificate(folder)
    patch.setenv("SSL_CERT_FILE", str(file))
    with tls.before(server.address, file) as port:
        yield host, f"https://{host}:{port}"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_s3(
    scheme: str,
    asking: HTTPProxy,
    seaweedfs: Server,
    place: Place,
    through: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    through(asking.url(RIGHT))
    content = b"0123456789abcdef" * (PART // 16)

    async def pieces() -> Any:
        for _ in range(2):
            yield content
        yield b"end"

    with reached(seaweedfs, scheme, tmp_path, monkeypatch) as (host, url):
        storage = open_storage(at(place("seaweedfs"), url))
        assert storage.address() == ("127.0.0.1", asking.ports[0])
        names = ["a b/ü+%20~'()!*&=.txt", "plain"]
        for name in names:
            await storage.write(name, name.encode())
            assert await storage.read(name) == name.encode()
        await storage.write_stream("large", pieces())
        assert (await storage.stat("large")).size == 2 * PART + 3
        download = await storage.open("large")
        assert b"".join([piece async for piece in download]) == content * 2 + b"end"
        assert {found.path async for page in storage.scan() for found in page} == {*names, "large"}
        await storage.copy("plain", "copy")
        await storage.delete("copy")
        assert await storage.delete_many(["large", "plain"]) == {}
        assert not await storage.exists("plain")
        await storage.close()
    asked = asking.asked(host)
    assert set(asked) == ({"CONNECT"} if scheme == "https" else {"GET", "PUT", "POST", "HEAD", "DELETE"} & set(asked))
    assert len(asked) < 8, "connections are used again"


@pytest.mark.parametrize("name", ["fake-gcs", "azurite"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_others(
    name: str,
    scheme: str,
    proxy: HTTPProxy,
    running: Callable[[str], Server],
    place: Place,
    through: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    through(proxy.url())
    with reached(running(name), scheme, tmp_path, monkeypatch) as (host, url):
        storage = open_storage(at(place(name), url))
        await storage.write("a b/ü", b"content", metadata={"key": "value"})
        assert await storage.read("a b/ü") == b"content"
        assert [found.path async for page in storage.scan() for found in page] == ["a b/ü"]
        assert await storage.delete_many(["a b/ü"]) == {}
        await storage.close()
    assert proxy.asked(host)


def test_commands(
    persona: Run, configure: Configure, place: Place, seaweedfs: Server, asking: HTTPProxy, through: Any, home: Path
) -> None:
    """All of them go through it, `config test` shows it, and the password is in nothing that they leave."""
    through(asking.url(RIGHT))
    host = fresh()
    configure(at(place("seaweedfs"), f"http://{host}:{seaweedfs.ports[0]}"))
    Path("interviews").mkdir()
    Path("interviews", "first.txt").write_text("What annoys me is the price.")
    said = ""
    for line in (
        f"storage sync --from {Path('interviews').absolute()} --to interviews",
        "storage list",
        "storage status",
        "storage config test",
    ):
        ran = persona(*line.split(), "--verbose")
        assert ran.code == 0, (line, ran.err)
        said += ran.out + ran.err
    assert f"\nProxy: http://{asking.address} (http_proxy)\n" in said
    assert persona("storage", "config", "test", "--json").json["proxy"] == f"http://{asking.address}"
    assert asking.asked(host)
    not_shown(said)
    not_shown(str(files_below(home)))


def not_shown(text: str) -> None:
    assert "CANARY8" not in text
    assert "Q0FOQVJZ" not in text, "as it is in the header"
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("user", "address", "code", "said", "hint"),
    [
        (WRONG, "{scheme}://s3.test:9", 4, "does not accept the user and the password in {scheme}_proxy", "there"),
        ("", "{scheme}://s3.test:9", 4, "({scheme}_proxy) asks for a user and a password", "USER:PASSWORD@"),
        (RIGHT, "{scheme}://" + FORBIDDEN, 7, f"lets nothing through to {FORBIDDEN}: it answers with 403", "to allow"),
        (RIGHT, "{scheme}://" + BUSY, 7, f"cannot reach {BUSY}: it answers with 503", "the endpoint"),
        (RIGHT, "{scheme}://s3.test:9", 7, "cannot reach s3.test:9: it answers with 502", "the endpoint"),
    ],
    ids=["wrong password", "no password", "forbidden", "busy", "nobody there"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_proxy_refuses(
    persona: Run,
    configure: Configure,
    place: Place,
    asking: HTTPProxy,
    through: Any,
    home: Path,
    scheme: str,
    user: str,
    address: str,
    code: int,
    said: str,
    hint: str,
) -> None:
    through(asking.url(user))
    configure(at(place("seaweedfs"), address.format(scheme=scheme)))
    told(persona, code, said.format(scheme=scheme), asking.address, hint)
    not_shown(str(files_below(home)))


def told(persona: Run, code: int, *said: str) -> None:
    """Run commands, which must fail with the code, in time, and say the cause and the fix."""
    for command in (["storage", "list"], ["storage", "config", "test"]):
        begun = time.perf_counter()
        ran = persona(*command, "--verbose")
        assert time.perf_counter() - begun < 3, command
        shown = ran.out + ran.err
        assert ran.code == code, (command, shown)
        for text in said:
            assert text in shown, (command, shown)
        assert "→ " in shown, "a fix"
        not_shown(shown)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("http://user:CANARY8-secret@127.0.0.1:9", "Nothing answers at the proxy 127.0.0.1:9 ({scheme}_proxy)"),
        ("http://user:CANARY8-secret@proxy.invalid:9", "The name of the proxy proxy.invalid:9 ({scheme}_proxy) is not"),
    ],
)
def test_a_proxy_that_is_not_there(
    persona: Run, configure: Configure, place: Place, through: Any, scheme: str, where: str, said: str
) -> None:
    through(where)
    configure(at(place("seaweedfs"), f"{scheme}://s3.test:9"))
    told(persona, 7, said.format(scheme=scheme), f"Check {scheme}_proxy")


def test_a_proxy_that_is_no_http_proxy(
    persona: Run, configure: Configure, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:CANARY8-secret@127.0.0.1:9")
    configure(at(place("seaweedfs"), "https://s3.test"))
    told(persona, 3, "ALL_PROXY names a proxy", "only HTTP proxies", "Set https_proxy to one")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_silent(persona: Run, configure: Configure, place: Place, through: Any, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        through(f"http://{address}")
        configure(at(place("seaweedfs"), f"{scheme}://s3.test"))
        begun = time.perf_counter()
        ran = persona("storage", "config", "test")
        assert time.perf_counter() - begun < 2
    assert ran.code == 7
    assert f"No answer of the provider comes through the proxy {address} ({scheme}_proxy)" in ran.out


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://{plain}", "No TLS is spoken at the proxy {plain} (https_proxy)"),
        ("https://{tls}", "There is no certificate that this machine trusts at the proxy {tls} (https_proxy)"),
        ("http://{tls}", "The connection to s3.test, through the proxy {tls} (https_proxy), broke off"),
    ],
)
def test_tls_to_the_proxy_itself(
    persona: Run,
    configure: Configure,
    place: Place,
    through: Any,
    tmp_path: Path,
    url: str,
    said: str,
) -> None:
    with FaultProxy() as plain, tls.before(plain.address, tls.certificate(tmp_path)) as port:
        known = {"plain": plain.address, "tls": f"127.0.0.1:{port}"}
        through(url.format(**known))
        configure(at(place("seaweedfs"), "https://s3.test"))
        told(persona, 7, said.format(**known))


def test_a_proxy_behind_tls(
    persona: Run,
    configure: Configure,
    place: Place,
    proxy: HTTPProxy,
    seaweedfs: Server,
    through: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        reached(seaweedfs, "https", tmp_path, monkeypatch) as (host, url),
        tls.before(proxy.address, tmp_path / "certificate.pem") as port,
    ):
        through(f"https://127.0.0.1:{port}")
        configure(at(place("seaweedfs"), url))
        assert persona("storage", "list").code == 0
    assert proxy.asked(host)


def test_who_needs_no_proxy(
    persona: Run, configure: Configure, place: Place, through: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of this machine is always reached straight, and so is what NO_PROXY has."""
    through("http://127.0.0.1:9")
    configure(place("seaweedfs"))
    assert persona("storage", "list").code == 0
    assert persona("storage", "config", "test", "--json").json["proxy"] is None
    monkeypatch.setenv("NO_PROXY", ".test")
    configure(at(place("seaweedfs"), "http://s3.test"))
    ran = persona("storage", "list")
    assert ran.code == 7
    assert "s3.test" in ran.err
    assert "proxy" not in ran.err


def test_a_page_of_a_proxy_is_told_from_a_refusal_of_the_provider(
    persona: Run, configure: Configure, place: Place, through: Any
) -> None:
    with FaultProxy() as scripted:
        scripted.always("GET", "", html(403))
        through(scripted.url)
        configure(at(place("fake-gcs"), "http://gcs.test"))
        told(persona, 7, f"The proxy {scripted.address} (http_proxy) lets nothing through to gcs.test")
        assert all(seen.target.startswith("http://gcs.test/") for seen in scripted.seen)
        assert {seen.headers["host"] for seen in scripted.seen} == {"gcs.test"}


# Who gives the credentials


def service_account(folder: Path, token_uri: str) -> Path:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {"type": "service_account", "client_email": "a@b.example", "token_uri": token_uri, "private_key": pem}
    file = folder / "key.json"
    file.write_text(json.dumps(account))
    return file


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The name of a token endpoint with TLS that only the proxy knows, and a function that fetches a token there."""
    from persona.config.schema import GCSSettings
    from persona.credentials.google import find

    certificate = tls.certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    host = fresh()
    with GoogleIdentity() as service, tls.before(service.address, certificate) as port:
        file = service_account(tmp_path, f"https://{host}:{port}/token")
        found = find(GCSSettings(bucket="b", credentials_file=file), emulator=False)
        assert found is not None
        yield host, found.headers


def test_google(asking: HTTPProxy, google: Any, through: Any) -> None:
    host, headers = google
    through(asking.url(RIGHT))
    assert headers()["authorization"].startswith("Bearer token-")
    assert asking.asked(host) == ["CONNECT"]


@pytest.mark.parametrize(
    ("user", "port", "kind", "said"),
    [
        (WRONG, None, CredentialsError, "does not accept the user and the password in https_proxy"),
        ("", None, CredentialsError, "asks for a user and a password"),
        ("", 9, UnreachableError, "Nothing answers at the proxy 127.0.0.1:9"),
    ],
)
def test_google_in_vain(
    asking: HTTPProxy, google: Any, through: Any, user: str, port: int | None, kind: type[Exception], said: str
) -> None:
    through(f"http://127.0.0.1:{port}" if port else asking.url(user))
    begun = time.perf_counter()
    with pytest.raises(kind, match=said):
        google[1]()
    assert time.perf_counter() - begun < 2


def test_google_without_tls(asking: HTTPProxy, tmp_path: Path, through: Any) -> None:
    """A proxy's refusal of a plain request looks like an answer of whom it was for."""
    from persona.config.schema import GCSSettings
    from persona.credentials.google import find

    file = service_account(tmp_path, "http://oauth.test:9/token")
    found = find(GCSSettings(bucket="b", credentials_file=file), emulator=False)
    assert found is not None
    through(asking.url(WRONG))
    with pytest.raises(CredentialsError, match="does not accept the user and the password in http_proxy"):
        found.headers()


def test_aws(
    persona: Run,
    configure: Configure,
    place: Place,
    moto: Server,
    proxy: HTTPProxy,
    through: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """botocore reads the variables by itself."""
    host = fresh()
    through(proxy.url())
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{host}:{moto.ports[0]}")
    configure(place("moto"))
    ran = persona("storage", "config", "test", "--json")
    assert ran.json["credentials"]["identity"].startswith("arn:aws:")
    assert "POST" in proxy.asked(host)


def test_aws_asks_the_machine_itself_straight(
    persona: Run, configure: Configure, place: Place, through: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    through("http://127.0.0.1:9")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with InstanceMetadata() as service:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
        configure(changed(place("moto"), access_key_id=None, secret_access_key=None))
        ran = persona("storage", "config", "test", "--json")
    assert ran.json["credentials"]["source"] == "botocore's chain (iam-role)"


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        (True, CredentialsError, "does not accept the user and the password in https_proxy"),
        (False, UnreachableError, "Nothing answers at the proxy 127.0.0.1:9"),
    ],
)
def test_azure_in_vain(
    asking: HTTPProxy,
    through: Any,
    monkeypatch: pytest.MonkeyPatch,
    wrong: bool,
    kind: type[Exception],
    said: str,
) -> None:
    """Microsoft's library reads the variables by itself."""
    from persona.credentials.azure_identity import identity
    from persona.credentials.chain import Chain

    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://login.persona.test")
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"AZURE_{name}", "some.one")
    through(asking.url(WRONG) if wrong else "http://127.0.0.1:9")
    token = identity(Chain())[1]
    begun = time.perf_counter()
    with pytest.raises(kind, match=said):
        token()
    assert time.perf_counter() - begun < 1


def test_azure_asks_the_machine_itself_straight(
    persona: Run, configure: Configure, place: Place, through: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    through("http://127.0.0.1:9")
    with AppService() as service:
        monkeypatch.setenv("IDENTITY_ENDPOINT", service.url)
        monkeypatch.setenv("IDENTITY_HEADER", service.secret)
        configure(changed(place("azurite"), account_key=None))
        ran = persona("storage", "config", "test", "--json")
    assert ran.json["credentials"]["source"] == "azure-identity (managed identity)"
    assert service.issued
