"""Refusals in this project's words: what means the same at every provider."""

from __future__ import annotations

import re
from collections.abc import Mapping

from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConflictError,
    CredentialsError,
    NameRefusedError,
    PersonaError,
    StorageFullError,
    ThrottledError,
    UnreachableError,
)
from persona.storage.backend import Condition, IfAbsent, IfVersion

_CODE = re.compile(r"[\w .-]{1,80}", re.ASCII)  # what else comes for a code is not repeated
MAX_SKEW_SECONDS = 840.0
"""Above this a signature is refused for the time in it: S3, Google and Azure allow 15 minutes or less."""


class WrongEndpointError(UnreachableError):
    """What answers is no provider's service. It will not be one a moment later either."""

    temporary = False


class RangeError(PersonaError):
    """The range wanted starts at or past the end of the object. It never leaves the backends."""


class MissingError(PersonaError):
    """The provider has not found it, be it the object or the bucket. It never leaves the backends."""


class UnchangedError(PersonaError):
    """The object is still at the version that was not asked for. It never leaves the backends."""


class RepeatedError(ConflictError):
    """A condition fails where a request was sent again: what was done the first time may be why.

    It never leaves the backends as such: to callers it is a conflict.
    """


class DeniedError(AccessDeniedError):
    """A refusal that says already what was not allowed."""


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


def clock_off(host: str, skew: float | None) -> CredentialsError | None:
    """Return the error for a refusal that is due to this machine's clock, or None if that is not far off.

    Args:
        host: who refuses.
        skew: how far its clock is ahead of this machine's, in seconds.
    """
    if skew is None or abs(skew) < MAX_SKEW_SECONDS:
        return None
    return CredentialsError(
        f"{host} refuses the signature: this machine's clock is {abs(skew) / 60:.0f} minutes "
        f"{'behind' if skew > 0 else 'ahead of'} the provider's.",
        hint="Set this machine's clock, by NTP say.",
    )


def denied(error: AccessDeniedError, verb: str, permission: str, source: str) -> DeniedError:
    """Return a refusal that says what was not allowed, and which permission allows it.

    Args:
        error: the refusal.
        verb: what was to be done: list, read, write or delete.
        permission: what the provider calls the permission.
        source: which way the credentials were found.
    """
    return DeniedError(
        f"{str(error).removesuffix('.')}: they may not {verb}. They come from {source}.",
        hint=f"Grant {permission}. “persona storage config test” shows what is allowed.",
    )


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
