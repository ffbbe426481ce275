"""The objects that campaigns move, the fastest way to put them somewhere, and what a place holds in the end."""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from persona.storage.backend import StorageBackend, StorageObject
from persona.storage.content_types import content_type_of
from persona.storage.paths import to_file

MIB = 1 << 20
COUNT = 1247
TYPICAL_BYTES = 36_000
SLOTS = 16
"""How many objects are put or read at once."""

OWN = ".persona-"
"""Begins what the program keeps in a place for itself: backups, for example."""

ODD_NAMES = (
    "odd/Zoë Müller/Interview №1.yaml",
    "odd/日本語/ペルソナ.yaml",
    "odd/עברית/שלום.md",
    "odd/🙂/👩‍🔬.json",
    "odd/a+b c%20d/100%.txt",
    "odd/what#1?x=1&y=2.csv",
    "odd/12:30 — C:/notes;v=2.md",
    "odd/ends with dot./ends with space /it.txt",
    "odd/CON/nul.yaml",
    "odd/%2Fslash/%-/%=",
    "odd/Zoe\u0308 decomposed/%~3A/x%~=",
    "odd/'quoted' \"twice\" <tag> |pipe| *star*.txt",
    "odd/.hidden/...",
    "odd/-rf",
    "odd/" + "long segment " * 12 + "end",
    "odd/" + "ü" * 90 + "/" + "x" * 200,
)
"""Names that every place can hold, and that something on the way could spoil."""

FOLDER_NAMES = ("both/x", "both/x/y", "both/x/y/z")
"""Objects that stand beside a folder of their own name. SeaweedFS cannot hold them."""


@dataclass(frozen=True)
class Item:
    """One object to make: its content follows from its path, its size and its seed.

    Args:
        path: the storage path.
        size: bytes.
        seed: another one gives another content of the same size.
        content_type: the media type, or None for the one that the path's ending stands for.
        metadata: the user's metadata, as pairs.
    """

    path: str
    size: int
    seed: int = 0
    content_type: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    def edited(self) -> Item:
        """Return the item with another content of the same size."""
        return replace(self, seed=self.seed + 1)

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks of at most 1 MiB."""
        head = hashlib.sha256(f"{self.seed}/{self.path}".encode()).digest()
        for start in range(0, self.size, MIB):
            block = head + start.to_bytes(8, "big") + _noise()
            yield block[: min(MIB, self.size - start)]


@dataclass(frozen=True)
class Held:
    """What a place holds under one path.

    Args:
        sha256: of the content, read back.
        size: bytes.
        content_type: the media type.
        metadata: the user's metadata, as sorted pairs.
    """

    sha256: str
    size: int
    content_type: str | None
    metadata: tuple[tuple[str, str], ...]


@cache
def _noise() -> bytes:
    """Return 1 MiB that does not compress."""
    return random.Random(154).randbytes(MIB)


def corpus(count: int = COUNT, *, large: Sequence[int] = (), odd: Sequence[str] = ODD_NAMES) -> list[Item]:
    """Return objects like those of a team's research, the same ones each time.

    Args:
        count: how many ordinary ones, of lognormal size around 36 KB.
        large: sizes of large ones, in bytes, beside them.
        odd: odd names to have, each a small object.

    Returns:
        The objects; one of them is empty, and every twentieth has metadata and a content type of its own.
    """
    dice = random.Random(count)
    spread = 0.6
    middle = math.log(TYPICAL_BYTES) - spread**2 / 2
    endings = ("yaml", "json", "csv", "md", "txt")
    items = [Item("empty.yaml", 0)]
    for number in range(count - 1):
        path = f"personas/team-{number % 12:02}/customer-{number:05}.{endings[number % 5]}"
        items.append(Item(path, max(1, round(dice.lognormvariate(middle, spread)))))
    items[10::20] = [_adorned(item) for item in items[10::20]]
    items += [Item(path, 100 + place) for place, path in enumerate(odd)]
    return items + [Item(f"recordings/session-{place}.bin", size) for place, size in enumerate(large)]


def _adorned(item: Item) -> Item:
    """Return the item with metadata, part of which no header can carry, and a content type of its own."""
    metadata = (("interviewer", "Zoë Müller"), ("round", "2"), ("x-two words", "ja,\nnein"))
    return replace(item, content_type="application/vnd.persona+yaml", metadata=metadata)


def fill_folder(root: Path, items: Iterable[Item]) -> None:
    """Put items into a folder that a local backend has as its root; the plain ones as files, without its help."""
    items = list(items)
    made: set[Path] = set()
    for item in items:
        if item.content_type or item.metadata or item.path in FOLDER_NAMES:
            continue
        file = to_file(root, item.path)
        if file.parent not in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            made.add(file.parent)
        with file.open("wb") as target:
            target.writelines(item.blocks())
    from persona.storage.backends.local import LocalBackend

    rest = [item for item in items if item.content_type or item.metadata or item.path in FOLDER_NAMES]
    asyncio.run(_filled(LocalBackend(root), rest))


async def _filled(storage: StorageBackend, items: Iterable[Item]) -> None:
    try:
        await fill(storage, items)
    finally:
        await storage.close()


async def fill(storage: StorageBackend, items: Iterable[Item]) -> None:
    """Put items into a place, through its own writes."""
    slots = asyncio.Semaphore(SLOTS)

    async def put(item: Item) -> None:
        async with slots:
            metadata = dict(item.metadata)
            chunks = _chunks(item)
            await storage.write_stream(
                item.path, chunks, size=item.size, content_type=item.content_type, metadata=metadata
            )

    async with asyncio.TaskGroup() as tasks:
        for item in items:
            tasks.create_task(put(item))


async def _chunks(item: Item) -> AsyncIterator[bytes]:
    for block in item.blocks():
        yield block


async def read_all(storage: StorageBackend) -> dict[str, Held]:
    """Read everything that a place holds, but for what the program keeps there for itself, and say what it is."""
    slots = asyncio.Semaphore(SLOTS)
    found: dict[str, Held] = {}

    async def get(listed: StorageObject) -> None:
        async with slots:
            found[listed.path] = await _held(storage, listed.path)

    async with asyncio.TaskGroup() as tasks:
        async for page in storage.scan():
            assert not page.refused, page.refused
            for listed in page:
                if not listed.path.startswith(OWN):
                    tasks.create_task(get(listed))
    return found


async def _held(storage: StorageBackend, path: str) -> Held:
    download = await storage.open(path)
    about = download.object
    digest, size = hashlib.sha256(), 0
    async for chunk in download:
        digest.update(chunk)
        size += len(chunk)
    if about.metadata is None or about.content_type is None:
        about = await storage.stat(path)
    return Held(digest.hexdigest(), size, about.content_type, tuple(sorted((about.metadata or {}).items())))


async def versions(storage: StorageBackend) -> dict[str, tuple[str, int]]:
    """Return the version and size of everything in a place, to show that nobody touched it."""
    return {found.path: (found.version, found.size) async for page in storage.scan() for found in page}


def differences(expected: dict[str, Held], found: dict[str, Held]) -> list[str]:
    """Return in words what a place lacks, has too much of, or holds differently; an empty list if it is right."""
    lines = [f"missing: {path}" for path in expected.keys() - found.keys()]
    lines += [f"too much: {path}" for path in found.keys() - expected.keys()]
    both = expected.keys() & found.keys()
    lines += [f"differs: {path}: {expected[path]} ≠ {found[path]}" for path in both if expected[path] != found[path]]
    return sorted(lines)


def expected(items: Iterable[Item]) -> dict[str, Held]:
    """Return what a place has to hold for these items."""
    return {item.path: _made(item) for item in items}


@cache
def _made(item: Item) -> Held:
    digest = hashlib.sha256()
    for block in item.blocks():
        digest.update(block)
    content_type = item.content_type or content_type_of(item.path)
    return Held(digest.hexdigest(), item.size, content_type, tuple(sorted(item.metadata)))


def many_small(root: Path, count: int, *, flat: bool) -> None:
    """Put tiny objects into a folder: all in one, or in nested folders of 100."""
    root.mkdir(parents=True)
    for first in range(0, count, 100):
        place = root if flat else root / f"{first // 10_000:03}" / f"{first // 100:05}"
        place.mkdir(parents=True, exist_ok=True)
        for number in range(first, min(first + 100, count)):
            (place / f"persona-{number:06}.yaml").write_bytes(b"name: %d\n" % number)
