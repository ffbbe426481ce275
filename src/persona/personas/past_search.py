"""Looking through the earlier versions that a provider keeps for a respondent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from persona.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    NotFoundError,
    ObjectStateError,
    PersonaError,
    VerificationError,
)
from persona.personas.findings import Found, PastHit, Similar, Unread, Unsearched, results_of
from persona.personas.library import PARALLEL
from persona.personas.subjects import MAX_BYTES, look, named_by
from persona.storage.backend import PastVersion, StorageBackend
from persona.storage.outage import PROBE
from persona.storage.relisting import UNREADABLE

TOO_LARGE = f"It is larger than {MAX_BYTES >> 20} MiB, and was not looked through."
_FOREIGN = "Its name is no storage path. Delete this version with your provider's tools if it holds the respondent."
_HELD = "The provider keeps it for a while after its deletion; nobody can read it."
_Known = tuple[str, str]
_Result = PastHit | Unread | Unsearched | Similar


class PastSearch:
    """Looks through earlier versions; what was clean once is not read again.

    Args:
        storage: where to look.
        subject: the id.
    """

    def __init__(self, storage: StorageBackend, subject: str) -> None:
        self._storage = storage.beneath("")[0]
        self._subject = subject
        self._clean: set[_Known] = set()
        self._missing: dict[_Known, Unread] = {}

    async def search(self, found: Found) -> None:
        """Add what there is to what was found.

        Raises:
            UnreachableError: the provider does not answer at all.
        """
        self._missing = {}
        pages = 0
        try:
            async for page in self._storage.past():
                pages += 1
                await self._in_page(page, found)
            found.unread += await self._still_listed()
        except PersonaError as error:
            if error.temporary:  # an endpoint that knows no versions may answer so as well: then it still lists objects
                await self._storage.exists(PROBE)
            found.past_unknown = str(error)
            if pages:  # it does know versions, and some were not looked at
                found.unread.append(Unread("earlier versions", str(error)))

    async def _in_page(self, page: Sequence[PastVersion], found: Found) -> None:
        for start in range(0, len(page), PARALLEL):
            results = await asyncio.gather(*map(self._look, page[start : start + PARALLEL]))
            found.add(each for every in results for each in every)

    async def _still_listed(self) -> list[Unread]:
        """Return the versions that were not found, of which a new listing has them still."""
        if not self._missing:
            return []
        listed = {(version.path, version.id) async for page in self._storage.past() for version in page}
        return [unread for known, unread in self._missing.items() if known in listed]

    async def _look(self, version: PastVersion) -> list[_Result]:
        known = (version.path, version.id)
        if known in self._clean:
            return []
        name = named_by(version.path, self._subject)
        shown = f"{version.path} ({version.kind} {version.id})"
        if version.kind == "marker":
            return [PastHit(version, ("its name",))] if name else []
        if version.kind == "deleted":
            return [Unread(shown, _HELD)]
        if version.kind == "foreign":
            return [Unread(shown, _FOREIGN)] if name or version.size else []
        if version.size > MAX_BYTES and not name:
            return [Unread(shown, TOO_LARGE)]
        try:
            data = await self._storage.read_past(version) if version.size <= MAX_BYTES else None
        except BucketNotFoundError:
            raise
        except NotFoundError:
            self._missing[known] = Unread(shown, UNREADABLE)
            return []
        except (ObjectStateError, VerificationError, AccessDeniedError) as error:  # of this version alone
            return [Unread(shown, str(error))]
        seen = await asyncio.to_thread(look, version.path, data, self._subject)
        results: list[_Result] = [*results_of(shown, seen)]
        if seen.trace:
            results.append(
                PastHit(version, seen.trace.what) if seen.trace.certain else Unread(shown, "It mentions the id.")
            )
        if not results:
            self._clean.add(known)
        return results
