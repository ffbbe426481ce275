"""Identities that may do all but one thing, by AWS's own policies as moto's IAM applies them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from persona.config.secret import Secret
from tests.cli.conftest import Configure, Run, changed
from tests.servers import Moto

VERBS = {"list": "ListBucket", "write": "PutObject", "read": "GetObject", "delete": "DeleteObject"}
STEPS = {
    "list": {"list"},
    "write": {"write"},
    "read": {"read", "conditional write"},  # it asks for the version that is there
    "delete": {"delete"},
}
"""The steps of `config test` that an identity fails which may not do one thing."""


def identity(server: Moto, verb: str) -> tuple[str, Secret]:
    """Make a user who may do all but one thing, and return the keys."""

    def iam(**asked: str) -> str:
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "authorization": "AWS4-HMAC-SHA256 Credential=testkey/20260101/us-east-1/iam/aws4_request",
        }
        return server.request("POST", "/", headers=headers, body=urlencode(asked).encode()).decode()

    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": f"s3:{VERBS[verb]}", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam(Action="CreateUser", UserName=verb)
    iam(Action="PutUserPolicy", UserName=verb, PolicyName="p", PolicyDocument=policy)
    made = iam(Action="CreateAccessKey", UserName=verb)
    access, secret = (re.search(f"<{name}>(.*?)</", made) for name in ("AccessKeyId", "SecretAccessKey"))
    assert access
    assert secret
    return access[1], Secret(secret[1])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Moto, dict[str, tuple[str, Secret]]]]:
    """A server that checks signatures and policies, a bucket with an object, and an identity for each verb."""
    with Moto(tmp_path_factory.mktemp("guarded")) as server:
        server.make_bucket("team")
        server.signed("PUT", "/team/persona", body=b"x")
        identities = {verb: identity(server, verb) for verb in VERBS}
        server.request("POST", "/moto-api/reset-auth", headers={}, body=b"0")
        yield server, identities


@pytest.mark.parametrize("verb", VERBS)
def test_one_permission_is_missing(
    persona: Run,
    configure: Configure,
    guarded: tuple[Moto, dict[str, tuple[str, Secret]]],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    server, identities = guarded
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.endpoint)
    access, secret = identities[verb]
    configure(changed(server.settings("team"), access_key_id=access, secret_access_key=secret))
    ran = persona("storage", "config", "test", "--json")
    assert ran.code == 4
    assert ran.json["credentials"]["identity"] == f"arn:aws:iam::123456789012:user/{verb}"
    failed = {check["name"]: check for check in ran.json["checks"] if not check["ok"]}
    assert set(failed) == STEPS[verb]
    for check in failed.values():
        assert f"they may not {verb}." in check["detail"]
        assert f"s3:{VERBS[verb]} " in check["hint"]
    listed = persona("storage", "list")
    assert listed.code == (4 if verb == "list" else 0)
    if verb == "list":
        assert "s3:ListBucket" in listed.failed
