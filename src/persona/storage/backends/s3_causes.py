"""What the codes of S3 mean, and what to do about each (Amazon S3 API Reference, "Error responses").

Services that speak the protocol have codes of their own beside these; where only their sentence tells, that counts.
"""

from __future__ import annotations

from persona.errors import (
    ArchivedError,
    BusyError,
    ConfigError,
    CredentialsError,
    EncryptionKeyError,
    HeldError,
    NameRefusedError,
    PersonaError,
    ThrottledError,
)
from persona.storage.backends.faults import Cause, DeniedError

_RESTORE = "Restore it (aws s3api restore-object), and run the command again once the restore is complete."
_KEY = (
    "Check the state of the key, and that its policy allows kms:GenerateDataKey (to write) and kms:Decrypt (to read)."
)

CAUSES = (
    Cause(
        ArchivedError,
        "The object is archived, and has to be restored before it can be read.",
        _RESTORE,
        code="InvalidObjectState|ObjectNotInActiveTierError|RestoreAlreadyInProgress",
    ),
    Cause(
        HeldError,
        "The object is locked: this version cannot be changed or deleted.",
        "Wait until its retention ends, or ask whoever manages Object Lock on the bucket to release it.",
        code="ObjectLocked|AccessDeniedByLock|FileImmutable",
        said=r"(protected|forbidden) by object lock|worm[ -]?protected|worm state|under (an? )?(active )?legal hold"
        r"|subject to .{0,40}retention|retention period has not",
    ),
    Cause(  # Amazon S3 and Ceph: whether the condition holds shows once the other request has ended
        BusyError,
        "The object is being written or deleted by another request.",
        "Run the command again.",
        code="ConditionalRequestConflict|OperationAborted|ConcurrentModification",
    ),
    Cause(
        ConfigError,
        "The requester pays for this bucket at {host}, and the request does not accept the charge.",
        "If you accept it: persona storage config set s3.request_payer requester",
        said=r"requester[ -]?pays?\b",
    ),
    Cause(
        ThrottledError, "{host} asks for fewer requests to the key.", "", code=r"(KMS\.)?(KMS)?Throttling(Exception)?"
    ),
    Cause(
        EncryptionKeyError,
        "The object's KMS key cannot be used.",
        _KEY,
        code=r"KMS\..*|KMS\w*Exception|XMinioKMS\w*|\w*KMSKey\w*",
        said=r"\bkms:(GenerateDataKey|Decrypt|Encrypt|ReEncrypt|DescribeKey)\w*\b",
    ),
    Cause(
        CredentialsError,
        "The account cannot be used at {host}: there is a problem with its registration or its payment.",
        "Look into the account with your provider.",
        code="AccountProblem|NotSignedUp|UserSuspended|InvalidPayer|UserDisable",
    ),
    Cause(
        DeniedError,
        "All access to the bucket or the object is disabled at {host}.",
        "Ask your provider why.",
        code="AllAccessDisabled",
    ),
    Cause(
        ConfigError,
        "{host} does not offer the storage class that the bucket is set to.",
        "Choose another class for the bucket with your provider's tools.",
        code="InvalidStorageClass",
    ),
    Cause(
        PersonaError,
        "The object is larger than {host} takes.",
        "Keep it elsewhere, or split it.",
        code="EntityTooLarge",
    ),
    Cause(
        NameRefusedError,
        "The object cannot have this name at {host}: a folder of that name is there, or an object where a folder has "
        "to be.",
        "Rename one of the two.",
        code="XMinioObjectExistsAsDirectory|XMinioParentIsObject",
    ),
)
"""The table: the first row that fits counts."""
