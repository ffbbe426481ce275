"""Classes with the storage interface that are put around a backend."""
