"""Workspaces: named configurations, each with a storage of its own.

The workspace ``default`` is what the user's persona.yaml says. Every other one has a file of its own,
``PERSONA_HOME/workspaces/NAME/persona.yaml``, which stands above the user's and below the project's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from persona.config import locations
from persona.config.load import Config, FileContent, load
from persona.config.places import PLACE_KEYS, Place, place_of
from persona.config.schema import Settings
from persona.errors import ConfigError, NameRefusedError, NotFoundError

DEFAULT = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_CURRENT = "current-workspace"


@dataclass(frozen=True)
class Context:
    """Where a command runs, as far as configuration depends on it.

    Args:
        environ: the environment.
        home: PERSONA_HOME.
        project: the project's file, or the one of ``--config``; None if there is none.
        flags: configuration keys that flags set, as text.
        known: the files that were read so far.
    """

    environ: Mapping[str, str]
    home: Path
    project: Path | None
    flags: Mapping[str, str]
    known: dict[Path, FileContent]

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
            project = config_file.expanduser().absolute()
            if not locations.is_there(project):
                raise ConfigError(
                    f"There is no file {project}.", hint="--config takes the path of a persona.yaml."
                )
        return cls(os.environ, home, project, flags or {}, {})

    def own_file(self, name: str) -> Path | None:
        """Return the file of a named workspace; the default one has none."""
        return None if name == DEFAULT else locations.workspace_file(self.home, name)

    def load(self, name: str) -> Config:
        """Load what is in effect here for a workspace."""
        return self._load(name, self.project, self.environ, self.flags)

    def load_alone(self, name: str) -> Config:
        """Load what a workspace is by itself: without flags, environment and project."""
        return self._load(name, None, {}, {})

    def _load(
        self, name: str, project: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]
    ) -> Config:
        files = [project, self.own_file(name), locations.user_file(self.home)]
        folder = self.home if name == DEFAULT else locations.workspace_folder(self.home, name)
        return load(
            [path for path in files if path and locations.is_there(path)],
            environ=environ,
            flags=flags,
            defaults={"storage.local.path": folder / "data", "storage.cache.path": folder / "cache"},
            known=self.known,
        )


@dataclass(frozen=True)
class Workspace:
    """The workspace in effect.

    Args:
        name: its name.
        context: where the command runs.
        config: its configuration, with the source of every value.
    """

    name: str
    context: Context
    config: Config

    @property
    def home(self) -> Path:
        """PERSONA_HOME: the folder of everything that the program keeps."""
        return self.context.home

    @property
    def settings(self) -> Settings:
        """The typed values."""
        return self.config.settings

    @cached_property
    def place(self) -> Place | None:
        """Where its objects are, or None while the configuration does not say it."""
        return place_of(self.settings.storage, self.context.environ)


def resolve(
    name: str | None = None,
    *,
    config_file: Path | None = None,
    overrides: Mapping[str, str] | None = None,
    isolated: bool = True,
) -> Workspace:
    """Find the workspace in effect and load its configuration. Makes no request, and no files.

    Args:
        name: what ``--workspace`` says; else PERSONA_WORKSPACE, else the one in use, else ``default``.
        config_file: what ``--config`` says: it stands in for the project's file.
        overrides: configuration keys that flags set, as text.
        isolated: refuse a workspace that would share its place with another. Commands that only show or
            change the configuration go without.

    Raises:
        ConfigError: the configuration is wrong, or the workspace would share its place.
        NotFoundError: there is no such workspace.
        NameRefusedError: this cannot be a workspace's name.
    """
    context = Context.of(config_file, overrides)
    name = name or context.environ.get("PERSONA_WORKSPACE") or current(context.home)
    check_known(context.home, name)
    workspace = Workspace(name, context, context.load(name))
    if isolated:
        check_isolation(workspace)
    return workspace


def names(home: Path) -> list[str]:
    """Return the names of all workspaces, ``default`` first.

    Raises:
        ConfigError: the folder of workspaces cannot be read.
    """
    try:
        found = [path.parent.name for path in (home / "workspaces").glob(f"*/{locations.FILE_NAME}")]
    except OSError as exc:
        raise ConfigError(f"{home / 'workspaces'} cannot be read: {exc.strerror}.") from exc
    return [DEFAULT, *sorted(name for name in found if _NAME.fullmatch(name) and name != DEFAULT)]


def current(home: Path) -> str:
    """Return the name that ``persona workspace use`` has chosen.

    Raises:
        ConfigError: what is noted is no workspace's name.
    """
    path = home / _CURRENT
    try:
        name = path.read_bytes()[:200].decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return DEFAULT
    except OSError as exc:
        raise ConfigError(
            f"{path} cannot be read: {exc.strerror}.", hint="Or choose with --workspace NAME."
        ) from exc
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{path} does not hold a workspace's name.", hint="Choose again: persona workspace use default"
        )
    return name


def check_name(name: str) -> None:
    """Raise NameRefusedError if this cannot be a workspace's name."""
    if not _NAME.fullmatch(name):
        raise NameRefusedError(
            f"“{name[:80]}” cannot be a workspace's name.",
            hint="Use 1 to 63 of a-z, 0-9, - and _, with a letter or digit first.",
        )


def check_known(home: Path, name: str) -> None:
    """Raise NotFoundError if there is no such workspace."""
    check_name(name)
    if name != DEFAULT and not locations.is_there(locations.workspace_file(home, name)):
        known = ", ".join(names(home))
        raise NotFoundError(
            f"There is no workspace “{name}”.",
            hint=f"There is: {known}. Make it with: persona workspace create {name}",
        )


def check_isolation(workspace: Workspace) -> None:
    """Refuse a workspace that would share its place with another.

    Two views of the others count: what each is by itself, and, for a named workspace, what each would be
    here, with the same flags, environment and project. So a place that a project sets is that of ``default``
    alone.

    Raises:
        ConfigError: names the other, the place, and what can be done.
    """
    if workspace.place is None:
        return
    context = workspace.context
    for other in names(context.home):
        if other == workspace.name:
            continue
        alone = _place(context, other, {}, alone=True)
        here = None if workspace.name == DEFAULT else _place(context, other, context.environ, alone=False)
        if any(place and place.meets(workspace.place) for place in (alone, here)):
            raise _shared(workspace, other)


def _place(context: Context, name: str, environ: Mapping[str, str], *, alone: bool) -> Place | None:
    """Return a workspace's place, or None where its configuration is broken: then it keeps nothing."""
    try:
        config = context.load_alone(name) if alone else context.load(name)
    except ConfigError:
        return None
    return place_of(config.settings.storage, environ)


def _shared(workspace: Workspace, other: str) -> ConfigError:
    """Return the error that two workspaces would share a place."""
    backend = workspace.settings.storage.backend
    key = PLACE_KEYS[backend][-1]
    above = sorted({str(source) for source in _from_above(workspace) if source})
    where = workspace.place.url if workspace.place else ""
    message = f"The workspaces “{workspace.name}” and “{other}” would share their objects in {where}."
    if above:
        return ConfigError(
            f"{message} {', '.join(above)} stands above the workspace's own settings.",
            hint="Take the place out of there, work elsewhere, or use --workspace default.",
        )
    scope = "user" if workspace.name == DEFAULT else "workspace"
    return ConfigError(
        message,
        hint="Set another place: "
        f"persona --workspace {workspace.name} storage config set {key} … --scope {scope}",
    )


def _from_above(workspace: Workspace) -> list[Any]:
    """Return the sources above the workspace's own file that decide its place."""
    backend = workspace.settings.storage.backend
    project = str(workspace.context.project)
    sources = (workspace.config.sources[key] for key in ("storage.backend", *PLACE_KEYS[backend]))
    return [
        s for s in sources if s.kind in ("flag", "environment") or (s.kind == "file" and s.name == project)
    ]
