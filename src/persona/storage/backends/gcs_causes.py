"""What the reasons of Google Cloud Storage mean ("HTTP status and error codes for JSON").

Holds and retention policies come with the reason ``forbidden`` as well, so that their sentences count too.
"""

from __future__ import annotations

from persona.errors import (
    ConfigError,
    CredentialsError,
    EncryptionKeyError,
    HeldError,
    PersonaError,
    StorageFullError,
)
from persona.storage.backends.faults import Cause, DeniedError

CAUSES = (
    Cause(
        HeldError,
        "The object is under a retention policy: it cannot be changed or deleted.",
        "Wait until the retention ends, or ask whoever manages the bucket's retention policy.",
        code="retentionPolicyNotMet",
        said=r"subject to (the )?bucket's retention policy|object retention",
    ),
    Cause(
        HeldError,
        "The object is under an active hold: it cannot be changed or deleted.",
        "Release the hold: gcloud storage objects update gs://BUCKET/NAME --no-temporary-hold --no-event-based-hold",
        code="objectUnderActiveHold",
        said=r"under active .{0,20}hold",
    ),
    Cause(
        ConfigError,
        "The requester pays for this bucket at {host}, and the request names no project to charge.",
        "If you accept the charge: persona storage config set gcs.user_project PROJECT",
        code="userProjectMissing|authenticationRequiredRequesterPays",
        said=r"requester pays bucket",
    ),
    Cause(
        ConfigError,
        "The project that storage.gcs.user_project names cannot be charged at {host}.",
        "Check its name and its billing, and that you have serviceusage.services.use on it.",
        code="userProject(Invalid|Inconsistent|AccessDenied|AccountProblem)",
    ),
    Cause(
        EncryptionKeyError,
        "The object's Cloud KMS key cannot be used.",
        "Check the key, its state and location, and that the bucket's service agent has the role Cloud KMS CryptoKey "
        "Encrypter/Decrypter on it.",
        code=r"cloudKms\w+",
        said=r"cloud ?kms",
    ),
    Cause(
        EncryptionKeyError,
        "The object is encrypted with a key that only its owner has.",
        "Persona sends no customer-supplied keys: rewrite the object under another key.",
        code="resourceIsEncryptedWithCustomerEncryptionKey|customerEncryptionKey\\w+",
    ),
    Cause(
        CredentialsError,
        "The account or its billing is disabled at {host}.",
        "Look into the project's billing with your provider.",
        code="accountDisabled",
        said=r"billing account .{0,60}(disabled|absent|closed)",
    ),
    Cause(
        CredentialsError,
        "The Cloud Storage API is not enabled for the project at {host}.",
        "gcloud services enable storage.googleapis.com",
        code="accessNotConfigured|usageLimitsAccessNotConfigured",
    ),
    Cause(
        StorageFullError,
        "A quota of the project is used up at {host}.",
        "Wait, or ask for a higher quota of the project.",
        code="quotaExceeded|dailyLimitExceeded",
    ),
    Cause(
        DeniedError,
        "A policy of the organisation forbids this at {host}.",
        "Ask whoever manages the organisation's policies.",
        code="orgPolicyConstraintFailed|countryBlocked",
        said=r"violates constraint|constraints/(storage|gcp|iam)\.|vpc service controls|organization's policy",
    ),
    Cause(PersonaError, "The object is larger than {host} takes.", "Keep it elsewhere, or split it.", "uploadTooLarge"),
)
"""The table: the first row that fits counts."""
