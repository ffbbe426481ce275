"""Where credentials for Azure come from, in which order, and that each way works on a real server."""

from __future__ import annotations

import base64
import hmac
import sys
import time
from types import SimpleNamespace
from urllib.parse import urlencode

import azure.core.exceptions
import azure.identity
import pytest

from persona.config.schema import AzureSettings, PerformanceSettings, StorageSettings
from persona.config.secret import Secret
from persona.credentials import azure as credentials
from persona.errors import AccessDeniedError, ConfigError, CredentialsError, PersonaError
from persona.storage.backend import IfAbsent
from persona.storage.stack import open_storage
from tests.contract.helpers import MIB, block, received, stream
from tests.faults import FaultProxy, answer
from tests.servers import Azurite

KEY = base64.b64encode(b"a key").decode()
STRING = f"DefaultEndpointsProtocol=https;AccountName=one;AccountKey={KEY};EndpointSuffix=core.windows.net"


def azure_settings(**given: object) -> AzureSettings:
    secret = {"connection_string", "account_key", "sas_token"}
    values = {name: Secret(str(value)) if name in secret else value for name, value in given.items()}
    return AzureSettings(container="creds", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("string", "account", "endpoint"),
    [
        (STRING, "one", "https://one.blob.core.windows.net"),
        (STRING.replace("https", "http"), "one", "http://one.blob.core.windows.net"),
        (f"AccountName=one;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn", "one", "core.chinacloudapi.cn"),
        (f"BlobEndpoint=https://two.example.org/;AccountKey={KEY}", "two", "https://two.example.org"),
        (f"BlobEndpoint=http://127.0.0.1:1/one/;AccountName=one;AccountKey={KEY};;", "one", "http://127.0.0.1:1/one"),
        ("UseDevelopmentStorage=true", "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1"),
        ("usedevelopmentstorage=TRUE;", "devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1"),
        (
            "BlobEndpoint=https://two.blob.core.windows.net;SharedAccessSignature=sv=1&sig=a%3D",
            "two",
            "https://two.blob.core.windows.net",
        ),
        (f" AccountName = one ; AccountKey = {KEY} ", "one", "https://one.blob.core.windows.net"),
        (f"accountname=one;ACCOUNTKEY={KEY}", "one", "https://one.blob.core.windows.net"),
    ],
)
def test_connection_strings(string: str, account: str, endpoint: str) -> None:
    found = credentials.find(azure_settings(connection_string=string))
    assert found.account == account
    assert found.endpoint.endswith(endpoint)
    assert (found.account_key is None) == ("SharedAccessSignature" in string)
    if found.sas is not None:
        assert credentials.sas_pairs(found.sas) == [("sv", "1"), ("sig", "a=")]


@pytest.mark.parametrize(
    "string", ["CANARY", "AccountName=CANARY", "AccountKey=CANARY", "=;=;CANARY=", "UseDevelopmentStorage=CANARY"]
)
def test_connection_strings_that_cannot_be_read(string: str) -> None:
    with pytest.raises(ConfigError) as caught:
        credentials.find(azure_settings(connection_string=string))
    assert "CANARY" not in f"{caught.value}{caught.value!r}{caught.value.hint}"
    assert "storage.azure.connection_string" in str(caught.value)


def test_two_accounts() -> None:
    with pytest.raises(ConfigError, match=r"“two”, but the configuration .* is for “one”"):
        credentials.find(azure_settings(connection_string=STRING, account="two"))


def test_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "environment")
    principal(monkeypatch, Identity)
    everything = {"connection_string": STRING, "account_key": KEY, "sas_token": "?sig=x", "anonymous": True}
    variables = ["AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"]
    for name, value in zip(variables, [STRING, KEY, "sig=x"], strict=True):
        monkeypatch.setenv(name, value)
    sources = []
    for name in everything.copy():
        sources.append(credentials.find(azure_settings(**everything)).source)
        del everything[name]
    for name in variables:
        sources.append(credentials.find(azure_settings()).source)
        monkeypatch.delenv(name)
    found = credentials.find(azure_settings())
    assert [*sources, found.source] == [
        "the configuration (storage.azure.connection_string)",
        "the configuration (storage.azure.account_key)",
        "the configuration (storage.azure.sas_token)",
        "no credentials (storage.azure.anonymous)",
        "the environment (AZURE_STORAGE_CONNECTION_STRING)",
        "the environment (AZURE_STORAGE_KEY)",
        "the environment (AZURE_STORAGE_SAS_TOKEN)",
        "azure-identity (service principal)",
    ]
    assert found.account == "environment"


def test_no_account() -> None:
    with pytest.raises(ConfigError, match=r"azure\.account is not set"):
        credentials.find(azure_settings(account_key=KEY))


def test_no_container() -> None:
    with pytest.raises(ConfigError, match=r"azure\.container is not set"):
        open_storage(StorageSettings(backend="azure"))


def test_without_azure_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(CredentialsError) as caught:
        credentials.find(azure_settings(account="one"))
    assert "persona[azure]" in caught.value.hint


@pytest.mark.parametrize("key", ["no base64!", "CANAR"])
def test_an_account_key_that_is_none(key: str) -> None:
    with pytest.raises(CredentialsError, match="not valid base64") as caught:
        credentials.find(azure_settings(account="one", account_key=key))
    assert key not in str(caught.value)


def principal(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    """Set a service principal, whose tokens come from a class."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "CANARY")
    monkeypatch.setattr(azure.identity, "EnvironmentCredential", kind)


class Identity:
    """A service principal, with tokens that are counted."""

    given = 0

    def get_token(self, scope: str) -> SimpleNamespace:
        assert scope == "https://storage.azure.com/.default"
        Identity.given += 1
        return SimpleNamespace(token=f"token-{Identity.given}", expires_on=time.time() + 3600)


class NoIdentity:
    """A service principal that is refused."""

    def get_token(self, scope: str) -> SimpleNamespace:
        raise azure.core.exceptions.ClientAuthenticationError(f"CANARY {scope}")


async def test_tokens_are_sent_and_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    principal(monkeypatch, Identity)
    described = {"etag": '"1"', "last_modified": "Mon, 02 Nov 2020 10:00:00 GMT"}
    with FaultProxy() as proxy:
        proxy.on("GET", "/one/creds/a", answer(200, "x", **described), times=2)
        proxy.on("HEAD", "/one/creds/a", answer(200, **described))
        settings = azure_settings(account="one", endpoint_url=f"{proxy.url}/one")
        storage = open_storage(StorageSettings(backend="azure", azure=settings))
        assert storage.describe().identity is None
        await storage.read("a")
        await storage.read("a")
        await storage.stat("a")
        await storage.close()
    sent = [seen.headers["authorization"] for seen in proxy.seen]
    assert len(set(sent)) == 3
    assert all(text.startswith("Bearer token-") for text in sent)


async def test_no_way_of_the_chain_works(monkeypatch: pytest.MonkeyPatch) -> None:
    principal(monkeypatch, NoIdentity)
    settings = azure_settings(account="one", endpoint_url="http://127.0.0.1:9/one")
    storage = open_storage(StorageSettings(backend="azure", azure=settings))
    for operation in (storage.read, storage.stat, storage.delete):
        with pytest.raises(CredentialsError, match="gives no token") as caught:
            await operation("a")
        assert "CANARY" not in f"{caught.value}{caught.value.hint}"
    await storage.close()


def account_sas(server: Azurite, permissions: str) -> str:
    """Return an account SAS (Azure Storage REST API, "Create an account SAS"), version 2020-12-06."""
    fields = {
        "sp": permissions,
        "ss": "b",
        "srt": "sco",
        "st": "",
        "se": "2099-01-01T00:00:00Z",
        "sip": "",
        "spr": "https,http",
        "sv": "2022-11-02",
        "ses": "",
    }
    text = "".join(f"{value}\n" for value in [server.account, *fields.values()])
    signature = hmac.digest(base64.b64decode(server.account_key), text.encode(), "sha256")
    return urlencode({**{k: v for k, v in fields.items() if v}, "sig": base64.b64encode(signature).decode()})


def ways(server: Azurite) -> dict[str, dict[str, str]]:
    base = f"BlobEndpoint={server.endpoint};AccountName={server.account}"
    place = {"account": server.account, "endpoint_url": server.endpoint}
    sas = account_sas(server, "rwdlacx")
    return {
        "string": {"connection_string": f"{base};AccountKey={server.account_key}"},
        "key": {**place, "account_key": server.account_key},
        "sas": {**place, "sas_token": f"?{sas}"},
        "sas in a string": {"connection_string": f"{base};SharedAccessSignature={sas}"},
    }


@pytest.mark.parametrize("way", ["string", "key", "sas", "sas in a string"])
async def test_every_operation(azurite: Azurite, way: str) -> None:
    azurite.make_bucket("creds")
    settings = azure_settings(prefix=f"ways {way}", **ways(azurite)[way])
    quick = PerformanceSettings(retry_delay=0.01)  # with a SAS, this server fails to delete in bulk
    storage = open_storage(StorageSettings(backend="azure", azure=settings, performance=quick))
    blocks = [block(number) for number in range(6)]
    await storage.write("a é", b"x", condition=IfAbsent(), metadata={"Who": "é"})
    await storage.write_stream("big", stream(blocks))
    assert await received(storage, "big", MIB, 9) == blocks[1][:9]
    assert (await storage.copy("a é", "b + %")).metadata == {"Who": "é"}
    assert [found.path for found in await storage.list()] == ["a é", "b + %", "big"]
    assert await storage.read("b + %") == b"x"
    await storage.delete("big")
    assert await storage.delete_many(["a é", "b + %"]) == {}
    assert await storage.list() == []
    await storage.close()


async def test_a_sas_that_allows_less(azurite: Azurite) -> None:
    azurite.make_bucket("creds")
    place = {"account": azurite.account, "endpoint_url": azurite.endpoint}
    settings = azure_settings(prefix="less", sas_token=account_sas(azurite, "rl"), **place)
    storage = open_storage(StorageSettings(backend="azure", azure=settings))
    assert await storage.list() == []
    for work in (storage.write("a", b"x"), storage.delete("a")):
        with pytest.raises(AccessDeniedError) as caught:
            await work
        assert isinstance(caught.value, PersonaError)
        assert "sig" not in str(caught.value)
    await storage.close()
