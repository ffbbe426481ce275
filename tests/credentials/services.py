"""Services that hand out credentials, as AWS, Google and Azure do, and gates that refuse expired ones."""

from __future__ import annotations

import base64
import json
import time
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.cloud.test_credentials_azure import account_sas
from tests.faults import Act, FaultProxy, Seen, answer, forward
from tests.servers import Azurite

EXPIRED = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"


class Service(FaultProxy):
    """A server whose answers are made by `reply`.

    Args:
        seconds: how long what it hands out is good.
        upstream: the server behind it, if it is a gate.
    """

    def __init__(self, seconds: float = 3600.0, upstream: str | None = None) -> None:
        super().__init__(upstream)
        self.seconds = seconds
        self.issued: dict[str, float] = {}

    def act_on(self, seen: Seen) -> Act:
        with self.lock:
            self.seen.append(seen)
            return self.reply(seen)

    def reply(self, seen: Seen) -> Act:
        raise NotImplementedError

    def issue(self) -> str:
        """Return a new token, and remember when it expires."""
        token = f"token-{len(self.issued) + 1}"
        self.issued[token] = time.time() + self.seconds
        return token

    def live(self, token: str) -> bool:
        """Say whether a token was handed out and is still good."""
        return self.issued.get(token, 0.0) > time.time()


def document(status: int, content: dict[str, Any], **headers: str) -> Act:
    return answer(status, json.dumps(content), content_type="application/json", **headers)


class AWSKeysService(Service):
    """What hands out AWS keys."""

    def keys(self) -> dict[str, str]:
        token = self.issue()
        return {
            "Code": "Success",
            "AccessKeyId": f"ASIA{len(self.issued):016}",
            "SecretAccessKey": "temporary-secret",
            "Token": token,
            "Expiration": datetime.fromtimestamp(self.issued[token], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


class InstanceMetadata(AWSKeysService):
    """The instance metadata service of EC2, version 2 only: requests without a session's token are refused."""

    def __init__(self, seconds: float = 3600.0) -> None:
        super().__init__(seconds)
        self.refused = 0

    def reply(self, seen: Seen) -> Act:
        if seen.method == "PUT" and seen.target == "/latest/api/token":
            return answer(200, "session", x_aws_ec2_metadata_token_ttl_seconds="21600")
        if seen.headers["x-aws-ec2-metadata-token"] != "session":
            self.refused += 1
            return answer(401)
        role = "/latest/meta-data/iam/security-credentials/"
        if seen.target == role:
            return answer(200, "reader")
        return document(200, self.keys()) if seen.target == f"{role}reader" else answer(404)


class Container(AWSKeysService):
    """The endpoint of ECS and EKS, which wants the token of the container."""

    def reply(self, seen: Seen) -> Act:
        if seen.headers["authorization"] != "container-token":
            return document(403, {"message": "who are you?"})
        return document(200, self.keys())


class GoogleIdentity(Service):
    """Google's token endpoint, its STS, the impersonation of service accounts, tokeninfo and the metadata server."""

    def reply(self, seen: Seen) -> Act:
        path = urlsplit(seen.target).path
        if path in ("/token", "/v1/token", "/computeMetadata/v1/instance/service-accounts/default/token"):
            if path.startswith("/computeMetadata") and seen.headers["metadata-flavor"] != "Google":
                return answer(403)
            return document(200, self.token(), metadata_flavor="Google")
        if path.endswith(":generateAccessToken"):
            token = self.issue()
            end = datetime.fromtimestamp(self.issued[token], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return document(200, {"accessToken": token, "expireTime": end})
        if path == "/tokeninfo":
            given = parse_qs(seen.body.decode())["access_token"][0]
            return document(200, {"email": "person@example.org"}) if self.live(given) else document(400, {})
        if path.startswith("/computeMetadata/v1/instance/service-accounts/"):
            account = {"email": "machine@project.example.org", "scopes": [], "aliases": ["default"]}
            return document(200, account, metadata_flavor="Google")
        return answer(200, "ok", metadata_flavor="Google")

    def token(self) -> dict[str, Any]:
        return {
            "access_token": self.issue(),
            "expires_in": self.seconds,
            "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }


class AzureIdentity(Service):
    """The metadata service of a machine in Azure; its tokens are JWTs, as the real ones."""

    def reply(self, seen: Seen) -> Act:
        if seen.headers["metadata"] != "true":
            return document(400, {"error": "invalid_request", "error_description": "Required metadata header"})
        token = self.issue()
        end = str(int(self.issued[token]))
        claims = json.dumps({"oid": "an-object", "appid": "an-application", "jti": token, "exp": int(end)})
        jwt = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in ("{}", claims, "s"))
        self.issued[jwt] = self.issued[token] + 1  # Azure allows for clocks that differ
        content = {"access_token": jwt, "expires_on": end, "expires_in": str(int(self.seconds)), "resource": "r"}
        return document(200, content | {"token_type": "Bearer"})


class AppService(AzureIdentity):
    """The identity endpoint of an App Service; what it says of a request that it refuses repeats the request."""

    secret = "an-identity-header"

    def reply(self, seen: Seen) -> Act:
        given = seen.headers["x-identity-header"]
        if given != self.secret:
            return document(401, {"statusCode": 401, "message": f"{given} is not mine"})
        return super().reply(seen)


class Arc(AzureIdentity):
    """The agent of Azure Arc: who asks shows that it may read a file, which is named in a first refusal.

    Args:
        file: the file, whose content is to be shown.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def reply(self, seen: Seen) -> Act:
        if seen.headers["metadata"] == "true":
            if seen.headers["authorization"] is None:
                return answer(401, www_authenticate=f"Basic realm={self.file}")
            if seen.headers["authorization"] != "Basic an-arc-key":
                return document(403, {"error": "forbidden"})
        return super().reply(seen)


class Gate(Service):
    """Lets requests with a live token through to a server that takes any, and refuses all others.

    Args:
        issuer: who hands out the tokens.
        upstream: the server behind it.
        header: where the token stands in a request.
        pause: how long each request takes, in seconds.
    """

    def __init__(self, issuer: Service, upstream: str, header: str, pause: float = 0.0) -> None:
        super().__init__(upstream=upstream)
        self.issuer = issuer
        self.header = header
        self.pause = pause
        self.let: set[str] = set()
        self.refused = 0

    def act_on(self, seen: Seen) -> Act:
        time.sleep(self.pause)
        return super().act_on(seen)

    def reply(self, seen: Seen) -> Act:
        token = (seen.headers[self.header] or "").removeprefix("Bearer ")
        if self.issuer.live(token):
            self.let.add(token)
            return forward
        self.refused += 1
        return answer(400, EXPIRED) if self.header.startswith("x-amz") else answer(401, "{}")


class BlobGate(Gate):
    """A gate before Azurite, which takes no tokens: what may pass goes on with a signature instead.

    Args:
        issuer: who hands out the tokens.
        azurite: the server.
    """

    def __init__(self, issuer: Service, azurite: Azurite) -> None:
        super().__init__(issuer, azurite.address, "authorization")
        self.sas = account_sas(azurite, "rcwdl")

    def reply(self, seen: Seen) -> Act:
        if super().reply(seen) is not forward:
            return answer(401, "<Error><Code>InvalidAuthenticationInfo</Code></Error>")
        headers = copy(seen.headers)
        del headers["authorization"]
        passed = replace(seen, target=f"{seen.target}{'&' if '?' in seen.target else '?'}{self.sas}", headers=headers)
        return lambda handler, _: forward(handler, passed)
