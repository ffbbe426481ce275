"""The rule on where objects may be: what it allows, what is asked and remembered, and that no way to write is left."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from persona.config import values
from persona.config.schema import ResidencySettings
from persona.errors import ConfigError, UnreachableError
from persona.storage.backend import Location
from persona.storage.layers.resident import Resident
from persona.storage.residency import REMEMBERED_SECONDS, Remembered, Residence, residence, shown
from tests.personas.memory import MemoryBackend

RULE = ResidencySettings(allow=("eu-west-2", "europe-west2"))
LONDON = Location("eu-west-2", "provider")
VIRGINIA = Location("us-east-1", "provider")


class Located(MemoryBackend):
    """A storage that counts how often it is asked where it is."""

    def __init__(self, *answers: Location | UnreachableError) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked = 0

    async def location(self) -> Location:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, UnreachableError):
            raise answer
        return answer

    def address(self) -> tuple[str, int]:
        return "127.0.0.1", 9


@pytest.mark.parametrize(
    ("location", "ok"),
    [
        (LONDON, True),
        (Location("europe-west2", "declared"), True),
        (VIRGINIA, False),
        (Location("eu-west-20", "provider"), False),
        (Location("eu", "provider"), False),
        (Location("eu", "provider", ("europe-west2", "eu-west-2")), True),
        (Location("eu", "provider", ("europe-west2", "europe-west1")), False),
        (Location(None, "unknown", why="It does not tell."), False),
        (Location(None, "machine"), True),
    ],
)
def test_what_is_allowed(location: Location, ok: bool) -> None:
    found = Residence("s3://bucket/", RULE, location)
    assert (found.ok, found.refused) == (ok, not ok)
    assert not Residence("s3://bucket/", ResidencySettings(allow=RULE.allow, enforce=False), location).refused
    assert Residence("s3://bucket/", ResidencySettings(), location).ok
    if not ok:
        with pytest.raises(ConfigError, match="allows only eu-west-2, europe-west2") as caught:
            found.enforce()
        assert caught.value.exit_code == 3
        assert caught.value.hint


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (VIRGINIA, "s3://bucket/ is in us-east-1, and"),
        (Location("us-east-1", "declared"), "s3://bucket/ is declared to be in us-east-1, and"),
        (Location(None, "unknown", why="It does not tell."), "cannot be found out, .* It does not tell."),
    ],
)
def test_a_refusal_says_who_says_so(location: Location, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Residence("s3://bucket/", RULE, location).enforce()
    assert ("config set s3.region" in caught.value.hint) == (location.region is None)


async def chunks() -> AsyncIterator[bytes]:
    yield b"x"


WRITES: dict[str, Callable[[Resident], Awaitable[object]]] = {
    "write": lambda storage: storage.write("b", b"x"),
    "write_stream": lambda storage: storage.write_stream("b", chunks()),
    "copy": lambda storage: storage.copy("a", "b"),
    "copy_from": lambda storage: storage.copy_from(MemoryBackend(), "a", "b"),
    "capabilities": lambda storage: storage.capabilities(),
}


@pytest.mark.parametrize("way", WRITES)
async def test_no_way_to_write_is_left(way: str) -> None:
    inner = Located(VIRGINIA)
    inner.put("a", b"a")
    storage = Resident(inner, RULE)
    for _ in range(2):
        with pytest.raises(ConfigError):
            await WRITES[way](storage)
    assert (set(inner.objects), inner.writes, inner.asked) == ({"a"}, [], 1)
    assert await storage.read("a") == b"a"  # it can be fetched out of there, and deleted
    await storage.delete("a")
    assert not inner.objects


async def test_it_is_asked_once_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    inner = Located(VIRGINIA)
    storage = Resident(inner, ResidencySettings(allow=("eu-west-2",), enforce=False))
    with caplog.at_level(logging.WARNING):
        for name in "abc":
            await storage.write(name, b"x")
    assert inner.asked == 1
    assert [record.message for record in caplog.records] == [
        "memory:// is in us-east-1, and storage.residency allows only eu-west-2. "
        "It is not enforced (storage.residency.enforce)."
    ]


async def test_an_outage_is_no_answer() -> None:
    inner = Located(UnreachableError("Nothing answers."), LONDON)
    storage = Resident(inner, RULE)
    with pytest.raises(UnreachableError):
        await storage.write("a", b"x")
    await storage.write("a", b"x")
    assert (inner.asked, set(inner.objects)) == (2, {"a"})


async def test_what_the_provider_said_is_good_for_a_day(tmp_path: Path) -> None:
    now = 1_000_000.0
    inner = Located(Location("eu", "provider", ("europe-west1", "europe-west2")))

    async def ask(place: str = "s3 aws bucket") -> Location:
        return (await residence(inner, RULE, Remembered(tmp_path / "residency", place, lambda: now))).location

    assert await ask() == await ask() == inner.answers[0]
    assert inner.asked == 1
    await ask("s3 aws another")
    assert inner.asked == 2
    now += REMEMBERED_SECONDS
    await ask()
    assert inner.asked == 3
    now -= 10  # the clock was set back: what was kept is of the future
    await ask()
    assert inner.asked == 4
    modes = {file.stat().st_mode & 0o777 for file in (tmp_path / "residency").iterdir()}
    assert modes == {0o600}
    assert (tmp_path / "residency").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    ["", "null", "[]", "{", "{}", '{"asked_at": "x"}', "\xff",
     '{"place": "p", "asked_at": 0, "region": 3, "within": []}',
     '{"place": "other", "asked_at": 0, "region": "eu-west-2", "within": []}',
     '{"place": "p", "asked_at": 0, "region": "eu-west-2", "within": 3}'],
)  # fmt: skip
async def test_a_damaged_note_is_none(tmp_path: Path, content: str) -> None:
    kept = Remembered(tmp_path, "p", lambda: 1.0)
    kept.keep(LONDON)
    [file] = tmp_path.iterdir()
    assert json.loads(file.read_bytes())["region"] == "eu-west-2"
    file.write_bytes(content.encode("latin-1"))
    assert kept.load() is None


async def test_what_is_declared_is_not_remembered(tmp_path: Path) -> None:
    inner = Located(Location("eu-west-2", "declared"))
    kept = Remembered(tmp_path / "residency", "p")
    await residence(inner, RULE, kept)
    assert kept.load() is None
    assert not (tmp_path / "residency").exists()


async def test_where_nothing_can_be_kept_the_provider_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "residency").write_text("a file in the way")
    inner = Located(LONDON)
    for _ in range(2):
        assert (await residence(inner, RULE, Remembered(tmp_path / "residency", "p"))).ok
    assert inner.asked == 2


async def test_what_is_shown_is_what_is_known(tmp_path: Path) -> None:
    kept = Remembered(tmp_path / "residency", "p")
    silent = Located(UnreachableError("Nothing answers."))
    found = await shown(silent, RULE, kept)
    assert (found.ok, found.location.source, found.where) == (False, "unknown", "not known. Nothing answers.")
    await shown(silent, ResidencySettings(), kept)
    assert silent.asked == 1  # without a rule nobody is asked
    kept.keep(LONDON)
    assert (await shown(silent, RULE, kept)).location == LONDON


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["eu-west-2", "EU", "UK South", "eu-west-2"], ("eu-west-2", "eu", "uksouth")),
        ("eu-west-2, europe-west2", ("eu-west-2", "europe-west2")),
        ('["eu-west-2"]', ("eu-west-2",)),
        ("[eu-west-2, uksouth]", ("eu-west-2", "uksouth")),
        ([], ()),
    ],
)
def test_regions_are_read(given: object, read: tuple[str, ...]) -> None:
    assert values.regions(given) == read
    assert values.regions(values.written(values.regions, read)) == read


@pytest.mark.parametrize("given", ["", "eu/west", ["*"], ["eu-*"], [True], [None], "eu-west-2,,x", ["x" * 64]])
def test_what_is_no_region(given: object) -> None:
    with pytest.raises(ValueError, match="a list of regions such as"):
        values.regions(given)
