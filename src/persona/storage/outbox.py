"""The outbox: writes that could not be sent, durably on this machine, each with the condition that it had.

One folder an entry, named by a number that is never used twice, so that the order is that of the writes::

    outbox/
      lock          held while entries are added, changed or removed
      flush.lock    held by the one process that sends
      sequence      the last number given
      sent.json     what entries that are gone have become: {"000001": "the version", "000002": null}
      000003/
        entry.json  what is to be done
        content     the bytes, sealed if the cache is encrypted

An entry is made under another name, made durable, and renamed; its description changes by a rename as well. So there is
never half of one, whatever happens meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from persona.errors import AlreadyExistsError, ConfigError, ConflictError, NotFoundError, VerificationError
from persona.locks import LockTimeoutError, locked
from persona.redaction import shortened
from persona.storage.backend import Condition, IfAbsent, IfVersion
from persona.storage.cache.sealing import Sealing
from persona.storage.outbox_entry import TOKEN, Entry, describe, described
from persona.storage.outbox_files import DRAFT, Draft, pieces, remove_if_abandoned, writing
from persona.storage.paths import is_below
from persona.storage.private import private_folder, sync, write_durably

_LOCK_SECONDS = 30.0
_REMEMBERED = 1000
_DIGITS = 20


class Outbox:
    """The outbox of a workspace.

    Args:
        folder: where it is kept; made when it is first needed.
        place: the identity of the place that the workspace has now: only its entries are seen and sent.
        cipher: gives what seals contents, when it is first needed; None if there is nothing.
        encrypt: whether new contents are sealed.
        clock: the wall clock.
    """

    def __init__(
        self,
        folder: Path,
        place: str,
        *,
        cipher: Callable[[], Sealing] | None = None,
        encrypt: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.place = place
        self._cipher = cipher
        self._encrypt = encrypt
        self._clock = clock

    def everything(self) -> list[Entry]:
        """Return all entries in order, also those of other places, and damaged ones."""
        try:
            names = self._names()
        except OSError as error:
            raise ConfigError(f"The outbox in {self.folder} cannot be read: {error.strerror}.") from error
        return [entry for name in names if (entry := self._load(name))]

    def entries(self) -> list[Entry]:
        """Return the entries of this place, in order."""
        return [entry for entry in self.everything() if entry.place == self.place]

    def __len__(self) -> int:
        """Return how many entries there are of any place; cheap."""
        with suppress(OSError):
            return len(self._names())
        return 0

    def entry(self, number: str) -> Entry:
        """Return an entry by its number; zeros before it may be left out.

        Raises:
            NotFoundError: there is no such entry.
        """
        known = number.isascii() and number.isdecimal() and len(number) < _DIGITS
        entry = self._load(number.lstrip("0").zfill(6)) if known else None
        if entry is None:
            raise NotFoundError(
                f"There is no entry “{shortened(number, 40)}” in the outbox.",
                hint="“persona storage outbox list” shows them.",
            )
        return entry

    def latest(self, path: str) -> Entry | None:
        """Return the last write or deletion of a path that waits to be sent; a conflict does not."""
        found = [entry for entry in self.entries() if entry.path == path and entry.state in ("waiting", "sending")]
        return found[-1] if found else None

    def waiting(self, folder: str = "") -> list[Entry]:
        """Return, of each path at or below a folder, the last write or deletion that waits to be sent."""
        found = {
            entry.path: entry
            for entry in self.entries()
            if entry.state in ("waiting", "sending") and is_below(entry.path, folder)
        }
        return [*found.values()]

    def became(self, version: str) -> tuple[bool, str | None]:
        """Say of a version ``outbox:ID`` whether that entry was sent, and the version that it became.

        The version is None after a deletion.
        """
        sent = self._sent()
        number = version.removeprefix(TOKEN)
        return number in sent, sent.get(number)

    # Adding.

    def draft(self) -> Draft:
        """Return a new draft, whose content comes piece by piece.

        Raises:
            StorageFullError: no space is left.
        """
        with writing(self.folder):
            private_folder(self.folder)
            self.sweep()
            cipher = self._cipher() if self._encrypt and self._cipher else None
            return Draft(self.folder / f"{DRAFT}{os.urandom(8).hex()}", cipher)

    def filled(self, data: bytes) -> Draft:
        """Return a new draft with all of its content.

        Raises:
            StorageFullError: no space is left; nothing of it stays.
        """
        draft = self.draft()
        try:
            with writing(self.folder):
                draft.write(data)
        except BaseException:
            draft.discard()
            raise
        return draft

    def add(self, draft: Draft, entry: Entry, condition: Condition | None = None, *, known: str | None = None) -> Entry:
        """Make a draft an entry, durably, and return it with its number.

        Args:
            draft: the content.
            entry: what is to be done: op, path, url, content type and metadata.
            condition: what must hold, also of what waits here for the same path.
            known: the version that was seen there last: a write without a condition replaces no other.

        Raises:
            AlreadyExistsError, ConflictError: the condition does not hold, by what waits here.
            StorageFullError: no space is left. Whatever is raised, there is no entry.
        """
        with writing(self.folder), self._changing():
            absent, version = self._settled(entry.path, condition, known)
            number = self._next()
            entry = replace(entry, id=number, place=self.place, absent=absent, version=version)
            entry = replace(entry, size=draft.size, sha256=draft.digest, key=draft.key, created_at=self._clock())
            draft.finish(describe(entry))
            draft.folder.rename(self.folder / number)
            sync(self.folder)
        draft.release()
        return entry

    def _settled(self, path: str, condition: Condition | None, known: str | None) -> tuple[bool, str | None]:
        """Return whether an object must be absent, and which version it must be at, when an entry is sent."""
        last = self.latest(path)
        if last is not None:
            gone = last.op == "delete"
            if isinstance(condition, IfAbsent) and not gone:
                raise AlreadyExistsError(f"{path} is in the outbox already.", hint="Choose another name.")
            if isinstance(condition, IfVersion) and (gone or condition.version != last.token):
                raise ConflictError(
                    f"{path} was changed meanwhile, in the outbox.", hint="Read it again, and repeat the change."
                )
            return False, last.token
        if not isinstance(condition, IfVersion):
            return isinstance(condition, IfAbsent), known if condition is None else None
        if not condition.version.startswith(TOKEN):
            return False, condition.version
        sent, version = self.became(condition.version)
        if not sent or version is None:
            raise ConflictError(f"{path} was changed meanwhile.", hint="Read it again, and repeat the change.")
        return False, version

    def _next(self) -> str:
        """Return a number that no entry ever had."""
        file = self.folder / "sequence"
        last = max(map(int, self._names()), default=0)
        with suppress(FileNotFoundError, ValueError):
            last = max(last, int(file.read_text()))
        write_durably(file, str(last + 1).encode())
        return f"{last + 1:06d}"

    # Changing.

    def change(self, entry: Entry, **changes: Any) -> Entry:
        """Keep an entry changed, durably, and return it."""
        changed = replace(entry, **changes)
        with writing(self.folder):
            write_durably(self.folder / entry.id / "entry.json", describe(changed))
        return changed

    def sent(self, entry: Entry, version: str | None) -> None:
        """Remove an entry that was sent; what waits for it now waits for the version that it became.

        Args:
            entry: what was sent.
            version: the version that it became, or None after a deletion.
        """
        with writing(self.folder), self._changing():
            self._hand_on(entry, version=version, absent=version is None)
            remembered = {**self._sent(), entry.id: version}
            last = dict([*remembered.items()][-_REMEMBERED:])
            write_durably(self.folder / "sent.json", json.dumps(last).encode())
            self._remove(entry)

    def drop(self, entry: Entry) -> None:
        """Remove an entry unsent; what was to come upon it comes upon what that was to replace."""
        with writing(self.folder), self._changing():
            self._hand_on(entry, version=entry.version, absent=entry.absent)
            self._remove(entry)

    def _hand_on(self, entry: Entry, *, version: str | None, absent: bool) -> None:
        for other in self.everything():
            if other.version == entry.token and other.state != "damaged":
                self.change(other, version=version, absent=absent)

    def _remove(self, entry: Entry) -> None:
        gone = self.folder / f"{DRAFT}{os.urandom(8).hex()}"
        with writing(self.folder):
            (self.folder / entry.id).rename(gone)
            sync(self.folder)
        shutil.rmtree(gone, ignore_errors=True)

    # Content.

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Yield an entry's content in pieces.

        Raises:
            VerificationError: it is damaged.
        """
        file = self.folder / entry.id / "content"
        digest = sha256()
        try:
            with file.open("rb") as stream:
                for piece in pieces(stream, self._cipher_of(entry)):
                    digest.update(piece)
                    yield piece
        except OSError as error:
            raise VerificationError(f"The content of {entry.id} cannot be read: {error.strerror}.") from error
        if entry.sha256 and digest.hexdigest() != entry.sha256:
            raise VerificationError(
                f"The content of {entry.id} in the outbox is damaged.",
                hint=f"persona storage outbox drop {entry.id} removes it; {entry.path} has to be written again.",
            )

    def _cipher_of(self, entry: Entry) -> Sealing | None:
        """Return what unseals an entry.

        Raises:
            VerificationError: its key is not here.
        """
        if not entry.key:
            return None
        cipher = self._cipher() if self._cipher else None
        if cipher is None or cipher.key_id != entry.key:
            raise VerificationError(
                f"The content of {entry.id} in the outbox is encrypted with a key that is not here.",
                hint="Set PERSONA_CACHE_KEY to the key of that time.",
            )
        return cipher

    # One at a time.

    @contextmanager
    def flushing(self) -> Iterator[bool]:
        """Hold the right to send; it is False if another process has it."""
        with ExitStack() as stack:
            try:
                with writing(self.folder):
                    stack.enter_context(locked(self.folder / "flush.lock", 0.0))
            except LockTimeoutError:
                yield False
                return
            self.sweep()
            yield True

    def sweep(self) -> None:
        """Remove what was left of drafts by processes that were killed."""
        for draft in self.folder.glob(f"{DRAFT}*"):
            with suppress(OSError):
                remove_if_abandoned(draft, self._clock() - draft.stat().st_mtime)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.folder / "lock", _LOCK_SECONDS))
            except LockTimeoutError as error:
                raise ConfigError(f"The outbox in {self.folder} is locked by another process.") from error
            yield

    def _names(self) -> list[str]:
        """Return the numbers of all entries, in order."""
        with suppress(FileNotFoundError):
            return sorted((file.name for file in self.folder.iterdir() if file.name.isdecimal()), key=int)
        return []

    def _sent(self) -> dict[str, str | None]:
        try:
            found = json.loads((self.folder / "sent.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _load(self, name: str) -> Entry | None:
        """Return an entry; None if it is gone, and a damaged one as such."""
        try:
            return described(name, (self.folder / name / "entry.json").read_bytes())
        except (OSError, ValueError, TypeError):
            return Entry(name, self.place, state="damaged") if (self.folder / name).is_dir() else None
