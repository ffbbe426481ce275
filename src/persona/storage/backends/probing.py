"""Probes of what an endpoint does with preconditions, metadata and checksums, on objects that are removed again.

Each precondition is tried both ways: a write that must fail, and one that must succeed. A service may ignore a
precondition and overwrite, refuse it with 501, or refuse it always, and all three look alike from one side.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol, get_args

from persona.errors import AccessDeniedError, ConflictError, CredentialsError, PersonaError, UnreachableError
from persona.storage.backend import Condition, IfAbsent, IfVersion
from persona.storage.backends.faults import MissingError, RepeatedError
from persona.storage.backends.listing import Page
from persona.storage.backends.primitives import Attributes, Entry, Part, Upload, Written, spelled
from persona.storage.backends.uploads import give_up, md5_of
from persona.storage.capabilities import Conditional, Spelling
from persona.storage.outage import PROBE
from persona.storage.paths import ODD_NAMES, to_key

log = logging.getLogger(__name__)
STALE_AFTER = timedelta(days=1)
"""A probe object of another machine is left over after so long: no probe takes a hundredth of it."""
_CLEAR_SECONDS = 5.0
_ATTEMPTS = 3
_NAME = re.compile(r"[0-9a-f]{8}-(\d{1,10})-[0-9a-f]{16}(-\d+(-name.*)?)?|[0-9a-f]{32}")
_LARGE_BYTES = (1 << 20) + 1
"""One more than nginx takes as it is installed (ngx_http_core_module, ``client_max_body_size``)."""
_MOST_BYTES = _LARGE_BYTES
_PLAIN = Attributes("application/octet-stream", {})
METADATA = {
    "plain": "value",
    "with-dash": "value",
    "with_underscore": "value",
    "with.dot": "value",
    "Großbuchstabe": "grün",
}
"""Pairs of each kind that services are known to rename or drop; the last one is packed."""

Do = Callable[[str, Condition | None], Awaitable[Written | None]]


class Endpoint(Protocol):
    """The primitives of a cloud backend that a probe uses."""

    stale_version: str
    _place: str

    async def _put(self, key: str, data: Part, attributes: Attributes, condition: Condition | None) -> Written: ...

    async def _begin(self, key: str, attributes: Attributes, condition: Condition | None) -> Upload: ...

    async def _head(self, key: str) -> Entry: ...

    async def _delete(self, key: str, condition: IfVersion | None = None) -> None: ...

    async def _page(self, prefix: str, after: str | None, token: str | None, level: bool) -> Page[Entry]: ...

    async def _forget_versions(self, keys: Sequence[str]) -> None: ...

    async def _settled(self, seconds: float) -> None: ...

    def _now(self) -> datetime: ...


class Probe:
    """One run over an endpoint. Whatever happens to it, its objects are removed at the end.

    Args:
        endpoint: the backend's primitives.
        prefix: the configured prefix, below which the objects are written.
    """

    def __init__(self, endpoint: Endpoint, prefix: str) -> None:
        self._endpoint = endpoint
        self._prefix = prefix
        self._name = probe_name()
        self._keys: list[str] = []
        self._count = 0
        self._is_md5 = False
        self._version = ""
        self.denied: dict[str, AccessDeniedError] = {}

    async def run(self, features: Sequence[str]) -> dict[str, Any]:
        """Test features, named as the fields of `persona.storage.capabilities.Capabilities`.

        Returns:
            The results by field. A feature that the credentials may not test is in `denied` instead.

        Raises:
            UnreachableError: the provider does not answer.
        """
        tests: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "writes": self._writes,
            "uploads": self._uploads,
            "deletes": self._deletes,
            "metadata": self._metadata,
            "checksums": self._checksums,
            "large_bodies": self._large_bodies,
            "md5_digests": self._md5_digests,
            "names": self._names,
        }
        await sweep(self._endpoint, self._prefix)
        found: dict[str, Any] = {}
        try:
            for feature in features:
                try:
                    found |= await self._unrepeated(tests[feature])
                except AccessDeniedError as error:
                    self.denied[feature] = error
        except BaseException:
            await asyncio.shield(self._endpoint._settled(_CLEAR_SECONDS))  # else a write may arrive after the delete
            raise
        finally:
            await asyncio.shield(clear(self._endpoint, self._keys))
        return found

    async def _unrepeated(self, test: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Run a test, again if the answer to one of its writes was lost: such a write shows nothing."""
        for _ in range(_ATTEMPTS):
            try:
                return await test()
            except RepeatedError as error:
                log.info(
                    "An answer to a probe of %s was lost (%s); the probe starts again.", self._endpoint._place, error
                )
        raise UnreachableError(f"{self._endpoint._place} loses answers.", hint="Try again later.")

    # The features.

    async def _writes(self) -> dict[str, Any]:
        key = self._key()
        created = await self._accepts(self._put, key, IfAbsent())
        absent = created and await self._refuses(self._put, key, IfAbsent())
        if not created:
            await self._put(key)
        return {"writes": Conditional(absent, await self._spelling(self._put, key)), "md5_digests": self._is_md5}

    async def _uploads(self) -> dict[str, Any]:
        key = self._key()
        created = await self._accepts(self._upload, key, IfAbsent())
        absent = created and await self._refuses(self._upload, key, IfAbsent())
        if not created:
            await self._put(key)
        return {"uploads": Conditional(absent, await self._spelling(self._upload, key))}

    async def _deletes(self) -> dict[str, Any]:
        key = self._key()
        for spelling in get_args(Spelling):
            version = (await self._put(key)).version
            if not await self._refuses(self._delete, key, spelled(self._stale(), spelling)):
                break
            if await self._accepts(self._delete, key, spelled(IfVersion(version), spelling)):
                return {"deletes": Conditional(False, spelling)}
        return {"deletes": Conditional(False, None)}

    async def _metadata(self) -> dict[str, Any]:
        try:
            lost = await self._lost(METADATA)
        except PersonaError as error:
            if error.temporary:
                raise
            lost = await self._lost_singly(error)
        return {"metadata": lost}

    async def _lost_singly(self, error: PersonaError) -> tuple[str, ...]:
        """Return which pairs do not come back, where all together were refused, as behind a proxy that drops some."""
        lost: list[str] = []
        for name, text in METADATA.items():
            try:
                lost += await self._lost({name: text})
            except PersonaError as alone:
                if alone.temporary:
                    raise
                lost.append(name)
        if len(lost) == len(METADATA) and isinstance(error, CredentialsError):
            raise error  # it is no matter of metadata
        return tuple(lost)

    async def _lost(self, pairs: Mapping[str, str]) -> tuple[str, ...]:
        key = self._key()
        await self._endpoint._put(key, b"probe", Attributes(_PLAIN.content_type, pairs), None)
        stored = (await self._endpoint._head(key)).metadata or {}
        return tuple(name for name, text in pairs.items() if stored.get(name) != text)

    async def _checksums(self) -> dict[str, Any]:
        damaged = replace(_PLAIN, md5=md5_of(b"another").hexdigest())
        return {"checksums": not await self._takes(self._endpoint._put(self._key(), b"probe", damaged, None))}

    async def _large_bodies(self) -> dict[str, Any]:
        return {"large_bodies": await self._takes(self._endpoint._put(self._key(), bytes(_LARGE_BYTES), _PLAIN, None))}

    async def _takes(self, work: Awaitable[object]) -> bool:
        try:
            await work
        except PersonaError as error:
            if error.temporary or isinstance(error, CredentialsError):
                raise
            return False
        return True

    async def _md5_digests(self) -> dict[str, Any]:
        await self._put(self._key())
        return {"md5_digests": self._is_md5}

    async def _names(self) -> dict[str, Any]:
        keys = {kind: self._key(f"-name{name}") for kind, name in ODD_NAMES.items()}
        for key in keys.values():
            try:
                await self._endpoint._put(key, b"probe", _PLAIN, None)
            except PersonaError as error:  # a name that is refused is not changed
                if error.temporary or isinstance(error, CredentialsError | AccessDeniedError | MissingError):
                    raise
                keys = {kind: other for kind, other in keys.items() if other != key}
        page = await self._endpoint._page(to_key(self._prefix, f"{self._name}-"), None, None, False)
        listed = {entry.key for entry in page.entries}
        self._keys += sorted(listed.difference(self._keys))
        return {"names": tuple(kind for kind, key in keys.items() if key not in listed)}

    # What they are made of.

    async def _spelling(self, write: Do, key: str) -> Spelling | None:
        """Find out how “only if still at this version” must be spelled for an object that is there."""
        missing = self._key()
        for spelling in get_args(Spelling):
            if not await self._accepts(write, key, spelled(IfVersion(self._version), spelling)):
                continue
            refused = await self._refuses(write, key, spelled(self._stale(), spelling))
            refused = refused and await self._refuses(write, missing, spelled(IfVersion(self._version), spelling))
            found: Spelling = spelling
            return found if refused else None
        return None

    async def _accepts(self, do: Do, key: str, condition: Condition) -> bool:
        """Say whether what is asked under a condition that holds is done."""
        try:
            await do(key, condition)
        except RepeatedError:
            raise
        except PersonaError as error:
            if error.temporary:
                raise
            log.debug("a condition that holds was refused: %s", error)
            return False
        return True

    async def _refuses(self, do: Do, key: str, condition: Condition) -> bool:
        """Say whether what is asked under a condition that does not hold is refused as such."""
        try:
            await do(key, condition)
        except (ConflictError, MissingError):
            return True
        except PersonaError as error:
            if error.temporary:
                raise
            log.debug("a condition was refused, but not as one that does not hold: %s", error)
        return False

    async def _put(self, key: str, condition: Condition | None = None) -> Written:
        self._count += 1
        content = f"probe {self._count}".encode()
        written = await self._endpoint._put(key, content, _PLAIN, condition)
        self._version = written.version
        self._is_md5 = written.digest is not None and written.digest.value == md5_of(content).hexdigest()
        return written

    async def _upload(self, key: str, condition: Condition | None) -> Written:
        self._count += 1
        content = f"probe {self._count}".encode()
        upload = await self._endpoint._begin(key, _PLAIN, condition)
        try:
            await upload.foresee(content)
            await upload.part(0, content)
            written = await upload.finish()
        except BaseException:
            await give_up(upload)
            raise
        self._version = written.version
        return written

    async def _delete(self, key: str, condition: Condition | None) -> None:
        await self._endpoint._delete(key, condition if isinstance(condition, IfVersion) else None)

    def _stale(self) -> IfVersion:
        return IfVersion(self._endpoint.stale_version)

    def _key(self, ending: str = "") -> str:
        """Return the key of another object of this probe, which is removed at the end."""
        key = to_key(self._prefix, f"{self._name}-{len(self._keys)}{ending}")
        self._keys.append(key)
        return key


async def clear(endpoint: Endpoint, keys: Sequence[str]) -> None:
    """Delete probe objects, and what a versioned bucket keeps of them; say which cannot be deleted."""
    if keys:
        await asyncio.gather(*(_clear_one(endpoint, key) for key in keys))
        await endpoint._forget_versions(keys)


async def _clear_one(endpoint: Endpoint, key: str) -> None:
    try:
        await endpoint._delete(key)
    except MissingError:
        return
    except PersonaError as error:
        log.warning(
            "The probe object %s/%s may be left over: %s Delete it by hand, if it is there.",
            endpoint._place,
            key,
            error,
        )


async def sweep(endpoint: Endpoint, prefix: str) -> None:
    """Delete what earlier probes left that were killed: of this machine at once, of others after a day."""
    start = to_key(prefix, f"{PROBE}-")
    try:
        page = await endpoint._page(start, None, None, False)
    except (AccessDeniedError, MissingError):  # a writer need not be allowed to list
        return
    before = endpoint._now() - STALE_AFTER
    if left := [entry.key for entry in page.entries if _is_left(entry, start, before)]:
        await clear(endpoint, left)


def probe_name() -> str:
    """Return a name for a probe object, by which it is swept if this process is killed."""
    return f"{PROBE}-{_machine()}-{os.getpid()}-{os.urandom(8).hex()}"


def _is_left(entry: Entry, start: str, before: datetime) -> bool:
    """Say whether an object is a probe's, and nobody's any more; a user's own object of a like name is none."""
    name = entry.key.removeprefix(start)
    parts = _NAME.fullmatch(name)
    if parts is None or entry.size > _MOST_BYTES:
        return False
    ours = name.startswith(f"{_machine()}-")
    return entry.last_modified < before or (ours and not _is_running(int(parts[1])))


def _machine() -> str:
    return sha256(socket.gethostname().encode()).hexdigest()[:8]


def _is_running(pid: int) -> bool:
    """Say whether a process of this machine is running, or may be."""
    if os.name != "posix":  # where signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
