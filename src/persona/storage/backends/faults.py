"""Refusals in this project's words: what means the same at every provider."""

from __future__ import annotations

import re
from collections.abc import Mapping

from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConflictError,
    NameRefusedError,
    PersonaError,
    StorageFullError,
    ThrottledError,
    UnreachableError,
)
from persona.storage.backend import Condition, IfAbsent, IfVersion

_CODE = re.compile(r"[\w .-]{1,80}", re.ASCII)  # what else comes for a code is not repeated


class RangeError(PersonaError):
    """The range wanted starts at or past the end of the object. It never leaves the backends."""


class MissingError(PersonaError):
    """The provider has not found it, be it the object or the bucket. It never leaves the backends."""


class UnchangedError(PersonaError):
    """The object is still at the version that was not asked for. It never leaves the backends."""


def changed(path: str) -> ConflictError:
    """Return the error for an object that is no longer at the version asked for."""
    return ConflictError(
        f"{path} was changed by someone else.",
        hint="Read it again, and repeat the change on what is there now.",
    )


def taken(path: str) -> AlreadyExistsError:
    """Return the error for an object that was to be created and is there."""
    return AlreadyExistsError(f"{path} is there already.", hint="Choose another name, or overwrite it.")


def of_condition(error: PersonaError, path: str, condition: Condition | None) -> PersonaError:
    """Return the error in the words of the condition that failed."""
    if isinstance(condition, IfVersion) and isinstance(error, MissingError | ConflictError):
        return changed(path)
    if isinstance(condition, IfAbsent) and isinstance(error, ConflictError):
        return taken(path)
    return error


def by_status(status: int, code: str, host: str, headers: Mapping[str, str]) -> PersonaError:
    """Return the error for a status that means the same for every request."""
    said = f" ({code})" if _CODE.fullmatch(code) else ""
    if status in (401, 403):
        return AccessDeniedError(
            f"{host} refuses this with these credentials{said}.",
            hint="“persona storage config test” shows which operation is refused; ask for that permission.",
        )
    if status == 304:
        return UnchangedError("The object was not changed.")
    if status == 404:
        return MissingError("There is no such object.")
    if status in (409, 412):
        return ConflictError("The object was changed by someone else.")
    if status == 416:
        return RangeError("The range is past the end.")
    if code in ("KeyTooLongError", "InvalidObjectName", "InvalidURI", "InvalidResourceName"):
        return NameRefusedError(f"{host} does not take this name{said}.", hint="Use a shorter or plainer name.")
    if status == 507 or code in ("QuotaExceeded", "XMinioStorageFull", "quotaExceeded"):
        return StorageFullError(f"There is no space left at {host}{said}.", hint="Free space, or raise the quota.")
    if status == 429 or code in ("SlowDown", "TooManyRequests", "rateLimitExceeded", "ServerBusy"):
        after = headers.get("retry-after", "")
        return ThrottledError(
            f"{host} asks for fewer requests{said}.",
            hint="Lower performance.concurrent_uploads.",
            retry_after=float(after) if after.isdecimal() and len(after) < 10 else None,
        )
    if status >= 500 or status == 408:
        return UnreachableError(f"{host} answers with {status}{said}.", hint="Try again later.")
    return PersonaError(f"{host} refuses the request with {status}{said}.", hint="Check the endpoint and the settings.")
