"""Resumable uploads of Google Cloud Storage (Google Cloud Storage, "Perform resumable uploads")."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from persona.errors import PersonaError, UnreachableError, VerificationError
from persona.storage.backend import Digest
from persona.storage.backends.answers import digest_in, generation_in, parse_json, size_in, text_in, understood
from persona.storage.backends.faults import MissingError, RepeatedError
from persona.storage.backends.primitives import Part, Written
from persona.storage.backends.rest import Reply, RestClient
from persona.storage.backends.uploads import md5_of


class ResumableUpload:
    """A resumable upload. Bytes that the server has already are passed over.

    The server says how many bytes it has, and nothing of what they are. So the token holds, beside the address of the
    upload, the MD5 of all that was sent or about to be: a stream that does not begin with the same is refused.

    Args:
        rest: the client.
        key: the object.
        address: the path of the object in the API.
        token: the upload, as `token` gave it.
        asks: whether the endpoint can be asked how far an upload has got. One emulator takes the question for the end
            of the upload, so that only Google's own is.
    """

    def __init__(self, rest: RestClient, key: str, address: str, token: str, *, asks: bool) -> None:
        self._rest = rest
        self._key = key
        self._object = address
        self._address, self._known, self._known_md5 = json.loads(token)
        session = urlsplit(self._address)
        self._path = session.path
        self._query = dict(parse_qsl(session.query))
        self._asks = asks
        self._kept = 0
        self._foreseen = 0
        self._position = 0
        self._md5 = md5_of()

    @property
    def token(self) -> str:
        """The address of the upload, without its host, and what the server may have of it."""
        if self._foreseen < self._known:  # the stream has not come so far again
            return json.dumps([self._address, self._known, self._known_md5])
        return json.dumps([self._address, self._foreseen, self._md5.hexdigest()])

    async def resume(self) -> bool:
        """Ask how far the upload has got; False if it is gone, done already, or cannot be asked for."""
        if not self._asks:
            return False
        try:
            reply = await self._send("bytes */*", b"", allow=(308, 404, 410))
        except PersonaError as error:
            if error.temporary:
                raise
            return False
        if reply.status != 308:
            return False
        with understood(self._rest.host, self._key):
            self._kept = _kept(reply)
        return self._kept <= int(self._known)

    async def foresee(self, data: Part) -> None:
        """Go on with the MD5, and compare it where that of the first attempt is known.

        Raises:
            VerificationError: the content is another than that of the first attempt.
        """
        before, self._foreseen = self._foreseen, self._foreseen + len(data)
        if not before < self._known <= self._foreseen:
            return await self._rest.in_thread(lambda: self._md5.update(data))
        view, here = memoryview(data), self._known - before
        await self._rest.in_thread(lambda: self._md5.update(view[:here]))
        self._compare()
        return await self._rest.in_thread(lambda: self._md5.update(view[here:]))

    async def part(self, number: int, data: Part) -> None:
        """Send what the server has not of a part; the last one may be of any size."""
        start, self._position = self._position, self._position + len(data)
        rest = memoryview(data)[max(0, self._kept - start) :]
        while rest:
            end = self._kept + len(rest)
            reply = await self._send(f"bytes {self._kept}-{end - 1}/*", rest)
            with understood(self._rest.host, self._key):
                kept = _kept(reply)
            if not self._kept < kept <= end:
                raise UnreachableError(f"The upload of {self._key} does not go on.", hint="Try again.")
            rest = rest[kept - self._kept :]
            self._kept = kept

    async def finish(self) -> Written:
        """Say how long the object is, which makes it visible."""
        if self._foreseen < self._known:
            self._compare()
        md5 = self._md5.hexdigest()
        try:
            reply = await self._send(f"bytes */{self._position}", b"")
        except (MissingError, RepeatedError):  # it had ended, and the answer was lost, if this content stands there
            reply = await self._rest.send("GET", self._object, allow=[403, 404])
            with understood(self._rest.host, self._key):
                if reply.status != 200 or described(reply).digest != Digest("md5", md5):
                    raise
        return await taken(self._rest, self._object, reply, self._key, md5)

    async def abort(self) -> None:
        """Cancel the upload, which is answered with 499."""
        await self._rest.send("DELETE", self._path, query=self._query, allow=[404, 410, 499])

    def _compare(self) -> None:
        if self._known_md5 != self._md5.hexdigest():
            raise VerificationError(
                f"{self._key} is not what the upload that was left began with; nothing was written.",
                hint="Write it again: it begins anew.",
            )

    async def _send(self, content_range: str, data: Part, allow: Sequence[int] = (308,)) -> Reply:
        headers = {"content-range": content_range}
        return await self._rest.send("PUT", self._path, query=self._query, headers=headers, body=data, allow=allow)


def _kept(reply: Reply) -> int:
    """Return how many bytes the server has."""
    return size_in(reply.headers["range"].rpartition("-")[2]) + 1 if "range" in reply.headers else 0


def digest_of(md5: str | None, crc32c: str | None) -> Digest | None:
    """Return the better digest that there is: composite objects have no MD5."""
    for algorithm, text in (("md5", md5), ("crc32c", crc32c)):
        if text:
            return digest_in(algorithm, text)
    return None


def digests_in(item: Mapping[str, Any]) -> Digest | None:
    """Return the digest that the description of an object in JSON gives."""
    md5, crc32c = (text_in(item, name) if item.get(name) else None for name in ("md5Hash", "crc32c"))
    return digest_of(md5, crc32c)


def described(reply: Reply) -> Written:
    """Return what an answer says of an object that the server has just taken."""
    item = parse_json(reply.body)
    return Written(generation_in(item, "generation"), digests_in(item))


async def taken(rest: RestClient, address: str, reply: Reply, key: str, md5: str) -> Written:
    """Return what the server says of an object that it has just taken; what is not as it was sent is deleted.

    Args:
        rest: the client.
        address: the path of the object in the API.
        reply: the answer.
        key: the object, for messages.
        md5: of what was sent, in hexadecimal.

    Raises:
        VerificationError: it is not what was sent.
    """
    with understood(rest.host, key, reply.body):
        result = described(reply)
    digest = result.digest
    if digest and digest.algorithm == "md5" and digest.value != md5:
        await rest.send("DELETE", address, query={"ifGenerationMatch": result.version}, allow=[404, 412])
        raise VerificationError(f"{key} arrived damaged; it was deleted.", hint="Write it again.")
    return result
