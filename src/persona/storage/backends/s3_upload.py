"""Multipart uploads of S3 (Amazon S3 User Guide, "Multipart upload overview")."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from persona.errors import ConflictError, PersonaError, VerificationError
from persona.storage.backend import Condition, Digest
from persona.storage.backends.answers import (
    NonsenseError,
    count_in,
    etag_in,
    is_page,
    parse_xml,
    senseless,
    size_in,
    text_of,
    understood,
    xml_or_none,
)
from persona.storage.backends.faults import MissingError, RepeatedError
from persona.storage.backends.primitives import Entry, Part, Written, etag_condition
from persona.storage.backends.rest import RestClient, Translator
from persona.storage.backends.uploads import base64_of, md5_of

_LATE_STATUS = {
    "AccessDenied": 403,
    "ConditionalRequestConflict": 409,
    "InternalError": 500,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "OperationAborted": 409,
    "PreconditionFailed": 412,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
}
"""The statuses that the codes of errors have which come in the body of an answer of status 200."""


class S3Upload:
    """A multipart upload. A part that the server has is known by its ETag, which is its MD5.

    Args:
        rest: the client.
        path: the path of the object's URL.
        upload_id: what the server calls the upload.
        condition: what must hold when it is completed.
        head: describes the object.
    """

    def __init__(
        self,
        rest: RestClient,
        path: str,
        upload_id: str,
        condition: Condition | None,
        head: Callable[[], Awaitable[Entry]],
    ) -> None:
        self._head = head
        self.token = upload_id
        self._rest = rest
        self._path = path
        self._query = {"uploadId": upload_id}
        self._condition = condition
        self._etags: dict[int, str] = {}
        self._md5s: dict[int, bytes] = {}
        self._sizes: dict[int, int] = {}
        self._there: dict[int, tuple[int, str]] = {}

    async def resume(self) -> bool:
        """List the parts that the server has; False if it does not know the upload, or does not list its parts.

        Listing parts is a permission of its own, and some services lack it.
        """
        marker: str | None = "0"
        try:
            while marker is not None:
                reply = await self._rest.send("GET", self._path, query={**self._query, "part-number-marker": marker})
                with understood(self._rest.host):
                    marker = self._listed(reply.body, marker)
        except PersonaError as error:
            if error.temporary:
                raise
            return False
        return True

    async def foresee(self, data: Part) -> None:
        """Do nothing: each part stands for itself."""

    async def part(self, number: int, data: Part) -> None:
        """Send a part, unless the server has the very same."""
        md5 = await self._rest.in_thread(lambda: md5_of(data).digest())
        self._md5s[number], self._sizes[number] = md5, len(data)
        if self._there.get(number) == (len(data), md5.hex()):
            self._etags[number] = md5.hex()
            return
        headers = {"content-md5": base64_of(md5.hex())}  # which a bucket with a default retention demands
        reply = await self._rest.send("PUT", self._path, query=self._part(number), headers=headers, body=data)
        if is_page(reply.body):
            raise senseless(self._rest.host)
        with understood(self._rest.host):
            self._etags[number] = etag_in(reply.headers.get("etag", "")) or md5.hex()  # which it is where it is told

    async def part_from(self, number: int, headers: Mapping[str, str]) -> None:
        """Copy a part from another object."""
        check = refusing(self._rest.translate)
        reply = await self._rest.send("PUT", self._path, query=self._part(number), headers=headers, check=check)
        with understood(self._rest.host):
            self._etags[number] = etag_in(text_of(parse_xml(reply.body, "CopyPartResult"), "ETag"))

    async def finish(self) -> Written:
        """Complete the upload; the conditions are those of a single put.

        Raises:
            VerificationError: a part arrived damaged.
        """
        wrong = [number for number, md5 in self._md5s.items() if self._etags[number] != md5.hex()]
        if 0 < len(wrong) < len(self._md5s):  # if all differ, the endpoint's ETags are no MD5s
            raise VerificationError(
                f"Part {min(wrong) + 1} arrived damaged at {self._rest.host}; nothing was written.",
                hint="Write it again.",
            )
        headers = etag_condition(self._condition)
        parts = "".join(
            f'<Part><PartNumber>{number + 1}</PartNumber><ETag>"{self._etags[number]}"</ETag></Part>'
            for number in sorted(self._etags)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        check = refusing(self._rest.translate)
        try:
            reply = await self._rest.send(
                "POST", self._path, query=self._query, headers=headers, body=body, check=check
            )
        except (MissingError, RepeatedError):
            if not (etag := await self._done_already()):
                raise
        else:
            with understood(self._rest.host):
                etag = etag_in(text_of(parse_xml(reply.body, "CompleteMultipartUploadResult"), "ETag"))
            etag = etag or await self._version_of_own()
        return Written(etag, Digest("md5-parts", etag) if etag == _etag_of(self._md5s) else None)

    async def abort(self) -> None:
        """Abort the upload; one that is gone already is no error."""
        await self._rest.send("DELETE", self._path, query=self._query, allow=[404])

    def _part(self, number: int) -> dict[str, str]:
        return {"partNumber": str(number + 1), **self._query}

    def _listed(self, body: bytes, marker: str) -> str | None:
        """Note the parts of one page, and return where the next begins."""
        root = xml_or_none(body)
        if root is None or not root.tag.startswith("ListParts"):
            raise NonsenseError("it is no list of parts")
        for item in root.iter("Part"):
            self._there[size_in(text_of(item, "PartNumber")) - 1] = (
                size_in(text_of(item, "Size")),
                etag_in(text_of(item, "ETag")),
            )
        following = text_of(root, "NextPartNumberMarker")
        goes_on = count_in(following) > int(marker)  # parts that are not listed are sent again
        return following if text_of(root, "IsTruncated") == "true" and goes_on else None

    async def _version_of_own(self) -> str:
        """Return the version of the object that was completed, whose answer does not tell it, as Ceph's does not.

        Raises:
            ConflictError: something else stands there.
        """
        entry = await self._head()
        digest = re.fullmatch("[0-9a-f]{32}-[0-9]+", entry.version)
        known = len(self._sizes) == len(self._etags)  # not of parts that were copied
        if (digest and entry.version != self._expected()) or (known and entry.size != sum(self._sizes.values())):
            raise ConflictError("The object was written by someone else in the same moment.", hint="Try again.")
        return entry.version

    async def _done_already(self) -> str:
        """Return the object's ETag if it is that of our parts: the answer to an earlier attempt was lost then."""
        reply = await self._rest.send("HEAD", self._path, allow=[403, 404])
        with understood(self._rest.host):
            etag = etag_in(reply.headers.get("etag", ""))
        return etag if etag == self._expected() else ""

    def _expected(self) -> str | None:
        """Return the ETag of an object of our parts; None if the endpoint's ETags are no MD5s."""
        try:
            return _etag_of({number: bytes.fromhex(etag) for number, etag in self._etags.items()})
        except ValueError:
            return None


def _etag_of(md5s: Mapping[int, bytes]) -> str:
    """Return the ETag of an object that is put together of parts with these digests."""
    return f"{md5_of(b''.join(md5s[number] for number in sorted(md5s))).hexdigest()}-{len(md5s)}"


def refusing(translate: Translator) -> Callable[[bytes], None]:
    """Return what raises if an answer of status 200 holds an error: copying and completing may (S3 API Reference)."""

    def check(body: bytes) -> None:
        root = xml_or_none(body)
        if root is not None and root.tag == "Error":
            raise translate(_LATE_STATUS.get(text_of(root, "Code"), 400), {}, body)

    return check
