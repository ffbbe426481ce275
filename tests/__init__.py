"""The tests; a package, so that they share `tests.servers` and the contract suite."""

from os import environ

environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the program sets it, before any test loads numpy
