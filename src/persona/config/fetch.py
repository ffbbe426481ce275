"""Fetching a secret that is kept elsewhere: the keyring, a variable, a file, a program.

No error repeats anything of what was found there.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from persona.errors import ConfigError, CredentialsError

MAX_BYTES = 64 * 1024
COMMAND_SECONDS = 10.0
_found: dict[tuple[str, str], str] = {}
_lock = threading.Lock()


def fetched(kind: str, name: str) -> str:
    """Return a secret; a keyring or a program is asked once in a process.

    Args:
        kind: ``keyring``, ``env``, ``file`` or ``command``.
        name: the keyring's entry, the variable, the absolute path, or the program with its arguments.

    Raises:
        ConfigError: what keeps it is not there, or cannot be used.
        CredentialsError: it is there and holds no secret.
    """
    with _lock:
        if (kind, name) not in _found:
            text = _FETCH[kind](name)
            if not text or not text.isprintable():
                what = "is empty" if not text else "holds a line break or a control character"
                raise CredentialsError(f"The secret {kind}:{name} {what}.", hint="Put the secret there, alone.")
            if kind in ("env", "file"):  # cheap to ask again
                return text
            _found[kind, name] = text
        return _found[kind, name]


def _from_keyring(name: str) -> str:
    from persona.config import keyrings

    found = keyrings.get(name)
    if found is None:
        raise CredentialsError(
            f"The keyring has no “{name}” of “{keyrings.SERVICE}”.",
            hint=f"Put it there: keyring set {keyrings.SERVICE} {name}. Or set the key anew: "
            "persona storage config set KEY -",
        )
    return found


def _from_environment(name: str) -> str:
    found = os.environ.get(name)
    if not found:
        raise CredentialsError(f"The variable {name}, which is to hold a secret, is not set.", hint=f"Set {name}.")
    return found


def _from_file(name: str) -> str:
    try:
        with Path(name).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise ConfigError(f"The secret's file {name} cannot be read: {reason}.", hint="Check its path.") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"The secret's file {name} is larger than 64 KiB.", hint="Name a file that holds it alone.")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(
            f"The secret's file {name} is not UTF-8.", hint="Name a file that holds the secret alone."
        ) from None


def _from_command(line: str) -> str:
    """Return the first line that a program prints. It gets no shell and no input, and nobody sees what else it says."""
    shown = f"The command for a secret, “{line}”,"
    try:
        code, data = _ran(line)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its quotes do not match"
        raise ConfigError(f"{shown} cannot be run: {reason}.", hint="Check its name and its quotes.") from error
    if code is None:
        took = f"{shown} took longer than {COMMAND_SECONDS:g} seconds."
        raise ConfigError(took, hint="Run it by hand to see what it waits for.")
    if code:
        raise ConfigError(f"{shown} failed with exit code {code}.", hint="Run it by hand to see what it says.")
    try:
        return data.partition(b"\n")[0].decode().removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{shown} printed what is not UTF-8.", hint="Run it by hand to see what it says.") from None


def _ran(line: str) -> tuple[int | None, bytes]:
    """Run a program, and return its exit code, or None if it took too long, and the beginning of what it printed."""
    import shlex
    import subprocess

    process = subprocess.Popen(  # noqa: S603  (the user's own words: a project's file needs their trust)
        shlex.split(line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    printed: list[bytes] = []

    def read() -> None:  # by a thread, since a child of the program may hold the pipe when the program is gone
        assert process.stdout is not None  # noqa: S101
        with process.stdout as stream:
            printed.append(stream.read(MAX_BYTES))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    deadline = time.monotonic() + COMMAND_SECONDS
    reader.join(COMMAND_SECONDS)
    try:
        code = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None, b""
    return (code, printed[0]) if printed else (None, b"")


_FETCH = {"keyring": _from_keyring, "env": _from_environment, "file": _from_file, "command": _from_command}
