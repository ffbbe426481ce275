"""Listings of S3, of objects and of their versions, also from services that know an older protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from persona.storage.backend import Digest, PastVersion
from persona.storage.backends.answers import (
    count_in,
    etag_in,
    parse_xml,
    size_in,
    text_of,
    time_in,
    token_in,
    understood,
    xml_or_none,
)
from persona.storage.backends.listing import Page, PastEntry
from persona.storage.backends.primitives import Entry, row, version_of
from persona.storage.backends.rest import RestClient

_MD5 = re.compile(r"[0-9a-f]{32}")
_PAST = {"Version": "version", "DeleteMarker": "marker"}


class S3Listings:
    """The listings of one bucket.

    Args:
        rest: the client.
        foreign: whether the endpoint is another than the provider's own.
    """

    def __init__(self, rest: RestClient, *, foreign: bool) -> None:
        self._rest = rest
        self._foreign = foreign
        self._encoding_plus: set[bool] = set()

    async def objects(self, prefix: str, after: str | None, token: str | None, level: bool, size: int) -> Page[Entry]:
        """Return a page of objects (Amazon S3 API Reference, "ListObjectsV2").

        Services that know "ListObjects" alone ignore ``start-after``, and take a ``marker`` for it.

        Args:
            prefix: begins the keys.
            after: a key; only what comes after it is listed.
            token: where the page starts, instead of `after`.
            level: whether folders are listed as one row each.
            size: how many rows to ask for.
        """
        query = {"list-type": "2", "max-keys": str(size), "encoding-type": "url", "prefix": prefix}
        if level:
            query["delimiter"] = "/"
        if token:
            query["continuation-token"] = token
        elif after is not None:
            query |= {"start-after": after, "marker": after} if self._foreign else {"start-after": after}
        reply = await self._rest.send("GET", "/", query=query)
        with understood(self._rest.host):
            root = parse_xml(reply.body, "ListBucketResult")
            root, decode = await self._readable(query, root)
            entries = [_entry(item, decode) for item in root.iter("Contents")]
            folders = [decode(text_of(item, "Prefix")) for item in root.iter("CommonPrefixes")]
            following = "" if _truncated(root) == "false" else token_in(text_of(root, "NextContinuationToken"))
            more = _may_go_on(root, len(entries) + len(folders), size)
            return Page(entries, folders, following or None, more, decode(text_of(root, "NextMarker")) or None)

    async def versions(
        self,
        prefix: str,
        after: tuple[str, str] | None,
        size: int,
        named: Callable[[str, str, int, str], PastVersion],
    ) -> Page[PastEntry]:
        """Return a page of versions and delete markers (Amazon S3 API Reference, "ListObjectVersions").

        Args:
            prefix: begins the keys.
            after: a key and its version; only what comes after them is listed.
            size: how many rows to ask for.
            named: returns a version by its key, id, size and kind.
        """
        query = {"versions": "", "encoding-type": "url", "prefix": prefix, "max-keys": str(size)}
        if after is not None:
            query |= {"key-marker": after[0], "version-id-marker": after[1]}
        reply = await self._rest.send("GET", "/", query=query)
        with understood(self._rest.host):
            root = parse_xml(reply.body, "ListVersionsResult")
            root, decode = await self._readable(query, root)
            entries = [_past_entry(item, decode, named) for item in root if item.tag in _PAST]
            following = decode(text_of(root, "NextKeyMarker")), token_in(text_of(root, "NextVersionIdMarker"))
            more = _may_go_on(root, len(entries), size)
            return Page(entries, [], None, more, following if all(following) else None)

    async def _readable(
        self, query: Mapping[str, str], root: ElementTree.Element
    ) -> tuple[ElementTree.Element, Callable[[str], str]]:
        """Return a page whose names can be decoded, and what decodes them.

        S3 encodes names as forms do: a space as ``+``, a plus sign as ``%2B``. Some services leave a plus sign as it
        is: then only the same page without an encoding tells the two apart.
        """
        if text_of(root, "EncodingType") != "url":
            return root, str
        names = _names(root)
        folders = {text_of(item, "Prefix") for item in root.iter("CommonPrefixes")}  # some encode keys alone
        self._encoding_plus |= {name in folders for name in names if "%2b" in name.lower()}
        unclear = {name in folders for name in names if "+" in name} - self._encoding_plus
        if self._foreign and unclear:
            plain = {name: text for name, text in query.items() if name != "encoding-type"}
            other = xml_or_none((await self._rest.send("GET", "/", query=plain)).body)
            if other is not None and other.tag == root.tag and _alike(other, names):
                return other, str
        return root, unquote_plus


def _alike(plain: ElementTree.Element, encoded: Sequence[str]) -> bool:
    """Say whether a page without an encoding has the names of an encoded one."""
    return [name.replace("+", " ") for name in _names(plain)] == [unquote_plus(name) for name in encoded]


def digest_of(etag: str) -> Digest | None:
    """Return the MD5 that an ETag is, if it has the form of one: not after a multipart upload.

    With SSE-KMS the form is the same and the value is not the MD5 (Amazon S3 API Reference, "Object"): an equal
    digest proves equal content, an unequal one proves nothing there.
    """
    return Digest("md5", etag) if _MD5.fullmatch(etag) else None


def _truncated(root: ElementTree.Element) -> str:
    return text_of(root, "IsTruncated").lower()


def _may_go_on(root: ElementTree.Element, rows: int, size: int) -> bool:
    """Say whether more may follow a page: it says so, or it is full."""
    return _truncated(root) == "true" or rows == min(size, count_in(text_of(root, "MaxKeys")) or size)


def _names(root: ElementTree.Element) -> list[str]:
    """Return the names in a listing as they stand in it."""
    rows = [text_of(item, "Key") for item in root if item.tag in ("Contents", *_PAST)]
    return rows + [text_of(item, "Prefix") for item in root.iter("CommonPrefixes")]


def _entry(item: ElementTree.Element, decode: Callable[[str], str]) -> Entry:
    key = decode(text_of(item, "Key"))

    def read() -> Entry:
        etag, size = etag_in(text_of(item, "ETag")), size_in(text_of(item, "Size"))
        modified = time_in(text_of(item, "LastModified"))
        return Entry(key, size, modified, version_of(etag, size, modified), digest_of(etag))

    return row(key, read)


def _past_entry(
    item: ElementTree.Element, decode: Callable[[str], str], named: Callable[[str, str, int, str], PastVersion]
) -> PastEntry:
    key, version = decode(text_of(item, "Key")), token_in(text_of(item, "VersionId"))
    if item.tag == "Version" and text_of(item, "IsLatest") == "true":
        return PastEntry(key, version, None)
    return PastEntry(key, version, named(key, version, size_in(text_of(item, "Size") or "0"), _PAST[item.tag]))
