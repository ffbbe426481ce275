"""Keyrings for tests, as the keyring library finds them by PYTHON_KEYRING_BACKEND or is given them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class JsonKeyring(KeyringBackend):
    """Keeps its entries in the file that PERSONA_TEST_KEYRING names, for several processes."""

    priority = 9

    @property
    def entries(self) -> dict[str, str]:
        file = Path(os.environ["PERSONA_TEST_KEYRING"])
        return json.loads(file.read_text()) if file.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        file = Path(os.environ["PERSONA_TEST_KEYRING"])
        file.write_text(json.dumps(self.entries | {f"{service}/{username}": password}))


class Forgetful(JsonKeyring):
    """Takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Locked(JsonKeyring):
    """Fails with an error of its own, which repeats the secret."""

    def get_password(self, service: str, username: str) -> str | None:
        raise LookupError("the collection with CANARY-locked is locked")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise LookupError(f"{password} cannot be written")
