"""Filling the cache before it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from persona.errors import NotFoundError, ObjectStateError, RequestFailedError, VerificationError
from persona.storage.backend import StorageObject
from persona.storage.background import started
from persona.storage.layers.cache import Cache, Warmth
from persona.storage.paths import clean
from persona.storage.relisting import UNREADABLE, still_listed
from persona.storage.reserved import is_reserved


@dataclass(slots=True)
class Warmed:
    """What warming came to.

    Args:
        objects: how many objects were listed.
        fetched: how many were fetched.
        fresh: how many were there already, at their version.
        never: how many must not be kept.
        too_large: how many are larger than the cache.
        gone: how many were deleted meanwhile.
        left: how many were left out since the cache is full.
        bytes: what was fetched.
        total_bytes: what the objects are in all.
        failures: the objects that are there and cannot be read, each with the reason.
        damaged: whether some of them arrive damaged.
    """

    objects: int = 0
    fetched: int = 0
    fresh: int = 0
    never: int = 0
    too_large: int = 0
    gone: int = 0
    left: int = 0
    bytes: int = 0
    total_bytes: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    damaged: bool = False

    @property
    def done(self) -> int:
        """How many objects have been dealt with."""
        return self.fetched + self.fresh + self.never + self.too_large + self.gone + self.left + len(self.failures)


async def warm(
    cache: Cache, path: str, *, at_once: int, on_progress: Callable[[Warmed, str], None] | None = None
) -> Warmed:
    """Fetch what is at or below a path into the cache; nothing that is there leaves for it.

    Args:
        cache: the storage with its cache.
        path: a storage path.
        at_once: how many objects are fetched at once.
        on_progress: is told how far it is, and which object was dealt with last.

    Raises:
        NotFoundError: there is nothing at the path.
        PersonaError: nothing can be fetched.
    """
    folder = clean(path)
    listing = [found for found in await cache.list(path) if not is_reserved(found.path, folder)]
    if not listing and folder:
        raise NotFoundError(
            f"There is nothing at {cache.url(folder)}.", hint="“persona storage list” shows what there is."
        )
    warmed = Warmed(objects=len(listing), total_bytes=sum(found.size for found in listing))
    waiting, missing = iter(listing), list[str]()
    workers = [started(_work(cache, waiting, missing, warmed, on_progress)) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)
    listed = await still_listed(cache.scan(path), missing)
    warmed.gone = len(missing) - len(listed)
    warmed.failures += [(lost, UNREADABLE) for lost in sorted(listed)]
    return warmed


async def _work(
    cache: Cache,
    waiting: Iterator[StorageObject],
    missing: list[str],
    warmed: Warmed,
    on_progress: Callable[[Warmed, str], None] | None,
) -> None:
    """Take one object after another until there are no more, or the cache is full."""
    for found in waiting:
        try:
            warmth = Warmth.LEFT if warmed.left else await cache.warm(found)
        except NotFoundError:
            warmed.gone += 1
            missing.append(found.path)
            continue
        except (ObjectStateError, RequestFailedError, VerificationError) as error:
            warmed.damaged |= isinstance(error, VerificationError)
            warmed.failures.append((found.path, str(error)))
            continue
        name = warmth.value
        setattr(warmed, name, getattr(warmed, name) + 1)
        if warmth is Warmth.FETCHED:
            warmed.bytes += found.size
        if on_progress is not None:
            on_progress(warmed, found.path)
