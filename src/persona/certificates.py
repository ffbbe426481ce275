"""Certificate authorities: which ones TLS trusts, as the usual variables of the environment say.

What a provider has of its own comes first, such as ``AWS_CA_BUNDLE`` (AWS SDKs and Tools Reference Guide, "General
configuration"); then OpenSSL's ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` (its manual, "SSL_CTX_set_default_verify_paths");
then ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE``, which Google's and Microsoft's own libraries use. The first that is
set counts, in place of the system's authorities, as with the vendors' tools.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from persona.errors import ConfigError

_COMMON = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""How OpenSSL finds a certificate in a folder: by the hash of its subject (openssl-rehash(1))."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """Which authorities are trusted.

    Args:
        path: the file or the folder with them; "" for those of the system.
        source: what names it: a variable, or a setting of a profile.
    """

    path: str = ""
    source: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """What urllib3's pools take for it; nothing where OpenSSL finds it by itself."""
        if not self.path or self.source.startswith("SSL_CERT_"):
            return {}
        return {"ca_cert_dir" if Path(self.path).is_dir() else "ca_certs": self.path}

    def __str__(self) -> str:
        return f"{self.path} ({self.source})" if self.path else "this machine"


def authorities(*own: tuple[str, str | None]) -> Authorities:
    """Return the authorities that the environment names, once they have been read.

    Args:
        own: what the provider has of its own: the name of each source, and the path in it.

    Raises:
        ConfigError: what is named is not there, or holds no certificates.
    """
    for source, named in (*own, *((name, os.environ.get(name)) for name in _COMMON)):
        if named:
            return Authorities(_checked(source, named), source)
    return Authorities()


def _checked(source: str, named: str) -> str:
    """Return the path of a file or a folder, once it has been looked at."""
    path = os.path.expanduser(named)  # noqa: PTH111  (pathlib's raises where there is no home)
    if source == "SSL_CERT_DIR":  # which may be a list
        path = next(filter(os.path.isdir, path.split(os.pathsep)), path)
    if os.path.isdir(path):  # noqa: PTH112  (a path of the user's, which may hold what pathlib refuses)
        _check_folder(source, path)
    else:
        _check_file(source, path)
    return path


def _check_folder(source: str, path: str) -> None:
    try:
        names = os.listdir(path)  # noqa: PTH208
    except OSError as error:
        raise _unusable(source, path, f"cannot be read: {error.strerror}") from error
    if not any(map(_HASHED.fullmatch, names)):
        raise _unusable(source, path, "holds no certificate under its hash", f"Run “openssl rehash {path}”.")


def _check_file(source: str, path: str) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise _unusable(source, path, "holds no certificates in PEM") from error
    except (OSError, ValueError) as error:
        why = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise _unusable(source, path, why) from error


def _unusable(source: str, path: str, why: str, hint: str = "") -> ConfigError:
    return ConfigError(
        f"{source} names {path}, which {why}.",
        hint=hint or f"Let {source} name a file of certificates in PEM, or unset it.",
    )
