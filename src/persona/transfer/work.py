"""What is done with one object: copied, compared, verified, removed. Each step may be done twice without harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from persona.errors import ConflictError, NotFoundError, PersonaError, VerificationError
from persona.moments import moment
from persona.storage.backend import Condition, IfAbsent, IfVersion, StorageObject
from persona.storage.paths import join
from persona.storage.relisting import UNREADABLE
from persona.storage.reserved import BACKUPS
from persona.transfer import attributes
from persona.transfer.content import Reading
from persona.transfer.journal import Journal
from persona.transfer.model import Action, Endpoint, Evidence, Guard, Options, Row, Step
from persona.transfer.plan import differs, provable_here, proves, skip

_CHANGES = 3
"""How often an object that changes again and again is begun anew."""
_OTHER = "Its content at the destination is not that of the source."
_NOT_FOUND = "It was written to the destination, but a read there answers that it does not exist."


class DriftError(ConflictError):
    """The source is not what it was at the inventory, and the job was to stop then."""


class Worker:
    """Does steps with single objects.

    Args:
        job: the job's id.
        journal: where uploads in parts note how they can go on.
        source: where objects come from.
        target: where they go.
        options: what is allowed.
        whole_bytes: up to this size an object is read and written at once.
        moved: is told which object has how many bytes more on their way.
    """

    def __init__(
        self,
        job: str,
        journal: Journal,
        source: Endpoint,
        target: Endpoint,
        options: Options,
        *,
        whole_bytes: int,
        moved: Callable[[str, int], None],
    ) -> None:
        self.guard: Guard | None = None
        """Refuses objects by what they hold; None refuses none."""
        self._job = job
        self._journal = journal
        self._endpoint = source
        self._source = source.backend
        self._target = target.backend
        self._options = options
        self._whole_bytes = whole_bytes
        self._moved = moved
        self._md5 = bool(target.place.container)  # there is nothing on a disk to compare it with
        self._direct: bool | None = None
        self._types: dict[str | None, bool] = {}

    async def copy(self, row: Row) -> None:
        """Copy an object, unless it has arrived already in an attempt that was cut short."""
        cause = ""
        for _ in range(_CHANGES):
            try:
                if self.guard and (reason := await self._refusal(self.guard, row)):
                    row.action, row.step, row.error = Action.REFUSE, Step.FAILED, reason
                elif not (row.attempts and await self._arrived(row)):
                    await self._transfer(row)
            except ChangedSourceError:
                before = row.version
                if not await self._look_again(row):
                    return
                cause = UNREADABLE if row.version == before else "It changes at the source again and again."
                continue
            return
        row.step, row.error = Step.FAILED, cause

    async def compare(self, row: Row) -> None:
        """Decide by content whether an object is equal at the destination, as its listing has it.

        No description is asked for: that would be a request for each object, most of which are as they were listed.
        """
        listed = StorageObject(row.path, row.size, moment(0), row.target_version or "", row.target_digest)
        try:
            if row.evidence == Evidence.UNCHANGED:
                evidence: Evidence | None = await self._by_digest(row, listed) or Evidence.UNCHANGED
            else:
                evidence = await self._equal(row, listed)
        except ChangedSourceError:
            row.evidence = None
            await self._look_again(row)  # stays to be compared
            return
        except (NotFoundError, ConflictError):
            await self._look_at_target(row)  # likewise, if it is still there
            return
        if evidence:
            skip(row, evidence, self._options)
        else:
            differs(row, self._options)

    async def _look_at_target(self, row: Row) -> None:
        """Take an object that has changed at the destination since it was listed as it is now."""
        row.evidence = None
        try:
            found = await self._target.stat(row.path)
        except NotFoundError:
            row.action, row.target_version, row.step = Action.COPY, None, Step.OPEN
            return
        row.target_version, row.target_digest = found.version, found.digest
        if found.size != row.size:
            differs(row, self._options)

    async def verify(self, row: Row) -> None:
        """Prove an object's content at the destination, or have it copied again, once."""
        try:
            found = await self._target.stat(row.path)
            evidence = await self._proof(row, found)
        except NotFoundError:
            found, evidence = None, None
        except ChangedSourceError:
            if await self._look_again(row):
                row.target_version = row.written
                row.action, row.step = Action.REPLACE, Step.OPEN
            return
        if evidence and found is not None:
            row.step, row.evidence = Step.VERIFIED, evidence
            attributes.check(row, found)
        elif found is not None and row.written is None:  # it was skipped for a digest that is wrong
            differs(row, self._options)
        elif found is not None and row.written is not None and found.version != row.written:
            row.step, row.error = Step.FAILED, "Someone else wrote to it at the destination after it was copied."
        elif row.mismatches:
            row.step, row.error = Step.FAILED, _OTHER if found is not None else _NOT_FOUND
            row.target_version = row.written  # which a resumed job may replace
            row.mismatches += 1
        else:
            row.mismatches += 1
            row.target_version = found.version if found else None
            row.action, row.step = Action.REPLACE if found else Action.COPY, Step.OPEN

    async def remove(self, row: Row) -> None:
        """Remove an object that the source does not have, if it is as the inventory found it; keep a copy first."""
        if await self._source.exists(row.path):
            row.step, row.error = Step.FAILED, "It exists at the source, but was missing from the listing."
            return
        try:
            found = await self._target.stat(row.path)
            if found.version != row.target_version:
                row.step, row.error = Step.FAILED, "Someone else wrote to it at the destination after the inventory."
                return
            if self._options.backup:
                await self._target.copy(row.path, self.backup_path(row.path))
        except NotFoundError:
            row.step = Step.GONE  # a new listing will tell whether it is
            return
        await self._target.delete(row.path, condition=IfVersion(found.version))
        row.step = Step.REMOVED

    def backup_path(self, path: str, number: int = 1) -> str:
        """Return where the old content of an object is kept; from the second content on in a folder of its own."""
        return join(BACKUPS, self._job if number == 1 else f"{self._job}.{number}", path)

    # The parts of it.

    async def _refusal(self, guard: Guard, row: Row) -> str | None:
        """Return why an object is not to be copied: it is read under the version that would be."""
        if row.size > guard.head and not guard.reads(await self._head(row, guard.head)):
            return guard.refusal(row.path, row.size, None, read=False)
        if row.size > guard.most:
            return guard.refusal(row.path, row.size, None)
        reading = Reading(self._source, row.path, row.version)
        try:
            return await asyncio.to_thread(guard.refusal, row.path, row.size, await reading.whole())
        except (NotFoundError, ConflictError) as error:
            raise ChangedSourceError from error
        finally:
            await reading.close()

    async def _head(self, row: Row, size: int) -> bytes:
        """Return the first bytes of an object, in the version that would be copied."""
        try:
            return await (await self._source.open(row.path, length=size, version=row.version)).whole()
        except (NotFoundError, ConflictError) as error:
            raise ChangedSourceError from error

    async def _transfer(self, row: Row) -> None:
        """Write an object to the destination under the precondition that the plan saw."""
        row.lost = None  # of what was there before
        condition: Condition = IfVersion(row.target_version) if row.target_version else IfAbsent()
        if row.target_version and self._options.backup and row.target_version != row.written:
            await self._keep_old(row)
        try:
            if not await self._copy_directly(row, condition):
                await self._carry(row, condition)
        except ChangedSourceError:
            raise
        except (ConflictError, NotFoundError) as error:  # of either side: a source that broke off is opened again
            if await self._source_changed(row):
                raise ChangedSourceError from error
            if isinstance(error, NotFoundError) or not await self._settle(row):
                raise
        else:
            row.step, row.error = Step.COPIED, None
            row.upload = None

    async def _keep_old(self, row: Row) -> None:
        """Keep what is to be replaced. What an earlier attempt kept stays: what stands there now may be our own."""
        number = 1
        while row.attempts and await self._target.exists(self.backup_path(row.path, number)):
            number += 1
        try:
            await self._target.copy(row.path, self.backup_path(row.path, number))
        except NotFoundError:  # someone removed it: then there is nothing to keep
            row.target_version = None

    async def _copy_directly(self, row: Row, condition: Condition) -> bool:
        """Copy on the provider's side, if both places are one provider's; say whether that was done."""
        if self._direct is False:
            return False
        written = await self._target.copy_from(
            self._source, row.path, row.path, version=row.version, condition=condition
        )
        self._direct = written is not None
        if written is not None:
            row.written, row.proof = written.version, ""
            if not attributes.is_known(row):
                attributes.take(row, written)
            self._moved(row.path, row.size)
        return self._direct

    async def _carry(self, row: Row, condition: Condition) -> None:
        """Copy through this machine."""
        reading = Reading(
            self._source, row.path, row.version, partial(self._moved, row.path), md5=self._md5, listed=row.digest
        )
        try:
            try:
                found = await reading.begin()
            except (NotFoundError, ConflictError) as error:
                raise ChangedSourceError from error
            if attributes.is_known(found):
                attributes.take(row, found)
            elif not attributes.is_known(row):
                attributes.take(row, await self._source.stat(row.path))
            if found.size <= self._whole_bytes:
                data = await reading.whole()
                row.md5, row.sha256 = reading.md5, reading.sha256
                written = await self._target.write(
                    row.path,
                    data,
                    condition=condition,
                    content_type=row.content_type,
                    metadata=row.metadata,
                    headers=row.headers,
                    md5=reading.md5,
                )
                row.proof = "whole"
            else:
                written = await self._target.write_stream(
                    row.path,
                    reading.chunks(),
                    size=found.size,
                    condition=condition,
                    content_type=row.content_type,
                    metadata=row.metadata,
                    headers=row.headers,
                    checkpoint=_Checkpoint(self._journal, row),
                )
                row.md5, row.sha256 = reading.md5, reading.sha256
                row.proof = "parts" if written.digest and written.digest.algorithm == "md5-parts" else ""
        finally:
            await reading.close()
        row.size, row.written, row.content_type = found.size, written.version, written.content_type

    async def _arrived(self, row: Row) -> bool:
        """Say whether an earlier attempt got through although nobody heard of it."""
        try:
            found = await self._target.stat(row.path)
        except NotFoundError:
            return False
        if found.version == row.target_version or not await self._equal(row, found):
            return False
        row.step, row.written, row.proof, row.error = Step.COPIED, found.version, "", None
        return True

    async def _settle(self, row: Row) -> bool:
        """Settle a write whose precondition failed; say whether that could be done.

        It is our own write whose answer was lost, or another's of the same content: then all is well. Or it has other
        content, which is a conflict unless the plan may overwrite: then it is planned anew.
        """
        try:
            found = await self._target.stat(row.path)
        except NotFoundError:
            row.target_version = None
            row.step, row.attempts = Step.OPEN, row.attempts + 1
            row.error = "The destination refuses it as being there already, and shows nothing of that name."
            return True
        if await self._equal(row, found):
            row.step, row.written, row.proof, row.error = Step.COPIED, found.version, "", None
        elif found.version == row.target_version:
            return False
        else:
            row.target_version, row.target_digest = found.version, found.digest
            differs(row, self._options)
            row.attempts += 1
        return True

    async def _equal(self, row: Row, found: StorageObject) -> Evidence | None:
        """Return what proves that an object at the destination is equal to the source, or None if it is not."""
        if found.size != row.size:
            return None
        return await self._by_digest(row, found) or await self._reread(row, found)

    async def _by_digest(self, row: Row, found: StorageObject) -> Evidence | None:
        """Return the proof by a digest of the destination, after reading the source if that is needed, or None."""
        if proves(row.digest, found.digest):
            return Evidence.DIGEST
        await self._hash_source(row)
        return Evidence.DIGEST if self._digest_equal(row, found) else None

    async def _proof(self, row: Row, found: StorageObject) -> Evidence | None:
        """Return what proves a copied object's content."""
        if not self._options.reread and (evidence := self.digest_proof(row, found)):
            return evidence
        if found.size != row.size:
            return None
        await self._hash_source(row)
        return await self._reread(row, found)

    async def listed_proof(self, row: Row, found: StorageObject) -> Evidence | None:
        """Return the proof that a listing gives, after reading the source if that takes no request."""
        if row.sha256 is None and found.size == row.size and provable_here(self._endpoint, found.digest):
            try:
                await self._hash_source(row)
            except ChangedSourceError:  # verification itself finds that out, and what to do
                return None
        return self.digest_proof(row, found)

    def digest_proof(self, row: Row, found: StorageObject) -> Evidence | None:
        """Return the proof that a description gives: the provider's own checksum, equal to ours."""
        if found.size != row.size:
            return None
        if (row.proof == "parts" and found.version == row.written) or self._digest_equal(row, found):
            return Evidence.DIGEST
        return Evidence.DIGEST if row.md5 is None and proves(row.digest, found.digest) else None

    async def looked_at(self, row: Row, found: StorageObject) -> bool:
        """Look whether all arrived that goes with an object's content, as far as a listing tells it.

        Where the listing tells nothing, an object that has a type and nothing else is taken to have arrived with it if
        the first of that type did, which is asked for. Of any other the description has to be asked for: then False.
        """
        if row.written is None or not attributes.is_known(row) or attributes.is_known(found):
            attributes.check(row, found)
            return True
        if not attributes.is_plain(row):
            return False
        if row.content_type not in self._types:
            try:
                attributes.check(row, await self._target.stat(row.path))
            except PersonaError:  # of this object alone: its verification tells
                return False
            self._types[row.content_type] = row.lost == "[]"
        elif self._types[row.content_type]:
            row.lost = "[]"
        return row.lost is not None

    def _digest_equal(self, row: Row, found: StorageObject) -> bool:
        """Say whether the provider's MD5 is that of what we read. One that it did not compute counts for nothing."""
        digest = found.digest
        if digest is None or digest.algorithm != "md5" or digest.value != row.md5:
            return False
        return digest.vouched or (row.proof == "whole" and found.version == row.written)

    async def _hash_source(self, row: Row) -> None:
        """Read the source for its digests, if it was not read before."""
        if row.sha256 is not None:
            return
        reading = Reading(self._source, row.path, row.version, md5=self._md5, listed=row.digest)
        try:
            found = await reading.begin()
            if attributes.is_known(found):
                attributes.take(row, found)
            async for _ in reading.chunks():
                pass
        except (NotFoundError, ConflictError) as error:
            raise ChangedSourceError from error
        finally:
            await reading.close()
        row.md5, row.sha256 = reading.md5, reading.sha256

    async def _reread(self, row: Row, found: StorageObject) -> Evidence | None:
        """Read the object back from the destination, and compare."""
        reading = Reading(self._target, row.path, found.version, partial(self._moved, row.path))
        try:
            async for _ in reading.chunks():
                pass
        except VerificationError:
            return None
        finally:
            await reading.close()
        return Evidence.REREAD if reading.sha256 == row.sha256 else None

    async def abandon(self, row: Row) -> None:
        """Give up an upload in parts that was left at the destination."""
        if row.upload is not None:
            await self._target.abort_upload(row.path, row.upload)
            row.upload = None

    async def _source_changed(self, row: Row) -> bool:
        try:
            return (await self._source.stat(row.path)).version != row.version
        except NotFoundError:
            return True

    async def _look_again(self, row: Row) -> bool:
        """Take an object that changed after the inventory as it is now; say whether it is there."""
        try:
            found = await self._source.stat(row.path)
        except NotFoundError:
            found = None
        if self._options.exact:
            what = "was written at the source after the plan was saved" if found else "is not found at the source"
            raise DriftError(f"“{row.path}” {what}.", hint="Make a new plan: --dry-run --plan FILE")
        row.md5 = row.sha256 = None
        if found is None:  # which a new listing will confirm, or not
            row.step, row.error = Step.GONE, "It was deleted at the source after the inventory."
            return False
        self._journal.note_changes({row.path: "changed"})
        row.size, row.version, row.digest = found.size, found.version, found.digest
        attributes.take(row, found)
        await self.abandon(row)
        return True


class ChangedSourceError(ConflictError):
    """The source has another version than the journal says, or none."""

    def __init__(self) -> None:
        super().__init__("The source was changed.")


class _Checkpoint:
    """Notes in the journal how an upload in parts goes on."""

    def __init__(self, journal: Journal, row: Row) -> None:
        self._journal = journal
        self._row = row
        self.token = row.upload

    async def save(self, token: str | None) -> None:
        """Note a token, durably, before the next part is sent."""
        self.token = self._row.upload = token
        self._journal.save_upload(self._row.path, token)
