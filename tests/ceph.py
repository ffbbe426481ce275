"""Runs a Ceph of one monitor, one manager, one OSD in memory and one RADOS Gateway, until it is ended.

As ``python -m tests.ceph FOLDER GATEWAY_PORT MON_PORT MON_PORT_V1 ACCESS_KEY SECRET_KEY``. All state is in the folder.
The daemons stay in the foreground and in this process group, so that ending the group ends all of them, also when
this process was killed. After Ceph's own "Manual deployment"; it takes half a minute to start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw")
"""What Debian's packages of the same names install."""
_CONFIG = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon},v1:127.0.0.1:{mon_v1}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind ipv4 = true
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
run dir = {folder}/run
log file = {folder}/log/$name.log
pid file = {folder}/run/$name.pid
admin socket = {folder}/run/$name.asok
crash dir = {folder}/crash
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 4294967296
osd memory target = 939524096
mon data = {folder}/mon
mgr data = {folder}/mgr
osd data = {folder}/osd
mon data avail crit = 1
mon data avail warn = 1
osd class load list = *
osd class default list = *
rgw data = {folder}/rgw
rgw dns name = localhost
[client]
keyring = {folder}/keyring
[mgr]
keyring = {folder}/mgr/keyring
[osd]
keyring = {folder}/osd/keyring
"""


class Cluster:
    """The cluster.

    Args:
        folder: where all of it is.
        gateway, mon, mon_v1: free ports.
    """

    def __init__(self, folder: Path, gateway: int, mon: int, mon_v1: int) -> None:
        self.folder = folder
        self.gateway = gateway
        self.monitor = f"[v2:127.0.0.1:{mon},v1:127.0.0.1:{mon_v1}]"
        self.fsid = str(uuid.uuid4())
        self.daemons: list[subprocess.Popen[bytes]] = []
        for name in ("mon", "mgr", "osd", "rgw", "run", "log", "crash"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        values = {"fsid": self.fsid, "mon": mon, "mon_v1": mon_v1, "folder": folder}
        (folder / "ceph.conf").write_text(_CONFIG.format(**values))

    def start(self, access_key: str, secret_key: str) -> None:
        """Start the daemons one after the other; each needs the one before."""
        self._monitor()
        self._manager()
        self._osd()
        user = ["user", "create", "--uid=t", "--display-name=t"]
        self._run("radosgw-admin", *user, f"--access-key={access_key}", f"--secret-key={secret_key}", patience=120)
        front = f"--rgw-frontends=beast endpoint=127.0.0.1:{self.gateway}"
        self._daemon("radosgw", "-n", "client.admin", f"--keyring={self.folder}/keyring", front)

    def wait(self) -> int:
        """Wait until a daemon ends, and return its exit code."""
        while True:
            for daemon in self.daemons:
                if (code := daemon.poll()) is not None:
                    return code
            time.sleep(0.5)

    def _monitor(self) -> None:
        at = self.folder
        tool = "ceph-authtool"
        self._run("monmaptool", "--create", "--clobber", "--fsid", self.fsid, "--addv", "a", self.monitor, f"{at}/map")
        admin = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mds", "allow *"]
        self._run(tool, "--create-keyring", f"{at}/mon.keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self._run(tool, "--create-keyring", f"{at}/keyring", "--gen-key", "-n", "client.admin", *admin)
        self._run(tool, f"{at}/mon.keyring", "--import-keyring", f"{at}/keyring")
        self._run("ceph-mon", "--mkfs", "-i", "a", "--keyring", f"{at}/mon.keyring", "--monmap", f"{at}/map")
        self._daemon("ceph-mon", "-i", "a")
        self._run("ceph", "-s", patience=60)

    def _manager(self) -> None:
        rights = ["mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"]
        self._run("ceph", "auth", "get-or-create", "mgr.x", *rights, "-o", f"{self.folder}/mgr/keyring")
        self._daemon("ceph-mgr", "-i", "x")

    def _osd(self) -> None:
        number, secret = str(uuid.uuid4()), self._run("ceph-authtool", "--gen-print-key").strip()
        self._run("ceph", "osd", "new", number, "-i", "-", text=json.dumps({"cephx_secret": secret}))
        keyring = f"{self.folder}/osd/keyring"
        self._run("ceph-authtool", "--create-keyring", keyring, "--name", "osd.0", "--add-key", secret)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", number)
        self._daemon("ceph-osd", "-i", "0")

    def _run(self, program: str, *arguments: str, text: str = "", patience: float = 30) -> str:
        done = subprocess.run(
            [program, *self._config(program), *arguments],
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            timeout=patience,
            check=True,
        )
        return done.stdout

    def _daemon(self, program: str, *arguments: str) -> None:
        self.daemons.append(subprocess.Popen([program, "-f", *self._config(program), *arguments]))

    def _config(self, program: str) -> list[str]:
        return [] if program in ("monmaptool", "ceph-authtool") else ["-c", f"{self.folder}/ceph.conf"]


def main(folder: str, gateway: str, mon: str, mon_v1: str, access_key: str, secret_key: str) -> int:
    """Start the cluster, and end with the first of its daemons."""
    cluster = Cluster(Path(folder), int(gateway), int(mon), int(mon_v1))
    try:
        cluster.start(access_key, secret_key)
        return cluster.wait()
    finally:
        for daemon in cluster.daemons:
            daemon.send_signal(signal.SIGKILL)


if __name__ == "__main__":
    os.environ.pop("CEPH_CONF", None)
    sys.exit(main(*sys.argv[1:]))
