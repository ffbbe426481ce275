"""What a project's file may do, and the user's word that one may do more.

A persona.yaml in a folder that was cloned or unpacked may come from anyone. What it says is good for naming a bucket.
It is not good for running a program, for reading or writing files outside of its folder, for turning TLS off, or for
sending the user's credentials to a server of its choice. Such values count only if the user has said so: in a file of
their own, in the environment, by ``--config FILE``, or by ``persona trust``, which remembers the file's digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from persona.config import values
from persona.config.approvals import FILE_NAME, digest, is_trusted, remember, trusted
from persona.config.load import Config, FileContent, load, parse
from persona.config.schema import keys
from persona.config.secret import Reference, Secret
from persona.errors import ConfigError
from persona.ownership import doubt_of_way

__all__ = [
    "FILE_NAME",
    "Request",
    "check",
    "digest",
    "is_trusted",
    "remember",
    "requests",
    "set_own",
    "shown",
    "trusted",
]
_FOLDERS = ("storage.local.path", "storage.cache.path")


class Request(NamedTuple):
    """Something that a project's file says and only the user may.

    Args:
        key: the key's full name.
        line: its line in the file.
        what: what it would do, as the end of a sentence that begins with the file.
    """

    key: str
    line: int
    what: str


def requests(config: Config, project: Path, home: Path) -> list[Request]:
    """Return what the values in effect from a project's file would do that needs the user's word, line by line.

    Args:
        config: what is in effect.
        project: the project's file.
        home: PERSONA_HOME.
    """
    here = {
        name: config.values[name]
        for name, source in config.sources.items()
        if source.kind == "file" and source.name == str(project) and config.values[name] is not None
    }
    found = [(name, what) for name, value in here.items() for what in _of_value(name, value, project, home)]
    found += _of_endpoints(config.values, here)
    found += [(name, what) for name, value in here.items() for what in _loosens(name, value, config.overruled)]
    asked = (Request(name, config.sources[name].line, what) for name, what in found)
    return sorted(asked, key=lambda each: each.line)


def _of_value(name: str, value: object, project: Path, home: Path) -> Iterator[str]:
    """Yield what a value would do by itself."""
    if isinstance(value, Reference) and value.kind == "command":
        yield f"would run the program “{value.name}”"
    if isinstance(value, Reference) and value.kind == "file":
        yield f"would read the file {value.name}"
    if keys()[name].parse is values.folder and name not in _FOLDERS:
        yield f"would take credentials from the file {value}"
    if name.endswith(".allow_insecure") and value is True:
        yield "would send data without encryption"
    if name == "storage.s3.request_payer":
        yield "would have your account pay for the requests"
    if name == "storage.gcs.user_project":
        yield f"would have the project {value} pay for the requests"
    if name == "storage.residency.enforce" and value is False:
        yield "would let data be written outside of the regions that are allowed"
    if name in _FOLDERS and not _is_own(Path(str(value)), project, home):
        yield f"would read and write files in {os.path.realpath(str(value))}, outside of the project"


def _loosens(name: str, value: Any, own: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a value would take back of a rule that the user has made elsewhere."""
    if not (rule := own.get(name)):
        return
    if name == "storage.residency.allow" and (not value or set(value) - set(rule)):
        where = ", ".join(sorted(set(value) - set(rule))) or "any region"
        yield f"would let data be kept in {where}, against a rule of your own"
    if name == "storage.cache.encrypt" and not value:
        yield "would keep copies on this machine unencrypted, against a rule of your own"
    if name == "storage.cache.never" and (kept := set(rule) - set(value)):
        yield f"would keep copies of {', '.join(sorted(kept))} on this machine, against a rule of your own"


def _is_own(folder: Path, project: Path, home: Path) -> bool:
    """Say whether a folder is in the project, or is one of those that Persona uses by default; links count."""
    own = os.path.expanduser("~/.persona")  # noqa: PTH111  (pathlib's raises where there is no home)
    usual = [base / name for base in (home, Path(own)) for name in ("data", "cache")]
    real = Path(os.path.realpath(folder))
    return any(real.is_relative_to(os.path.realpath(each)) for each in (project.parent, *usual))


def _of_endpoints(effective: Mapping[str, object], here: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the endpoints to which credentials would go that are not the file's own, this machine's included."""
    for section, sends in (("s3", _s3_sends), ("gcs", _gcs_sends), ("azure", _azure_sends)):
        name = f"storage.{section}.endpoint_url"
        if name in here and not effective[f"storage.{section}.anonymous"] and sends(effective, here):
            yield name, f"would send your credentials to {here[name]}"


def _are_own(names: list[str], effective: Mapping[str, object], here: Mapping[str, object]) -> bool:
    """Say whether the secrets that are set stand in the project's file themselves."""
    return all(n in here and not isinstance(here[n], Reference) for n in names if effective[n] is not None)


def _s3_sends(effective: Mapping[str, object], here: Mapping[str, object]) -> bool:
    names = [f"storage.s3.{key}" for key in ("access_key_id", "secret_access_key", "session_token")]
    return effective[names[0]] is None or effective[names[1]] is None or not _are_own(names, effective, here)


def _gcs_sends(effective: Mapping[str, object], here: Mapping[str, object]) -> bool:
    """An emulator on this machine, by plain http, gets no credentials unless a file is named."""
    address = urlsplit(str(here["storage.gcs.endpoint_url"]))
    loopback = address.scheme == "http" and address.hostname in ("127.0.0.1", "localhost", "::1")
    return not loopback or effective["storage.gcs.credentials_file"] is not None


def _azure_sends(effective: Mapping[str, object], here: Mapping[str, object]) -> bool:
    names = [f"storage.azure.{key}" for key in ("connection_string", "account_key", "sas_token")]
    secrets = [name for name in names if isinstance(effective[name], Secret)]
    return not secrets or not _are_own(secrets, effective, here)


def check(config: Config, project: Path, home: Path, found: str) -> None:
    """Refuse a project's file that asks for more than it may, unless the user trusts it as it is.

    Args:
        config: what is in effect.
        project: the project's file.
        home: PERSONA_HOME.
        found: the digest of the file, as it was read for `config`.

    Raises:
        ConfigError: names the file, each line and key, why, and ``persona trust``.
    """
    asked = requests(config, project, home)
    if asked and not is_trusted(home, project, found):
        lines = [f"{project}:{each.line}: {each.key} {each.what}" for each in asked]
        raise ConfigError(
            "\n  ".join(["The project's file asks for what only you may allow:", *lines]),
            hint="If you know who wrote it, look at it and say “persona trust”; or set these values yourself. "
            "A change of the file takes the trust back.",
        )


def set_own(file: Path, changes: Mapping[str, str], content: FileContent | None, *, home: Path, locks: Path) -> None:
    """Set values in a persona.yaml that the user gives by a command, and keep the trust in the file.

    A file that is trusted stays so, and so does one that asks for nothing: what it then asks for is the user's own.

    Args:
        file: the file that is changed.
        changes: the values as text, by key.
        content: what it holds, as `persona.config.context.Context.read` has returned it; None if it is not there.
        home: PERSONA_HOME.
        locks: as for `persona.config.edit.set_values`.

    Raises:
        ConfigError: a value is wrong, or a file cannot be read or written.
        ConflictError: the file was trusted and has changed since.
    """
    from persona.config.edit import set_values

    if home in file.parents:
        set_values(file, changes, locks=locks)
        return
    asked = content is not None and bool(content.doubt or _alone(file, home, content))
    keep = not asked or (content is not None and is_trusted(home, file, content.digest))
    expected = content.digest if asked and content is not None else None
    after = parse(file, set_values(file, changes, locks=locks, expected=expected))
    if keep and (asked or doubt_of_way(file) or _alone(file, home, after)):
        remember(home, file, after.digest)


def _alone(file: Path, home: Path, content: FileContent) -> list[Request]:
    """Return what a file asks for by itself."""
    return requests(load([file], environ={}, known={file: content}), file, home)


def shown(config: Config, file: Path, home: Path, content: FileContent) -> list[Request]:
    """Return all that a file asks for, here and by itself, for the user to decide on.

    Args:
        config: what would be in effect with it.
        file: the project's file.
        home: PERSONA_HOME.
        content: what it holds, as it was read for `config`.
    """
    return sorted({*requests(config, file, home), *_alone(file, home, content)}, key=lambda each: each.line)
