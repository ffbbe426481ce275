"""Files of this machine as users name them, and disks that take no more: clear words, and nothing half-written."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from persona.config.schema import LocalSettings, StorageSettings
from persona.errors import NameRefusedError
from persona.personas import local_file
from persona.storage.paths import clean
from tests.cli.conftest import Configure, Run, files_below, small_input
from tests.full import no_file_beyond

NO_USER = "~no-such-user/file"


@pytest.mark.parametrize(
    "words",
    [
        ("trust", NO_USER),
        ("--config", NO_USER, "list"),
        ("storage", "erase", "--subject", "1", "--yes", "--receipt", NO_USER),
        ("storage", "outbox", "export", "000001", NO_USER),
        ("storage", "migrate", "--plan", NO_USER),
        ("storage", "sync", "--from", NO_USER, "--to", "x"),
        ("export", "--output", NO_USER),
        ("generate", NO_USER),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_the_home_of_an_unknown_user(persona: Run, words: tuple[str, ...]) -> None:
    ran = persona(*words)
    if words[:3] == ("storage", "sync", "--from"):  # a name of the storage, since there is no such user
        assert ran.code == 5
        return
    assert ran.code == 2, ran.err
    assert f"“{NO_USER}” names the home folder of an unknown user" in ran.err


def test_a_machine_without_a_home_folder(persona: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container of a user whom its password file does not know."""
    home.mkdir()
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("unknown")))
    assert persona("storage", "outbox", "list").code == 0
    monkeypatch.delenv("PERSONA_HOME")
    ran = persona("storage", "outbox", "list")
    assert (ran.code, "Set PERSONA_HOME" in ran.err) == (3, True), ran.err


def test_a_pattern_that_is_not_text(persona: Run, project: Path) -> None:
    (project / "data").mkdir()
    ran = persona("storage", "sync", "--from", "./data", "--to", "x", "--include", "\udcff*")
    assert (ran.code, "is not valid UTF-8" in ran.err) == (2, True), ran.err
    assert persona("storage", "sync", "--from", "./data", "--to", "x", "--exclude", "#").code == 2
    assert persona("storage", "migrate", "list", "--json").json["jobs"] == []


def test_outputs_that_cannot_be_files(persona: Run, project: Path) -> None:
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    (project / "loop").symlink_to("loop")
    (project / "folder").mkdir()
    for name, code, reason in (
        ("loop", 2, "round in a circle"),
        ("loop/x", 5, "no folder"),
        ("folder", 2, "is a folder"),
        ("x" * 300, 2, "too long"),
        ("/dev/full", 1, "No space left"),
    ):
        ran = persona("export", "--output", name, "--format", "json")
        assert (ran.code, reason in ran.err) == (code, True), ran.err
    assert (project / "loop").is_symlink()
    ran = persona("storage", "erase", "--subject", "R1", "--yes", "--receipt", "loop")
    assert (ran.code, "round in a circle" in ran.err) == (2, True), ran.err


@pytest.fixture
def settled(persona: Run, project: Path, configure: Configure, tmp_path: Path) -> dict[str, bytes]:
    """A library, a file of each kind that a command replaces, and their contents."""
    configure(StorageSettings(local=LocalSettings(path=tmp_path / "store")))
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    assert persona("workspace", "create", "team").code == 0
    assert persona("workspace", "use", "team").code == 0
    assert persona("workspace", "use", "default").code == 0
    for name in ("one.yaml", "two.yaml"):
        (project / name).write_text("storage: {s3: {bucket: b-b, endpoint_url: 'https://e.example'}}\n")
    assert persona("trust", "one.yaml", "--yes").code == 0
    (project / "out.json").write_text("before")
    return files_below(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("export", "--output", "out.json"),
        ("trust", "two.yaml", "--yes"),
        ("workspace", "use", "team"),
        ("storage", "config", "set", "s3.region", "eu-west-2"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("way", ["none", "some", "fsync"])
def test_a_full_disk_leaves_what_was_there(
    persona: Run,
    settled: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    way: str,
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if way == "fsync":
        monkeypatch.setattr(os, "fsync", full)
        ran = persona(*words)
    else:
        with no_file_beyond(0 if way == "none" else 3):
            ran = persona(*words)
    assert ran.code == 1, ran.err
    assert "cannot be written: " in ran.err
    after = files_below(tmp_path)
    assert {name: after[name] for name in after if "lock" not in name} == {
        name: settled[name] for name in settled if "lock" not in name
    }


def test_a_receipt_that_finds_no_space_is_still_shown(
    persona: Run, settled: dict[str, bytes], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {*project.iterdir()}

    def full(target: Path, data: bytes, shown: str, *, overwrite: bool) -> None:
        with no_file_beyond(100):
            write(target, data, shown, overwrite=overwrite)

    write = local_file._write
    monkeypatch.setattr(local_file, "_write", full)
    ran = persona("storage", "erase", "--subject", "R1", "--yes", "--json", "--receipt", "receipt.json")
    assert ran.code == 1
    assert "the receipt was not saved: receipt.json cannot be written: File too large" in ran.err
    assert ran.json["complete"] is True
    assert {*project.iterdir()} == before


def test_a_folder_that_cannot_be_synced_after_the_file_was_replaced(
    persona: Run, settled: dict[str, bytes], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(local_file, "sync", fail)
    ran = persona("export", "--output", "out.json")
    assert (ran.code, "was written, but may be lost in a power cut" in ran.err) == (1, True), ran.err
    assert (project / "out.json").read_text() != "before"


def test_a_source_that_is_one_object(persona: Run, project: Path) -> None:
    (project / "data").mkdir()
    (project / "data" / "a.txt").write_text("x")
    assert persona("storage", "sync", "--from", "./data", "--to", "team/x").code == 0
    assert persona("storage", "sync", "--from", "./data", "--to", "storage:").code == 0
    for source, hint in (
        ("team/x/a.txt", "--from team/x --include /a.txt"),
        ("storage:team/x/a.txt", "--from storage:team/x --include /a.txt"),
        ("a.txt", "--from storage: --include /a.txt"),
        ("./data/a.txt", "--from ./data --include /a.txt"),
    ):
        ran = persona("storage", "sync", "--from", source, "--to", "./out")
        assert (ran.code, f"“{source}” is one object" in ran.err, hint in ran.err) == (5, True, True), ran.err
    line = ("storage", "sync", "--from", "storage:team/x", "--include", "/a.txt", "--to", "./out")
    assert persona(*line).code == 0
    assert (project / "out" / "a.txt").exists()
    assert persona("storage", "sync", "--from", "team/none.txt", "--to", "./out").code == 5


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names there are text")
@pytest.mark.parametrize("where", ["home", "project"])
def test_folders_whose_names_are_not_text(
    persona: Run, project: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """As a home in Latin-1 is: everything works but what names such a folder itself."""
    odd = tmp_path / os.fsdecode(b"jos\xe9\nb")
    odd.mkdir()
    if where == "home":
        monkeypatch.setenv("PERSONA_HOME", str(odd / "home"))
    else:
        monkeypatch.chdir(odd)
        (odd / "persona.yaml").write_text("storage: {local: {path: data}}\n")
    small_input(Path.cwd())
    monkeypatch.setenv("PERSONA_STORAGE__CACHE__ENABLED", "true")
    target = f"file://{tmp_path}/copy"
    for words in (
        ("generate", "input.csv"),
        ("list",),
        ("storage", "status"),
        ("storage", "migrate", "--from", "local", "--to", target),
        ("storage", "migrate", "--from", target, "--to", "local", "--dry-run", "--plan", "plan"),
        ("storage", "migrate", "--plan", "plan"),
        ("storage", "sync", "--from", "personas", "--to", f"file://{tmp_path}/other"),
        ("storage", "cache", "clear"),
        ("storage", "outbox", "list"),
        ("storage", "config", "show"),
        ("storage", "erase", "--subject", "R1", "--yes", "--receipt", "receipt"),
        ("export", "--output", "out.json"),
    ):
        ran = persona(*words)
        assert ran.code == 0, (words, ran.err)
    ran = persona("storage", "sync", "--from", str(odd), "--to", "x")
    assert (ran.code, "is not valid UTF-8" in ran.err) == (2, True), ran.err


def test_names_that_the_locale_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(b"\xc3\xa9").encode().decode("ascii", "surrogateescape")
    with pytest.raises(NameRefusedError, match="is not valid UTF-8"):
        clean(name)
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(NameRefusedError, match=r"this process reads names as ascii; set LC_ALL=C\.UTF-8"):
        clean(name)
