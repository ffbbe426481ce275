"""The outbox on disk: in order, durable, private, and never half of an entry."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from persona.errors import (
    AlreadyExistsError,
    ConfigError,
    ConflictError,
    NotFoundError,
    StorageFullError,
    VerificationError,
)
from persona.storage import outbox_files, private
from persona.storage.backend import Condition, IfAbsent, IfVersion
from persona.storage.outbox import Outbox
from persona.storage.outbox_entry import Entry, Standing
from persona.storage.outbox_files import CHUNK_BYTES


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "keeping" / "outbox", "here")


def put(
    outbox: Outbox,
    path: str,
    data: bytes = b"content",
    condition: Condition | None = None,
    *,
    known: str | None = None,
    delete: bool = False,
) -> Entry:
    draft = outbox.draft()
    draft.write(data)
    try:
        return outbox.add(draft, Entry("", op="delete" if delete else "write", path=path), condition, known=known)
    finally:
        draft.discard()


def whole(outbox: Outbox, entry: Entry) -> bytes:
    return b"".join(outbox.content(entry))


_XOR = bytes(byte ^ 0x5A for byte in range(256))


class Xor:
    """A cipher whose context can be seen."""

    def __init__(self, key_id: str = "k1") -> None:
        self.key_id = key_id

    def size(self, size: int) -> int:
        raise NotImplementedError("the outbox does not ask how much space its entries take")

    def seal(self, data: bytes, context: str) -> bytes:
        return f"{context}|".encode() + data.translate(_XOR)

    def unseal(self, data: bytes, context: str) -> bytes | None:
        head = f"{context}|".encode()
        return data[len(head) :].translate(_XOR) if data.startswith(head) else None


def test_entries_keep_their_order_and_what_they_are(outbox: Outbox) -> None:
    first = put(outbox, "b/x", b"one", IfAbsent())
    second = put(outbox, "a", b"", IfVersion("v1"))
    third = put(outbox, "c", known="v2", delete=True)
    assert [entry.id for entry in outbox.entries()] == ["000001", "000002", "000003"]
    assert outbox.entries() == [first, second, third]
    assert [entry.condition for entry in outbox.entries()] == [IfAbsent(), IfVersion("v1"), IfVersion("v2")]
    assert whole(outbox, first) == b"one"
    assert (first.object.version, first.object.size) == ("outbox:000001", 3)
    assert outbox.entry("2") == second


def test_nobody_else_may_look_into_it(outbox: Outbox, tmp_path: Path) -> None:
    put(outbox, "a")
    for path in (tmp_path / "keeping").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / "keeping").stat().st_mode & 0o077 == 0


def test_a_number_is_never_used_twice(outbox: Outbox) -> None:
    outbox.drop(put(outbox, "a"))
    outbox.drop(put(outbox, "a"))
    assert put(outbox, "a").id == "000003"
    (outbox.folder / "sequence").write_text("broken")
    assert put(outbox, "b").id == "000004"


def test_many_writers_get_numbers_of_their_own(outbox: Outbox) -> None:
    threads = [threading.Thread(target=put, args=(outbox, f"p{number}")) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.id for entry in outbox.entries()] == [f"{number:06d}" for number in range(1, 17)]


def test_a_chain_of_writes_waits_for_one_another(outbox: Outbox) -> None:
    first = put(outbox, "a", condition=IfVersion("v1"))
    second = put(outbox, "a", condition=IfVersion(first.token))
    third = put(outbox, "a", known="v1")  # without a condition it comes upon what waits, not upon what was known
    assert [second.version, third.version] == [first.token, second.token]
    assert outbox.latest("a") == third
    assert outbox.waiting() == [third]
    for condition in (IfAbsent(), IfVersion("v1"), IfVersion(first.token)):
        with pytest.raises(ConflictError):
            put(outbox, "a", condition=condition)
    outbox.sent(first, "v2")
    assert outbox.entry("2").condition == IfVersion("v2")
    outbox.drop(outbox.entry("2"))
    assert outbox.entry("3").condition == IfVersion("v2")
    assert outbox.became("outbox:000001") == (True, "v2")
    assert outbox.became("outbox:000002") == (False, None)


def test_what_was_sent_meanwhile_is_known_by_its_version(outbox: Outbox) -> None:
    first = put(outbox, "a", condition=IfAbsent())
    outbox.sent(first, "v1")
    assert put(outbox, "a", condition=IfVersion(first.token)).condition == IfVersion("v1")
    with pytest.raises(ConflictError):
        put(outbox, "b", condition=IfVersion("outbox:000777"))


def test_a_write_after_a_deletion_waits_for_it(outbox: Outbox) -> None:
    gone = put(outbox, "a", known="v1", delete=True)
    with pytest.raises(ConflictError):
        put(outbox, "a", condition=IfVersion("v1"))
    again = put(outbox, "a", condition=IfAbsent())
    with pytest.raises(AlreadyExistsError):
        put(outbox, "a", condition=IfAbsent())
    assert again.version == gone.token
    outbox.sent(gone, None)
    assert outbox.entry(again.id).condition == IfAbsent()


def test_a_conflict_is_not_in_the_way_of_what_comes_later(outbox: Outbox) -> None:
    first = put(outbox, "a", condition=IfVersion("v1"))
    outbox.change(first, state="conflict", conflict=Standing("v9", 3, "2025-01-20T14:32:00+00:00"))
    assert outbox.latest("a") is None
    assert put(outbox, "a", known="v9").condition == IfVersion("v9")
    assert outbox.entry("1").conflict == Standing("v9", 3, "2025-01-20T14:32:00+00:00")


def test_entries_of_another_place_are_left_alone(outbox: Outbox) -> None:
    put(outbox, "a")
    other = Outbox(outbox.folder, "elsewhere")
    assert put(other, "a").condition is None
    assert [entry.id for entry in outbox.entries()] == ["000001"]
    assert [entry.id for entry in other.entries()] == ["000002"]
    assert [entry.id for entry in outbox.everything()] == ["000001", "000002"]
    assert outbox.latest("a") == outbox.entry("1")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"op": "write"}', None])
def test_a_broken_description_is_shown_and_stops_nothing(outbox: Outbox, text: str | None) -> None:
    entry, other = put(outbox, "a"), put(outbox, "b")
    file = outbox.folder / entry.id / "entry.json"
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert [(each.id, each.state) for each in outbox.entries()] == [("000001", "damaged"), ("000002", "waiting")]
    assert outbox.waiting() == [other]
    assert whole(outbox, outbox.entry("1")) == b"content"
    outbox.drop(outbox.entry("1"))
    assert outbox.entries() == [other]


def test_a_description_with_odd_values_is_broken(outbox: Outbox) -> None:
    entry = put(outbox, "a")
    file = outbox.folder / entry.id / "entry.json"
    values = json.loads(file.read_text())
    for changed in ({"op": "burn"}, {"state": "odd"}, {"size": "many"}, {"conflict": {"who": 1}}, {"more": 1}):
        file.write_text(json.dumps(values | changed))
        assert outbox.entry("1").state == "damaged"


@pytest.mark.parametrize("name", ["7", "x", "-1", "", "٣", "1/../1", "9" * 5000])
def test_what_is_not_there_is_not_found(outbox: Outbox, name: str) -> None:
    put(outbox, "a")
    with pytest.raises(NotFoundError, match="no entry"):
        outbox.entry(name)


def test_damaged_content_is_noticed(outbox: Outbox) -> None:
    entry = put(outbox, "a", b"x" * 100)
    (outbox.folder / entry.id / "content").write_bytes(b"y" * 100)
    with pytest.raises(VerificationError, match="damaged"):
        whole(outbox, entry)
    (outbox.folder / entry.id / "content").unlink()
    with pytest.raises(VerificationError, match="cannot be read"):
        whole(outbox, entry)


def test_content_is_sealed_in_pieces(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", "here", cipher=Xor, encrypt=True)
    contents = [b"", b"short", os.urandom(CHUNK_BYTES), os.urandom(2 * CHUNK_BYTES + 7)]
    entries = [put(outbox, f"p{number}", data) for number, data in enumerate(contents)]
    assert [whole(outbox, entry) for entry in entries] == contents
    file = outbox.folder / entries[1].id / "content"
    assert b"short" not in file.read_bytes()
    assert entries[1].sha256 == ""
    other = Outbox(tmp_path / "outbox", "here", cipher=lambda: Xor("k2"))
    assert whole(other, put(other, "plain")) == b"content"
    for without in (other, Outbox(tmp_path / "outbox", "here")):
        with pytest.raises(VerificationError, match="a key that is not here"):
            whole(without, entries[1])
    large = outbox.folder / entries[3].id / "content"
    data = large.read_bytes()
    for wrong in (data[:-30], data[: len(data) // 3], b"", data[CHUNK_BYTES + 20 :]):
        large.write_bytes(wrong)
        with pytest.raises(VerificationError):
            whole(outbox, entries[3])


@pytest.mark.parametrize("step", ["mkdir", "write", "fsync", "rename"])
def test_a_full_disk_leaves_nothing(outbox: Outbox, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    put(outbox, "before")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if step == "mkdir":
            patch.setattr(Path, "mkdir", full)
        elif step == "write":
            patch.setattr(private, "private", full)
        elif step == "fsync":
            patch.setattr(os, "fsync", full)
        else:
            patch.setattr(Path, "rename", full)
        with pytest.raises(StorageFullError, match="No space left"):
            put(outbox, "a")
    assert [entry.path for entry in outbox.entries()] == ["before"]
    assert not list(outbox.folder.glob(".*"))
    put(outbox, "a")


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    outbox = Outbox(tmp_path / "outbox", "here")
    with pytest.raises(ConfigError, match="cannot be"):
        put(outbox, "a")
    with pytest.raises(ConfigError, match="cannot be read"):
        outbox.entries()
    assert not outbox


def test_one_process_sends_at_a_time(outbox: Outbox) -> None:
    put(outbox, "a")
    with outbox.flushing() as first, outbox.flushing() as second:
        assert first
        assert not second


def test_what_killed_processes_left_goes(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, by the lock that goes with a process; where there are no locks, after a day."""
    put(outbox, "a")
    killed, living = outbox.draft(), outbox.draft()
    killed.release()
    with outbox.flushing():
        assert not killed.folder.exists()
        assert living.folder.exists()
    monkeypatch.setattr(outbox_files, "claim", lambda _: None)
    old, new = outbox.draft(), outbox.draft()
    os.utime(old.folder, (0, 0))
    with outbox.flushing():
        assert not old.folder.exists()
        assert new.folder.exists()
    for draft in (killed, living, old, new):
        draft.discard()


def test_an_entry_that_vanishes_is_passed_over(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    put(outbox, "a")
    put(outbox, "b")
    names = [path.name for path in outbox.folder.iterdir()]
    shutil.rmtree(outbox.folder / "000001")

    def listed(folder: Path) -> Iterable[Path]:
        return [folder / name for name in names]

    monkeypatch.setattr(Path, "iterdir", listed)
    assert [entry.path for entry in outbox.entries()] == ["b"]
