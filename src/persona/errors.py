"""Every error that Persona raises, as one tree.

::

    PersonaError                      exit 1
    ├── IncompleteError               exit 1    some objects failed, the others are done
    ├── StorageFullError              exit 1    no space left, quota used up
    ├── ObjectStateError              exit 1    the state of this one object at its provider forbids it
    │   ├── ArchivedError             exit 1    archived: restore it before it is read
    │   ├── HeldError                 exit 1    retention or a legal hold: no change, no deletion
    │   ├── LeasedError               exit 1    another program holds a lease on it
    │   ├── BusyError                 exit 6    another request for it is in progress; temporary
    │   └── EncryptionKeyError        exit 4    the key that encrypts it cannot be used
    ├── UsageError                    exit 2
    │   ├── NameRefusedError          exit 2    also ValueError
    │   └── InputError                exit 2    also ValueError
    ├── ConfigError                   exit 3
    ├── CredentialsError              exit 4
    │   └── AccessDeniedError         exit 4    also PermissionError
    │       └── ReadOnlyError         exit 4    the whole disk is mounted read-only
    ├── NotFoundError                 exit 5    also FileNotFoundError
    │   └── BucketNotFoundError       exit 5
    ├── ConflictError                 exit 6
    │   └── AlreadyExistsError        exit 6    also FileExistsError
    ├── UnreachableError              exit 7    also ConnectionError; temporary
    │   ├── RequestFailedError        exit 7    this request alone: the provider responds to others; temporary
    │   └── ThrottledError            exit 7    temporary
    └── VerificationError             exit 8

An error says what happened and to what (``str(error)``), and what to do next (``error.hint``). It knows the exit
code of the command line and whether trying again may help. No library's exception leaves the module that met it.
Whatever an error says has gone through `persona.redaction`, wherever it is then written: to a terminal, a journal, a
report, an outbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from persona.redaction import redacted

if TYPE_CHECKING:
    from datetime import datetime

INCOMPLETE = "incomplete"
"""The attribute of a log record which says that something is not complete: it is shown with ``--quiet`` too."""


class PersonaError(Exception):
    """The base of all errors of this project.

    Args:
        message: what happened, and to what.
        hint: what the reader can do about it; a whole sentence.
    """

    exit_code: ClassVar[int] = 1
    temporary: ClassVar[bool] = False
    """Whether the same call may succeed a moment later."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = redacted(message)
        self.hint = redacted(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class IncompleteError(PersonaError):
    """The work is done in part: some objects failed or could not be carried."""


class StorageFullError(PersonaError):
    """There is no space left where the object should go."""


class ObjectStateError(PersonaError):
    """The state of one object at its provider forbids this. Nobody else wrote to it, and no permission is missing."""


class ArchivedError(ObjectStateError):
    """The object is in an archive class or tier: it must be restored before it can be read."""


class HeldError(ObjectStateError):
    """A retention policy or a legal hold keeps the object from being changed or deleted.

    Args:
        message: what happened.
        hint: what to do.
        until: when the retention ends, if the provider says it.
    """

    def __init__(self, message: str, *, hint: str = "", until: datetime | None = None) -> None:
        super().__init__(message, hint=hint)
        self.until = until


class LeasedError(ObjectStateError):
    """Another program holds a lease on the object."""


class BusyError(ObjectStateError):
    """Another request for the object is in progress at the provider. Which of the two it will take is not decided."""

    exit_code = 6
    temporary = True


class EncryptionKeyError(ObjectStateError):
    """The key that encrypts the object at the provider cannot be used: not allowed, disabled or missing."""

    exit_code = 4


class UsageError(PersonaError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class NameRefusedError(UsageError, ValueError):
    """A name is outside what a storage path may be."""


class InputError(UsageError, ValueError):
    """Input cannot be used: a missing or broken file, an empty data set, an unknown format."""


class ConfigError(PersonaError):
    """The configuration is wrong, or not enough for what was asked."""

    exit_code = 3


class CredentialsError(PersonaError):
    """Credentials are missing, wrong or expired."""

    exit_code = 4


class AccessDeniedError(CredentialsError, PermissionError):
    """The credentials are good, but do not allow this."""


class ReadOnlyError(AccessDeniedError):
    """The file system is mounted read-only: no object can be written, whatever its permissions."""


class NotFoundError(PersonaError, FileNotFoundError):
    """There is no such object."""

    exit_code = 5


class BucketNotFoundError(NotFoundError):
    """There is no such bucket, container or root folder."""


class ConflictError(PersonaError):
    """Someone else wrote in between: the precondition of a write no longer holds."""

    exit_code = 6


class AlreadyExistsError(ConflictError, FileExistsError):
    """The object was to be created, and is there already."""


class UnreachableError(PersonaError, ConnectionError):
    """The provider cannot be reached, or does not answer as it should."""

    exit_code = 7
    temporary = True


class RequestFailedError(UnreachableError):
    """This request failed, and the provider responds to another one: it is no outage."""


class ThrottledError(UnreachableError):
    """The provider asks for fewer requests.

    Args:
        message: what happened.
        hint: what to do.
        retry_after: the pause that the provider asked for, in seconds.
    """

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class VerificationError(PersonaError):
    """Data is not what it should be."""

    exit_code = 8
