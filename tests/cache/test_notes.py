"""Notes on objects: good for one version, and gone with their object."""

from __future__ import annotations

import pytest

from persona.config.secret import Secret
from persona.storage.cache.cipher import Cipher
from persona.storage.cache.house import clear
from persona.storage.layers.cache import Warmth
from tests.cache.machine import Machine
from tests.cache.memory import Memory

KEY = Secret("07" * 32)


async def test_notes_are_good_for_one_version(machine: Machine, memory: Memory) -> None:
    for path in ("a", "b"):
        memory.put(path, b"one")
    cache = machine.cache()
    notes, other = cache.notes("summary"), cache.notes("other")
    assert notes
    assert other
    objects = await cache.list()
    notes.keep([(found, f"about {found.path}") for found in objects])
    assert notes.of(objects) == {"a": "about a", "b": "about b"}
    assert other.of(objects) == {}
    assert notes.of([]) == {}
    memory.put("a", b"two")
    objects = await cache.list()
    assert notes.of(objects) == {"b": "about b"}
    notes.keep([(objects[0], "anew")])
    assert notes.of(objects) == {"a": "anew", "b": "about b"}
    again = machine.cache().notes("summary")
    assert again
    assert again.of(objects) == {"a": "anew", "b": "about b"}


async def test_nothing_is_kept_of_what_may_change_and_keep_its_version(
    machine: Machine, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service without ETags, or a disk that keeps whole seconds: two writes within one second have one version."""
    monkeypatch.setattr(memory, "may_change_unseen", lambda version, since: True)
    found = memory.put("a", b"one")
    cache = machine.cache()
    assert await cache.read("a") == b"one"
    notes = cache.notes("summary")
    assert notes
    notes.keep([(found, "about one")])
    assert notes.of([found]) == {}
    assert await cache.warm(found) is Warmth.NEVER
    assert (await cache.write("b", b"one")).size == 3
    memory.objects["a"] = (b"two", found)
    assert await cache.read("a") == b"two"
    await cache.read("b")
    assert memory.requests.count("open b") + memory.requests.count("read b") == 1, memory.requests


@pytest.mark.parametrize("how", ["deleted", "listed", "cleared"])
async def test_notes_go_with_their_objects(how: str, machine: Machine, memory: Memory) -> None:
    for path in ("a", "b"):
        memory.put(path, b"one")
    store = machine.store()
    cache = machine.cache(store)
    notes = cache.notes("summary")
    assert notes
    objects = await cache.list()
    notes.keep([(found, "text") for found in objects])
    if how == "deleted":
        await cache.delete("b")
    elif how == "listed":
        del memory.objects["b"]
        await cache.list()
    else:
        clear(store)
    assert notes.of(objects) == ({} if how == "cleared" else {"a": "text"})


async def test_notes_are_sealed(machine: Machine, memory: Memory) -> None:
    memory.put("a", b"one", metadata={"who": "a secret person"})
    store = machine.store(sealing=Cipher(KEY))
    cache = machine.cache(store)
    await cache.read("a")
    notes = cache.notes("summary")
    assert notes
    objects = await cache.list()
    notes.keep([(objects[0], "a secret text")])
    assert notes.of(objects) == {"a": "a secret text"}
    machine.close()
    assert not any(b"secret" in file.read_bytes() for file in machine.files())
    assert machine.cache().notes("summary").of(objects) == {}  # type: ignore[union-attr]
