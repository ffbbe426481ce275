"""What is written past a cache is told to it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from persona.errors import PersonaError
from persona.storage.backend import (
    Checkpoint,
    Condition,
    IfVersion,
    StorageBackend,
    StorageObject,
)
from persona.storage.cache.store import Flight, Store
from persona.storage.content_headers import ContentHeaders
from persona.storage.layers.layer import Layer
from persona.storage.paths import clean_object, is_below, join


@dataclass(slots=True)
class Outcome:
    """What a write has come to.

    Args:
        flights: how the write is known to caches, with the path there.
        written: what is at the provider now.
        gone: whether the object is gone.
    """

    flights: Sequence[tuple[Store, str, Flight | None]]
    written: StorageObject | None = None
    gone: bool = False


class Informing(Layer):
    """A storage that tells caches what is written to it, so that no read of any process gives what was there before.

    Args:
        inner: the storage.
        told: each cache with what turns a path of this storage into one of that cache's place, or into None.
    """

    def __init__(self, inner: StorageBackend, told: Sequence[tuple[Store, Callable[[str], str | None]]]) -> None:
        super().__init__(inner)
        self._told = told

    @contextmanager
    def _writing(self, path: str) -> Iterator[Outcome]:
        """Announce a write of an object, and tell what it came to; whatever happens, it is asked for anew."""
        path = clean_object(path)
        there = [(store, other) for store, tell in self._told if (other := tell(path)) is not None]
        outcome = Outcome([(store, other, store.begin(other, writes=True)) for store, other in there])
        try:
            yield outcome
        finally:
            for store, other, flight in outcome.flights:
                written = outcome.written and replace(outcome.written, path=other)
                if flight is None:
                    store.disown(other)
                else:
                    store.end(flight, written, gone=outcome.gone)

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
        with self._writing(path) as outcome:
            outcome.written = await self.inner.write(
                path, data, condition=condition, content_type=content_type, metadata=metadata, headers=headers, md5=md5
            )
            return outcome.written

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
        with self._writing(path) as outcome:
            outcome.written = await self.inner.write_stream(
                path,
                chunks,
                size=size,
                condition=condition,
                content_type=content_type,
                metadata=metadata,
                headers=headers,
                checkpoint=checkpoint,
            )
            return outcome.written

    async def copy(self, source: str, target: str, *, condition: Condition | None = None) -> StorageObject:
        """Copy an object within this storage."""
        with self._writing(target) as outcome:
            outcome.written = await self.inner.copy(source, target, condition=condition)
            return outcome.written

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
        with self._writing(target) as outcome:
            outcome.written = await self.inner.copy_from(other, source, target, version=version, condition=condition)
            return outcome.written

    async def delete(self, path: str, *, condition: IfVersion | None = None) -> None:
        """Delete an object."""
        with self._writing(path) as outcome:
            await self.inner.delete(path, condition=condition)
            outcome.gone = True

    async def delete_many(
        self, paths: Sequence[str], *, conditions: Mapping[str, IfVersion] | None = None
    ) -> dict[str, PersonaError]:
        """Delete objects in bulk."""
        with ExitStack() as stack:
            outcomes: dict[str, Outcome] = {}
            failed: dict[str, PersonaError] = {}
            for path in paths:
                try:
                    outcomes[path] = stack.enter_context(self._writing(path))
                except PersonaError as error:
                    failed[path] = error
            failed |= await self.inner.delete_many([*outcomes], conditions=conditions)
            for path, outcome in outcomes.items():
                outcome.gone = path not in failed
            return failed

    async def close(self) -> None:
        """Close the caches and what is within."""
        for store, _ in self._told:
            store.close()
        await super().close()


def met_by(own: str, kept: str) -> Callable[[str], str | None] | None:
    """Return what turns paths of one folder into paths of another, as far as both hold the same objects.

    Args:
        own: the folder that is written to.
        kept: the folder of which a cache keeps objects.

    Returns:
        None if neither lies in the other.
    """
    if is_below(own, kept):
        above = own[len(kept) :].strip("/")
        return lambda path: join(above, path)
    if is_below(kept, own):
        below = kept[len(own) :].strip("/")
        return lambda path: path[len(below) + 1 :] if path.startswith(f"{below}/") else None
    return None
