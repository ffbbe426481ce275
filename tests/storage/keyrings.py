"""Keyrings for tests, as the keyring library finds them by PYTHON_KEYRING_BACKEND."""

from __future__ import annotations

import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend


class FileKeyring(KeyringBackend):
    """Keeps one secret in the file that PERSONA_TEST_KEYRING names, and takes its time."""

    priority = 1

    @property
    def file(self) -> Path:
        return Path(os.environ["PERSONA_TEST_KEYRING"])

    def get_password(self, service: str, username: str) -> str | None:
        return self.file.read_text() if self.file.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        assert (service, username) == ("persona", "cache key")
        time.sleep(0.2)
        self.file.write_text(password)


class Broken(KeyringBackend):
    """Fails as the libraries of a desktop do, with an error of its own kind."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        raise LookupError("the collection with hunter2-Zk9 is locked")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class ReadOnly(Broken):
    """Has nothing, and takes nothing."""

    def get_password(self, service: str, username: str) -> str | None:
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise LookupError(f"{password} cannot be written")
