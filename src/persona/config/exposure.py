"""Secrets that stand in a file as they are: who else may see them, and what can be done."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from persona import ownership
from persona.config.load import Entry, FileContent
from persona.config.schema import keys
from persona.config.secret import Reference, Secret
from persona.errors import ConfigError

GIT_SECONDS = 3.0
_MAX_POINTER = 4096
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


def _repository(file: Path) -> Path | None:
    """Return the folder of the repository that a file lies in; None if it lies in none."""
    return next((folder for folder in file.parents if (folder / ".git").exists()), None)


def _doubt_of_repository(folder: Path) -> str:
    """Say why a repository may not be the user's own; "" if it is. Git would obey its settings.

    In a worktree and a submodule ``.git`` is a file that names another folder, and ``commondir`` in that names the one
    with the settings (gitrepository-layout(5)).
    """
    place, doubts = folder / ".git", []
    try:
        if place.is_file():
            doubt, named = _pointer(place)
            doubts.append(doubt)
            place = folder / named.removeprefix("gitdir:").strip()
        if (place / "commondir").exists():
            doubts.append(ownership.doubt_of_folder(place))
            doubt, named = _pointer(place / "commondir")
            doubts.append(doubt)
            place /= named
        doubts += [ownership.doubt_of_way(place), ownership.doubt_of_folder(place)]
        if (place / "config").exists():
            doubts.append(_pointer(place / "config")[0])
    except OSError as error:
        doubts.append(f"{place} cannot be looked at: {error.strerror}")
    return next(filter(None, doubts), "")


def _pointer(file: Path) -> tuple[str, str]:
    """Return why a file of a repository may not be the user's own, and the beginning of what it says."""
    stream, doubt = ownership.open_file(file)
    with stream:
        return doubt, stream.read(_MAX_POINTER).decode("utf-8", "replace").strip()


def _is_tracked(file: Path) -> bool:
    """Say whether git tracks a file; no, where there is no git or it does not answer in time.

    A repository that was unpacked rather than cloned may bring settings that run programs. The listing of one name
    needs none of them, so all are switched off. One that may be another user's is not asked at all: git itself refuses
    it since 2.35.2, and obeyed it before (CVE-2022-24765).
    """
    real = Path(os.path.realpath(file))
    folder = _repository(real)
    if folder is None:
        return False
    if doubt := _doubt_of_repository(folder):
        _log.warning("Git was not asked whether it tracks %s: %s.", file, doubt)
        return False
    import shutil
    import subprocess

    git = shutil.which("git")
    if git is None:
        return False

    inert = ["-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    environment["GIT_CEILING_DIRECTORIES"] = str(folder.parent)  # the repository that was checked, and none above it
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
