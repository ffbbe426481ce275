"""Setting values in files that people wrote: nothing else changes, and nothing is ever half-written."""

from __future__ import annotations

import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import persona
from persona.config import edit
from persona.config.edit import set_value, set_values
from persona.config.load import load
from persona.config.schema import keys
from persona.errors import AlreadyExistsError, ConfigError, ConflictError, StorageFullError

Write = Callable[[Path, str], Path]

FILE = """\
# Our personas live here; ask Ana before you change this.
storage:
    backend: "s3"   # local | s3 | gcs | azure

    s3:
        # the bucket of the team
        bucket: 'company-personas'  # owned by IT
        region: eu-west-2


    gcs:   # later
    cache: {enabled: true, ttl: 1h}  # small
"""

WRAPPED = "persona:\n" + "".join(f"  {line}\n" if line else "\n" for line in FILE.splitlines())

PLAIN = {
    "storage.s3.bucket": "personas-2",
    "storage.backend": "gcs",
    "storage.s3.region": "us-east-1",
    "storage.s3.prefix": "a/b c",
    "storage.s3.endpoint_url": "https://s3.example.org",
    "storage.gcs.bucket": "g",
    "storage.azure.connection_string": "A=b;C='d': e # f",
    "storage.cache.ttl": "30s",
    "storage.cache.max_size": "2GB",
    "storage.performance.chunk_size": "64MiB",
    "storage.local.path": "/srv/personas, all",
}


def values_of(file: Path) -> dict[str, object]:
    found = load([file], environ={})
    return {key: found.values[key] for key in keys() if found.sources[key].kind == "file"}


@pytest.mark.parametrize("key", PLAIN)
def test_only_the_place_of_the_value_changes(tmp_path: Path, write: Write, key: str) -> None:
    file = write(tmp_path / "persona.yaml", FILE)
    before = values_of(file)
    set_value(file, key, PLAIN[key], locks=tmp_path)
    assert values_of(file) == before | {key: keys()[key].parse(PLAIN[key])}
    old, new = FILE.splitlines(), file.read_text().splitlines()
    kept = [line for line in new if line in old]
    assert len(old) - len(kept) <= 1
    assert [line for line in old if line in new] == kept
    assert all(comment in file.read_text() for comment in ("# the bucket", "# owned by IT", "# later", "# small"))


@pytest.mark.parametrize("text", ["persona:\n", "persona: {}\n", "persona: {storage: {}}\n", WRAPPED])
def test_a_value_is_set_where_the_file_has_its_keys(tmp_path: Path, write: Write, text: str) -> None:
    file = write(tmp_path / "persona.yaml", text)
    for key, value in PLAIN.items():
        before = values_of(file)
        set_value(file, key, value, locks=tmp_path)
        after = values_of(file)
        assert {name: each for name, each in after.items() if name != key} == {
            name: each for name, each in before.items() if name != key
        }
        assert key in after
    assert file.read_text().count("persona:") == 1
    assert not re.search("^storage", file.read_text(), re.MULTILINE)


def test_quotes_and_spacing_stay(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "persona.yaml", FILE)
    set_values(file, {"backend": "gcs", "s3.bucket": "new", "gcs.bucket": "g"}, locks=tmp_path)
    expected = FILE.replace('"s3"', '"gcs"').replace("'company-personas'", "'new'")
    expected = expected.replace("# later\n", "# later\n        bucket: g\n")
    assert file.read_text() == expected


LAYOUTS = {
    "nothing": ("", "storage:\n  s3:\n    bucket: new\n"),
    "comments": ("# c\n", "# c\nstorage:\n  s3:\n    bucket: new\n"),
    "no line break": ("# c", "# c\nstorage:\n  s3:\n    bucket: new\n"),
    "empty": ("storage:\n  s3:\n    bucket:  # none yet\n", "storage:\n  s3:\n    bucket: new  # none yet\n"),
    "empty section": ("storage: # c\n", "storage: # c\n  s3:\n    bucket: new\n"),
    "empty last": (
        "storage:\n  gcs:\n    bucket:  # c\n",
        "storage:\n  gcs:\n    bucket:  # c\n  s3:\n    bucket: new\n",
    ),
    "null section": ("storage:\n  s3: ~  # c\n", "storage:\n  s3: {bucket: new}  # c\n"),
    "flow": ("storage: {s3: {}}", "storage: {s3: {bucket: new}}"),
    "flow with entries": ("storage: {backend: s3}", "storage: {s3: {bucket: new}, backend: s3}"),
    "flow, empty": ("storage: {s3: }", "storage: {s3: {bucket: new} }"),
    "trailing comma": ("storage: {s3: {region: x,},}", "storage: {s3: {bucket: new, region: x,},}"),
    "windows": (
        "storage:\r\n  s3:\r\n    region: x\r\n",
        "storage:\r\n  s3:\r\n    region: x\r\n    bucket: new\r\n",
    ),
    "mark": ("\ufeffstorage:\n  s3: {bucket: a}\n", "\ufeffstorage:\n  s3: {bucket: new}\n"),
    "document": (
        "---\nstorage:\n  backend: s3\n...\n",
        "---\nstorage:\n  backend: s3\n  s3:\n    bucket: new\n...\n",
    ),
    "block scalar": (
        "storage:\n  s3:\n    bucket: |-\n      a\n    # c\n",
        "storage:\n  s3:\n    bucket: new\n    # c\n",
    ),
    "after block scalar": (
        "storage:\n  s3:\n    region: |-\n      a\n\n  gcs:\n",
        "storage:\n  s3:\n    region: |-\n      a\n\n    bucket: new\n  gcs:\n",
    ),
    "one column": ("storage:\n s3:\n  region: x", "storage:\n s3:\n  region: x\n  bucket: new\n"),
    "explicit key": ("? storage\n: s3: {}\n", "? storage\n: s3: {bucket: new}\n"),
    "quoted key": ("\"storage\":\n  's3':\n", "\"storage\":\n  's3':\n    bucket: new\n"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout(tmp_path: Path, name: str) -> None:
    before, after = LAYOUTS[name]
    file = tmp_path / "persona.yaml"
    file.write_bytes(before.encode())
    set_value(file, "s3.bucket", "new", locks=tmp_path)
    assert file.read_bytes().decode() == after


def test_null_is_written(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "persona.yaml", "storage: {s3: {endpoint_url: 'http://x'}}")
    set_value(file, "s3.endpoint_url", "null", locks=tmp_path)
    assert file.read_text() == "storage: {s3: {endpoint_url: null}}"


def test_a_layout_that_cannot_be_changed_is_left_alone(tmp_path: Path, write: Write) -> None:
    text = "? storage  # a:b\n:\n"
    file = write(tmp_path / "persona.yaml", text)
    with pytest.raises(ConfigError, match="cannot be changed from here") as caught:
        set_value(file, "backend", "s3", locks=tmp_path)
    assert "storage.backend" in caught.value.hint
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("backend", "s4", "storage.backend: found “s4”, allowed local, s3, gcs or azure"),
        ("storage.cache.ttl", "60", "storage.cache.ttl: found “60”, allowed a duration"),
        ("s3.secret_access_key", "x\x00y", "found a value that is not shown"),
        ("bakend", "s3", "did you mean storage.backend?"),
        ("storage.s3.buket", "s3", "did you mean storage.s3.bucket?"),
        ("s3", "x", "storage.s3: found a section, allowed one of its keys"),
        ("storage", "x", "storage: found a section, allowed one of its keys"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_written(
    tmp_path: Path, key: str, value: str, message: str
) -> None:
    file = tmp_path / "persona.yaml"
    with pytest.raises(ConfigError) as caught:
        set_value(file, key, value, locks=tmp_path)
    assert message in caught.value.message
    assert not file.exists()


@pytest.mark.parametrize("text", ["storage: [", "storage:\n  backend: s4\n", "storage: &a {}", "\ufeff- 1"])
def test_a_file_that_does_not_load_is_left_alone(tmp_path: Path, write: Write, text: str) -> None:
    file = write(tmp_path / "persona.yaml", text)
    with pytest.raises(ConfigError, match=str(file)):
        set_value(file, "s3.bucket", "b", locks=tmp_path)
    assert file.read_text() == text


def test_a_file_that_is_not_utf8_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "persona.yaml"
    file.write_bytes(b"# \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        set_value(file, "s3.bucket", "b", locks=tmp_path)
    assert file.read_bytes() == b"# \xff\n"


def test_modes_and_links(tmp_path: Path, write: Write) -> None:
    new = tmp_path / "new/persona.yaml"
    set_value(new, "backend", "s3", locks=tmp_path)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    old = write(tmp_path / "old.yaml", FILE)
    old.chmod(0o644)
    link = tmp_path / "persona.yaml"
    link.symlink_to(old.name)
    set_value(link, "backend", "gcs", locks=tmp_path)
    assert link.is_symlink()
    assert values_of(old)["storage.backend"] == "gcs"
    assert stat.S_IMODE(old.stat().st_mode) == 0o644


def test_create_refuses_a_file_that_is_there(tmp_path: Path, write: Write) -> None:
    with pytest.raises(AlreadyExistsError):
        set_values(write(tmp_path / "a.yaml", ""), {"backend": "s3"}, locks=tmp_path, create=True)


@pytest.mark.parametrize(("code", "kind"), [(28, StorageFullError), (30, ConfigError)], ids=["full disk", "read-only"])
def test_a_failed_write_leaves_the_file_as_it_was(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    file = write(tmp_path / "conf/persona.yaml", FILE)

    def fail(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind, match=os.strerror(code)):
        set_value(file, "backend", "gcs", locks=tmp_path)
    assert file.read_text() == FILE
    assert list(file.parent.iterdir()) == [file]


def test_a_held_lock_and_a_lost_folder_of_locks(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "persona.yaml", FILE)
    monkeypatch.setattr(edit, "_LOCK_SECONDS", 0.05)
    with edit._locked(file, tmp_path), pytest.raises(ConflictError):
        set_value(file, "backend", "gcs", locks=tmp_path)
    with pytest.raises(ConfigError, match="cannot be written to"):
        set_value(file, "backend", "gcs", locks=file)


def test_what_a_path_means_where_it_is_typed(tmp_path: Path, project: Path) -> None:
    there = tmp_path / "persona.yaml"
    assert edit.typed_here("storage.local.path", "data", there) == str(project / "data")
    assert edit.typed_here("storage.local.path", "data", project / "persona.yaml") == "data"
    assert edit.typed_here("storage.local.path", "~/data", there) == "~/data"
    assert edit.typed_here("storage.local.path", "null", there) == "null"
    assert edit.typed_here("storage.s3.bucket", "data", there) == "data"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(persona.__file__).parents[1])}


SET = "import sys; from pathlib import Path; from persona.config.edit import set_value;"


def test_eight_processes_lose_nothing(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "persona.yaml", FILE)
    chosen = dict(list(PLAIN.items())[:8])
    code = SET + "set_value(Path(sys.argv[1]), sys.argv[2], sys.argv[3], locks=Path(sys.argv[4]))"
    running = [
        subprocess.Popen([sys.executable, "-c", code, file, key, value, tmp_path], env=environment())
        for key, value in chosen.items()
    ]
    assert [process.wait(60) for process in running] == [0] * 8
    found = values_of(file)
    assert {key: found[key] for key in chosen} == {key: keys()[key].parse(v) for key, v in chosen.items()}
    assert "# owned by IT" in file.read_text()


def test_a_killed_process_leaves_the_old_file_or_the_new_one(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "conf/persona.yaml", FILE)
    code = SET + (
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for name in ('company-personas', 'other'):\n"
        "        set_value(Path(sys.argv[1]), 's3.bucket', name, locks=Path(sys.argv[2]))"
    )
    whole = {FILE, FILE.replace("'company-personas'", "'other'")}
    seed = random.Random(7)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", code, file, tmp_path], stdout=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(seed.uniform(0.05, 0.2))
            process.send_signal(signal.SIGKILL)
        assert file.read_text() in whole
    set_value(file, "s3.bucket", "after", locks=tmp_path)
    assert values_of(file)["storage.s3.bucket"] == "after"


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("'\"#:{}[],&*!|>%@`? -~"), min_size=1)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=TEXT, layout=st.sampled_from([FILE, *(before for before, _ in LAYOUTS.values())]))
def test_any_text_comes_back_and_comments_stay(tmp_path: Path, value: str, layout: str) -> None:
    file = tmp_path / "persona.yaml"
    file.write_bytes(layout.encode())
    before = values_of(file)
    set_value(file, "s3.profile", value, locks=tmp_path)
    assert values_of(file) == before | {"storage.s3.profile": None if value == "null" else value}
    after = file.read_bytes().decode()
    assert all(line in after for line in layout.splitlines() if line.strip().startswith("#"))
