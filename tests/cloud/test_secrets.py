"""Errors say what to do, and hold no secret, no signed address and no library's exception."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from persona.config.schema import AzureSettings, PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import ConfigError, CredentialsError, PersonaError, UnreachableError
from persona.storage.backend import StorageBackend
from persona.storage.stack import open_storage
from tests.cloud.conftest import Faulty
from tests.contract.helpers import block, stream
from tests.faults import Act, FaultProxy, answer, html, reset, stall, truncate

Behind = Callable[[str], Faulty]
CANARY = "CANARYsecret"
SAS = f"?sv=2022-11-02&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig={CANARY}%2B1%3D"
QUICK = PerformanceSettings(retry_attempts=0, retry_delay=0.01, timeout=0.5)


def s3(url: str) -> StorageSettings:
    keys = {"secret_access_key": Secret(CANARY), "session_token": Secret(f"{CANARY}-token")}
    s3 = S3Settings(bucket="bucket", endpoint_url=url, access_key_id="key", region="us-east-1", **keys)  # type: ignore[arg-type]
    return StorageSettings(backend="s3", s3=s3, performance=QUICK)


def azure_sas(url: str) -> StorageSettings:
    azure = AzureSettings(container="bucket", account="account", sas_token=Secret(SAS), endpoint_url=f"{url}/account")
    return StorageSettings(backend="azure", azure=azure, performance=QUICK)


def azure_string(url: str) -> StorageSettings:
    string = Secret(f"AccountName=account;AccountKey={CANARY};BlobEndpoint={url}/account")
    azure = AzureSettings(container="bucket", connection_string=string)
    return StorageSettings(backend="azure", azure=azure, performance=QUICK)


OPERATIONS: dict[str, Callable[[StorageBackend], Awaitable[Any]]] = {
    "read": lambda storage: storage.read("a"),
    "part": lambda storage: read_part(storage),
    "write": lambda storage: storage.write("a", b"x", metadata={"é": "ü"}),
    "parts": lambda storage: storage.write_stream("a", stream([block(n) for n in range(6)])),
    "stat": lambda storage: storage.stat("a"),
    "list": lambda storage: storage.list(),
    "copy": lambda storage: storage.copy("a", "b"),
    "delete": lambda storage: storage.delete("a"),
    "delete many": lambda storage: raised(storage.delete_many(["a", "b"])),
    "exists": lambda storage: storage.exists("a"),
}


async def read_part(storage: StorageBackend) -> bytes:
    return b"".join([chunk async for chunk in await storage.open("a", start=1, length=2)])


async def raised(work: Awaitable[dict[str, PersonaError]]) -> None:
    for error in (await work).values():
        raise error


def everything_said(error: BaseException, log: pytest.LogCaptureFixture) -> str:
    said = [str(error), repr(error), getattr(error, "hint", ""), *error.args, log.text]
    return "\n".join([*map(str, said), *traceback.format_exception(error)])


ANSWERS: dict[str, Act] = {
    "500": answer(500, f"sig={CANARY}"),
    "403": answer(403, f"<Error><Code>AuthenticationFailed</Code><Detail>{CANARY}</Detail></Error>"),
    "418": answer(418, "<Error><Code>Odd</Code></Error>"),
    "301": answer(301),
    "302": answer(302, location=f"http://127.0.0.1:9/?sig={CANARY}"),
    "page": html(),
    "page 403": html(403),
    "reset": reset,
    "stall": stall,
}


@pytest.mark.parametrize("act", ANSWERS)
@pytest.mark.parametrize("make", [s3, azure_sas, azure_string])
async def test_no_secret_in_any_error(
    make: Callable[[str], StorageSettings], act: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="persona")
    with FaultProxy() as proxy:
        storage = open_storage(make(proxy.url))
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            proxy.on(method, "", ANSWERS[act], times=1 << 30)
        results = await asyncio.gather(
            *(operation(storage) for operation in OPERATIONS.values()), return_exceptions=True
        )
        await storage.close()
        proxy.faults.clear()
    for name, result in zip(OPERATIONS, results, strict=True):
        if act == "page" and name in ("delete", "delete many", "exists", "copy"):
            continue
        assert isinstance(result, PersonaError), (name, result)
        assert result.hint, name
        said = everything_said(result, caplog)
        if act in ("500", "403"):  # the server itself repeats it there; it must not come into what we say
            said = f"{result}{result!r}{result.hint}"
        assert CANARY not in said, name


def test_settings_and_backends_do_not_show_secrets() -> None:
    for make in (s3, azure_sas, azure_string):
        settings = make("http://127.0.0.1:9")
        storage = open_storage(settings)
        place = storage.describe()
        assert CANARY not in f"{settings}{settings!r}{storage!r}{vars(storage)}{place}{storage.url('a')}"
        asyncio.run(storage.close())


MOVED = "<Error><Code>PermanentRedirect</Code><Endpoint>bucket.s3.eu-west-3.amazonaws.com</Endpoint></Error>"
MALFORMED = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"


@pytest.mark.parametrize(("status", "body"), [(301, MOVED), (307, MOVED), (400, MALFORMED)])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_wrong_region_is_named(status: int, body: str, name: str) -> None:
    with FaultProxy() as proxy:
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            proxy.on(method, "", answer(status, body, x_amz_bucket_region="eu-west-3"), times=1 << 30)
        storage = open_storage(s3(proxy.url))
        with pytest.raises(ConfigError) as caught:
            await OPERATIONS[name](storage)
        await storage.close()
        proxy.faults.clear()
    assert str(caught.value) == "The bucket bucket is in eu-west-3, not in us-east-1."
    assert caught.value.hint == "persona storage config set s3.region eu-west-3"


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("InvalidAccessKeyId", 403, "knows no such access key"),
        ("ExpiredToken", 400, "they have expired"),
        ("RequestTimeTooSkewed", 403, "clocks"),
    ],
)
async def test_refused_keys(code: str, status: int, words: str) -> None:
    with FaultProxy() as proxy:
        proxy.on("GET", "/a", answer(status, f"<Error><Code>{code}</Code></Error>"))
        storage = open_storage(s3(proxy.url))
        with pytest.raises(CredentialsError, match=words) as caught:
            await storage.read("a")
        await storage.close()
    assert caught.value.exit_code == 4


async def test_a_sas_is_not_repeated(behind: Behind) -> None:
    """What an error page of a real server repeats of the address does not come into our words."""
    faulty = behind("azure")
    settings = faulty.settings(retry_attempts=0)
    azure = dataclasses.replace(settings.azure, account_key=None, sas_token=Secret(SAS))
    storage = open_storage(dataclasses.replace(settings, azure=azure))
    with pytest.raises(CredentialsError) as caught:
        await storage.read("a")
    assert CANARY in faulty.proxy.seen[-1].target
    assert CANARY not in f"{caught.value}{caught.value!r}{caught.value.hint}"
    await storage.close()


@pytest.mark.parametrize("name", ["gcs", "azure", "s3"])
async def test_an_error_that_breaks_off(behind: Behind, name: str) -> None:
    faulty = behind(name)
    storage = faulty.open(retry_attempts=0)
    await storage.list()
    faulty.proxy.on("GET", "never", truncate)
    with pytest.raises((UnreachableError, FileNotFoundError)):
        await storage.read("never")


@pytest.mark.parametrize("date", ["yesterday", "", "Mon, 99 Foo 2020 00:00:00 GMT"])
async def test_an_odd_date_is_no_matter(date: str) -> None:
    with FaultProxy() as proxy:
        listing = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        proxy.on("GET", "max-keys=1000", answer(200, listing, date=date))
        storage = open_storage(s3(proxy.url))
        assert await storage.list() == []
        assert storage.describe().clock_skew is None
        await storage.close()
