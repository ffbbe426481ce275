"""``config test``: every step of the way to the storage, tried on a probe object that is removed."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from persona.config.schema import ResidencySettings
from persona.credentials.chain import Found, Report, Step, spoilt, within
from persona.errors import AccessDeniedError, PersonaError, UnreachableError, VerificationError
from persona.proxies import Proxy, proxy_at
from persona.storage.backend import IfVersion, Place, StorageBackend
from persona.storage.background import started
from persona.storage.outage import PROBE, knock, nobody, silent

T = TypeVar("T")
OBTAIN_SECONDS = 1.2
"""How long it may take to obtain keys or a token: a test is to say within two seconds that nobody gives them."""
ANSWER_SECONDS = 1.4
"""How long both together may take, the provider's first answer included, on a line where connections are quick."""
LEAST_SECONDS = 0.7
CONNECTIONS = 10
"""On a slower line, a first answer may take so many times as long as a connection."""
MAX_SKEW_SECONDS = 300.0
"""S3 refuses signatures that are more than 15 minutes off; a third of it is reason to say so."""


@dataclass(frozen=True, slots=True)
class Check:
    """One step: whether it worked, what was seen, and what to do if it did not."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


@dataclass(slots=True)
class Findings:
    """What the test found out."""

    place: Place | None = None
    proxy: Proxy | None = None
    credentials: Report = field(default_factory=Report)
    checks: list[Check] = field(default_factory=list)
    capabilities: dict[str, Any] = field(default_factory=dict)
    failure: PersonaError | None = None
    """The first error, whose exit code is that of the test."""

    @property
    def ok(self) -> bool:
        """Whether every step worked."""
        return all(check.ok for check in self.checks)

    def fail(self, name: str, error: PersonaError) -> None:
        """Record a step that failed."""
        self.checks.append(Check(name, False, str(error), error.hint))
        self.failure = self.failure or error

    def unusable(self, error: PersonaError) -> bool:
        """Record credentials that were found and cannot be used; return False."""
        self.credentials = replace(self.credentials, chain=spoilt(self.credentials.chain, error))
        self.fail("credentials", error)
        return False


async def examine(
    storage: StorageBackend, found: Found | None = None, rule: ResidencySettings | None = None
) -> Findings:
    """Try to list, write, read, write under a condition, and delete; look at the clock and the latency.

    Args:
        storage: what to try.
        found: its credentials, if it has some: whose they are is found out meanwhile.
        rule: where it may be; in a place that is not allowed nothing is written.
    """
    findings = Findings(storage.describe() if found is None else None, proxy_at(storage.address()))
    begun = time.perf_counter()
    if not await _obtain(storage, found, findings):
        return findings
    identity = started(_identity(found))
    await _examine(storage, findings, rule, max(LEAST_SECONDS, ANSWER_SECONDS - (time.perf_counter() - begun)))
    if said := await identity:
        findings.credentials = replace(findings.credentials, identity=said)
    return findings


async def _obtain(storage: StorageBackend, found: Found | None, findings: Findings) -> bool:
    """Obtain keys or a token, and say whether there are some."""
    expires = None
    if found is not None:
        findings.credentials = Report(found.source, chain=found.chain)
        try:
            expires = await asyncio.to_thread(within, OBTAIN_SECONDS, found.obtain)
        except TimeoutError as error:
            late = UnreachableError(f"What gives the credentials does not answer: {error}.", hint="Check the network.")
            return findings.unusable(late)
        except PersonaError as error:
            return findings.unusable(error)
    findings.place = place = storage.describe()
    findings.credentials = Report(
        place.credentials, place.identity, expires, found.chain if found else (Step(place.credentials, True, True, ""),)
    )
    findings.checks.append(Check("credentials", True, place.credentials))
    return True


async def _identity(found: Found | None) -> str | None:
    """Return whom the credentials are taken for; each way to find out has a time limit of its own."""
    if found is not None:
        with suppress(PersonaError):  # they were obtained a moment ago; what is wrong now, the steps say
            return await asyncio.to_thread(found.identify)
    return None


async def _examine(storage: StorageBackend, findings: Findings, rule: ResidencySettings | None, seconds: float) -> None:
    """Take the steps, the first one in so many seconds; that one is not allowed says nothing about the others."""
    probe = f"{PROBE}-{uuid.uuid4().hex}"
    step = _Steps(findings)
    names: list[str] = []
    begun = time.perf_counter()
    first = _in_time(storage, _first_page(storage, names), seconds)
    listed = await step("list", first, f"{storage.url()} is there and can be listed")
    latency = (time.perf_counter() - begun) * 1000
    if listed is _FAILED and not isinstance(findings.failure, AccessDeniedError):
        return
    if await _is_allowed(storage, rule, findings):
        await _write_and_delete(storage, probe, step, findings, names)
    findings.checks.append(Check("latency", True, f"{latency:.0f} ms to the first answer"))
    _judge_clock(findings, storage.describe().clock_skew)


async def _write_and_delete(
    storage: StorageBackend, probe: str, step: _Steps, findings: Findings, names: list[str]
) -> None:
    written: object = _FAILED
    gone: object = _FAILED
    try:
        written = await step("write", lambda: storage.write(probe, b"probe"), "an object can be written")
        if written is not _FAILED:
            await step("read", _read_back(storage, probe), "it reads back the same")
            if asked := storage.describe().encryption:
                await step("encryption", _encrypted(storage, probe, asked), f"what is written is encrypted: {asked}")
            await step("conditional write", _conditions(storage, probe, findings), "conditional writes were tested")
            _judge(findings)
            gone = await step("delete", lambda: storage.delete(probe), "it can be deleted")
    finally:
        unsure = written is not _FAILED or (findings.failure and findings.failure.temporary)
        if gone is not _FAILED:
            await asyncio.shield(_forget(storage, probe))
        elif unsure:  # what went unanswered may have been done
            await asyncio.shield(_remove(storage, probe, findings))
    if written is _FAILED and names and not unsure:
        await step("read", _read_first(storage, names[0]), f"{names[0]} can be read")


async def _remove(storage: StorageBackend, probe: str, findings: Findings) -> None:
    """Delete the probe object past the layers, which may refuse everything by now; say so if that fails."""
    holder, path = storage.beneath(probe)
    try:
        await holder.delete(path)
    except PersonaError as error:
        last, left = findings.checks[-1], f"The probe object {storage.url(probe)} may be left over."
        if last.name == "delete":
            findings.checks[-1] = replace(last, detail=f"{last.detail} {left}")
        else:
            findings.checks.append(Check("delete", False, f"{error} {left}", "Delete it by hand, if it is there."))
    else:
        await _forget(storage, probe)


async def _forget(storage: StorageBackend, probe: str) -> None:
    """Delete what a versioned bucket keeps of the probe object."""
    holder, path = storage.beneath(probe)
    await holder.forget_versions(path)


async def _is_allowed(storage: StorageBackend, rule: ResidencySettings | None, findings: Findings) -> bool:
    """Look where the storage is, if there is a rule, and say whether anything may be written there."""
    if rule is None or not rule.allow:
        return True
    from persona.storage.residency import residence

    try:
        found = await residence(storage, rule)
    except PersonaError as error:
        findings.fail("residency", error)
        return False
    if found.refused:
        findings.fail("residency", found.refusal())
    else:
        unenforced = "" if found.ok else "; it is not allowed, which is not enforced"
        findings.checks.append(Check("residency", True, found.where + unenforced))
    return not found.refused


_FAILED = object()


class _Steps:
    """Runs steps and records them."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    async def __call__(self, name: str, work: Callable[[], Coroutine[Any, Any, T]], good: str) -> T | object:
        try:
            result = await work()
        except PersonaError as error:
            self._findings.fail(name, error)
            return _FAILED
        self._findings.checks.append(Check(name, True, good))
        return result


def _in_time(
    storage: StorageBackend, work: Callable[[], Coroutine[Any, Any, T]], seconds: float
) -> Callable[[], Coroutine[Any, Any, T]]:
    """Return work that is given up if the provider does not answer in time, for a test is not to wait for it."""
    address = storage.address()
    if address is None:
        return work

    async def limited() -> T:
        doing, line = started(work()), started(_connecting(address, seconds))
        try:
            done, _ = await asyncio.wait({doing}, timeout=seconds)
            if not done:
                if (took := await line) is None:
                    raise nobody(address)
                done, _ = await asyncio.wait({doing}, timeout=max(0.0, CONNECTIONS * took - seconds))
            if done:
                return await doing
        finally:
            doing.cancel()
            line.cancel()
        raise silent(address, "Check the endpoint, its port, and the network.")

    return limited


async def _connecting(address: tuple[str, int], seconds: float) -> float | None:
    """Return how long a connection takes, in seconds; None if there is none in time."""
    begun = time.perf_counter()
    return time.perf_counter() - begun if await knock(address, seconds) else None


def _first_page(storage: StorageBackend, names: list[str]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        async for page in storage.scan():
            names.extend(found.path for found in page[:1])
            return

    return work


def _read_first(storage: StorageBackend, path: str) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        download = await storage.open(path)
        await download.close()

    return work


def _read_back(storage: StorageBackend, probe: str) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        if await storage.read(probe) != b"probe":
            raise VerificationError("The object reads back different from what was written.", hint="Ask the provider.")

    return work


def _encrypted(storage: StorageBackend, probe: str, asked: str) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        if not await storage.encrypted_as_asked(probe):
            raise VerificationError(
                f"The provider takes objects, but does not say that they are encrypted as it is told to ({asked}).",
                hint="The endpoint may not know this way of encryption: ask its provider, or unset it.",
            )

    return work


def _conditions(storage: StorageBackend, probe: str, findings: Findings) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        found = await storage.capabilities(anew=True)
        findings.capabilities = found.shown()
        here = await storage.stat(probe)
        await storage.write(probe, b"probe", condition=IfVersion(here.version))

    return work


def _judge(findings: Findings) -> None:
    """Say in the step itself what the endpoint honours, and beside it what it loses; neither is a failure."""
    found = findings.capabilities
    if not found or not findings.checks[-1].ok:
        return
    lacking = [text for name, text in _CONDITIONAL.items() if not found[name]]
    how = "in a sequential probe; atomicity between concurrent writers cannot be tested"
    if not found["probed"]:
        detail = "preconditions are honoured, as the provider documents"
        detail += f"; not on {' and '.join(lacking)}" if lacking else ""
    elif not lacking:
        unquoted = ", with If-Match unquoted" if found["if_match"] == "unquoted" else ""
        detail = f"preconditions are honoured{unquoted}, {how}"
    else:
        detail = (
            f"preconditions are not honoured on {' and '.join(lacking)}: Persona checks first, but of two writers at "
            f"the same moment one may overwrite the other (tested {how})"
        )
    findings.checks[-1] = Check("conditional write", True, detail)
    if found["metadata_lost"]:
        lost = ", ".join(found["metadata_lost"])
        findings.checks.append(Check("metadata", True, f"metadata does not come back as it was written: {lost}"))
    if found["large_bodies"] is False:
        hint = "Raise the limit of the proxy before the service; of nginx: client_max_body_size 0."
        findings.checks.append(Check("large objects", False, "an upload of 1 MiB and one byte is refused", hint))


_CONDITIONAL = {
    "conditional_creates": "writes “only if absent”",
    "conditional_updates": "writes “only if unchanged”",
    "conditional_uploads": "uploads in parts",
    "conditional_deletes": "deletes",
}


def _judge_clock(findings: Findings, skew: float | None) -> None:
    if skew is None:
        return
    good = abs(skew) < MAX_SKEW_SECONDS
    detail = f"the provider's clock is {abs(skew):.0f} s {'ahead of' if skew >= 0 else 'behind'} this machine's"
    findings.checks.append(Check("clock", good, detail, "" if good else "Set this machine's clock, by NTP say."))
