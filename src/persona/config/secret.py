"""A value that must not be seen, and one that is kept elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from persona.redaction import MASK, register

KINDS = ("keyring", "env", "file", "command")
"""Where a secret may be kept: ``keyring:NAME``, ``env:NAME``, ``file:PATH``, ``command:PROGRAM ARGUMENTS``."""


class Secret:
    """Text that masks itself wherever it is shown.

    Args:
        value: the secret text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text, for the one place that hands it to a provider. No message shows it from then on.

        Raises:
            ConfigError, CredentialsError: it is kept elsewhere, and cannot be had.
        """
        register(self._value)
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and type(other) is type(self) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class Reference(Secret):
    """A secret that is kept elsewhere, and fetched when it is first needed; once in a process.

    Args:
        kind: one of `KINDS`.
        name: what is to be fetched there.
    """

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind}:{name}")
        self.kind = kind
        self.name = name

    @property
    def spelled(self) -> str:
        """Return the reference as a file has it. It says where the secret is, and is none."""
        return self._value

    def below(self, base: Path) -> Reference:
        """Return the reference as it stands in a file: a relative path in it is relative to that file's folder."""
        if self.kind != "file":
            return self
        named = os.path.expanduser(self.name)  # noqa: PTH111  (pathlib's raises where there is no home)
        return Reference("file", str(base / named))

    def reveal(self) -> str:
        """Return the secret text.

        Raises:
            ConfigError: what keeps it is not there, or cannot be used.
            CredentialsError: it is there and holds no secret.
        """
        return Secret(self.resolve()).reveal()

    def resolve(self) -> str:
        """Return the text, for what is no secret and may be shown: the id of a key.

        Raises:
            ConfigError, CredentialsError: as for `reveal`.
        """
        from persona.config.fetch import fetched  # only needed where there is one

        return fetched(self.kind, self.name)
