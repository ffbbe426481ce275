"""What only shows in a process of its own: signals, pipes, other users, the start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from persona.config.schema import S3Settings, StorageSettings
from persona.config.secret import Secret
from tests import unmeasured
from tests.cli.conftest import Configure, Run, files_below, small_input

Start = Callable[..., subprocess.Popen[str]]
HEAVY = ("urllib3", "sklearn", "numpy", "scipy", "pydantic", "ruamel")


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "http://{}:{}".format(*server.getsockname())


def hanging(address: str) -> StorageSettings:
    """Return the settings of an S3 server at an address."""
    section = S3Settings(
        bucket="bucket",
        region="eu",
        endpoint_url=address,
        access_key_id="testkey",
        secret_access_key=Secret("testsecret"),
    )
    return StorageSettings(backend="s3", s3=section)


def test_a_silent_provider_is_found_out_soon(process: Start, configure: Configure, silent: str) -> None:
    configure(hanging(silent))
    begun = time.monotonic()
    commands = [process("storage", "status", "--json"), process("storage", "config", "test", "--json")]
    (status, _), (tested, _) = (command.communicate(timeout=30) for command in commands)
    assert time.monotonic() - begun < 10 + 5  # two processes start side by side, on a busy machine
    assert [command.returncode for command in commands] == [7, 7]
    assert "did not answer in time" in json.loads(status)["health"]["error"]
    assert json.loads(tested)["ok"] is False


def test_a_test_of_a_silent_provider_shows_the_chain_at_once(process: Start, configure: Configure, silent: str) -> None:
    configure(hanging(silent))
    begun = time.monotonic()
    test = process("storage", "config", "test", "--json")
    out, _ = test.communicate(timeout=30)
    assert time.monotonic() - begun < 2 + 2  # the machine may be busy
    assert test.returncode == 7
    shown = json.loads(out)
    assert shown["credentials"]["source"] == "the configuration (storage.s3.access_key_id)"
    assert [(check["name"], check["ok"]) for check in shown["checks"]] == [("credentials", True), ("list", False)]
    assert "does not answer" in shown["checks"][1]["detail"]


@pytest.mark.parametrize("arguments", [["generate", "input.csv"], ["storage", "status"], ["storage", "list", "--json"]])
def test_ctrl_c_while_the_provider_is_silent(
    process: Start, project: Path, configure: Configure, arguments: list[str]
) -> None:
    small_input(project)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        configure(hanging("http://{}:{}".format(*server.getsockname())))
        running = process(*arguments)
        connection, _ = server.accept()
        while not connection.recv(1):  # a look whether anybody is there, and no request
            connection.close()
            connection, _ = server.accept()
        with connection:
            begun = time.monotonic()
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=20)
    assert time.monotonic() - begun < 3
    assert running.returncode == 130
    assert err == "\nError: Interrupted.\n"  # the empty line closes the ^C that a terminal shows
    assert out == "" if "--json" not in arguments else json.loads(out)["error"]["exit_code"] == 130


@pytest.fixture
def many(home: Path) -> Path:
    """A local storage with 5,000 objects."""
    folder = home / "data" / "notes"
    folder.mkdir(parents=True)
    for number in range(5000):
        (folder / f"{number:04}.txt").touch()
    return folder


def test_a_broken_pipe_is_quiet(process: Start, many: Path) -> None:
    for option in ([], ["--json"]):
        running = process("storage", "list", *option)
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(20) == 0
        running.stderr.close()


@pytest.mark.parametrize(
    "arguments", [["storage", "list"], ["storage", "status", "--json"], ["export", "/"], ["--help"]]
)
def test_a_full_disk_behind_stdout(process: Start, home: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        running = process(*arguments, stdout=full)
        _, err = running.communicate(timeout=20)
    assert running.returncode == 1
    assert err == "Error: The output cannot be written: No space left on device.\n  → Send it elsewhere.\n"


def test_output_in_an_encoding_that_lacks_signs(process: Start) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for option in ([], ["--json"]):
        running = process("storage", "status", *option, env=environment)
        out, err = running.communicate(timeout=20)
        assert (running.returncode, err) == (0, "")
        assert out.startswith("{" if option else "Storage Status\n=====")
        assert "Health: [ok] Connected" in out or option
        assert not option or json.loads(out)["health"]["ok"]


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_closed_stream(project: Path, stream: str) -> None:
    command = f"{sys.executable} -m persona storage list --json {stream}>&-"
    ran = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=20, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


AS_ANOTHER_USER = """
import importlib, json, os, pkgutil, sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
import persona
from persona.cli.app import run
commands = json.loads(sys.argv[1])
own = os.environ["PERSONA_HOME"]
os.environ["PERSONA_HOME"] = own + "-other"
# That user may not be able to read the modules, nor Python's own, in a private folder: so all are imported before.
for module in pkgutil.walk_packages(persona.__path__, "persona."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
    run(["generate", "input.csv"])
    for arguments in sorted(commands, key=lambda each: "set" in each):  # which ends in another storage
        run(arguments)
Path("out.yaml").unlink()
os.environ["PERSONA_HOME"] = own
for base, _, names in os.walk(".."):
    Path(base).chmod(0o555)
    for name in names:
        Path(base, name).chmod(0o444)
if not os.geteuid():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for arguments in commands:
    sys.stdout.flush()
    print("code", run(arguments), file=sys.stderr)
"""


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home and a project in a folder that other users can get at, as they cannot at pytest's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("home", "project"):
            (folder / part).mkdir()
        monkeypatch.chdir(folder / "project")
        monkeypatch.setenv("PERSONA_HOME", str(folder / "home"))
        yield folder
        os.chdir("/")


def test_a_read_only_folder(persona: Run, open_folder: Path) -> None:
    small_input(Path())
    assert persona("generate", "input.csv").code == 0
    before = files_below(open_folder)
    cases = [
        (["generate", "input.csv", "--output", "others/"], 4),
        (["generate", "input.csv", "--overwrite"], 4),
        (["export", "--output", "out.yaml"], 4),
        (["storage", "config", "set", "backend", "s3"], 3),
        (["workspace", "create", "team"], 3),
        (["storage", "config", "test"], 4),
        (["list"], 0),
        (["storage", "status"], 0),
    ]
    command = [sys.executable, "-c", AS_ANOTHER_USER, json.dumps([arguments for arguments, _ in cases])]
    # Coverage would be measured by that user too, who may not write its data.
    environment = unmeasured.environment()
    ran = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False, env=environment)
    assert "Traceback" not in ran.stderr
    codes = [int(line.split()[1]) for line in ran.stderr.splitlines() if line.startswith("code ")]
    assert codes == [code for _, code in cases], ran.stderr
    assert ran.stderr.count("Error: ") == 5
    after = files_below(open_folder)
    assert {name: data for name, data in after.items() if not name.startswith("home-other")} == before


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["storage", "list"], ["storage", "--help"]], ids=" ".join
)
def test_nothing_heavy_is_imported_at_the_start(project: Path, arguments: list[str]) -> None:
    program = (
        "import atexit, os, sys\n"
        f"sys.argv = ['persona', *{arguments!r}]\n"
        f"heavy = lambda: [name for name in sys.modules if name.partition('.')[0] in {HEAVY!r}]\n"
        "atexit.register(lambda: print(heavy(), file=sys.stderr))\n"
        "leave = os._exit\n"
        "os._exit = lambda code: (print(heavy(), file=sys.stderr, flush=True), leave(code))\n"
        "from persona.cli import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert (ran.returncode, ran.stderr) == (0, "[]\n")
    assert ran.stdout
