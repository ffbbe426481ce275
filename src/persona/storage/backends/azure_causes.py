"""What the codes of Azure Blob Storage mean (Azure Storage REST API, "Blob service error codes", "Common REST API error
codes").

Most of these come with 409 or 412, which elsewhere say that a condition does not hold; here none was broken.
"""

from __future__ import annotations

from persona.errors import (
    ArchivedError,
    ConfigError,
    CredentialsError,
    EncryptionKeyError,
    HeldError,
    LeasedError,
    ObjectStateError,
    PersonaError,
    ThrottledError,
    UnreachableError,
)
from persona.storage.backends.faults import Cause, DeniedError

CAUSES = (
    Cause(
        ArchivedError,
        "The object is being restored from the archive tier, and cannot be read yet.",
        "Run the command again once that is complete; it may take up to 15 hours.",
        code="BlobBeingRehydrated",
    ),
    Cause(
        ArchivedError,
        "The object is in the archive tier, and has to be restored before it can be read.",
        "Restore it (az storage blob set-tier --tier Hot), and run the command again once that is complete.",
        code="BlobArchived",
    ),
    Cause(
        HeldError,
        "The object is under a legal hold: it cannot be changed or deleted.",
        "Ask whoever manages the container's holds to clear it.",
        code=r"\w*ImmutableDueToLegalHold",
    ),
    Cause(
        HeldError,
        "The object is under a retention policy: it cannot be changed or deleted.",
        "Wait until the policy ends, or ask whoever manages the container's immutability policy.",
        code=r"\w*ImmutableDueToPolicy|\w*Immutable\w*",
    ),
    Cause(
        LeasedError,
        "The object is leased: another program has locked it.",
        "Wait until the lease ends, or break it: az storage blob lease break -c CONTAINER -b NAME",
        code=r"Lease(IdMissing|IdMismatch\w*|AlreadyPresent|AlreadyBroken|IsBrok\w+|IsBreaking\w+|Lost|NotPresent\w*)"
        r"|InfiniteLeaseDurationRequired",
    ),
    Cause(
        ObjectStateError,
        "The object has snapshots, and cannot be deleted while they are there.",
        "Delete them first: az storage blob delete --delete-snapshots only -c CONTAINER -n NAME",
        code="SnapshotsPresent",
    ),
    Cause(
        ObjectStateError,
        "The object is a page blob, an append blob or a directory, and this works on block blobs alone.",
        "Copy it to a block blob of another name with your provider's tools.",
        code="InvalidBlobType|ResourceTypeMismatch",
    ),
    Cause(
        ObjectStateError,
        "The object is still being written by a copy on the server.",
        "Wait until the copy is complete, or abort it: az storage blob copy cancel",
        code="PendingCopyOperation",
    ),
    Cause(
        PersonaError,
        "The object is larger than {host} takes.",
        "Keep it elsewhere, or raise performance.chunk_size.",
        code="RequestBodyTooLarge|BlockCountExceedsLimit|BlockListTooLong|MaxBlobSizeConditionNotMet",
    ),
    Cause(
        EncryptionKeyError,
        "The object's key in the Key Vault cannot be used.",
        "Check the key and the vault, and that the account's identity may use it (wrap and unwrap key).",
        code=r"KeyVault\w+|\w*EncryptionScope\w*",
    ),
    Cause(
        EncryptionKeyError,
        "The object is encrypted with a key that only its writer has.",
        "Persona sends no customer-provided keys: rewrite the object under another key.",
        code=r"BlobUsesCustomerSpecifiedEncryption|BlobCustomerSpecifiedEncryptionMismatch|\w*CustomerProvidedKey\w*",
    ),
    Cause(
        CredentialsError,
        "The storage account is disabled at {host}.",
        "Look into the account and its subscription in the Azure portal.",
        code="AccountIsDisabled",
    ),
    Cause(
        DeniedError,
        "The container is disabled by its administrator at {host}.",
        "Ask whoever manages the account.",
        code="ContainerDisabled",
    ),
    Cause(
        CredentialsError,
        "The account at {host} takes no keys: shared key access is disabled.",
        "Log in instead (az login) and remove the key, or use a SAS that a user signs.",
        code="KeyBasedAuthenticationNotPermitted",
    ),
    Cause(
        DeniedError,
        "The account at {host} allows no anonymous access.",
        "Remove storage.azure.anonymous, and have credentials.",
        code="PublicAccessNotPermitted",
    ),
    Cause(
        DeniedError,
        "The network rules of the account, or the SAS, do not allow this address or protocol at {host}.",
        "Ask whoever manages the account to allow this machine's address, or get another SAS.",
        code="AuthorizationSourceIPMismatch|AuthorizationProtocolMismatch",
    ),
    Cause(
        ConfigError,
        "The account at {host} does not offer the access tier that is asked for.",
        "Choose another tier for the account in the Azure portal.",
        code=r"InvalidBlobTier|\w*TierNotSupported\w*|BlobTierInadequateForContentLength",
    ),
    Cause(
        ThrottledError,
        "{host} asks for fewer requests.",
        "",
        code="SnapshotOperationRateExceeded",
    ),
    Cause(
        UnreachableError,
        "The account is still being made at {host}.",
        "Try again later.",
        code="AccountBeingCreated",
    ),
)
"""The table: the first row that fits counts."""
