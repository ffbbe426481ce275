"""Processes that are killed in the middle of writes, processes that race, and memory."""

from __future__ import annotations

import asyncio
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path

from persona.storage.backends.local import LocalBackend

WRITER = """
import asyncio, sys
from pathlib import Path
from persona.storage.backends.local import LocalBackend

async def main():
    storage = LocalBackend(Path(sys.argv[1]))
    number = int(sys.argv[2])
    while True:
        number += 1
        await storage.write("folder/object", b"%09d" % number * 30_000, metadata={"n": str(number)})
        print(number, flush=True)

asyncio.run(main())
"""

COUNTER = """
import asyncio, sys
from pathlib import Path
from persona.errors import ConflictError
from persona.storage.backend import IfVersion
from persona.storage.backends.local import LocalBackend

async def main():
    storage = LocalBackend(Path(sys.argv[1]))
    while True:
        download = await storage.open("counter")
        now = int(b"".join([chunk async for chunk in download]))
        try:
            await storage.write("counter", b"%d" % (now + 1), condition=IfVersion(download.object.version))
        except ConflictError:
            continue
        print(now + 1, flush=True)

asyncio.run(main())
"""

STREAMER = """
import asyncio, hashlib, sys
from pathlib import Path
from persona.storage.backends.local import LocalBackend

SIZE, MIB = 256 * 1024**2, 1024**2
up, down = hashlib.blake2b(), hashlib.blake2b()

async def chunks():
    block = bytes(range(256)) * (MIB // 256)
    for number in range(SIZE // MIB):
        chunk = number.to_bytes(8, "big") + block[8:]
        up.update(chunk[:4096])
        yield chunk

async def main():
    storage = LocalBackend(Path(sys.argv[1]))
    written = await storage.write_stream("big", chunks(), size=SIZE)
    assert written.size == SIZE
    total = 0
    async for chunk in await storage.open("big"):
        assert len(chunk) == MIB
        down.update(chunk[:4096])
        total += len(chunk)
    assert total == SIZE
    assert up.digest() == down.digest()

asyncio.run(main())
# Not ru_maxrss: that begins with the size of the process that started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


class Worker:
    """A process that writes numbers to a file as it goes."""

    def __init__(self, program: str, folder: Path, *args: object) -> None:
        self.out = folder / f"{secrets.token_hex(4)}.out"
        with self.out.open("wb") as out:
            command = [sys.executable, "-c", program, *map(str, args)]
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        while not self.numbers() and self.process.poll() is None:
            time.sleep(0.005)

    def numbers(self) -> list[int]:
        """Return the numbers on whole lines."""
        return [int(line) for line in self.out.read_text().split("\n")[:-1]]

    def kill(self) -> list[int]:
        """Kill the process, and return what it had said."""
        self.process.kill()
        _, errors = self.process.communicate()
        assert errors == b""
        return self.numbers()


def test_a_killed_writer_leaves_whole_versions_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    rounds = random.Random(154)
    number = 0
    for _ in range(6):
        worker = Worker(WRITER, tmp_path, root, number)
        time.sleep(rounds.uniform(0.0, 0.12))
        said = worker.kill()[-1]

        async def look() -> tuple[bytes, dict[str, str]]:
            download = await LocalBackend(root).open("folder/object")
            content = b"".join([chunk async for chunk in download])
            return content, dict(download.object.metadata or {})

        content, metadata = asyncio.run(look())
        number = int(content[:9])
        assert content == b"%09d" % number * 30_000, "never a mixture, never a half"
        assert number in (said, said + 1), "what was said to be written is there"
        assert metadata == {"n": str(number)}, "with its own metadata"
    listing = asyncio.run(LocalBackend(root).list())
    assert [found.path for found in listing] == ["folder/object"]
    assert listing.refused == []


def test_no_update_is_lost_between_processes_of_which_some_are_killed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    asyncio.run(LocalBackend(root).write("counter", b"0"))
    workers = [Worker(COUNTER, tmp_path, root) for _ in range(3)]
    said: list[int] = []
    for worker in workers:
        time.sleep(0.15)
        said += worker.kill()
    final = int(asyncio.run(LocalBackend(root).read("counter")))
    assert len(set(said)) == len(said), "no number was reached twice"
    assert set(said) <= set(range(1, final + 1))
    assert final - len(said) <= len(workers), "only a kill keeps a writer from saying what it wrote"
    assert final > 10


def test_a_large_object_goes_through_little_memory(tmp_path: Path) -> None:
    worker = Worker(STREAMER, tmp_path, tmp_path / "root")
    (tmp_path / "root" / "big").unlink()
    (rss,) = worker.kill()
    assert 10_000_000 < rss < 150_000_000
