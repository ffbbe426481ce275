"""A bucket or container: the few primitives in which the cloud providers differ, and what is known of it."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from os.path import commonprefix
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from persona.certificates import Authorities
from persona.config.schema import PerformanceSettings
from persona.errors import (
    AccessDeniedError,
    ArchivedError,
    BucketNotFoundError,
    HeldError,
    NotFoundError,
    ObjectStateError,
    PersonaError,
)
from persona.proxies import ProxyAddress
from persona.storage.backend import Condition, Download, IfVersion, Location, PastVersion, StorageBackend, StorageObject
from persona.storage.backends.answers import NonsenseError
from persona.storage.backends.conditions import REMEMBERED_SECONDS, Conditions
from persona.storage.backends.faults import (
    DeniedError,
    MissingError,
    State,
    changed,
    denied,
    of_condition,
    of_object,
)
from persona.storage.backends.listing import Fetch, Page, PastEntry, as_listed
from persona.storage.backends.primitives import Attributes, Entry, Part, Upload, Written, clean_prefix, policy_of
from persona.storage.backends.rest import Reply, Request, RestClient
from persona.storage.backends.uploads import Budget, md5_of
from persona.storage.capabilities import Capabilities
from persona.storage.checksums import IN_THREAD_BYTES
from persona.storage.memory import PlaceMemory
from persona.storage.paths import clean, clean_object, to_key

log = logging.getLogger(__name__)


class Bucket(StorageBackend):
    """A bucket or container with a prefix.

    Args:
        place: the location's start for people: ``s3://bucket``.
        prefix: the configured key prefix.
        performance: tuning.
        address: what requests of our own are sent to: the endpoint, with the bucket in it where the paths lack it.
        foreign: whether the endpoint is another than the provider's own, so that nothing is relied on that was not
            tried, such as the order of its listings.
        known: what the endpoint can do by its provider's documentation; None for one that must be probed.
        trusted: the certificate authorities, if others than those that the environment names for all.
    """

    setting: str
    """The configuration key that names the bucket or container."""
    min_part_bytes = 1
    part_multiple = 1
    max_parts = 10_000
    parallel_parts = True
    batch_size = 1000
    page_size = 1000
    """How many rows a page of a listing is asked for."""
    listed: Callable[[Fetch, str, str | None], AsyncIterator[Sequence[Entry]]] = staticmethod(as_listed)
    """How the provider's own listing is brought into key order."""
    conditional_copies = True
    permissions: Mapping[str, str]
    """What the provider calls the permissions to list, read, write and delete."""
    stale_version = "0" * 32
    """A version that no object has."""
    encrypted_copies = True
    """Whether a copy on the provider's side can be encrypted as the configuration says."""
    declared_region: str | None = None
    """The region that the configuration gives, in lower case, if it does."""

    def __init__(
        self,
        place: str,
        prefix: str,
        performance: PerformanceSettings,
        *,
        address: str,
        foreign: bool,
        known: Capabilities | None,
        trusted: Authorities | None = None,
    ) -> None:
        self._place = place
        self._prefix = clean_prefix(prefix)
        self._performance = performance
        self._foreign = foreign
        self._policy = policy_of(performance)
        self._rest = RestClient(
            address,
            sign=self._sign,
            translate=self._translate,
            policy=self._policy,
            timeout=performance.timeout,
            connections=performance.concurrent_uploads + 2,
            trusted=trusted,
        )
        self._host = self._rest.host
        self._bucket_seen = False
        self._markers_told = False
        self._parts_explained = False
        self._conditions = Conditions(self, self._prefix, known)
        self._budget = Budget()
        self.encryption: dict[str, str] = {}
        """What goes with each write so that the provider encrypts as the configuration says: headers, or parameters."""

    def remember(self, folder: Path) -> None:
        """Keep what a probe of the endpoint finds in a file of this folder, and use what was found before."""
        place = f"{self._rest.endpoint}\n{self._place}"
        self._conditions.memory = PlaceMemory(folder, place, REMEMBERED_SECONDS)

    def _declared(self, why: str) -> Location:
        """Return the region of the configuration, since the provider does not tell."""
        return Location(self.declared_region, "declared" if self.declared_region else "unknown", why=why)

    def address(self) -> tuple[str, int]:
        """Return the host and port that requests go to: the proxy's, if there is one."""
        if self._rest.proxy is not None:
            return ProxyAddress(self._rest.proxy)
        parts = urlsplit(self._rest.endpoint)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    def reading_requests(self) -> Mapping[str, int]:
        """Return how many requests that only read were made so far."""
        return self._rest.reading

    async def encrypted_as_asked(self, path: str) -> bool | None:
        """Say whether an object is encrypted as the provider is told to."""
        if not self.encryption:
            return None
        try:
            return await self._encrypted(self._key(path))
        except MissingError:
            raise await self._absent(path) from None

    @contextmanager
    def _allowed(self, verb: str) -> Iterator[None]:
        """Say of a refusal within which permission is missing."""
        try:
            yield
        except AccessDeniedError as error:
            raise self._denied(error, verb) from error

    @asynccontextmanager
    async def _about(self, path: str, verb: str, query: Mapping[str, str] | None = None) -> AsyncIterator[None]:
        """Say of an error within which object it is about, and why that cannot be read, written or deleted.

        Args:
            path: the object.
            verb: what is to be done with it: read, write or delete.
            query: which of its versions is meant, as parameters of the provider's.
        """
        try:
            yield
        except (ObjectStateError, AccessDeniedError) as error:
            raise await self._told(error, path, verb, query or {}) from error

    async def _told(self, error: PersonaError, path: str, verb: str, query: Mapping[str, str]) -> PersonaError:
        """Return an error with its object; who is refused a deletion without a reason looks whether it is locked."""
        state, denied_deletion = State(), verb == "delete" and isinstance(error, AccessDeniedError)
        if denied_deletion or isinstance(error, HeldError | ArchivedError):
            with suppress(PersonaError, NonsenseError):  # the refusal itself is what counts
                state = await self._state(self._key(path), query)
        return self._denied(of_object(error, path, state), verb)

    async def _next(self, pages: AsyncIterator[Sequence[Entry]]) -> Sequence[Entry] | None:
        """Return the next page, or None after the last; not what is done with it meanwhile is to be blamed on it."""
        with self._allowed("list"):
            entries = await anext(pages, None)
        self._bucket_seen = True
        return entries

    def _denied(self, error: PersonaError, verb: str) -> PersonaError:
        """Return a refusal with the permission that is missing, and any other error as it is."""
        if not isinstance(error, AccessDeniedError) or isinstance(error, DeniedError):
            return error
        return denied(error, verb, self.permissions[verb], self.describe().credentials)

    # What a provider's file gives. Keys are whole; what is not found raises MissingError.

    @abstractmethod
    def _sign(self, request: Request) -> None: ...

    @abstractmethod
    def _translate(self, status: int, headers: Mapping[str, str], body: bytes) -> PersonaError: ...

    @abstractmethod
    async def _get(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
        version: str | None = None,
        *,
        unless: str | None = None,
    ) -> Download: ...

    @abstractmethod
    async def _put(self, key: str, data: Part, attributes: Attributes, condition: Condition | None) -> Written: ...

    @abstractmethod
    async def _begin(self, key: str, attributes: Attributes, condition: Condition | None) -> Upload: ...

    @abstractmethod
    def _left(self, key: str, token: str, attributes: Attributes, condition: Condition | None) -> Upload: ...

    @abstractmethod
    async def _head(self, key: str) -> Entry: ...

    @abstractmethod
    async def _page(self, prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]: ...

    @abstractmethod
    async def _past_page(self, start: str, after: tuple[str, str] | None, token: str | None) -> Page[PastEntry]:
        """Return earlier versions of the objects whose keys begin so."""

    @abstractmethod
    async def _copy(
        self, other: Self, key: str, source: StorageObject, target: str, condition: Condition | None
    ) -> Written:
        """Copy the object with a key of another bucket at the version of its description, and return what is answered.

        The version is "" where the answer does not say it.
        """

    @abstractmethod
    def _account(self) -> tuple[object, ...]: ...

    @abstractmethod
    async def _encrypted(self, key: str) -> bool: ...

    @abstractmethod
    async def _state(self, key: str, query: Mapping[str, str]) -> State: ...

    @abstractmethod
    async def _delete(self, key: str, condition: IfVersion | None = None) -> None: ...

    @abstractmethod
    async def _delete_batch(self, keys: Mapping[str, IfVersion | None]) -> None: ...

    @abstractmethod
    async def _on_past(self, method: str, version: PastVersion) -> Reply: ...

    @abstractmethod
    async def _check_bucket(self) -> None: ...

    async def _misstated(self, key: str, found: StorageObject, computed: str) -> bool:
        """Say whether the digest that the provider states is none of the content's, which has another.

        Args:
            key: the object.
            found: what the provider says of it.
            computed: the digest of what was read, in hexadecimal.
        """
        return False

    # What is made of them.

    async def forget_versions(self, path: str) -> None:
        """Delete what a versioned bucket keeps of an object that was deleted."""
        await self._forget_versions([self._key(path)])

    async def _forget_versions(self, keys: Sequence[str]) -> None:
        try:
            start = commonprefix(keys)  # noqa: RUF071  (of keys, character by character)
            for entry in (await self._past_page(start, None, None)).entries:  # those of a probe fit one page
                if entry.version is not None and entry.key in keys:
                    await self._on_past("DELETE", entry.version)
        except PersonaError as error:  # it keeps none, or these credentials may not look
            log.debug("Versions of probe objects were not looked for: %s", error)

    async def _settled(self, seconds: float) -> None:
        await self._rest.settled(seconds)

    def _now(self) -> datetime:
        """Return the time by the provider's clock."""
        return datetime.now(UTC) + timedelta(seconds=self._rest.clock_skew or 0.0)

    def _key(self, path: str) -> str:
        return to_key(self._prefix, clean_object(path))

    def _written(self, path: str, size: int, attributes: Attributes, written: Written) -> StorageObject:
        self._bucket_seen = True
        return StorageObject(
            clean(path),
            size,
            datetime.now(UTC),
            *written,
            attributes.content_type,
            attributes.metadata,
            attributes.headers,
        )

    async def _md5_of(self, data: Part) -> str:
        """Return the MD5 of what is sent: computed here if it is small, since a thread costs more than it spares."""
        if len(data) < IN_THREAD_BYTES:
            return md5_of(data).hexdigest()
        return await self._rest.in_thread(lambda: md5_of(data).hexdigest())

    async def _absent(self, path: str) -> NotFoundError:
        """Return the error for a missing object, or raise that for a missing bucket."""
        await self._require_bucket()
        return NotFoundError(
            f"There is no object {self.url(path)}.", hint="“persona storage list” shows what there is."
        )

    def _no_bucket(self) -> BucketNotFoundError:
        kind = self.setting.rpartition(".")[2]
        return BucketNotFoundError(
            f"There is no {kind} “{self._place.partition('://')[2]}” at {self._host}.",
            hint=f"Check storage.{self.setting}, or create the {kind} with your provider's tools.",
        )

    async def _require_bucket(self) -> None:
        """Raise `BucketNotFoundError` if the bucket is not there; ask once."""
        if not self._bucket_seen:
            try:
                await self._check_bucket()
            except MissingError:
                raise self._no_bucket() from None
            except AccessDeniedError:  # who may not list may still write: that itself will tell
                log.info("%s cannot be listed with these credentials.", self._place)
                return
            self._bucket_seen = True

    async def _before_write(self) -> None:
        """Make sure of the bucket where an endpoint might create it unasked, as SeaweedFS does."""
        if self._foreign:
            await self._require_bucket()

    async def _refused(self, error: PersonaError, path: str, condition: Condition | None) -> PersonaError:
        """Return the error of a write in the words of its condition, or of its bucket."""
        told = of_condition(error, path, condition)
        if isinstance(error, MissingError):
            await self._require_bucket()
        return self._no_bucket() if isinstance(told, MissingError) else await self._told(told, path, "write", {})

    def _part_bytes(self, size: int | None) -> int:
        """Return the size of a part: ``chunk_size``, raised to what the provider demands."""
        wanted = self._performance.chunk_size
        needed = max(wanted, self.min_part_bytes, -(-(size or 0) // self.max_parts))
        needed += -needed % self.part_multiple
        if needed > wanted and not self._parts_explained:
            log.info("performance.chunk_size is %d; this provider demands parts of %d bytes.", wanted, needed)
            self._parts_explained = True
        return needed

    async def _check_source(self, path: str, version: str | None) -> None:
        """Raise `ConflictError` if an object is at another version."""
        if version is not None and (await self.stat(path)).version != version:
            raise changed(path)
