"""A project's file is not the user's: what it may not do, and the user's word."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from persona.config import fetch, trust

Write = Callable[[Path, str], Path]
COMMANDS = (("storage", "list"), ("storage", "status"), ("storage", "config", "test"), ("list",), ("export",))


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_found", {})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_KEY"):
        monkeypatch.delenv(name, raising=False)


def s3(**values: str | bool) -> str:
    return json.dumps({"storage": {"backend": "s3", "s3": {"bucket": "b-b", "region": "eu-west-2"} | values}})


KEYS: dict[str, str | bool] = {"access_key_id": "AK", "secret_access_key": "literal-secret"}
ASKING = {
    "command": (s3(access_key_id="AK", secret_access_key="command:/bin/false x"), "run the program “/bin/false x”"),
    "file": (s3(access_key_id="AK", secret_access_key="file:../key"), "read the file"),
    "residency": ("storage: {residency: {allow: [eu-west-2], enforce: false}}", "outside of the regions"),
    "insecure": (s3(**KEYS, endpoint_url="http://evil.example", allow_insecure=True), "without encryption"),
    "payer": (s3(request_payer="requester"), "have your account pay for the requests"),
    "user project": ("storage: {gcs: {user_project: payer}}", "have the project payer pay for the requests"),
    "endpoint": (s3(endpoint_url="https://evil.example"), "send your credentials to https://evil.example"),
    "loopback": (s3(endpoint_url="http://127.0.0.1:9"), "send your credentials to http://127.0.0.1:9"),
    "half": (s3(access_key_id="AK", endpoint_url="https://evil.example"), "send your credentials"),
    "profile": (s3(profile="work", endpoint_url="https://evil.example"), "send your credentials"),
    "env": (
        s3(access_key_id="AK", secret_access_key="env:K", endpoint_url="https://e.example"),
        "send your credentials",
    ),
    "keyring": (s3(**KEYS, session_token="keyring:K", endpoint_url="https://e.example"), "send your credentials"),
    "credentials file": ("storage: {gcs: {credentials_file: key.json}}", "take credentials from the file"),
    "ADC": ("storage: {gcs: {endpoint_url: 'https://evil.example'}}", "send your credentials"),
    "identity": ("storage: {azure: {endpoint_url: 'http://127.0.0.1:9/a'}}", "send your credentials"),
    "string": ("storage: {azure: {connection_string: 'env:S', endpoint_url: 'https://e.example'}}", "your credentials"),
    "local": ("storage: {local: {path: ../elsewhere}}", "outside of the project"),
    "cache": ("storage: {cache: {path: ~/.ssh}}", "outside of the project"),
    "home": ("storage: {local: {path: ~/.persona}}", "outside of the project"),
}
HARMLESS = {
    "bucket": s3(),
    "own keys": s3(**KEYS, endpoint_url="https://minio.example"),
    "anonymous": s3(anonymous=True, endpoint_url="https://open.example"),
    "references": s3(access_key_id="AK", secret_access_key="env:K", session_token="keyring:K"),
    "not insecure": s3(allow_insecure=False),
    "an emulator": "storage: {backend: gcs, gcs: {bucket: b-b, endpoint_url: 'http://127.0.0.1:9'}}",
    "own string": "storage: {azure: {connection_string: 'AccountName=a;AccountKey=abcd', endpoint_url: 'https://e.example'}}",
    "in the project": "storage: {local: {path: ./data}, cache: {path: .cache}}",
    "the usual": "storage: {local: {path: ~/.persona/data}, cache: {path: ~/.persona/cache}}",
    "null": "storage: {s3: {endpoint_url: null}, gcs: {credentials_file: null}}",
}


@pytest.mark.parametrize("case", ASKING)
def test_what_only_the_user_may_allow(case: str, persona: Any, project: Path, write: Write, home: Path) -> None:
    text, words = ASKING[case]
    file = write(project / "persona.yaml", text)
    ran = persona("storage", "outbox", "list")
    assert ran.code == 3
    for part in (f"{file}:1: storage.", words, "“persona trust”"):
        assert part in ran.err
    assert persona("config", "show").code == 0
    assert persona("--config", str(file), "storage", "outbox", "list").code == 0
    assert persona("trust", "--yes").code == 0
    assert persona("storage", "outbox", "list").code == 0
    file.rename(write(home / "persona.yaml", ""))
    assert persona("storage", "outbox", "list").code == 0


@pytest.mark.parametrize("case", HARMLESS)
def test_what_any_file_may_say(case: str, persona: Any, project: Path, write: Write) -> None:
    file = write(project / "persona.yaml", HARMLESS[case])
    assert persona("storage", "outbox", "list").code == 0
    assert persona("trust", "--json").json == {"file": str(file), "trusted": True, "changed": True, "allows": []}


def test_a_link_out_of_the_project(persona: Any, project: Path, write: Write, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (project / "data").symlink_to(tmp_path / "private")
    write(project / "persona.yaml", "storage: {local: {path: data}}")
    assert persona("storage", "outbox", "list").code == 3


def test_values_of_the_user_are_never_asked_for(
    persona: Any, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "persona.yaml", s3())
    monkeypatch.setenv("PERSONA_STORAGE__S3__ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PERSONA_STORAGE__S3__SECRET_ACCESS_KEY", "command:/bin/false")
    monkeypatch.setenv("PERSONA_STORAGE__S3__ALLOW_INSECURE", "true")
    assert persona("storage", "outbox", "list").code == 0


LOOSENED = {
    "wider": ("storage: {residency: {allow: [eu-west-2, us-east-1]}}", "in us-east-1, against a rule of your own"),
    "any": ("storage: {residency: {allow: []}}", "in any region"),
    "no rule": ("storage: {residency: {allow: null}}", "in any region"),
    "unencrypted": ("storage: {cache: {encrypt: false}}", "unencrypted"),
    "kept": ("storage: {cache: {never: ['*.csv']}}", "copies of interviews/ on this machine"),
}
RULES = "storage: {residency: {allow: [eu-west-2, uksouth]}, cache: {encrypt: true, never: [interviews/]}}"


@pytest.mark.parametrize("case", LOOSENED)
def test_rules_of_the_user_are_not_loosened(case: str, persona: Any, project: Path, write: Write, home: Path) -> None:
    text, words = LOOSENED[case]
    file = write(project / "persona.yaml", text)
    assert persona("storage", "outbox", "list").code == 0  # there is no rule yet
    write(home / "persona.yaml", RULES)
    ran = persona("storage", "outbox", "list")
    assert ran.code == 3
    assert f"{file}:1: storage." in ran.err
    assert words in ran.err
    assert persona("trust", "--yes").code == 0
    assert persona("storage", "outbox", "list").code == 0


def test_rules_of_the_user_may_be_tightened(persona: Any, project: Path, write: Write, home: Path) -> None:
    write(home / "persona.yaml", RULES)
    tighter = "{residency: {allow: [uksouth]}, cache: {encrypt: true, never: [interviews/, '*.csv']}}"
    write(project / "persona.yaml", f"storage: {tighter}")
    assert persona("storage", "outbox", "list").code == 0


def test_the_life_of_a_trust(persona: Any, project: Path, write: Write, home: Path) -> None:
    assert persona("trust", "--list").out == "No file is trusted.\n"
    assert persona("trust").code == 5
    file = write(project / "persona.yaml", ASKING["endpoint"][0])
    refused = persona("trust")
    assert refused.code == 2
    assert "send your credentials to https://evil.example" in refused.err
    assert "--yes" in refused.err
    done = persona("trust", "--yes", "--json").json
    assert [each["key"] for each in done["allows"]] == ["storage.s3.endpoint_url"]
    assert (home / "trust.json").stat().st_mode & 0o777 == 0o600
    assert persona("trust", "--list", "--json").json == {"files": [{"file": str(file), "state": "trusted"}]}
    write(file, file.read_text() + "\n# a change\n")
    assert persona("storage", "outbox", "list").code == 3
    assert persona("trust", "--list").out.startswith("changed")
    assert persona("trust", str(file), "--yes").code == 0
    assert persona("storage", "outbox", "list").code == 0
    assert "not trusted any more" in persona("trust", "--revoke").out
    assert "was not trusted" in persona("trust", "--revoke").out
    assert persona("storage", "outbox", "list").code == 3
    assert persona("trust", "--list", "--yes").code == 2


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130)])
def test_trust_asks_on_a_terminal(
    persona: Any, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    write(project / "persona.yaml", ASKING["command"][0])
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert persona("trust").code == code
    assert persona("storage", "outbox", "list").code == (0 if code == 0 else 3)


def test_what_the_user_sets_by_a_command_is_theirs(persona: Any, project: Path, write: Write) -> None:
    file = write(project / "persona.yaml", s3())
    assert persona("config", "set", "s3.endpoint_url", "https://minio.example").code == 0
    assert persona("storage", "outbox", "list").code == 0
    assert persona("config", "set", "s3.region", "eu-west-1").code == 0
    assert persona("storage", "outbox", "list").code == 0
    write(file, ASKING["command"][0])
    assert persona("config", "set", "s3.region", "eu-west-1").code == 0
    assert persona("storage", "outbox", "list").code == 3


@pytest.mark.parametrize("text", ["{", "[]", '{"files": [1]}', "\xff", "[" * 100_000])
def test_a_broken_memory_trusts_nothing(persona: Any, project: Path, write: Write, home: Path, text: str) -> None:
    write(project / "persona.yaml", ASKING["endpoint"][0])
    write(home / "trust.json", text)
    ran = persona("storage", "outbox", "list")
    assert ran.code == 3
    assert "trust.json" in ran.err


class Counting(BaseHTTPRequestHandler):
    """Answers as the metadata services of the three providers do, and as a bucket; counts both."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers.get('Authorization', '')}")
        answer = {
            "access_token": "TOKEN-of-this-machine",
            "token": "TOKEN-of-this-machine",
            "expires_in": 3600,
            "expires_on": "4102444800",
            "resource": "https://storage.azure.com",
            "token_type": "Bearer",
            "AccessKeyId": "AKIAMACHINE",
            "SecretAccessKey": "secret-of-this-machine",
            "Token": "TOKEN-of-this-machine",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815  (the names that http.server looks for)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A machine in a cloud, whose metadata services give tokens to whoever asks."""
    Counting.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv("GCE_METADATA_HOST", address)
    monkeypatch.setenv("GCE_METADATA_IP", address)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{address}/msi")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://{address}/role")
    monkeypatch.setenv("PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS", "0")
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def hostile(address: str, ran: Path) -> dict[str, dict[str, Any]]:
    run = f"command:/usr/bin/touch {ran}"
    return {
        "command": {"backend": "azure", "azure": {"account": "a", "container": "c-c", "account_key": run}},
        "file": {"backend": "azure", "azure": {"account": "a", "container": "c-c", "sas_token": "file:/etc/passwd"}},
        "plain http": {
            "backend": "s3",
            "s3": {"bucket": "b-b", "endpoint_url": "http://evil.example", "allow_insecure": True},
        },
        "role": {"backend": "s3", "s3": {"bucket": "b-b", "endpoint_url": f"http://{address}"}},
        "ADC": {"backend": "gcs", "gcs": {"bucket": "b-b", "endpoint_url": f"https://{address}"}},
        "identity": {
            "backend": "azure",
            "azure": {"account": "a", "container": "c-c", "endpoint_url": f"http://{address}/a"},
        },
    }


@pytest.mark.parametrize("case", hostile("", Path()))
def test_a_hostile_project_runs_nothing_and_gets_no_token(
    case: str, persona: Any, project: Path, machine: str, tmp_path: Path
) -> None:
    storage = hostile(machine, tmp_path / "ran")[case]
    (project / "persona.yaml").write_text(json.dumps({"storage": storage}))
    for command in COMMANDS:
        assert persona(*command).code == 3, command
    assert Counting.asked == []
    assert not (tmp_path / "ran").exists()
    if case in ("role", "identity", "command"):  # the trap works: with trust it happens
        assert persona("trust", "--yes").code == 0
        persona("storage", "list")
        assert Counting.asked or (tmp_path / "ran").exists()


def test_the_digest_is_that_of_the_file(tmp_path: Path, write: Write) -> None:
    assert trust.digest("a\n") == "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
