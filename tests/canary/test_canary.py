"""No secret leaves: planted in every place that can hold one, looked for in all that every command leaves behind."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import keyring
import pytest

from persona.cli import app
from persona.config import fetch
from tests.config.keyrings import JsonKeyring
from tests.docs.test_docs import TREE
from tests.servers import Azurite
from tests.serving import Server

ROOT = Path(__file__).parents[2]
SURVEY = ROOT / "examples" / "research" / "survey.csv"
TOKEN = "CANARY0token0of0the0token0endpoint"
FAST = {"PERFORMANCE__RETRY_ATTEMPTS": "0", "PERFORMANCE__TIMEOUT": "2s", "OFFLINE__WRITES": "outbox"}

WELL_AND_BADLY: dict[str, list[list[str]]] = {
    "persona generate": [["input.csv"], ["missing.csv"], ["s3://b-b/x?sig=1"], []],
    "persona list": [[], ["a/../b"]],
    "persona show": [["personas/nobody"], []],
    "persona export": [["--format", "csv", "--output", "out.csv"], ["--format", "odd"]],
    "persona storage stats": [["--detailed"]],
    "persona storage migrate": [
        ["--from", "{backend}", "--to", "file://{folder}/copy"],
        ["--from", "odd", "--to", "s3"],
    ],
    "persona storage sync": [["--from", "personas", "--to", "{folder}/synced"], ["--from", "x"]],
    "persona storage cache warm": [["personas"], ["../x"]],
    "persona storage cache clear": [[], ["--older-than", "x"]],
    "persona storage config set": [["s3.region", "eu-west-2"], ["odd", "x"], ["azure.account_key", "\x00"]],
    "persona storage outbox flush": [[]],
    "persona workspace create": [["team", "--backend", "s3", "--set", "s3.bucket=other"], ["A"]],
    "persona workspace delete": [["team", "--yes"], ["team"]],
    "persona trust": [["--list"], ["--yes"], ["missing.yaml"]],
}
"""Arguments of commands; one that is not here is run bare, with a word too many, and with an option that is none."""


def garbled(value: str) -> str:
    """Return what a server may make of a header: percent-encoded, base64 of it and of what it is part of, and cut."""
    token = value.rpartition(" ")[2]
    coded = [quote(token, safe=""), *(base64.b64encode(text.encode()).decode() for text in (token, f"x{value}"))]
    return " ".join([*coded, *(token[at : at + 9] for at in range(0, len(token), 9)), token[:-3], token[5:]])


class Mirror(BaseHTTPRequestHandler):
    """A provider that refuses everything, and repeats all that it was sent, also encoded and in parts."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/token"):
            body = json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        else:
            said = f"{self.path} {self.headers} {' '.join(map(garbled, self.headers.values()))}"
            body = f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>"
        self.send_response(200 if self.path.startswith("/token") else 403)
        self.send_header("x-ms-error-code", "AuthorizationFailure")
        self.send_header("Content-Type", "application/json" if "token" in self.path else "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815  (the names that http.server looks for)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ground(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a survey, a home, and a keyring of the test's own; the current folder."""
    monkeypatch.setattr(fetch, "_found", {})
    monkeypatch.setenv("PERSONA_TEST_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in FAST.items():
        monkeypatch.setenv(f"PERSONA_STORAGE__{name}", value)
    before = keyring.get_keyring()
    backend: Callable[[], Any] = JsonKeyring
    keyring.set_keyring(backend())
    project = tmp_path / "project"
    project.mkdir()
    home.mkdir(mode=0o700)
    (project / "input.csv").write_text("Respondent,Age,What annoys you?\nP1,30,prices\nP2,40,text\nP3,30,prices\n")
    monkeypatch.chdir(project)
    yield project
    keyring.set_keyring(before)


Plant = Callable[[Path, Path, str, pytest.MonkeyPatch], tuple[dict[str, Any], list[str]]]
"""Plants secrets, and returns the storage's settings and the secrets."""


def of_environment(ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    secrets = ["CANARY1secret0key0of0the0environment", "CANARY1session0token"]
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIACANARY")
    patch.setenv("AWS_SECRET_ACCESS_KEY", secrets[0])
    patch.setenv("AWS_SESSION_TOKEN", secrets[1])
    return {"backend": "s3", "s3": {"bucket": "b-b", "endpoint_url": url, "region": "us-east-1"}}, secrets


def of_profile(ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    secrets = ["CANARY2secret0key0of0the0profile", "CANARY2token0of0the0profile"]
    keys = f"aws_access_key_id=AKIA2\naws_secret_access_key={secrets[0]}\naws_session_token={secrets[1]}\n"
    (ground.parent / ".aws").mkdir()
    (ground.parent / ".aws" / "credentials").write_text(f"[work]\n{keys}")
    settings = {"bucket": "b-b", "endpoint_url": url, "region": "us-east-1", "profile": "work"}
    return {"backend": "s3", "s3": settings}, secrets


def of_string(ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    secret = base64.b64encode(b"CANARY3-key-of-the-connection-string").decode()
    string = f"AccountName=acc;AccountKey={secret};BlobEndpoint={url}/acc"
    return {"backend": "azure", "azure": {"container": "c-c", "connection_string": string}}, [secret]


def of_sas(ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    secret = "CANARY4signature+of/the=keyring"
    keyring.set_password("persona", "sas", f"?sv=2022-11-02&sp=rwdl&sig={quote(secret, safe='')}")
    azure = {"account": "acc", "container": "c-c", "sas_token": "keyring:sas", "endpoint_url": f"{url}/acc"}
    return {"backend": "azure", "azure": azure}, [secret]


def of_command(ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    secret = base64.b64encode(b"CANARY5-key-that-a-program-prints").decode()
    (ground.parent / "key.txt").write_text(secret)
    azure = {"account": "acc", "container": "c-c", "endpoint_url": f"{url}/acc"}
    return {"backend": "azure", "azure": azure | {"account_key": f"command:cat '{ground.parent}/key.txt'"}}, [secret]


def of_service_account(
    ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], list[str]]:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    made = generate_private_key(65537, 2048)
    pem = made.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
    account = {"type": "service_account", "client_email": "a@b.example", "token_uri": f"{url}/token"}
    (ground.parent / "key.json").write_text(json.dumps(account | {"private_key": pem, "private_key_id": "1"}))
    gcs = {"bucket": "b-b", "endpoint_url": url, "credentials_file": str(ground.parent / "key.json")}
    return {"backend": "gcs", "gcs": gcs}, [TOKEN, *pem.splitlines()[1:-1]]


def of_project(ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    secrets = ["CANARY6secret0key0of0the0project", "CANARY6session0token"]
    keys = {"access_key_id": "AKIA6", "secret_access_key": secrets[0], "session_token": secrets[1]}
    return {"backend": "s3", "s3": {"bucket": "b-b", "endpoint_url": url, "region": "us-east-1", **keys}}, secrets


def of_proxy(ground: Path, home: Path, url: str, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], list[str]]:
    """The mirror is the proxy: it is shown the password, and repeats it as it repeats all else."""
    settings, secrets = of_environment(ground, home, "http://s3.test", patch)
    settings["s3"]["allow_insecure"] = True
    password = "CANARY8password-of/the+proxy"
    patch.setenv("HTTP_PROXY", url.replace("://", f"://someone:{quote(password, safe='')}@"))
    return settings, [*secrets, password, base64.b64encode(f"someone:{password}".encode()).decode()]


PLACES: dict[str, Plant] = {
    "environment": of_environment,
    "profile": of_profile,
    "connection string": of_string,
    "SAS in the keyring": of_sas,
    "program": of_command,
    "service account": of_service_account,
    "project": of_project,
    "proxy": of_proxy,
}


def forms(secrets: list[str]) -> list[bytes]:
    """Return how a secret may be spelled where it has leaked."""
    found = []
    for secret in secrets:
        found += [secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-2]]
        parts = [secret[at : at + 9] for at in range(0, len(secret) - 8, 9)]
        found += [part for part in parts if any(map(str.isdigit, part))]  # the others are words, such as environment
    return [form.encode() for form in found if len(form) > 8]


def leaks(data: bytes, secrets: list[str]) -> list[bytes]:
    return [form for form in forms(secrets) if form in data]


def check_files(folders: list[Path], planted: list[Path], secrets: list[str]) -> None:
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file() and file not in planted:
                assert not leaks(file.read_bytes(), secrets), file


def command_lines(backend: str, folder: Path) -> Iterator[list[str]]:
    """Yield every command of the tool, well and badly."""
    for name in TREE:
        for given in WELL_AND_BADLY.get(name, [[], ["x"], ["--no-such-option"]]):
            words = [word.format(backend=backend, folder=folder) for word in given]
            yield [*name.split()[1:], *words, "--verbose"]
            if words == [] or "x" not in words:
                yield [*name.split()[1:], *words, "--json"]


def run_everything(
    backend: str, ground: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, secrets: list[str]
) -> set[int]:
    """Run every command; return the exit codes that there were."""
    codes = set()
    for number, line in enumerate(command_lines(backend, ground.parent / "out" / "x")):
        monkeypatch.setattr(sys, "stdin", io.StringIO("null\n"))
        codes.add(app.run(line))
        out, err = capsys.readouterr()
        assert "Traceback" not in err, (number, line, err)
        assert not leaks((out + err).encode(), secrets), (line, out, err)
    return codes


@pytest.mark.parametrize("place", PLACES)
def test_no_command_shows_or_keeps_a_secret(
    place: str,
    ground: Path,
    home: Path,
    mirror: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage, secrets = PLACES[place](ground, home, mirror, monkeypatch)
    file = (ground if place == "project" else home) / "persona.yaml"
    file.touch(0o600)
    file.write_text(json.dumps({"storage": storage}))
    codes = run_everything(storage["backend"], ground, capsys, monkeypatch, secrets)
    assert {0, 2, 3, 4} <= codes
    check_files([home, ground], [file], secrets)


SIGNED = {
    "S3": "https://b-b.s3.amazonaws.com/a.csv?X-Amz-Security-Token={0}&X-Amz-Signature={0}",
    "GCS": "https://storage.googleapis.com/b-b/a.csv?X-Goog-Credential=a%40b.example&X-Goog-Signature={0}",
    "Azure": "https://acc.blob.core.windows.net/c-c/a.csv?sv=2022-11-02&sp=r&sig={0}",
    "a storage URL": "s3://b-b/a.csv?X-Amz-Signature={0}",
    "a password": "https://user:{0}@127.0.0.1:9/a.csv",
}


@pytest.mark.parametrize("kind", SIGNED)
def test_nor_one_in_an_address(
    kind: str, ground: Path, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signed address that somebody gives where a place, a file, a value or an endpoint is wanted."""
    secret = "CANARY7f0e1d2c3b4a59687f0e1d2c3b4a5968"
    url = SIGNED[kind].format(secret)
    codes = set()
    ways = [[url], ["--from", url, "--to", "personas"], ["--from", "personas", "--to", url], ["--output", url]]
    for name in TREE:
        for way in ways:
            monkeypatch.setattr(sys, "stdin", io.StringIO("null\n"))
            codes.add(app.run([*name.split()[1:], *way, "--verbose"]))
            out, err = capsys.readouterr()
            assert "Traceback" not in err, (name, way, err)
            assert not leaks((out + err).encode(), [secret]), (name, way, out, err)
    monkeypatch.setenv("PERSONA_STORAGE__BACKEND", "s3")
    monkeypatch.setenv("PERSONA_STORAGE__S3__BUCKET", "b-b")
    monkeypatch.setenv("PERSONA_STORAGE__S3__ENDPOINT_URL", url)
    for line in (["storage", "config", "show"], ["storage", "status", "-v"], ["storage", "config", "test", "-v"]):
        codes.add(app.run(line))
        assert not leaks("".join(capsys.readouterr()).encode(), [secret]), line
    assert {2, 3} <= codes
    check_files([home, ground], [], [secret])


@pytest.mark.parametrize("name", ["moto", "azurite"])
def test_nor_where_everything_succeeds(
    name: str,
    ground: Path,
    home: Path,
    running: Callable[[str], Server],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = running(name)
    if isinstance(server, Azurite):
        keyring.set_password("persona", "key", server.account_key)
        section: dict[str, Any] = {
            "account": server.account,
            "account_key": "keyring:key",
            "endpoint_url": server.endpoint,
        }
        storage: dict[str, Any] = {
            "backend": "azure",
            "azure": section | {"container": server.make_bucket(f"canary-{os.getpid()}")},
        }
        secrets = [server.account_key]
    else:
        storage, secrets = of_environment(ground, home, server.endpoint, monkeypatch)
        storage["s3"]["bucket"] = server.make_bucket(f"canary-{os.getpid()}")
    file = home / "persona.yaml"
    file.touch(0o600)
    cache = {"cache": {"enabled": True}}
    file.write_text(json.dumps({"storage": storage | cache}))
    for line in (["generate", str(SURVEY), "-v"], ["list", "-v"], ["storage", "config", "test", "-v"]):
        assert app.run(line) == 0
        assert not leaks("".join(capsys.readouterr()).encode(), secrets)
    run_everything(storage["backend"], ground, capsys, monkeypatch, secrets)
    check_files([home, ground], [file], secrets)


def test_nor_a_process_that_is_killed(
    ground: Path, home: Path, mirror: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    storage, secrets = of_environment(ground, home, mirror, monkeypatch)
    (home / "persona.yaml").write_text(json.dumps({"storage": storage}))
    monkeypatch.setenv("PERSONA_STORAGE__PERFORMANCE__RETRY_ATTEMPTS", "5")
    for arguments in (
        ["storage", "migrate", "--from", "s3", "--to", f"file://{tmp_path}/c"],
        ["storage", "list", "-v"],
    ):
        for sent in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            process = subprocess.Popen(
                [sys.executable, "-m", "persona", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            )
            time.sleep(0.3)
            line = Path(f"/proc/{process.pid}/cmdline").read_bytes() if sys.platform == "linux" else b""
            process.send_signal(sent)
            out, err = process.communicate(timeout=30)
            assert not leaks(line + out + err, secrets)
    check_files([home, ground], [], secrets)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" + base64.b64encode(b"CANARY-secret") + b"x")
    with pytest.raises(AssertionError):
        check_files([tmp_path], [], ["CANARY-secret"])
    assert not leaks(b"nothing", ["CANARY-secret"])
