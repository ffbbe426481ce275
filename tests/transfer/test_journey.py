"""Folders on their way through all providers and back: what arrives has the names and the bytes that set out."""

from __future__ import annotations

import json
import os
import secrets
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cli.conftest import files_below, written
from tests.serving import Server
from tests.transfer.conftest import Run

MAC = [unicodedata.normalize("NFD", name) for name in ("Zoë Müller.md", "Gespräche/Übersicht.txt", "für später/é.yaml")]
ORDINARY = [
    *("Interview 10:30.txt", "100%.txt", 'C++ "draft".md', "CON", "aux.md", "nul/lpt1.yaml", "50% off: why?.csv"),
    *("etc.", "trailing dot./a", "trailing space ", "two  spaces.txt", " leading space", "...", "..hidden", ".env"),
    *("%2F.txt", "a%2Fb.txt", "%41", "a%-", "x%=", "%tmp-x", "100%~", "%~41.txt", "~$report.docx", "~"),
    *("what?*<>|.txt", "#1 & more; really!.md", "a+b=c.txt", "[brackets]{braces}.txt", "it's 'quoted'.txt", "`id`.sh"),
    *("-rf", "file:/x", "s3:", "日本語/ペルソナ.yaml", "עברית.md", "🙂/👩‍🔬.json", "ﬁ ligature.txt"),
    *("Zoë composed.md", "ß und ẞ.txt", "I İ ı.txt", ".persona.yaml", "a/.persona/b", "x" * 251 + ".txt", "é" * 127),
]


@pytest.fixture
def servers(running: Callable[[str], Server], home: Path) -> list[str]:
    """URLs of an empty place at each provider, which the user's persona.yaml describes."""
    storage: dict[str, object] = {"performance": {"retry_attempts": 3, "retry_delay": "10ms"}}
    urls = []
    for name, scheme in (("seaweedfs", "s3"), ("fake-gcs", "gs"), ("azurite", "az")):
        bucket = running(name).make_bucket(f"journey-{secrets.token_hex(4)}")
        storage |= written(running(name).settings(bucket))
        urls.append(f"{scheme}://{bucket}/all of it")
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "persona.yaml").touch(0o600)
    (home / "persona.yaml").write_text(json.dumps({"storage": storage | {"backend": "local"}}))
    return urls


def fill(folder: Path, names: list[str]) -> dict[str, bytes]:
    """Make a folder of files as a user has it, and return what is in it."""
    for number, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"{number} {name}".encode() * (number + 1))
    return files_below(folder)


def objects_of(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder that Persona has written, without what it keeps for itself."""
    return {name: data for name, data in files_below(folder).items() if not name.startswith(".persona/")}


def test_a_folder_through_all_providers_and_back(sync: Run, servers: list[str], project: Path) -> None:
    sent = fill(project / "sent", ORDINARY + MAC)
    assert len(sent) == len(ORDINARY + MAC) >= 40
    stations = ["./sent", *servers, "./back"]
    for source, target in pairwise(stations):
        document = sync(source, target).done()
        assert (document["failures"], document["objects"]["copied"]) == ([], len(sent)), target
        assert document["objects"]["verified"] == len(sent)
    assert objects_of(project / "back") == sent
    assert not {name for name in sent if name not in files_below(project / "back")}
    again = sync("./back", servers[0]).done()
    assert again["objects"]["copied"] == 0


def test_a_name_that_a_provider_would_change_fails_by_name(sync: Run, servers: list[str], project: Path) -> None:
    sent = fill(project / "sent", ["a\\b.txt", "a/b.txt", "c.txt"])
    for target, kept in zip(servers, (False, True, False), strict=True):
        ran = sync("./sent", target)
        document = ran.done(0 if kept else 1)
        assert [failure["path"] for failure in document["failures"]] == ([] if kept else ["a\\b.txt"])
        back = sync(target, f"./back-{target[:2]}").done()
        assert back["failures"] == []
        expected = {name: data for name, data in sent.items() if kept or "\\" not in name}
        assert objects_of(project / f"back-{target[:2]}") == expected, "nothing was renamed, and nothing replaced"


def test_what_cannot_be_carried_is_told_and_stops_nothing(sync: Run, servers: list[str], project: Path) -> None:
    sent = fill(project / "sent", MAC)
    (project / "sent" / "two\nlines.txt").write_text("x")
    (project / "sent" / os.fsdecode(b"latin-\xe9.txt")).write_text("x")
    document = sync("./sent", servers[0]).done(1)
    assert sorted(failure["path"] for failure in document["failures"]) == ["latin-\\udce9.txt", "two\nlines.txt"]
    assert document["objects"]["copied"] == len(sent)
    assert sync(servers[0], "./back").done()["objects"]["copied"] == len(sent)
    assert objects_of(project / "back") == sent
