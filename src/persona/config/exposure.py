"""Secrets that stand in a file as they are: who else may see them, and what can be done."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from persona.config.load import Entry, FileContent
from persona.config.schema import keys
from persona.config.secret import Reference, Secret
from persona.errors import ConfigError

GIT_SECONDS = 3.0
_log = logging.getLogger(__name__)


def literals(entries: Mapping[str, Entry]) -> dict[str, Secret]:
    """Return the secrets that stand in a file themselves, by key."""
    found = {name: entry.value for name, entry in entries.items() if keys()[name].secret}
    return {name: value for name, value in found.items() if value is not None and not isinstance(value, Reference)}


def check(files: Iterable[Path], known: Mapping[Path, FileContent], scopes: Mapping[Path, str]) -> None:
    """Warn of secrets that stand in files, and refuse those in a file that git tracks.

    Args:
        files: the files in effect.
        known: what they hold.
        scopes: what ``--scope`` calls a file; a workspace's if it is not here.

    Raises:
        ConfigError: git tracks a file with a secret.
    """
    for file in files:
        found = literals(known[file].entries)
        if not found:
            continue
        command = f"persona storage config secure --scope {scopes.get(file, 'workspace')}"
        if _is_tracked(file):
            raise ConfigError(
                f"{file} holds {_named(found)}, and git tracks it: whoever has the repository has the secret.",
                hint=f"Move it into the keyring with “{command}”, commit that, or take the file out of git with "
                f"“git rm --cached {file.name}”. It stays in the history: have this secret revoked and a new one made.",
            )
        readable = _others_may_read(file)
        who = "and others on this machine may read the file" if readable else "for whoever gets the file"
        tighten = f" Take the others' rights with “chmod 600 {file}”." if readable else ""
        _log.warning(
            "%s stands in %s as it is, %s.\n  → Move it into the keyring with “%s”, or write env:NAME in its place.%s",
            _named(found),
            file,
            who,
            command,
            tighten,
        )


def _named(found: Mapping[str, Secret]) -> str:
    return " and ".join(found)


def _others_may_read(file: Path) -> bool:
    """Say whether the mode of a file lets others read it; Windows has no such mode."""
    return os.name == "posix" and bool(file.stat().st_mode & 0o077)


def _is_tracked(file: Path) -> bool:
    """Say whether git tracks a file; no, where there is no git or it does not answer in time.

    A repository that was unpacked rather than cloned may bring settings that run programs. The listing of one name
    needs none of them, so all are switched off.
    """
    real = Path(os.path.realpath(file))
    if not any((folder / ".git").exists() for folder in real.parents):
        return False
    import shutil
    import subprocess

    git = shutil.which("git")
    if git is None:
        return False

    inert = ["-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        asked = subprocess.run(  # noqa: S603  (git, by its full path, and a name)
            [git, *inert, "ls-files", "--error-unmatch", "--", real.name],
            cwd=real.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
