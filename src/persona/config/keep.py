"""Keeping the secrets of a persona.yaml in the keyring: what is written in their place."""

from __future__ import annotations

from collections.abc import Mapping

from persona.config import keyrings, values
from persona.config.load import Entry
from persona.config.places import string_place
from persona.config.secret import Reference, Secret
from persona.errors import ConfigError

_STRING, _ACCOUNT, _ENDPOINT = (f"storage.azure.{key}" for key in ("connection_string", "account", "endpoint_url"))


def in_keyring(workspace: str, secrets: Mapping[str, Secret], entries: Mapping[str, Entry]) -> dict[str, str]:
    """Put secrets into the keyring, as ``WORKSPACE/KEY``, and return what a file says instead, as text, by key.

    The place of the storage stays what it is: of a connection string the account and the address are written as well.

    Args:
        workspace: the workspace's name.
        secrets: the secrets by their keys' full names.
        entries: what the file says now.

    Raises:
        ConfigError: there is no keyring, or it does not keep what it is given.
    """
    changes = {}
    for name, secret in secrets.items():
        now = entries[name].value if name in entries else None
        before = now.name if isinstance(now, Reference) and now.kind == "keyring" else None
        kept = keyrings.keep(_base(workspace, name), secret.reveal(), before)
        changes[name] = f"keyring:{kept}"
    if _STRING in secrets:
        changes |= _place_of(secrets[_STRING], entries)
    return changes


def _place_of(string: Secret, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Return what is to be said of the place beside a connection string that is kept elsewhere."""
    account, address = string_place(string, None)
    own = string_place(None, account)[1]
    said = {_ACCOUNT: account, _ENDPOINT: address if address != own else ""}
    return {key: text for key, text in said.items() if text and (key not in entries or entries[key].value is None)}


def found(workspace: str, name: str, entries: Mapping[str, Entry]) -> str | None:
    """Return the reference to what the keyring holds for a key already, or None.

    None too where the file says so now: then another one is meant.

    Args:
        workspace: the workspace's name.
        name: the key's full name.
        entries: what the file says now.

    Raises:
        ConfigError: there is no keyring.
    """
    reference = f"keyring:{_base(workspace, name)}"
    now = entries[name].value if name in entries else None
    if isinstance(now, Reference) and now.kind == "keyring":
        return None
    return reference if check(workspace, name) else None


def check(workspace: str, name: str) -> bool:
    """Say whether the keyring holds something for a key.

    Args:
        workspace: the workspace's name.
        name: the key's full name.

    Raises:
        ConfigError: there is no keyring, so that no secret can be put there.
    """
    try:
        return keyrings.get(_base(workspace, name)) is not None
    except ConfigError as error:
        raise _no_keyring(name) from error


def _base(workspace: str, name: str) -> str:
    """Return what an entry of the keyring is called, if nothing else is."""
    return f"{workspace}/{name.removeprefix('storage.')}"


def _no_keyring(name: str) -> ConfigError:
    return ConfigError(
        f"There is no keyring to keep {name} in, and a file is no good place for it. Nothing was written.",
        hint=f"{keyrings.INSTALL}, or set it to env:NAME, file:PATH or command:PROGRAM, or say --plain.",
    )


def typed(workspace: str, name: str, value: str, entries: Mapping[str, Entry], *, plain: bool) -> dict[str, str]:
    """Return what a file is to say for a secret that somebody gives, which goes into the keyring if there is one.

    Args:
        workspace: the workspace's name.
        name: the key's full name.
        value: what was given: a secret, a reference, or ``null``.
        entries: what the file says now.
        plain: write it into the file as it is.

    Raises:
        ConfigError: the value is wrong, or there is no keyring and `plain` was not said.
    """
    try:
        secret = values.secret(value)
    except ValueError:  # whoever writes it says what is wrong
        return {name: value}
    if plain or value == "null" or isinstance(secret, Reference):
        return {name: value}
    try:
        return in_keyring(workspace, {name: secret}, entries)
    except ConfigError as error:
        raise _no_keyring(name) from error
