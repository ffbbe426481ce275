"""Settings handed to another process, for tests and measurements of whole processes."""

from __future__ import annotations

import dataclasses
import json

from persona.config.schema import StorageSettings
from persona.config.secret import Secret

PRELUDE = """
import asyncio, json, sys, time
from persona.config.schema import AzureSettings, GCSSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.storage.stack import open_storage

MIB = 1 << 20
given = json.loads(sys.argv[1])
section = {"s3": S3Settings, "gcs": GCSSettings, "azure": AzureSettings}[given["backend"]]
secret = {key: Secret(value) for key, value in given["secrets"].items()}
settings = StorageSettings(backend=given["backend"], **{given["backend"]: section(**given["plain"], **secret)})
"""
"""The start of a program that gets `described` as its first argument: it has ``settings``."""


def described(settings: StorageSettings) -> str:
    """Return a provider's settings as JSON for another process."""
    section = getattr(settings, settings.backend)
    values = {item.name: getattr(section, item.name) for item in dataclasses.fields(section)}
    secrets = {key: value.reveal() for key, value in values.items() if isinstance(value, Secret)}
    plain = {key: value for key, value in values.items() if value is not None and key not in secrets}
    return json.dumps({"backend": settings.backend, "plain": plain, "secrets": secrets})
