"""Google Cloud Storage, through its JSON API.

Not through its XML API, which gives no checksums in listings, and which no emulator serves.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from persona.config.schema import GCSSettings, PerformanceSettings
from persona.config.values import region, url
from persona.credentials import google
from persona.errors import (
    AccessDeniedError,
    ConfigError,
    CredentialsError,
    NotFoundError,
    PersonaError,
    VerificationError,
)
from persona.storage import metadata
from persona.storage.backend import (
    Condition,
    Digest,
    Download,
    IfAbsent,
    IfVersion,
    Location,
    PastVersion,
    Place,
    StorageObject,
)
from persona.storage.backends import hosts
from persona.storage.backends.answers import (
    NonsenseError,
    address_in,
    by,
    generation_in,
    number_in,
    object_in,
    objects_in,
    parse_json,
    senseless,
    size_in,
    text_in,
    texts_in,
    time_in,
    token_in,
    understood,
)
from persona.storage.backends.batch import send_batch
from persona.storage.backends.cloud import CloudBackend
from persona.storage.backends.downloads import BodyDownload, Slice
from persona.storage.backends.facts import header_facts
from persona.storage.backends.faults import MissingError, Refusal, State, changed, explained
from persona.storage.backends.gcs_causes import CAUSES
from persona.storage.backends.gcs_upload import ResumableUpload, described, digest_of, digests_in
from persona.storage.backends.listing import Page, PastEntry
from persona.storage.backends.primitives import (
    Attributes,
    Entry,
    Part,
    Upload,
    Written,
    check_endpoint,
    range_wanted,
    row,
)
from persona.storage.backends.probing import clear, probe_name
from persona.storage.backends.rest import Reply, Request
from persona.storage.backends.uploads import base64_of
from persona.storage.content_headers import ContentHeaders
from persona.storage.content_types import DEFAULT
from persona.storage.paths import from_key, to_key

ENDPOINT = "https://storage.googleapis.com"
_AS_STORED = {"accept-encoding": "gzip"}
"""Asks for what is stored with gzip as it is stored: it has a length then, and its digests hold (Google Cloud Storage,
"Transcoding of gzip-compressed files")."""
_GENERATION = re.compile("[1-9][0-9]{0,17}")
_MOST_REWRITES = 10_000  # one moves 1 GiB or takes 30 seconds (Google Cloud Storage, "Objects: rewrite")
_NEVER = "0001-"
"""How fake-gcs-server begins the time of what has not happened; Google leaves it out."""
_FIELDS = "name,size,updated,generation,md5Hash,crc32c"
_HEADERS = {  # "Objects", resource representations; there is no Expires
    "content-type": "contentType",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "content-disposition": "contentDisposition",
    "cache-control": "cacheControl",
}
_DESCRIBED = ",".join((_FIELDS, *_HEADERS.values(), "metadata"))


class GCSBackend(CloudBackend):
    """A bucket of Google Cloud Storage with a prefix.

    Args:
        settings: the bucket, the endpoint and the credentials.
        performance: tuning.

    Raises:
        ConfigError: the bucket is not set, or the endpoint cannot be used.
        CredentialsError: there are no credentials.
    """

    setting = "gcs.bucket"
    permissions = MappingProxyType(  # "IAM permissions for JSON methods"
        {
            "list": "storage.objects.list on the bucket, as in the role Storage Object Viewer",
            "read": "storage.objects.get on the bucket, as in the role Storage Object Viewer",
            "write": "storage.objects.create and delete on the bucket, as in the role Storage Object User",
            "delete": "storage.objects.delete on the bucket, as in the role Storage Object User",
        }
    )
    # Parts of a resumable upload are multiples of 256 KiB and come one after another (Google Cloud Storage,
    # "Resumable uploads"), and a batch holds up to 100 requests ("Batch requests").
    min_part_bytes = part_multiple = 256 << 10
    max_parts = 1 << 30
    parallel_parts = False
    batch_size = 100
    stale_version = "1"

    def __init__(self, settings: GCSSettings, performance: PerformanceSettings) -> None:
        if not settings.bucket:
            raise ConfigError("storage.gcs.bucket is not set.", hint="persona storage config set gcs.bucket NAME")
        endpoint = settings.endpoint_url or _emulator() or ENDPOINT
        plain = check_endpoint(endpoint, allow_insecure=settings.allow_insecure, section="gcs")
        super().__init__(
            f"gs://{settings.bucket}",
            settings.prefix,
            performance,
            address=endpoint,
            foreign=hosts.google(endpoint) is None,
            known=hosts.google(endpoint),
        )
        self.bucket = settings.bucket
        self.declared_region = settings.region
        self._project = settings.project
        self._billed = {"userProject": settings.user_project} if settings.user_project else {}
        if settings.kms_key_name:
            self.encryption = {"kmsKeyName": settings.kms_key_name}
        self._generations_known: bool | None = None
        self.credentials = google.find(settings, emulator=plain)
        self._bucket_path = f"/storage/v1/b/{quote(self.bucket, safe='')}"
        self._upload_path = f"/upload{self._bucket_path}/o"

    def describe(self) -> Place:
        """Say what this backend is."""
        fields = [("Bucket", self.bucket), ("Prefix", f"{self._prefix}/" if self._prefix else "–")]
        if self._project:
            fields.append(("Project", self._project))
        if self._rest.endpoint != ENDPOINT:
            fields.append(("Endpoint", self._rest.endpoint))
        return Place(
            "Google Cloud Storage",
            tuple(fields),
            None,
            self.credentials.source if self.credentials else "none (anonymous, or an emulator)",
            self.credentials.identity if self.credentials else None,
            self._rest.clock_skew,
            f"key {self.encryption['kmsKeyName']}" if self.encryption else None,
        )

    async def location(self) -> Location:
        """Ask where the bucket is; one in two regions of its owner's choice lists them ("Buckets", ``location``)."""
        try:
            reply = await self._rest.send("GET", self._bucket_path, query={"fields": "location,customPlacementConfig"})
        except MissingError:
            raise self._no_bucket() from None
        except AccessDeniedError:
            return self._declared("The permission storage.buckets.get is missing (role Storage Legacy Bucket Reader).")
        with understood(self._host):
            bucket = parse_json(reply.body)
            chosen = texts_in(object_in(bucket, "customPlacementConfig"), "dataLocations")
            place = by(region, text_in(bucket, "location"))
            return Location(place, "provider", tuple(by(region, each) for each in chosen))

    async def _get(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
        version: str | None = None,
        *,
        unless: str | None = None,
    ) -> Download:
        query = {"alt": "media"} | _condition(IfVersion(version) if version is not None else None, key)
        if unless is not None and _GENERATION.fullmatch(unless):  # else no object has it
            query["ifGenerationNotMatch"] = unless
        headers = range_wanted(start, length) | _AS_STORED
        body = await self._rest.open(self._path(key), query=query, headers=headers)
        with ExitStack() as unless_read:
            unless_read.callback(body.close)
            with understood(self._host, key, body.first):
                described = await self._described(key, body.headers, start)
            unless_read.pop_all()
        download = BodyDownload(body, described)
        if "range" in headers and "content-range" not in body.headers:  # the endpoint ignores ranges
            return Slice(download, start, length)
        return download

    async def _put(self, key: str, data: Part, attributes: Attributes, condition: Condition | None) -> Written:
        """Put an object with its MD5, which the server checks."""
        md5 = attributes.md5 or await self._md5_of(data)
        resource = {"name": key, "md5Hash": base64_of(md5), **_resource(key, attributes)}
        boundary = uuid.uuid4().hex
        head = (
            f"--{boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n"
            f"{json.dumps(resource)}\r\n--{boundary}\r\ncontent-type: {resource['contentType']}\r\n\r\n"
        )
        reply = await self._rest.send(
            "POST",
            self._upload_path,
            query={"uploadType": "multipart", "fields": _FIELDS} | _condition(condition, key) | self.encryption,
            headers={"content-type": f"multipart/related; boundary={boundary}"},
            body=head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        )
        with understood(self._host):
            return described(reply)

    async def _begin(self, key: str, attributes: Attributes, condition: Condition | None) -> Upload:
        reply = await self._rest.send(
            "POST",
            self._upload_path,
            query={"uploadType": "resumable", "name": key, "fields": _FIELDS}
            | _condition(condition, key)
            | self.encryption,
            headers={"content-type": "application/json; charset=utf-8"},
            body=json.dumps(_resource(key, attributes)).encode(),
        )
        with understood(self._host):
            token = address_in(text_in(reply.headers, "location"), self._rest.host)
        return self._left(key, json.dumps([token, 0, ""]), attributes, condition)

    def _left(self, key: str, token: str, attributes: Attributes, condition: Condition | None) -> Upload:
        return ResumableUpload(self._rest, key, self._path(key), token, asks=not self._foreign)

    async def _head(self, key: str) -> Entry:
        reply = await self._rest.send("GET", self._path(key), query={"fields": _DESCRIBED})
        with understood(self._host, key, reply.body):
            return _entry(parse_json(reply.body))

    async def _encrypted(self, key: str) -> bool:
        """Look which key the object has; the version of the key comes after its name."""
        reply = await self._rest.send("GET", self._path(key), query={"fields": "kmsKeyName"})
        with understood(self._host, key, reply.body):
            return f"{parse_json(reply.body).get('kmsKeyName')}/".startswith(f"{self.encryption['kmsKeyName']}/")

    async def _page(self, prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]:
        query = {
            "prefix": prefix,
            "maxResults": str(self.page_size),
            "fields": f"kind,items({_DESCRIBED}),prefixes,nextPageToken",
        }
        if level:
            query["delimiter"] = "/"
        if after is not None:
            query["startOffset"] = after
        if token:
            query["pageToken"] = token
        reply = await self._rest.send("GET", f"{self._bucket_path}/o", query=query)
        with understood(self._host):
            page = _listing(reply.body)
            entries = [_row(item) for item in objects_in(page, "items")]
            folders = texts_in(page, "prefixes")
            return Page(entries, folders, _following(page), more=len(entries) + len(folders) == self.page_size)

    async def _copy(
        self, other: GCSBackend, key: str, source: StorageObject, target: str, condition: Condition | None
    ) -> Written:
        """Copy an object, in as many requests as it takes (Google Cloud Storage, "Objects: rewrite")."""
        query = _condition(condition, target)
        query["ifSourceGenerationMatch"] = source.version
        if self.encryption:
            query["destinationKmsKeyName"] = self.encryption["kmsKeyName"]
        path = f"{other._path(key)}/rewriteTo/b/{quote(self.bucket, safe='')}/o/{quote(target, safe='')}"
        for _ in range(_MOST_REWRITES):
            reply = await self._rest.send("POST", path, query=query)
            with understood(self._host):
                rewrite = parse_json(reply.body)
                if rewrite.get("done", True):
                    return _copied(source, _entry(object_in(rewrite, "resource")))
                query["rewriteToken"] = token_in(text_in(rewrite, "rewriteToken"))
        raise senseless(self._host)

    async def _past_page(self, start: str, after: tuple[str, str] | None, token: str | None) -> Page[PastEntry]:
        """Return noncurrent generations (Google Cloud Storage, "Use Object Versioning").

        What soft delete keeps is not among them: nobody can read it, or delete it before its time.
        """
        query = {
            "versions": "true",
            "prefix": start,
            "maxResults": str(self.page_size),
            "fields": "kind,items(name,size,generation,timeDeleted),nextPageToken",
        }
        if after is not None:
            query["startOffset"] = after[0]  # which is listed again
        if token:
            query["pageToken"] = token
        reply = await self._rest.send("GET", f"{self._bucket_path}/o", query=query)
        with understood(self._host):
            page = _listing(reply.body)
            entries = [self._past_entry(item) for item in objects_in(page, "items")]
            return Page(entries, [], _following(page), more=len(entries) == self.page_size)

    def _past_entry(self, item: Mapping[str, Any]) -> PastEntry:
        key, generation = text_in(item, "name"), generation_in(item, "generation")
        if text_in({"timeDeleted": _NEVER} | dict(item), "timeDeleted").startswith(_NEVER):
            return PastEntry(key, generation, None)
        return PastEntry(
            key, generation, self._past_version(key, generation, size_in(number_in(item, "size")), "version")
        )

    async def read_past(self, version: PastVersion) -> bytes:
        """Return the content of a noncurrent generation."""
        return await self._past_content(version, lambda: self._on_past("GET", version, {"alt": "media"}), _stated)

    async def delete_past(self, version: PastVersion) -> None:
        """Delete a noncurrent generation.

        Raises:
            PersonaError: the endpoint is one that would delete the current object instead.
        """
        if self._foreign and not await self._knows_generations():
            raise PersonaError(f"{self._host} deletes the object itself when an earlier generation is to be deleted.")
        with suppress(NotFoundError):
            await self._on_past("DELETE", version)

    async def _knows_generations(self) -> bool:
        """Say whether a generation can be deleted alone, by trying it once: an emulator ignores which one is meant."""
        if self._generations_known is None:
            path = probe_name()
            first = await self.write(path, b"probe")
            try:
                await self.write(path, b"probed")
                await self._on_past("DELETE", PastVersion(path, first.version, 0))
                self._generations_known = await self.exists(path)
            except NotFoundError:  # the bucket keeps none, so there is nothing to delete
                self._generations_known = True
            finally:
                await clear(self, [self._key(path)])
        return self._generations_known

    async def _on_past(self, method: str, version: PastVersion, query: Mapping[str, str] | None = None) -> Reply:
        path, which = self._path(to_key(self._prefix, version.path)), {"generation": version.id}
        try:
            async with self._about(version.path, "delete" if method == "DELETE" else "read", which):
                return await self._rest.send(method, path, query=which | dict(query or {}), headers=_AS_STORED)
        except MissingError as error:
            raise await self._absent(version.path) from error

    async def _state(self, key: str, query: Mapping[str, str]) -> State:
        """Look at the retention and the holds of an object (Google Cloud Storage, "Objects")."""
        fields = {"fields": "retentionExpirationTime,retention,temporaryHold,eventBasedHold"}
        item = parse_json((await self._rest.send("GET", self._path(key), query=fields | dict(query))).body)
        ends = [(item, "retentionExpirationTime"), (object_in(item, "retention"), "retainUntilTime")]
        until = max((time_in(text_in(each, name)) for each, name in ends if each.get(name)), default=None)
        return State(until, bool(item.get("temporaryHold") or item.get("eventBasedHold")))

    def _account(self) -> tuple[object, ...]:
        found = self.credentials
        return self._rest.endpoint, found and (found.source, found.identity)

    async def _delete(self, key: str, condition: IfVersion | None = None) -> None:
        """Delete an object (Google Cloud Storage, "Request preconditions")."""
        await self._rest.send("DELETE", self._path(key), query=_condition(condition, key))

    async def _delete_batch(self, keys: Mapping[str, IfVersion | None]) -> None:
        requests = [
            Request("DELETE", self._path(key), query=_condition(condition, key) | self._billed)
            for key, condition in keys.items()
        ]
        await send_batch(self._rest, "/batch/storage/v1", requests)

    async def _check_bucket(self) -> None:
        await self._rest.send("GET", f"{self._bucket_path}/o", query={"maxResults": "1", "fields": "kind"})

    def _path(self, key: str) -> str:
        return f"{self._bucket_path}/o/{quote(key, safe='')}"

    def _sign(self, request: Request) -> None:
        request.query |= self._billed
        if self.credentials is not None:
            request.headers |= self.credentials.headers()

    async def _described(self, key: str, headers: Mapping[str, str], start: int) -> StorageObject:
        """Return what a download's headers tell of its object: not the metadata. What they lack is asked for.

        Raises:
            NonsenseError: they tell what cannot be.
        """
        stated = headers.get("x-goog-generation")
        version = generation_in(headers, "x-goog-generation") if stated else None
        facts = header_facts(headers, start)._replace(version=version)
        digest = _stated(headers)
        if not facts.complete:
            entry = await self._head(key)
            facts, digest = facts.filled(entry), digest or entry.digest
        assert facts.size is not None and facts.modified and facts.version  # noqa: S101  (for the type checker)
        path = from_key(self._prefix, key)
        return StorageObject(path, facts.size, facts.modified, facts.version, digest, headers.get("content-type"))

    def _translate(self, status: int, headers: Mapping[str, str], body: bytes) -> PersonaError:
        """Return this project's error for a refusal (Google Cloud Storage, "HTTP status and error codes for JSON")."""
        reason, said = _reason(body)
        if status == 401:
            source = self.credentials.source if self.credentials else "no credentials"
            return CredentialsError(
                f"{self._rest.host} does not accept {source}: the token is not good, or has expired.",
                hint="“persona storage config test” shows where they come from; log in again there.",
            )
        return explained(Refusal(status, reason, said, self._rest.host, headers), CAUSES)


def _stated(headers: Mapping[str, str]) -> Digest | None:
    """Return the digest that the headers of a download state."""
    hashes = dict(part.strip().partition("=")[::2] for part in headers.get("x-goog-hash", "").split(","))
    return digest_of(hashes.get("md5"), hashes.get("crc32c"))


def _emulator() -> str | None:
    """Return the address in STORAGE_EMULATOR_HOST, which may lack its scheme."""
    host = os.environ.get("STORAGE_EMULATOR_HOST")
    if not host:
        return None
    try:
        return url(host if "://" in host else f"http://{host}")
    except ValueError:
        raise ConfigError(
            "STORAGE_EMULATOR_HOST is no address.", hint="Set it to one such as http://127.0.0.1:4443, or unset it."
        ) from None


def _condition(condition: Condition | None, path: str) -> dict[str, str]:
    """Return a condition as a parameter (Google Cloud Storage, "Request preconditions"); 0 stands for absence."""
    if isinstance(condition, IfAbsent):
        return {"ifGenerationMatch": "0"}
    if isinstance(condition, IfVersion):
        if not _GENERATION.fullmatch(condition.version):
            raise changed(path)  # a token of another backend
        return {"ifGenerationMatch": condition.version}
    return {}


def _resource(key: str, attributes: Attributes) -> dict[str, Any]:
    """Return what goes with an object's content as the properties of a resource."""
    held = attributes.held(metadata.GCS, key)
    resource: dict[str, Any] = {"contentType": DEFAULT} | {_HEADERS[name]: text for name, text in held.headers.items()}
    return resource | ({"metadata": held.metadata} if held.metadata else {})


def _row(item: Mapping[str, Any]) -> Entry:
    return row(text_in(item, "name"), lambda: _entry(item))


def _entry(item: Mapping[str, Any]) -> Entry:
    pairs = object_in(item, "metadata")
    headers = {name: text_in(item, field) for name, field in _HEADERS.items() if field in item}
    held = metadata.unpack(headers, {name: text_in(pairs, name) for name in pairs})
    return Entry(
        text_in(item, "name"),
        size_in(number_in(item, "size")),
        time_in(text_in(item, "updated")),
        generation_in(item, "generation"),
        digests_in(item),
        held.headers.get("content-type"),
        held.metadata,
        ContentHeaders.of(held.headers),
    )


def _listing(body: bytes) -> dict[str, Any]:
    """Return a page of a listing; an object that says nothing of its kind is no empty one.

    Source: https://docs.cloud.google.com/storage/docs/json_api/v1/objects/list, "Response"
    """
    page = parse_json(body)
    if page.get("kind") != "storage#objects":
        raise NonsenseError("it is no list of objects")
    return page


def _following(page: Mapping[str, Any]) -> str | None:
    """Return the token of the next page."""
    return token_in(text_in({"nextPageToken": ""} | dict(page), "nextPageToken")) or None


def _copied(source: StorageObject, entry: Entry) -> Written:
    """Return what the answer to a copy says.

    Raises:
        VerificationError: its digest is not that of the source.
    """
    ours, theirs = source.digest, entry.digest
    if ours and theirs and ours.algorithm == theirs.algorithm and ours != theirs:
        raise VerificationError(f"{source.path} was not copied as it is: the digests differ.", hint="Copy it again.")
    return Written(entry.version, theirs)


def _reason(body: bytes) -> tuple[str, str]:
    """Return the reason and the sentence of a refusal; "" for what it does not give."""
    try:
        error = object_in(parse_json(body), "error")
        first = next(iter(objects_in(error, "errors")), {})
    except NonsenseError:
        return "", ""
    texts = {name: text for name, text in {**first, **error}.items() if isinstance(text, str)}
    return texts.get("reason", ""), texts.get("message", "")
