"""One suite that holds every backend to `persona.storage.backend`."""
