"""``persona storage cache``, and ``--fresh``: on a real server, without one, and with wrong input."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from persona.config.schema import LocalSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.storage.stack import open_storage
from tests.campaigns.traffic import Traffic
from tests.cli.conftest import Configure, Run, changed, files_below

CONTRACT = {
    "enabled", "path", "strategy", "entries", "bytes", "max_bytes", "hits", "misses", "hit_ratio", "evictions",
    "bytes_saved", "damaged", "folder_bytes", "reason",
}  # fmt: skip
NOTHING = {"entries": 0, "bytes": 0, "hits": 0, "misses": 0, "hit_ratio": None, "evictions": 0, "bytes_saved": 0}
DEAD = StorageSettings(
    backend="s3",
    s3=S3Settings(bucket="b", endpoint_url="http://127.0.0.1:1", access_key_id="a", secret_access_key=Secret("s" * 20)),
)
Set = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The cache folder."""
    return tmp_path / "cache"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Set:
    """A function that sets keys of storage.cache, which is enabled."""

    def put(**values: str) -> None:
        for name, value in {"enabled": "true", "path": str(folder), **values}.items():
            monkeypatch.setenv(f"PERSONA_STORAGE__CACHE__{name.upper()}", value)

    put()
    return put


@pytest.fixture
def bucket(place: Callable[[str], StorageSettings], configure: Configure) -> StorageSettings:
    """A fresh place on the S3 server, which is the user's."""
    settings = place("seaweedfs")
    configure(settings)
    return settings


def put(settings: StorageSettings, contents: Mapping[str, bytes]) -> None:
    """Write objects past every cache."""

    async def write() -> None:
        storage = open_storage(settings)
        for path, data in contents.items():
            await storage.write(path, data)
        await storage.close()

    asyncio.run(write())


def persona_file(name: str) -> bytes:
    """Return a persona that is valid and small."""
    count = {"count": 1, "total": 1, "share": 1.0}
    head = {"schema_version": 2, "id": name, "name": name.title(), "title": "Title", "summary": "Summary"}
    lists = [
        "goals",
        "pain_points",
        "behaviours",
        "motivations",
        "sets_apart",
        "themes",
        "shared",
        "demographics",
        "quotes",
        "members",
    ]
    rest: dict[str, Any] = {section: [] for section in lists} | {
        "respondents": count,
        "coverage": {"statements": 1.0, "members": 1.0, "input": 1.0},
        "generation": {"provider": "offline", "seed": 0, "version": "1", "structure": "none", "groups": 1},
    }
    return json.dumps(head | rest).encode()


LIBRARY = {f"personas/{name}.yaml": persona_file(name) for name in ("ada", "ben", "cleo")}


def stats(persona: Run) -> dict[str, Any]:
    ran = persona("storage", "cache", "stats", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert set(ran.json) == CONTRACT
    found: dict[str, Any] = ran.json
    return found


def test_stats_count_what_commands_read(persona: Run, bucket: StorageSettings, cache: Set, folder: Path) -> None:
    put(bucket, LIBRARY)
    found = stats(persona)
    assert found.items() >= (NOTHING | {"enabled": True, "reason": "Nothing has been read yet."}).items()
    assert persona("export").code == 0
    size = sum(map(len, LIBRARY.values()))
    found = stats(persona)
    assert found["path"] == str(folder)
    assert (found["strategy"], found["max_bytes"], found["reason"]) == ("lru", 10**9, None)
    assert (found["entries"], found["bytes"], found["hits"], found["misses"]) == (3, size, 0, 3)
    assert found["folder_bytes"] > size
    for _ in range(3):
        assert persona("export").code == 0
    found = stats(persona)
    assert (found["hits"], found["misses"], found["hit_ratio"], found["bytes_saved"]) == (9, 3, 0.75, 3 * size)
    text = persona("storage", "cache", "stats").out
    assert text.startswith("Cache Statistics\n═")
    for line in ("Cache: enabled", f"Path: {folder}", "Entries: 3", "Hits: 9 (75% of 12 reads)", "Evictions: 0"):
        assert f"{line}\n" in text
    assert "Nothing is cached" not in text
    assert "Damaged" not in text


def test_stats_count_what_was_damaged(persona: Run, bucket: StorageSettings, cache: Set, folder: Path) -> None:
    put(bucket, LIBRARY)
    expected = persona("export").out
    for name in files_below(folder / "objects"):
        (folder / "objects" / name).write_bytes(b"x" * (folder / "objects" / name).stat().st_size)
    assert persona("export").out == expected
    assert (stats(persona)["damaged"], stats(persona)["entries"]) == (3, 3)
    assert "Damaged: 3, which were dropped" in persona("storage", "cache", "stats").out


def reason(persona: Run) -> str:
    text = persona("storage", "cache", "stats").out.rpartition("\n\nNothing is cached: ")[2].strip()
    assert text == stats(persona)["reason"]
    return text


def test_stats_say_why_nothing_is_cached(
    persona: Run, bucket: StorageSettings, cache: Set, folder: Path, tmp_path: Path
) -> None:
    cache(enabled="false")
    assert reason(persona) == "The cache is disabled: storage.cache.enabled is false."
    assert not folder.exists()
    cache(never="*")
    assert reason(persona) == "All objects match storage.cache.never."
    put(bucket, LIBRARY)
    cache(never="/personas/")
    assert persona("export").code == 0
    assert reason(persona) == "All objects match storage.cache.never."
    cache(never="null")
    assert persona("export").code == 0
    assert persona("storage", "cache", "clear").code == 0
    assert reason(persona) == "Of what was read nothing is left: it was cleared, or not to be kept, or too large."
    file = tmp_path / "file"
    file.touch()
    cache(path=str(file))
    assert f"The cache in {file} cannot be used" in reason(persona)
    cache(path=str(file / "below"))
    assert "cannot be used: Not a directory" in reason(persona)


def test_objects_that_are_all_too_large_are_the_reason(persona: Run, bucket: StorageSettings, cache: Set) -> None:
    put(bucket, {"large.bin": b"x" * 900_000})
    cache(max_size="1MB")
    assert persona("storage", "list").code == 0
    assert reason(persona).startswith("All objects are larger than what storage.cache.max_size leaves for content")


def test_local_storage_needs_no_cache(persona: Run, configure: Configure, cache: Set, tmp_path: Path) -> None:
    configure(StorageSettings(local=LocalSettings(path=tmp_path / "root")))
    assert reason(persona) == "The storage is a folder of this machine, of which no copy is kept."
    ran = persona("storage", "cache", "warm", "/")
    assert ran.code == 3
    assert ran.failed


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_stats_and_clear_need_no_network(persona: Run, configure: Configure, cache: Set, enabled: str) -> None:
    configure(DEAD)
    cache(enabled=enabled)
    assert stats(persona).items() >= (NOTHING | {"enabled": enabled == "true"}).items()
    assert persona("storage", "cache", "clear", "--json").json["entries"] == 0


def test_clear(persona: Run, bucket: StorageSettings, cache: Set, folder: Path) -> None:
    put(bucket, LIBRARY)
    assert persona("export").code == 0
    kept = persona("storage", "cache", "clear", "--older-than", "1h", "--json")
    assert kept.json == {"path": str(folder), "entries": 0, "bytes": 0}
    assert stats(persona)["entries"] == 3
    cache(enabled="false")
    ran = persona("storage", "cache", "clear", "--older-than", "0s")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"Removed 3 entries, {sum(map(len, LIBRARY.values())) / 1000:.1f} KB, of {folder}\n"
    assert files_below(folder / "objects") == {}
    cache()
    assert persona("list").code == 0
    assert "Removed 3 entries" in persona("storage", "cache", "clear").out
    assert persona("storage", "list", "personas").out.endswith("3 objects\n")


@pytest.mark.parametrize("text", ["7", "-1d", "x", "", "1 year", "4000d"])
def test_a_wrong_duration_is_wrong_usage(persona: Run, cache: Set, text: str) -> None:
    ran = persona("storage", "cache", "clear", "--older-than", text)
    assert ran.code == 2
    assert f"“{text}” is not a duration such as" in ran.failed


def test_two_workspaces_are_counted_and_cleared_apart(persona: Run, bucket: StorageSettings, cache: Set) -> None:
    put(bucket, LIBRARY)
    assert persona("workspace", "create", "other").code == 0
    assert persona("export").code == 0
    assert persona("storage", "cache", "stats", "--workspace", "other", "--json").json["entries"] == 0
    assert persona("storage", "cache", "clear", "--workspace", "other", "--json").json["entries"] == 0
    assert stats(persona)["entries"] == 3


def test_a_folder_that_is_not_a_good_cache(
    persona: Run, bucket: StorageSettings, cache: Set, folder: Path, tmp_path: Path
) -> None:
    put(bucket, LIBRARY)
    expected = persona("export").out
    (folder / "index.sqlite3").write_bytes(b"no database" * 1000)
    (folder / "index.sqlite3-wal").unlink(missing_ok=True)
    assert f"The cache in {folder} cannot be used: file is not a database." in reason(persona)
    ran = persona("export")
    assert (ran.code, ran.out) == (0, expected)
    assert ran.err.startswith(f"Warning: The cache in {folder} cannot be used: file is not a database. Nothing is")
    for command in (("clear",), ("warm", "personas")):
        ran = persona("storage", "cache", *command)
        assert ran.code == 3
        assert "Traceback" not in ran.err
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    cache(path=str(mine))
    assert f"storage.cache.path is {mine}, which holds other files." in reason(persona)
    assert persona("storage", "cache", "clear").code == 0
    assert files_below(mine) == {"thesis.txt": b"mine"}


COUNTS = ("objects", "fetched", "fresh", "never", "too_large", "gone", "left")
WARM = {**dict.fromkeys(COUNTS, 0), "objects": 3, "fetched": 3, "full": False, "failures": []}


def test_warm(persona: Run, bucket: StorageSettings, cache: Set) -> None:
    put(bucket, LIBRARY | {"other/x": b"x"})
    size = sum(map(len, LIBRARY.values()))
    ran = persona("storage", "cache", "warm", "./personas/", "--json")
    assert (ran.code, ran.err) == (0, "")
    document = ran.json
    location = document.pop("location")
    assert location.startswith(f"s3://{bucket.s3.bucket}/")
    assert location.endswith("/personas")
    assert document == WARM | {"bytes": size, "total_bytes": size}
    again = persona("storage", "cache", "warm", "personas", "--json").json
    assert (again["fetched"], again["fresh"], again["bytes"]) == (0, 3, 0)
    put(bucket, {"personas/ada.yaml": persona_file("ada2")})
    again = persona("storage", "cache", "warm", "personas", "--fresh", "--json").json
    assert (again["fetched"], again["fresh"]) == (1, 2)
    assert stats(persona)["entries"] == 3
    before = stats(persona)
    assert "Ada2" in persona("show", "personas/ada.yaml").out
    assert (stats(persona)["hits"], stats(persona)["misses"]) == (before["hits"] + 1, before["misses"])
    text = persona("storage", "cache", "warm", "personas/ada.yaml").out
    assert text.startswith("Cache Warming\n═")
    assert text.endswith("\nFetched: 0 (0 B)\nFresh already: 1\n")


def test_warm_leaves_out_what_must_not_be_kept(persona: Run, bucket: StorageSettings, cache: Set, folder: Path) -> None:
    put(bucket, {"transcripts/a.txt": b"said in confidence", "personas/b.txt": b"b"})
    cache(never="transcripts/**")
    ran = persona("storage", "cache", "warm", "/")
    assert ran.code == 0
    assert "Fetched: 1 (1 B)\n" in ran.out
    assert "Never kept: 1\n" in ran.out
    assert not any(b"said in confidence" in data for data in files_below(folder).values())


def test_warm_stops_when_the_cache_is_full(persona: Run, bucket: StorageSettings, cache: Set, folder: Path) -> None:
    put(bucket, {f"many/{number:02}": bytes(100_000) for number in range(20)} | {"large": bytes(1_500_000)})
    cache(max_size="1.5MB")
    ran = persona("storage", "cache", "warm", "many", "--json")
    assert ran.code == 1
    assert ran.json["full"]
    assert ran.json["fetched"] + ran.json["left"] == 20
    assert ran.json["fetched"] >= 4
    assert f"The cache is full: {ran.json['left']} of 20 objects are not in it." in ran.failed
    assert "storage.cache.max_size is 1.5 MB" in ran.err
    assert sum(map(len, files_below(folder).values())) <= 1_500_000
    assert stats(persona)["evictions"] == 0
    ran = persona("storage", "cache", "warm", "large")
    assert ran.code == 1
    assert "Larger than the cache: 1\n" in ran.out


def test_warm_shows_how_far_it_is(
    persona: Run, bucket: StorageSettings, cache: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, LIBRARY)
    monkeypatch.setattr("persona.cli.transfer_view.LINE_SECONDS", 0.0)
    lines = persona("storage", "cache", "warm", "personas").err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("Warming: 33% (1/3), ")
    assert lines[-1].startswith("Warming: 100% (3/3), ")
    assert lines[-1].endswith("ETA 0 seconds")
    assert persona("storage", "cache", "warm", "personas", "--quiet").err == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing argument 'PATH'"),
        (["../x"], 2, "../x"),
        (["s3://bucket/x"], 2, "s3:"),
        (["nothing-here"], 5, "There is nothing at"),
    ],
)
def test_warm_with_a_wrong_path(
    persona: Run, bucket: StorageSettings, cache: Set, arguments: list[str], code: int, message: str
) -> None:
    ran = persona("storage", "cache", "warm", *arguments)
    assert ran.code == code
    assert message in ran.failed


def test_warm_without_a_cache_or_a_provider(persona: Run, configure: Configure, cache: Set) -> None:
    configure(DEAD)
    assert persona("storage", "cache", "warm", "personas").code == 7
    cache(enabled="false")
    ran = persona("storage", "cache", "warm", "personas")
    assert ran.code == 3
    assert "cache.enabled true" in ran.failed


def test_warm_is_interrupted(process: Callable[..., subprocess.Popen[str]], configure: Configure, cache: Set) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        configure(
            StorageSettings(
                backend="s3",
                s3=S3Settings(bucket="b", endpoint_url=address, access_key_id="a", secret_access_key=Secret("s" * 20)),
            )
        )
        silent.settimeout(30)
        running = process("storage", "cache", "warm", "personas")
        with running, silent.accept()[0]:
            time.sleep(0.2)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err


READING = (
    ["list"], ["show", "personas", "ada"], ["export"], ["storage", "list"], ["storage", "stats"], ["storage", "status"],
    ["storage", "cache", "warm", "personas"],
)  # fmt: skip


def test_fresh_goes_past_what_was_read_a_moment_ago(persona: Run, bucket: StorageSettings, cache: Set) -> None:
    put(bucket, LIBRARY)
    for command in READING:
        assert persona(*command, "--fresh").code == 0
        assert "--fresh" in persona(*command, "--help").out
    put(bucket, {"personas/ada.yaml": persona_file("ada2")})
    assert "Ada2" not in persona("show", "personas", "ada").out
    assert "Ada2" in persona("show", "personas", "ada", "--fresh").out
    put(bucket, {"personas/ada.yaml": persona_file("ada3")})
    assert "Ada3" in persona("list").out  # a listing shows what has changed
    assert "Ada3" in persona("show", "personas", "ada").out


def test_a_library_that_was_listed_takes_one_listing(
    persona: Run, bucket: StorageSettings, configure: Configure, cache: Set
) -> None:
    put(bucket, LIBRARY)
    url = str(bucket.s3.endpoint_url)
    with Traffic(url.removeprefix("http://")) as traffic:
        configure(changed(bucket, endpoint_url=f"http://{traffic.address}"))
        first = persona("list", "--json")
        assert len([passed for passed in traffic.passed if passed.method == "GET"]) == 1 + len(LIBRARY)
        traffic.passed.clear()
        again = persona("list", "--json")
        assert (again.code, again.json) == (0, first.json)
        requests = [(passed.method, passed.target) for passed in traffic.passed]
        assert [method for method, _ in requests] == ["GET"]
        assert "list-type=2" in requests[0][1]
        traffic.passed.clear()
        assert persona("show", "personas/ada.yaml").code == 0
        assert persona("export", "--format", "csv").code == 0
        assert [passed.method for passed in traffic.passed] == ["GET"]  # the listing of the export


def test_a_warm_library_is_listed_by_one_listing(
    persona: Run, bucket: StorageSettings, configure: Configure, cache: Set
) -> None:
    put(bucket, LIBRARY)
    url = bucket.s3.endpoint_url or ""
    with Traffic(url.removeprefix("http://")) as traffic:
        configure(changed(bucket, endpoint_url=f"http://{traffic.address}"))
        assert persona("storage", "cache", "warm", "personas").code == 0
        traffic.passed.clear()
        assert len(persona("list", "--json").json["personas"]) == len(LIBRARY)
        assert [passed.method for passed in traffic.passed] == ["GET"]


def test_warm_draws_a_bar_on_a_terminal(
    persona: Run, bucket: StorageSettings, cache: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, LIBRARY)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("persona.cli.cache._DRAW_SECONDS", 0.0)
    ran = persona("storage", "cache", "warm", "personas")
    assert "Fetched: 3" in ran.out
    assert "33% (1/3)" in ran.err
    assert "█" in ran.err
    assert "Current: personas/" in ran.err


KEY = "5a" * 32


def test_an_encrypted_cache(
    persona: Run, bucket: StorageSettings, cache: Set, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, LIBRARY)
    cache(encrypt="true")
    monkeypatch.setenv("PERSONA_CACHE_KEY", KEY)
    expected = persona("export").out
    assert persona("list").code == 0
    assert persona("export").out == expected
    assert stats(persona)["hits"] >= 3
    everything = b"".join(files_below(folder).values())
    for word in (b"Summary", b"schema_version", b"Cleo", KEY.encode(), bytes.fromhex(KEY)):
        assert word not in everything
    monkeypatch.delenv("PERSONA_CACHE_KEY")
    assert stats(persona)["entries"] == 3  # which needs no key
    monkeypatch.setenv("PERSONA_CACHE_KEY", "hunter2-Zk9")
    ran = persona("export")
    assert ran.code == 3
    assert "PERSONA_CACHE_KEY is not 32 bytes" in ran.failed
    assert "hunter2" not in ran.err
    monkeypatch.setenv("PERSONA_CACHE_KEY", "6b" * 32)
    assert persona("export").out == expected
    assert (stats(persona)["entries"], stats(persona)["damaged"]) == (3, 0)
    cache(encrypt="false")
    assert persona("export").out == expected
    assert b"schema_version" in b"".join(files_below(folder).values())
    cache(encrypt="true")
    assert persona("export").out == expected
    assert b"schema_version" not in b"".join(files_below(folder / "objects").values())


def test_what_must_not_be_kept_any_more_goes(persona: Run, bucket: StorageSettings, cache: Set, folder: Path) -> None:
    put(bucket, LIBRARY)
    assert persona("export").code == 0
    assert persona("list").code == 0
    cache(never="personas/ada*")
    assert persona("storage", "list").code == 0
    assert stats(persona)["entries"] == 2
    assert persona("list").code == 0
    assert persona("export").code == 0
    assert stats(persona)["entries"] == 2
    assert not any(b'"Ada"' in data for name, data in files_below(folder).items() if name.startswith("objects"))
