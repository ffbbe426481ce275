"""Which address of S3 the files and variables of AWS's own tools name, without their library, which is slow to import.

After "Service-specific endpoints", AWS SDKs and Tools Reference Guide. Requests go by what botocore finds
(`persona.credentials.botocore_chain`); this is for commands that only have to know whether two places are the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from configparser import Error, RawConfigParser

from persona.config.schema import S3Settings

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_IGNORED = "ignore_configured_endpoint_urls"


def s3_endpoint(s3: S3Settings, environ: Mapping[str, str]) -> str | None:
    """Return the address of S3 that comes with the credentials, or None if it is AWS's own.

    Args:
        s3: the settings, without an ``endpoint_url``.
        environ: the environment.
    """
    keys = s3.access_key_id or s3.secret_access_key or (not s3.profile and any(environ.get(name) for name in _KEYS))
    if s3.anonymous or keys:  # plain keys come with no address
        return None
    name = s3.profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    files = (
        _read(environ, "AWS_CONFIG_FILE", "~/.aws/config"),
        _read(environ, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    )
    profile = _section(files[0], f"profile {name}") or (_section(files[0], name) if name == "default" else {})
    profile = profile | _section(files[1], name)
    if (environ.get(f"AWS_{_IGNORED.upper()}") or profile.get(_IGNORED, "")).lower() == "true":
        return None
    services = _section(files[0], f"services {profile['services']}") if "services" in profile else {}
    return (
        environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL")
        or _nested(services.get("s3", "")).get("endpoint_url")
        or profile.get("endpoint_url")
    )


def _read(environ: Mapping[str, str], variable: str, usual: str) -> RawConfigParser:
    """Return one of the files; one that cannot be read says nothing, and whoever opens the storage is told why."""
    parser = RawConfigParser(default_section="")  # [default] is a profile like any other
    path = os.path.expanduser(environ.get(variable) or usual)  # noqa: PTH111  (pathlib's raises where there is no home)
    try:
        parser.read(path, encoding="utf-8")
    except (Error, OSError, UnicodeError):
        parser.clear()
    return parser


def _section(parser: RawConfigParser, name: str) -> dict[str, str]:
    """Return a section; its name may have quotes, as in ``[profile "a b"]``."""
    for section in parser.sections():
        if " ".join(section.replace('"', "").replace("'", "").split()) == name:
            return dict(parser.items(section))
    return {}


def _nested(text: str) -> dict[str, str]:
    """Return the indented lines below a key."""
    lines = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines if value}
