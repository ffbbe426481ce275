"""Credentials and addresses that nobody can use are refused in words, before a request and without a traceback."""

from __future__ import annotations

import pytest

from persona.cli.app import run

S3 = {
    "PERSONA_STORAGE__BACKEND": "s3",
    "PERSONA_STORAGE__S3__BUCKET": "team",
    "PERSONA_STORAGE__S3__ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "sesame",
}
AZURE = {
    "PERSONA_STORAGE__BACKEND": "azure",
    "PERSONA_STORAGE__AZURE__CONTAINER": "team",
    "AZURE_STORAGE_ACCOUNT": "acc",
}
GCS = {"PERSONA_STORAGE__BACKEND": "gcs", "PERSONA_STORAGE__GCS__BUCKET": "team"}
SESAMES = ("sesame\r", "se same", "sésame", "sesame\nx", "日本")


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> str:
    """Return what every way to the storage says, which must be the same, and show no secret."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    texts = set()
    for command in (["list"], ["show", "a/b"], ["storage", "list"], ["storage", "status"]):
        code = run(command)
        shown = capsys.readouterr()
        texts.add((code, shown.err.partition("\n")[0]))
        assert "same" not in shown.err + shown.out
    ((code, text),) = texts
    return f"{code} {text}"


@pytest.mark.parametrize("value", SESAMES)
@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_aws_keys_with_what_no_key_has(
    name: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(capsys, monkeypatch, {**S3, name: value})
    assert text.startswith("4 Error: The AWS ")
    assert "a space, a line break" in text


@pytest.mark.parametrize("value", ["eu west", "eu\r\nwest", "日本"])
def test_a_region_that_is_none(value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be a region" in said(capsys, monkeypatch, {**S3, "AWS_REGION": value})


@pytest.mark.parametrize("value", [*SESAMES, "sesame!"])
def test_an_azure_key_that_is_no_base64(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(capsys, monkeypatch, {**AZURE, "AZURE_STORAGE_KEY": value})
    assert text == "4 Error: The Azure account key from the environment (AZURE_STORAGE_KEY) is not valid base64."


@pytest.mark.parametrize(
    "value", [*SESAMES, "sesame", "?sesame&sig=x", "YW5vdGhlciBzZWNyZXQ=", "sv=2022-11-02&se=2099-01-01"]
)
def test_a_signature_that_is_none(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(capsys, monkeypatch, {**AZURE, "AZURE_STORAGE_SAS_TOKEN": value})
    assert text == "4 Error: The shared access signature from the environment (AZURE_STORAGE_SAS_TOKEN) is none."


@pytest.mark.parametrize("value", ["a b", "日本", "a\r\nb"])
def test_an_account_that_is_none(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = said(capsys, monkeypatch, {**AZURE, "AZURE_STORAGE_KEY": "Zm9v", "AZURE_STORAGE_ACCOUNT": value})
    assert "cannot be a storage account" in found


@pytest.mark.parametrize("value", ["x", "http://[::1", "http://127.0.0.1:99999", "ftp://127.0.0.1"])
def test_addresses_that_are_none(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    string = f"AccountName=acc;AccountKey=Zm9v;BlobEndpoint={value}"
    text = said(capsys, monkeypatch, {**AZURE, "AZURE_STORAGE_CONNECTION_STRING": string})
    assert text.startswith("3 Error: The blob endpoint of the environment (AZURE_STORAGE_CONNECTION_STRING)")


@pytest.mark.parametrize("value", ["http://[::1", "http://127.0.0.1:99999", "ftp://127.0.0.1", "a b"])
def test_an_emulator_that_is_no_address(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(capsys, monkeypatch, {**GCS, "STORAGE_EMULATOR_HOST": value}) == (
        "3 Error: STORAGE_EMULATOR_HOST is no address."
    )


@pytest.mark.parametrize("words", [("list",), ("export",), ("show",), ("generate", "x.csv", "--output")], ids=" ".join)
def test_a_library_is_no_storage_url(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "s3://team/personas"]) == 2
    assert "“s3://team/personas” is a storage URL" in capsys.readouterr().err
