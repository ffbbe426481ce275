"""The engine: takes a job through its phases, from wherever its journal says that it stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from persona.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    PersonaError,
    ReadOnlyError,
    StorageFullError,
    ThrottledError,
    UnreachableError,
    VerificationError,
)
from persona.storage.background import started
from persona.storage.retry import MAX_SECONDS
from persona.transfer import erasures
from persona.transfer.content import DamagedError
from persona.transfer.drift import drift, names_of
from persona.transfer.executor import Executor
from persona.transfer.gone import confirm_gone
from persona.transfer.journal import Journal, Memory
from persona.transfer.listings import beside
from persona.transfer.model import (
    READING,
    WRITING,
    Action,
    Count,
    Endpoint,
    Guard,
    Kind,
    Options,
    Phase,
    Row,
    State,
    Step,
)
from persona.transfer.plan import Planner
from persona.transfer.progress import Meter, Watch
from persona.transfer.work import DriftError, Worker

BATCH = 64
GRACE_SECONDS = 8.0
TICK_SECONDS = 0.25
_ATTEMPTS = 4
"""How often an object is begun anew after failures that may pass, or that damaged it on its way."""
_OUTAGE = 24
"""So many passing failures one after another, and nothing done between, are an outage."""


class Paused(Exception):  # noqa: N818  (no error: what a user asked for)
    """The job was asked to pause."""


class Engine:
    """Runs one job.

    Args:
        job: its id.
        journal: its journal, whose lock this process holds.
        source: where objects come from.
        target: where they go.
        options: what is allowed.
        executor: where steps are done.
        whole_bytes: up to this size an object is read and written at once.
        pair: the file that remembers which versions of this pair have equal content; None remembers nothing.
        digests_first: whether what can be proved without a request is proved anew, though versions are remembered.
        pause_file: a file whose presence asks the job to pause.
        watch: is told how far it is.
        guard: gives what refuses objects by what they hold, once anything is to be copied; None refuses none.
    """

    def __init__(
        self,
        job: str,
        journal: Journal,
        source: Endpoint,
        target: Endpoint,
        options: Options,
        executor: Executor,
        *,
        whole_bytes: int,
        pair: Path | None,
        digests_first: bool = False,
        pause_file: Path,
        watch: Watch,
        guard: Callable[[], Awaitable[Guard | None]] | None = None,
    ) -> None:
        self._guard = guard
        self._journal = journal
        self._source = source
        self._target = target
        self._options = options
        self._executor = executor
        self._pair = pair
        self._pause_file = pause_file
        self._watch = watch
        trusts = pair is not None and pair.exists() and not (options.checksum or options.reread)
        self._memory = Memory(pair) if pair is not None and trusts else None
        self._planner = Planner(
            journal, source, target, options, self._memory, watch, self._check, digests_first=digests_first
        )
        self._meter: Meter | None = None
        self._worker = Worker(job, journal, source, target, options, whole_bytes=whole_bytes, moved=self._moved)
        self._stop = asyncio.Event()
        self._reason: PersonaError | None = None
        self._outage = 0
        self._resume_at = 0.0
        self._begun_anew: dict[str, int] = {}
        self._damaged: set[str] = set()
        self._begun = time.monotonic()
        self._elapsed = float(journal.get("elapsed", 0.0))

    def pause(self) -> None:
        """Ask the job to pause: no new work, and what is in flight ends or is given up within `GRACE_SECONDS`."""
        self._stop.set()

    async def run(self, *, dry: bool = False) -> State:
        """Run the job to its end, or to a pause, and return its state.

        Args:
            dry: stop when the plan is made.

        Raises:
            PersonaError: what made it pause or fail; the journal has it.
        """
        ticker = started(self._tick())
        try:
            self._note(state=State.RUNNING, error=None)
            self._journal.reopen()
            state = await self._unless_paused(self._phases(dry))
            self._note(state=state)
        except Paused:
            self._note(state=State.PAUSED, error=None)
            return State.PAUSED
        except PersonaError as error:
            state = State.INCOMPLETE if isinstance(error, DriftError) else State.PAUSED
            self._note(state=state, error=error.message)
            raise
        finally:
            ticker.cancel()
            if self._memory:
                self._memory.close()
        return state

    async def _unless_paused(self, work: Coroutine[Any, Any, State]) -> State:
        """Do the work; once asked to pause, no longer than the grace allows, whatever it waits for."""
        task, stopped = started(work), started(self._stop.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({task}, timeout=GRACE_SECONDS + 1)  # rows in flight have their own, which ends before
        finally:
            stopped.cancel()
            task.cancel()
            await asyncio.wait({task})
        if task.cancelled():
            raise self._reason or Paused
        return task.result()

    async def _phases(self, dry: bool) -> State:
        await self._plan()
        if dry:
            await confirm_gone(self._journal, self._source)
            return State.PLANNED
        self._begin(Phase.MIGRATION)
        await self._copy_all()
        self._begin(Phase.VERIFICATION)
        await self._verify_all()
        if self._completes_inventory() and await self._planner.list_again():
            await self._copy_all()
            await self._verify_all()
        await confirm_gone(self._journal, self._source)
        if self._options.delete:
            self._begin(Phase.DELETION)
            await self._remove_all()
            await confirm_gone(self._journal, self._target, removals=True)
        await self._abandon_uploads()
        if self._guard:
            await erasures.check(self._journal, self._target, self._guard, self._check)
        if self._pair:
            self._journal.remember(self._pair, self._settled())
        verdict = self._verdict()
        if self._options.switch and verdict is State.COMPLETE:
            hint = f"Carry them over with a new migration to {self._target.name}, with --switch."
            await self._refuse_drift("All else is copied and verified; the storage was not switched.", hint)
            # a rollback compares the provider's times
            self._note(clock_skew=self._target.backend.describe().clock_skew)
        self._begin(Phase.DONE)
        return verdict

    def _settled(self) -> Callable[[str, str], bool]:
        """Return what says of two versions that each stands for the content read in this job, now and later."""
        since = datetime.fromisoformat(self._journal.get("created")).timestamp()
        source, target = (side.backend.beneath("any")[0] for side in (self._source, self._target))
        return lambda ours, theirs: (
            not (source.may_change_unseen(ours, since) or target.may_change_unseen(theirs, since))
        )

    def _completes_inventory(self) -> bool:
        """Say whether the source is listed once more at the end, and what the inventory lacks is copied too.

        A saved plan is run exactly, a switch refuses what was written meanwhile, and a sync is repeated anyway.
        """
        migrates = self._journal.get("kind") == Kind.MIGRATE
        return migrates and not self._options.exact and not self._options.switch

    async def _plan(self) -> None:
        journal = self._journal
        if journal.get("planned"):
            if self._options.exact and not journal.get("checked"):
                await self._refuse_drift("Nothing was copied.", "Make a new plan: --dry-run --plan FILE")
                journal.set(checked=True)
            return
        self._begin(Phase.INVENTORY)
        before = self._requests()
        await self._planner.list_source()
        await self._planner.compare_listings()
        await self._rounds({Action.COMPARE}, Step.OPEN, self._worker.compare)
        self._planner.check_removals()
        direct = self._target.backend.copies_from(self._source.backend)
        journal.set(planned=True, planning=_since(before, self._requests()), direct=direct)

    def _requests(self) -> dict[str, dict[str, int]]:
        """Return how many requests for reading each side has had."""
        sides = {"source": self._source, "destination": self._target}
        return {
            name: {kind: side.backend.reading_requests().get(kind, 0) for kind in READING}
            for name, side in sides.items()
        }

    async def _refuse_drift(self, consequence: str, hint: str) -> None:
        """Raise if the source is not what the journal says.

        Raises:
            DriftError: names what was written there.
        """
        if changed := await drift(self._journal, self._source, self._planner.take):
            names = names_of([f"{path} ({what})" for path, what in changed.items()])
            raise DriftError(
                f"Written at {self._source.name} after the inventory: {names}. {consequence}",
                hint=hint,
            )

    async def _copy_all(self) -> None:
        await self._rounds({Action.COMPARE}, Step.OPEN, self._worker.compare)  # those that failed in an earlier run
        tally = self._journal.tally()
        total, done = tally.count(WRITING), tally.count(WRITING, {Step.COPIED, Step.VERIFIED, Step.FAILED, Step.GONE})
        self._measure(Phase.MIGRATION, total, done)
        if self._guard and total.objects > done.objects:
            self._worker.guard = await self._guard()
            erasures.note_baseline(self._journal, self._worker.guard)
        await self._rounds(WRITING, Step.OPEN, self._worker.copy)

    async def _verify_all(self) -> None:
        tally = self._journal.tally()
        total, done = tally.count(WRITING | {Action.SKIP}), tally.count(steps={Step.VERIFIED, Step.UNCHANGED})
        self._measure(Phase.VERIFICATION, total, done)
        while True:
            if not self._options.reread and self._listing_pays():
                await self._verify_by_listing()
            await self._rounds(set(), Step.COPIED, self._worker.verify)
            if not self._journal.rows(actions=WRITING, steps=[Step.OPEN], limit=1):
                return
            await self._rounds(WRITING, Step.OPEN, self._worker.copy)  # what verification found wrong

    def _measure(self, phase: Phase, total: Count, done: Count) -> None:
        """Begin to measure a phase, from what earlier runs of the job have done of it."""
        self._meter = Meter(
            phase,
            objects=done.objects,
            size=done.bytes,
            total_objects=total.objects,
            total_bytes=total.bytes,
        )

    async def _verify_by_listing(self) -> None:
        """Prove what the destination's listing proves: one request for a thousand objects."""
        async for pairs in beside(self._journal, self._target.backend, lambda path: True, known=True):
            proved = []
            for row, found in pairs:
                if row is None or found is None or row.step != Step.COPIED:
                    continue
                evidence = await self._worker.listed_proof(row, found)
                if evidence and await self._worker.looked_at(row, found):
                    row.step, row.evidence = Step.VERIFIED, evidence
                    proved.append(row)
            self._record(proved)
            self._check()

    def _listing_pays(self) -> bool:
        """Say whether listing the destination takes fewer requests than asking for each object."""
        copied = self._journal.tally().count(steps={Step.COPIED}).objects
        there: int = self._journal.get("target_objects", 0) + copied
        return copied > there // 1000 + 1

    async def _remove_all(self) -> None:
        failed = self._journal.tally().count({*Action} - {Action.REMOVE}, {Step.FAILED}).objects
        if failed or self._journal.refused("source"):
            return  # only after a copy that succeeded
        self._planner.check_removals()
        await self._rounds({Action.REMOVE}, Step.OPEN, self._worker.remove)

    async def _abandon_uploads(self) -> None:
        for rows in self._journal.batches(BATCH, steps=[Step.FAILED, Step.GONE]):
            left = [row for row in rows if row.upload]
            for row in left:
                await self._worker.abandon(row)
            self._record(left)

    async def _rounds(self, actions: set[str], step: Step, perform: Callable[[Row], Awaitable[None]]) -> None:
        """Do a step with all rows that wait for it; again with those that failed in passing, while that helps."""
        while True:
            self._check()
            self._outage = 0
            await self._executor.run(
                self._claims(actions, step), self._guarded(perform), self._record, self._stop, GRACE_SECONDS
            )
            if self._reason:
                raise self._reason
            self._check()
            if not self._journal.rows(actions=actions, steps=[step], limit=1):
                return

    def _claims(self, actions: set[str], step: Step) -> Iterator[Sequence[Row]]:
        after = ""
        while rows := self._journal.claim(BATCH, after, sorted(actions), step):
            yield rows
            after = rows[-1].path

    def _guarded(self, perform: Callable[[Row], Awaitable[None]]) -> Callable[[Row], Awaitable[None]]:
        """Return a step that turns errors into what becomes of the object, or of the job."""

        async def step(row: Row) -> None:
            before = row.action, row.step
            await self._wait_for_provider()
            if self._meter:
                self._meter.current = row.path
            try:
                await perform(row)
                self._outage = 0
            except PersonaError as error:
                row.attempts += 1
                self._failed(row, error)
            undone = (row.action, row.step) == before or (before[1], row.step) == (Step.COPIED, Step.OPEN)
            if undone and self._again(row) > _ATTEMPTS:
                if silence := await self._silence(row):
                    self._end(silence)  # the object stays as it is, for a later run
                else:
                    row.step, row.error = Step.FAILED, row.error or "It changes again and again."

        return step

    async def _silence(self, row: Row) -> PersonaError | None:
        """Return why one of the places says nothing even of an object's presence: then no object is at fault."""
        for side in (self._source, self._target):
            try:
                await side.backend.exists(row.path)
            except PersonaError as error:
                if error.temporary:
                    return error
        return None

    async def _wait_for_provider(self) -> None:
        """Wait as long as the provider asked for, with the whole job and not only with the request that was told."""
        if (seconds := self._resume_at - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), seconds)

    def _again(self, row: Row) -> int:
        """Count that an object is to be begun anew, in this process, and return how often it was."""
        self._begun_anew[row.path] = self._begun_anew.get(row.path, 0) + 1
        return self._begun_anew[row.path]

    def _failed(self, row: Row, error: PersonaError) -> None:
        fatal = isinstance(error, CredentialsError) and not isinstance(error, AccessDeniedError)
        if fatal or isinstance(error, DriftError | StorageFullError | ReadOnlyError | BucketNotFoundError):
            self._end(error)
        elif isinstance(error, DamagedError) and (error.final or row.path in self._damaged):
            row.step, row.error, row.mismatches = Step.FAILED, error.message, 2
        elif isinstance(error, DamagedError):
            self._damaged.add(row.path)  # what was read as a stream is read once more
            row.error = error.message
        elif error.temporary or isinstance(error, VerificationError):
            self._outage += 1
            row.error = error.message
            if isinstance(error, ThrottledError) and error.retry_after:
                self._resume_at = time.monotonic() + min(error.retry_after, MAX_SECONDS)
            if self._outage >= _OUTAGE:
                self._end(_outage(error))
        else:
            row.step, row.error = Step.FAILED, error.message

    def _end(self, error: PersonaError) -> None:
        self._reason = self._reason or error
        self._stop.set()

    def _record(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        with self._journal.transaction():
            self._journal.record(rows)
            self._journal.set(elapsed=self._seconds())
        if self._meter:
            for row in rows:
                self._meter.ended(row.path, row.size, settled=row.step != Step.OPEN)
        self._watch.objects(rows)

    def _moved(self, path: str, size: int) -> None:
        if self._meter:
            self._meter.moved(path, size)

    def _begin(self, phase: Phase) -> None:
        self._note(phase=phase)
        self._meter = None
        self._watch.phase(phase)

    def _note(self, **facts: object) -> None:
        with self._journal.transaction():
            self._journal.set(elapsed=self._seconds(), **facts)

    def _seconds(self) -> float:
        """Return how long the job has run, all its runs together."""
        return round(self._elapsed + time.monotonic() - self._begun, 3)

    def _check(self) -> None:
        if self._stop.is_set() and self._reason is None:
            raise Paused

    async def _tick(self) -> None:
        """Look for a request to pause, and tell how far the job is."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._pause_file.exists():
                self._stop.set()
            if self._meter:
                self._watch.progress(self._meter.read())

    def _verdict(self) -> State:
        tally = self._journal.tally()
        wrong = tally.count(steps={Step.FAILED}).objects
        left = tally.count({Action.REMOVE}, {Step.OPEN}).objects
        lost = any(self._journal.lost(sent=True))
        refused = self._journal.refused("source") or self._journal.refused(erasures.SIDE)
        return State.INCOMPLETE if wrong or left or lost or refused else State.COMPLETE


def _since(before: dict[str, dict[str, int]], now: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {side: {kind: count - before[side][kind] for kind, count in counts.items()} for side, counts in now.items()}


def _outage(error: PersonaError) -> PersonaError:
    if error.temporary:
        return UnreachableError(f"{error.message} {_OUTAGE} requests failed one after another.", hint=error.hint)
    return error
