"""What S3 and Azure have in common: a version is an ETag, and metadata travels in headers."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC
from email.utils import parsedate_to_datetime

from persona.storage.backend import Digest, Download
from persona.storage.backends.answers import etag_in, size_in, understood
from persona.storage.backends.cloud import CloudBackend
from persona.storage.backends.downloads import BodyDownload, Slice
from persona.storage.backends.primitives import Attributes, Entry, range_wanted
from persona.storage.content_headers import NAMES, ContentHeaders
from persona.storage.content_types import DEFAULT
from persona.storage.metadata import Rules, decoded, unpack
from persona.storage.paths import from_key

_ETAG = re.compile(r"(?!\*$)[!#-~]+")  # RFC 9110, section 8.8.3; Azurite takes "*" in quotes for any version


class ETagBackend(CloudBackend):
    """A backend whose versions are ETags."""

    rules: Rules
    metadata_prefix: str
    header_prefix = ""
    """What comes before the names of the headers of the content in a request that writes them."""

    @abstractmethod
    def _path(self, key: str) -> str:
        """Return the path of an object's URL."""

    @abstractmethod
    def _stated(self, headers: Mapping[str, str]) -> Digest | None:
        """Return the digest of the whole object that the headers of an answer state."""

    def _read_headers(self) -> dict[str, str]:
        """Return what goes with each request for content."""
        return {}

    async def _get(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
        version: str | None = None,
        *,
        unless: str | None = None,
    ) -> Download:
        headers = range_wanted(start, length) | self._read_headers()
        if version is not None:
            headers["if-match"] = f'"{version}"'
        if unless is not None and _ETAG.fullmatch(unless):  # else no object has it
            headers["if-none-match"] = f'"{unless}"'
        body = await self._rest.open(self._path(key), headers=headers)
        with ExitStack() as unless_read:
            unless_read.callback(body.close)
            with understood(self._host):
                entry = self._entry(key, body.headers)
                whole = "content-range" not in body.headers  # whatever the status: one service answers with 200
                if not whole:
                    entry = entry._replace(size=_size_of(body.headers["content-range"], start))
                download: Download = BodyDownload(body, entry.named(from_key(self._prefix, key)))
            if whole and "range" in headers:  # the endpoint ignores ranges
                download = Slice(download, start, length)
            unless_read.pop_all()
        return download

    def _entry(self, key: str, headers: Mapping[str, str]) -> Entry:
        """Return what the headers of an answer say of an object."""
        start = self.metadata_prefix
        lower = {name.lower(): text for name, text in headers.items()}
        named = {name.removeprefix(start): _text(value) for name, value in lower.items() if name.startswith(start)}
        held = unpack({name: _text(lower[name]) for name in ("content-type", *NAMES) if name in lower}, named)
        return Entry(
            key,
            size_in(lower["content-length"]),
            parsedate_to_datetime(lower["last-modified"]).astimezone(UTC),
            etag_in(lower["etag"]),
            self._stated(headers),
            held.headers.get("content-type"),
            held.metadata,
            ContentHeaders.of(held.headers),
        )

    def _headers_of(self, key: str, attributes: Attributes) -> dict[str, str]:
        """Return what goes with an object's content as the headers of a request."""
        held = attributes.held(self.rules, key)
        given = {"content-type": DEFAULT} | held.headers
        return {f"{self.header_prefix}{name}": text for name, text in given.items()} | {
            f"{self.metadata_prefix}{name}": text for name, text in held.metadata.items()
        }


def _size_of(content_range: str, start: int) -> int:
    """Return the size of the object that a part was sent of (RFC 9110, section 14.4).

    Raises:
        ValueError: the part is not the one that was asked for.
    """
    part, _, size = content_range.removeprefix("bytes ").partition("/")
    if size_in(part.partition("-")[0]) != start:
        raise ValueError("another part")
    return size_in(size)


def _text(header: str) -> str:
    """Return the text of a header: S3 encodes what is not ASCII, and some services send UTF-8, read as Latin-1."""
    try:
        return decoded(header.encode("latin-1").decode())
    except UnicodeError:
        return header
