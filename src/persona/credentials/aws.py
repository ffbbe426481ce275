"""Credentials for S3.

The order, as AWS's own tools have it (AWS SDKs and Tools Reference Guide, "Standardized credential providers"):

1. ``access_key_id`` and ``secret_access_key`` of the configuration;
2. ``profile`` of the configuration, through botocore;
3. ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY`` of the environment;
4. botocore's chain: ``AWS_PROFILE``, ``~/.aws`` with SSO, assume-role and ``credential_process``, web identity, the
   container's endpoint, the instance's metadata service.

`persona.credentials.botocore_chain` is what goes through botocore.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from persona.config.schema import S3Settings
from persona.config.secret import Reference, Secret
from persona.credentials.chain import Chain, Step
from persona.errors import CredentialsError

FIX = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install persona[aws] and name a profile: "
    "persona storage config set s3.profile NAME"
)


@dataclass(frozen=True, slots=True)
class AWSKeys:
    """The keys for the next requests.

    Args:
        access_key_id: the access key, which is no secret.
        secret_access_key: the secret key.
        session_token: the token of temporary keys.
        expires: when temporary keys expire, if that is known.
    """

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None
    expires: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what no HTTP header can carry, such as a line break that was copied along."""
        token = self.session_token.reveal() if self.session_token else ""
        for name, text in (
            ("access key", self.access_key_id),
            ("secret key", self.secret_access_key.reveal()),
            ("session token", token),
        ):
            if not text.isascii() or not text.isprintable() or " " in text:
                raise CredentialsError(
                    f"The AWS {name} holds a character that none has: a space, a line break, or one outside of ASCII.",
                    hint="Copy it again, and nothing with it.",
                )


@dataclass(frozen=True, slots=True)
class AWSCredentials:
    """Credentials that were found.

    Args:
        source: which way they were found, for people.
        current: returns the keys, fetching new ones shortly before they expire.
        region: the region that came with them, such as a profile's.
        chain: the steps as they were tried.
        own_endpoint: whether requests go to AWS itself, as far as the configuration says.
        renewal: what gives new ones when these have expired.
    """

    source: str
    current: Callable[[], AWSKeys]
    region: str | None = None
    chain: tuple[Step, ...] = ()
    own_endpoint: bool = True
    renewal: str = "Get new keys, and set them there."

    def obtain(self) -> datetime | None:
        """Obtain keys that can be used now, and return when they expire."""
        return self.current().expires

    def identify(self) -> str:
        """Return the ARN that STS gives for the keys; of a service that is not AWS, the access key."""
        from persona.credentials.botocore_chain import caller

        keys = self.current()
        return caller(keys, self.region, own_endpoint=self.own_endpoint) or f"access key {keys.access_key_id}"


def find(settings: S3Settings) -> AWSCredentials | None:
    """Find credentials, or return None where requests are to go unsigned.

    Args:
        settings: the configuration, with the endpoint that requests go to if that is not AWS's own.

    Raises:
        CredentialsError: there are none, or half of them.
    """
    if settings.anonymous:
        return None
    chain = Chain()
    own = settings.endpoint_url is None
    for look in (_in_configuration, _in_environment):
        if (found := look(settings, chain)) is not None:
            name, current, where, renewal = found
            steps = chain.won(name, f"access key {_tried(chain, name, current).access_key_id}")
            region = settings.region or os.environ.get("AWS_REGION")
            return AWSCredentials(where, current, region, chain=steps, own_endpoint=own, renewal=renewal)
        if look is _in_configuration and settings.profile:
            break
    from persona.credentials.botocore_chain import from_botocore

    return from_botocore(settings, chain)


_Way = tuple[str, Callable[[], AWSKeys], str, str]


def _in_configuration(settings: S3Settings, chain: Chain) -> _Way | None:
    name = "storage.s3.access_key_id"
    if not (settings.access_key_id or settings.secret_access_key):
        chain.unset(name)
        return None
    if not (settings.access_key_id and settings.secret_access_key):
        half = "Only one of storage.s3.access_key_id and storage.s3.secret_access_key is set."
        raise chain.error(CredentialsError(half, hint="Set both."), name)
    access, secret = settings.access_key_id, settings.secret_access_key
    renewal = "Get new keys, and set storage.s3.access_key_id, secret_access_key and session_token."

    def current() -> AWSKeys:
        key_id = access.resolve() if isinstance(access, Reference) else access
        return AWSKeys(key_id, secret, settings.session_token)

    return name, current, f"the configuration ({name})", renewal


def _in_environment(settings: S3Settings, chain: Chain) -> _Way | None:
    chain.unset("storage.s3.profile")
    name = "AWS_ACCESS_KEY_ID"
    environ = os.environ.get
    if environ(name) and environ("AWS_SECRET_ACCESS_KEY"):
        renewal = "Get new keys, and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."
        return name, _from_environment, f"the environment ({name})", renewal
    if environ(name) or environ("AWS_SECRET_ACCESS_KEY"):
        missing = "AWS_SECRET_ACCESS_KEY" if environ(name) else name
        half = f"Only half of the AWS keys is in the environment: {missing} is not set."
        raise chain.error(CredentialsError(half, hint=f"Set {missing} as well, or unset the other."), name)
    chain.unset(name)
    return None


def _tried(chain: Chain, name: str, current: Callable[[], AWSKeys]) -> AWSKeys:
    """Return the keys; what cannot be used is said now."""
    try:
        return current()
    except CredentialsError as error:
        raise chain.error(error, name) from error


def _from_environment() -> AWSKeys:
    token = os.environ.get("AWS_SESSION_TOKEN")
    return AWSKeys(
        os.environ["AWS_ACCESS_KEY_ID"],
        Secret(os.environ["AWS_SECRET_ACCESS_KEY"]),
        Secret(token) if token else None,
    )
