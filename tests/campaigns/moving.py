"""Migrations of a folder that another program changes all the time: appends, renames, deletions, links and pipes."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from persona.config.schema import StorageSettings
from tests.campaigns.command import Command
from tests.campaigns.sites import folder, look, url_of

_STILL = 120
_EACH = 12
"""So many files are treated in each way."""
_FOLDERS = 3
_PAUSE_SECONDS = 0.01
"""Between two changes that are made once. What goes on until the end is done without a pause: a listing that looks at
a name twice meets a change in between only if there are many."""


def _append(file: Path) -> None:
    with file.open("ab", buffering=0) as stream:
        stream.write(_line(file.name))


def _rename(file: Path) -> None:
    file.rename(file.with_name(f"{file.name}.renamed"))


def _replace(file: Path, put: Callable[[Path], None]) -> None:
    """Put something else in a file's place in one step, as a swap of names does."""
    draft = file.with_name(f".swap-{file.name}")
    put(draft)
    draft.replace(file)


def _swap_folder(file: Path) -> None:
    """Give a file's folder, which holds it alone, another name, and put a link to what is outside in its place."""
    file.parent.rename(file.parent.with_name(f"{file.parent.name}.renamed"))
    file.parent.symlink_to("/", target_is_directory=True)


WAYS: dict[str, Callable[[Path], None]] = {
    "appended": _append,
    "renamed": _rename,
    "deleted": Path.unlink,
    "link out": lambda file: _replace(file, lambda draft: draft.symlink_to("/etc/hostname")),
    "loop": lambda file: _replace(file, lambda draft: draft.symlink_to(file.name)),
    "pipe": lambda file: _replace(file, os.mkfifo),
    "folder": _swap_folder,
    "flicker": lambda file: _replace(file, os.mkfifo) if file.is_file() else _replace(file, _write),
}
"""How a file is changed, once; the last goes on until the end."""


@dataclass
class Outcome:
    """What came of one run.

    Args:
        changes: how often a file was changed before the migration ended, in each way.
        state: how the migration ended.
        named: how many paths its report names.
        missing: paths that neither arrived nor were named.
        wrong: paths whose content never was at the source.
    """

    changes: Counter[str]
    state: str
    named: int
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Mover:
    """Changes the files of a folder in a thread, each once and some again and again, until it is stopped.

    Args:
        root: the folder, which is filled.
        dice: draws the order.
    """

    def __init__(self, root: Path, dice: random.Random) -> None:
        self.root = root
        self.changes: Counter[str] = Counter()
        self.still = [self._made("still", number) for number in range(_STILL)]
        self.moving = {self._made(way, number): way for way in WAYS for number in range(_EACH)}
        self._order = dice.sample([*self.moving.items()], len(self.moving))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._move)

    def __enter__(self) -> Mover:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _made(self, way: str, number: int) -> Path:
        alone = f"alone-{number}" if way == "folder" else f"folder-{number % _FOLDERS:02d}"
        file = self.root / alone / f"{number:03d}-{way}"
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file)
        return file

    def _move(self) -> None:
        again = [file for file, way in self.moving.items() if way == "flicker"]
        due = 0.0
        steps = iter(self._order)
        while not self._stop.is_set():
            file, way = again[self.changes["flicker"] % len(again)], "flicker"
            if time.monotonic() > due:
                due = time.monotonic() + _PAUSE_SECONDS
                file, way = next(steps, (file, way))
            WAYS[way](file)
            self.changes[way] += 1


def migrate_while_it_moves(base: Path, target: StorageSettings, seed: int) -> Outcome:
    """Migrate a folder while it is changed, then once more when it is not, and compare."""
    source = folder(base / "source")
    assert source.local.path
    places = (source,) if target.backend == "local" else (source, target)
    command = Command(base / "user", *places)
    migrate = ("storage", "migrate", "--from", url_of(source), "--to", url_of(target), "--json")
    with Mover(source.local.path, random.Random(seed)) as mover:
        report = command.run(*migrate, good=(0, 1)).json
        changes = Counter(mover.changes)
    outcome = _outcome(mover, report, changes, _held(target))
    command.run(*migrate, "--overwrite", good=(1,))  # links, loops and pipes are still there
    held = _held(target)
    missing = [path for path, data in _files(source.local.path).items() if held.get(path) != data]
    outcome.missing += [f"{path}, the second time" for path in missing]
    return outcome


def _outcome(mover: Mover, report: dict[str, Any], changes: Counter[str], held: dict[str, bytes]) -> Outcome:
    named = {item["path"] for item in report["failures"]} | set(report["changed"])
    outcome = Outcome(changes, report["state"], len(named))
    for file in mover.still:
        if held.get(path := _path(mover, file)) != _line(file.name):
            outcome.missing.append(path)
    for file, way in mover.moving.items():
        path = _path(mover, file)
        ways = {path, f"{path}.renamed", f"{file.parent.name}/", f"{file.parent.name}.renamed/{file.name}"}
        arrived = ways & held.keys()
        outcome.wrong += [one for one in arrived if held[one].replace(_line(file.name), b"") or not held[one]]
        may_be_absent = way in ("deleted", "flicker")  # it need not have been there when the source was listed
        if not (arrived or ways & named or may_be_absent):
            outcome.missing.append(path)
    return outcome


def _path(mover: Mover, file: Path) -> str:
    return file.relative_to(mover.root).as_posix()


def _files(root: Path) -> dict[str, bytes]:
    """Return what regular files a folder holds, without following links."""
    found = [Path(at) / name for at, _, names in os.walk(root) for name in names]
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in found
        if file.is_file() and not file.is_symlink()
    }


def _held(settings: StorageSettings) -> dict[str, bytes]:
    async def read(storage: Any) -> dict[str, bytes]:
        return {item.path: await storage.read(item.path) for item in await storage.list()}

    found = look(settings, read)
    return {path: data for path, data in found.items() if not path.startswith(".persona-backup/")}


def _line(name: str) -> bytes:
    return f"{name.removesuffix('.renamed').removeprefix('.swap-')} said this.\n".encode()


def _write(file: Path) -> None:
    file.write_bytes(_line(file.name))
