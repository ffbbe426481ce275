"""The one place that composes storage: the factory of backends, and the layers around them."""

from __future__ import annotations

from persona.config.schema import StorageSettings
from persona.errors import ConfigError
from persona.storage.backend import StorageBackend


def open_storage(settings: StorageSettings) -> StorageBackend:
    """Open the storage that the settings describe. Makes no request; imports only the backend that is asked for.

    Raises:
        ConfigError: something that this backend needs is not set, or cannot be.
        CredentialsError: no credentials were found.
    """
    if settings.backend == "local":
        from persona.storage.backends.local import LocalBackend

        if settings.local.path is None:
            raise ConfigError("storage.local.path is not set.", hint="persona storage config set local.path FOLDER")
        return LocalBackend(settings.local.path)
    if settings.backend == "s3":
        from persona.storage.backends.s3 import S3Backend

        return S3Backend(settings.s3, settings.performance)
    if settings.backend == "gcs":
        from persona.storage.backends.gcs import GCSBackend

        return GCSBackend(settings.gcs, settings.performance)
    if settings.backend == "azure":
        from persona.storage.backends.azure import AzureBlobBackend

        return AzureBlobBackend(settings.azure, settings.performance)
    raise ConfigError(f"There is no backend “{settings.backend}”.")
