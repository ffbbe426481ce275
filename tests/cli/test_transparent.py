"""The specification's “Transparent Storage Operations”: the same on every backend."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.cli.app import run
from persona.config.schema import StorageSettings
from tests.cli.conftest import RESEARCH, Configure, Ran, Run

pytestmark = pytest.mark.no_cover  # other cases run the same lines, and measuring them takes time

BACKENDS = ("local", "seaweedfs", "fake-gcs", "azurite")
NAMES = {"local": "Local disk", "seaweedfs": "S3-compatible", "fake-gcs": "Google Cloud Storage", "azurite": "Azure"}
FORMATS = ("yaml", "json", "markdown", "csv")
STATUS = {"backend", "location", "region", "objects", "total_bytes", "last_modified"} | {
    "health",
    "encryption",
    "residency",
    "breaker",
    "outbox",
}
RULE = "═" * 65


def exports(persona: Run) -> dict[str, str]:
    """Return what each format gives, on stdout."""
    found = {}
    for name in FORMATS:
        ran = persona("export", "./personas/", "--format", name)
        assert (ran.code, ran.err) == (0, "")
        found[name] = ran.out
    return found


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What each format gives on local disk."""
    folder = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONA_HOME", str(folder / "home"))
        patch.chdir(folder)
        assert run(["generate", str(RESEARCH), "--output", "./personas/", "--quiet"]) == 0
        for name in FORMATS:
            assert run(["export", "./personas/", "--format", name, "--output", str(folder / name), "--quiet"]) == 0
    return {name: (folder / name).read_bytes() for name in FORMATS}


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_commands_work_regardless_of_the_backend(
    backend: str,
    persona: Run,
    configure: Configure,
    place: Callable[[str], StorageSettings],
    expected: dict[str, bytes],
    project: Path,
) -> None:
    settings = place(backend)
    configure(settings)
    assert persona("generate", str(RESEARCH), "--output", "./personas/").code == 0
    listed = persona("list", "./personas/", "--json").json
    assert set(listed) == {"personas"}
    assert [set(row) for row in listed["personas"]] == [{"id", "name", "title", "path"}] * 4
    for path in ("personas", "./personas", "personas/"):
        assert persona("list", path, "--json").json == listed
    assert {name: text.encode() for name, text in exports(persona).items()} == expected
    for name in FORMATS:
        assert persona("export", "./personas/", "--format", name, "--output", "out").code == 0
        assert (project / "out").read_bytes() == expected[name]
    _check_objects(persona, settings, [row["path"] for row in listed["personas"]])
    _check_words(persona, backend, settings)


def _check_objects(persona: Run, settings: StorageSettings, paths: list[str]) -> None:
    """Hold the storage commands to the contract's names, and to what was generated."""
    objects = persona("storage", "list", "--json").json
    assert set(objects) == {"objects", "refused"}
    assert [set(row) for row in objects["objects"]] == [{"path", "size", "last_modified", "version"}] * 5
    assert [row["path"] for row in objects["objects"]] == [*paths, "personas/run.yaml"]
    total = sum(row["size"] for row in objects["objects"])
    newest = max(row["last_modified"] for row in objects["objects"])
    status = persona("storage", "status", "--json").json
    assert set(status) == STATUS
    assert set(status["health"]) == {"ok", "latency_ms", "error"}
    assert (status["backend"], status["objects"], status["total_bytes"]) == (settings.backend, 5, total)
    assert status["last_modified"] == newest
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", newest)
    assert (status["health"]["ok"], status["health"]["error"]) == (True, None)
    assert 0 < status["health"]["latency_ms"] < 10_000
    _check_stats(persona("storage", "stats", "--detailed", "--json").json, total, paths)
    assert set(persona("storage", "stats", "--json").json) == STATUS
    assert persona("storage", "list", "personas/none", "--json").json == {"objects": [], "refused": []}


def _check_stats(stats: dict[str, Any], total: int, paths: list[str]) -> None:
    assert set(stats) == STATUS | {"by_type", "by_prefix", "size_histogram", "largest"}
    assert stats["by_type"] == [{"name": ".yaml", "objects": 5, "total_bytes": total}]
    assert stats["by_prefix"] == [{"name": "personas/", "objects": 5, "total_bytes": total}]
    assert sum(row["objects"] for row in stats["size_histogram"]) == 5
    sizes = [row["size"] for row in stats["largest"]]
    assert sizes == sorted(sizes, reverse=True)
    assert {row["path"] for row in stats["largest"]} == {*paths, "personas/run.yaml"}


def _check_words(persona: Run, backend: str, settings: StorageSettings) -> None:
    """Hold the output for people to the specification's example."""
    status = persona("storage", "status")
    assert (status.code, status.err) == (0, "")
    assert status.out.startswith(f"Storage Status\n{RULE}\n\nBackend: {NAMES[backend]}")
    section = getattr(settings, settings.backend)
    if backend == "local":
        assert f"\nFolder: {section.path}\n" in status.out
    else:
        label, name = ("Container", section.container) if backend == "azurite" else ("Bucket", section.bucket)
        assert f"\n{label}: {name}\nPrefix: team/research/\n" in status.out
    assert ("\nRegion: us-east-1\n" in status.out) == (backend == "seaweedfs")
    words = r"\n\nStatistics:\n  Objects: 5\n  Total Size: [\d.]+ KB\n  Last Modified: [\d-]{10} [\d:]{5} UTC\n"
    assert re.search(words + r"\nHealth: ✅ Connected \(\d+ ms\)\n\Z", status.out)
    stats = persona("storage", "stats", "--detailed").out
    assert stats.startswith(f"Storage Statistics\n{RULE}\n\n")
    for title in ("By type:", "By folder:", "Sizes:", "Largest:"):
        assert f"\n\n{title}\n" in stats
    rows = persona("storage", "list").out.splitlines()
    assert rows[1] == RULE
    assert rows[-1] == "5 objects"
    assert len(rows) == 9
    where = persona("list").out.splitlines()[3]
    assert where.startswith("Location: ") and where.endswith("personas")


@pytest.mark.parametrize("arguments", [["storage", "list"], ["storage", "status"], ["storage", "stats", "--detailed"]])
def test_an_empty_storage_is_no_error(persona: Run, arguments: list[str]) -> None:
    assert persona(*arguments).code == 0
    shown: Ran = persona(*arguments, "--json")
    assert shown.code == 0
    assert shown.json.get("objects") in (0, [])
