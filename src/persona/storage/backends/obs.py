"""Ordinary objects through obstore, for S3 and Azure: one request each, in Rust.

obstore's own messages carry whole URLs, which on Azure may bear a signature, so they are never passed on.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore.exceptions import BaseError, NotModifiedError

from persona.config.schema import PerformanceSettings
from persona.errors import ConfigError, PersonaError, UnreachableError
from persona.storage.backend import Condition, Digest, Download, IfAbsent, IfVersion, StorageObject
from persona.storage.backends.cloud import CloudBackend
from persona.storage.backends.faults import MissingError, RangeError, UnchangedError
from persona.storage.backends.primitives import Attributes, Entry, Part, Written
from persona.storage.backends.rest import CHUNK_BYTES, late, senseless, size_in
from persona.storage.metadata import pack, unpack
from persona.storage.paths import from_key
from persona.storage.retry import RetryPolicy

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, PutMode
    from obstore.store import AzureStore, ClientConfig, RetryConfig, S3Store

S = TypeVar("S")
KEYS_LAST = timedelta(minutes=6)
"""How long obstore may keep temporary keys. It asks again 5 minutes before, so of shorter ones at every request."""
_ETAG = re.compile(r"(?!\*$)[!#-~]+")  # RFC 9110, section 8.8.3; Azurite takes "*" in quotes for any version
_STATUS = re.compile(r"status code: (\d{3})[^:\n]*:? ?(.*?)(?:\n\nDebug source|\Z)", re.DOTALL)
_STANDARD = {
    "Content-Type",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Cache-Control",
    "Storage-Class",
}


def kept_until(end: datetime | None) -> datetime:
    """Return until when obstore may keep temporary keys that expire at a time, or at one that is not known."""
    asked = datetime.now(UTC) + KEYS_LAST
    return asked if end is None else min(asked, end)


def client_options(performance: PerformanceSettings, *, allow_http: bool) -> ClientConfig:
    """Return obstore's HTTP options for our settings."""
    return {
        "allow_http": allow_http,
        "connect_timeout": timedelta(seconds=min(5.0, performance.timeout)),
        "timeout": timedelta(hours=24),  # of a whole body: a large one may take long, as long as more of it comes
        "read_timeout": timedelta(seconds=performance.timeout),
    }


def retry_config(policy: RetryPolicy) -> RetryConfig:
    """Return the one retry policy in obstore's terms; its pauses double and have jitter too."""
    return {
        "max_retries": policy.attempts,
        "retry_timeout": timedelta(seconds=policy.max_time),
        "backoff": {
            "init_backoff": timedelta(seconds=policy.delay),
            "max_backoff": timedelta(seconds=policy.max_delay),
            "base": 2,
        },
    }


def opened(kind: Callable[..., S], **options: Any) -> S:
    """Return a store of obstore, which checks its settings when it is made.

    Raises:
        ConfigError: it refuses them; why is not said, since its message may hold a secret.
    """
    try:
        return kind(**options)
    except (BaseError, ValueError):
        raise ConfigError(
            "The storage settings cannot be used: an address, a name or a key has not the form of one.",
            hint="Compare “persona storage config show” with what the provider gives.",
        ) from None


class ObstoreBackend(CloudBackend):
    """The primitives that obstore serves."""

    metadata_name: re.Pattern[str]
    metadata_prefix: str
    metadata_limit: int
    _store: S3Store | AzureStore
    _refusal: PersonaError | None = None

    @abstractmethod
    def _digest(self, etag: str) -> Digest | None: ...

    def _providing(self, ask: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        """Return what obstore asks for credentials. It passes on only the text of an error, so the error is kept."""

        def provide() -> dict[str, Any]:
            try:
                return ask()
            except PersonaError as error:
                self._refusal = error
                raise

        return provide

    async def _get(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
        version: str | None = None,
        *,
        unless: str | None = None,
    ) -> Download:
        options: GetOptions = {}
        if start or length is not None:
            options["range"] = {"offset": start} if length is None else (start, start + length)
        if version is not None:
            options["if_match"] = f'"{version}"'
        if unless is not None and _ETAG.fullmatch(unless):  # else no object has it
            options["if_none_match"] = f'"{unless}"'
        try:
            return self._download(key, await obstore.get_async(self._store, key, options=options))
        except Exception as error:
            if "non-partial" not in str(error):
                raise await self._failure(error) from error
        whole = await self._get(key, version=version, unless=unless)  # the endpoint ignores ranges
        return _Slice(whole, start, length)

    async def _put(self, key: str, data: Part, attributes: Attributes, condition: Condition | None) -> Written:
        mode: PutMode = "overwrite"
        if isinstance(condition, IfAbsent):
            mode = "create"
        elif isinstance(condition, IfVersion):
            mode = {"e_tag": f'"{condition.version}"'}
        metadata = pack(attributes.metadata, self.metadata_name, self.metadata_limit)
        try:
            result = await obstore.put_async(
                self._store,
                key,
                data,
                mode=mode,
                attributes={"Content-Type": attributes.content_type, **metadata},
                use_multipart=False,
            )
        except Exception as error:
            raise await self._failure(error) from error
        etag = (result["e_tag"] or "").strip('"')
        return Written(etag, self._digest(etag))

    async def _delete_batch(self, keys: Sequence[str]) -> None:
        try:
            await obstore.delete_async(self._store, list(keys))
        except Exception as error:
            raise self._error(error) from error

    async def _failure(self, error: Exception) -> PersonaError:
        """Return this project's error for one of obstore's, which says of a redirect only that it is one."""
        if "redirect without LOCATION" in str(error):
            await self._check_bucket()  # this answer names the region
        return self._error(error)

    def _metadata_headers(self, attributes: Attributes) -> dict[str, str]:
        """Return the user's metadata as the headers of a request."""
        packed = pack(attributes.metadata, self.metadata_name, self.metadata_limit)
        return {f"{self.metadata_prefix}{name}": text for name, text in packed.items()}

    def _entry(self, key: str, headers: Mapping[str, str], digest: Digest | None) -> Entry:
        """Return what the headers of a HEAD say of an object."""
        lower = {name.lower(): text for name, text in headers.items()}
        start = self.metadata_prefix
        return Entry(
            key,
            size_in(lower["content-length"]),
            parsedate_to_datetime(lower["last-modified"]).astimezone(UTC),
            lower["etag"].strip('"'),
            digest,
            lower.get("content-type"),
            unpack({name.removeprefix(start): text for name, text in lower.items() if name.startswith(start)}),
        )

    def _download(self, key: str, result: GetResult) -> Download:
        meta = result.meta
        if not meta["e_tag"]:
            raise senseless(self._host)
        etag = meta["e_tag"].strip('"')
        attributes = result.attributes
        stored = {name: text for name, text in attributes.items() if name not in _STANDARD}
        described = StorageObject(
            from_key(self._prefix, key),
            meta["size"],
            meta["last_modified"],
            etag,
            self._digest(etag),
            attributes.get("Content-Type"),
            unpack(stored),
        )
        return _ObstoreDownload(result, described, self._error)

    def _error(self, error: Exception) -> PersonaError:
        """Return this project's error for one of obstore's."""
        text = str(error)
        if self._refusal is not None and "credential provider" in text:
            return self._refusal
        if isinstance(error, NotModifiedError):
            return UnchangedError("The object was not changed.")
        if found := _STATUS.search(text):
            return self._translate(int(found[1]), {}, found[2].encode())
        if "StartTooLarge" in text:
            return RangeError("The range is past the end.")
        if isinstance(error, FileNotFoundError):
            return MissingError("There is no such object.")
        if isinstance(error, BaseError | OSError):
            kind = re.search(r"kind: (\w+)", text)
            if kind and kind[1] == "Connect":
                return UnreachableError(f"Nothing answers at {self._host}.", hint="Check the endpoint and the network.")
            if kind and kind[1] == "Timeout":
                return late(self._host)
            if "missing from response" in text or "redirect" in text or "Unexpected content" in text:
                return senseless(self._host)
            return UnreachableError(f"The connection to {self._host} broke off.", hint="Try again.")
        return senseless(self._host)


class _ObstoreDownload(Download):
    def __init__(self, result: GetResult, described: StorageObject, error: Any) -> None:
        self.object = described
        self._result: GetResult | None = result
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._result is None:
            return
        try:
            async for chunk in self._result.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)
        except Exception as error:
            if isinstance(error, PersonaError):
                raise
            raise self._error(error) from error

    async def close(self) -> None:
        self._result = None


class _Slice(Download):
    """A part of a download, for endpoints that send the whole."""

    def __init__(self, whole: Download, start: int, length: int | None) -> None:
        self.object = whole.object
        self._whole = whole
        self._start = start
        self._end = whole.object.size if length is None else start + length
        if start >= whole.object.size:
            raise RangeError(f"{start} is past the end.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        position = 0
        async for chunk in self._whole:
            if piece := chunk[max(0, self._start - position) : max(0, self._end - position)]:
                yield piece
            position += len(chunk)
            if position >= self._end:
                return

    async def close(self) -> None:
        await self._whole.close()
