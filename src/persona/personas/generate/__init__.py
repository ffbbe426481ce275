"""Making personas: the registry of providers, and the offline one."""

from os import environ

environ.setdefault("OPENBLAS_NUM_THREADS", "1")
"""Read when numpy loads. The products are small: eight times the processor time goes into more threads, for nothing."""
