"""What passes between a cloud backend and its provider's file."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from persona.config.schema import PerformanceSettings
from persona.errors import ConfigError, NameRefusedError
from persona.storage.backend import Condition, Digest, IfAbsent, IfVersion, StorageObject
from persona.storage.backends.answers import NonsenseError
from persona.storage.capabilities import Spelling
from persona.storage.content_headers import NO_HEADERS, ContentHeaders
from persona.storage.metadata import Held, Rules, pack
from persona.storage.paths import clean
from persona.storage.retry import RetryPolicy

MIB = 1 << 20
Part = bytes | bytearray | memoryview
"""Bytes of a part of an object; nobody changes them."""


@dataclass(frozen=True, slots=True)
class UnquotedVersion(IfVersion):
    """As `IfVersion`, for a service that compares ``If-Match`` without its quotes, as Ceph RGW does on PUT."""


class Entry(NamedTuple):
    """An object as a listing or a request for its properties gives it, under the provider's key.

    `is_folder` tells that it only marks a folder, by the provider's word.
    """

    key: str
    size: int
    last_modified: datetime
    version: str
    digest: Digest | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    headers: ContentHeaders | None = None
    is_folder: bool = False
    problem: str = ""
    """Why a row of a listing cannot be used; the fields beside the key say nothing then."""

    def named(self, path: str) -> StorageObject:
        """Return the object under a storage path."""
        return StorageObject(path, *self[1:-2])


UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
NO_ETAG = "no-etag:"
"""How a version begins that Persona makes where a service gives no ETags. No request can name it in a condition."""


def version_of(etag: str, size: int, modified: datetime) -> str:
    """Return the version of an object: its ETag, or else what tells most of its versions apart."""
    return etag or f"{NO_ETAG}{modified:%Y%m%dT%H%M%SZ}-{size}"


def row(key: str, read: Callable[[], Entry]) -> Entry:
    """Return a row of a listing; one whose fields cannot be read is that object's problem, and not the listing's."""
    try:
        return read()
    except NonsenseError as error:
        return Entry(key, 0, UNKNOWN_TIME, "", problem=str(error))


class Written(NamedTuple):
    """What a provider says of an object that it has just taken."""

    version: str
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class Attributes:
    """What goes with the bytes of an object.

    Args:
        content_type: the media type.
        metadata: the user's metadata, not yet packed for the provider.
        headers: the other headers of the content.
        md5: the MD5 of the bytes in hexadecimal, if it is known.
    """

    content_type: str
    metadata: Mapping[str, str]
    headers: ContentHeaders = NO_HEADERS
    md5: str | None = None

    def held(self, rules: Rules, key: str) -> Held:
        """Return all of it as a provider can hold it; `pack` tells the rest."""
        return pack(self.metadata, {"content-type": self.content_type, **dict(self.headers.items())}, rules, key)


class Upload(Protocol):
    """An upload in parts that has begun."""

    @property
    def token(self) -> str:
        """How it goes on in another process."""

    async def resume(self) -> bool:
        """Find out which parts the provider has already, of an upload that was left; False if it cannot go on."""

    async def foresee(self, data: Part) -> None:
        """Take note of the part that comes next, before it is sent. Calls come one after another, in order."""

    async def part(self, number: int, data: Part) -> None:
        """Send a part that the provider has not. Numbers are from 0 on; where the backend allows it calls overlap."""

    async def finish(self) -> Written:
        """Make the object of the parts visible, all at once, if the condition of the upload holds."""

    async def abort(self) -> None:
        """Give up; what was sent is not charged for any longer."""


def policy_of(performance: PerformanceSettings) -> RetryPolicy:
    """Return the retry policy that the settings ask for."""
    return RetryPolicy(
        attempts=3 if performance.retry_attempts is None else performance.retry_attempts, delay=performance.retry_delay
    )


def check_endpoint(endpoint: str, *, allow_insecure: bool, section: str) -> bool:
    """Say whether an endpoint is plain http, which is allowed to this machine, and elsewhere only if asked for.

    Raises:
        ConfigError: it is plain http to another machine.
    """
    parts = urlsplit(endpoint)
    if parts.scheme == "http" and not is_this_machine(parts.hostname or "") and not allow_insecure:
        raise ConfigError(
            f"{endpoint} is plain http: credentials and data would cross the network unprotected.",
            hint=f"Use https, or set storage.{section}.allow_insecure to true if you trust the network.",
        )
    return parts.scheme == "http"


def is_this_machine(host: str) -> bool:
    """Say whether a host is this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, even if it starts with 127
        return False


def spelled(condition: Condition, spelling: Spelling | None) -> Condition:
    """Return a condition as a service must be told it."""
    if spelling == "unquoted" and isinstance(condition, IfVersion):
        return UnquotedVersion(condition.version)
    return condition


def etag_condition(condition: Condition | None) -> dict[str, str]:
    """Return a condition as the headers of RFC 9110, section 13, that S3 and Azure go by."""
    if isinstance(condition, IfAbsent):
        return {"if-none-match": "*"}
    if isinstance(condition, UnquotedVersion):
        return {"if-match": condition.version}
    if isinstance(condition, IfVersion):
        return {"if-match": f'"{condition.version}"'}
    return {}


def range_wanted(start: int, length: int | None) -> dict[str, str]:
    """Return what asks for a part of an object (RFC 9110, section 14.2); nothing if it is wanted whole."""
    if not start and length is None:
        return {}
    return {"range": f"bytes={start}-{'' if length is None else start + length - 1}"}


def clean_prefix(prefix: str) -> str:
    """Return a configured prefix as a storage path.

    Raises:
        ConfigError: it is none.
    """
    try:
        return clean(prefix)
    except NameRefusedError as error:
        raise ConfigError(f"The prefix cannot be used: {error}", hint=error.hint) from error
