"""Everything that goes wrong: the contract's exit code, one clear message with a hint, nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from persona.config.schema import (
    AzureSettings,
    GCSSettings,
    S3Settings,
    StorageSettings,
)
from persona.config.secret import Secret
from tests.cli.conftest import Configure, Run, changed, files_below, small_input, written

CLOUDS = ("seaweedfs", "fake-gcs", "azurite")
NOWHERE = "http://127.0.0.1:9"
WRONG = "d3JvbmcgYWNjb3VudCBrZXk="
Place = Callable[[str], StorageSettings]


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("missing.csv", None, 5, "There is no file or folder missing.csv"),
        ("broken.json", '[{"a": 1},', 2, "broken.json"),
        ("nothing.csv", "", 2, "nothing.csv is empty"),
        ("heads.csv", "a,b\n", 2, "heads.csv"),
        ("none.json", "[]", 2, "none.json"),
        ("strange.xlsx", "x", 2, "strange.xlsx is damaged"),
        ("bytes.csv", "a,b\n1,\x00\x01\n", 2, "bytes.csv"),
    ],
)
def test_input_that_cannot_be_used(
    persona: Run, project: Path, home: Path, name: str, content: str | None, code: int, said: str
) -> None:
    if content is not None:
        (project / name).write_text(content)
    ran = persona("generate", name)
    assert ran.code == code
    assert said in ran.failed
    assert ran.out == ""
    assert not (home / "data").exists()


def test_an_empty_folder_as_input(persona: Run, project: Path) -> None:
    (project / "empty").mkdir()
    ran = persona("generate", "empty")
    assert ran.code == 2
    assert "no research data in empty" in ran.failed


@pytest.mark.parametrize("output", ["a/../b", "a//b", "a\tb", "x" * 1100])
def test_a_refused_name_writes_nothing(persona: Run, project: Path, home: Path, output: str) -> None:
    small_input(project)
    ran = persona("generate", "input.csv", "--output", output)
    assert ran.code == 2
    assert "cannot be a storage path" in ran.failed
    assert not (home / "data").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("storage: [", "not valid YAML"),
        ("storage: {backend: ftp}", "“ftp”"),
        ("storage: {bakend: s3}", "did you mean storage.backend"),
        ("storage: {backend: s3}", "bucket"),
        ("storage: {backend: gcs}", "bucket"),
        ("storage: {backend: azure, azure: {account: a}}", "container"),
        ("storage: {backend: azure, azure: {container: abc}}", "account"),
        (
            "storage: {backend: s3, s3: {bucket: b-b-b, anonymous: true, endpoint_url: http://example.com}}",
            "allow_insecure",
        ),
    ],
)
def test_a_bad_configuration(persona: Run, project: Path, text: str, said: str) -> None:
    (project / "persona.yaml").write_text(text)
    small_input(project)
    for arguments in (["storage", "status"], ["generate", "input.csv"], ["list"]):
        ran = persona(*arguments)
        assert ran.code == 3
        assert said in ran.failed


@pytest.mark.parametrize("backend", CLOUDS)
def test_a_bucket_that_is_not_there(
    persona: Run, project: Path, configure: Configure, place: Place, backend: str
) -> None:
    settings = place(backend)
    name = "container" if backend == "azurite" else "bucket"
    configure(changed(settings, **{name: "there-is-no-such-bucket-3141"}))
    small_input(project)
    for arguments in (["generate", "input.csv"], ["list"], ["export"], ["storage", "list"], ["show", "personas/x"]):
        ran = persona(*arguments)
        assert ran.code == 5, arguments
        assert "there-is-no-such-bucket-3141" in ran.failed
    ran = persona("storage", "status", "--json")
    assert ran.code == 5
    assert "there-is-no-such-bucket-3141" in ran.json["health"]["error"]


@pytest.mark.parametrize("backend", ["seaweedfs", "azurite"])
def test_wrong_credentials(persona: Run, project: Path, configure: Configure, place: Place, backend: str) -> None:
    settings = place(backend)
    secret = "account_key" if backend == "azurite" else "secret_access_key"
    configure(changed(settings, **{secret: Secret(WRONG)}))
    small_input(project)
    for arguments in (["generate", "input.csv"], ["list"], ["export"], ["storage", "list"]):
        ran = persona(*arguments, "--verbose")
        assert ran.code == 4, arguments
        assert WRONG not in ran.out + ran.failed
    ran = persona("storage", "status", "--json")
    assert ran.code == 4
    assert ran.json["health"]["ok"] is False
    assert WRONG not in ran.out + ran.err


@pytest.mark.parametrize("backend", ["local", *CLOUDS])
def test_personas_that_are_there_stay(
    persona: Run, project: Path, configure: Configure, place: Place, backend: str
) -> None:
    configure(place(backend))
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    before = persona("storage", "list", "--json").out
    second = persona("generate", "input.csv")
    assert second.code == 6
    assert "--overwrite" in second.failed
    assert second.out == ""
    assert persona("storage", "list", "--json").out == before
    content = persona("export").out
    assert persona("generate", "input.csv", "--overwrite").code == 0
    assert persona("export").out == content


def unreachable(backend: str) -> StorageSettings:
    """Return settings of a provider at an address where nothing listens."""
    if backend == "s3":
        section = S3Settings(
            bucket="bucket",
            region="eu-west-2",
            endpoint_url=NOWHERE,
            access_key_id="testkey",
            secret_access_key=Secret(WRONG),
        )
        return StorageSettings(backend="s3", s3=section)
    if backend == "gcs":
        return StorageSettings(backend="gcs", gcs=GCSSettings(bucket="bucket", endpoint_url=NOWHERE, anonymous=True))
    azure = AzureSettings(container="bucket", account="a", account_key=Secret(WRONG), endpoint_url=f"{NOWHERE}/a")
    return StorageSettings(backend="azure", azure=azure)


@pytest.mark.parametrize("backend", ["s3", "gcs", "azure"])
def test_an_unreachable_provider(persona: Run, configure: Configure, backend: str) -> None:
    configure(unreachable(backend))
    begun = time.monotonic()
    ran = persona("storage", "status", "--json")
    assert time.monotonic() - begun < 3
    assert ran.code == 7
    assert ran.err == ""
    assert ran.json["backend"] == backend
    assert "bucket" in ran.json["location"]
    assert (ran.json["objects"], ran.json["total_bytes"], ran.json["last_modified"]) == (None, None, None)
    assert (ran.json["health"]["ok"], ran.json["health"]["latency_ms"]) == (False, None)
    assert "127.0.0.1:9" in ran.json["health"]["error"]
    ran = persona("storage", "status")
    assert ran.code == 7
    assert ": bucket\n" in ran.out
    assert "Statistics" not in ran.out
    assert "\n\nHealth: ❌ Nothing answers at 127.0.0.1:9.\n  → " in ran.out
    assert WRONG not in ran.out + ran.err


@pytest.mark.parametrize("backend", ["s3", "gcs", "azure"])
def test_generate_tells_that_a_provider_is_unreachable(persona: Run, project: Path, home: Path, backend: str) -> None:
    performance = {"retry_attempts": 1, "retry_delay": "10ms"}
    document = written(unreachable(backend)) | {"performance": performance}
    home.mkdir(mode=0o700)
    (home / "persona.yaml").write_text(json.dumps({"storage": document}))
    small_input(project)
    for arguments in (["generate", "input.csv"], ["list"], ["export"], ["storage", "list"]):
        ran = persona(*arguments)
        assert ran.code == 7, arguments
        assert "127.0.0.1:9" in ran.failed


def test_a_full_disk(persona: Run, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_input(project)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        ran = persona("generate", "input.csv")
        assert ran.code == 1
        assert "space" in ran.failed.lower()
        assert "Written before: nothing" in ran.failed
    assert persona("storage", "list", "--json").json == {"objects": [], "refused": []}
    assert not [name for name, data in files_below(home / "data").items() if data]


def test_a_full_disk_for_an_export(persona: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", None)  # the device must not be replaced, not even by a mistake
        ran = persona("export", "--output", "/dev/full")
    assert ran.code == 1
    assert "/dev/full cannot be written: No space left on device" in ran.failed
    assert Path("/dev/full").is_char_device()
    target = project / "out"
    target.write_text("before")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert persona("export", "--output", str(target)).code == 1
    assert target.read_text() == "before"
    assert sorted(path.name for path in project.iterdir()) == ["input.csv", "out"]


def test_an_export_through_a_link_keeps_the_link(persona: Run, project: Path) -> None:
    small_input(project)
    assert persona("generate", "input.csv").code == 0
    (project / "link").symlink_to("target")
    assert persona("export", "--output", "link").code == 0
    assert (project / "link").is_symlink()
    assert (project / "target").read_text() == persona("export").out


@pytest.mark.parametrize("error", [KeyError("size"), TypeError("unsupported operand"), RecursionError("too deep")])
def test_a_defect_of_our_own_is_one_line_or_a_traceback(
    persona: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def slip(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("persona.storage.summary.summarise", slip)
    ran = persona("storage", "status", "--json")
    assert (ran.code, ran.json["error"]["exit_code"]) == (1, 1)
    assert ran.failed.startswith(f"Error: Internal error: {type(error).__name__}: ")
    assert "--verbose, and report the traceback" in ran.err
    told = persona("--verbose", "storage", "status")
    assert told.code == 1
    assert "Traceback (most recent call last)" in told.err
    assert "in slip" in told.err
