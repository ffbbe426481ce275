"""Where a command runs: the environment, the home, the project; and what is in effect there."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from persona.config import locations
from persona.config.load import Config, FileContent, load, read_file
from persona.errors import ConfigError

_log = logging.getLogger(__name__)

DEFAULT = "default"
"""The workspace that is always there: what the user's persona.yaml says."""


@dataclass(frozen=True)
class Context:
    """Where a command runs, as far as configuration depends on it.

    Args:
        environ: the environment.
        home: PERSONA_HOME.
        project: the project's file, or the one of ``--config``; None if there is none.
        flags: configuration keys that flags set, as text.
        known: the files that were read so far.
        named: whether the user named the file, so that it is theirs; else it was found, and may be anybody's.
    """

    environ: Mapping[str, str]
    home: Path
    project: Path | None
    flags: Mapping[str, str]
    known: dict[Path, FileContent]
    named: bool = False

    @classmethod
    def of(cls, config_file: Path | None = None, flags: Mapping[str, str] | None = None) -> Context:
        """Look around: the environment, the home, the project's file.

        Raises:
            ConfigError: ``--config`` names no file, or PERSONA_HOME cannot be used.
        """
        home = locations.persona_home(os.environ)
        if config_file is None:
            project = locations.project_file(home)
        else:
            project = config_file.absolute()
            if not locations.is_there(project):
                raise ConfigError(f"There is no file {project}.", hint="--config takes the path of a persona.yaml.")
        return cls(os.environ, home, project, flags or {}, {}, config_file is not None)

    def own_file(self, name: str) -> Path | None:
        """Return the file of a named workspace; the default one has none."""
        return None if name == DEFAULT else locations.workspace_file(self.home, name)

    def folder(self, name: str) -> Path:
        """Return the folder of what a workspace keeps on this machine."""
        return self.home if name == DEFAULT else locations.workspace_folder(self.home, name)

    def load(self, name: str) -> Config:
        """Load what is in effect here for a workspace."""
        return self._load(name, self.project, self.environ, self.flags)

    def load_alone(self, name: str) -> Config:
        """Load what a workspace is by itself: without flags, environment and project."""
        return self._load(name, None, {}, {})

    def load_plan(self, name: str, values: Mapping[str, str]) -> Config:
        """Load what a workspace would be by itself if its file held these values."""
        return self._load(name, None, {}, values)

    def read(self, file: Path) -> FileContent:
        """Return what a persona.yaml holds, read once; one that others may have written is not obeyed.

        Args:
            file: the project's file, or one below PERSONA_HOME. It must be there.

        Raises:
            ConfigError: it may not be the user's own, and the user does not trust it as it is.
        """
        is_project = file == self.project
        if file not in self.known:
            modes = is_project or not locations.is_closed(self.home)
            self.known[file] = read_file(file, regular=not (is_project and self.named), modes=modes)
        found = self.known[file]
        if found.doubt and is_project and self.named:
            _log.warning("%s is used because you named it, although %s.", file, found.doubt)
        elif found.doubt:
            from persona.config import approvals  # only needed where a file is doubtful

            if not is_project:
                raise locations.foreign(file, found.doubt)
            if not approvals.is_trusted(self.home, file, found.digest):
                raise approvals.refusal(file, found.doubt)
        return found

    def check_trust(self, config: Config) -> None:
        """Refuse a project's file that asks for what only the user may allow.

        Raises:
            ConfigError: names what it asks for; the user does not trust it as it is.
        """
        if self.project is not None and not self.named:
            from persona.config import trust  # only needed where a storage is opened

            trust.check(config, self.project, self.home, self.known[self.project].digest)

    def check_secrets(self, config: Config) -> None:
        """Warn of secrets that stand in the files in effect.

        Raises:
            ConfigError: git tracks such a file.
        """
        from persona.config import exposure  # only needed where a storage is opened

        scopes = {locations.user_file(self.home): "user"} | ({self.project: "project"} if self.project else {})
        exposure.check(config.files, self.known, scopes)

    @property
    def locks(self) -> Path:
        """The folder for locks of configuration files."""
        return self.home / "locks"

    def _load(self, name: str, project: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]) -> Config:
        files = [project, self.own_file(name), locations.user_file(self.home)]
        there = [path for path in files if path and locations.is_there(path)]
        for path in there:
            self.read(path)
        folder = self.folder(name)
        return load(
            there,
            environ=environ,
            flags=flags,
            defaults={"storage.local.path": folder / "data", "storage.cache.path": folder / "cache"},
            known=self.known,
        )
