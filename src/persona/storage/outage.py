"""Outages: seeing whether anybody is there, and what is known of an outage by all processes of this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path

from persona.errors import UnreachableError
from persona.locks import LockTimeoutError, locked
from persona.proxies import proxy_at
from persona.storage.private import private, private_folder

log = logging.getLogger(__name__)
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
_LOCK_SECONDS = 1.0
PROBE = ".persona-probe"
"""What a light request looks for; it need not be there."""


async def knock(address: tuple[str, int], seconds: float) -> bool | None:
    """Say whether anybody accepts a TCP connection at an address; None if that was not to be known in time.

    In a daemon thread of its own: a name server that does not answer holds a thread for half a minute, and asyncio's
    own threads would hold up the end of the event loop for as long.

    Args:
        address: host and port; the name is looked up within the time.
        seconds: how long to wait.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool | None] = loop.create_future()

    def tell(accepted: bool | None) -> None:
        if not answer.done():
            answer.set_result(accepted)

    def work() -> None:
        accepted: bool | None
        try:
            socket.create_connection(address, timeout=seconds).close()
            accepted = True
        except TimeoutError:
            accepted = None
        except (OSError, UnicodeError):  # also of the name, and of one that cannot be a name
            accepted = False
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, accepted)

    threading.Thread(target=work, name="persona-knock", daemon=True).start()
    done, _ = await asyncio.wait({answer}, timeout=seconds)  # wait_for would take an interruption for the answer
    return answer.result() if done else None


async def require(address: tuple[str, int] | None, seconds: float = 1.0) -> None:
    """Raise `UnreachableError` if nobody is there; so a long job finds out at its beginning."""
    if address is not None and not await knock(address, seconds):
        raise nobody(address)


def nobody(address: tuple[str, int] | None) -> UnreachableError:
    """Return the error for an address where nobody accepts a connection."""
    if (proxy := proxy_at(address)) is not None:
        return proxy.silent()
    where = f"{address[0]}:{address[1]}" if address else "the provider"
    return UnreachableError(f"Nothing answers at {where}.", hint="Check the endpoint and the network.")


def silent(address: tuple[str, int] | None, hint: str) -> UnreachableError:
    """Return the error for an address where somebody accepts connections, and no answer comes from."""
    if (proxy := proxy_at(address)) is not None:
        return UnreachableError(f"No answer of the provider comes through {proxy}.", hint=hint)
    return UnreachableError("The provider accepts connections and does not answer.", hint=hint)


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage as it is known so far. Times are of the wall clock, in seconds.

    Args:
        since: when the first operation failed.
        failures: how many operations and tries have failed.
        error: why the last one did; without secrets, as all our errors.
        retry_at: when the provider is tried again.
        pause: how long after the last try that is, before jitter.
        accepts: whether somebody accepts connections there, and yet does not answer as a provider does.
    """

    since: float
    failures: int
    error: str
    retry_at: float
    pause: float = FIRST_PAUSE
    accepts: bool = False

    def due(self, now: float) -> bool:
        """Say whether it is time to try again; a time beyond the longest pause is of a clock that was set back."""
        return not now < self.retry_at <= now + LONGEST_PAUSE

    def postponed(self, now: float, pause: float) -> Outage:
        """Return the outage with its next try after a pause, a random part of which is left out."""
        share = random.uniform(0.75, 1.0)  # noqa: S311  (no secret)
        return replace(self, pause=pause, retry_at=now + pause * share)


class OutageState:
    """What is known of an outage of one place; other processes see it, since every command is one.

    Args:
        folder: where it is kept, or None to know it in this process only.
        place: the identity of the place.
    """

    def __init__(self, folder: Path | None = None, place: str = "") -> None:
        self._file = folder and folder / f"{sha256(place.encode()).hexdigest()[:24]}.json"
        self._known: Outage | None = None

    def load(self) -> Outage | None:
        """Return the outage, or None if there is none; a file that cannot be read says nothing."""
        if self._file is None:
            return self._known
        try:
            return _parsed(self._file.read_bytes())
        except FileNotFoundError:
            return self._known
        except (OSError, ValueError, TypeError):
            log.info("%s cannot be read; the provider is tried.", self._file)
            return self._known

    def failed(self, error: str, now: float, *, accepts: bool) -> None:
        """Note that an operation or a try failed."""
        with self._changing():
            known = self.load()
            if known is None:
                self._save(Outage(now, 1, error, now, accepts=accepts).postponed(now, FIRST_PAUSE))
                return
            changed = replace(known, failures=known.failures + 1, error=error, accepts=accepts)
            self._save(changed.postponed(now, _longer(known)) if known.due(now) else changed)

    def claim(self, now: float) -> bool:
        """Say whether this process is to try the provider now; the others then wait for the next time."""
        with self._changing():
            known = self.load()
            if known is None or not known.due(now):
                return False
            self._save(known.postponed(now, _longer(known)))
            return True

    def end(self) -> None:
        """Forget the outage: the provider answers."""
        self._known = None
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let no other process change it meanwhile; where there can be no lock, go without: it is no promise."""
        with ExitStack() as stack:
            if self._file is not None:
                with suppress(OSError, LockTimeoutError):
                    private_folder(self._file.parent)
                    stack.enter_context(locked(self._file.with_suffix(".lock"), _LOCK_SECONDS))
            yield

    def _save(self, outage: Outage) -> None:
        """Keep it; on a full disk in this process only."""
        if self._file is None:
            self._known = outage
            return
        draft = self._file.with_name(f"{self._file.stem}.{os.getpid()}.tmp")
        try:
            with private(draft) as stream:
                stream.write(json.dumps(asdict(outage)).encode())
            draft.replace(self._file)
        except OSError as error:
            self._known = outage
            log.info("%s cannot be written: %s.", self._file, error.strerror)
            with suppress(OSError):
                draft.unlink()


def _longer(outage: Outage) -> float:
    return min(outage.pause * 2, LONGEST_PAUSE)


def _parsed(data: bytes) -> Outage:
    """Return an outage as it was kept.

    Raises:
        ValueError, TypeError: it is none.
    """
    outage = Outage(**json.loads(data))
    numbers = (outage.since, outage.retry_at, outage.pause)
    if not all(isinstance(number, int | float) and isfinite(number) for number in numbers):
        raise ValueError
    if not isinstance(outage.failures, int) or not isinstance(outage.error, str) or outage.pause <= 0:
        raise ValueError
    return outage
