"""The jobs of one workspace: a folder of journals, each with a lock, so that no two processes run one job."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from persona.config.locations import make_folder
from persona.disks import is_full
from persona.errors import ConfigError, ConflictError, InputError, NotFoundError, PersonaError
from persona.locks import LockTimeoutError, locked
from persona.moments import new_id
from persona.redaction import shortened
from persona.transfer.forget import forget
from persona.transfer.journal import Journal, remove_files
from persona.transfer.journal_errors import full, translated
from persona.transfer.model import Endpoint, Kind, Options, Phase, State

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_ENDED = {State.COMPLETE, State.INCOMPLETE, State.PLANNED}
_LOCK_SECONDS = 1.0
"""How long a job's lock is waited for: whoever only looks whether it is free holds it for a moment."""
_BESIDE = (".db", ".db-wal", ".db-shm", ".pause", ".lock")


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as the list shows it.

    Args:
        id: its id.
        facts: what its journal says of it.
        running: whether a process has it now.
    """

    id: str
    facts: dict[str, Any]
    running: bool

    @property
    def state(self) -> State:
        """Its state; a job that says it runs and does not was killed, and can be resumed like a paused one."""
        state = State(self.facts["state"])
        return State.PAUSED if state is State.RUNNING and not self.running else state

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to resume."""
        return self.state in _ENDED


class Jobs:
    """The jobs of a workspace.

    Args:
        home: PERSONA_HOME.
        workspace: the workspace's name.
    """

    def __init__(self, home: Path, workspace: str) -> None:
        self.home = home
        self.workspace = workspace
        self.folder = home / "transfers" / workspace

    def create(
        self, kind: Kind, source: Endpoint, target: Endpoint, options: Options, part_bytes: int
    ) -> tuple[str, Journal]:
        """Make a job and its journal.

        Args:
            kind: what it does.
            source: where objects come from.
            target: where they go.
            options: how.
            part_bytes: above this size an object goes in parts.
        """
        make_folder(self.folder, self.home)
        now = datetime.now(UTC)
        job = new_id()
        journal = Journal(self._file(job), create=True)
        with self._or_none(journal), journal.transaction():
            journal.set(
                id=job,
                kind=kind,
                workspace=self.workspace,
                source={"name": source.name, "url": source.backend.url(), "identity": source.identity},
                destination={"name": target.name, "url": target.backend.url(), "identity": target.identity},
                options=asdict(options),
                part_bytes=part_bytes,
                state=State.RUNNING,
                phase=Phase.INVENTORY,
                created=now.isoformat(),
                elapsed=0.0,
            )
        return job, journal

    @contextmanager
    def _or_none(self, journal: Journal) -> Iterator[None]:
        """Begin a journal, or leave none behind."""
        try:
            yield
        except sqlite3.Error as error:
            journal.close()
            remove_files(journal.file)
            raise translated(error, self.folder) from error

    def open(self, job: str) -> Journal:
        """Open a job's journal.

        Raises:
            NotFoundError: there is no such job in this workspace.
            InputError: its journal is damaged, or was never begun.
        """
        self.require(job)
        journal = Journal(self._file(job))
        try:
            _check(journal.facts())
        except sqlite3.OperationalError as error:
            journal.close()
            raise translated(error, self.folder) from error
        except (KeyError, TypeError, ValueError, sqlite3.Error) as error:
            journal.close()
            raise InputError(
                f"The journal of the job {job} is damaged, or the job was never begun.",
                hint=f"Start anew: what has arrived is found. To remove this one: persona storage migrate prune {job}",
            ) from error
        return journal

    def require(self, job: str) -> None:
        """Raise NotFoundError if there is no such job in this workspace."""
        if not _ID.fullmatch(job) or not self._file(job).exists():
            raise NotFoundError(
                f"There is no job “{shortened(job, 40)}” in the workspace “{self.workspace}”.",
                hint="“persona storage migrate list” shows the jobs.",
            )

    def infos(self) -> list[JobInfo]:
        """Describe all jobs, the oldest first; a journal that cannot be read is passed over."""
        found = []
        for file in sorted(self.folder.glob("*.db")):
            if _ID.fullmatch(file.stem):
                with suppress(InputError, sqlite3.Error):
                    found.append(self.info(file.stem))
        return sorted(found, key=lambda info: (info.facts["created"], info.id))

    def info(self, job: str, *, running: bool | None = None) -> JobInfo:
        """Describe a job.

        Args:
            job: its id.
            running: whether a process has it; None looks.

        Raises:
            NotFoundError: there is no such job.
        """
        journal = self.open(job)
        try:
            facts = journal.facts()
            if running is None:
                running = facts["state"] == State.RUNNING and self.is_running(job)
            return JobInfo(job, facts, running)
        finally:
            journal.close()

    def choose(self, job: str | None, *, kind: Kind = Kind.MIGRATE, running: bool = False) -> str:
        """Return the job that a command means: the one named, or else the only one that it can mean.

        Args:
            job: the id given, or None.
            kind: what the job must be if none is given.
            running: whether it must be running; otherwise it must be one that can be resumed.

        Raises:
            NotFoundError: there is none.
            InputError: there are several.
        """
        if job is not None:
            return self.info(job).id
        infos = [info for info in self.infos() if info.facts["kind"] == kind and not info.ended]
        fitting = [info.id for info in infos if info.running == running]
        if len(fitting) == 1:
            return fitting[0]
        what = "running" if running else "paused"
        if not fitting:
            raise NotFoundError(f"No migration is {what}.", hint="“persona storage migrate list” shows the jobs.")
        raise InputError(f"{len(fitting)} migrations are {what}: {', '.join(fitting)}.", hint="Name one of them.")

    def latest(self) -> str:
        """Return the id of the job that was begun last.

        Raises:
            NotFoundError: there is none.
        """
        infos = [info for info in self.infos() if info.facts["kind"] == Kind.MIGRATE]
        if not infos:
            raise NotFoundError("There is no migration yet.", hint="persona storage migrate --from X --to Y")
        return infos[-1].id

    @contextmanager
    def locked(self, job: str) -> Iterator[None]:
        """Hold a job: no other process can run it within.

        Raises:
            ConflictError: another process runs it.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self._lock(job), _LOCK_SECONDS))
            except LockTimeoutError as error:
                raise ConflictError(
                    f"The job {job} is running in another process.",
                    hint=f"Pause it: persona storage migrate pause {job}",
                ) from error
            except OSError as error:
                raise self._unwritable(error) from error
            self.pause_request(job).unlink(missing_ok=True)
            yield

    @contextmanager
    def beginning(self, source: Endpoint, target: Endpoint) -> Iterator[None]:
        """Hold a pair of places while a job of it begins: from the look at its other jobs to the lock of its own.

        Raises:
            ConflictError: another process is beginning one.
        """
        make_folder(self.folder, self.home)
        file = self.pair_file(source, target).with_suffix(".lock")
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(file, _LOCK_SECONDS))
            except LockTimeoutError as error:
                raise ConflictError(
                    "Another process is starting a job between these two places.",
                    hint="See its state: persona storage migrate list",
                ) from error
            except OSError as error:
                raise self._unwritable(error) from error
            stack.callback(file.unlink, missing_ok=True)
            yield

    def _unwritable(self, error: OSError) -> PersonaError:
        if is_full(error):
            return full(self.folder, error.strerror)
        return ConfigError(f"{self.folder} cannot be written to: {error.strerror}.")

    def is_running(self, job: str) -> bool:
        """Say whether a process has the job now."""
        try:
            with locked(self._lock(job), 0):
                return False
        except (LockTimeoutError, OSError):
            return True

    def pause_request(self, job: str) -> Path:
        """Return the file whose presence asks the process that runs a job to pause it."""
        return self.folder / f"{job}.pause"

    def pair_file(self, source: Endpoint, target: Endpoint) -> Path:
        """Return the file that remembers what syncs have seen of a pair of places."""
        name = sha256(f"{source.identity}\n{target.identity}".encode()).hexdigest()[:32]
        return self.folder / f"pair-{name}.seen"

    def remove(self, job: str) -> int:
        """Remove a job's files and return how many bytes they had.

        Raises:
            ConflictError: it is running.
        """
        with self.locked(job):
            files = [self.folder / f"{job}{ending}" for ending in _BESIDE]
            size = sum(file.stat().st_size for file in files if file.exists())
            for file in files:
                file.unlink(missing_ok=True)
        return size

    def forget(self, gone: Callable[[str], bool]) -> tuple[int, dict[str, str]]:
        """Remove what all journals, and what syncs remember, have of some paths; content they have none.

        Args:
            gone: says of a path, or of a text such as an error, whether it goes.

        Returns:
            How many rows went, and for each job whose journal could not be changed the reason.
        """
        count, failed = 0, {}
        for file in sorted(self.folder.glob("*.db")):
            try:
                with self.locked(file.stem):
                    count += forget(file, gone)
            except (PersonaError, ValueError, sqlite3.Error) as error:
                failed[file.stem] = " ".join(filter(None, (str(error), getattr(error, "hint", ""))))
        for file in sorted(self.folder.glob("pair-*.seen")):
            try:
                count += forget(file, gone)
            except (ConflictError, sqlite3.Error) as error:
                failed[file.stem] = str(error)
        return count, failed

    def unfinished(self) -> dict[str, str]:
        """Return the destinations, as URLs, of the jobs that have copied something and have not ended, by job."""
        found = {}
        for info in (each for each in self.infos() if not each.ended):
            journal = self.open(info.id)
            with closing(journal):
                if journal.wrote():
                    found[info.id] = str(info.facts["destination"]["url"])
        return found

    def _lock(self, job: str) -> Path:
        return self.folder / f"{job}.lock"

    def _file(self, job: str) -> Path:
        return self.folder / f"{job}.db"


def _check(facts: dict[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError if facts are not those of a job."""
    Kind(facts["kind"]), State(facts["state"]), Phase(facts["phase"])
    Options(**facts["options"])
    if datetime.fromisoformat(facts["created"]).tzinfo is None:
        raise ValueError
    for side in ("source", "destination"):
        if not all(isinstance(facts[side][key], str) for key in ("name", "url", "identity")):
            raise TypeError
    if not isinstance(facts["elapsed"], float) or not isinstance(facts["part_bytes"], int):
        raise TypeError
