"""What the three cloud backends have in common, over the few primitives in which their providers differ.

Reads and listings are here; `writes`, `copies` and `deletes` hold the rest, and `conditions` what is done on endpoints
that ignore conditions. A provider's own file says how one request is made.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial

from persona.errors import NameRefusedError
from persona.storage.backend import Listing, PastVersion, RefusedName
from persona.storage.backends.answers import understood
from persona.storage.backends.conditions import FEATURES
from persona.storage.backends.copies import Copies
from persona.storage.backends.deletes import Deletes
from persona.storage.backends.faults import MissingError
from persona.storage.backends.listing import ascending, in_order, turned
from persona.storage.backends.primitives import Entry
from persona.storage.backends.reads import Reads
from persona.storage.backends.writes import Writes
from persona.storage.capabilities import Capabilities
from persona.storage.paths import clean, from_key, printable, sort_key, to_key

log = logging.getLogger(__name__)


class CloudBackend(Writes, Copies, Deletes, Reads):
    """A bucket or container with a prefix, as a storage."""

    def url(self, path: str = "") -> str:
        """Return the full location of a path."""
        return f"{self._place}/{to_key(self._prefix, clean(path))}"

    async def scan(self, prefix: str = "", *, after: str | None = None) -> AsyncIterator[Listing]:
        """List objects page by page, in key order."""
        folder = clean(prefix)
        last = None if after is None else clean(after)
        if folder and (last is None or sort_key(last) < sort_key(folder)):
            try:
                with self._allowed("read"):
                    entry = await self._head(self._key(folder))
            except MissingError:  # be it the object or the bucket: the listing that follows tells
                log.debug("no object %s", folder)
            else:
                yield Listing([entry.named(folder)])
        base = to_key(self._prefix, folder)
        start = None if last is None else to_key(self._prefix, last)
        head = f"{base}/" if base else ""
        pages = (in_order if self._foreign else self.listed)(self._page, head, start)
        try:
            with understood(self._host):
                checked_pages = ascending(pages)
                while (entries := await self._next(checked_pages)) is not None:
                    page = self._listing(entries, head, start)
                    if page or page.refused or page.folder_markers:
                        yield page
        except MissingError:
            raise self._no_bucket() from None

    async def list(self, prefix: str = "") -> Listing:
        """List all objects at once."""
        return await Listing.of(self.scan(prefix))

    async def past(self) -> AsyncIterator[Sequence[PastVersion]]:
        """Yield earlier versions, page by page."""
        with understood(self._host):
            page_of = partial(self._past_page, self._prefix and f"{self._prefix}/")
            pages = turned(page_of, None, lambda entry: entry[:2], lambda at: (sort_key(at[0]), at[1]))
            async for page in pages:
                yield [entry.version for entry in page.entries if entry.version is not None]

    async def capabilities(self, *, anew: bool = False) -> Capabilities:
        """Say what the endpoint can do, after a probe of what is not known."""
        await self._before_write()
        return await self._conditions.find(*FEATURES, anew=anew)

    async def close(self) -> None:
        """Let go of connections and threads."""
        await self._conditions.close()
        await self._rest.close()

    # The parts of it.

    def _past_version(self, key: str, token: str, size: int, kind: str) -> PastVersion:
        """Return a version under its storage path; one of a foreign name under its key."""
        try:
            return PastVersion(from_key(self._prefix, key), token, size, kind)
        except NameRefusedError:
            return PastVersion(printable(key), token, size, "foreign")

    def _tell(self, markers: Sequence[str]) -> None:
        """Say of the first folder markers that are met what they are."""
        if markers and not self._markers_told:
            log.info("%s has folder markers, such as “%s”: they are no objects.", self._place, printable(markers[0]))
            self._markers_told = True

    def _listing(self, entries: Sequence[Entry], head: str, start: str | None) -> Listing:
        """Return a page under storage paths, without what does not come after the start; `head` begins its keys."""
        after = None if start is None else sort_key(start)
        listing = Listing()
        for entry in entries:
            if after is not None and sort_key(entry.key) <= after:
                continue
            if not entry.key.startswith(head):
                listing.refused.append(RefusedName(entry.key, f"“{printable(entry.key)}” is not below “{head}”."))
                continue
            if entry.problem:
                reason = f"The listing cannot be used for it: {entry.problem}."
                listing.refused.append(RefusedName(entry.key, reason))
                continue
            if entry.is_folder or (entry.key.endswith("/") and not entry.size):
                listing.folder_markers.append(entry.key.removeprefix(f"{self._prefix}/").removesuffix("/"))
                continue
            try:
                listing.append(entry.named(from_key(self._prefix, entry.key)))
            except NameRefusedError as error:
                listing.refused.append(RefusedName(entry.key, str(error)))
        self._tell(listing.folder_markers)
        return listing
