"""The schema of persona.yaml: every key, its type, its default and what it is for.

The reference in ``docs/configuration.md`` is generated from here, and `persona.config.load` reads by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from persona.config import values
from persona.config.secret import Reference, Secret
from persona.config.values import Parser

BACKENDS = ("local", "s3", "gcs", "azure")


def key(parse: Parser, doc: str, default: Any = None, *, allowed: str = "", example: str = "") -> Any:
    """Declare one configuration key.

    Args:
        parse: reads the value, or raises ValueError with what is allowed.
        doc: one sentence for the reference.
        default: the value if nothing sets it, already parsed.
        allowed: the kind of value, for the reference.
        example: how the default is written in YAML, where `str` of it would not do.
    """
    return field(default=default, metadata={"parse": parse, "doc": doc, "allowed": allowed, "written": example})


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """Amazon S3, or a service that speaks its protocol."""

    bucket: str | None = key(values.bucket, "The bucket. It must exist.", allowed="bucket name")
    prefix: str = key(values.prefix, "Everything is kept below this key prefix.", "", allowed="folder")
    region: str | None = key(
        values.text, "The bucket's region; else AWS_REGION, the profile's, us-east-1.", allowed="text"
    )
    endpoint_url: str | None = key(
        values.url,
        "The address of an S3-compatible service; else AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's.",
        allowed="URL",
    )
    signature_version: str = key(
        values.signature,
        "How requests are signed: s3v4 is the only way that is left.",
        "s3v4",
        allowed="s3v4",
    )
    addressing_style: str = key(
        values.choice("auto", "path", "virtual"),
        "Where the bucket stands in the address; auto: as the profile says, else virtual on AWS, path elsewhere.",
        "auto",
        allowed="auto, path, virtual",
    )
    server_side_encryption: str | None = key(
        values.encryption_kind,
        "How S3 is told to encrypt what is written; else AWS_SERVER_SIDE_ENCRYPTION, then as the bucket is set.",
        allowed="AES256, aws:kms, aws:kms:dsse",
    )
    kms_key_id: str | None = key(
        values.word,
        "The key for aws:kms and aws:kms:dsse: ARN, id or alias; else AWS_SSE_KMS_KEY_ID, then the account's for S3.",
        allowed="text",
    )
    profile: str | None = key(values.text, "A profile of ~/.aws, with persona[aws].", allowed="text")
    access_key_id: str | Reference | None = key(
        values.identifier,
        "The access key, or where it is kept, as for a secret; better in AWS_ACCESS_KEY_ID.",
        allowed="text",
    )
    secret_access_key: Secret | None = key(
        values.secret, "The secret key; better in AWS_SECRET_ACCESS_KEY.", allowed="secret"
    )
    session_token: Secret | None = key(values.secret, "The token of temporary credentials.", allowed="secret")
    request_payer: str | None = key(
        values.requester,
        "Pay for the requests to a bucket whose requester pays.",
        allowed="requester",
    )
    anonymous: bool = key(values.boolean, "Send requests unsigned, to public buckets.", False, allowed="boolean")
    allow_insecure: bool = key(
        values.boolean, "Allow plain http to another machine than this one.", False, allowed="boolean"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GCSSettings:
    """Google Cloud Storage."""

    bucket: str | None = key(values.bucket, "The bucket. It must exist.", allowed="bucket name")
    prefix: str = key(values.prefix, "Everything is kept below this name prefix.", "", allowed="folder")
    project: str | None = key(
        values.text, "The project that requests with a person's own credentials are counted against.", allowed="text"
    )
    user_project: str | None = key(
        values.word, "The project that pays for the requests to a bucket whose requester pays.", allowed="project"
    )
    region: str | None = key(
        values.region,
        "Where the bucket is, for `storage.residency`; only used if the provider does not tell.",
        allowed="region",
    )
    credentials_file: Path | None = key(
        values.folder,
        "A service account's JSON file; null uses application default credentials.",
        allowed="path",
    )
    kms_key_name: str | None = key(
        values.kms_key_name,
        "The Cloud KMS key that encrypts what is written; null leaves it to the bucket.",
        allowed="projects/P/locations/L/keyRings/R/cryptoKeys/K",
    )
    endpoint_url: str | None = key(
        values.url, "Another address of the JSON API; else STORAGE_EMULATOR_HOST.", allowed="URL"
    )
    anonymous: bool = key(values.boolean, "Send requests without credentials.", False, allowed="boolean")
    allow_insecure: bool = key(
        values.boolean, "Allow plain http to another machine than this one.", False, allowed="boolean"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSettings:
    """Azure Blob Storage."""

    container: str | None = key(values.bucket, "The container. It must exist.", allowed="container name")
    prefix: str = key(values.prefix, "Everything is kept below this name prefix.", "", allowed="folder")
    account: str | None = key(values.text, "The storage account.", allowed="text")
    region: str | None = key(
        values.region,
        "Where the account is, for `storage.residency`: Azure does not tell it to those who only reach the data.",
        allowed="region",
    )
    encryption_scope: str | None = key(
        values.word,
        "The encryption scope of what is written; null leaves it to the container and the account.",
        allowed="name of a scope",
    )
    connection_string: Secret | None = key(
        values.secret, "Account, key and endpoint in one; null uses the other ways.", allowed="secret"
    )
    account_key: Secret | None = key(values.secret, "The account's key.", allowed="secret")
    sas_token: Secret | None = key(values.secret, "A shared access signature.", allowed="secret")
    endpoint_url: str | None = key(
        values.url,
        "Another address of the blob service, with the account in it if it needs one.",
        allowed="URL",
    )
    anonymous: bool = key(values.boolean, "Send requests without credentials.", False, allowed="boolean")
    allow_insecure: bool = key(
        values.boolean, "Allow plain http to another machine than this one.", False, allowed="boolean"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """A folder on this machine."""

    path: Path | None = key(
        values.folder, "The folder that holds the objects.", allowed="path", example="~/.persona/data"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """The local cache in front of a cloud backend."""

    enabled: bool = key(values.boolean, "Whether to cache.", False, allowed="boolean")
    path: Path | None = key(values.folder, "The cache's folder.", allowed="path", example="~/.persona/cache")
    max_size: int = key(
        values.cache_size,
        "The most that the cache's folder holds, its index included; at least 1MB.",
        1_000_000_000,
        allowed="size",
        example="1GB",
    )
    ttl: float = key(values.duration, "How long a read needs no network.", 3600.0, allowed="duration", example="1h")
    strategy: str = key(
        values.choice("lru", "lfu", "fifo"),
        "What leaves first when it is full.",
        "lru",
        allowed="lru, lfu, fifo",
    )
    encrypt: bool = key(
        values.boolean,
        "Keep what is cached encrypted, with persona[encrypt]; the key is in the keyring or PERSONA_CACHE_KEY.",
        False,
        allowed="boolean",
    )
    never: tuple[str, ...] = key(
        values.patterns,
        "Objects that are never kept in the cache, by patterns as in a .gitignore.",
        (),
        allowed="list of patterns",
        example="[]",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineSettings:
    """What happens while the provider does not answer."""

    reads: str = key(
        values.choice("cache", "fail"),
        "Whether reads come from the cache, whatever its age, or fail.",
        "cache",
        allowed="cache, fail",
    )
    writes: str = key(
        values.choice("fail", "outbox"),
        "Whether writes fail, or are kept on this machine and sent later.",
        "fail",
        allowed="fail, outbox",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidencySettings:
    """Where in the world objects may be kept."""

    allow: tuple[str, ...] = key(
        values.regions,
        "The regions, by the names that the providers give them; with none, all are allowed.",
        (),
        allowed="list of regions",
        example="[]",
    )
    enforce: bool = key(
        values.boolean, "Whether a write to another region is refused, or only warned of.", True, allowed="boolean"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceSettings:
    """Tuning of transfers and retries, for all backends."""

    concurrent_uploads: int = key(
        values.integer(1, 256), "How many parts or objects move at once.", 4, allowed="1 to 256"
    )
    chunk_size: int = key(
        values.size,
        "Objects above this go in parts of this size; raised to what the provider demands (S3: 5 MiB).",
        5_000_000,
        allowed="size",
        example="5MB",
    )
    retry_attempts: int | None = key(
        values.integer(0, 20),
        "How often a request is tried again after a passing failure; on S3 else what AWS_MAX_ATTEMPTS leaves, then 3.",
        allowed="0 to 20",
        example="3",
    )
    retry_delay: float = key(
        values.duration,
        "The first pause before trying again; it doubles each time, with jitter.",
        1.0,
        allowed="duration",
        example="1s",
    )
    timeout: float = key(
        values.positive_duration,
        "How long one request may take to be answered.",
        30.0,
        allowed="duration",
        example="30s",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """The storage of one workspace."""

    backend: str = key(values.choice(*BACKENDS), "Where objects are kept.", "local", allowed=", ".join(BACKENDS))
    s3: S3Settings = field(default_factory=S3Settings)
    gcs: GCSSettings = field(default_factory=GCSSettings)
    azure: AzureSettings = field(default_factory=AzureSettings)
    local: LocalSettings = field(default_factory=LocalSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    offline: OfflineSettings = field(default_factory=OfflineSettings)
    residency: ResidencySettings = field(default_factory=ResidencySettings)
    performance: PerformanceSettings = field(default_factory=PerformanceSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that persona.yaml can set."""

    storage: StorageSettings = field(default_factory=StorageSettings)


class Key(NamedTuple):
    """One key of persona.yaml.

    Args:
        name: its full name, such as ``storage.s3.bucket``.
        parse: reads the value, or raises ValueError with what is allowed.
        doc: what it is for.
        allowed: the kind of value.
        default: the value if nothing sets it.
        written: the default as YAML has it.
    """

    name: str
    parse: Parser
    doc: str
    allowed: str
    default: Any
    written: str

    @property
    def secret(self) -> bool:
        """Whether the value must not be seen."""
        return self.parse is values.secret

    @property
    def referable(self) -> bool:
        """Whether the value may say where it is kept: ``keyring:NAME``, ``env:NAME``, ``file:PATH``, ``command:…``."""
        return self.parse in (values.secret, values.identifier)

    @property
    def listed(self) -> bool:
        """Whether the value is a list."""
        return self.parse in values.LISTS


@cache
def keys() -> dict[str, Key]:
    """Return every key by its full name, in the order of the schema."""
    return {key.name: key for key in _keys(Settings, "")}


@cache
def sections() -> dict[str, type]:
    """Return every section by its full name, in the order of the schema."""
    return _sections(Settings, "")


def _keys(section: Any, name: str) -> list[Key]:
    found: list[Key] = []
    for item in fields(section):
        child = f"{name}.{item.name}" if name else item.name
        if "parse" in item.metadata:
            meta = item.metadata
            found.append(Key(child, meta["parse"], meta["doc"], meta["allowed"], item.default, meta["written"]))
        else:
            found += _keys(item.default_factory, child)
    return found


def _sections(section: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in fields(section):
        if "parse" not in item.metadata:
            child = f"{name}.{item.name}" if name else item.name
            found[child] = item.default_factory
            found |= _sections(item.default_factory, child)
    return found
