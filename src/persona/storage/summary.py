"""What a storage holds, counted in one pass over its listing, in memory that does not grow with it."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from persona.errors import PersonaError
from persona.storage.backend import Listing, RefusedName, StorageBackend, StorageObject
from persona.storage.paths import sort_key
from persona.storage.reserved import LeftOut

LARGEST = 10
MAX_GROUPS = 1000
OTHER = "(other)"
_STEPS = ((1_000, "under 1 KB"), (10_000, "1–10 KB"), (100_000, "10–100 KB"), (1_000_000, "100 KB–1 MB"))
_STEPS_ABOVE = ((10_000_000, "1–10 MB"), (100_000_000, "10–100 MB"), (1_000_000_000, "100 MB–1 GB"))
SIZE_STEPS = (*_STEPS, *_STEPS_ABOVE)
OVER = "1 GB and more"


@dataclass(slots=True)
class Group:
    """Objects counted together."""

    objects: int = 0
    total_bytes: int = 0

    def add(self, size: int) -> None:
        """Count one more."""
        self.objects += 1
        self.total_bytes += size


@dataclass(slots=True)
class Summary:
    """Counts over a listing; the groups are filled only if they were asked for."""

    objects: int = 0
    total_bytes: int = 0
    last_modified: datetime | None = None
    latency: float | None = None
    """Seconds until the first answer."""
    as_of: datetime | None = None
    """How old the counts are, if the provider does not answer and they are of what is known."""
    whole: bool = True
    """Whether all that was there then is counted."""
    refused: list[RefusedName] = field(default_factory=list)
    reserved: LeftOut = field(default_factory=LeftOut)
    """What is not counted since Persona keeps it for itself."""
    folder_markers: int = 0
    by_type: dict[str, Group] = field(default_factory=dict)
    by_prefix: dict[str, Group] = field(default_factory=dict)
    size_histogram: Counter[str] = field(default_factory=Counter)
    largest: list[tuple[int, bytes, StorageObject]] = field(default_factory=list)

    def add_page(self, page: Listing, *, detailed: bool) -> None:
        """Count a page of a listing."""
        objects = self.reserved.without(page)
        self.objects += len(objects)
        self.total_bytes += sum(found.size for found in objects)
        self.refused += page.refused
        self.folder_markers += len(page.folder_markers)
        self.as_of = min(filter(None, (self.as_of, page.as_of)), default=None)
        self.whole &= page.whole
        newest = max((found.last_modified for found in objects), default=None)
        if newest and (self.last_modified is None or newest > self.last_modified):
            self.last_modified = newest
        if detailed:
            self._add_details(objects)

    def _add_details(self, objects: Iterable[StorageObject]) -> None:
        for found in objects:
            name = found.path.rpartition("/")[2]
            ending = name.rpartition(".")[2].lower() if "." in name.lstrip(".") else ""
            _group(self.by_type, f".{ending}" if ending else "(none)").add(found.size)
            folder = found.path.partition("/")[0] + "/" if "/" in found.path else "(root)"
            _group(self.by_prefix, folder).add(found.size)
            self.size_histogram[size_step(found.size)] += 1
            entry = (found.size, bytes(255 - byte for byte in sort_key(found.path)), found)
            (heapq.heappush if len(self.largest) < LARGEST else heapq.heappushpop)(self.largest, entry)


async def summarise(
    storage: StorageBackend, *, detailed: bool = False, patient: Callable[[], StorageBackend] | None = None
) -> Summary:
    """Count everything in a storage.

    Args:
        storage: what to count.
        detailed: also group by type, folder and size, and find the largest.
        patient: opens the same storage with more patience, to go on with when `storage` breaks off after it has
            answered. So a provider that is out is found out soon, and a long count still stands a short failure.
    """
    begun = time.perf_counter()
    summary = Summary()
    async for page in _pages(storage, patient):
        summary.latency = summary.latency or time.perf_counter() - begun
        summary.add_page(page, detailed=detailed)
    summary.latency = summary.latency or time.perf_counter() - begun
    return summary


async def _pages(storage: StorageBackend, patient: Callable[[], StorageBackend] | None) -> AsyncIterator[Listing]:
    last: str | None = None
    try:
        async for page in storage.scan():
            yield page
            last = page[-1].path if page else last
        return
    except PersonaError as error:
        if patient is None or last is None or not error.temporary:
            raise
    again = patient()
    try:
        async for page in again.scan(after=last):
            yield page
    finally:
        await again.close()


def size_step(size: int) -> str:
    """Return the step of the histogram that a size in bytes falls in."""
    return next((label for limit, label in SIZE_STEPS if size < limit), OVER)


def _group(groups: dict[str, Group], name: str) -> Group:
    """Return a group; what exceeds the limit of groups is counted together, so that memory is bounded."""
    if name not in groups and len(groups) >= MAX_GROUPS:
        name = OTHER
    return groups.setdefault(name, Group())
