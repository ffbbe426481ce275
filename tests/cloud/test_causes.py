"""Refusals by their cause: each code has its own message; none is called another's write or a missing permission."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

import pytest

from persona.errors import (
    AccessDeniedError,
    ArchivedError,
    BusyError,
    ConfigError,
    ConflictError,
    CredentialsError,
    EncryptionKeyError,
    HeldError,
    LeasedError,
    ObjectStateError,
    PersonaError,
    StorageFullError,
    ThrottledError,
)
from persona.storage.backend import IfAbsent, IfVersion, StorageBackend
from persona.storage.stack import open_storage
from tests.cloud.conftest import Faulty
from tests.faults import answer
from tests.quirks import azure_refused, gcs_refused, refused
from tests.servers import Azurite, Moto

Behind = Callable[[str], Faulty]
HELD_UNTIL = "Object 'b/a' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until"


class Case(NamedTuple):
    """A refusal, and what has to be said of it.

    Args:
        verb: what is refused: ``read``, ``write`` (under a condition), ``delete``.
        status: with which status.
        code: and with which code.
        kind: the error class, exactly.
        words: what the message or the hint has.
        said: the server's sentence.
    """

    verb: str
    status: int
    code: str
    kind: type[PersonaError]
    words: str
    said: str = ""


S3 = [
    Case("read", 403, "InvalidObjectState", ArchivedError, "aws s3api restore-object"),
    Case("delete", 403, "AccessDenied", HeldError, "locked", "Access Denied because object protected by object lock."),
    Case("write", 400, "ObjectLocked", HeldError, "locked", "Object is WORM protected and cannot be overwritten"),
    Case("read", 403, "AccessDenied", ConfigError, "s3.request_payer", "Bucket is a Requester Pays bucket"),
    Case("read", 400, "KMS.DisabledException", EncryptionKeyError, "KMS key"),
    Case(
        "write",
        403,
        "AccessDenied",
        EncryptionKeyError,
        "kms:GenerateDataKey",
        "User: arn:aws:iam::1:user/u is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:::k",
    ),
    Case("write", 503, "KMS.ThrottlingException", ThrottledError, "fewer requests"),
    Case("write", 409, "QuotaExceeded", StorageFullError, "quota"),
    Case("write", 400, "XMinioAdminBucketQuotaExceeded", StorageFullError, "quota"),
    Case("write", 507, "XMinioStorageFull", StorageFullError, "no space"),
    Case("write", 507, "InsufficientStorage", StorageFullError, "no space"),
    Case("read", 403, "AccountProblem", CredentialsError, "payment"),
    Case("read", 403, "AllAccessDisabled", AccessDeniedError, "disabled"),
    Case("write", 400, "InvalidStorageClass", ConfigError, "storage class"),
    Case("write", 409, "ConditionalRequestConflict", BusyError, "a is being written or deleted by another request"),
    Case("delete", 409, "OperationAborted", BusyError, "a is being written or deleted by another request"),
    Case("write", 409, "InvalidBucketState", PersonaError, "“The bucket sleeps”", "The bucket\n sleeps"),
    Case("write", 412, "PreconditionFailed", ConflictError, "a was changed by someone else"),
    Case("delete", 409, "BucketBusy", PersonaError, "BucketBusy"),
    Case("delete", 412, "PreconditionFailed", PersonaError, "412"),
    Case(
        "read",
        403,
        "AccessDenied",
        AccessDeniedError,
        "“no identity-based policy allows it”",
        "no identity-based policy allows it",
    ),
    Case("read", 400, "Strange", PersonaError, "“" + "x" * 300 + "”", "x" * 4000),
]
GCS = [
    Case(
        "delete",
        403,
        "retentionPolicyNotMet",
        HeldError,
        "2031-11-08 07:15 UTC",
        f"{HELD_UNTIL} 2031-11-07T23:15:42.507463461-08:00",
    ),
    Case("write", 403, "forbidden", HeldError, "retention policy", f"{HELD_UNTIL} 2031-11-07T23:15:42Z"),
    Case("delete", 403, "objectUnderActiveHold", HeldError, "--no-temporary-hold"),
    Case(
        "delete",
        403,
        "forbidden",
        HeldError,
        "active hold",
        "Object 'b/a' is under active Event-Based hold and cannot be deleted",
    ),
    Case(
        "read",
        400,
        "required",
        ConfigError,
        "gcs.user_project",
        "Bucket is a requester pays bucket but no user project provided.",
    ),
    Case("write", 403, "forbidden", EncryptionKeyError, "Encrypter/Decrypter", "Permission denied on Cloud KMS key."),
    Case("read", 400, "cloudKmsDisabledKey", EncryptionKeyError, "Cloud KMS key"),
    Case("read", 403, "accountDisabled", CredentialsError, "billing"),
    Case("write", 403, "quotaExceeded", StorageFullError, "quota of the project"),
    Case("write", 429, "rateLimitExceeded", ThrottledError, "fewer requests"),
    Case("write", 403, "userRateLimitExceeded", ThrottledError, "fewer requests"),
    Case("write", 412, "orgPolicyConstraintFailed", AccessDeniedError, "organisation"),
    Case(
        "write",
        412,
        "conditionNotMet",
        AccessDeniedError,
        "organisation",
        "'EU' violates constraint 'constraints/gcp.resourceLocations'",
    ),
    Case(
        "read", 400, "userProjectMissing", ConfigError, "gcs.user_project", "It is subject to bucket's retention policy"
    ),
    Case("write", 412, "conditionNotMet", ConflictError, "a was changed by someone else"),
    Case("write", 409, "somethingElse", PersonaError, "somethingElse"),
]
AZURE = [
    Case("read", 409, "BlobArchived", ArchivedError, "set-tier"),
    Case("read", 409, "BlobBeingRehydrated", ArchivedError, "being restored"),
    Case("delete", 409, "BlobImmutableDueToPolicy", HeldError, "retention policy"),
    Case("write", 409, "BlobImmutableDueToLegalHold", HeldError, "legal hold"),
    Case("write", 412, "LeaseIdMissing", LeasedError, "lease break"),
    Case("delete", 409, "LeaseAlreadyPresent", LeasedError, "lease break"),
    Case("delete", 409, "SnapshotsPresent", ObjectStateError, "--delete-snapshots only"),
    Case("write", 409, "InvalidBlobType", ObjectStateError, "page blob"),
    Case("read", 403, "KeyVaultEncryptionKeyNotFound", EncryptionKeyError, "Key Vault"),
    Case("read", 409, "BlobUsesCustomerSpecifiedEncryption", EncryptionKeyError, "only its writer"),
    Case("read", 403, "AccountIsDisabled", CredentialsError, "disabled"),
    Case("read", 409, "PublicAccessNotPermitted", AccessDeniedError, "anonymous"),
    Case("read", 403, "KeyBasedAuthenticationNotPermitted", CredentialsError, "az login"),
    Case("write", 409, "PendingCopyOperation", ObjectStateError, "copy cancel"),
    Case("write", 409, "AccountQuotaExceeded", StorageFullError, "quota"),
    Case("write", 409, "SomethingNew", PersonaError, "“It is not to be.”", "It is not to be."),
    Case("write", 412, "ConditionNotMet", ConflictError, "a was changed by someone else"),
    Case("write", 409, "BlobAlreadyExists", ConflictError, "a was changed by someone else"),
]
PROVIDERS = {"moto": (S3, refused), "gcs": (GCS, gcs_refused), "azure": (AZURE, azure_refused)}
OBJECT = r"(/|%2F)a(\?|$)"


async def attempt(storage: StorageBackend, verb: str, version: str) -> None:
    if verb == "read":
        await storage.read("a")
    elif verb == "delete":
        await storage.delete("a")
    else:
        await storage.write("a", b"new", condition=IfVersion(version))


@pytest.mark.parametrize("name", PROVIDERS)
async def test_each_code_has_its_own_message(behind: Behind, name: str) -> None:
    cases, refuse = PROVIDERS[name]
    writes = ("POST", "uploadType=multipart") if name == "gcs" else ("PUT", OBJECT)
    requests = {"read": ("GET", OBJECT), "delete": ("DELETE", OBJECT), "write": writes}
    place = behind(name)
    storage = place.open(retry_attempts=0)
    version = (await storage.write("a", b"a")).version
    await storage.capabilities()
    for case in cases:
        place.proxy.faults[:] = []
        place.proxy.on(*requests[case.verb], refuse(case.status, case.code, case.said))
        with pytest.raises(PersonaError) as caught:
            await attempt(storage, case.verb, version)
        assert place.proxy.faults[0].met == 1, case
        check(case, caught.value)


def check(case: Case, error: PersonaError) -> None:
    """Hold an error to its case."""
    text = f"{error} {error.hint}"
    assert isinstance(error, case.kind), (case, error)
    assert case.words in text, (case, text)
    assert case.said not in text or len(case.said) <= 300
    if not issubclass(case.kind, ConflictError):
        assert not isinstance(error, ConflictError), case
        assert "someone else" not in text, case
    if not issubclass(case.kind, AccessDeniedError):
        assert "they may not" not in text, case
    if isinstance(error, ObjectStateError):
        assert error.message.startswith(("a ", "a's ")), case
        assert error.hint, case


async def test_until_when_a_blob_is_held_is_asked(behind: Behind) -> None:
    """Azurite keeps no immutability; until when a blob is held stands in headers of Azure's."""
    place = behind("azure")
    storage = place.open(retry_attempts=0)
    await storage.write("a", b"a")
    until = datetime(2031, 3, 4, 5, 6, tzinfo=UTC)
    headers = {"x-ms-immutability-policy-until-date": format_datetime(until, usegmt=True), "x-ms-legal-hold": "true"}
    place.proxy.on("DELETE", "/a$", azure_refused(409, "BlobImmutableDueToPolicy"))
    place.proxy.on("HEAD", "/a$", answer(200, **headers))
    with pytest.raises(HeldError, match=r"^a is under .* 2031-03-04 05:06 UTC. A legal hold") as caught:
        await storage.delete("a")
    assert caught.value.until == until


async def test_another_request_for_the_object_is_waited_for(behind: Behind) -> None:
    """Whether a condition holds shows once the other request has ended; nobody else wrote, and nothing is overwritten.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, "409 Conflict"
    """
    place = behind("moto")
    storage = place.open(retry_attempts=1, retry_delay=0.001)
    await storage.capabilities()
    place.proxy.on("PUT", OBJECT, refused(409, "ConditionalRequestConflict"))
    written = await storage.write("a", b"a", condition=IfAbsent())
    place.proxy.on("PUT", OBJECT, refused(409, "OperationAborted"))
    await storage.write("a", b"b", condition=IfVersion(written.version))
    place.proxy.on("PUT", r"(/|%2F)b(\?|$)", refused(409, "ConcurrentModification"), times=2)
    with pytest.raises(BusyError):
        await storage.write("b", b"b", condition=IfAbsent())
    assert not await storage.exists("b")


MD5_OF_OLD = "FJYD5sA1FjYqjaI/Yk25RQ=="


def unsigned(server: Moto) -> dict[str, str]:
    """Return what moto, which checks no signature, takes for one."""
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={server.access_key}/20260101/us-east-1/s3/aws4_request"}


async def test_a_real_lock(moto: Moto) -> None:
    """A version under Object Lock is not deleted, and until when is said; so is a legal hold."""
    name = f"locked-{secrets.token_hex(6)}"
    moto.request("PUT", f"/{name}", headers=unsigned(moto) | {"x-amz-bucket-object-lock-enabled": "true"})
    until = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    md5 = {"content-md5": MD5_OF_OLD}
    lock = {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": until.isoformat().replace("+00:00", "Z"),
    }
    moto.request("PUT", f"/{name}/a", headers=unsigned(moto) | md5 | lock, body=b"old")
    moto.request(
        "PUT", f"/{name}/b", headers=unsigned(moto) | md5 | {"x-amz-object-lock-legal-hold": "ON"}, body=b"old"
    )
    storage = open_storage(moto.settings(name))
    await storage.write("a", b"new")
    await storage.write("b", b"new")
    old = {each.path: each async for page in storage.past() for each in page}
    with pytest.raises(HeldError, match=f"{until:%Y-%m-%d %H:%M} UTC"):
        await storage.delete_past(old["a"])
    with pytest.raises(HeldError, match="legal hold"):
        await storage.delete_past(old["b"])
    assert await storage.read_past(old["a"]) == b"old"
    await storage.close()


async def test_real_leases_and_snapshots(azurite: Azurite) -> None:
    name = azurite.make_bucket("states")
    storage = open_storage(azurite.settings(name, secrets.token_hex(6)))
    path = storage.url("a").removeprefix("az://")
    first = await storage.write("a", b"a")
    azurite.signed("PUT", path, {"comp": "snapshot"})
    with pytest.raises(ObjectStateError, match="has snapshots"):
        await storage.delete("a")
    azurite.signed("PUT", path, {"comp": "lease"}, extra={"x-ms-lease-action": "acquire", "x-ms-lease-duration": "15"})
    with pytest.raises(LeasedError, match="a is leased"):
        await storage.write("a", b"b", condition=IfVersion(first.version))
    with pytest.raises(LeasedError, match="a is leased"):
        await storage.delete("a")
    assert await storage.read("a") == b"a"
    await storage.close()
