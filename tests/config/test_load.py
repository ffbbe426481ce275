"""Loading: which source wins, what the specification's blocks mean, and what every mistake says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import persona
from persona.config.load import load, read_file
from persona.config.schema import Settings, keys
from persona.errors import ConfigError
from persona.workspace import resolve

Write = Callable[[Path, str], Path]

COMPLETE = """\
# Complete storage configuration
storage:
  # Backend selection
  backend: s3  # local | s3 | gcs | azure

  # AWS S3 configuration
  s3:
    bucket: company-personas
    prefix: workspaces/product-research/
    region: eu-west-2
    endpoint_url: null  # For S3-compatible services
    signature_version: s3v4

  # Google Cloud Storage configuration
  gcs:
    bucket: company-personas
    prefix: workspaces/product-research/
    project: my-gcp-project
    credentials_file: null  # Uses ADC by default

  # Azure Blob Storage configuration
  azure:
    container: personas
    prefix: workspaces/product-research/
    account: companydata
    connection_string: null  # Or use managed identity

  # Local storage configuration
  local:
    path: ~/.persona/data

  # Caching configuration
  cache:
    enabled: true
    path: ~/.persona/cache
    max_size: 1GB
    ttl: 1h
    strategy: lru  # lru | lfu | fifo

  # Performance tuning
  performance:
    concurrent_uploads: 4
    chunk_size: 5MB
    retry_attempts: 3
    retry_delay: 1s
"""

BACKENDS = """\
# persona.yaml
storage:
  backend: s3  # local | s3 | gcs | azure

  s3:
    bucket: company-personas
    prefix: product-research/
    region: eu-west-2
    # Credentials via environment or IAM role

  gcs:
    bucket: company-personas
    prefix: product-research/
    project: my-gcp-project

  azure:
    container: personas
    prefix: product-research/
    account: companydata
"""

CACHING = """\
storage:
  backend: s3
  s3:
    bucket: company-personas

  cache:
    enabled: true
    path: ~/.persona/cache
    max_size: 1GB
    ttl: 1h
"""


def test_the_complete_block_of_the_specification_loads(tmp_path: Path, write: Write) -> None:
    loaded = load([write(tmp_path / "persona.yaml", COMPLETE)], environ={})
    storage = loaded.settings.storage
    assert storage.backend == "s3"
    assert storage.s3.bucket == "company-personas"
    assert storage.s3.prefix == "workspaces/product-research"
    assert storage.s3.endpoint_url is None
    assert storage.gcs.project == "my-gcp-project"
    assert storage.gcs.credentials_file is None
    assert storage.azure.container == "personas"
    assert storage.azure.connection_string is None
    assert storage.local.path == Path.home() / ".persona/data"
    assert (storage.cache.enabled, storage.cache.max_size, storage.cache.ttl) == (True, 10**9, 3600.0)
    assert (storage.performance.chunk_size, storage.performance.retry_delay) == (5_000_000, 1.0)
    last = COMPLETE.count("\n")
    assert loaded.sources["storage.performance.retry_delay"].line == last


@pytest.mark.parametrize("block", [BACKENDS, CACHING])
@pytest.mark.parametrize("backend", ["local", "s3", "gcs", "azure"])
def test_the_short_blocks_load_with_any_backend(tmp_path: Path, write: Write, block: str, backend: str) -> None:
    text = block.replace("backend: s3", f"backend: {backend}")
    loaded = load([write(tmp_path / "persona.yaml", text)], environ={})
    assert loaded.settings.storage.backend == backend
    assert loaded.settings.storage.s3.bucket == "company-personas"


SOURCES = ("flag", "environment", "project", "workspace", "user", "default")


@pytest.mark.parametrize("winner", SOURCES)
@pytest.mark.parametrize("explicit", [False, True], ids=["found", "--config"])
def test_the_strongest_source_wins_key_by_key(
    home: Path, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch, winner: str, explicit: bool
) -> None:
    set_here = SOURCES[SOURCES.index(winner) :]
    files = {
        "project": (project.parent / "else.yaml") if explicit else project / "persona.yaml",
        "workspace": home / "workspaces/team/persona.yaml",
        "user": home / "persona.yaml",
    }
    for source, path in files.items():
        region = f"    region: from-{source}\n" if source in set_here else ""
        write(path, f"storage:\n  s3:\n    profile: {source}\n{region}")
    if explicit:
        write(project / "persona.yaml", "storage: {s3: {region: not-this}}")
    if "environment" in set_here:
        monkeypatch.setenv("PERSONA_STORAGE__S3__REGION", "from-environment")
    flags = {"storage.s3.region": "from-flag"} if "flag" in set_here else {}
    config_file = files["project"] if explicit else None
    found = resolve("team", config_file=config_file, overrides=flags, isolated=False)
    assert found.settings.storage.s3.region == (None if winner == "default" else f"from-{winner}")
    assert found.settings.storage.s3.profile == "project"
    expected = {
        "flag": "flag",
        "environment": "environment PERSONA_STORAGE__S3__REGION",
        "default": "default",
    } | {source: f"{path}:4" for source, path in files.items()}
    assert str(found.config.sources["storage.s3.region"]) == expected[winner]


def test_all_may_stand_below_persona(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "persona.yaml", "# ours\npersona:\n  storage:\n    s3: {bucket: b}\n")
    found = load([file], environ={})
    assert found.values["storage.s3.bucket"] == "b"
    assert found.sources["storage.s3.bucket"].line == 4


def test_null_is_the_default_and_asks_no_weaker_source(tmp_path: Path, write: Write) -> None:
    strong = write(tmp_path / "a.yaml", "storage:\n  s3:\n    endpoint_url: null\n  gcs:\n")
    weak = write(tmp_path / "b.yaml", "storage: {s3: {endpoint_url: 'https://x.org', bucket: b}, gcs: {bucket: c}}")
    found = load([strong, weak], environ={})
    assert found.settings.storage.s3.endpoint_url is None
    assert str(found.sources["storage.s3.endpoint_url"]) == f"{strong}:3"
    assert (found.settings.storage.s3.bucket, found.settings.storage.gcs.bucket) == ("b", "c")
    environ = {"PERSONA_STORAGE__S3__BUCKET": "null"}
    assert load([weak], environ=environ).settings.storage.s3.bucket is None


def test_an_empty_variable_is_not_set(tmp_path: Path, write: Write) -> None:
    file = write(tmp_path / "a.yaml", "storage: {s3: {prefix: team}}")
    assert load([file], environ={"PERSONA_STORAGE__S3__PREFIX": ""}).settings.storage.s3.prefix == "team"
    assert load([file], environ={"PERSONA_STORAGE__S3__PREFIX": "/"}).settings.storage.s3.prefix == ""


def test_relative_paths_belong_to_their_source(
    tmp_path: Path, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "conf/a.yaml", "storage: {local: {path: data}, gcs: {credentials_file: ./k.json}}")
    found = load([file], environ={"PERSONA_STORAGE__CACHE__PATH": "cache"}).settings.storage
    assert found.local.path == tmp_path / "conf/data"
    assert found.gcs.credentials_file == tmp_path / "conf/k.json"
    assert found.cache.path == project / "cache"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert load(flags={"storage.local.path": "~/x"}, environ={}).settings.storage.local.path == tmp_path / "me/x"


def test_every_empty_file_is_the_defaults(tmp_path: Path, write: Write) -> None:
    for text in ("", "# nothing\n", "---\n", "null\n", "storage:\n", "{}", "\ufeffstorage:\n"):
        assert load([write(tmp_path / "a.yaml", text)], environ={}).settings == Settings()


def test_numbers_are_taken_as_they_are_written(tmp_path: Path, write: Write) -> None:
    text = "storage:\n  azure:\n    account: 007\n  s3:\n    bucket: 2024-01-01\n    region: 1.50\n"
    found = load([write(tmp_path / "a.yaml", text)], environ={}).settings.storage
    assert (found.azure.account, found.s3.bucket, found.s3.region) == ("007", "2024-01-01", "1.50")


WRONG = {
    "unknown key": ("storage:\n  bakend: s3", 2, "storage.bakend: found an unknown key, allowed backend, s3"),
    "suggestion": ("storage:\n  bakend: s3", 2, "did you mean storage.backend?"),
    "moved key": ("storage:\n  bucket: x", 2, "did you mean storage.s3.bucket or storage.gcs.bucket?"),
    "unknown root": ("storage:\nllm: 1", 2, "llm: found an unknown key, allowed storage"),
    "merge key": ("storage:\n  <<: {}", 2, "storage.<<: found an unknown key"),
    "choice": ("storage:\n  backend: s4", 2, "storage.backend: found “s4”, allowed local, s3, gcs or azure"),
    "signature": (
        "storage:\n  s3: {signature_version: s3}",
        2,
        "found “s3”, allowed s3v4, which is the only",
    ),
    "boolean": ("storage:\n  cache: {enabled: yes}", 2, "found “yes”, allowed true or false"),
    "text": ("storage:\n  s3: {region: true}", 2, "found true, allowed text"),
    "number": ("storage: {performance: {retry_attempts: 21}}", 1, "allowed a whole number from 0 to 20"),
    "fraction": ("storage: {performance: {retry_attempts: 1.0}}", 1, "allowed a whole number from 0 to 20"),
    "size": ("storage:\n  cache:\n    max_size: 5XB", 3, "found “5XB”, allowed a size such as 5MB"),
    "no size": ("storage: {cache: {max_size: 0}}", 1, "found “0”, allowed a size"),
    "duration": ("storage:\n  cache:\n    ttl: 60", 3, "found “60”, allowed a duration such as 500ms"),
    "no time": ("storage: {performance: {timeout: 0s}}", 1, "allowed a duration above zero"),
    "long": ("storage: {cache: {ttl: 99999d}}", 1, "of at most 3650d"),
    "section": ("storage:\n  s3: bucket", 2, "storage.s3: found a value, allowed a section of keys"),
    "list": ("storage:\n  s3:\n  - a", 3, "storage.s3: found a list, allowed a section of keys"),
    "mapping": ("storage:\n  backend: {a: 1}", 2, "storage.backend: found a section, allowed local"),
    "root": ("- a", 1, "the file: found a list, allowed a section of keys"),
    "twice": (
        "storage:\n  backend: s3\n  backend: s3",
        3,
        "storage.backend: found a second time, allowed once",
    ),
    "key": ("storage:\n  [a]: 1", 2, "storage: found a list as a key, allowed a name"),
    "anchor": ("storage:\n  s3: &a {bucket: x}\n  gcs: *a", 2, "storage.s3: found an anchor or alias"),
    "alias": ("storage:\n  s3: &a {bucket: x}\n  gcs: *a", 2, "storage.gcs: found an anchor or alias"),
    "anchors": ("storage:\n  s3: &a {}\n  gcs: &a {}", 3, "storage.gcs: found an anchor or alias"),
    "tag": ("storage:\n  backend: !!binary aGk=", 2, "storage.backend: found a value with a tag"),
    "own tag": ("storage: !x {}", 1, "storage: found a section, allowed a section of keys"),
    "url": ("storage: {s3: {endpoint_url: 'ftp://x'}}", 1, "allowed an address such as https"),
    "port": ("storage: {s3: {endpoint_url: 'http://x:99999'}}", 1, "allowed an address such as https"),
    "bucket": ("storage: {s3: {bucket: 's3://x'}}", 1, "found “s3://x”, allowed a bucket's bare name"),
    "prefix": ("storage: {s3: {prefix: a/../b}}", 1, "found “a/../b”, allowed a folder"),
    "control": ('storage: {s3: {region: "a\\nb"}}', 1, "found “a\\nb”, allowed text without control"),
    "surrogate": ('storage: {s3: {region: "\\ud800"}}', 1, "allowed text without control"),
    "user": ("storage: {local: {path: ~no-such-user-here/x}}", 1, "there is no such user's home"),
    "tab": ("storage:\n\tbackend: s3", 2, "it is not valid YAML: column 1: found character TAB"),
    "broken": ("storage:\n  s3: {a", 2, "it is not valid YAML: column 9: expected ',' or '}'"),
    "colon": ("storage:\n  a: b: c", 2, "it is not valid YAML: column 7"),
    "documents": ("storage:\n---\nstorage:", 2, "it is not valid YAML: column 1: but found another document"),
    "control byte": ("storage: \x01", 0, "it is not valid YAML: unacceptable character"),
    "below persona": ("persona:\n  storage:\n    backend: s4", 3, "persona.storage.backend: found “s4”, allowed local"),
    "unknown below persona": (
        "persona:\n  storage:\n    bucket: x",
        3,
        "did you mean persona.storage.s3.bucket or persona.storage.gcs.bucket?",
    ),
    "both": ("storage: {}\npersona:\n  storage: {}", 1, "storage: found beside persona, allowed at the top or below"),
    "beside persona": ("persona: {}\nllm: 1", 2, "llm: found an unknown key, allowed storage"),
    "persona twice": ("persona: {}\npersona: {}", 2, "persona: found a second time, allowed once (line 1)"),
    "no section": ("persona: 1", 1, "persona: found a value, allowed a section of keys"),
    "depth": ("[" * 1000, 0, "it is nested too deeply"),
    "size of file": ("#" * (1024 * 1024 + 1), 0, "it is larger than 1 MiB"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_names_file_line_key_found_and_allowed(tmp_path: Path, write: Write, name: str) -> None:
    text, line, message = WRONG[name]
    file = write(tmp_path / "persona.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load([file], environ={})
    assert caught.value.exit_code == 3
    assert caught.value.hint
    lines = caught.value.message.splitlines()[1:]
    where = f"  {file}:{line}: " if line else f"  {file}: "
    assert any(got.startswith(where) and message in got for got in lines), caught.value.message


def test_not_utf8_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "persona.yaml"
    file.write_bytes(b"storage:\n  backend: \xff\n")
    assert read_file(file).problems == [f"{file}:2: it is not UTF-8"]
    file.write_bytes("storage:\n".encode("utf-16"))
    assert read_file(file).problems == [f"{file}:1: it is not UTF-8"]


def test_a_folder_and_a_lost_link_are_named(tmp_path: Path) -> None:
    assert read_file(tmp_path).problems == [f"{tmp_path}: it cannot be read: Is a directory"]
    link = tmp_path / "persona.yaml"
    link.symlink_to("nowhere")
    assert read_file(link).problems == [f"{link}: it cannot be read: No such file or directory"]


def test_all_problems_of_all_sources_come_at_once(tmp_path: Path, write: Write) -> None:
    one = write(tmp_path / "one.yaml", "storage:\n  cache:\n    ttl: 3\n  backend: s4\nfoo: 1\n")
    two = write(tmp_path / "two.yaml", "storage: [")
    environ = {
        "PERSONA_STORAGE__S3__BUKET": "b",
        "PERSONA_STORAGE_BACKEND": "s3",
        "PERSONA_STORAGE__S3": "x",
        "PERSONA_STORAGE__CACHE__ENABLED": "1",
        "PERSONA_HOME": "/x",
    }
    with pytest.raises(ConfigError) as caught:
        load([one, two], environ=environ, flags={"storage.backend": "s5"})
    lines = [line.strip() for line in caught.value.message.splitlines()]
    assert lines[0] == "The configuration has 9 problems:"
    assert lines[1] == "flag: storage.backend: found “s5”, allowed local, s3, gcs or azure"
    assert "environment: PERSONA_STORAGE__S3__BUKET: found an unknown variable" in lines[4]
    assert lines[4].endswith("did you mean PERSONA_STORAGE__S3__BUCKET?")
    assert any(line.endswith("did you mean PERSONA_STORAGE__BACKEND?") for line in lines)
    assert any("PERSONA_STORAGE__CACHE__ENABLED: storage.cache.enabled: found “1”" in line for line in lines)
    assert [line.split(": ")[0] for line in lines[-4:]] == [f"{one}:3", f"{one}:4", f"{one}:5", f"{two}:1"]


SECRET = "hunter2-Zk9"


@pytest.mark.parametrize(
    "text",
    [
        "storage:\n  s3:\n    secret_access_key: [SECRET]",
        'storage:\n  s3:\n    secret_access_key: "SECRET\\n"',
        "storage:\n  s3:\n    secret_access_key: *SECRET",
        "storage:\n  s3:\n    secret_access_key: !SECRET!x y",
        "storage:\n  s3:\n    secret_access_key: %SECRET",
        "storage:\n  s3:\n    secret_access_key: 'SECRET",
        "storage:\n  s3:\n    secret_access_key: &SECRET x",
        "storage:\n  s3:\n    secret_acces_key: SECRET",
        "storage:\n  s3:\n    endpoint_url: https://user:SECRET@example.org",
        "storage:\n  s3:\n    endpoint_url: https://user:SEC@SECRET@example.org",
        "storage:\n  azure:\n    endpoint_url: https://a.example.org/c?sig=SECRET",
        "storage:\n  azure:\n    container: AccountName=a;AccountKey=SECRET;x=y",
    ],
)
def test_no_secret_is_in_a_message(tmp_path: Path, write: Write, text: str) -> None:
    file = write(tmp_path / "persona.yaml", text.replace("SECRET", SECRET))
    with pytest.raises(ConfigError) as caught:
        load([file], environ={})
    assert SECRET not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"


def test_a_secret_variable_is_not_in_a_message() -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={"PERSONA_STORAGE__S3__SECRET_ACCESS_KEY": SECRET + "\x01"})
    assert SECRET not in str(caught.value)
    assert "found a value that is not shown, allowed text" in str(caught.value)


def test_a_loaded_secret_does_not_show_itself() -> None:
    found = load(environ={"PERSONA_STORAGE__S3__SECRET_ACCESS_KEY": SECRET})
    assert SECRET not in repr(found)
    secret = found.settings.storage.s3.secret_access_key
    assert secret is not None
    assert secret.reveal() == SECRET


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text("storage:{}[]&*!|>'\"%@\n #-?,\\Ux0s3bck", max_size=80).map(str.encode),
    )
)
def test_any_bytes_load_or_are_a_problem(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "fuzz.yaml"
    file.write_bytes(data)
    found = read_file(file)
    assert all(problem.startswith(str(file)) for problem in found.problems)


def test_loading_without_files_imports_nothing_slow(home: Path) -> None:
    code = (
        "import sys; from persona.workspace import resolve; resolve();"
        "print([m for m in ('ruamel.yaml', 'pydantic', 'filelock', 'asyncio', 'difflib', 'urllib.request')"
        " if m in sys.modules])"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(persona.__file__).parents[1])}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert ran.stdout.strip() == "[]"


def test_every_key_has_a_description() -> None:
    for key in keys().values():
        assert key.doc.endswith("."), key.name
        assert key.allowed, key.name
