"""Processes whose time or memory counts, or of which there are many: coverage would take a good part of both."""

from __future__ import annotations

import os


def environment() -> dict[str, str]:
    """Return this process's environment without what makes a Python in it measure coverage."""
    return {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
