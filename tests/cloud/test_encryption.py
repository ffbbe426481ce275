"""Encryption by the provider under a key of one's own: on every way in which anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from persona.config import values
from persona.config.schema import PerformanceSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import ConfigError, NotFoundError
from persona.storage.backend import IfAbsent, IfVersion, StorageBackend
from persona.storage.backends.primitives import Attributes
from persona.storage.backends.s3 import S3Backend
from persona.storage.backends.uploads import fingerprint
from persona.storage.stack import open_storage
from tests.cloud.conftest import Faulty
from tests.faults import Seen, answer

Behind = Callable[[str], Faulty]
PARTS = 6 << 20
KEY = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SSE = "x-amz-server-side-encryption"
KMS = f"{SSE}-aws-kms-key-id"
GCS_KEY = "projects/studies/locations/europe-west2/keyRings/research/cryptoKeys/personas"
SCOPE = "x-ms-encryption-scope"


class Sealed:
    """A place behind a proxy, opened with a way of encryption."""

    def __init__(self, place: Faulty, **section: Any) -> None:
        self.place = place
        self.proxy = place.proxy
        self.section = section

    def open(self, **more: Any) -> StorageBackend:
        settings = self.place.settings(chunk_size=5 << 20)
        section = dataclasses.replace(getattr(settings, settings.backend), **self.section, **more)
        opened = open_storage(dataclasses.replace(settings, **{settings.backend: section}))
        self.place.opened.append(opened)
        return opened


async def stream(size: int, fail_at: int | None = None) -> AsyncIterator[bytes]:
    for start in range(0, size, 1 << 20):
        if fail_at is not None and start >= fail_at:
            raise OSError("the source is gone")
        yield bytes(1 << 20)


async def write_all_ways(storage: StorageBackend, other: StorageBackend) -> list[str]:
    """Write in every way that there is, and return the paths."""
    first = await storage.write("plain", b"1", metadata={"a": "b"})
    await storage.write("plain", b"2", condition=IfVersion(first.version))
    await storage.write("absent", b"1", condition=IfAbsent())
    await storage.write_stream("small", stream(1 << 20))
    await storage.write_stream("parts", stream(PARTS), size=PARTS)
    await storage.copy("plain", "copy")
    await storage.copy("plain", "copy-absent", condition=IfAbsent())
    copied = ["plain", "absent", "small", "parts", "copy", "copy-absent"]
    await other.write("elsewhere", b"1")
    if await storage.copy_from(other, "elsewhere", "copy-from") is not None:
        copied.append("copy-from")
    return copied


def query_of(seen: Seen) -> dict[str, list[str]]:
    return parse_qs(urlsplit(seen.target).query, keep_blank_values=True)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"server_side_encryption": "AES256"}, {SSE: "AES256", KMS: None}),
        ({"server_side_encryption": "aws:kms", "kms_key_id": KEY}, {SSE: "aws:kms", KMS: KEY}),
        ({"server_side_encryption": "aws:kms:dsse", "kms_key_id": KEY}, {SSE: "aws:kms:dsse", KMS: KEY}),
    ],
)
async def test_s3(behind: Behind, section: dict[str, str], expected: dict[str, str | None]) -> None:
    sealed = Sealed(behind("moto"), **section)
    storage = sealed.open()
    plain = sealed.place.open()
    paths = await write_all_ways(storage, plain)
    assert "copy-from" in paths
    assert isinstance(storage, S3Backend)
    storage.copy_limit, storage.copy_part_bytes = 1 << 20, 5 << 20  # so that it is copied in parts
    await storage.copy("parts", "copy-in-parts")
    for path in [*paths, "copy-in-parts"]:
        headers = (await storage._rest.send("HEAD", f"/{sealed.place.prefix}/{path}")).headers
        assert headers.get(SSE) == expected[SSE], path
        if expected[SSE] == "aws:kms":  # moto does not tell the key of any other
            assert headers.get(KMS) == KEY, path
        assert await storage.encrypted_as_asked(path) is True
    begins = [*sealed.proxy.requests("POST", r"\?uploads="), *_whole_writes(sealed.proxy.requests("PUT"))]
    begins = [seen for seen in begins if not seen.target.endswith("/elsewhere")]
    assert len(begins) >= 9
    assert all({name: seen.headers.get(name) for name in expected} == expected for seen in begins)
    await plain.write("of another", b"1")
    if section["server_side_encryption"] != "AES256":  # which S3, and moto, do unasked
        assert await storage.encrypted_as_asked("of another") is False
    with pytest.raises(NotFoundError):
        await storage.encrypted_as_asked("nothing")
    assert await plain.encrypted_as_asked("plain") is None


def _whole_writes(seen: list[Seen]) -> list[Seen]:
    return [each for each in seen if "partNumber" not in query_of(each)]


async def test_the_variables_hold_for_all(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "aws:kms")
    monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", KEY)
    storage = Sealed(behind("moto")).open()
    await storage.write("plain", b"1")
    await storage.write_stream("parts", stream(PARTS))
    await storage.copy("plain", "copy")
    assert [await storage.encrypted_as_asked(path) for path in ("plain", "parts", "copy")] == [True] * 3
    assert storage.describe().encryption == f"aws:kms, key {KEY}"
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "rot13")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        Sealed(behind("moto")).open()
    assert "aws:kms:dsse" in caught.value.hint


class Checkpoint:
    token: str | None = None

    async def save(self, token: str | None) -> None:
        self.token = token


async def test_an_upload_goes_on_only_under_the_same_key(behind: Behind) -> None:
    sealed = Sealed(behind("moto"))
    checkpoint = Checkpoint()
    with pytest.raises(OSError, match="gone"):
        await sealed.open().write_stream("big", stream(3 * PARTS, 2 * PARTS), checkpoint=checkpoint)
    assert checkpoint.token
    storage = sealed.open(server_side_encryption="aws:kms", kms_key_id=KEY)
    await storage.write_stream("big", stream(3 * PARTS), checkpoint=checkpoint)
    assert await storage.encrypted_as_asked("big") is True
    assert len(sealed.proxy.requests("DELETE", "uploadId=")) == 1  # the one that was begun without


def test_without_a_key_uploads_that_were_left_go_on() -> None:
    attributes = Attributes("text/plain", {})
    assert fingerprint("a", attributes, None, {}) == "e85d7f9c4879c54e94e53ae8589abd25"
    assert fingerprint("a", attributes, None, {}) != fingerprint("a", attributes, None, {SSE: "AES256"})


async def test_gcs(behind: Behind) -> None:
    sealed = Sealed(behind("gcs"), kms_key_name=GCS_KEY)
    storage = sealed.open()
    paths = await write_all_ways(storage, sealed.place.open())
    assert "copy-from" in paths
    begins = sealed.proxy.requests("POST", "uploadType=|/rewriteTo/")
    begins = [seen for seen in begins if b'/elsewhere"' not in seen.body]
    assert len(begins) >= 7
    for seen in begins:
        name = "destinationKmsKeyName" if "/rewriteTo/" in seen.target else "kmsKeyName"
        assert query_of(seen)[name] == [GCS_KEY], seen.target
    for path in paths:
        assert (await storage.stat(path)).path == path


@pytest.mark.parametrize(
    ("said", "good"),
    [
        (f'{{"kmsKeyName": "{GCS_KEY}/cryptoKeyVersions/1"}}', True),
        (f'{{"kmsKeyName": "{GCS_KEY}2/cryptoKeyVersions/1"}}', False),
        ("{}", False),
    ],
)
async def test_gcs_says_which_key(behind: Behind, said: str, good: bool) -> None:
    sealed = Sealed(behind("gcs"), kms_key_name=GCS_KEY)
    sealed.proxy.on("GET", "fields=kmsKeyName", answer(200, said))
    assert await sealed.open().encrypted_as_asked("plain") is good


async def test_azure(behind: Behind) -> None:
    sealed = Sealed(behind("azure"), encryption_scope="research")
    storage = sealed.open()
    paths = await write_all_ways(storage, sealed.place.open())
    puts = [seen for seen in sealed.proxy.requests("PUT") if not seen.target.endswith("/elsewhere")]
    kinds = {query_of(seen).get("comp", ["blob"])[0] for seen in puts}
    assert kinds == {"blob", "block", "blocklist"}
    assert all(seen.headers.get(SCOPE) == "research" for seen in puts)
    assert "copy-from" not in paths  # Azure's own copy takes no scope, so the caller streams
    assert not [seen for seen in puts if seen.headers.get("x-ms-copy-source")]
    assert await storage.read("copy") == b"2"
    assert await storage.encrypted_as_asked("plain") is False  # the emulator knows no scopes, and says nothing


@pytest.mark.parametrize("kind", [None, "AES256"])
def test_a_key_that_nothing_uses(kind: str | None) -> None:
    s3 = S3Settings(
        bucket="b", access_key_id="a", secret_access_key=Secret("s"), server_side_encryption=kind, kms_key_id=KEY
    )
    with pytest.raises(ConfigError, match="server_side_encryption is") as caught:
        open_storage(StorageSettings(backend="s3", s3=s3, performance=PerformanceSettings()))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("parse", "given"),
    [
        (values.kms_key_name, "personas"),
        (values.kms_key_name, f"{GCS_KEY}/cryptoKeyVersions/1"),
        (values.kms_key_name, "projects/p/locations//keyRings/r/cryptoKeys/k"),
        (values.word, "two words"),
        (values.word, "schlüssel"),
        (values.word, "a\r\nb"),
        (values.word, ""),
    ],
)
def test_what_is_no_key(parse: values.Parser, given: str) -> None:
    with pytest.raises(ValueError, match=r"ASCII|full name|text"):
        parse(given)
    assert values.kms_key_name(GCS_KEY) == GCS_KEY
