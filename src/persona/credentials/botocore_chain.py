"""What AWS's own library finds: profiles, roles, web identity, containers, instances; and whose keys these are.

botocore's providers are called one by one, in botocore's order, so that it can be said what each of them gave.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from persona.certificates import authorities
from persona.config import profiles
from persona.config.schema import S3Settings
from persona.config.secret import Secret
from persona.credentials.aws import FIX, AWSCredentials, AWSKeys
from persona.credentials.chain import Chain, within
from persona.credentials.process import CredentialProcess, ProcessError, shortened
from persona.errors import CredentialsError, UnreachableError

CONTAINER_SECONDS = 1.0
INSTANCE_SECONDS = 0.8
"""How long the metadata services may take in all: they are on the machine itself, or next to it."""
STS_SECONDS = 1.0
SILENT_SECONDS = 1.0
"""For how long nobody is asked again who has not answered: a command may need the keys several times."""
_INSTANCE_REQUEST_SECONDS = 1
"""How long each request to the metadata service of an instance may take: whole seconds, no less than all of them."""
_STEPS = {
    "assume-role": ("assumed role", "no role_arn in the profile"),
    "assume-role-with-web-identity": ("web identity", "AWS_WEB_IDENTITY_TOKEN_FILE is not set"),
    "sso": ("SSO", "no sso_session or sso_start_url in the profile"),
    "shared-credentials-file": ("~/.aws/credentials", "no keys in the profile"),
    "login": ("aws login", "no login_session in the profile"),
    "custom-process": ("credential_process", "not in the profile"),
    "config-file": ("~/.aws/config", "no keys in the profile"),
    "container-role": ("container endpoint", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and …_FULL_URI are not set"),
    "iam-role": ("instance metadata (IMDSv2)", "it gives no role"),
}
_LIMITS = {"container-role": CONTAINER_SECONDS, "iam-role": INSTANCE_SECONDS}


class _SilentError(UnreachableError):
    """Who gives the credentials does not answer; a second attempt would take as long as the first."""

    temporary = False


def from_botocore(settings: S3Settings, chain: Chain) -> AWSCredentials:
    """Go through botocore's chain.

    Raises:
        ChainError: no step of it gives credentials, or one that is set up fails.
    """
    try:
        import botocore.session  # noqa: F401
    except ImportError:
        chain.unset("profiles and roles", "persona[aws] is not installed")
        hint = "pip install 'persona[aws]'" if settings.profile else FIX
        raise chain.error(CredentialsError("No AWS credentials were found.", hint=f"{hint}.")) from None
    try:
        session, region = _opened(settings)
        providers = session.get_component("credential_provider").providers
    except errors() as error:
        raise chain.error(_unusable(error, settings.profile), "~/.aws") from error
    for provider in providers:
        if provider.METHOD not in _STEPS:  # of boto 2, and the environment, which was looked at already
            continue
        found = _loaded(provider, settings.profile, chain)
        if found is None:
            continue
        name = f"the profile “{settings.profile}”" if settings.profile else "botocore's chain"
        return AWSCredentials(
            f"{name} ({found.method})",
            _keys_of(found, settings.profile),
            region,
            chain.won(_STEPS[provider.METHOD][0], _detail(found)),
            settings.endpoint_url is None,
            _renewal(found.method, settings.profile),
        )
    raise chain.error(CredentialsError("No AWS credentials were found.", hint=FIX))


def errors() -> tuple[type[Exception], ...]:
    """Return what botocore raises: of its own, of files and what they hold, and of new keys that have expired."""
    import botocore.exceptions

    return (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
    )


def _no_answer() -> tuple[type[Exception], ...]:
    """Return what botocore raises where nobody answers, or not in time."""
    import botocore.exceptions

    return botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError


def _opened(settings: S3Settings) -> tuple[Any, str | None]:
    """Return a session of botocore, and the region that it knows."""
    import botocore.session
    from botocore.config import Config

    session = botocore.session.Session(profile=settings.profile)
    session.set_config_variable("metadata_service_timeout", _INSTANCE_REQUEST_SECONDS)
    session.set_config_variable("metadata_service_num_attempts", 1)
    session.set_config_variable("ec2_metadata_v1_disabled", value=True)  # no answer without a token of the session
    limits = Config(connect_timeout=1, read_timeout=1.5, retries={"total_max_attempts": 1})
    session.set_default_client_config(limits)
    region = settings.region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    session.set_config_variable("region", region or "us-east-1")  # whose STS is asked
    session.get_scoped_config()  # raises if there is no such profile
    session.set_config_variable("ca_bundle", _ca_bundle(settings) or None)
    return session, region


def _ca_bundle(settings: S3Settings) -> str:
    """Return the certificate authorities that requests to S3 go by, for those to STS and SSO as well."""
    return authorities(*profiles.read(settings, os.environ).ca_bundle).path


def _loaded(provider: Any, profile: str | None, chain: Chain) -> Any:
    """Return what a provider gives, or None if it is not set up; and take it down.

    Raises:
        ChainError: it is set up, and gives nothing.
    """
    name, unset = _STEPS[provider.METHOD]
    instance = provider.METHOD == "iam-role"
    if instance and os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        chain.unset(name, "AWS_EC2_METADATA_DISABLED is set")
        return None
    if instance:
        _ask_straight(provider)
    if provider.METHOD == "custom-process":
        provider._popen = CredentialProcess
    limit = _LIMITS.get(provider.METHOD)
    try:
        found = within(limit, provider.load) if limit else provider.load()
    except TimeoutError:
        chain.failed(name, f"it did not answer within {limit:g} s")
        if instance:
            return None
        hint = "Check AWS_CONTAINER_CREDENTIALS_FULL_URI, and that the agent runs."
        raise chain.error(
            CredentialsError("The container's endpoint for credentials does not answer.", hint=hint)
        ) from None
    except errors() as error:
        if instance:
            chain.failed(name, first_line(error))
            return None
        raise chain.error(_unusable(error, profile), name) from error
    if found is None:
        (chain.failed if instance else chain.unset)(name, unset)
    return found


def _ask_straight(provider: Any) -> None:
    """Let the metadata service be asked without a proxy: it is next to the machine, and what it says is secret.

    botocore would send that to the proxy of ``http_proxy``, unless ``no_proxy`` names the service, and has no setting.
    """
    from botocore.httpsession import URLLib3Session

    if (fetcher := getattr(provider, "_role_fetcher", None)) is not None:
        fetcher._session = URLLib3Session(timeout=_INSTANCE_REQUEST_SECONDS)


def _keys_of(found: Any, profile: str | None) -> Callable[[], AWSKeys]:
    silent: tuple[float, _SilentError] | None = None

    def current() -> AWSKeys:
        nonlocal silent
        if silent is not None and time.monotonic() < silent[0]:
            raise silent[1]
        try:
            keys: Any = found.get_frozen_credentials()
        except _no_answer() as error:
            silent = (
                time.monotonic() + SILENT_SECONDS,
                _SilentError(
                    f"What gives the AWS credentials does not answer: {first_line(error)}",
                    hint="Check the network, and the region: it is asked there.",
                ),
            )
            raise silent[1] from error
        except errors() as error:
            raise _unusable(error, profile) from error
        token = Secret(keys.token) if keys.token else None
        expires: datetime | None = getattr(found, "_expiry_time", None)  # of another class of time zones
        return AWSKeys(keys.access_key, Secret(keys.secret_key), token, expires and expires.astimezone(UTC))

    return current


def _detail(found: Any) -> str:
    """Return the access key, unless a request would be needed for it."""
    from botocore.credentials import DeferredRefreshableCredentials

    return "" if isinstance(found, DeferredRefreshableCredentials) else f"access key {found.access_key}"


def _unusable(error: Exception, profile: str | None) -> CredentialsError:
    """Return this project's error for one of botocore's, with the fix that fits."""
    import botocore.exceptions as known

    named = f" --profile {profile}" if profile else ""
    hint = FIX
    if isinstance(error, known.ProfileNotFound):
        hint = f"“aws configure list-profiles” shows which there are; or make it: aws configure{named}."
        hint += " persona storage config set s3.profile NAME takes another."
    elif isinstance(error, known.SSOError | known.SSOTokenLoadError | known.TokenRetrievalError):
        hint = f"aws sso login{named}"
    elif isinstance(error, known.ClientError) and "AssumeRole" in str(error):
        hint = "Let the role's trust policy allow this identity, or name another profile in storage.s3.profile."
    elif isinstance(error, ProcessError) or (
        isinstance(error, known.CredentialRetrievalError) and "custom-process" in str(error)
    ):
        hint = "Run the credential_process of the profile by hand, and see what it says; storage.s3.profile names it."
        return CredentialsError(f"The AWS credentials cannot be used: {shortened(str(error))}", hint=hint)
    elif isinstance(error, FileNotFoundError) and error.filename == os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        hint = "Set AWS_WEB_IDENTITY_TOKEN_FILE to the file with the token, or unset it."
    elif profile:
        hint = f"Mend the profile: aws configure{named}. Or name another: persona storage config set s3.profile NAME"
    return CredentialsError(f"The AWS credentials cannot be used: {first_line(error)}", hint=hint)


def _renewal(method: str, profile: str | None) -> str:
    """Return what gives new credentials when those of a way have expired."""
    named = f" --profile {profile}" if profile else ""
    if method == "sso":
        return f"aws sso login{named}"
    if method in ("shared-credentials-file", "config-file"):
        return "Get new keys, and put them into the profile."
    return "Try again; if it stays so, check this machine's clock."


def caller(keys: AWSKeys, region: str | None, *, own_endpoint: bool) -> str | None:
    """Ask STS whose keys these are (AWS STS API Reference, "GetCallerIdentity").

    Args:
        keys: the keys.
        region: whose STS is asked.
        own_endpoint: whether the storage is AWS's own; the keys of another service are shown to no STS but a
            configured one.

    Returns:
        The ARN, or None if nobody is to be asked; what went wrong beside the access key.
    """
    try:
        import botocore.exceptions
        import botocore.session
        from botocore.config import Config
        from botocore.configprovider import ConfiguredEndpointProvider
    except ImportError:
        return None
    try:
        session = botocore.session.Session()
        scoped = session.get_scoped_config()
        endpoint = ConfiguredEndpointProvider(session.full_config, scoped, "sts").provide()
        if endpoint is None and not own_endpoint:
            return None
        client = session.create_client(
            "sts",
            region_name=region or session.get_config_variable("region") or "us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key.reveal(),
            aws_session_token=keys.session_token.reveal() if keys.session_token else None,
            verify=authorities(("AWS_CA_BUNDLE", os.environ.get("AWS_CA_BUNDLE"))).path or None,
            config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}),
        )
        return str(within(STS_SECONDS, client.get_caller_identity)["Arn"])
    except TimeoutError:
        return f"access key {keys.access_key_id} (STS did not answer)"
    except errors() as error:
        refused = isinstance(error, botocore.exceptions.ClientError)
        code = error.response["Error"]["Code"] if refused else type(error).__name__  # type: ignore[attr-defined]
        return f"access key {keys.access_key_id} (STS: {code})"


def first_line(error: BaseException) -> str:
    """Return the first line of a library's message, which says what; the rest is for its developers."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
