"""Other users of this machine: what they plant where a command looks is not obeyed, and is named."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from persona import ownership
from persona.cli import app
from persona.config import approvals
from persona.workspace import resolve

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such owner and mode")
OTHER = 54321
USE = ("storage", "outbox", "list")
LOOT = "storage: {local: {path: loot}}\n"
Chown = Callable[[Path], None]


@pytest.fixture
def chown(monkeypatch: pytest.MonkeyPatch) -> Chown:
    """Return a function that gives a file, folder or link to another user; where only root may, it is as if."""
    given: set[tuple[int, int]] = set()
    real = ownership.owner_of
    monkeypatch.setattr(ownership, "_is_private", lambda group, owner: False)

    def owner_of(found: os.stat_result) -> int:
        return OTHER if (found.st_dev, found.st_ino) in given else real(found)

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, OTHER, OTHER, follow_symlinks=False)
        found = path.lstat()
        given.add((found.st_dev, found.st_ino))

    if os.geteuid() != 0:
        monkeypatch.setattr(ownership, "owner_of", owner_of)
    return give


class Machine:
    """Where files are planted: a project within a shared folder, and a way to give things to another user."""

    def __init__(self, top: Path, give: Chown) -> None:
        self.top = top
        self.project = top / "project"
        self.file = self.project / "persona.yaml"
        self.give = give

    def write(self, file: Path, mode: int = 0o600) -> Path:
        file.parent.mkdir(exist_ok=True)
        file.write_text(LOOT)
        file.chmod(mode)
        return file

    def mine_in(self, mode: int, name: str = "persona.yaml") -> Path:
        """Write a file of the user's in a folder that others may write to."""
        file = self.write(self.project / name)
        self.project.chmod(mode)
        return file


def others_file(machine: Machine) -> Path:
    machine.give(machine.write(machine.file))
    return machine.file


def in_a_folder_above(machine: Machine) -> Path:
    file = machine.write(machine.top / "persona.yaml")
    machine.give(file)
    return file


def in_a_sticky_folder_above(machine: Machine) -> Path:
    machine.top.chmod(0o1777)
    return in_a_folder_above(machine)


def in_anothers_folder(machine: Machine) -> Path:
    """A hard link, say, to a file of the user's own."""
    file = machine.write(machine.file)
    machine.give(machine.project)
    return file


def link_of_another(machine: Machine) -> Path:
    machine.file.symlink_to(machine.write(machine.top / "good.yaml"))
    machine.give(machine.file)
    return machine.file


def link_to_anothers_file(machine: Machine) -> Path:
    target = machine.write(machine.top / "theirs.yaml")
    machine.give(target)
    machine.file.symlink_to(target)
    return machine.file


def link_into_a_shared_folder(machine: Machine) -> Path:
    target = machine.write(machine.top / "shared" / "good.yaml")
    target.parent.chmod(0o777)
    machine.file.symlink_to(target)
    return machine.file


def by_way_of_anothers_link(machine: Machine) -> Path:
    machine.write(machine.top / "good" / "persona.yaml")
    (machine.top / "way").symlink_to("good")
    machine.give(machine.top / "way")
    machine.file.symlink_to(machine.top / "way" / "persona.yaml")
    return machine.file


def pipe(machine: Machine) -> Path:
    os.mkfifo(machine.file)
    machine.give(machine.file)
    return machine.file


PLANTED: dict[str, tuple[Callable[[Machine], Path], str]] = {
    "another's file": (others_file, "it belongs to user 54321"),
    "another's file above": (in_a_folder_above, "it belongs to user 54321"),
    "another's file in /tmp": (in_a_sticky_folder_above, "it belongs to user 54321"),
    "another's folder": (in_anothers_folder, "project belongs to user 54321"),
    "group-writable": (lambda m: m.write(m.file, 0o660), "others may write to it (mode 0660)"),
    "world-writable": (lambda m: m.write(m.file, 0o602), "others may write to it (mode 0602)"),
    "world-writable folder": (lambda m: m.mine_in(0o777), "project (mode 0777)"),
    "group-writable folder": (lambda m: m.mine_in(0o2770), "project (mode 2770)"),
    "another's link to a good file": (link_of_another, "persona.yaml belongs to user 54321"),
    "own link to another's file": (link_to_anothers_file, "it belongs to user 54321"),
    "own link into a shared folder": (link_into_a_shared_folder, "shared (mode 0777)"),
    "own link by way of another's": (by_way_of_anothers_link, "way belongs to user 54321"),
    "pipe": (pipe, "it is no regular file"),
}


@pytest.fixture
def machine(tmp_path: Path, project: Path, chown: Chown) -> Machine:
    (project / "input.csv").write_text("Respondent,Age,What annoys you?\nP1,30,prices\nP2,40,text\nP3,30,prices\n")
    return Machine(tmp_path, chown)


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_file_is_not_obeyed_and_is_named(case: str, persona: Any, machine: Machine, home: Path) -> None:
    plant, words = PLANTED[case]
    file = plant(machine)
    before = file.read_text() if file.is_file() else ""
    generate = ("generate", str(machine.project / "input.csv"))
    lines = [USE, ("config", "show"), ("config", "set", "s3.region", "eu-west-2")]
    for line in [generate, *lines] if case == "another's file" else lines:
        ran = persona(*line)
        assert ran.code == 3, (line, ran.err)
        assert str(file) in ran.err
        assert words in ran.err
    assert not list(machine.top.rglob("loot"))
    assert not (home / "data").exists()
    assert not file.is_file() or file.read_text() == before
    if case == "pipe":
        return
    assert f"persona trust {file}" in persona(*USE).err
    refused = persona("trust")
    assert refused.code == 2
    assert words in refused.err
    assert persona("trust", "--yes").code == 0
    assert persona(*USE).code == 0
    file.write_text(LOOT + "# changed\n")
    assert persona(*USE).code == 3


def in_sticky(machine: Machine) -> None:
    machine.mine_in(0o1777)


def own_link(machine: Machine) -> None:
    machine.file.symlink_to(machine.write(machine.top / "deep" / "good.yaml"))


GOOD: dict[str, Callable[[Machine], Any]] = {
    "own": lambda machine: machine.write(machine.file, 0o644),
    "own in a sticky folder": in_sticky,
    "own link to an own file": own_link,
    "own below another's folder": lambda machine: (machine.write(machine.file), machine.give(machine.top)),
}


@pytest.mark.parametrize("case", GOOD)
def test_the_users_own_file_counts(case: str, persona: Any, machine: Machine) -> None:
    GOOD[case](machine)
    ran = persona("config", "show", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["values"]["storage.local.path"]["value"].endswith("/loot")


def test_a_private_group_may_write(persona: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many systems give each user a group, and let it write to whatever the user makes."""
    machine.write(machine.file, 0o664)
    assert persona(*USE).code == 3
    monkeypatch.setattr(ownership, "_is_private", lambda group, owner: True)
    assert persona(*USE).code == 0
    monkeypatch.setattr(ownership, "_has_acl", lambda target: True)
    assert persona(*USE).code == 3


def test_what_a_private_group_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    people = {7: ("ann", 70), 8: ("bob", 80), 0: ("root", 0)}
    groups = {70: ("ann", []), 80: ("lab", ["ann"]), 81: ("bob", ["bob", "ann"]), 0: ("root", [])}
    monkeypatch.setattr(pwd, "getpwuid", lambda n: pwd.struct_passwd((people[n][0], "", n, people[n][1], "", "", "")))
    monkeypatch.setattr(grp, "getgrgid", lambda n: grp.struct_group((groups[n][0], "", n, groups[n][1])))
    ownership._is_private.cache_clear()
    assert [ownership._is_private(*pair) for pair in ((70, 7), (80, 7), (80, 8), (81, 8), (0, 0), (9, 9))] == [
        True,
        False,
        False,
        False,
        False,
        False,
    ]
    ownership._is_private.cache_clear()


def test_the_file_that_the_user_names_is_obeyed_with_a_warning(persona: Any, machine: Machine) -> None:
    file = machine.write(machine.top / "named.yaml")
    machine.give(file)
    ran = persona("--config", str(file), *USE)
    assert ran.code == 0
    assert ran.err.count("Warning") == 1
    assert f"{file} is used because you named it, although it belongs to user 54321" in ran.err


def test_what_the_user_sets_in_a_shared_folder_stays_trusted(persona: Any, machine: Machine) -> None:
    machine.project.chmod(0o777)
    assert persona("config", "set", "backend", "local", "--scope", "project").code == 0
    assert persona("config", "set", "s3.region", "eu-west-2").code == 0
    assert persona(*USE).code == 0
    machine.file.write_text(LOOT)
    assert persona("config", "set", "s3.region", "eu-west-1").code == 3
    assert persona(*USE).code == 3


# What was checked is what is used


def swap(machine: Machine, monkeypatch: pytest.MonkeyPatch, *, when: str, into: str) -> None:
    """Let another put their file in the place of the user's own, or the other way, around the look at folders."""
    real = ownership.doubt_of_way

    def looked_at(path: Path, root: Path | None = None, *, modes: bool = True) -> str:
        def now() -> None:
            if path == machine.file and machine.file.read_text() != into:
                machine.file.unlink()
                machine.file.write_text(into)
                if into == LOOT:
                    machine.give(machine.file)

        if when == "before":
            now()
        found = real(path, root, modes=modes)
        if when == "after":
            now()
        return found

    monkeypatch.setattr(ownership, "doubt_of_way", looked_at)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_is_swapped_after_it_was_opened(
    when: str, persona: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.write(machine.file).write_text("storage: {local: {path: good}}\n")
    swap(machine, monkeypatch, when=when, into=LOOT)
    shown = persona("config", "show", "--json").json
    assert shown["values"]["storage.local.path"]["value"].endswith("/good")
    assert machine.file.read_text() == LOOT
    assert persona(*USE).code == 3


def test_a_planted_file_that_is_swapped_for_a_good_one(
    persona: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.give(machine.write(machine.file))
    swap(machine, monkeypatch, when="before", into="storage: {backend: local}\n")
    assert persona("config", "show").code == 3


def test_an_approved_file_is_read_as_it_was_approved(machine: Machine, home: Path) -> None:
    file = machine.write(machine.top / "codebook.txt")
    machine.give(file)
    home.mkdir(mode=0o700)
    approvals.remember(home, file, sha256(LOOT.encode()).hexdigest())
    with approvals.open_approved(file, home) as stream:
        file.write_text("changed\n")
        assert stream.read().decode() == LOOT
    with pytest.raises(Exception, match="it belongs to user 54321"):
        approvals.open_approved(file, home)


def test_a_trusted_file_that_changes_while_a_value_is_set(
    persona: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.give(machine.write(machine.file))
    assert persona("trust", "--yes").code == 0
    real = approvals.is_trusted

    def trusted(home: Path, file: Path, found: str) -> bool:
        answer = real(home, file, found)
        machine.file.write_text("storage: {local: {path: loot2}}\n")
        return answer

    monkeypatch.setattr(approvals, "is_trusted", trusted)
    ran = persona("config", "set", "s3.region", "eu-west-2")
    assert ran.code == 6
    assert "was changed by someone else" in ran.err
    monkeypatch.undo()
    assert "region" not in machine.file.read_text()


# Plans


@pytest.fixture
def plan(persona: Any, machine: Machine) -> Path:
    source = machine.top / "source"
    source.mkdir()
    (source / "a.txt").write_text("a")
    file = machine.project / "plans" / "plan.json"
    file.parent.mkdir()
    target = f"file://{machine.top}/target"
    line = ("storage", "migrate", "--from", f"file://{source}", "--to", target, "--dry-run", "--plan", str(file))
    assert persona(*line).code == 0
    return file


def test_a_plan_of_another_is_not_run(persona: Any, machine: Machine, plan: Path) -> None:
    run = ("storage", "migrate", "--plan", str(plan))
    machine.give(plan)
    ran = persona(*run)
    assert ran.code == 3
    assert f"{plan} is not trusted: it belongs to user 54321" in ran.err
    assert not (machine.top / "target").exists()
    asked = persona("trust", str(plan))
    assert asked.code == 2
    assert "plan to migrate 1 objects from file:///" in asked.err.replace(str(machine.top), "/")
    assert persona("trust", str(plan), "--yes", "--json").json["trusted"] is True
    assert persona("trust", "--list", "--json").json == {"files": [{"file": str(plan), "state": "trusted"}]}
    before = plan.read_text()
    plan.write_text(before.replace('"overwrite":false', '"overwrite":true'))
    assert persona(*run).code == 3
    assert persona("trust", "--list").out.startswith("changed")
    plan.write_text(before)
    assert persona(*run).code == 0
    assert (machine.top / "target" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("shared", ["plan", "folder", "project"])
def test_a_plan_that_others_may_write(shared: str, persona: Any, machine: Machine, plan: Path) -> None:
    machine.write(machine.file).write_text("storage: {backend: local}\n")
    assert persona("trust", "--yes").code == 0
    {"plan": plan, "folder": plan.parent, "project": machine.project}[shared].chmod(0o777)
    ran = persona("storage", "migrate", "--plan", str(plan))
    assert ran.code == 3
    assert "others may write to" in ran.err
    assert not (machine.top / "target").exists()


# Repositories


@pytest.mark.parametrize("case", ["folder", "settings", "pointer", "target", "common"])
def test_anothers_repository_is_not_asked(
    case: str, persona: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = shutil.which("git")
    assert git
    machine.write(machine.file).write_text("storage: {s3: {access_key_id: AK, secret_access_key: a-secret}}")
    place = machine.project / ".git"
    subprocess.run([git, "init", "-q"], cwd=machine.project, check=True)
    subprocess.run([git, "add", "persona.yaml"], cwd=machine.project, check=True)
    if case in ("pointer", "target"):
        place = place.rename(machine.top / "elsewhere")
        (machine.project / ".git").write_text(f"gitdir: {place}\n")
    if case == "common":
        place = place.rename(machine.top / "elsewhere")
        (machine.project / ".git").mkdir()
        (machine.project / ".git" / "commondir").write_text(f"{place}\n")
    assert case == "common" or persona(*USE).code == 3  # git tracks it
    asked: list[Any] = []
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: asked.append(args))
    machine.give({"settings": place / "config", "pointer": machine.project / ".git"}.get(case, place))
    ran = persona("storage", "outbox", "list")
    assert ran.code == 0
    assert "Git was not asked whether it tracks" in ran.err
    assert "belongs to user 54321" in ran.err
    assert not asked


def test_a_repository_above_the_one_that_was_checked_is_not_asked(persona: Any, machine: Machine) -> None:
    """Git passes over a .git that is none, and takes the next one above."""
    git = shutil.which("git")
    assert git
    machine.write(machine.file).write_text("storage: {s3: {access_key_id: AK, secret_access_key: a-secret}}")
    subprocess.run([git, "init", "-q"], cwd=machine.top, check=True)
    subprocess.run([git, "add", "project/persona.yaml"], cwd=machine.top, check=True)
    assert persona(*USE).code == 3
    (machine.project / ".git").mkdir()
    assert persona("storage", "outbox", "list").code == 0


# PERSONA_HOME


HOME_FILES = ("persona.yaml", "workspaces/team/persona.yaml", "trust.json", "current-workspace")


@pytest.mark.parametrize("name", HOME_FILES)
def test_anothers_file_in_the_home_is_not_obeyed(
    name: str, persona: Any, machine: Machine, home: Path, project: Path
) -> None:
    assert persona("workspace", "create", "team").code == 0
    assert persona("workspace", "use", "team").code == 0
    machine.write(home / "persona.yaml").write_text("storage: {s3: {region: eu-west-2}}\n")
    (project / "persona.yaml").write_text("storage: {s3: {bucket: b-b, endpoint_url: 'https://e.example'}}")
    assert persona("trust", "--yes").code == 0
    assert persona(*USE).code == 0
    machine.give(home / name)
    ran = persona(*USE)
    assert ran.code == 3
    assert f"{home / name} is not used: it belongs to user 54321" in ran.err


def test_anothers_home_is_not_used(persona: Any, machine: Machine, home: Path) -> None:
    machine.write(home / "persona.yaml")
    machine.give(home)
    ran = persona(*USE)
    assert ran.code == 3
    assert f"{home} is not used: it belongs to user 54321" in ran.err
    if os.geteuid() == 0:
        assert (
            "Run the command as that user: sudo -u '#54321' -E persona …; or a container with --user 54321." in ran.err
        )
        assert f"Or take it: chown -R 0 {home}." in ran.err
    assert [each.name for each in home.iterdir()] == ["persona.yaml"]


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_what_others_left_in_an_open_home(mode: int, persona: Any, machine: Machine, home: Path) -> None:
    home.mkdir()
    (home / "data").mkdir()
    machine.give(home / "data")
    home.chmod(mode)
    for _ in range(2):  # to be closed would hide it from the next command
        ran = persona(*USE)
        assert ran.code == 3
        assert "others may write to it, and data in it belongs to user 54321" in ran.err
    assert stat.S_IMODE(home.stat().st_mode) == mode


def test_a_home_that_others_may_move_away(persona: Any, machine: Machine, home: Path) -> None:
    home.mkdir(mode=0o700)
    assert persona(*USE).err.count("Warning") == 0
    machine.top.chmod(0o777)
    ran = persona(*USE)
    assert ran.code == 0
    assert ran.err.count("Warning") == 1
    assert f"PERSONA_HOME, {home}, is not safe from other users" in ran.err


# Another user, really


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may become another user")
def test_two_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The victim is a user without rights, and so is whoever plants a file in a folder that both may write to."""
    victim, attacker = 54320, OTHER
    shared = Path(tempfile.mkdtemp())
    try:
        shared.chmod(0o1777)
        work = shared / "work"
        work.mkdir()
        os.chown(work, victim, victim)
        monkeypatch.chdir(work)
        monkeypatch.setenv("PERSONA_HOME", str(work / "home"))
        (shared / "persona.yaml").write_text(LOOT)
        (shared / "persona.yaml").chmod(0o644)
        codes = {}
        for owner in (attacker, victim, 0):
            os.chown(shared / "persona.yaml", owner, owner)
            codes[owner] = as_user(victim, list(USE))
        assert codes == {attacker: 3, victim: 0, 0: 0}
        (work / "home").mkdir()
        os.chown(work / "home", attacker, attacker)
        assert as_user(victim, list(USE)) == 3
    finally:
        shutil.rmtree(shared)


def as_user(number: int, line: list[str]) -> int:
    """Run a command in a process of another user, and return its exit code.

    The process ends by a signal: an exit saves what was covered, where another user may not write.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            os.setgroups([])
            os.setegid(number)
            os.seteuid(number)
            sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
            os.write(writer, bytes([app.run(line)]))
        with suppress(BaseException):
            os.seteuid(0)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        code = pipe.read()
    return code[0] if code else 70


def test_reading_once(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's file is opened once by a command, however often it is asked for."""
    machine.write(machine.file)
    opened = []
    real = os.open

    def counted(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", counted)
    workspace = resolve()
    workspace.context.load("default")
    assert opened.count(str(machine.file)) == 1
    assert json.dumps(str(workspace.settings.storage.local.path)).endswith('loot"')
