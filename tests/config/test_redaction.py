"""What is taken out of a text, and what is left alone."""

from __future__ import annotations

import logging
import string
import time
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persona import cli, redaction
from persona.cli.app import _show_warnings
from persona.cli.session import Session
from persona.config.secret import Secret
from persona.errors import PersonaError
from persona.redaction import MASK, redacted

CANARY = "CANARYx7f3a9Qz"
PEM = "-----BEGIN RSA PRIVATE KEY-----{0}MIIE{1}{0}AAAA{0}-----END RSA PRIVATE KEY-----"
LEAKS = [
    "GET https://b.s3.amazonaws.com/k?X-Amz-Date=2&X-Amz-Signature={0}&x=1 failed",
    "https://h/k?x-amz-credential={0}%2F2026&a=b",
    "https://h/k?X-Amz-Security-Token={0}",
    "https://storage.googleapis.com/b/o?X-Goog-Signature={0}",
    "https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Signature={0}%3D&Expires=1",
    "https://a.blob.core.windows.net/c/b?sv=2022&sig={0}%2B%3D&se=x",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={0}==;EndpointSuffix=core.windows.net",
    "BlobEndpoint=https://a;SharedAccessSignature=sv=1&{0}&sig=x;b=c",
    "Authorization: AWS4-HMAC-SHA256 Credential=A/2026, SignedHeaders=host, Signature={0}",
    "{{'Authorization': 'Bearer {0}'}}",
    '"authorization":"Basic {0}"',
    "Authorization: SharedKey account:{0}=",
    "the server said: Bearer {0}.abc-def was refused",
    "x-amz-security-token: {0}",
    '{{"access_token": "{0}", "expires_in": 3}}',
    '{{\\"private_key\\": \\"{0}\\"}}',
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ{0}.{0}",
    "postgres://user:{0}@host/db",
    PEM.format("\n", "{0}"),
    PEM.format("\\n", "{0}"),
    "-----BEGIN PRIVATE KEY-----\nMIIE{0}",
    "boo token={0}",
    "AWS_SECRET_ACCESS_KEY={0}",
    "db_password = {0}",
    "SecretAccessKey: {0}",
    "X-Vault-Token: {0}",
]


@pytest.mark.parametrize("text", LEAKS)
def test_secrets_of_a_known_shape(text: str) -> None:
    assert CANARY not in redacted(text.format(CANARY))
    assert MASK in redacted(text.format(CANARY))
    assert CANARY not in str(PersonaError(text.format(CANARY)))


ORDINARY = [
    "There is no bucket company-personas.",
    "s3://company-personas/product-research/personas/sarah.yaml is there already.",
    "The bearer of bad news: Authorization is missing.",
    "design=flat; signal=3, assignature: none",
    "Set AWS_SECRET_ACCESS_KEY, or storage.s3.secret_access_key, or sas_token.",
    "http://127.0.0.1:8333/bucket/key?list-type=2&prefix=a@b",
    "/home/you/study/persona.yaml:3: storage.backend: found “s4”, allowed local, s3, gcs or azure",
    "A bearer token is needed for this.",
    "-----BEGIN PUBLIC KEY----- is no secret",
    "She said: password reset takes 3 days; the key is under the mat = yes",
    "Copy it whole: it begins with sv= or another parameter, and holds sig=.",
    "storage.s3.secret_access_key: found a value that is not shown, allowed text",
    "unexpected token: end of file; secrets are kept in ~/.aws/credentials",
    "The connection string has no AccountKey or SharedAccessSignature, or names no account.",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redacted(text) == text


@given(st.lists(st.text(string.ascii_letters + string.digits + "äéŁ中", max_size=12), max_size=12))
def test_words_are_left_alone(words: list[str]) -> None:
    text = " ".join(word for word in words if not word.startswith("eyJ"))
    assert redacted(text) == text


@given(st.text(), st.text())
def test_what_is_redacted_once_stays_so(before: str, after: str) -> None:
    text = redacted(f"{before} ?sig={CANARY} {after}")
    assert CANARY not in text
    assert redacted(text) == text


@given(st.text(string.ascii_letters + string.digits + "+/=&?\"'\\ äé", min_size=8))
def test_what_was_revealed_is_known(value: str) -> None:
    before = set(redaction._known)
    try:
        Secret(value).reveal()
        assert redacted(f"a {value} b") in (f"a {MASK} b", redacted(f"a {value} b").replace(value, MASK))
        assert value not in redacted(f"<{value}>")
    finally:
        redaction._known.clear()
        redaction._known.update(before)


TOKEN = "Kx7/Qw+9zR=fT2mV5-bN_8yL"
WORDS = "zyxwvutsrqponmlkjih"


def echoes(secret: str) -> dict[str, str]:
    """Return what a server may make of a secret that it was sent."""
    data = secret.encode()
    whole = b64encode(b"Bearer " + data + b"x").decode()
    return {
        "percent-encoded": quote(secret, safe=""),
        "in small letters": quote(secret, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
        "twice": quote(quote(secret, safe=""), safe=""),
        "form": quote_plus(secret),
        "JSON": secret.replace("/", "\\/"),
        "HTML": secret.replace("/", "&#x2F;").replace("=", "&#x3D;"),
        "base64": b64encode(data).decode(),
        "base64 in an address": quote(b64encode(data).decode(), safe=""),
        "base64 of more": whole,
        "base64url of more": whole.replace("+", "-").replace("/", "_"),
        "hexadecimal": data.hex(),
        "its beginning": secret[:11],
        "its end": secret[-8:],
        "its middle": secret[5:14],
        "in parts": " ".join(secret[at : at + 8] for at in range(0, len(secret), 8)),
        "in lines": "\n".join(secret[at : at + 12] for at in range(0, len(secret), 12)),
    }


@pytest.fixture
def forget() -> Iterator[None]:
    before = set(redaction._known)
    yield
    redaction._known.clear()
    redaction._known.update(before)


@pytest.mark.parametrize("secret", [TOKEN, WORDS])
def test_a_server_that_repeats_a_secret_shows_none_of_it(secret: str, forget: None) -> None:
    Secret(secret).reveal()
    for way, echo in echoes(secret).items():
        shown = str(PersonaError(f"refused: <{echo}> at 10:30"))
        assert shown.startswith("refused: <"), way
        assert shown.endswith("> at 10:30"), way
        left = shown[10:-10].replace(MASK, "").replace("QmVhcmVyI", "")  # that is “Bearer ”
        assert len(left.replace(" ", "").replace("\n", "")) < 8, way


STRING = (
    "DefaultEndpointsProtocol=https;AccountName=companydata;AccountKey=Ab3dEf6hIj9lMn==;"
    "BlobEndpoint=https://companydata.blob.core.windows.net"
)
SAS = "?sv=2022-11-02&ss=b&se=2026-05-01T00%3A00%3A00Z&sp=rwdl&sig=Zx8cVb%2FnMq3wErt%3D"


def test_of_a_connection_string_only_the_key_is_cut(forget: None) -> None:
    Secret(STRING).reveal()
    Secret(SAS).reveal()
    text = (
        "companydata.blob.core.windows.net refused: it expired on 2026-05-01T00:00:00Z, AccountName, version 2022-11-02"
    )
    assert redacted(text) == text
    for secret in (STRING, SAS, "Ab3dEf6hIj", "Zx8cVb/nMq", "Zx8cVb%2FnMq"):
        assert redacted(f"<{secret}>") == f"<{MASK}>"


def test_words_in_a_secret_stay_words(forget: None) -> None:
    Secret("persona-storage-password").reveal()
    text = "persona-storage has no password; set storage.s3.secret_access_key"
    assert redacted(text) == text
    assert redacted("persona-storage-password") == MASK


def test_short_secrets_do_not_blacken_words() -> None:
    Secret("here").reveal()
    assert redacted("nothing here") == "nothing here"


HOSTILE = [
    "-----BEGIN PRIVATE KEY-----" * 20_000,
    "sig=" * 100_000,
    "Authorization" * 40_000,
    "Bearer " * 70_000,
    "Bearer " + "a" * 500_000,
    "eyJ" * 150_000,
    "eyJ" + "a." * 200_000,
    "//" + "a" * 500_000,
    "//a:" * 100_000,
    "://" + ":" * 500_000,
    "X-Amz-" * 80_000 + "=",
    '"access_token" : ' * 30_000,
    "AccountKey" + " " * 500_000 + "=",
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_half_a_megabyte_takes_no_time(number: int) -> None:
    started = time.process_time()
    redacted(HOSTILE[number])
    assert time.process_time() - started < 1.0


def test_a_warning_is_shown_once_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session()
    _show_warnings(session)
    for _ in range(3):
        logging.getLogger("persona.x").warning("refused: %s", f"https://h/?sig={CANARY}")
    assert capsys.readouterr().err == f"Warning: refused: https://h/?sig={MASK}\n"


def test_a_crash_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError(f"https://h/?sig={CANARY}")
    cli._crash(ValueError, error, None)
    assert capsys.readouterr().err == f"ValueError: https://h/?sig={MASK}\n"
