"""What is read from a provider: the body of an answer, a part of one, or an object that is compared with its digest."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from persona.errors import PersonaError, UnreachableError, VerificationError
from persona.storage.backend import Digest, Download, StorageObject
from persona.storage.backends.faults import RangeError
from persona.storage.backends.rest import Body
from persona.storage.checksums import Hashing, hasher_of
from persona.storage.retry import RetryPolicy

log = logging.getLogger(__name__)
RENEWING_BYTES = 256 << 10
"""Attempts are counted anew after a break if so much came before it: a long object may break off often."""
Reopen = Callable[[int, str | None], Awaitable[Download]]
"""Opens the same object from a byte on, at a version if one is given."""


class BodyDownload(Download):
    """The body of an answer.

    Args:
        body: the body.
        object_: the object that it is of.
    """

    def __init__(self, body: Body, object_: StorageObject) -> None:
        self.object = object_
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body's chunks."""
        return self._body.chunks()

    async def close(self) -> None:
        """Let go of the connection."""
        self._body.close()


class Slice(Download):
    """A part of a download, for endpoints that send the whole.

    Args:
        whole: the download.
        start: the first byte wanted.
        length: how many, or None for all that follow.

    Raises:
        RangeError: it starts at or past the end.
    """

    def __init__(self, whole: Download, start: int, length: int | None) -> None:
        self.object = whole.object
        self._whole = whole
        self._start = start
        self._end = whole.object.size if length is None else start + length
        if start >= whole.object.size:
            raise RangeError(f"{start} is past the end.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks of the part."""
        position = 0
        async for chunk in self._whole:
            if piece := chunk[max(0, self._start - position) : max(0, self._end - position)]:
                yield piece
            position += len(chunk)
            if position >= self._end:
                return

    async def close(self) -> None:
        """Let go of the connection."""
        await self._whole.close()


def damaged(path: str, stated: Digest) -> VerificationError:
    """Return the error for content that has not the digest that its provider states."""
    return VerificationError(
        f"“{path}” arrives damaged: its content does not have the {stated.algorithm.upper()} that its provider states.",
        hint="Try again later; if it stays so, restore the object, or ask who runs the endpoint.",
    )


class ObjectDownload(Download):
    """An object, or a part of it, read on after each break, and compared with the digest that its provider vouches for.

    All chunks are of one version. The last one is held until the content is known to be right. A part of an object has
    no digest: of it only the length is checked.

    Args:
        opened: what was opened at the first byte wanted.
        reopen: opens it again.
        start: the first byte wanted.
        length: how many, or None for all that follow.
        version: the version asked for; None if any will do, so that a second reading may be of a newer one.
        policy: how often a break is mended.
        misstated: says whether the digest stated is none of the content's, though the content has another.
    """

    def __init__(
        self,
        opened: Download,
        reopen: Reopen,
        *,
        start: int,
        length: int | None,
        version: str | None,
        policy: RetryPolicy,
        misstated: Callable[[StorageObject, str], Awaitable[bool]],
    ) -> None:
        self._reopen = reopen
        self._start = start
        self._length = length
        self._wanted = version
        self._policy = policy
        self._misstated = misstated
        self._begin(opened)

    def _begin(self, opened: Download) -> None:
        self._inner = opened
        self.object = found = opened.object
        self._position = self._start
        self._end = found.size if self._length is None else min(found.size, self._start + self._length)
        whole = self._start == 0 and self._end == found.size
        self._hasher = hasher_of(found.digest.algorithm) if whole and found.digest else None
        self._hashing = Hashing(*filter(None, [self._hasher]))
        self.md5 = self._hasher if found.digest and found.digest.algorithm == "md5" else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the content.

        Raises:
            ConflictError: the object is at another version, where the rest was to be read.
            UnreachableError: it breaks off again and again.
            VerificationError: it is not as long as its provider says, or not what that vouches for.
        """
        last = b""
        async for chunk in self._unbroken():
            if self._position > self._end:
                raise VerificationError(
                    f"“{self.object.path}” goes on after the {self._end - self._start} bytes that were announced."
                )
            await self._hashing.update(chunk)
            if self._position < self._end:
                yield chunk
            else:
                last = chunk
        await self._compare()
        if last:
            yield last

    async def whole(self) -> bytes:
        """Return the content at once; what arrives damaged is read once more."""
        try:
            return await super().whole()
        except VerificationError as error:
            log.info("%s Reading it again.", error)
        path = self.object.path
        self._begin(await self._reopen(self._start, self._wanted))
        self.object = dataclasses.replace(self.object, path=path)
        return await super().whole()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._inner.close()

    async def _unbroken(self) -> AsyncIterator[bytes]:
        """Yield chunks, and go on at the same version where they break off."""
        attempts, counted_from = None, self._position
        while True:
            try:
                async for chunk in self._inner:
                    self._position += len(chunk)
                    if chunk:
                        yield chunk
                if self._position >= self._end:
                    return
                raise UnreachableError(f"“{self.object.path}” broke off.", hint="Try again.")
            except PersonaError as error:
                if self._position >= self._end:
                    return
                if attempts is None or self._position - counted_from >= RENEWING_BYTES:
                    attempts, counted_from = self._policy.begin(), self._position
                await self._inner.close()
                await attempts.pause(error)
                self._inner = await self._reopen(self._position, self.object.version)

    async def _compare(self) -> None:
        """Raise `VerificationError` if the content has not the digest that its provider vouches for."""
        await self._hashing.done()
        stated = self.object.digest
        if self._hasher is None or stated is None or self._hasher.hexdigest() == stated.value:
            return
        if not await self._misstated(self.object, self._hasher.hexdigest()):
            raise damaged(self.object.path, stated)
