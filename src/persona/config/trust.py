"""What a project's file may do, and the user's word that one may do more.

A persona.yaml in a folder that was cloned or unpacked may come from anyone. What it says is good for naming a bucket.
It is not good for running a program, for reading or writing files outside of its folder, for turning TLS off, or for
sending the user's credentials to a server of its choice. Such values count only if the user has said so: in a file of
their own, in the environment, by ``--config FILE``, or by ``persona trust``, which remembers the file's digest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from persona.config import values
from persona.config.load import Config, FileContent, load
from persona.config.schema import keys
from persona.config.secret import Reference, Secret
from persona.errors import ConfigError, ConflictError

FILE_NAME = "trust.json"
_FOLDERS = ("storage.local.path", "storage.cache.path")
_LOCK_SECONDS = 10.0
_MAX_BYTES = 4 * 1024 * 1024


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


def check(config: Config, project: Path, home: Path, text: str) -> None:
    """Refuse a project's file that asks for more than it may, unless the user trusts it as it is.

    Args:
        config: what is in effect.
        project: the project's file.
        home: PERSONA_HOME.
        text: the content of the file, as it was read for `config`.

    Raises:
        ConfigError: names the file, each line and key, why, and ``persona trust``.
    """
    asked = requests(config, project, home)
    if asked and not is_trusted(home, project, text):
        lines = [f"{project}:{each.line}: {each.key} {each.what}" for each in asked]
        raise ConfigError(
            "\n  ".join(["The project's file asks for what only you may allow:", *lines]),
            hint="If you know who wrote it, look at it and say “persona trust”; or set these values yourself. "
            "A change of the file takes the trust back.",
        )


def digest(text: str) -> str:
    """Return what a file is remembered by: the SHA-256 of its text, as hexadecimal."""
    return sha256(text.encode()).hexdigest()


def is_trusted(home: Path, file: Path, text: str) -> bool:
    """Say whether the user trusts a file with this content."""
    return trusted(home).get(os.path.realpath(file)) == digest(text)


def trusted(home: Path) -> dict[str, str]:
    """Return the digests of the files that the user trusts, by their paths.

    Raises:
        ConfigError: what is remembered cannot be read.
    """
    path = home / FILE_NAME
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(_MAX_BYTES))
        return {str(file): str(known) for file, known in document["files"].items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path}, which remembers the files that you trust, cannot be read.",
            hint="Remove it, and trust again what you need.",
        ) from error


def remember(home: Path, file: Path, text: str | None) -> bool:
    """Trust a file with this content; None takes the trust back. Returns whether that changes anything.

    Raises:
        ConfigError: PERSONA_HOME cannot be written to.
        ConflictError: another process has held what is remembered for too long.
    """
    from persona.config import locations
    from persona.config.edit import write_whole
    from persona.locks import LockTimeoutError, locked

    locations.make_folder(home / "locks", home)
    try:
        with locked(home / "locks" / "trust.lock", _LOCK_SECONDS):
            before = trusted(home)
            after = {path: known for path, known in before.items() if path != os.path.realpath(file)}
            if text is not None:
                after[os.path.realpath(file)] = digest(text)
            if after != before:
                write_whole(home / FILE_NAME, json.dumps({"version": 1, "files": after}, indent=1) + "\n")
            return after != before
    except LockTimeoutError as error:
        raise ConflictError(f"Another process is changing {home / FILE_NAME}.", hint="Try again.") from error


@contextmanager
def own_change(home: Path, file: Path) -> Iterator[None]:
    """Let a change that the user makes by a command keep the trust in a project's file.

    A file that is trusted stays so, and so does one that asks for nothing: what it then asks for is the user's own.

    Args:
        home: PERSONA_HOME.
        file: the file that is changed.

    Raises:
        ConfigError: it cannot be read, or PERSONA_HOME not be written to.
    """
    if home in file.parents:
        yield
        return
    asked, text = _alone(file, home) if file.exists() else ([], "")
    keep = not asked or is_trusted(home, file, text)
    yield
    if keep:
        asked, text = _alone(file, home)
        if asked:
            remember(home, file, text)


def _alone(file: Path, home: Path) -> tuple[list[Request], str]:
    """Return what a file asks for by itself, and its text."""
    known: dict[Path, FileContent] = {}
    return requests(load([file], environ={}, known=known), file, home), known[file].text


def shown(config: Config, file: Path, home: Path) -> tuple[list[Request], str]:
    """Return all that a file asks for, here and by itself, for the user to decide on; and its text.

    Args:
        config: what would be in effect with it.
        file: the project's file.
        home: PERSONA_HOME.
    """
    alone, text = _alone(file, home)
    return sorted({*requests(config, file, home), *alone}, key=lambda each: each.line), text
