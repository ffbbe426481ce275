"""What S3 and Azure have in common: a version is an ETag, and metadata travels in headers."""

from __future__ import annotations

import logging
import re
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

from persona.errors import AccessDeniedError
from persona.storage.backend import Digest, Download, StorageObject
from persona.storage.backends.answers import NonsenseError, understood
from persona.storage.backends.cloud import CloudBackend
from persona.storage.backends.downloads import BodyDownload, Slice
from persona.storage.backends.facts import header_facts
from persona.storage.backends.faults import MissingError
from persona.storage.backends.primitives import NO_ETAG, Attributes, Entry, range_wanted, version_of
from persona.storage.content_headers import NAMES, ContentHeaders
from persona.storage.content_types import DEFAULT
from persona.storage.metadata import Rules, decoded, unpack
from persona.storage.paths import from_key

log = logging.getLogger(__name__)
_SECONDS_UNSURE = 3.0
"""A time of whole seconds may be a second off, and so may what is known of the provider's clock, before and after."""
_ETAG = re.compile(r"(?!\*$)[!#-~]+")  # RFC 9110, section 8.8.3; Azurite takes "*" in quotes for any version


class ETagBackend(CloudBackend):
    """A backend whose versions are ETags."""

    rules: Rules
    metadata_prefix: str
    header_prefix = ""
    """What comes before the names of the headers of the content in a request that writes them."""
    _gives_no_etags = False

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
        if version is not None and not version.startswith(NO_ETAG):
            headers["if-match"] = f'"{version}"'
        if unless is not None and _ETAG.fullmatch(unless):  # else no object has it
            headers["if-none-match"] = f'"{unless}"'
        body = await self._rest.open(self._path(key), headers=headers)
        with ExitStack() as unless_read:
            unless_read.callback(body.close)
            with understood(self._host, key, body.first):
                entry = await self._described(key, body.headers, start, ask=True)
            download: Download = BodyDownload(body, entry.named(from_key(self._prefix, key)))
            # whatever the status: one service answers with 200
            if "range" in headers and "content-range" not in body.headers:  # the endpoint ignores ranges
                download = Slice(download, start, length)
            unless_read.pop_all()
        return download

    async def _head(self, key: str) -> Entry:
        headers = (await self._rest.send("HEAD", self._path(key))).headers
        page = b"<html" if headers.get("content-type", "").startswith("text/html") else b""
        with understood(self._host, key, page):
            return await self._described(key, headers, 0, ask=False)

    async def _described(self, key: str, headers: Mapping[str, str], start: int, *, ask: bool) -> Entry:
        """Return what the headers of an answer tell of an object. What they lack, HEAD tells, or a listing.

        Args:
            key: the object.
            headers: the headers.
            start: the first byte that was asked for.
            ask: whether HEAD may tell more.

        Raises:
            NonsenseError: something is missing, and nothing tells it.
        """
        facts = header_facts(headers, start)
        if facts.version is None and self._gives_no_etags and facts.size is not None and facts.modified:
            facts = facts._replace(version=version_of("", facts.size, facts.modified))
        if not facts.complete:
            facts = facts.filled(await self._head(key) if ask else await self._listed(key))
        if facts.version and facts.version.startswith(NO_ETAG):
            self._warn_of_no_etags()
        prefix = self.metadata_prefix
        pairs = {name.lower(): _text(text) for name, text in headers.items()}
        named = {name.removeprefix(prefix): text for name, text in pairs.items() if name.startswith(prefix)}
        held = unpack({name: pairs[name] for name in ("content-type", *NAMES) if name in pairs}, named)
        assert facts.size is not None and facts.modified and facts.version  # noqa: S101  (for the type checker)
        return Entry(
            key,
            facts.size,
            facts.modified,
            facts.version,
            self._stated(headers),
            held.headers.get("content-type"),
            held.metadata,
            ContentHeaders.of(held.headers),
        )

    async def _listed(self, key: str) -> Entry:
        """Return the row of an object in a listing.

        Raises:
            NonsenseError: there is none, or it cannot be used.
        """
        try:
            page = await self._page(key, None, None, False)
        except AccessDeniedError as error:
            raise NonsenseError("its size, time or ETag is missing, and these credentials may not list") from error
        entry = next((each for each in page.entries if each.key == key), None)
        if entry is None or entry.problem:
            raise NonsenseError("its size, time or ETag is missing, and the listing does not tell it")
        return entry

    async def _version_of_copy(self, key: str, source: StorageObject) -> str:
        """Return the version of a copy whose answer does not tell it: of what stands there, if its MD5 is the source's.

        It is "" where that is not proved: what stands there may be someone else's.
        """
        try:
            entry = await self._head(key)
        except MissingError:
            return ""
        digest = source.digest
        proved = digest is not None and digest.algorithm == "md5" and digest.vouched and digest == entry.digest
        return entry.version if proved and entry.size == source.size else ""

    def may_change_unseen(self, version: str, since: float) -> bool:
        """Say whether an object may be written without a new version: a time of whole seconds stands for an ETag."""
        if not version.startswith(NO_ETAG):
            return False
        try:
            modified = datetime.strptime(version.removeprefix(NO_ETAG)[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return True
        skew = self.describe().clock_skew or 0.0  # which is known to the second
        return modified.timestamp() + _SECONDS_UNSURE > since + skew

    def _warn_of_no_etags(self) -> None:
        if not self._gives_no_etags:
            self._gives_no_etags = True
            log.warning(
                "%s gives no ETags. Persona tells versions apart by size and time instead: of two writes within one "
                "second it may see one, and what is read cannot be verified.",
                self._host,
            )

    def _headers_of(self, key: str, attributes: Attributes) -> dict[str, str]:
        """Return what goes with an object's content as the headers of a request."""
        held = attributes.held(self.rules, key)
        given = {"content-type": DEFAULT} | held.headers
        return {f"{self.header_prefix}{name}": text for name, text in given.items()} | {
            f"{self.metadata_prefix}{name}": text for name, text in held.metadata.items()
        }


def _text(header: str) -> str:
    """Return the text of a header: S3 encodes what is not ASCII, and some services send UTF-8, read as Latin-1."""
    try:
        return decoded(header.encode("latin-1").decode())
    except UnicodeError:
        return header
