"""Running jobs from the command line: begun, gone on with, paused, shown; and what they come to as an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from persona.cli import INTERRUPTED, endpoints, erased
from persona.cli.session import Session
from persona.cli.transfer_view import Events, View, Watches, incomplete_text, result_text, view_of
from persona.errors import (
    ConfigError,
    ConflictError,
    CredentialsError,
    InputError,
    NotFoundError,
    PersonaError,
    UsageError,
)
from persona.storage.reserved import LeftOut
from persona.transfer import report
from persona.transfer.engine import GRACE_SECONDS, Engine
from persona.transfer.executor import AsyncioExecutor
from persona.transfer.jobs import Jobs
from persona.transfer.journal_errors import journal_errors
from persona.transfer.model import Endpoint, Kind, Options, Phase, State, Step

if TYPE_CHECKING:
    from persona.transfer.jobs import JobInfo
    from persona.transfer.journal import Journal

_OPENERS: dict[str, endpoints.Opener] = {
    Kind.MIGRATE: endpoints.section,
    Kind.SYNC: endpoints.folder,
}


class _Run:
    """One run of a job in this process.

    Args:
        session: the global options.
        events: where events go, or None.
        progress: whether progress is shown; None leaves it to the terminal.
        concurrency: how many objects move at once, or None for what is configured.
    """

    def __init__(self, session: Session, *, events: str | None, progress: bool | None, concurrency: int | None) -> None:
        if events == "-" and session.json:
            raise UsageError("--events - and --json both want stdout.", hint="Send the events to a file.")
        self.session = session
        self.events = events
        self.progress = progress
        self.concurrency = concurrency
        self.jobs = Jobs(session.workspace.home, session.workspace.name)

    def start(
        self, kind: Kind, source: str, target: str, options: Options, *, dry: bool, plan_file: Path | None
    ) -> int:
        """Make a job and run it."""
        endpoints.check_reserved(target)

        async def work() -> int:
            typed, destination = await self._opened(kind, source, target)
            meant = await endpoints.in_existing_form(
                typed, source, lambda form: _OPENERS[kind](self.session, form, self.concurrency)
            )
            ends = meant, destination
            with ExitStack() as beginning:
                beginning.enter_context(self.jobs.beginning(*ends))
                await self._look_at_others(kind, *ends)
                chunk = self._performance().chunk_size
                job, journal = self.jobs.create(kind, *ends, options, chunk)
                try:
                    return await self._run(job, journal, *ends, beginning, dry=dry, plan_file=plan_file, new=True)
                except NotFoundError:
                    await endpoints.require_folder(self.session, source)
                    raise

        return asyncio.run(work())

    def run_plan(self, file: Path) -> int:
        """Make a job of a saved plan and run it."""
        from persona.transfer import planfile

        context = self.session.workspace.context
        root = context.project.parent if context.project else None
        with planfile.opened(file, context.home, root) as stream:
            head = planfile.head(file, stream)
            self._check_plan(file, head)
            return asyncio.run(self._run_plan(file, stream, head))

    def _check_plan(self, file: Path, head: dict[str, Any]) -> None:
        """Refuse a plan of another workspace, and one whose switch could not be made."""
        if head["workspace"] != self.jobs.workspace:
            raise ConfigError(
                f"{file} is a plan of the workspace “{head['workspace']}”.",
                hint=f"persona --workspace {head['workspace']} storage migrate --plan {file}",
            )
        if head["options"]["switch"]:
            from persona.cli import cutover

            cutover.check(self.session, head["source"]["name"], head["destination"]["name"])

    async def _run_plan(self, file: Path, stream: BinaryIO, head: dict[str, Any]) -> int:
        from persona.transfer import planfile

        ends = await self._reopened(head)
        with ExitStack() as beginning:
            beginning.enter_context(self.jobs.beginning(*ends))
            await self._look_at_others(Kind.MIGRATE, *ends)
            options = replace(_options(head), exact=True)
            job, journal = self.jobs.create(Kind.MIGRATE, *ends, options, head["part_bytes"])
            try:
                planfile.load(file, stream, head, journal)
            except PersonaError:
                journal.close()
                self.jobs.remove(job)
                raise
            return await self._run(job, journal, *ends, beginning, new=True)

    def resume(self, job: str | None) -> int:
        """Go on with a job."""
        job = self.jobs.choose(job)
        info = self.jobs.info(job)
        switch_left = info.facts["options"]["switch"] and not info.facts.get("switched")
        if info.state in (State.COMPLETE, State.PLANNED) and not switch_left:
            raise InputError(f"The job {job} is {info.state}.", hint=f"persona storage migrate report {job}")

        async def work() -> int:
            ends = await self._reopened(info.facts)
            with ExitStack() as beginning:
                beginning.enter_context(self.jobs.beginning(*ends))
                self._refuse_others(*ends, but=job)
                return await self._run(job, self.jobs.open(job), *ends, beginning, dry=info.facts.get("dry", False))

        return asyncio.run(work())

    async def _run(
        self,
        job: str,
        journal: Journal,
        source: Endpoint,
        target: Endpoint,
        beginning: ExitStack,
        *,
        dry: bool = False,
        plan_file: Path | None = None,
        new: bool = False,
    ) -> int:
        """Run a job whose journal is open; close all, and first what keeps other jobs of the pair from beginning."""
        keep = not dry  # a dry run leaves nothing, and one that was killed never becomes a real run
        try:
            with ExitStack() as stack:
                stack.enter_context(self.jobs.locked(job))
                beginning.close()
                journal.set(dry=dry)
                watch = self._watch(stack, journal.facts())
                engine = self._engine(job, journal, source, target, watch)
                _on_signals(engine, self.session)
                try:
                    state = await engine.run(dry=dry)
                except PersonaError as error:
                    keep = keep and not (new and _is_vain(journal, error))
                    if keep:
                        self._conclude(job, journal, watch)
                        if journal.get("state") == State.PAUSED:
                            error.hint = f"{error.hint} Then go on: persona storage migrate resume {job}".strip()
                    raise
                if dry and state is State.PAUSED:
                    raise KeyboardInterrupt  # there is nothing to go on with
                if dry and plan_file and state is State.PLANNED:
                    from persona.transfer import planfile

                    planfile.save(journal, plan_file)
                if state is State.COMPLETE and journal.get("options")["switch"]:
                    from persona.cli import cutover

                    cutover.switch(self.session, journal)
                self._conclude(job, journal, watch)
                return _exit_code(journal, state)
        finally:
            journal.close()
            if not keep:
                self.jobs.remove(job)
            await source.backend.close()
            await target.backend.close()

    def _engine(self, job: str, journal: Journal, source: Endpoint, target: Endpoint, watch: Watches) -> Engine:
        kind = journal.get("kind")
        performance = self._performance()
        # between two folders a migration compares contents each time, which takes no request
        remembers = kind == Kind.SYNC or source.place.container or target.place.container
        return Engine(
            job,
            journal,
            source,
            target,
            _options(journal.facts()),
            AsyncioExecutor(self.concurrency or performance.concurrent_uploads),
            whole_bytes=performance.chunk_size,
            pair=self.jobs.pair_file(source, target) if remembers else None,
            digests_first=kind == Kind.MIGRATE,
            pause_file=self.jobs.pause_request(job),
            watch=watch,
            guard=lambda: erased.guard_of(self.session, source, target),
        )

    def _watch(self, stack: ExitStack, facts: dict[str, Any]) -> Watches:
        view: View = stack.enter_context(view_of(self.session, facts, self.progress, result=self.events != "-"))
        events = [stack.enter_context(Events(self.events))] if self.events else []
        return Watches(view, *events)

    def _conclude(self, job: str, journal: Journal, watch: Watches) -> None:
        """Show what a run came to."""
        document = report.document(journal, self.jobs.info(job, running=False))
        watch.end(document)
        if self.session.json:
            self.session.emit(document)
        if document["reserved"]["names"]:
            self.session.warn(f"Warning: {LeftOut.of(journal.get('reserved')).warning}")
        if document["error"]:
            return
        if not document["objects"]["total"] and not document["failures"]:
            self.session.note(f"There is nothing in {document['source']}.")
        if document["state"] == State.PAUSED:
            self.session.warn(f"Paused. Go on with: persona storage migrate resume {job}")
        if document["state"] == State.INCOMPLETE:
            self.session.warn_if_quiet(incomplete_text(document))

    async def _look_at_others(self, kind: Kind, source: Endpoint, target: Endpoint) -> None:
        """Refuse a second job of this pair, speak of one that waits, and remove syncs of it that have ended."""
        endpoints.check_apart(source, target)
        endpoints.speak_of_outbox(self.session, source, target)
        self._refuse_others(source, target)
        for info in self._of_pair(source, target):
            if info.facts["kind"] == Kind.SYNC == kind:
                await _abandon(self.session, self.jobs, info, target)
                self.jobs.remove(info.id)
            elif not info.ended:
                self.session.note(
                    f"The job {info.id} of these places is paused; “persona storage migrate resume {info.id}” goes on "
                    "with it. This is a new job."
                )

    def _of_pair(self, source: Endpoint, target: Endpoint) -> list[JobInfo]:
        """Return the jobs between two places, the oldest first."""
        identities = {"source": source.identity, "destination": target.identity}
        return [
            info
            for info in self.jobs.infos()
            if all(info.facts[side]["identity"] == identity for side, identity in identities.items())
        ]

    def _refuse_others(self, source: Endpoint, target: Endpoint, *, but: str = "") -> None:
        """Raise ConflictError if a job other than this one runs between two places."""
        for info in self._of_pair(source, target):
            if info.running and info.id != but:
                raise ConflictError(
                    f"The job {info.id} is moving objects between these two places.",
                    hint=f"persona storage migrate status {info.id}",
                )

    async def _opened(self, kind: Kind, source: str, target: str) -> tuple[Endpoint, Endpoint]:
        opener = _OPENERS[kind]
        ends = [opener(self.session, source, self.concurrency)]
        try:
            ends.append(opener(self.session, target, self.concurrency))
            await endpoints.check_there(*ends)
            await endpoints.check_residency(self.session, ends[1])
        except BaseException:
            for end in ends:
                await end.backend.close()
            raise
        return ends[0], ends[1]

    async def _reopened(self, facts: dict[str, Any]) -> tuple[Endpoint, Endpoint]:
        """Open the places of a job, which must be those that it belongs to."""
        ends = await self._opened(Kind(facts["kind"]), facts["source"]["name"], facts["destination"]["name"])
        for end, side in zip(ends, ("source", "destination"), strict=True):
            if end.identity != facts[side]["identity"]:
                for opened in ends:
                    await opened.backend.close()
                raise ConfigError(
                    f"The job belongs to {endpoints.where(facts[side]['identity'])} as its {side}, and “{end.name}” "
                    f"now is {endpoints.where(end.identity)}: its state cannot be used there.",
                    hint="Set the configuration back, or start a new job.",
                )
        return ends

    def _performance(self) -> Any:
        return self.session.workspace.settings.storage.performance


@journal_errors()
def start(
    session: Session,
    kind: Kind,
    source: str,
    target: str,
    options: Options,
    *,
    dry: bool = False,
    plan_file: Path | None = None,
    **common: Any,
) -> int:
    """Begin a migration or sync, and return the exit code."""
    if options.switch:
        from persona.cli import cutover

        cutover.check(session, source, target)
    if plan_file is not None and plan_file.exists():
        raise InputError(f"{plan_file} is there already.", hint="Give the plan another name.")
    run = _Run(session, **common)
    return run.start(kind, source, target, options, dry=dry, plan_file=plan_file)


@journal_errors()
def run_plan(session: Session, file: Path, **common: Any) -> int:
    """Run a saved plan exactly, and return the exit code."""
    return _Run(session, **common).run_plan(file)


@journal_errors()
def resume(session: Session, job: str | None, **common: Any) -> int:
    """Go on with a job, and return the exit code."""
    return _Run(session, **common).resume(job)


def pause(session: Session, job: str | None) -> int:
    """Ask the process that runs a job to pause it, and wait until it has."""
    jobs = Jobs(session.workspace.home, session.workspace.name)
    job = jobs.choose(job, running=True)
    if not jobs.is_running(job):
        raise ConflictError(f"The job {job} is not running.", hint="persona storage migrate list")
    request = jobs.pause_request(job)
    request.touch(mode=0o600)
    deadline = time.monotonic() + GRACE_SECONDS + 10
    while jobs.is_running(job):
        if time.monotonic() > deadline:
            raise ConflictError(
                f"The job {job} does not pause.", hint="Look at the process that runs it; killing it loses nothing."
            )
        time.sleep(0.1)
    request.unlink(missing_ok=True)
    show(session, jobs, job)
    return 0


@journal_errors()
def show(session: Session, jobs: Jobs, job: str, *, everything: bool = False) -> None:
    """Print what a job is and has done."""
    journal = jobs.open(job)
    try:
        document = report.document(journal, jobs.info(job), everything=everything and session.json)
    finally:
        journal.close()
    if session.json:
        session.emit(document)
    else:
        print(result_text(document, full=everything))


@journal_errors()
def prune(session: Session, jobs: Jobs, job: str | None, age: timedelta) -> tuple[list[str], int]:
    """Remove journals, and return of which jobs and how many bytes."""
    if job is not None:
        jobs.require(job)
        with suppress(InputError), jobs.locked(job):  # one that is damaged has nothing that could be abandoned
            info = jobs.info(job, running=False)
            if not info.ended:
                asyncio.run(_abandon_alone(session, jobs, info))
        return [job], jobs.remove(job)
    limit = datetime.now(UTC) - age
    old = [info for info in jobs.infos() if info.ended and datetime.fromisoformat(info.facts["created"]) <= limit]
    return [info.id for info in old], sum(jobs.remove(info.id) for info in old)


async def _abandon(session: Session, jobs: Jobs, info: JobInfo, target: Endpoint) -> None:
    """Abort the uploads in parts that a job left, which would be charged for."""
    journal = jobs.open(info.id)
    try:
        for rows in journal.batches(1000, steps=[Step.OPEN, Step.ACTIVE]):
            for row in rows:
                if row.upload:
                    await target.backend.abort_upload(row.path, row.upload)
    except PersonaError as error:
        session.warn(f"Warning: the uploads of {info.id} could not be aborted ({error}); they expire by themselves.")
    finally:
        journal.close()


async def _abandon_alone(session: Session, jobs: Jobs, info: JobInfo) -> None:
    """Do so with the destination opened for it, if it is still the one that the job belongs to."""
    try:
        target = _OPENERS[info.facts["kind"]](session, info.facts["destination"]["name"], None)
    except PersonaError as error:
        session.warn(f"Warning: the destination of {info.id} cannot be opened ({error}); uploads left there expire.")
        return
    try:
        if target.identity == info.facts["destination"]["identity"]:
            await _abandon(session, jobs, info, target)
    finally:
        await target.backend.close()


def _is_vain(journal: Journal, error: PersonaError) -> bool:
    """Say whether a new job ended before there was anything in it that is worth to go on with."""
    if journal.get("phase") != Phase.INVENTORY:
        return False
    return journal.last_path() is None or not (error.temporary or isinstance(error, CredentialsError))


def _options(facts: dict[str, Any]) -> Options:
    given: dict[str, Any] = facts["options"]
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Options(**values)


def _exit_code(journal: Journal, state: State) -> int:
    if state is State.PAUSED:
        return INTERRUPTED
    if state is not State.INCOMPLETE:
        return 0
    damaged = any(row.mismatches > 1 for rows in journal.batches(1000, steps=[Step.FAILED]) for row in rows)
    return 8 if damaged else 1


def _on_signals(engine: Engine, session: Session) -> None:
    """Pause at the first Ctrl+C or SIGTERM, and leave at once at the second: the journal is never behind."""
    loop = asyncio.get_running_loop()
    asked = False

    def ask() -> None:
        nonlocal asked
        if asked:
            sys.stdout.flush()
            os._exit(INTERRUPTED)
        asked = True
        session.note("Pausing: what is in flight ends first. Ctrl+C again leaves at once; nothing is lost.")
        engine.pause()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows, where Ctrl+C ends the process: the journal survives that too
            loop.add_signal_handler(number, ask)
