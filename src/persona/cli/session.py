"""What one run of the command line shares: the global options, the configuration, and the way to the storage."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from persona.cli.render import json_text
from persona.neutral import harmless
from persona.redaction import redacted

if TYPE_CHECKING:
    from persona.config.schema import StorageSettings
    from persona.storage.backend import StorageBackend
    from persona.storage.stack import Keeping
    from persona.workspace import Workspace

T = TypeVar("T")


@dataclass
class Session:
    """The global options as given, before or after the command, and what follows from them."""

    json: bool = False
    verbose: bool = False
    quiet: bool = False
    workspace_name: str | None = None
    config_file: Path | None = None
    fresh: bool = False
    """Whether the provider is asked even for what was read a moment ago."""
    told: bool = False
    """Whether stderr has said what went wrong, or what is not complete."""
    overrides: dict[str, str] = field(default_factory=dict)
    """Configuration keys that flags of the command set, such as ``storage.backend``."""
    emitted: bool = False
    """Whether the one JSON document has been written, or begun: then no error follows as another."""

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace in effect, with its configuration loaded and checked."""
        from persona.workspace import resolve

        return resolve(self.workspace_name, config_file=self.config_file, overrides=self.overrides)

    def with_storage(
        self,
        work: Callable[[StorageBackend], Awaitable[T]],
        settings: StorageSettings | None = None,
        *,
        force: bool = False,
    ) -> T:
        """Open the workspace's storage, do the work in an event loop, and close the storage whatever happens.

        Args:
            work: what to do.
            settings: another storage than the workspace's.
            force: ask the provider even if it did not answer a moment ago.
        """
        import asyncio

        from persona.storage.stack import open_layers

        done: list[T] = []

        async def run() -> None:
            storage = open_layers(settings or self.workspace.settings.storage, self.keeping(force=force or self.fresh))
            try:
                done.append(await work(storage))
            finally:
                await storage.close()

        asyncio.run(run())  # which writes out the repr of what it is to return, twice: a whole library, say
        return done[0]

    def check_writable(self) -> None:
        """Find out whether what takes long to make could be written, or wait to be sent.

        Raises:
            UnreachableError: nobody is there, and writes do not wait.
            ConfigError: the place is in a region that is not allowed.
        """
        import asyncio

        from persona.errors import UnreachableError
        from persona.storage.stack import check_there

        settings = self.workspace.settings.storage
        waits = settings.offline.writes != "fail"
        if settings.backend == "local" or (waits and not settings.residency.allow):
            return
        try:
            asyncio.run(check_there(settings, self.keeping()))
        except UnreachableError:
            if not waits:
                raise

    def keeping(self, *, force: bool = False) -> Keeping:
        """Return what this machine keeps of the workspace.

        Args:
            force: ask the provider even if it did not answer a moment ago.
        """
        from persona.cli.erased import outbox_guard
        from persona.storage.stack import Keeping

        return Keeping(
            workspace=self.workspace.name,
            folder=self.workspace.folder,
            fresh=self.fresh,
            force=force,
            guard=lambda provider: outbox_guard(self, provider),
        )

    def emit(self, document: Any) -> None:
        """Write the one JSON document of a command to stdout."""
        self.emitted = True
        sys.stdout.write(json_text(document, indent=2) + "\n")

    def warn(self, text: str) -> None:
        """Tell what is incomplete or went wrong, on stderr, without secrets, also with ``--quiet``."""
        self.told = True
        print(harmless(redacted(text)), file=sys.stderr)

    def warn_if_quiet(self, text: str) -> None:
        """Tell what is incomplete to who sees nothing else; without ``--quiet`` it is part of the result."""
        if self.quiet:
            self.warn(text)

    def note(self, text: str) -> None:
        """Tell a person something beside the result, on stderr, without secrets, unless ``--quiet``."""
        if not self.quiet:
            print(redacted(text), file=sys.stderr)
