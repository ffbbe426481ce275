"""Refusals in this project's words: what means the same at every provider."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from persona.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ArchivedError,
    ConflictError,
    CredentialsError,
    HeldError,
    NameRefusedError,
    ObjectStateError,
    PersonaError,
    StorageFullError,
    ThrottledError,
    UnreachableError,
    VerificationError,
)
from persona.neutral import line
from persona.storage.backend import Condition, IfAbsent, IfVersion

_CODE = re.compile(r"[\w .-]{1,80}", re.ASCII)  # what else comes for a code is not repeated
_WAIT = "Wait until its retention ends, or ask whoever manages the locks of the bucket to release it."
MAX_SENTENCE = 300
"""How much of a server's own sentence is shown, in characters."""
_CONFLICTS = {
    "",
    "PreconditionFailed",
    "ObjectAlreadyExists",
    "FileAlreadyExists",
    "BlobAlreadyExists",
    "ConditionNotMet",
    "conditionNotMet",
    "conflict",
}
"""The codes with which 409 means that a condition does not hold."""
MAX_SKEW_SECONDS = 840.0
"""Above this a signature is refused for the time in it: S3, Google and Azure allow 15 minutes or less."""


class WrongEndpointError(UnreachableError):
    """What answers is no provider's service. It will not be one a moment later either."""

    temporary = False


class MalformedResponseError(ObjectStateError):
    """The answer about one object is not what its protocol says. It is that object's failure, and nobody's outage."""


class RangeError(PersonaError):
    """The range wanted starts at or past the end of the object. It never leaves the backends."""


class MissingError(PersonaError):
    """The provider has not found it, be it the object or the bucket. It never leaves the backends."""


class UnchangedError(PersonaError):
    """The object is still at the version that was not asked for. It never leaves the backends."""


class UnsupportedError(PersonaError):
    """The service does not implement what was asked (501, 405): an answer, and no outage.

    It never leaves the backends where there is another way.
    """


class RepeatedError(ConflictError):
    """A condition fails where a request was sent again: what was done the first time may be why.

    It never leaves the backends as such: to callers it is a conflict.
    """


class ConditionError(ConflictError):
    """A condition fails. It never leaves the backends as such.

    Args:
        message: what to say where a condition was sent.
        other: the error where none was: then nobody else's write is the cause.
    """

    def __init__(self, message: str, other: PersonaError) -> None:
        super().__init__(message)
        self.other = other


class UnexplainedError(AccessDeniedError):
    """A refusal with 401 or 403 that the provider's table does not explain. It leaves the backends as `DeniedError`.

    Args:
        start: what to say, without the full stop.
        quote: the server's own sentence.
    """

    def __init__(self, start: str, quote: str) -> None:
        super().__init__(
            f"{start}.{quote}",
            hint="“persona storage config test” shows which operation is refused; ask for that permission.",
        )
        self.start = start
        self.quote = quote


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


def too_large(host: str) -> PersonaError:
    """Return the error for a request that a web server before the service finds too large (RFC 9110, 15.5.14)."""
    return PersonaError(
        f"{host} refuses the request with 413: a web server before the service limits how large a request may be.",
        hint="Raise the limit there (nginx: client_max_body_size), or lower performance.chunk_size.",
    )


class State(NamedTuple):
    """What a provider says of one object's state.

    Args:
        until: when its retention ends.
        legal_hold: whether a hold without an end is on it.
        restoring: whether it is being restored from an archive.
    """

    until: datetime | None = None
    legal_hold: bool = False
    restoring: bool = False

    @property
    def held(self) -> bool:
        """Whether it can be neither changed nor deleted now."""
        return self.legal_hold or (self.until is not None and self.until > datetime.now(UTC))


def of_object(error: PersonaError, path: str, state: State) -> PersonaError:
    """Return the error of one object with its name, until when it is held, and whether it is being restored."""
    message = error.message.replace("The object", path, 1)
    if isinstance(error, ArchivedError) and state.restoring:
        return ArchivedError(
            f"{path} is being restored from the archive, and cannot be read yet.",
            hint="Run the command again once that is complete.",
        )
    if isinstance(error, AccessDeniedError) and state.held:  # services that do not say why
        message = f"{path} is locked: this version cannot be changed or deleted."
        error = HeldError(message, hint=_WAIT)
    if isinstance(error, HeldError):
        until = state.until or error.until
        ends = [f"The retention ends at {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC."] if until else []
        ends += ["A legal hold without an end is on it."] if state.legal_hold else []
        return HeldError(" ".join([message, *ends]), hint=error.hint, until=until)
    if isinstance(error, ObjectStateError):
        return type(error)(message, hint=error.hint)
    return error


def of_condition(error: PersonaError, path: str, condition: Condition | None) -> PersonaError:
    """Return the error in the words of the condition that failed."""
    if isinstance(condition, IfVersion) and isinstance(error, MissingError | ConflictError):
        return changed(path)
    if isinstance(condition, IfAbsent) and isinstance(error, ConflictError):
        return taken(path)
    return error.other if condition is None and isinstance(error, ConditionError) else error


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
    start = error.start if isinstance(error, UnexplainedError) else str(error).removesuffix(".")
    quote = error.quote if isinstance(error, UnexplainedError) else ""
    return DeniedError(
        f"{start}: they may not {verb}. They come from {source}.{quote}",
        hint=f"Grant {permission}. “persona storage config test” shows what is allowed.",
    )


class Cause(NamedTuple):
    """What a provider means by a code: one row of the provider's table.

    Args:
        kind: the error class.
        message: what to say; ``{host}`` stands for the server, “The object” for the object's name.
        hint: what to do about it.
        code: the codes, as a regular expression of the whole code; "" for none.
        said: sentences of the server that mean the same, as a regular expression; "" for none.
    """

    kind: type[PersonaError]
    message: str
    hint: str
    code: str = ""
    said: str = ""

    def fits_code(self, refusal: Refusal) -> bool:
        """Say whether this row explains a refusal by its code."""
        return bool(self.code and re.fullmatch(self.code, refusal.code))

    def fits_words(self, refusal: Refusal) -> bool:
        """Say whether this row explains a refusal by the server's sentence, which tells less exactly than a code."""
        return bool(self.said and re.search(self.said, refusal.said, re.IGNORECASE))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's refusal, as its answer states it.

    Args:
        status: the HTTP status.
        code: the provider's code, "" if it gives none.
        said: the server's own sentence, "" if it gives none.
        host: who refuses.
        headers: the headers of the answer.
    """

    status: int
    code: str
    said: str
    host: str
    headers: Mapping[str, str]

    @property
    def shown_code(self) -> str:
        """The code in brackets, after a space; "" for what cannot be a code."""
        return f" ({self.code})" if _CODE.fullmatch(self.code) else ""

    @property
    def quote(self) -> str:
        """The server's sentence, after a space: one line, bounded; "" where it only repeats the code."""
        said = line(" ".join(self.said.split()))[:MAX_SENTENCE]
        if not said or _letters(said) in (_letters(self.code), ""):
            return ""
        return f" It says: “{said}”"


def explained(refusal: Refusal, causes: Iterable[Cause]) -> PersonaError:
    """Return the error for a refusal: by the provider's table, else by what its status means everywhere.

    Args:
        refusal: the answer.
        causes: the provider's table; the first row that fits by its code counts, else the first that fits by its words.
    """
    rows = (*causes, *_COMMON)
    fitting = (*(row for row in rows if row.fits_code(refusal)), *(row for row in rows if row.fits_words(refusal)))
    if not fitting:
        return _by_status(refusal)
    cause = fitting[0]
    message = f"{cause.message.format(host=refusal.host).removesuffix('.')}{refusal.shown_code}."
    if cause.kind is ThrottledError:
        return _throttled(message, refusal)
    if cause.kind is HeldError:
        return HeldError(message, hint=cause.hint, until=_until(refusal.said))
    return cause.kind(message, hint=cause.hint)


_COMMON = (
    Cause(
        ThrottledError,
        "{host} asks for fewer requests.",
        "Lower performance.concurrent_uploads.",
        code=r"SlowDown|TooManyRequests|ServerBusy|Throttling(Exception)?|RequestLimitExceeded|(user)?[rR]ateLimitExceeded",
    ),
    Cause(
        StorageFullError,
        "A quota at {host} is used up.",
        "Free space, or ask for a higher quota.",
        code=r"(?i).*(quota|capacity)\w*exceeded|.*exceed\w*quota",
    ),
    Cause(
        StorageFullError,
        "There is no space left at {host}.",
        "Free space, or enlarge the storage.",
        code=r"(?i).*(storagefull|insufficientstorage|insufficientcapacity|nospaceleft|diskfull)\w*",
    ),
    Cause(
        VerificationError,
        "The content arrived damaged at {host}; nothing was written.",
        "Write it again. If it fails again, check this machine's memory, and what is between it and the provider.",
        code="BadDigest|Md5Mismatch|XAmzContentSHA256Mismatch|XAmzContentChecksumMismatch",
        said=r"(md5|crc32c)( hash)? .{0,80}does(n't| not) match",
    ),
    Cause(
        NameRefusedError,
        "{host} does not take this name.",
        "Use a shorter or plainer name.",
        code="KeyTooLongError|InvalidObjectName|InvalidURI|InvalidResourceName",
    ),
)


def _by_status(refusal: Refusal) -> PersonaError:
    """Return the error for a status that means the same for every request."""
    status, host, code = refusal.status, refusal.host, refusal.shown_code
    if status in (401, 403):
        return UnexplainedError(f"{host} refuses this with these credentials{code}", refusal.quote)
    if status == 304:
        return UnchangedError("The object was not changed.")
    if status == 404:
        return MissingError("There is no such object.")
    other = PersonaError(
        f"{host} refuses the request with {status}{code}.{refusal.quote}", hint="Check the endpoint and the settings."
    )
    if status == 412 or (status == 409 and refusal.code in _CONFLICTS):
        return ConditionError("The object was changed by someone else.", other)
    if status == 416:
        return RangeError("The range is past the end.")
    if status == 507:
        return StorageFullError(f"There is no space left at {host}{code}.", hint="Free space, or enlarge the storage.")
    if status == 429:
        return _throttled(f"{host} asks for fewer requests{code}.", refusal)
    if status in (405, 501):  # RFC 9110, sections 15.5.6 and 15.6.2: an answer, and no outage
        return UnsupportedError(
            f"{host} does not support this request: it answers with {status}{code}.{refusal.quote}",
            hint="“persona storage config test” shows what the endpoint supports.",
        )
    if status >= 500 or status == 408:
        return UnreachableError(f"{host} answers with {status}{code}.{refusal.quote}", hint="Try again later.")
    return other


def _throttled(message: str, refusal: Refusal) -> ThrottledError:
    after = refusal.headers.get("retry-after", "")
    return ThrottledError(
        message,
        hint="Lower performance.concurrent_uploads.",
        retry_after=float(after) if after.isdecimal() and len(after) < 10 else None,
    )


def _until(said: str) -> datetime | None:
    """Return the end of a retention that a sentence names, as Google's do."""
    found = re.search(r"until (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))", said)
    try:
        return datetime.fromisoformat(found[1]).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text).lower()
