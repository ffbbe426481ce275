"""Amazon S3 and services that speak its protocol."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from persona.certificates import authorities
from persona.config import profiles, values
from persona.config.schema import PerformanceSettings, S3Settings
from persona.credentials import aws
from persona.errors import (
    ConfigError,
    CredentialsError,
    NotFoundError,
    PersonaError,
    UnreachableError,
)
from persona.storage import metadata
from persona.storage.backend import Condition, Digest, IfVersion, Location, PastVersion, Place, StorageObject
from persona.storage.backends import hosts, s3_address, sigv4
from persona.storage.backends.answers import (
    NonsenseError,
    by,
    digest_in,
    etag_in,
    parse_xml,
    text_of,
    time_in,
    token_in,
    understood,
    xml_or_none,
)
from persona.storage.backends.etagged import ETagBackend
from persona.storage.backends.faults import MissingError, Refusal, State, clock_off, explained
from persona.storage.backends.listing import Page, PastEntry
from persona.storage.backends.primitives import (
    MIB,
    NO_ETAG,
    Attributes,
    Entry,
    Part,
    Written,
    check_endpoint,
    etag_condition,
    is_this_machine,
)
from persona.storage.backends.rest import Reply, Request, encode_path
from persona.storage.backends.s3_address import REGION
from persona.storage.backends.s3_causes import CAUSES
from persona.storage.backends.s3_listing import S3Listings, digest_of
from persona.storage.backends.s3_upload import S3Upload, refusing
from persona.storage.backends.signed_path import SignedPath
from persona.storage.backends.uploads import base64_of, give_up, md5_of
from persona.storage.content_headers import NO_HEADERS
from persona.storage.paths import to_key

log = logging.getLogger(__name__)
_ENCRYPTION = "x-amz-server-side-encryption"
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-algorithm"
_KMS_KEY = "x-amz-server-side-encryption-aws-kms-key-id"


class S3Backend(ETagBackend):
    """A bucket of S3 with a prefix.

    Args:
        settings: the bucket, the endpoint and the credentials.
        performance: tuning.

    Raises:
        ConfigError: the bucket is not set, or the endpoint cannot be used.
        CredentialsError: there are no credentials.
    """

    setting = "s3.bucket"
    permissions = MappingProxyType(  # Service Authorization Reference, "Actions defined by Amazon S3"
        {
            "list": "s3:ListBucket on the bucket",
            "read": "s3:GetObject on the objects of the bucket",
            "write": "s3:PutObject on the objects of the bucket",
            "delete": "s3:DeleteObject on the objects of the bucket",
        }
    )
    min_part_bytes = 5 * MIB  # Amazon S3 User Guide, "Multipart upload limits"
    rules = metadata.S3
    metadata_prefix = "x-amz-meta-"
    copy_limit = 5 << 30  # CopyObject copies up to 5 GiB (Amazon S3 API Reference); above, parts are copied
    copy_part_bytes = 512 * MIB

    def __init__(self, settings: S3Settings, performance: PerformanceSettings) -> None:
        if not settings.bucket:
            raise ConfigError("storage.s3.bucket is not set.", hint="persona storage config set s3.bucket NAME")
        config = profiles.read(settings, os.environ)
        place = s3_address.find(settings, config)
        credentials = aws.find(replace(settings, endpoint_url=place.service))
        plain = check_endpoint(place.url, allow_insecure=settings.allow_insecure, section="s3")
        if performance.retry_attempts is None and config.max_attempts is not None:
            performance = replace(performance, retry_attempts=min(config.max_attempts, 21) - 1)
        super().__init__(
            f"s3://{settings.bucket}",
            settings.prefix,
            performance,
            address=place.url,
            foreign=hosts.s3(place.url) is None,
            known=hosts.s3(place.url),
            trusted=authorities(*config.ca_bundle) if not plain else None,
        )
        self._service = place.service
        self._named_by = "" if settings.endpoint_url else config.endpoint_source
        self._payer = settings.request_payer
        self._signed_path = SignedPath(urlsplit(place.service or "").path, self._signature_accepted)
        self._listings = S3Listings(self._rest, foreign=self._foreign)
        self.bucket: str = settings.bucket or ""
        self.region = place.region
        self.encryption = _encryption(settings)
        self._etags_are_md5s: bool | None = None
        self.declared_region = place.declared and place.declared.lower()
        self.credentials = credentials
        # hashed to sign only where neither TLS nor the machine itself protects the content on its way
        self._hashes = plain and not is_this_machine(urlsplit(place.url).hostname or "")

    def describe(self) -> Place:
        """Say what this backend is."""
        fields = [("Bucket", self.bucket), ("Prefix", f"{self._prefix}/" if self._prefix else "–")]
        if self._service is not None:
            endpoint = self._rest.endpoint.removesuffix(f"/{self.bucket}")
            fields.append(("Endpoint", f"{endpoint} ({self._named_by})" if self._named_by else endpoint))
        keys: aws.AWSKeys | None = None
        with suppress(CredentialsError, UnreachableError):  # what this backend is can be said without
            keys = self.credentials.current() if self.credentials else None
        return Place(
            "S3-compatible" if self._foreign else "AWS S3",
            tuple(fields),
            self.region,
            self.credentials.source if self.credentials else "none (storage.s3.anonymous)",
            f"access key {keys.access_key_id}" if keys else None,
            self._rest.clock_skew,
            ", key ".join(self.encryption.values()) or None,
        )

    async def location(self) -> Location:
        """Ask which region the bucket is in; AWS says it in a header of refusals too (Amazon S3 API, "HeadBucket")."""
        try:
            headers = (await self._rest.send("HEAD", "/", allow=[403])).headers
        except MissingError:
            raise self._no_bucket() from None
        region = headers.get("x-amz-bucket-region") or (await self._constraint() if self._foreign else "")
        if not region:
            return self._declared(f"{self._host} does not tell it.")
        with understood(self._host):
            return Location(by(values.region, region), "provider")

    async def _constraint(self) -> str:
        """Return what GetBucketLocation says, in whatever element a service puts it; "" if it says nothing."""
        try:
            reply = await self._rest.send("GET", "/", query={"location": ""}, allow=[501])
        except PersonaError as error:
            if error.temporary:
                raise
            return ""
        root = xml_or_none(reply.body)
        return "" if root is None else next((item.text or "" for item in root.iter("LocationConstraint")), "").strip()

    async def _put(self, key: str, data: Part, attributes: Attributes, condition: Condition | None) -> Written:
        """Put an object with its MD5, which a bucket with a default retention demands (Object Lock)."""
        md5 = attributes.md5 or await self._md5_of(data)
        headers = {**self._headers_of(key, attributes), **self.encryption, "content-md5": base64_of(md5)}
        headers |= etag_condition(condition)
        reply = await self._rest.send("PUT", self._path(key), headers=headers, body=data)
        with understood(self._host, key):
            etag, digest = etag_in(reply.headers.get("etag", "")), self._stated(reply.headers)
        return Written(etag or await self._version_of_own(key, data, reply), digest)

    async def _begin(self, key: str, attributes: Attributes, condition: Condition | None) -> S3Upload:
        headers = {**self._headers_of(key, attributes), **self.encryption}
        reply = await self._rest.send("POST", self._path(key), query={"uploads": ""}, headers=headers)
        with understood(self._host):
            begun = parse_xml(reply.body, "InitiateMultipartUploadResult")
            token = token_in(text_of(begun, "UploadId"))
            if not token:
                raise NonsenseError("the upload has no id")
        return self._left(key, token, attributes, condition)

    def _left(self, key: str, token: str, attributes: Attributes, condition: Condition | None) -> S3Upload:
        return S3Upload(self._rest, self._path(key), token, condition, lambda: self._head(key))

    async def _encrypted(self, key: str) -> bool:
        """Compare the kind only: the key comes back as an ARN, whatever it was called."""
        headers = (await self._rest.send("HEAD", self._path(key))).headers
        return headers.get(_ENCRYPTION) == self.encryption[_ENCRYPTION]

    async def _page(self, prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]:
        return await self._listings.objects(prefix, after, token, level, self.page_size)

    async def _copy(
        self, other: S3Backend, key: str, source: StorageObject, target: str, condition: Condition | None
    ) -> Written:
        """Copy an object (Amazon S3 API Reference, "CopyObject")."""
        headers = {"x-amz-copy-source": encode_path(f"/{other.bucket}/{key}")}
        if not source.version.startswith(NO_ETAG):
            headers["x-amz-copy-source-if-match"] = f'"{source.version}"'
        if source.size > self.copy_limit:
            return await self._copy_in_parts(source, headers, target, condition)
        headers |= etag_condition(condition) | self.encryption
        reply = await self._rest.send("PUT", self._path(target), headers=headers, check=refusing(self._translate))
        with understood(self._host):
            etag = etag_in(text_of(parse_xml(reply.body, "CopyObjectResult"), "ETag"))
        return Written(etag or await self._version_of_copy(target, source), None)

    async def _copy_in_parts(
        self, source: StorageObject, headers: Mapping[str, str], target: str, condition: Condition | None
    ) -> Written:
        attributes = Attributes(source.content_type or "", source.metadata or {}, source.headers or NO_HEADERS)
        upload = await self._begin(target, attributes, condition)
        try:
            for number, start in enumerate(range(0, source.size, self.copy_part_bytes)):
                end = min(start + self.copy_part_bytes, source.size) - 1
                await upload.part_from(number, {**headers, "x-amz-copy-source-range": f"bytes={start}-{end}"})
            return await upload.finish()
        except BaseException:
            await give_up(upload)
            raise

    async def _past_page(self, start: str, after: tuple[str, str] | None, token: str | None) -> Page[PastEntry]:
        return await self._listings.versions(start, after, self.page_size, self._past_version)

    async def read_past(self, version: PastVersion) -> bytes:
        """Return the content of an earlier version."""
        return await self._past_content(version, lambda: self._on_past("GET", version), self._stated)

    async def delete_past(self, version: PastVersion) -> None:
        """Delete an earlier version, or a delete marker."""
        with suppress(NotFoundError):
            await self._on_past("DELETE", version)

    async def _on_past(self, method: str, version: PastVersion) -> Reply:
        path, query = self._path(to_key(self._prefix, version.path)), {"versionId": version.id}
        try:
            async with self._about(version.path, "delete" if method == "DELETE" else "read", query):
                return await self._rest.send(method, path, query=query)
        except MissingError as error:
            raise await self._absent(version.path) from error

    async def _state(self, key: str, query: Mapping[str, str]) -> State:
        """Look at the locks of an object (Amazon S3 API Reference, "HeadObject")."""
        headers = (await self._rest.send("HEAD", self._path(key), query=query)).headers
        until = headers.get("x-amz-object-lock-retain-until-date")
        return State(
            time_in(until) if until else None,
            headers.get("x-amz-object-lock-legal-hold", "").upper() == "ON",
            'ongoing-request="true"' in headers.get("x-amz-restore", ""),
        )

    def _account(self) -> tuple[object, ...]:
        keys = self.credentials.current() if self.credentials else None
        secrets = keys and (keys.access_key_id, keys.secret_access_key.reveal(), keys.session_token)
        return self._service, self.region, secrets

    async def _delete(self, key: str, condition: IfVersion | None = None) -> None:
        """Delete an object (Amazon S3 User Guide, "How to perform conditional deletes")."""
        await self._rest.send("DELETE", self._path(key), headers=etag_condition(condition))

    async def _delete_batch(self, keys: Mapping[str, IfVersion | None]) -> None:
        """Delete objects by one request (Amazon S3 API Reference, "DeleteObjects")."""
        objects = "".join(
            f"<Object><Key>{escape(key)}</Key>{_etag_element(condition)}</Object>" for key, condition in keys.items()
        )
        body = f"<Delete>{objects}</Delete>".encode()
        headers = {"content-md5": base64.b64encode(md5_of(body).digest()).decode("ascii")}
        reply = await self._rest.send("POST", "/", query={"delete": ""}, headers=headers, body=body)
        with understood(self._host):
            done = parse_xml(reply.body, "DeleteResult").findall("Deleted")
        if len(done) != len(keys):
            raise PersonaError("The batch was done in part.")

    async def _check_bucket(self) -> None:
        await self._rest.send("GET", "/", query={"list-type": "2", "max-keys": "1", "prefix": f"{self._prefix}/"})

    def _sign(self, request: Request) -> None:
        if self.credentials is not None:
            self._sign_for(self.credentials.current(), request, self._signed_path.of(request.path))

    def _sign_for(self, keys: aws.AWSKeys, request: Request, path: str) -> None:
        """Sign a request for a path, which a proxy may change on the way."""
        if self._payer:
            request.headers["x-amz-request-payer"] = self._payer
        hashes = self._hashes or not request.body
        sigv4.sign(request, keys, region=self.region, host=self._rest.host, path=path, hashes=hashes)

    def _signature_accepted(self, signed: Callable[[str], str]) -> bool | None:
        """Say whether a signature for what a function makes of the path is accepted; None if that is not said."""
        if self.credentials is None:
            return None
        request = Request("GET", f"{self._rest.base}/", {"list-type": "2", "max-keys": "0"})
        self._sign_for(self.credentials.current(), request, signed(request.path))
        reply = self._rest.ask(request)
        if reply.status in (400, 403) and b"SignatureDoesNotMatch" in reply.body:
            return False
        return True if reply.status == 200 else None

    def _path(self, key: str) -> str:
        return encode_path(f"/{key}")

    def _stated(self, headers: Mapping[str, str]) -> Digest | None:
        opaque = headers.get(_ENCRYPTION, "").startswith("aws:kms") or _CUSTOMER_KEY in headers
        opaque |= self._etags_are_md5s is False
        return (None if opaque else digest_of(etag_in(headers.get("etag", "")))) or _checksum(headers)

    def _read_headers(self) -> dict[str, str]:
        """Ask for the checksums that AWS keeps of each object; services of others refused the question (Backblaze)."""
        return {} if self._foreign else {"x-amz-checksum-mode": "ENABLED"}

    async def _misstated(self, key: str, found: StorageObject, computed: str) -> bool:
        """Say whether the ETag is no MD5, though it looks like one: so it may be where the endpoint is not AWS's own.

        That is found out once, on an object of our own. Where none can be written the ETag is taken for an MD5: then a
        damaged object is never taken for a good one.
        """
        if not self._foreign or found.digest != digest_of(found.version):
            return False
        if self._etags_are_md5s is None:
            self._etags_are_md5s = (await self._conditions.find("md5_digests")).md5_digests
            if self._etags_are_md5s is False:
                log.warning("%s gives ETags that are no MD5s: what is read there cannot be verified.", self._host)
        return self._etags_are_md5s is False

    def _bad_keys(self, code: str) -> CredentialsError:
        """Return the error for keys that are not accepted, with what is wrong with them."""
        found = self.credentials
        hint = "“persona storage config test” shows where they come from; set the right ones there."
        if code == "SignatureDoesNotMatch" and self._service:
            hint += " Or a proxy before the service changes the Host, the path or a header, all of which are signed."
        if found is not None and _WRONG[code].endswith("expired"):
            hint = found.renewal
        source = found.source if found else "no credentials"
        return CredentialsError(
            f"{self._host} does not accept the credentials from {source}: it {_WRONG[code]} ({code}).", hint=hint
        )

    def _translate(self, status: int, headers: Mapping[str, str], body: bytes) -> PersonaError:
        """Return this project's error for a refusal (Amazon S3 API Reference, "Error responses")."""
        root = xml_or_none(body)
        code = text_of(root, "Code") if root is not None else ""
        region = headers.get("x-amz-bucket-region") or (text_of(root, "Region") if root is not None else "")
        if (
            REGION.fullmatch(region) and region != self.region and status in (301, 307, 400)
        ):  # 400 also to HEAD, which has no code
            return ConfigError(
                f"The bucket {self.bucket} is in {region}, not in {self.region}.",
                hint=f"persona storage config set s3.region {region}",
            )
        if code == "NoSuchBucket":
            return MissingError("There is no such bucket.")
        if code in _BAD_KEYS:
            return self._bad_keys(code)
        if code == "RequestTimeTooSkewed":
            return clock_off(self._host, self._rest.clock_skew) or CredentialsError(
                f"{self._host} refuses the signature: the clocks differ too much.",
                hint="Set this machine's clock, by NTP say.",
            )
        said = text_of(root, "Message") if root is not None else ""
        return explained(Refusal(status, code, said, self._host, headers), CAUSES)


def _checksum(headers: Mapping[str, str]) -> Digest | None:
    """Return a checksum of the whole object beside the ETag (Amazon S3 User Guide, "Checking object integrity")."""
    if headers.get("x-amz-checksum-type") == "COMPOSITE":
        return None
    for algorithm in ("sha256", "sha1", "crc64nvme", "crc32c", "crc32"):
        text = headers.get(f"x-amz-checksum-{algorithm}", "")
        if text and "-" not in text:  # of the parts' checksums, followed by their number
            return digest_in(algorithm, text)
    return None


_WRONG = {
    "InvalidAccessKeyId": "knows no such access key",
    "SignatureDoesNotMatch": "finds that the secret key does not belong to the access key",
    "ExpiredToken": "finds that they have expired",
    "TokenRefreshRequired": "finds that they have expired",
    "InvalidToken": "finds that the session token is not theirs",
}
_BAD_KEYS = set(_WRONG)


def _etag_element(condition: IfVersion | None) -> str:
    """Return the condition of one object in a request to delete many."""
    return "" if condition is None else f'<ETag>"{escape(condition.version)}"</ETag>'


def _encryption(settings: S3Settings) -> dict[str, str]:
    """Return the headers that say how to encrypt (Amazon S3 API Reference, "PutObject").

    Where nothing is configured, the two variables that other tools know too are taken.

    Raises:
        ConfigError: there is a key, and nothing that would use it; or a variable cannot be used.
    """
    kind = settings.server_side_encryption or os.environ.get("AWS_SERVER_SIDE_ENCRYPTION")
    name = settings.kms_key_id or os.environ.get("AWS_SSE_KMS_KEY_ID")
    try:
        kind, name = kind and values.encryption_kind(kind), name and values.word(name)
    except ValueError as allowed:
        raise ConfigError(
            "AWS_SERVER_SIDE_ENCRYPTION or AWS_SSE_KMS_KEY_ID cannot be used.", hint=f"Use {allowed}, or unset it."
        ) from None
    if name and kind not in ("aws:kms", "aws:kms:dsse"):
        setting = "storage.s3.kms_key_id" if settings.kms_key_id else "AWS_SSE_KMS_KEY_ID"
        raise ConfigError(
            f"{setting} is set, but server_side_encryption is {kind or 'not'}, which uses no such key.",
            hint="persona storage config set s3.server_side_encryption aws:kms",
        )
    return ({_ENCRYPTION: kind} if kind else {}) | ({_KMS_KEY: name} if name else {})
