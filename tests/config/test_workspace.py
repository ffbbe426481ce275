"""Workspaces: which one is in effect, and that no two of them share a place."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from persona import workspace as workspaces
from persona.config import locations
from persona.config.context import Context
from persona.config.places import place_of
from persona.config.schema import AzureSettings, LocalSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from persona.errors import AlreadyExistsError, ConfigError, NameRefusedError, NotFoundError, UsageError
from persona.workspace import create, delete, resolve, use

Write = Callable[[Path, str], Path]

S3 = "storage: {backend: s3, s3: {bucket: co, prefix: research}}\n"


def test_nothing_is_written_to_look(home: Path) -> None:
    found = resolve()
    assert (found.name, found.home) == ("default", home)
    assert found.settings.storage.local.path == home / "data"
    assert found.settings.storage.cache.path == home / "cache"
    assert not home.exists()


def test_the_home_is_the_users_own_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for value in (None, ""):
        monkeypatch.delenv("PERSONA_HOME", raising=False)
        if value is not None:
            monkeypatch.setenv("PERSONA_HOME", value)
        assert resolve().home == tmp_path / "me/.persona"


def test_what_chooses_the_workspace(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context.of()
    for name in ("a", "b", "c"):
        create(context, name, {})
    assert resolve().name == "default"
    use(context, "a")
    assert resolve().name == "a"
    monkeypatch.setenv("PERSONA_WORKSPACE", "b")
    assert resolve().name == "b"
    assert resolve("c").name == "c"
    assert workspaces.names(home) == ["default", "a", "b", "c"]


@pytest.mark.parametrize("name", ["", "A", "-a", "_a", "a b", "../x", "a/b", "x" * 64, "é", "a\n"])
def test_refused_names(home: Path, name: str) -> None:
    with pytest.raises(NameRefusedError):
        create(Context.of(), name, {})
    assert not home.exists()


def test_an_unknown_workspace_names_the_known_ones() -> None:
    create(Context.of(), "team", {})
    with pytest.raises(NotFoundError) as caught:
        resolve("taem")
    assert "default, team" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"No Name", b"\xff\xfe", b"x" * 500])
def test_a_corrupt_note_of_the_current_workspace(home: Path, content: bytes) -> None:
    home.mkdir()
    (home / "current-workspace").write_bytes(content)
    with pytest.raises(ConfigError, match="does not hold a workspace's name") as caught:
        resolve()
    assert "persona workspace use default" in caught.value.hint
    assert resolve("default").name == "default"
    use(Context.of(), "default")
    assert resolve().name == "default"


def test_an_unreadable_note_of_the_current_workspace(home: Path) -> None:
    (home / "current-workspace").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve()


def test_config_names_a_file_that_must_be_there(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no file .*none\.yaml"):
        resolve(config_file=Path("none.yaml"))


def test_the_nearest_file_above_is_the_projects(
    home: Path, project: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = project / "a/b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    far = write(project / "persona.yaml", "storage: {s3: {bucket: far}}")
    assert resolve().config.files == (far,)
    near = write(project / "a/persona.yaml", "storage: {s3: {bucket: near}}")
    assert resolve().config.files == (near,)
    monkeypatch.setenv("PERSONA_HOME", str(project / "a"))
    assert locations.project_file(project / "a") == far
    assert resolve().context.project == far


def test_a_current_folder_that_is_gone(project: Path) -> None:
    project.rmdir()
    with pytest.raises(ConfigError, match="current folder is gone"):
        resolve()


def test_a_home_that_is_a_file(home: Path) -> None:
    home.write_text("")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        resolve()
    assert "PERSONA_HOME" in caught.value.hint


def test_a_home_below_a_file(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PERSONA_HOME", str(tmp_path / "file/home"))
    with pytest.raises(ConfigError, match="cannot be used"):
        create(Context.of(), "team", {})


def test_no_home_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSONA_HOME", "~no-such-user-here/x")
    with pytest.raises(ConfigError, match="no home folder"):
        resolve()


def test_a_home_that_cannot_be_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    context = Context.of()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError, match="cannot be made: Permission denied"):
        create(context, "team", {})


def test_modes_under_the_home(home: Path, write: Write) -> None:
    old = os.umask(0)
    try:
        context = Context.of()
        create(context, "team", {})
        use(context, "team")
    finally:
        os.umask(old)
    for path in (home, *home.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_an_open_home_is_closed(home: Path, write: Write) -> None:
    write(home / "persona.yaml", "storage: {backend: local}").chmod(0o644)
    home.chmod(0o755)
    resolve()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "persona.yaml").stat().st_mode) == 0o600


def test_a_shared_folder_as_home_keeps_its_mode(home: Path) -> None:
    home.mkdir()
    home.chmod(0o1777)
    resolve()
    assert stat.S_IMODE(home.stat().st_mode) == 0o1777


def test_local_workspaces_have_folders_of_their_own(home: Path, write: Write) -> None:
    write(home / "persona.yaml", "storage: {local: {path: /srv/personas}, cache: {path: /srv/cache}}")
    made = create(Context.of(), "team", {})
    assert made.settings.storage.local.path == home / "workspaces/team/data"
    assert made.settings.storage.cache.path == home / "workspaces/team/cache"
    assert resolve().settings.storage.local.path == Path("/srv/personas")


@pytest.mark.parametrize(
    ("user", "prefix"),
    [
        (S3, "team"),
        (S3.replace("research", "work/research"), "work/team"),
        (S3.replace("backend: s3, ", ""), "research/team"),
    ],
    ids=["beside default", "beside default, deeper", "below what is inherited"],
)
def test_a_cloud_workspace_gets_a_prefix(home: Path, write: Write, user: str, prefix: str) -> None:
    write(home / "persona.yaml", user)
    made = create(Context.of(), "team", {"storage.backend": "s3"})
    assert made.settings.storage.s3.prefix == prefix
    assert made.settings.storage.s3.bucket == "co"
    assert resolve("team").place == made.place


def test_every_backend_of_a_workspace_is_its_own(home: Path, write: Write) -> None:
    write(home / "persona.yaml", "storage: {gcs: {bucket: g}, azure: {container: c, prefix: p}}")
    made = create(Context.of(), "team", {"storage.backend": "s3", "storage.s3.bucket": "b"})
    storage = made.settings.storage
    assert (storage.s3.prefix, storage.gcs.prefix, storage.azure.prefix) == ("team", "team", "p/team")


def test_default_with_a_whole_bucket_leaves_no_room(home: Path, write: Write) -> None:
    write(home / "persona.yaml", "storage: {backend: s3, s3: {bucket: co}}")
    with pytest.raises(ConfigError, match="“team” and “default” would share") as caught:
        create(Context.of(), "team", {})
    assert "--set s3.bucket" in caught.value.hint
    assert not (home / "workspaces").exists()
    assert create(Context.of(), "team", {"storage.s3.bucket": "other"}).name == "team"


def test_create_refuses_the_place_of_another(home: Path) -> None:
    values = {"storage.backend": "s3", "storage.s3.bucket": "b", "storage.s3.prefix": "x"}
    create(Context.of(), "one", values)
    for prefix in ("x", "x/y", "/"):
        with pytest.raises(ConfigError, match="“two” and “one” would share"):
            create(Context.of(), "two", values | {"storage.s3.prefix": prefix})
    assert create(Context.of(), "two", values | {"storage.s3.prefix": "xy"}).name == "two"
    with pytest.raises(AlreadyExistsError):
        create(Context.of(), "two", {})


def test_a_wrong_value_makes_no_workspace(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"storage\.cache\.ttl: found “3”"):
        create(Context.of(), "team", {"storage.cache.ttl": "3"})
    assert not home.exists()


def test_resolve_refuses_a_shared_place_and_says_how_to_part(home: Path, write: Write) -> None:
    for name in ("one", "two"):
        write(
            home / f"workspaces/{name}/persona.yaml",
            "storage: {backend: s3, s3: {bucket: b, endpoint_url: 'HTTP://x.org'}}".replace("HTTP", "https"),
        )
    with pytest.raises(ConfigError, match="“one” and “two” would share their objects in s3://b/") as caught:
        resolve("one")
    assert "--workspace one storage config set storage.s3.prefix … --scope workspace" in caught.value.hint
    assert resolve("one", isolated=False).name == "one"
    assert resolve().name == "default"


def test_default_inside_another_is_refused(home: Path, write: Write) -> None:
    write(home / "workspaces/one/persona.yaml", f"storage: {{local: {{path: {home.parent}}}}}")
    with pytest.raises(ConfigError, match="“default” and “one” would share") as caught:
        resolve()
    assert "--scope user" in caught.value.hint


def test_a_projects_place_is_that_of_default_alone(home: Path, project: Path, write: Write) -> None:
    create(Context.of(), "team", {"storage.backend": "s3", "storage.s3.bucket": "b"})
    file = write(project / "persona.yaml", "storage:\n  s3:\n    bucket: pinned\n    prefix: here\n  backend: s3\n")
    assert str(resolve("default").place) == str(resolve().place)
    with pytest.raises(ConfigError, match="above their own settings") as caught:
        resolve("team")
    assert f"{file}:3" in caught.value.message
    assert "--workspace default" in caught.value.hint
    write(file, "storage: {s3: {region: eu-west-2}}")
    assert resolve("team").settings.storage.s3.region == "eu-west-2"


def test_a_variable_that_pins_the_place_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    create(Context.of(), "team", {})
    monkeypatch.setenv("PERSONA_STORAGE__LOCAL__PATH", str(tmp_path / "pinned"))
    assert resolve().settings.storage.local.path == tmp_path / "pinned"
    with pytest.raises(ConfigError, match="environment PERSONA_STORAGE__LOCAL__PATH"):
        resolve("team")


def test_a_link_does_not_hide_a_shared_folder(home: Path, tmp_path: Path, write: Write) -> None:
    (home / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home / "data")
    write(home / "workspaces/one/persona.yaml", f"storage: {{local: {{path: {tmp_path}/link}}}}")
    with pytest.raises(ConfigError, match="would share"):
        resolve("one")


def test_another_workspace_that_is_broken_or_incomplete_is_in_nobodys_way(home: Path, write: Write) -> None:
    write(home / "workspaces/broken/persona.yaml", "storage: [")
    write(home / "workspaces/empty/persona.yaml", "storage: {backend: s3}")
    write(home / "workspaces/No Name/persona.yaml", "")
    assert workspaces.names(home) == ["default", "broken", "empty"]
    assert resolve().name == "default"
    assert resolve("empty").place is None
    with pytest.raises(ConfigError, match="not valid YAML"):
        resolve("broken")


def test_delete_takes_the_configuration_alone(home: Path) -> None:
    context = Context.of()
    create(context, "team", {})
    kept = home / "workspaces/team/data/x.yaml"
    kept.parent.mkdir()
    kept.write_text("x")
    use(context, "team")
    place = delete(context, "team")
    assert place is not None
    assert place.url == str(kept.parent)
    assert kept.read_text() == "x"
    assert resolve().name == "default"
    create(context, "gone", {})
    delete(context, "gone")
    assert not (home / "workspaces/gone").exists()
    with pytest.raises(NotFoundError):
        delete(context, "gone")
    with pytest.raises(UsageError):
        delete(context, "default")


def azure(**values: object) -> StorageSettings:
    return StorageSettings(backend="azure", azure=AzureSettings(container="c", **values))  # type: ignore[arg-type]


def test_one_azure_account_by_three_ways_is_one_place() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
    ways = [
        azure(account="acc"),
        azure(connection_string=Secret(text)),
        azure(endpoint_url="https://ACC.blob.core.windows.net/"),
        azure(connection_string=Secret("BlobEndpoint=https://acc.blob.core.windows.net")),
    ]
    places = [place_of(way, {}) for way in ways]
    assert len({place.container for place in places if place}) == 1
    assert "c2VjcmV0" not in repr(places)


def test_places_of_other_services_differ() -> None:
    def s3(**values: str) -> StorageSettings:
        return StorageSettings(backend="s3", s3=S3Settings(bucket="b", **values))  # type: ignore[arg-type]

    aws, own = place_of(s3(), {}), place_of(s3(endpoint_url="http://127.0.0.1:9000"), {})
    assert aws
    assert own
    assert not aws.meets(own)
    gcs = StorageSettings(backend="gcs")
    assert place_of(gcs, {}) is None
    assert place_of(StorageSettings(local=LocalSettings()), {}) is None
