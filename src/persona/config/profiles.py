"""What the files and variables of AWS's own tools say of S3, without their library, which is slow to import.

After "AWS SDKs and Tools Reference Guide": "Shared config and credentials files", "Service-specific endpoints",
"Dual-stack and FIPS endpoints", "General configuration", "Retry behavior"; and the AWS CLI's "Configuring S3 settings".
They count whatever gives the keys, as with AWS's tools. The files and the environment are the user's own: a project's
file can name a profile in them, and nothing else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from persona.config import values
from persona.config.schema import S3Settings
from persona.errors import ConfigError

if TYPE_CHECKING:
    from configparser import RawConfigParser

_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
_IGNORED = "ignore_configured_endpoint_urls"
_STYLES = ("auto", "path", "virtual")


@dataclass(frozen=True, slots=True)
class AWSConfig:
    """What the user's own configuration of AWS says.

    Args:
        endpoint_url: the address of S3, if it is not AWS's own.
        endpoint_source: where that stands.
        region: the profile's region.
        fips: whether endpoints with FIPS 140 are wanted.
        dual_stack: whether endpoints that IPv6 reaches are wanted.
        accelerate: whether S3 Transfer Acceleration is wanted.
        addressing_style: where the bucket stands in the address, "" if nothing is said.
        ca_bundle: the certificate authorities to trust: the name of what says it, and the path; for `authorities`.
        max_attempts: how often a request is sent at most, the first time included; None if nothing is said.
    """

    endpoint_url: str | None = None
    endpoint_source: str = ""
    region: str | None = None
    fips: bool = False
    dual_stack: bool = False
    accelerate: bool = False
    addressing_style: str = ""
    ca_bundle: tuple[tuple[str, str | None], ...] = ()
    max_attempts: int | None = None


def read(s3: S3Settings, environ: Mapping[str, str]) -> AWSConfig:
    """Return what the files and variables of AWS's tools say.

    Args:
        s3: the settings, for the profile that they name.
        environ: the environment.

    Raises:
        ConfigError: a file cannot be read, which names the file and the line; or a value cannot be used.
    """
    files = [_parsed(environ, *each) for each in _FILES]
    name = _profile_name(s3, environ)
    profile = _profile(files, name)
    nested = _nested(profile.get("s3", ""))
    url, source = _endpoint(files, profile, environ, name)
    where = f"the profile “{name}”"

    def switch(variable: str, *texts: str | None) -> bool:
        return next((text for text in (environ.get(variable), *texts) if text), "").lower() == "true"

    style = nested.get("addressing_style", "").lower()
    return AWSConfig(
        _url(url, source),
        source,
        profile.get("region") or None,
        switch("AWS_USE_FIPS_ENDPOINT", profile.get("use_fips_endpoint")),
        switch(
            "AWS_USE_DUALSTACK_ENDPOINT",
            profile.get("use_dualstack_endpoint"),
            nested.get("use_dualstack_endpoint"),
        ),
        nested.get("use_accelerate_endpoint", "").lower() == "true",
        style if style in _STYLES else "",
        (
            ("AWS_CA_BUNDLE", environ.get("AWS_CA_BUNDLE")),
            (f"ca_bundle of {where}", profile.get("ca_bundle")),
        ),
        _attempts(environ.get("AWS_MAX_ATTEMPTS") or profile.get("max_attempts"), where),
    )


def s3_endpoint(s3: S3Settings, environ: Mapping[str, str]) -> str | None:
    """Return the address of S3 that the user's own configuration names, or None if it is AWS's own.

    A file that cannot be read says nothing here; whoever opens the storage is told why.

    Args:
        s3: the settings, without an ``endpoint_url``.
        environ: the environment.
    """
    try:
        return read(s3, environ).endpoint_url
    except ConfigError:
        return None


def _profile_name(s3: S3Settings, environ: Mapping[str, str]) -> str:
    return s3.profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"


def _profile(files: list[RawConfigParser | None], name: str) -> dict[str, str]:
    """Return what both files say of a profile; what stands beside the keys counts more."""
    profile = _section(files[0], f"profile {name}") or (_section(files[0], name) if name == "default" else {})
    return profile | _section(files[1], name)


def _endpoint(
    files: list[RawConfigParser | None], profile: Mapping[str, str], environ: Mapping[str, str], name: str
) -> tuple[str | None, str]:
    """Return the address and where it stands, in the order of "Service-specific endpoints"."""
    if (environ.get(f"AWS_{_IGNORED.upper()}") or profile.get(_IGNORED, "")).lower() == "true":
        return None, ""
    services = _section(files[0], f"services {profile['services']}") if "services" in profile else {}
    for url, source in (
        (environ.get("AWS_ENDPOINT_URL_S3"), "AWS_ENDPOINT_URL_S3"),
        (environ.get("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL"),
        (_nested(services.get("s3", "")).get("endpoint_url"), f"the services of the profile “{name}”"),
        (profile.get("endpoint_url"), f"endpoint_url of the profile “{name}”"),
    ):
        if url:
            return url, source
    return None, ""


def _url(url: str | None, source: str) -> str | None:
    try:
        return values.url(url) if url else None
    except ValueError as allowed:
        raise ConfigError(f"The address of S3 in {source} cannot be used.", hint=f"Give {allowed}.") from None


def _attempts(text: str | None, where: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[1-9]\d{0,3}", text.strip(), re.ASCII):
        raise ConfigError(
            f"AWS_MAX_ATTEMPTS, or max_attempts of {where}, is no number of attempts.", hint="Give a number from 1 on."
        )
    return int(text)


def _parsed(environ: Mapping[str, str], variable: str, usual: str) -> RawConfigParser | None:
    """Return one of the files, or None if it is not there.

    Raises:
        ConfigError: it cannot be read; names the line.
    """
    path = os.path.expanduser(environ.get(variable) or usual)  # noqa: PTH111  (pathlib's raises where there is no home)
    try:
        data = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", hint="AWS's tools keep profiles there.") from error
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _broken(path, 1, "the file begins with a byte order mark, which AWS's tools do not read past")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _broken(path, data.count(b"\n", 0, error.start) + 1, "this is not UTF-8") from None
    return _sections_of(text, path)


def _sections_of(text: str, path: str) -> RawConfigParser:
    import configparser  # only needed if there is a file

    parser = configparser.RawConfigParser(default_section="")  # [default] is a profile like any other
    try:
        parser.read_string(text, path)
    except configparser.DuplicateSectionError as error:
        raise _broken(path, error.lineno, f"[{error.section}] stands in it a second time") from None
    except configparser.DuplicateOptionError as error:
        raise _broken(path, error.lineno, f"“{error.option}” stands in [{error.section}] a second time") from None
    except configparser.MissingSectionHeaderError as error:
        raise _broken(path, error.lineno, "this stands before the first [profile]") from None
    except configparser.ParsingError as error:
        raise _broken(path, error.errors[0][0], "this is no setting") from None
    except configparser.Error:
        raise _broken(path, 1, "it cannot be understood") from None
    return parser


def _broken(path: str, line: int | None, what: str) -> ConfigError:
    return ConfigError(f"{path}:{line or 1}: {what}.", hint="Correct the line: AWS's own tools cannot read it either.")


def _section(parser: RawConfigParser | None, name: str) -> dict[str, str]:
    """Return a section; its name may have quotes, as in ``[profile "a b"]``."""
    for section in parser.sections() if parser else ():
        if " ".join(section.replace('"', "").replace("'", "").split()) == name:
            return dict(parser.items(section))  # type: ignore[union-attr]  # there is none without it
    return {}


def _nested(text: str) -> dict[str, str]:
    """Return the indented lines below a key."""
    lines = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines if value}
