"""AWS IAM Identity Center (SSO): a profile, a login in ~/.aws/sso/cache, and a portal that gives the role's keys."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from persona.storage import probe
from tests.cli.conftest import Run
from tests.credentials.services import AWSKeysService, Gate, document
from tests.credentials.test_flows import Hanging, profiles, s3_at, shown
from tests.faults import Act, Seen
from tests.servers import S3Server

START = "https://corp.example.org/start"
ROLE = "sso_account_id = 123456789012\nsso_role_name = reader\n"
SESSION = f"[profile team]\nsso_session = corp\n{ROLE}[sso-session corp]\n"
LEGACY = f"[profile team]\n{ROLE}"
PLACE = f"sso_start_url = {START}\nsso_region = eu-west-2\n"
WAYS = {"sso_session": (SESSION + PLACE, "corp"), "sso_start_url": (LEGACY + PLACE, START)}
"""The profile of each way, and what its login is filed under."""
COMMANDS = (["storage", "list"], ["storage", "status"], ["storage", "config", "test"])
SECONDS = 3.0


class Portal(AWSKeysService):
    """The portal, which gives a role's keys for a login, and the token endpoint, which renews a login."""

    def __init__(self) -> None:
        super().__init__()
        self.login = "login-live"

    def reply(self, seen: Seen) -> Act:
        place = urlsplit(seen.target)
        if place.path == "/token":
            asked = json.loads(seen.body)
            if asked["grantType"] != "refresh_token" or asked["refreshToken"] != "renewing":
                return document(400, {"error": "invalid_grant"}, x_amzn_errortype="InvalidGrantException")
            self.login = "login-renewed"
            return document(200, {"accessToken": self.login, "expiresIn": 28800, "tokenType": "Bearer"})
        assert parse_qs(place.query) == {"role_name": ["reader"], "account_id": ["123456789012"]}
        if seen.headers["x-amz-sso_bearer_token"] != self.login:
            return document(401, {"message": "no such session"}, x_amzn_errortype="UnauthorizedException")
        keys = self.keys()
        given = {
            "accessKeyId": keys["AccessKeyId"],
            "secretAccessKey": keys["SecretAccessKey"],
            "sessionToken": keys["Token"],
            "expiration": int(self.issued[keys["Token"]] * 1000),
        }
        return document(200, {"roleCredentials": given})


@pytest.fixture
def portal(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The portal, and a bucket that takes only the keys that it gives."""
    with Portal() as portal, Gate(portal, moto.address, "x-amz-security-token") as gate:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint)
        s3_at(monkeypatch, gate.url, moto.make_bucket("sso"))
        monkeypatch.setenv("PERSONA_STORAGE__S3__PROFILE", "team")
        for name in ("AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC"):
            monkeypatch.setenv(name, portal.url)
        for name in ("OBTAIN_SECONDS", "ANSWER_SECONDS"):
            monkeypatch.setattr(probe, name, 2.5)  # both answer at once, but the machine may be busy
        yield portal
        assert not gate.refused


@pytest.fixture(autouse=True)
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the logins; botocore remembers the one of the home that it was first imported in."""
    folder = tmp_path / ".aws" / "sso" / "cache"
    for provider in ("credentials.SSOProvider", "tokens.SSOTokenProvider"):
        monkeypatch.setattr(f"botocore.{provider}._SSO_TOKEN_CACHE_DIR", str(folder))
    return folder


def logged_in(logins: Path, filed: str, token: str, hours: float = 8, **more: str) -> Path:
    """Write a login as “aws sso login” leaves it; it has expired if the hours are negative."""
    logins.mkdir(parents=True)
    end = datetime.now(UTC) + timedelta(hours=hours)
    content = {"startUrl": START, "region": "eu-west-2", "accessToken": token, "expiresAt": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    file = logins / f"{sha1(filed.encode()).hexdigest()}.json"
    file.write_text(json.dumps(content | more))
    return file


@pytest.mark.parametrize("way", WAYS)
def test_a_login(persona: Run, portal: Portal, logins: Path, tmp_path: Path, way: str) -> None:
    text, filed = WAYS[way]
    profiles(tmp_path, text)
    logged_in(logins, filed, "login-live")
    found = shown(persona, "SSO")
    assert found["source"] == "the profile “team” (sso)"
    assert found["identity"].startswith("arn:aws:")
    assert found["expires"]
    ran = persona("storage", "list", "--verbose")
    assert ran.code == 0
    assert "login-live" not in ran.out + ran.err


def test_a_portal_that_the_profile_names(
    persona: Run, portal: Portal, logins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_SSO")
    services = f"[services here]\nsso =\n  endpoint_url = {portal.url}\n"
    profiles(tmp_path, SESSION.replace("corp\n", "corp\nservices = here\n", 1) + PLACE + services)
    logged_in(logins, "corp", "login-live")
    shown(persona, "SSO")
    assert portal.requests("GET", "^/federation/credentials")


def test_a_login_that_is_renewed(persona: Run, portal: Portal, logins: Path, tmp_path: Path) -> None:
    """The login itself has expired, and what came with it renews it without a person."""
    profiles(tmp_path, SESSION + PLACE)
    renewal = {"refreshToken": "renewing", "clientId": "c", "clientSecret": "s"}
    file = logged_in(logins, "corp", "login-old", -1, registrationExpiresAt="2099-01-01T00:00:00Z", **renewal)
    shown(persona, "SSO")
    assert json.loads(file.read_text())["accessToken"] == "login-renewed"


def out_of_date(case: str, logins: Path, folder: Path) -> None:
    """Set up a login that cannot be used any more."""
    text, filed = WAYS["sso_start_url" if case == "old" else "sso_session"]
    profiles(folder, text)
    renewal = {"refreshToken": "used up", "clientId": "c", "clientSecret": "s"}
    if case == "not renewed":
        logged_in(logins, filed, "login-old", -1, registrationExpiresAt="2099-01-01T00:00:00Z", **renewal)
    elif case == "refused":
        logged_in(logins, filed, "login-ended")
    elif case != "none":
        logged_in(logins, filed, "login-old", -1)


@pytest.mark.parametrize("case", ["expired", "old", "none", "not renewed", "refused"])
def test_a_login_that_has_expired(persona: Run, portal: Portal, logins: Path, tmp_path: Path, case: str) -> None:
    out_of_date(case, logins, tmp_path)
    for command in COMMANDS:
        begun = time.perf_counter()
        ran = persona(*command)
        assert time.perf_counter() - begun < SECONDS
        assert ran.code == 4
        assert "→ aws sso login --profile team\n" in ran.out + ran.err
        assert "login-" not in ran.out + ran.err


@pytest.mark.parametrize("case", ["expired", "not renewed"])
def test_nothing_but_the_error_is_said(
    process: Callable[..., subprocess.Popen[str]], portal: Portal, logins: Path, tmp_path: Path, case: str
) -> None:
    """In a process of its own, where nobody takes what the library logs."""
    out_of_date(case, logins, tmp_path)
    begun = time.perf_counter()
    started = process("storage", "list")
    _, said = started.communicate(timeout=30)
    assert time.perf_counter() - begun < SECONDS
    assert started.returncode == 4
    assert said.startswith("Error: ")
    assert said.endswith("\n  → aws sso login --profile team\n")
    assert said.count("\n") == 2


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[-1]))
@pytest.mark.parametrize("silent", [True, False])
def test_a_portal_that_gives_no_answer(
    persona: Run,
    portal: Portal,
    logins: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silent: bool,
    command: list[str],
) -> None:
    """The network is at fault, not the profile."""
    profiles(tmp_path, SESSION + PLACE)
    logged_in(logins, "corp", "login-live")
    with Hanging() as hanging:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", hanging.url if silent else "http://127.0.0.1:9")
        begun = time.perf_counter()
        ran = persona(*command)
        assert time.perf_counter() - begun < SECONDS
    said = ran.out + ran.err
    assert ran.code == 7, said
    assert "credentials does not answer" in said
    assert "→ Check the network" in said
