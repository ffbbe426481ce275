"""Where the key of an encrypted cache comes from, and that it is in no message."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest

import persona
from persona.errors import ConfigError
from persona.storage.cache.keys import cache_key

from . import keyrings

KEY = bytes(range(100, 132))
ROOT = Path(__file__).parents[2]


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that sets a keyring of this name, and returns its file."""
    before = keyring.get_keyring()
    monkeypatch.setenv("PERSONA_TEST_KEYRING", str(tmp_path / "ring"))

    def use(name: str) -> Path:
        module = keyrings if hasattr(keyrings, name) else None
        keyring.set_keyring(getattr(module, name)() if module else keyring.core.load_keyring(name))
        return tmp_path / "ring"

    monkeypatch.setattr(keyring.core, "_keyring_backend", before)
    return use


SPELLINGS = [
    KEY.hex(),
    KEY.hex().upper(),
    base64.b64encode(KEY).decode(),
    base64.urlsafe_b64encode(KEY).decode(),
    base64.b64encode(KEY).decode().rstrip("="),
    f" {KEY.hex()}\n",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_key_in_the_environment(tmp_path: Path, text: str) -> None:
    assert cache_key({"PERSONA_CACHE_KEY": text}, tmp_path).reveal() == KEY.hex()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["hunter2-Zk9", KEY.hex()[:-1], KEY.hex() + "0", base64.b64encode(KEY[:-1]).decode(), "é" * 32, "=" * 44, " "],
)
def test_another_text_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cache_key({"PERSONA_CACHE_KEY": text}, tmp_path)
    assert caught.value.exit_code == 3
    assert "PERSONA_CACHE_KEY is not 32 bytes" in caught.value.message
    assert not text.strip() or text not in caught.value.message + caught.value.hint
    assert "openssl rand" in caught.value.hint


def test_the_first_use_makes_a_key_in_the_keyring(tmp_path: Path, backend: Callable[[str], Path]) -> None:
    ring = backend("FileKeyring")
    made = cache_key({}, tmp_path / "home")
    assert base64.b64decode(ring.read_text()).hex() == made.reveal()
    assert len(made.reveal()) == 64
    assert cache_key({"PERSONA_CACHE_KEY": ""}, tmp_path / "home") == made
    lock = tmp_path / "home" / "cache-key.lock"
    assert lock.stat().st_mode & 0o777 == 0o600
    assert lock.read_bytes() == b""


CODE = """
import sys
from pathlib import Path
from persona.storage.cache.cipher import Cipher
from persona.storage.cache.keys import cache_key
print(Cipher(cache_key({}, Path(sys.argv[1]))).key_id)
"""


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    environ = os.environ | {
        "PYTHONPATH": f"{Path(persona.__file__).parents[1]}{os.pathsep}{ROOT}",
        "PYTHON_KEYRING_BACKEND": "tests.storage.keyrings.FileKeyring",
        "PERSONA_TEST_KEYRING": str(tmp_path / "ring"),
    }
    arguments = [sys.executable, "-c", CODE, str(tmp_path / "home")]
    running = [
        subprocess.Popen(arguments, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 4, answers
    assert len({out for out, _ in answers}) == 1
    assert answers[0][0].strip()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("keyring.backends.fail.Keyring", "the system's keyring cannot be used (NoKeyringError)"),
        ("keyring.backends.null.Keyring", "does not keep what it is given"),
        ("Broken", "the system's keyring cannot be used (LookupError)"),
        ("ReadOnly", "the system's keyring cannot be used (LookupError)"),
    ],
)
def test_without_a_keyring_it_says_what_to_do(
    tmp_path: Path, backend: Callable[[str], Path], name: str, message: str
) -> None:
    backend(name)
    with pytest.raises(ConfigError) as caught:
        cache_key({}, tmp_path)
    assert message in caught.value.message
    assert "PERSONA_CACHE_KEY" in caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_what_is_no_key_in_the_keyring_is_not_repeated(tmp_path: Path, backend: Callable[[str], Path]) -> None:
    backend("FileKeyring").write_text("hunter2-Zk9")
    with pytest.raises(ConfigError) as caught:
        cache_key({}, tmp_path)
    assert "hunter2" not in caught.value.message + caught.value.hint
    assert "keyring del persona 'cache key'" in caught.value.hint


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, backend: Callable[[str], Path]) -> None:
    backend("FileKeyring")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/home cannot be written to: Not a directory"):
        cache_key({}, tmp_path / "file" / "home")


def test_another_process_that_holds_the_key_is_named(
    tmp_path: Path, backend: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from persona.locks import locked
    from persona.storage.cache import keys

    backend("FileKeyring")
    monkeypatch.setattr(keys, "_LOCK_SECONDS", 0.05)
    with locked(tmp_path / "cache-key.lock", 1), pytest.raises(ConfigError, match="Another process"):
        cache_key({}, tmp_path)


def test_without_the_library_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError) as caught:
        cache_key({}, tmp_path)
    assert "keyring, which is not installed" in caught.value.message
    assert "persona[encrypt]" in caught.value.hint


def test_a_backend_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    environ = os.environ | {
        "PYTHONPATH": str(Path(persona.__file__).parents[1]),
        "PYTHON_KEYRING_BACKEND": "no.such.Keyring",
    }
    ran = subprocess.run([sys.executable, "-c", CODE, tmp_path], env=environ, capture_output=True, text=True)
    assert "ConfigError: storage.cache.encrypt is on, and the system's keyring cannot be used" in ran.stderr
