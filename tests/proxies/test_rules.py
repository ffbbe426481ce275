"""Which proxy a request goes through, as the variables say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from persona.errors import ConfigError
from persona.proxies import Proxy, ProxyAddress, proxy_at, proxy_for
from persona.redaction import redacted
from persona.storage.outage import nobody, silent

S3 = "https://b.s3.eu-west-2.amazonaws.com"


def named(monkeypatch: pytest.MonkeyPatch, *variables: str) -> None:
    for each in variables:
        monkeypatch.setenv(*each.split("=", 1))


@pytest.mark.parametrize(
    ("variables", "url", "found"),
    [
        ((), S3, None),
        (("https_proxy=http://p.example:3128",), S3, "http://p.example:3128 (https_proxy)"),
        (("HTTPS_PROXY=http://p.example:3128",), S3, "http://p.example:3128 (HTTPS_PROXY)"),
        (("HTTPS_PROXY=http://big:1", "https_proxy=http://small:1"), S3, "http://small:1 (https_proxy)"),
        (("HTTPS_PROXY=http://same:1", "https_proxy=http://same:1"), S3, "http://same:1 (https_proxy)"),
        (("HTTPS_PROXY=http://big:1", "https_proxy="), S3, None),
        (("http_proxy=http://p:1",), S3, None),
        (("http_proxy=http://p:1",), "http://h.example", "http://p:1 (http_proxy)"),
        (("HTTP_PROXY=http://p:1",), "http://h.example", "http://p:1 (HTTP_PROXY)"),
        (("HTTP_PROXY=http://p:1", "REQUEST_METHOD=GET"), "http://h.example", None),
        (("ALL_PROXY=http://p:1",), S3, "http://p:1 (ALL_PROXY)"),
        (("ALL_PROXY=http://p:1", "https_proxy=q:2"), S3, "http://q:2 (https_proxy)"),
        (("https_proxy=p.example",), S3, "http://p.example:80 (https_proxy)"),
        (("https_proxy=https://P.example",), S3, "https://p.example:443 (https_proxy)"),
        (("https_proxy= http://p.example:1/path ",), S3, "http://p.example:1 (https_proxy)"),
        (("https_proxy=http://[fd00::1]:3128",), S3, "http://[fd00::1]:3128 (https_proxy)"),
        (("https_proxy=someone:p%40ss@p.example:1",), S3, "http://p.example:1 (https_proxy)"),
    ],
)
def test_the_variables(
    monkeypatch: pytest.MonkeyPatch, variables: tuple[str, ...], url: str, found: str | None
) -> None:
    named(monkeypatch, *variables)
    proxy = proxy_for(url)
    assert (f"{proxy.url} ({proxy.variable})" if proxy else None) == found


@pytest.mark.parametrize(
    ("no_proxy", "host", "straight"),
    [
        ("*", "h.example", True),
        ("other.example, *", "h.example", True),
        ("amazonaws.com", "b.s3.amazonaws.com", True),
        (".amazonaws.com", "b.s3.amazonaws.com", True),
        ("*.amazonaws.com", "b.s3.amazonaws.com", True),
        ("AmazonAWS.com", "b.s3.amazonaws.COM.", True),
        ("other.example amazonaws.com", "amazonaws.com", True),
        ("azonaws.com", "b.s3.amazonaws.com", False),
        ("s3.amazonaws.com.example", "s3.amazonaws.com", False),
        ("h.example:443", "h.example", True),
        ("h.example:8443", "h.example", False),
        ("h.example:8443", "h.example:8443", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "h.example", False),
        ("10.1.2.3", "10.1.2.3:9000", True),
        ("fd00::/8", "[fd00::7]:9000", True),
        ("[fd00::7]", "[fd00::7]", True),
        ("[fd00::7]:9000", "[fd00::7]:9000", True),
        ("fd00::/8", "[fe00::7]", False),
        ("", "127.0.0.1:9000", True),
        ("", "localhost:9000", True),
        ("", "[::1]:9000", True),
        ("", "169.254.169.254", True),
        ("", "[fd00:ec2::254]", True),
        ("", "metadata.google.internal", True),
        ("", "168.63.129.16", True),
        ("", "127.example", False),
    ],
)
def test_who_needs_none(monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str, straight: bool) -> None:
    named(monkeypatch, "https_proxy=http://p.example:3128", f"NO_PROXY={no_proxy}")
    assert (proxy_for(f"https://{host}/b") is None) is straight


@pytest.mark.parametrize(
    ("value", "said", "hint"),
    [
        ("socks5://user:CANARY9secret@p:1080", "only HTTP proxies", "Set https_proxy to one"),
        ("socks5h://p:no-port", "only HTTP proxies", "name h.example in NO_PROXY"),
        ("http://user:CANARY9secret@p:no", "is no address of a proxy", "http://HOST:PORT"),
        ("http://user:CANARY9#secret@p:1", "is no address of a proxy", "percent-encode"),
        ("http://user:CANARY9secret@:3128", "is no address of a proxy", ""),
        ("http://p:0", "is no address of a proxy", ""),
        ("http://p:99999", "is no address of a proxy", ""),
        ("http://two words:1", "is no address of a proxy", ""),
        ("http://[fd00::1", "is no address of a proxy", ""),
        ("://", "only HTTP proxies", ""),
    ],
)
def test_what_is_no_http_proxy(monkeypatch: pytest.MonkeyPatch, value: str, said: str, hint: str) -> None:
    named(monkeypatch, f"ALL_PROXY={value}")
    with pytest.raises(ConfigError, match=r"^ALL_PROXY ") as caught:
        proxy_for("https://h.example/b")
    assert said in str(caught.value)
    assert hint in caught.value.hint
    assert "CANARY9" not in str(caught.value) + caught.value.hint
    named(monkeypatch, "no_proxy=h.example")
    assert proxy_for("https://h.example/b") is None, "what is not used does no harm"


def test_user_and_password_go_to_the_proxy_and_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "https_proxy=http://some%3Aone:p%40ss%C3%BC-word@p.example:3128")
    proxy = proxy_for(S3)
    assert proxy is not None
    assert proxy.headers == {"proxy-authorization": "Basic c29tZTpvbmU6cEBzc8O8LXdvcmQ="}
    assert "c29tZTpvbm" not in repr(proxy) + str(proxy)
    assert redacted("p@ssü-word c29tZTpvbmU6cEBzc8O8LXdvcmQ= p%40ss%C3%BC-word") == "•••• •••• ••••"
    monkeypatch.setenv("https_proxy", "http://p.example:3128")
    again = proxy_for(S3)
    assert again is not None
    assert again.headers == {}


def test_an_address_knows_that_it_is_a_proxys() -> None:
    proxy = Proxy("http://[fd00::1]:3128", "https_proxy")
    address = ProxyAddress(proxy)
    assert address == ("fd00::1", 3128)
    assert proxy_at(address) is proxy
    assert proxy_at(("fd00::1", 3128)) is None
    assert proxy_at(None) is None
    assert str(nobody(address)) == "Nothing answers at the proxy [fd00::1]:3128 (https_proxy)."
    assert str(silent(address, "")) == "No answer of the provider comes through the proxy [fd00::1]:3128 (https_proxy)."


def test_without_a_variable_nothing_more_is_imported() -> None:
    looked = "import sys, persona.proxies as p; p.proxy_for('https://h'); sys.exit('urllib.request' in sys.modules)"
    for variables, imported in (({}, False), ({"no_proxy": "x"}, True)):
        ran = subprocess.run([sys.executable, "-c", looked], env=os.environ | variables)
        assert bool(ran.returncode) is imported
