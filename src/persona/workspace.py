"""Workspaces: named configurations, each with a storage of its own.

The workspace ``default`` is what the user's persona.yaml says. Every other one has a file of its own,
``PERSONA_HOME/workspaces/NAME/persona.yaml``, which stands above the user's and below the project's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from persona.config import locations
from persona.config.context import DEFAULT, Context
from persona.config.load import Config, Source
from persona.config.places import PLACE_KEYS, Place, place_of
from persona.config.schema import Settings
from persona.errors import AlreadyExistsError, ConfigError, NameRefusedError, NotFoundError, UsageError
from persona.redaction import shortened

_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
_CURRENT = "current-workspace"


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
    def folder(self) -> Path:
        """The folder of what this workspace keeps on this machine."""
        return self.context.folder(self.name)

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
        isolated: refuse a workspace that would share its place with another, and a project's file that may not do
            what it says. Commands that only show or change the configuration go without.

    Raises:
        ConfigError: the configuration is wrong, the workspace would share its place, the project's file asks for what
            the user has not allowed, or holds a secret and is tracked by git.
        NotFoundError: there is no such workspace.
        NameRefusedError: this cannot be a workspace's name.
    """
    context = Context.of(config_file, overrides)
    name, _ = chosen(context, name)
    check_known(context.home, name)
    workspace = Workspace(name, context, context.load(name))
    if isolated:
        check_isolation(workspace)
        context.check_trust(workspace.config)
        context.check_secrets(workspace.config)
    return workspace


def chosen(context: Context, flag: str | None) -> tuple[str, str]:
    """Return the name of the workspace in effect, and what chose it.

    Args:
        context: where the command runs.
        flag: what ``--workspace`` says.
    """
    if flag:
        return flag, "--workspace"
    if name := context.environ.get("PERSONA_WORKSPACE"):
        return name, "PERSONA_WORKSPACE"
    return current(context.home), "workspace use" if (context.home / _CURRENT).exists() else DEFAULT


def names(home: Path) -> list[str]:
    """Return the names of all workspaces, ``default`` first.

    Raises:
        ConfigError: the folder of workspaces cannot be read.
    """
    try:
        found = [path.parent.name for path in (home / "workspaces").glob(f"*/{locations.FILE_NAME}")]
    except OSError as exc:
        raise ConfigError(f"{home / 'workspaces'} cannot be read: {exc.strerror}.") from exc
    return [DEFAULT, *sorted(name for name in found if re.fullmatch(_NAME, name) and name != DEFAULT)]


def current(home: Path) -> str:
    """Return the name that ``persona workspace use`` has chosen.

    Raises:
        ConfigError: what is noted is no workspace's name.
    """
    path = home / _CURRENT
    try:
        name = locations.read_own(path, home, 200).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return DEFAULT
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror}.", hint="Or choose with --workspace NAME.") from exc
    if not re.fullmatch(_NAME, name):
        raise ConfigError(
            f"{path} does not hold a workspace's name.", hint="Choose again: persona workspace use default"
        )
    return name


def check_name(name: str) -> None:
    """Raise NameRefusedError if this cannot be a workspace's name."""
    if not re.fullmatch(_NAME, name):
        raise NameRefusedError(
            f"“{shortened(name, 80)}” cannot be a workspace's name.",
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
        alone = _place(context, other, alone=True)
        here = None if workspace.name == DEFAULT else _place(context, other, alone=False)
        if any(place and place.meets(workspace.place) for place in (alone, here)):
            raise _shared(workspace, other)


def _place(context: Context, name: str, *, alone: bool) -> Place | None:
    """Return a workspace's place, or None where its configuration is broken: then it keeps nothing."""
    try:
        config = context.load_alone(name) if alone else context.load(name)
    except ConfigError:
        return None
    return place_of(config.settings.storage, context.environ)


def _shared(workspace: Workspace, other: str, hint: str = "") -> ConfigError:
    """Return the error that two workspaces would share a place, with the hint or one that fits."""
    backend = workspace.settings.storage.backend
    key = PLACE_KEYS[backend][-1]
    above = [] if hint else sorted({str(source) for source in _from_above(workspace)})
    where = workspace.place.url if workspace.place else ""
    message = f"The workspaces “{workspace.name}” and “{other}” would share their objects in {where}."
    if above:
        return ConfigError(
            f"{message} What decides is above their own settings: {', '.join(above)}.",
            hint="Take the place out of there, work elsewhere, or use --workspace default.",
        )
    scope = "user" if workspace.name == DEFAULT else "workspace"
    command = f"persona --workspace {workspace.name} storage config set {key} … --scope {scope}"
    return ConfigError(message, hint=hint or f"Set another place: {command}")


def _from_above(workspace: Workspace) -> list[Source]:
    """Return the sources above the workspace's own file that decide its place."""
    backend = workspace.settings.storage.backend
    project = str(workspace.context.project)
    sources = (workspace.config.sources[key] for key in ("storage.backend", *PLACE_KEYS[backend]))
    return [s for s in sources if s.kind in ("flag", "environment") or (s.kind == "file" and s.name == project)]


def create(context: Context, name: str, changes: Mapping[str, str]) -> Workspace:
    """Make a workspace with a place of its own.

    What is not given comes from the user's file, but never the place: that is a folder in the workspace's
    own, and on a cloud backend the prefix ``<the user's prefix>/NAME``, or one beside it if it is taken.

    Args:
        context: where the command runs.
        name: the new workspace's name.
        changes: its values as text, by the keys' full names.

    Raises:
        AlreadyExistsError: it is there already.
        ConfigError: a value is wrong, or its place would be shared with another workspace.
    """
    from persona.config import edit  # only needed to write

    check_name(name)
    others = {other: _place(context, other, alone=True) for other in names(context.home)}
    if name in others:
        raise AlreadyExistsError(f"There is a workspace “{name}” already.", hint=f"persona workspace use {name}")
    edit.check(changes)
    file = locations.workspace_file(context.home, name)
    own = _own_values(context, name, changes, [place for place in others.values() if place])
    folders = {"storage.local.path": "data", "storage.cache.path": "cache"}
    absolute = {key: str(file.parent / folder) for key, folder in folders.items()}
    planned = Workspace(name, context, context.load_plan(name, absolute | own))
    for other, place in others.items():
        if place and planned.place and place.meets(planned.place):
            raise _shared(planned, other, _elsewhere(planned.settings.storage.backend, other, place))
    locations.make_folder(file.parent, context.home)
    locations.make_folder(context.locks, context.home)
    edit.set_values(file, own | {k: own.get(k, v) for k, v in folders.items()}, locks=context.locks, create=True)
    return Workspace(name, context, context.load_alone(name))


def _elsewhere(backend: str, other: str, place: Place) -> str:
    """Return how a new workspace gets a place that is not another's."""
    if backend == "local":
        return "Give it another folder, with --set local.path=FOLDER."
    container, prefix = (key.removeprefix("storage.") for key in PLACE_KEYS[backend][1:])
    if place.path:
        return f"Give it another place, with --set {container}=NAME or --set {prefix}=FOLDER."
    scope = "user" if other == DEFAULT else "workspace"
    command = f"persona --workspace {other} storage config set {prefix} FOLDER --scope {scope}"
    return f"“{other}” has all of {place.url}. Add --set {container}=NAME, or first give “{other}” a prefix: {command}"


def _own_values(context: Context, name: str, changes: Mapping[str, str], taken: list[Place]) -> dict[str, str]:
    """Return what a new workspace's file says: its backend, what was given, and a prefix for each bucket."""
    inherited = context.load_plan(name, changes)
    own = {"storage.backend": str(inherited.values["storage.backend"])}
    for section, container in (("s3", "bucket"), ("gcs", "bucket"), ("azure", "container")):
        if inherited.values["storage.backend"] == section or inherited.values[f"storage.{section}.{container}"]:
            own[f"storage.{section}.prefix"] = _own_prefix(inherited, section, name, taken)
    return own | dict(changes)


def _own_prefix(inherited: Config, section: str, name: str, taken: list[Place]) -> str:
    """Return a prefix below the inherited one, or beside it if that one is taken."""
    base = str(inherited.values[f"storage.{section}.prefix"])
    choices = [f"{folder}/{name}".lstrip("/") for folder in (base, base.rpartition("/")[0])]
    for prefix in choices:
        part = replace(getattr(inherited.settings.storage, section), prefix=prefix)
        place = place_of(replace(inherited.settings.storage, backend=section, **{section: part}), {})
        if not place or not any(place.meets(other) for other in taken):
            return prefix
    return choices[0]


def use(context: Context, name: str) -> None:
    """Make a workspace the current one.

    Raises:
        NotFoundError: there is no such workspace.
        ConfigError: PERSONA_HOME cannot be written to.
    """
    from persona.config.edit import write_whole

    check_known(context.home, name)
    locations.make_folder(context.home, context.home)
    write_whole(context.home / _CURRENT, name + "\n")


def delete(context: Context, name: str) -> Place | None:
    """Delete a workspace's configuration, and nothing else. If it is the current one, ``default`` takes over.

    Returns:
        Where its objects stay, or None if its configuration does not say it.

    Raises:
        UsageError: it is ``default``.
        NotFoundError: there is no such workspace.
        ConfigError: PERSONA_HOME cannot be written to.
    """
    if name == DEFAULT:
        raise UsageError("The workspace “default” is always there.", hint="persona workspace list shows the others.")
    check_known(context.home, name)
    place = _place(context, name, alone=True)
    if current(context.home) == name:
        use(context, DEFAULT)
    file = locations.workspace_file(context.home, name)
    try:
        file.unlink()
        with suppress(OSError):  # the folder still holds its objects
            file.parent.rmdir()
    except OSError as exc:
        raise ConfigError(f"{file} cannot be deleted: {exc.strerror}.") from exc
    return place
