"""TLS before a server that speaks plain HTTP, with a certificate for ``*.persona.test`` and for this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(folder: Path) -> Path:
    """Make a key and a certificate in one file, and return it; as SSL_CERT_FILE it makes the certificate trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    day = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day - timedelta(days=1), day + timedelta(days=1))
    names = [x509.DNSName("*.persona.test"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / "certificate.pem"
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file.write_bytes(key.private_bytes(*pem) + signed)
    return file


@contextmanager
def before(address: str, file: Path) -> Iterator[int]:
    """Accept TLS, and pass on what is in it to a server; give the port."""
    host, _, port = address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=connect, args=(accepted,), daemon=True).start()

    def connect(accepted: socket.socket) -> None:
        with (
            suppress(OSError),
            accepted,
            context.wrap_socket(accepted, server_side=True) as client,
            socket.create_connection((host, int(port))) as server,
        ):
            threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
            pass_on(client, server)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield int(listening.getsockname()[1])
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until the source has ended, and end the target then."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
