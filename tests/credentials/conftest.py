"""What the tests of credentials share: a command line in an empty project, and places on the real servers."""

from tests.cli.conftest import configure, persona, place, process, project

__all__ = ["configure", "persona", "place", "process", "project"]
