"""Uploads in parts: how a stream is cut, how much of it is held, and how an upload goes on in another process."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import logging
from collections import deque
from collections.abc import AsyncIterable, Mapping
from typing import NamedTuple

from persona.errors import ConflictError, PersonaError, VerificationError
from persona.storage.backend import Checkpoint, Condition
from persona.storage.backends.primitives import MIB, Attributes, Part, Upload

log = logging.getLogger(__name__)
HELD_BYTES = 48 * MIB
"""What all uploads of one backend together may hold of parts, unless two parts are more."""


class Budget:
    """Memory for parts, handed out in the order in which it was asked for.

    Args:
        limit: bytes; more only for two parts that are larger.
    """

    def __init__(self, limit: int = HELD_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int) -> None:
        """Wait until a part of so many bytes may be held."""
        if not self._waiting and self._fits(count):
            self._held += count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the turn came in the same moment
                self.give(count)
            raise

    def give(self, count: int) -> None:
        """Return what was taken."""
        self._held -= count
        while self._waiting and (self._waiting[0][1].cancelled() or self._fits(self._waiting[0][0])):
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._held += wanted
                turn.set_result(None)

    def _fits(self, count: int) -> bool:
        return self._held + count <= max(self._limit, 2 * count)


class Parts:
    """A stream cut into parts of one size; only the last may be shorter.

    Memory is asked for before a part is read, and never while another part waits to be passed on: streams that share
    a budget cannot block each other.

    Args:
        chunks: the stream.
        part_bytes: the size of a part.
        size: the size of the stream, if known, so that a small one asks for little.
        budget: where memory comes from.
    """

    def __init__(self, chunks: AsyncIterable[bytes], part_bytes: int, size: int | None, budget: Budget) -> None:
        self._chunks = aiter(chunks)
        self._part_bytes = part_bytes
        self._weight = part_bytes if size is None else min(part_bytes, size)
        self._budget = budget
        self._left = memoryview(b"")
        self._first: Part | None = None
        self._held = 0

    async def whole(self) -> Part | None:
        """Return the stream's content if that is no more than one part; otherwise None, and `next` has it all."""
        first = await self.next()
        if first is not None and await self.more():
            self._first = first
            return None
        return first or b""

    async def more(self) -> bool:
        """Say whether anything is left."""
        while not self._left:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return False
            self._left = memoryview(chunk)
        return True

    async def next(self) -> Part | None:
        """Return the next part, or None at the end."""
        if (first := self._first) is not None:
            self._first = None
            return first
        if not await self.more():
            return None
        await self._budget.take(self._weight)
        self._held += 1
        whole = self._left.obj
        if isinstance(whole, bytes) and len(self._left) == len(whole) <= self._part_bytes:
            self._left = memoryview(b"")
            if len(whole) == self._part_bytes or not await self.more():
                return whole  # as it came: small objects are one chunk
            return await self._filled(bytearray(whole))
        return await self._filled(bytearray())

    def passed_on(self) -> None:
        """Give back the memory of one part."""
        self._held -= 1
        self._budget.give(self._weight)

    def close(self) -> None:
        """Give back the memory of all parts."""
        while self._held:
            self.passed_on()

    async def _filled(self, part: bytearray) -> bytearray:
        while len(part) < self._part_bytes and await self.more():
            piece = self._left[: self._part_bytes - len(part)]
            self._left = self._left[len(piece) :]
            part += piece
        return part


class Token(NamedTuple):
    """What a checkpoint keeps of an upload.

    Args:
        part_bytes: the size of its parts.
        of: a digest of what the upload was begun with.
        upload: the provider's own part of it.
    """

    part_bytes: int
    of: str
    upload: str

    @classmethod
    def read(cls, text: str | None) -> Token | None:
        """Return what a text says; None if it is none of ours."""
        try:
            part_bytes, of, upload = json.loads(text or "null")
            return cls(int(part_bytes), str(of), str(upload))
        except (ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(self)


def fingerprint(key: str, attributes: Attributes, condition: Condition | None, encryption: Mapping[str, str]) -> str:
    """Return a digest of what an upload is begun with: one that is begun with something else does not go on."""
    given = [key, attributes.content_type, sorted(attributes.metadata.items()), repr(condition)]
    given += [sorted(encryption.items())] if encryption else []
    given += [sorted(attributes.headers.items())] if attributes.headers else []
    return hashlib.sha256(json.dumps(given).encode()).hexdigest()[:32]


class Notes:
    """What an upload notes in its checkpoint; nothing if there is none.

    Args:
        checkpoint: the checkpoint.
        part_bytes: the size of the upload's parts.
        of: the upload's `fingerprint`.
    """

    def __init__(self, checkpoint: Checkpoint | None, part_bytes: int, of: str) -> None:
        self._checkpoint = checkpoint
        self._part_bytes = part_bytes
        self._of = of
        self._noted = checkpoint.token if checkpoint else None

    @property
    def left(self) -> Token | None:
        """The upload that was left, whether or not it can go on."""
        return Token.read(self._noted)

    @property
    def fits(self) -> bool:
        """Whether the upload that was left has the same parts, and was begun with the same."""
        return self.left is not None and self.left[:2] == (self._part_bytes, self._of)

    async def note(self, upload: Upload | None) -> None:
        """Save how an upload goes on, if that differs from what is saved."""
        token = None if upload is None else str(Token(self._part_bytes, self._of, upload.token))
        if self._checkpoint is not None and token != self._noted:
            await self._checkpoint.save(token)
            self._noted = token

    def keeps(self, error: BaseException) -> bool:
        """Say whether an upload that failed is left as it is, to go on later."""
        return self._checkpoint is not None and not isinstance(error, ConflictError | VerificationError)


async def send(upload: Upload, parts: Parts, at_once: int, notes: Notes) -> int:
    """Send all parts of an upload, several at once.

    Returns:
        How many bytes they have.

    Raises:
        PersonaError: the first failure.
    """
    slots = asyncio.Semaphore(at_once)
    total = number = 0

    def sent(_: object) -> None:  # called also for a task that is cancelled before it begins
        slots.release()
        parts.passed_on()

    try:
        async with asyncio.TaskGroup() as group:
            while (part := await parts.next()) is not None:
                await upload.foresee(part)
                await notes.note(upload)
                await slots.acquire()
                group.create_task(upload.part(number, part)).add_done_callback(sent)
                total += len(part)
                number += 1
                part = None  # its task alone holds it, while the next is read
    except BaseExceptionGroup as error:
        raise error.exceptions[0] from None
    return total


async def give_up(upload: Upload, notes: Notes | None = None) -> None:
    """Abort an upload, also in a cancelled task; the reason for it is what the caller hears of."""
    try:
        await asyncio.shield(upload.abort())
        if notes is not None:
            await asyncio.shield(notes.note(None))
    except PersonaError as error:
        log.warning("An upload could not be aborted (%s); its parts may be charged for until they expire.", error)


md5_of = functools.partial(hashlib.md5, usedforsecurity=False)


def base64_of(md5: str) -> str:
    """Return an MD5 in hexadecimal as the headers of providers have it."""
    return base64.b64encode(bytes.fromhex(md5)).decode("ascii")
