"""Credentials for S3.

The order, as AWS's own tools have it (AWS SDKs and Tools Reference Guide, "Standardized credential providers"):

1. ``access_key_id`` and ``secret_access_key`` of the configuration;
2. ``profile`` of the configuration, through botocore;
3. ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY`` of the environment;
4. botocore's chain: ``AWS_PROFILE``, ``~/.aws`` with SSO, assume-role and ``credential_process``, web identity, the
   container's endpoint, the instance's metadata service.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from persona.config.schema import S3Settings
from persona.config.secret import Secret
from persona.errors import CredentialsError

FIX = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install persona[aws] and name a profile: "
    "persona storage config set s3.profile NAME"
)


@dataclass(frozen=True, slots=True)
class AWSKeys:
    """The keys for the next requests."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None

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
    """

    source: str
    current: Callable[[], AWSKeys]
    region: str | None = None


def find(settings: S3Settings) -> AWSCredentials | None:
    """Find credentials, or return None where requests are to go unsigned.

    Raises:
        CredentialsError: there are none, or half of them.
    """
    if settings.anonymous:
        return None
    if settings.access_key_id or settings.secret_access_key:
        if not (settings.access_key_id and settings.secret_access_key):
            raise CredentialsError(
                "Only one of storage.s3.access_key_id and storage.s3.secret_access_key is set.",
                hint="Set both.",
            )
        keys = AWSKeys(settings.access_key_id, settings.secret_access_key, settings.session_token)
        return AWSCredentials("the configuration (storage.s3.access_key_id)", lambda: keys)
    if settings.profile:
        return _from_botocore(settings.profile)
    if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"):
        _from_environment()  # what cannot be used is said now
        return AWSCredentials("the environment (AWS_ACCESS_KEY_ID)", _from_environment)
    return _from_botocore(None)


def _from_environment() -> AWSKeys:
    token = os.environ.get("AWS_SESSION_TOKEN")
    return AWSKeys(
        os.environ["AWS_ACCESS_KEY_ID"],
        Secret(os.environ["AWS_SECRET_ACCESS_KEY"]),
        Secret(token) if token else None,
    )


def _from_botocore(profile: str | None) -> AWSCredentials:
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError:
        raise CredentialsError("No AWS credentials were found.", hint=FIX) from None
    session = botocore.session.Session(profile=profile)
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    try:
        found = session.get_credentials()
        region = session.get_config_variable("region")
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError, ValueError) as error:
        raise CredentialsError(f"The AWS credentials cannot be used: {error}", hint=FIX) from error
    if found is None:
        raise CredentialsError("No AWS credentials were found.", hint=FIX)

    def current() -> AWSKeys:
        try:
            keys: Any = found.get_frozen_credentials()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError, ValueError) as error:
            raise CredentialsError(f"The AWS credentials cannot be refreshed: {error}", hint=FIX) from error
        token = Secret(keys.token) if keys.token else None
        return AWSKeys(keys.access_key, Secret(keys.secret_key), token)

    name = f"the profile “{profile}”" if profile else "botocore's chain"
    return AWSCredentials(f"{name} ({found.method})", current, region)
