"""A provider that is down is found out once, and in less than two seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from persona.errors import PersonaError, RequestFailedError, ThrottledError, UnreachableError
from persona.moments import moment
from persona.storage.backend import (
    Checkpoint,
    Condition,
    Download,
    IfVersion,
    Listing,
    Location,
    PastVersion,
    StorageBackend,
    StorageObject,
)
from persona.storage.background import started
from persona.storage.capabilities import Capabilities
from persona.storage.content_headers import ContentHeaders
from persona.storage.layers.accompanied import Accompanied, cancelled
from persona.storage.layers.layer import Layer
from persona.storage.outage import PROBE, Outage, OutageState, knock, nobody, silent

T = TypeVar("T")
log = logging.getLogger(__name__)
PATIENCE = 0.8
"""After so many seconds without an answer it is looked whether anybody is there."""
KNOCK = 0.7
"""How long a connection may take then: also one by satellite takes no longer."""
KNOCK_AGAIN = 3.0
SHORT_KNOCK = 0.25
TRY_SECONDS = 1.5
FORCED_SECONDS = 5.0
"""A try that was asked for may take so long: on a very slow line it is the way back."""
FIRST_SECONDS = 10.0
"""A first answer may take so long: credentials may have to be fetched before."""
TIMES_UNSURE = 3


class Breaker(Layer):
    """Fails at once while the provider is known not to answer, and tries it again on a schedule.

    - An operation that takes long is accompanied: if nobody accepts a connection at the provider's address, it is given
      up. A slow server is no outage: as long as somebody is there, the operation goes on. Only if nothing has been
      answered yet, nor is a light request, it is given up as well.
    - An operation that fails with `UnreachableError`, not `ThrottledError`, opens the breaker, unless the provider
      responds to a light request: then it is a `RequestFailedError`, a failure of that operation alone. While the
      breaker is open, every operation fails at once, in other processes as well.
    - When a try is due, one process makes it: a light request of its own. Besides, each process looks once whether
      somebody accepts connections again, and then tries too.

    Args:
        inner: the backend, which this takes over.
        state: what is known of an outage; None knows it in this process only.
        force: try the provider once, whatever is known.
        clock: the wall clock.
    """

    def __init__(
        self,
        inner: StorageBackend,
        state: OutageState | None = None,
        *,
        force: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(inner)
        self.state = state or OutageState()
        self._force = force
        self._clock = clock
        self._knocked = False
        self._answered = False
        self._responded_at = 0.0
        self._trying = asyncio.Lock()

    async def location(self) -> Location:
        """Ask the provider where the objects are."""
        return await self._guarded(self.inner.location)

    async def encrypted_as_asked(self, path: str) -> bool | None:
        """Say whether an object is encrypted as the provider is told to."""
        return await self._guarded(lambda: self.inner.encrypted_as_asked(path))

    async def read(self, path: str) -> bytes:
        """Return an object's content."""
        return await self._guarded(lambda: self.inner.read(path))

    async def open(
        self, path: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> Download:
        """Start to read an object as a stream, which is accompanied too."""
        found = await self._guarded(lambda: self.inner.open(path, start=start, length=length, version=version))
        return Accompanied(found, self._accompanied)

    async def open_changed(self, path: str, version: str) -> Download | None:
        """Start to read an object if it is at another version."""
        found = await self._guarded(lambda: self.inner.open_changed(path, version))
        return found and Accompanied(found, self._accompanied)

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        condition: Condition | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: ContentHeaders | None = None,
        md5: str | None = None,
    ) -> StorageObject:
        """Write an object whole."""
        return await self._guarded(
            lambda: self.inner.write(
                path, data, condition=condition, content_type=content_type, metadata=metadata, headers=headers, md5=md5
            )
        )

    async def write_stream(
        self,
        path: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        condition: Condition | None = None,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        headers: ContentHeaders | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> StorageObject:
        """Write an object from a stream."""
        return await self._guarded(
            lambda: self.inner.write_stream(
                path,
                chunks,
                size=size,
                condition=condition,
                content_type=content_type,
                metadata=metadata,
                headers=headers,
                checkpoint=checkpoint,
            )
        )

    async def abort_upload(self, path: str, token: str) -> None:
        """Give up an upload that was left."""
        await self._guarded(lambda: self.inner.abort_upload(path, token))

    async def stat(self, path: str) -> StorageObject:
        """Describe an object."""
        return await self._guarded(lambda: self.inner.stat(path))

    async def exists(self, path: str) -> bool:
        """Say whether the object is there. For `PROBE` the provider is asked although the breaker is open."""
        if path == PROBE:
            async with self._trying:
                if self.state.load() is not None:
                    await self._try(TRY_SECONDS)
        return await self._guarded(lambda: self.inner.exists(path))

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page."""
        pages = self.inner.scan(prefix, after=after)

        async def following() -> Listing | None:
            return await anext(pages, None)

        page = await self._guarded(following)
        while page is not None:
            yield page
            page = await self._accompanied(following())

    async def past(self) -> AsyncIterator[Sequence[PastVersion]]:
        """Yield what the provider still has of earlier objects."""
        pages = self.inner.past()

        async def following() -> Sequence[PastVersion] | None:
            return await anext(pages, None)

        page = await self._guarded(following)
        while page is not None:
            yield page
            page = await self._accompanied(following())

    async def read_past(self, version: PastVersion) -> bytes:
        """Return the content of an earlier version."""
        return await self._guarded(lambda: self.inner.read_past(version))

    async def delete_past(self, version: PastVersion) -> None:
        """Delete an earlier version."""
        await self._guarded(lambda: self.inner.delete_past(version))

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object within this storage."""
        return await self._guarded(lambda: self.inner.copy(source, target, condition=condition))

    async def copy_from(
        self,
        other: StorageBackend,
        source: str,
        target: str,
        *,
        version: str | None = None,
        condition: Condition | None = None,
    ) -> StorageObject | None:
        """Copy an object from another place of this provider."""
        return await self._guarded(
            lambda: self.inner.copy_from(other, source, target, version=version, condition=condition)
        )

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object."""
        await self._guarded(lambda: self.inner.delete(path, condition=condition))

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Delete objects in bulk."""
        failures = await self._guarded(lambda: self.inner.delete_many(paths, conditions=conditions))
        return {path: await self._judged(error) for path, error in failures.items()}

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say what the endpoint can do."""
        return await self._guarded(lambda: self.inner.capabilities(anew=anew))

    # What all of them go through.

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do an operation, unless the provider is known not to answer."""
        if self.state.load() is not None:
            async with self._trying:  # one try serves all operations of this process
                await self._admit()
        return await self._accompanied(work())

    async def _accompanied(self, work: Coroutine[Any, Any, T]) -> T:
        """Do an operation, and look after the provider while it takes long.

        Raises:
            RequestFailedError: the operation failed so, and the provider responds to another one.
            UnreachableError: the operation failed so, or nobody is there; the breaker is open now.
        """
        task = started(work)
        unsure = 0
        try:
            await asyncio.wait({task}, timeout=PATIENCE)
            while not task.done():
                there = await self._anybody(task)
                unsure = unsure + 1 if there is None else 0
                # a line that is full with what is being sent may delay a connection for long
                if there is False or unsure >= (TIMES_UNSURE if self._answered else 1):
                    raise nobody(self.inner.address())
                if not self._answered and not task.done():
                    await self._first_answer(task)
                await asyncio.wait({task}, timeout=KNOCK_AGAIN)
            result = task.result()
        except UnreachableError as error:
            if (judged := await self._judged(error)) is error:
                raise
            raise judged from error
        except PersonaError:
            self._answered = True
            raise
        finally:
            await cancelled(task)
        self._answered = True
        return result

    async def _anybody(self, task: asyncio.Task[Any]) -> bool | None:
        """Say whether somebody accepts connections, or the task is done before that is known; None if it is not."""
        address = self.inner.address()
        if address is None:
            return True
        knocking = started(knock(address, KNOCK))
        await asyncio.wait({task, knocking}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            knocking.cancel()
            return True
        return knocking.result()

    async def _first_answer(self, task: asyncio.Task[Any]) -> None:
        """Wait for any answer: to the task, or to a light request beside it.

        Raises:
            UnreachableError: there is none.
        """
        light = started(self.inner.exists(PROBE))
        try:
            done, _ = await asyncio.wait({task, light}, timeout=FIRST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise self._silent()
            self._answered = light.done() and _is_response(light.exception())
        finally:
            await cancelled(light)

    async def _admit(self) -> None:
        """Let operations pass if there is no outage any more, or if the provider answers again.

        Raises:
            UnreachableError: it does not.
        """
        outage = self.state.load()
        if outage is None:  # another operation has found it back
            return
        limit = FORCED_SECONDS if self._force else TRY_SECONDS
        due = self.state.claim(self._clock()) or self._force
        if not due and (self._knocked or outage.accepts):
            raise self._refusal(outage)
        self._force, self._knocked = False, True
        address = self.inner.address()
        if address is None or await knock(address, KNOCK if due else SHORT_KNOCK):
            await self._try(limit)
        elif due:
            raise self._gone()
        else:
            raise self._refusal(outage)

    async def _try(self, seconds: float) -> None:
        """Ask the provider for something light. Any answer is one, also that there is no bucket or no permission."""
        task = started(self.inner.exists(PROBE))
        try:
            await asyncio.wait({task}, timeout=seconds)
            if not task.done():
                raise self._silent()
            task.result()
        except UnreachableError as error:
            if not isinstance(error, ThrottledError):
                self.state.failed(str(error), self._clock(), accepts=True)
                raise
        except PersonaError as error:
            log.info("The provider answers again: %s", error)
        finally:
            await cancelled(task)
        self.state.end()

    async def _judged(self, error: PersonaError) -> PersonaError:
        """Return an error as what it is: of this operation alone, or of the provider, and then open the breaker."""
        if not isinstance(error, UnreachableError) or isinstance(error, ThrottledError | RequestFailedError):
            return error
        failed_at = time.monotonic()
        async with self._trying:  # one request answers for all operations that failed together
            if self.state.load() is not None:
                return error
            address = self.inner.address()
            accepts = address is None or bool(await knock(address, SHORT_KNOCK))
            if accepts and (self._responded_at >= failed_at or await self._responds()):
                return RequestFailedError(error.message, hint=error.hint)
            self.state.failed(str(error), self._clock(), accepts=address is not None and accepts)
        return error

    async def _responds(self) -> bool:
        """Say whether the provider responds to a light request in time."""
        begun = time.monotonic()
        light = started(self.inner.exists(PROBE))
        try:
            await asyncio.wait({light}, timeout=TRY_SECONDS)
            responds = light.done() and _is_response(light.exception())
        finally:
            await cancelled(light)
        if responds:
            self._responded_at = begun
        return responds

    def _silent(self) -> UnreachableError:
        """Return the error for a provider that is there, and is silent."""
        return silent(self.inner.address(), "“persona storage status” tries it.")

    def _gone(self) -> UnreachableError:
        """Open the breaker, since nobody is there, and return the error for that."""
        error = nobody(self.inner.address())
        self.state.failed(str(error), self._clock(), accepts=False)
        return error

    def _refusal(self, outage: Outage) -> UnreachableError:
        """Return the error while the breaker is open."""
        since = moment(outage.since)
        seconds = max(1, round(outage.retry_at - self._clock()))
        return UnreachableError(
            f"The provider has not answered since {since:%Y-%m-%d %H:%M:%S} UTC: {outage.error}",
            hint=f"It is tried again in {seconds} s; “persona storage status” tries it at once.",
        )


def _is_response(error: BaseException | None) -> bool:
    """Say whether an error, or none, shows that the provider responds: a refusal is a response too."""
    return not isinstance(error, UnreachableError) or isinstance(error, ThrottledError)
