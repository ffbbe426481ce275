"""The cache folder: who may look into it, what it may hold, and what happens when it is damaged, full or gone."""

from __future__ import annotations

import errno
import os
import random
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from persona.config.secret import Secret
from persona.errors import ConfigError
from persona.locks import locked
from persona.storage.cache import boot, house
from persona.storage.cache.cipher import Cipher
from persona.storage.cache.database import MIN_INDEX_BYTES, BusyError, Limits
from persona.storage.cache.house import stats
from persona.storage.cache.store import Store
from tests import unmeasured
from tests.cache.machine import MIB, PLACE, Clock, Machine, folder_bytes
from tests.cache.memory import Memory
from tests.contract.helpers import block

ROOT = Path(__file__).parents[2]
NAMES = [f"objects/{number}" for number in range(8)]


async def filled(machine: Machine, memory: Memory, size: int = 100) -> None:
    """Keep some objects, and close the cache."""
    cache = machine.cache()
    for number, path in enumerate(NAMES):
        memory.put(path, block(number, size))
        await cache.read(path)
    machine.close()
    memory.asked()


async def reads_are_right(machine: Machine, memory: Memory) -> Store:
    """Read everything through a cache, twice."""
    store = machine.store()
    cache = machine.cache(store)
    for _ in range(2):
        for path in NAMES:
            assert await cache.read(path) == memory.objects[path][0]
    return store


@pytest.mark.parametrize("how", ["flip", "truncate", "lengthen", "empty", "swap", "remove", "link"])
@pytest.mark.parametrize("key", ["", "07" * 32])
async def test_a_damaged_file_is_fetched_again_and_counted(
    how: str, key: str, machine: Machine, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealing = Cipher(Secret(key)) if key else None
    memory.put("a", b"the one content")
    memory.put("b", b"the two content")
    store = machine.store(sealing=sealing)
    cache = machine.cache(store)
    await cache.read("a")
    await cache.read("b")
    first, second = (store.kept(path) for path in "ab")
    assert first
    assert second
    one, two = Path(store.file(first)), Path(store.file(second))
    data = one.read_bytes()
    if how == "flip":
        one.write_bytes(bytes([data[0]]) + bytes([data[1] ^ 16]) + data[2:])
    elif how in ("truncate", "lengthen", "empty"):
        one.write_bytes({"truncate": data[:-1], "lengthen": data + b"x", "empty": b""}[how])
    elif how == "swap":
        one.write_bytes(two.read_bytes())
    else:
        one.unlink()
    if how == "link":
        one.symlink_to(two)
    memory.asked()
    for _ in range(2):
        assert await cache.read("a") == b"the one content"
    assert await cache.read("b") == b"the two content"
    assert memory.asked() == ["open a"]
    assert stats(store).damaged == 1


async def test_an_index_with_flipped_bytes_never_gives_wrong_content(
    machine: Machine, memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite has no checksums: whatever an index says, a content is what its digest says, or it is fetched."""
    machine.max_size = 2 * MIB
    await filled(machine, memory)
    file = machine.folder / "index.sqlite3"
    good, dice = file.read_bytes(), random.Random(5)
    pages = [start for start in range(0, len(good), 4096) if b"objects/" in good[start : start + 4096]]
    used = [position for start in pages for position in range(start, start + 4096) if good[position]]
    for _ in range(60):
        bad = bytearray(good)
        for position in dice.sample(used, 3):
            bad[position] ^= 1 << dice.randrange(8)
        for name in ("index.sqlite3-wal", "index.sqlite3-shm"):
            (machine.folder / name).unlink(missing_ok=True)
        file.write_bytes(bad)
        try:
            store = machine.store()
        except (sqlite3.Error, OSError):
            continue  # said in a warning, and nothing is cached
        cache = machine.cache(store)
        for path in NAMES:
            assert await cache.read(path) == memory.objects[path][0]
        machine.close()


@pytest.mark.parametrize("what", ["index", "contents", "everything"])
async def test_parts_of_the_folder_are_gone(what: str, machine: Machine, memory: Memory) -> None:
    await filled(machine, memory)
    for file in machine.files("" if what == "everything" else "objects" if what == "contents" else "."):
        if what != "index" or file.name.startswith("index"):
            file.unlink()
    store = await reads_are_right(machine, memory)
    assert len(memory.asked()) == len(NAMES)
    assert stats(store).entries == len(machine.files("objects")) == len(NAMES)


async def test_an_index_of_another_format(machine: Machine, memory: Memory) -> None:
    await filled(machine, memory)
    with sqlite3.connect(machine.folder / "index.sqlite3") as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    db.close()
    with pytest.raises(sqlite3.DatabaseError, match="format 99"):
        machine.store()


def test_an_index_that_somebody_is_long_in_making(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persona.storage.cache.database.BUSY_SECONDS", 0.1)
    machine.folder.mkdir()
    with locked(machine.folder / "index.sqlite3-wal.lock", 0):
        (machine.folder / "CACHEDIR.TAG").touch()
        with pytest.raises(BusyError, match="too long"):
            machine.store()
    machine.store()


async def test_an_index_that_others_keep_locked(
    machine: Machine, memory: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads and writes go on without the cache, and nobody reads what is old afterwards."""
    await filled(machine, memory)
    monkeypatch.setattr("persona.storage.cache.database.BUSY_SECONDS", 0.1)
    cache = machine.cache()
    other = sqlite3.connect(machine.folder / "index.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await cache.write(NAMES[0], b"new")
    assert await cache.read(NAMES[0]) == b"new"
    assert "cannot be used" in caplog.text
    other.execute("ROLLBACK")
    other.close()
    assert await machine.cache().read(NAMES[0]) == b"new"


async def test_a_write_that_could_not_be_announced(
    machine: Machine, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is locked when a write begins, so nobody knows of it: what is read meanwhile is not kept after it."""
    await filled(machine, memory)
    monkeypatch.setattr("persona.storage.cache.database.BUSY_SECONDS", 0.1)
    writer, reader = machine.cache(), machine.cache()
    other = sqlite3.connect(machine.folder / "index.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def read_before(request: str) -> None:
        if request == f"write {NAMES[0]}":
            other.execute("ROLLBACK")
            assert await reader.read(NAMES[0]) == memory.objects[NAMES[0]][0]

    memory.before = read_before
    await writer.write(NAMES[0], b"new")
    other.close()
    assert await reader.read(NAMES[0]) == b"new"


async def test_a_full_disk(
    machine: Machine, memory: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await filled(machine, memory)
    cache = machine.cache()
    assert await cache.read(NAMES[0]) == memory.objects[NAMES[0]][0]

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("persona.storage.cache.files.os.write", full)
        await cache.write(NAMES[0], b"new")
        assert await cache.read(NAMES[0]) == b"new"
        memory.put("large", bytes(5 * MIB))
        assert await machine.cache(machine.store(max_size=16 * MIB)).read("large") == bytes(5 * MIB)
        assert caplog.text.count("No space left on device") == 2
    await cache.close()
    assert await machine.cache().read(NAMES[0]) == b"new"
    machine.close()
    store = machine.store()
    assert machine.files("drafts") == []
    assert stats(store).entries == len(machine.files("objects"))


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let no file be longer, as a quota would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_no_space_for_the_index(machine: Machine, memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    """The index cannot grow: reads are right, and what this process writes is seen by others."""
    await filled(machine, memory)
    cache, other = machine.cache(), machine.cache()
    log = (machine.folder / "index.sqlite3-wal").stat().st_size
    with files_at_most(log + 4096):
        for number in range(20):
            await cache.write(NAMES[0], f"{number}".encode())
            assert await cache.read(NAMES[0]) == f"{number}".encode()
    assert "cannot be used" in caplog.text
    assert await other.read(NAMES[0]) == b"19"


def test_a_folder_that_holds_other_files_is_refused(machine: Machine) -> None:
    machine.folder.mkdir()
    (machine.folder / "thesis.odt").write_text("mine")
    with pytest.raises(ConfigError, match="holds other files"):
        machine.store()
    assert [file.name for file in machine.files()] == ["thesis.odt"]


def test_a_folder_that_cannot_be_made(machine: Machine) -> None:
    machine.folder.write_text("a file")
    with pytest.raises((OSError, ConfigError)):
        machine.store()


async def test_a_folder_behind_a_link(tmp_path: Path, machine: Machine, memory: Memory) -> None:
    (tmp_path / "elsewhere").mkdir()
    machine.folder.symlink_to(tmp_path / "elsewhere")
    await filled(machine, memory)
    assert (tmp_path / "elsewhere" / "index.sqlite3").exists()
    await reads_are_right(machine, memory)
    assert memory.asked() == []


async def test_nobody_else_may_look(tmp_path: Path, memory: Memory, clock: Clock) -> None:
    before = os.umask(0)
    try:
        machine = Machine(tmp_path / "new home" / "cache", memory, clock)
        cache = machine.cache()
        memory.put("a", b"one")
        await cache.read("a")
        paths = [*machine.folder.rglob("*"), machine.folder, machine.folder.parent]
        modes = {path.name: (path.is_file(), oct(path.stat().st_mode & 0o777)) for path in paths}
        assert "index.sqlite3-wal" in modes
        assert {mode for _, mode in modes.values()} == {"0o600", "0o700"}
        assert all(mode == ("0o600" if is_file else "0o700") for is_file, mode in modes.values()), modes
        machine.close()
    finally:
        os.umask(before)


async def test_a_folder_that_others_could_look_into_is_closed_to_them(machine: Machine) -> None:
    machine.folder.mkdir(mode=0o755)
    machine.store()
    assert machine.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("sizes", [(8 * MIB, 2 * MIB), (16 * MIB, 1 * MIB)])
async def test_a_limit_that_is_lowered(sizes: tuple[int, int], machine: Machine, memory: Memory) -> None:
    before, after = sizes
    cache = machine.cache(machine.store(max_size=before))
    for number in range(60):
        memory.put(f"o/{number}", block(number, before // 80))
        await cache.read(f"o/{number}")
    await cache.list()
    machine.close()
    assert folder_bytes(machine.folder) > after
    store = machine.store(max_size=after)
    house.fit(store.index)
    cache = machine.cache(store)
    await cache.read("o/59")
    assert folder_bytes(machine.folder) <= after
    assert stats(store).evictions > 30


def test_how_a_size_is_shared_out() -> None:
    for size in (MIN_INDEX_BYTES, MIB, 10 * MIB, 500_000_000, 10**12):
        limits = Limits.of(size)
        assert limits.content + limits.records == size
        assert limits.pages > 20
        assert limits.pages * 4096 + 2 * limits.log < limits.records


async def test_an_index_that_is_full_forgets_listings(machine: Machine, memory: Memory) -> None:
    """Contents are worth more: they are kept still, and the folder stays within its size."""
    machine.max_size = MIB
    cache = machine.cache()
    for number in range(3000):
        memory.put(f"a folder with a long name/{number:06}", b"")
    memory._page = 500
    assert len(await cache.list()) == 3000
    assert len(await cache.list()) == 3000
    assert folder_bytes(machine.folder) <= machine.max_size
    for number in range(0, 3000, 100):
        await cache.read(f"a folder with a long name/{number:06}")
    store = machine.stores[0]
    assert store.off is False
    assert stats(store).entries >= 20
    assert folder_bytes(machine.folder) <= machine.max_size


async def test_an_index_that_is_full_of_entries_lets_the_first_of_them_leave(machine: Machine, memory: Memory) -> None:
    """Many small objects take little space themselves, and much in the index."""
    machine.max_size = MIB
    store = machine.store()
    cache = machine.cache(store)
    for number in range(800):
        memory.put(f"{'n' * 100}/{number}", b"x")
        await cache.read(f"{'n' * 100}/{number}")
    assert store.off is False
    kept = {entry.path for entry in store.index.between(store.scope, "", None)}
    last = {f"{'n' * 100}/{number}" for number in range(760, 800)}
    assert len(kept & last) >= 20
    assert folder_bytes(machine.folder) <= machine.max_size


async def test_the_log_keeps_to_its_size(machine: Machine, memory: Memory) -> None:
    machine.max_size = MIB
    store = machine.store()
    cache = machine.cache(store)
    reader = sqlite3.connect(machine.folder / "index.sqlite3", isolation_level=None)
    most = 0
    for number in range(300):
        memory.put(f"o/{number % 40}", block(number, 1000))
        await cache.read(f"o/{number % 40}")
        await cache.delete(f"o/{(number + 7) % 40}")
        most = max(most, (machine.folder / "index.sqlite3-wal").stat().st_size)
    reader.close()
    assert most <= 2 * store.index.limits.log


async def test_after_the_machine_has_started_anew_everything_is_asked_for(
    machine: Machine, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(machine, memory)
    (machine.folder / "objects" / "ab").mkdir(exist_ok=True)
    for orphan in ("objects/ab/abcd", "drafts/abcd"):
        (machine.folder / orphan).write_bytes(b"of a write that did not reach the disk")
    monkeypatch.setattr(house, "_boot", lambda: "another start")
    store = await reads_are_right(machine, memory)
    assert memory.asked() == [f"changed {path}" for path in NAMES]
    assert len(machine.files("objects")) == stats(store).entries == len(NAMES)
    assert machine.files("drafts") == []


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("0b6f", "0b6f", True),
        ("0b6f", "1c7a", False),
        (None, "0b6f", False),
        ("started at 1000", "started at 1020", True),  # a clock that was set a little
        ("started at 1000", "started at 1100", False),
        ("started at ?", "started at 1100", False),
        ("0b6f", "started at 1000", False),
    ],
)
def test_which_marks_are_of_one_start(before: str | None, now: str, same: bool) -> None:
    assert boot.is_same(before, now) == same


def test_sleep_is_no_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On macOS the clock that measures stands still meanwhile; the system names the session."""
    monkeypatch.setattr(boot, "_LINUX", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(boot, "_sysctl", lambda name: f"{name} 5E1F")
    before = boot.this_start()
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    assert boot.is_same(before, boot.this_start())
    monkeypatch.setattr(boot, "_sysctl", lambda name: "")
    monkeypatch.setattr(time, "time", lambda: 1005.0)
    assert boot.this_start() == "started at 1000"


async def test_values_of_other_types_are_damage_and_our_own_errors_are_not(
    machine: Machine, memory: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await filled(machine, memory)
    db = sqlite3.connect(machine.folder / "index.sqlite3", isolation_level=None)
    with closing(db):
        db.execute("UPDATE sums SET used = 'many'")
    with pytest.raises(sqlite3.DatabaseError, match="its index is damaged"):
        machine.store()
    with closing(sqlite3.connect(machine.folder / "index.sqlite3", isolation_level=None)) as db:
        db.execute("UPDATE sums SET used = 1")
        db.execute("INSERT INTO flights (name, owner, scope, path, writes, bytes) VALUES ('a', 'b', 1, 'c', 0, 'd')")
    with pytest.raises(sqlite3.DatabaseError, match="its index is damaged"):
        machine.store()
    with closing(sqlite3.connect(machine.folder / "index.sqlite3", isolation_level=None)) as db:
        db.execute("DELETE FROM flights")
    store = machine.store()

    def slip(*_: object) -> None:
        raise TypeError("a slip of ours")

    monkeypatch.setattr(store.index, "find", slip)
    with pytest.raises(TypeError, match="a slip of ours"):
        store.kept("objects/1")
    with pytest.raises(TypeError), house.in_use(machine.folder):
        slip()
    assert not caplog.records


async def test_another_key_drops_what_is_kept_under_the_first(machine: Machine, memory: Memory) -> None:
    memory.put("a", b"one")
    first = machine.store(sealing=Cipher(Secret("07" * 32)))
    await machine.cache(first).read("a")
    for sealing in (Cipher(Secret("08" * 32)), None):
        store = machine.store(sealing=sealing)
        assert store.kept("a") is None
        house.drop_other_keys(store)
        assert machine.files("objects") == []
        assert await machine.cache(store).read("a") == b"one"


async def test_a_folder_that_is_removed_while_it_is_in_use(
    machine: Machine, memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    import shutil

    await filled(machine, memory)
    cache = machine.cache()
    assert await cache.read(NAMES[0]) == memory.objects[NAMES[0]][0]
    shutil.rmtree(machine.folder)
    for path in NAMES:
        assert await cache.read(path) == memory.objects[path][0]
    await cache.write(NAMES[0], b"new")
    assert await cache.read(NAMES[0]) == b"new"


def test_many_processes_make_one_folder_at_once(tmp_path: Path) -> None:
    """All of them can use it, whoever was first."""
    program = (
        "import sys, time; from pathlib import Path; from persona.storage.cache.store import Store\n"
        "time.sleep(max(0, float(sys.argv[2]) - time.time()))\n"
        f"Store(Path(sys.argv[1]), {PLACE!r}, max_size=4 << 20).close()"
    )
    import time

    environment = unmeasured.environment()
    for attempt in range(3):
        start = str(time.time() + 1.2)
        ran = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path / f"cache-{attempt}"), start],
                stderr=subprocess.PIPE,
                text=True,
                env=environment | {"PYTHONPATH": str(ROOT / "src")},
            )
            for _ in range(8)
        ]
        failed = [process.communicate()[1] for process in ran]
        assert not any(failed), "\n".join(filter(None, failed))[-3000:]
