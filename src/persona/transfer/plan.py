"""The plan of a job: what is at the source, what is at the destination, and what is to be done with each object.

The dry run and the run have the same planner. It only reads: listings, and contents where only these tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from persona.errors import NameRefusedError, NotFoundError, UsageError
from persona.patterns import matching
from persona.storage.backend import Digest, RefusedName, StorageObject
from persona.storage.paths import sort_key
from persona.storage.reserved import LeftOut
from persona.transfer.attributes import check
from persona.transfer.journal import Journal, Memory
from persona.transfer.listings import Take, beside, pages
from persona.transfer.model import Action, Endpoint, Evidence, Options, Row, Step
from persona.transfer.progress import Watch

_SHORT = 100
"""A path of so many characters cannot be too long: prefixes have at most half of the limit for a key."""


class Planner:
    """Fills a journal.

    Args:
        journal: where to; a plan that was interrupted goes on after its last key.
        source: where objects come from.
        target: where they go.
        options: what is allowed.
        memory: what earlier syncs saw of this pair, or None.
        watch: is told how far it is.
        check: called between pages; raises if the job is to pause.
        digests_first: whether what can be proved without a request is proved anew, though versions are remembered.
    """

    def __init__(
        self,
        journal: Journal,
        source: Endpoint,
        target: Endpoint,
        options: Options,
        memory: Memory | None,
        watch: Watch,
        check: Callable[[], None],
        *,
        digests_first: bool = False,
    ) -> None:
        self._journal = journal
        self._source = source
        self._target = target
        self._options = options
        self._memory = memory
        self._watch = watch
        self._check = check
        self._digests_first = digests_first
        self.take = patterns(options.include, options.exclude)
        """Says whether a path takes part."""

    async def list_source(self) -> None:
        """Take the inventory of the source."""
        journal = self._journal
        if journal.get("listed"):
            return
        count = journal.tally().all
        left_out = LeftOut.of(journal.get("reserved"))
        async for found, refused, markers in pages(self._source.backend, self.take, journal.last_path(), left_out):
            with journal.transaction():
                journal.add(_row(item) for item in found)
                journal.refuse("source", refused)
                journal.set(reserved=left_out.document())
                _count_markers(journal, markers)
            count.add(len(found), sum(item.size for item in found))
            self._watch.inventory(count.objects, count.bytes)
            self._check()
        if self._options.must_exist and not count.objects and not journal.refused("source"):
            raise NotFoundError(
                f"There is nothing in {self._source.backend.url()}.",
                hint="Check --from. A folder of this machine begins with /, ./, ../ or ~/.",
            )
        left_out.last = ""  # no path outlives its row, which an erasure can forget
        journal.set(listed=True, reserved=left_out.document())

    async def list_again(self) -> bool:
        """List the source once more, add what the inventory lacks, to be compared, and say whether there is any.

        It was written since, or an answer had left it out. The names that cannot be copied are those of this listing:
        others may have come since, and some may have been corrected.
        """
        added = False
        refused: list[RefusedName] = []
        async for pairs in beside(self._journal, self._source.backend, self.take, refused=refused):
            late = [_row(item) for row, item in pairs if row is None and item is not None]
            for row in late:
                row.action = Action.COMPARE
            if late:
                with self._journal.transaction():
                    self._journal.add(late)
                    self._journal.note_changes({row.path: "new" for row in late})
            added = added or bool(late)
            self._check()
        self._journal.refuse_only("source", refused)
        return added

    async def compare_listings(self) -> None:
        """Decide what to do with each object as far as listings tell."""
        journal = self._journal
        if journal.get("compared"):
            return
        after, count = journal.get("cursor", ("", 0))
        async for pairs in beside(journal, self._target.backend, self.take, after=after):
            rows = self._decided(pairs)
            count += sum(found is not None for _, found in pairs)
            last = pairs[-1][0] or pairs[-1][1]
            with journal.transaction():
                journal.add(rows)
                if last is not None:
                    journal.set(cursor=(last.path, count))
            self._check()
        with journal.transaction():
            journal.set(compared=True, target_objects=count)

    def check_removals(self) -> None:
        """Refuse to remove more than was allowed.

        Raises:
            UsageError: the source is empty, or more than the limit would go.
        """
        if not self._options.delete:
            return
        tally = self._journal.tally()
        removed = tally.count({Action.REMOVE}).objects
        total = self._journal.get("target_objects", 0)
        allowed = allowed_removals(self._options.delete_limit, total)
        where = self._target.backend.url()
        given = bool(self._options.delete_limit)
        if removed > allowed or (removed and not given and not tally.all.objects):
            why = "The source is empty, and --delete" if not tally.all.objects else "--delete"
            raise UsageError(
                f"{why} would remove {removed:,} of the {total:,} objects in {where}; {allowed:,} are allowed. "
                "Nothing was copied or removed.",
                hint=f"Look whether the source is the right one. If it is: --delete-limit {removed}",
            )

    def _decided(self, pairs: list[tuple[Row | None, StorageObject | None]]) -> list[Row]:
        paths = [row.path for row, found in pairs if row is not None and found is not None]
        seen = self._memory.seen(paths[0], paths[-1]) if self._memory and paths else {}
        rows = []
        for row, found in pairs:
            if row is not None:
                self._decide(row, found, seen.get(row.path))
                rows.append(row)
            elif found is not None and self._options.delete:
                rows.append(Row(found.path, found.size, action=Action.REMOVE, target_version=found.version))
        return rows

    def _decide(self, row: Row, found: StorageObject | None, seen: tuple[str, str] | None) -> None:
        if found is None:
            row.action = Action.COPY
            if len(row.path) > _SHORT:
                self._check_name(row)
            return
        row.target_version, row.target_digest = found.version, found.digest
        check(row, found)
        if proves(row.digest, found.digest):
            skip(row, Evidence.DIGEST, self._options)
        elif seen == (row.version, found.version) and not self._options.checksum:
            self._decide_seen(row, found)
        elif row.size != found.size:
            differs(row, self._options)
        else:
            row.action = Action.COMPARE

    def _decide_seen(self, row: Row, found: StorageObject) -> None:
        """Leave an object alone whose two versions were seen to be equal; but a file may prove more than that."""
        if self._digests_first and provable_here(self._source, found.digest):
            row.action, row.evidence = Action.COMPARE, Evidence.UNCHANGED
        else:
            skip(row, Evidence.UNCHANGED, self._options)

    def _check_name(self, row: Row) -> None:
        """Refuse a name that is too long below the destination's prefix."""
        try:
            self._target.backend.url(row.path)
        except NameRefusedError as error:
            row.action, row.step, row.error = Action.REFUSE, Step.FAILED, error.message


def proves(ours: Digest | None, theirs: Digest | None) -> bool:
    """Say whether two digests prove equal content: an unequal pair proves nothing (see S3's on SSE-KMS)."""
    return ours is not None and ours == theirs and ours.vouched and theirs.vouched


def provable_here(source: Endpoint, theirs: Digest | None) -> bool:
    """Say whether reading a file of this machine may prove that it is equal to an object: that takes no request."""
    return not source.place.container and theirs is not None and theirs.algorithm == "md5" and theirs.vouched


def skip(row: Row, evidence: Evidence, options: Options) -> None:
    """Plan to leave an object that is equal; one that is to be read back all the same is left to verification."""
    row.action = Action.SKIP
    row.evidence = evidence
    if evidence is Evidence.UNCHANGED:
        row.step = Step.UNCHANGED
    else:
        row.step = Step.COPIED if options.reread and evidence is Evidence.DIGEST else Step.VERIFIED


def differs(row: Row, options: Options) -> None:
    """Plan for an object that has other content at the destination."""
    if options.overwrite:
        row.action, row.step = Action.REPLACE, Step.OPEN
    else:
        row.action, row.step = Action.CONFLICT, Step.FAILED
        row.error = "The destination has other content under this name; --overwrite replaces it, and keeps the old."


def allowed_removals(limit: str, total: int) -> int:
    """Return how many of so many objects may be removed: half, unless a limit says otherwise.

    Raises:
        UsageError: the limit is neither a number nor a percentage.
    """
    text = limit or "50%"
    share = text.endswith("%")
    number = text.removesuffix("%").replace(",", "")
    if not number.isdecimal() or (share and int(number) > 100):
        raise UsageError(f"“{limit}” is no limit.", hint="Give a number such as 200, or a share such as 80%.")
    return total * int(number) // 100 if share else int(number)


def patterns(include: tuple[str, ...], exclude: tuple[str, ...]) -> Take:
    """Return what says whether a path takes part, by patterns as in a .gitignore file."""
    if not include and not exclude:
        return lambda path: True
    try:
        wanted, unwanted = matching(include), matching(exclude)
    except ValueError as error:
        raise UsageError(f"A pattern cannot be read: {error}", hint="Patterns are as in a .gitignore file.") from error
    return lambda path: (not include or wanted(path)) and not unwanted(path)


def _count_markers(journal: Journal, markers: Sequence[str]) -> None:
    """Count folder markers, of which a listing that begins again after the last object repeats some."""
    count, last = journal.get("folder_markers", (0, None))
    fresh = [name for name in markers if last is None or sort_key(name) > sort_key(last)]
    if fresh:
        journal.set(folder_markers=(count + len(fresh), fresh[-1]))


def _row(item: StorageObject) -> Row:
    return Row(item.path, item.size, item.version, item.digest, item.content_type, item.metadata, item.headers)
