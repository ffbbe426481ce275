"""Azure Blob Storage."""

from __future__ import annotations

import asyncio
import codecs
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from persona.config.schema import AzureSettings, PerformanceSettings
from persona.credentials import azure
from persona.errors import (
    ConfigError,
    ConflictError,
    CredentialsError,
    NotFoundError,
    PersonaError,
    UnreachableError,
)
from persona.storage import metadata
from persona.storage.backend import Condition, Digest, IfVersion, Location, PastVersion, Place, StorageObject
from persona.storage.backends import hosts, sharedkey
from persona.storage.backends.answers import (
    NonsenseError,
    count_in,
    digest_in,
    etag_in,
    http_time_in,
    parse_xml,
    size_in,
    text_of,
    token_in,
    understood,
    xml_or_none,
)
from persona.storage.backends.azure_causes import CAUSES
from persona.storage.backends.azure_upload import BLOCKS, BlockUpload
from persona.storage.backends.batch import send_batch
from persona.storage.backends.etagged import ETagBackend
from persona.storage.backends.faults import MissingError, Refusal, State, changed, clock_off, explained
from persona.storage.backends.listing import Page, PastEntry, in_either_order
from persona.storage.backends.primitives import (
    Attributes,
    Entry,
    Part,
    Upload,
    Written,
    check_endpoint,
    etag_condition,
    range_wanted,
    row,
    version_of,
)
from persona.storage.backends.rest import Reply, Request, encode_path
from persona.storage.backends.signed_path import SignedPath
from persona.storage.backends.uploads import base64_of, md5_of
from persona.storage.content_headers import ContentHeaders
from persona.storage.metadata import unpack
from persona.storage.paths import printable, to_key

log = logging.getLogger(__name__)
API_VERSION = "2026-02-06"  # the first whose List Blobs takes startFrom
_SCOPE = "x-ms-encryption-scope"
_HASHED_BYTES = 4 << 20
_FOLDER = "hdi_isfolder"
_POLL_SECONDS = 0.5
_PENDING_POLLS = 600
"""How often a pending copy is asked for without any progress, before it is given up."""
_BAD_KEYS = {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}


class AzureBlobBackend(ETagBackend):
    """A container of Azure Blob Storage with a prefix.

    Args:
        settings: the container, the account and the credentials.
        performance: tuning.

    Raises:
        ConfigError: the container or account is not set, or the endpoint cannot be used.
        CredentialsError: there are no credentials.
    """

    setting = "azure.container"
    permissions = MappingProxyType(  # "Assign an Azure role for access to blob data"; "Create a service SAS"
        {
            "list": "Storage Blob Data Reader on the container, or l (list) in the SAS",
            "read": "Storage Blob Data Reader on the container, or r (read) in the SAS",
            "write": "Storage Blob Data Contributor on the container, or c and w (create, write) in the SAS",
            "delete": "Storage Blob Data Contributor on the container, or d (delete) in the SAS",
        }
    )
    max_parts = 50_000  # "Scalability and performance targets for Blob storage"
    page_size = 5000  # "List Blobs": the most that one answer has
    listed = staticmethod(in_either_order)
    batch_size = 256  # Azure Storage REST API, "Blob Batch"
    rules = metadata.AZURE
    metadata_prefix = "x-ms-meta-"
    header_prefix = "x-ms-blob-"
    stale_version = "0x8D0000000000000"
    # Copy Blob takes no scope, and Copy Blob From URL, which does, needs a source that is public or has a SAS
    encrypted_copies = False

    def __init__(self, settings: AzureSettings, performance: PerformanceSettings) -> None:
        if not settings.container:
            raise ConfigError(
                "storage.azure.container is not set.", hint="persona storage config set azure.container NAME"
            )
        self.credentials = azure.find(settings)
        endpoint = self.credentials.endpoint
        check_endpoint(endpoint, allow_insecure=settings.allow_insecure, section="azure")
        super().__init__(
            f"az://{settings.container}",
            settings.prefix,
            performance,
            address=endpoint,
            foreign=hosts.azure(endpoint) is None,
            known=hosts.azure(endpoint),
        )
        self.container = settings.container
        # An emulator has the account in the path, where it is signed like the rest.
        prefix = urlsplit(endpoint).path.removesuffix(f"/{self.credentials.account}")
        self._signed_path = SignedPath(prefix, self._signature_accepted)
        self.declared_region = settings.region
        if settings.encryption_scope:
            self.encryption = {_SCOPE: settings.encryption_scope}

    def describe(self) -> Place:
        """Say what this backend is."""
        fields = [("Container", self.container), ("Prefix", f"{self._prefix}/" if self._prefix else "–")]
        if self._foreign:
            fields.append(("Endpoint", self._rest.endpoint))
        account = self.credentials.account
        return Place(
            "Azure Blob Storage",
            (("Account", account), *fields),
            None,
            self.credentials.source,
            f"account {account}" if self.credentials.token is None else None,
            self._rest.clock_skew,
            f"scope {self.encryption[_SCOPE]}" if self.encryption else None,
        )

    async def location(self) -> Location:
        """Return the region of the configuration: none of the requests for data tells where an account is."""
        return self._declared("Azure does not tell it to those who only reach the data.")

    async def _put(self, key: str, data: Part, attributes: Attributes, condition: Condition | None) -> Written:
        """Put a blob, with an MD5 for the server to check and to keep."""
        md5 = attributes.md5 or await self._md5_of(data)
        headers = {"x-ms-blob-type": "BlockBlob", "content-md5": base64_of(md5)}
        headers |= etag_condition(condition) | self._headers_of(key, attributes) | self.encryption
        reply = await self._rest.send("PUT", self._path(key), headers=headers, body=data)
        with understood(self._host, key):
            digest = digest_in("md5", reply.headers.get("content-md5", base64_of(md5)))
            etag = etag_in(reply.headers.get("etag", ""))
        return Written(etag or await self._version_of_own(key, data, reply), digest)

    async def _begin(self, key: str, attributes: Attributes, condition: Condition | None) -> Upload:
        return self._left(key, BLOCKS, attributes, condition)

    def _left(self, key: str, token: str, attributes: Attributes, condition: Condition | None) -> Upload:
        headers = etag_condition(condition) | self._headers_of(key, attributes)
        return BlockUpload(self._rest, self._path(key), headers, self.encryption)

    async def _described(self, key: str, headers: Mapping[str, str], start: int, *, ask: bool) -> Entry:
        """Return what the headers say of a blob.

        Raises:
            MissingError: it marks a folder, and is no object.
        """
        entry = await super()._described(key, headers, start, ask=ask)
        said = headers.get("x-ms-resource-type", ""), headers.get(f"{self.metadata_prefix}{_FOLDER}", "")
        if _marks_folder(entry.size, *said) and "content-range" not in headers:
            raise MissingError("There is a folder of that name, and no object.")
        return entry

    async def _encrypted(self, key: str) -> bool:
        headers = (await self._rest.send("HEAD", self._path(key))).headers
        return headers.get(_SCOPE) == self.encryption[_SCOPE]

    async def _page(self, prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]:
        query = {
            "restype": "container",
            "comp": "list",
            "prefix": prefix,
            "include": "metadata",  # which tells folders
            "maxresults": str(self.page_size),
        }
        if level:
            query["delimiter"] = "/"
        if after is not None:
            query["startFrom"] = after
        if token:
            query["marker"] = token
        reply = await self._rest.send("GET", f"/{self.container}", query=query)
        with understood(self._host):
            root = parse_xml(reply.body, "EnumerationResults")
            folders = [_decoded(name) for name in root.iterfind("Blobs/BlobPrefix/Name")]
            entries = [_entry(blob) for blob in root.iter("Blob")]
            full = self._is_full(root, len(entries) + len(folders))
            return Page(entries, folders, token_in(text_of(root, "NextMarker")) or None, more=full)

    def _is_full(self, root: ElementTree.Element, rows: int) -> bool:
        """Say whether a page has as many rows as one may have."""
        return rows == min(self.page_size, count_in(text_of(root, "MaxResults")) or self.page_size)

    async def _copy(
        self, other: AzureBlobBackend, key: str, source: StorageObject, target: str, condition: Condition | None
    ) -> Written:
        """Copy a blob (Azure Storage REST API, "Copy Blob").

        The ETag in the answer is that of the copy if it is done, and of an empty blob if it is pending.
        """
        address = f"{self.credentials.endpoint}{other._path(key)}"
        if self.credentials.sas is not None:
            address += "?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in azure.sas_pairs(self.credentials.sas))
        headers = {"x-ms-copy-source": address, "x-ms-source-if-match": f'"{source.version}"'}
        reply = await self._rest.send("PUT", self._path(target), headers=headers | etag_condition(condition))
        number, progress, polls = reply.headers.get("x-ms-copy-id"), "", 0
        while (status := reply.headers.get("x-ms-copy-status", "success")) == "pending" and polls < _PENDING_POLLS:
            await asyncio.sleep(_POLL_SECONDS)
            reply = await self._rest.send("HEAD", self._path(target), allow=[404])
            if reply.status == 404 or reply.headers.get("x-ms-copy-id") != number:
                raise changed(target)
            before, progress = progress, reply.headers.get("x-ms-copy-progress", "")
            polls = polls + 1 if progress == before else 0
        if status != "success":
            raise UnreachableError(
                f"{self._host} did not complete the copy: it is {printable(status[:40])}.", hint="Try again."
            )
        with understood(self._host, target):
            return Written(etag_in(reply.headers.get("etag", "")), None)

    async def _past_page(self, start: str, after: tuple[str, str] | None, token: str | None) -> Page[PastEntry]:
        """Return snapshots, earlier versions and what soft delete keeps (Azure Storage REST API, "List Blobs")."""
        query = {
            "restype": "container",
            "comp": "list",
            "prefix": start,
            "include": "versions,snapshots,deleted",
            "maxresults": str(self.page_size),
        }
        if after is not None:
            query["startFrom"] = after[0]  # which is listed again
        if token:
            query["marker"] = token
        reply = await self._rest.send("GET", f"/{self.container}", query=query)
        with understood(self._host):
            root = parse_xml(reply.body, "EnumerationResults")
            entries = [self._past_entry(blob) for blob in root.iter("Blob")]
            return Page(
                entries, [], token_in(text_of(root, "NextMarker")) or None, more=self._is_full(root, len(entries))
            )

    def _past_entry(self, blob: ElementTree.Element) -> PastEntry:
        entry = _entry(blob)
        snapshot, version = token_in(text_of(blob, "Snapshot")), token_in(text_of(blob, "VersionId"))
        deleted = text_of(blob, "Deleted") == "true"
        token = f"snapshot={snapshot}" if snapshot else f"versionid={version}"
        if not snapshot and not deleted and (not version or text_of(blob, "IsCurrentVersion") == "true"):
            return PastEntry(entry.key, token, None)
        kind = "deleted" if deleted else "snapshot" if snapshot else "version"
        return PastEntry(entry.key, token, self._past_version(entry.key, token, entry.size, kind))

    async def read_past(self, version: PastVersion) -> bytes:
        """Return the content of a snapshot or an earlier version."""
        return await self._past_content(version, lambda: self._on_past("GET", version), self._stated)

    async def delete_past(self, version: PastVersion) -> None:
        """Delete a snapshot or an earlier version."""
        with suppress(NotFoundError):
            await self._on_past("DELETE", version)

    async def _on_past(self, method: str, version: PastVersion) -> Reply:
        name, _, value = version.id.partition("=")
        path = self._path(to_key(self._prefix, version.path))
        try:
            async with self._about(version.path, "delete" if method == "DELETE" else "read", {name: value}):
                return await self._rest.send(method, path, query={name: value})
        except MissingError as error:
            raise await self._absent(version.path) from error

    async def _state(self, key: str, query: Mapping[str, str]) -> State:
        """Look at the immutability of a blob (Azure Storage REST API, "Get Blob Properties")."""
        headers = (await self._rest.send("HEAD", self._path(key), query=query)).headers
        until = headers.get("x-ms-immutability-policy-until-date")
        return State(
            http_time_in(until) if until else None,
            headers.get("x-ms-legal-hold", "").lower() == "true",
            headers.get("x-ms-archive-status", "").startswith("rehydrate-pending"),
        )

    def _account(self) -> tuple[object, ...]:
        found = self.credentials
        secrets = [secret and secret.reveal() for secret in (found.account_key, found.sas)]
        return found.endpoint, found.account, found.source if found.token else None, *secrets

    async def _delete(self, key: str, condition: IfVersion | None = None) -> None:
        """Delete a blob ("Specifying conditional headers for Blob service operations")."""
        await self._rest.send("DELETE", self._path(key), headers=etag_condition(condition))

    async def _check_bucket(self) -> None:
        query = {"restype": "container", "comp": "list", "maxresults": "1"}
        await self._rest.send("GET", f"/{self.container}", query=query)

    async def _delete_batch(self, keys: Mapping[str, IfVersion | None]) -> None:
        """Delete blobs by one request, in which each has a signature of its own ("Blob Batch")."""

        def signed() -> list[Request]:
            requests = [
                Request("DELETE", self._rest.base + self._path(key), headers=etag_condition(condition))
                for key, condition in keys.items()
            ]
            for request in requests:
                self._authorise(request)
            return requests

        query = {"restype": "container", "comp": "batch"}
        await send_batch(self._rest, f"/{self.container}", await self._rest.in_thread(signed), query=query)

    def _path(self, key: str) -> str:
        return encode_path(f"/{self.container}/{key}")

    def _sign(self, request: Request) -> None:
        request.headers["x-ms-version"] = API_VERSION
        self._authorise(request)

    def _authorise(self, request: Request) -> None:
        found = self.credentials
        if found.account_key is not None:
            path = self._signed_path.of(request.path)
            sharedkey.sign(request, found.account, found.account_key.reveal(), path)
        elif found.sas is not None:
            request.query |= dict(azure.sas_pairs(found.sas))
        elif found.token is not None:
            request.headers["authorization"] = f"Bearer {found.token()[0]}"

    def _signature_accepted(self, signed: Callable[[str], str]) -> bool | None:
        """Say whether a signature for what a function makes of the path is accepted; None if that is not said."""
        if (key := self.credentials.account_key) is None:
            return None
        query = {"restype": "container", "comp": "list", "maxresults": "1"}
        request = Request("GET", f"{self._rest.base}/{self.container}", query, {"x-ms-version": API_VERSION})
        sharedkey.sign(request, self.credentials.account, key.reveal(), signed(request.path))
        reply = self._rest.ask(request)
        if reply.status == 403 and re.search(b"AuthenticationFailed|failed to authenticate", reply.body):
            return False
        return True if reply.status == 200 else None

    def _stated(self, headers: Mapping[str, str]) -> Digest | None:
        """Return the digest that was kept with the blob; an ETag of Azure is opaque."""
        return claimed(headers.get("x-ms-blob-content-md5" if "content-range" in headers else "content-md5"))

    async def _misstated(self, key: str, found: StorageObject, computed: str) -> bool:
        """Say whether the MD5 is one that the writer claimed wrongly: Azure does not check that of a blob of blocks.

        Of a part up to 4 MiB Azure computes the MD5 itself (Azure Storage REST API, "Get Blob",
        ``x-ms-range-get-content-md5``): so the blob is read again in such parts. They are halves at the most, since
        Azurite repeats what was claimed for a part that is all.
        """
        whole, step = md5_of(), max(1, min(_HASHED_BYTES, -(-found.size // 2)))
        for start in range(0, found.size, step):
            headers = {"x-ms-range-get-content-md5": "true", "if-match": f'"{found.version}"'}
            headers |= range_wanted(start, step)
            reply = await self._rest.send("GET", self._path(key), headers=headers)
            if claimed(reply.headers.get("content-md5")) != Digest("md5", md5_of(reply.body).hexdigest()):
                return False
            whole.update(reply.body)
        if whole.hexdigest() != computed:
            return False
        log.warning("“%s” does not have the MD5 that its writer stated; it is read as Azure has it.", found.path)
        return True

    def _expired(self, body: bytes) -> CredentialsError | None:
        """Return the error for a signature or a token that has expired, if it has."""
        found = self.credentials
        end = azure.sas_end(found.sas) if found.sas is not None else None
        if end is not None and end <= datetime.now(UTC):
            return CredentialsError(
                f"{self._host} refuses the SAS from {found.source}: it expired at {end:%Y-%m-%d %H:%M} UTC.",
                hint="Make a new one, and set it there.",
            )
        if found.token is not None and b"expired" in body:
            return CredentialsError(
                f"{self._host} refuses the token from {found.source}: it has expired.", hint="Log in again: az login"
            )
        return None

    def _translate(self, status: int, headers: Mapping[str, str], body: bytes) -> PersonaError:
        """Return this project's error for a refusal (Azure Storage REST API, "Status and error codes")."""
        found = re.search(rb"<Code>(\w+)</Code>", body)
        code = headers.get("x-ms-error-code") or (found[1].decode() if found else "")
        if code in ("ContainerNotFound", "ContainerBeingDeleted"):
            return MissingError("There is no such container.")
        if code == "InvalidBlockList":  # another upload of this blob was committed, which drops the blocks of ours
            return ConflictError("The object was written by someone else in the same moment.", hint="Try again.")
        if code in _BAD_KEYS or (code == "AuthorizationFailure" and b"failed to authenticate" in body):
            return (
                self._expired(body)
                or clock_off(self._host, self._rest.clock_skew)
                or CredentialsError(
                    f"{self._host} does not accept the credentials from {self.credentials.source} ({code}).",
                    hint="“persona storage config test” shows where they come from; set the right ones there.",
                )
            )
        return explained(Refusal(status, code, _said(body), self._host, headers), CAUSES)


def _entry(blob: ElementTree.Element) -> Entry:
    name = blob.find("Name")
    properties = blob.find("Properties")
    if name is None or properties is None:
        raise NonsenseError("a blob has no name or no properties")
    key = _decoded(name)

    def read() -> Entry:
        size = size_in(text_of(properties, "Content-Length") or "0")
        modified = http_time_in(text_of(properties, "Last-Modified"))
        pairs = {each.tag.lower(): each.text or "" for each in blob.iterfind("Metadata/*")}
        return Entry(
            key,
            size,
            modified,
            version_of(etag_in(text_of(properties, "Etag")), size, modified),
            claimed(text_of(properties, "Content-MD5")),
            *_described(properties, blob.find("Metadata")),
            is_folder=_marks_folder(size, text_of(properties, "ResourceType"), pairs.get(_FOLDER, "")),
        )

    return row(key, read)


def _marks_folder(size: int, kind: str, marked: str) -> bool:
    """Say whether a blob only marks a folder.

    Accounts with a hierarchical namespace say so themselves (Azure Storage REST API, "List Blobs", ResourceType);
    elsewhere Hadoop's driver and AzCopy leave an empty blob with a note in its metadata.
    """
    return not size and (kind == "directory" or marked.lower() == "true")


def _described(
    properties: ElementTree.Element, pairs: ElementTree.Element | None
) -> tuple[str | None, Mapping[str, str] | None, ContentHeaders | None]:
    """Return what a listing tells of a blob's type, metadata and headers; None for what it does not tell in full."""
    headers = {each.tag.lower(): each.text for each in properties if each.text}
    if pairs is None or pairs.get("Encrypted") == "true" or pairs.find("x-ms-invalid-name") is not None:
        return headers.get("content-type"), None, None
    held = unpack(headers, {each.tag.lower(): each.text or "" for each in pairs})
    return held.headers.get("content-type"), held.metadata, ContentHeaders.of(held.headers)


def _said(body: bytes) -> str:
    """Return the sentence of a refusal; what follows in other lines is for Azure's own people."""
    root = xml_or_none(body.removeprefix(codecs.BOM_UTF8))
    lines = text_of(root, "Message").strip().splitlines() if root is not None else []
    return lines[0] if lines else ""


def _decoded(name: ElementTree.Element) -> str:
    """Return a blob's name; one that XML cannot hold comes percent-encoded, and says so."""
    return unquote(name.text or "") if name.get("Encoded") == "true" else name.text or ""


def claimed(md5: str | None) -> Digest | None:
    """Return a blob's MD5, of which Azure does not tell whether it was checked or only claimed by the writer."""
    return digest_in("md5", md5, vouched=False) if md5 else None
