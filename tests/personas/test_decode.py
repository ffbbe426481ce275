"""Encodings of input files, told by trial."""

from __future__ import annotations

import pytest

from persona.errors import InputError
from persona.personas.content.decoding import readings
from persona.personas.sources.decode import decode

TEXTS = {
    "cp1252": "Prénom,Réponse\nÉlodie,“Très bien”, déjà vu – naïve\nJürgen,Größe über Straße, señor ñandú\n",
    "cp1250": "Jméno,Odpověď\nŘehoř,žluťoučký kůň příliš úpěl ďábelské ódy\nŁukasz,Zażółć gęślą jaźń\n",
    "iso8859_2": "Jméno,Odpověď\nŘehoř,žluťoučký kůň příliš úpěl ďábelské ódy\n",
    "cp1251": "Имя,Ответ\nИван,Очень хорошо, спасибо за вопрос\nОльга,Не знаю, что сказать\n",
    "koi8_r": "Имя,Ответ\nИван,Очень хорошо, спасибо за вопрос\nОльга,Не знаю, что сказать\n",
    "cp866": "Имя,Ответ\nИван,Очень хорошо, спасибо за вопрос\nОльга,Не знаю, что сказать\n",
    "cp1253": "Όνομα,Απάντηση\nΓιάννης,Πολύ καλά, ευχαριστώ για την ερώτηση\n",
    "cp1254": "İsim,Cevap\nAyşe,Çok güzel, teşekkür ederim\nYağmur,Bilmiyorum, şöyle böyle\n",
    "cp1255": "שם,תשובה\nדוד,טוב מאוד, תודה על השאלה\n",
    "cp1256": "الاسم,الجواب\nأحمد,جيد جدا شكرا على السؤال\n",
    "cp1257": "Vardas,Atsakymas\nŠarūnas,Labai gerai, ačiū už klausimą\nŽivilė,Nežinau, ką pasakyti\n",
    "mac_roman": "Prénom,Réponse\nÉlodie,“Très bien”, déjà vu – naïve\nJürgen,Größe über Straße\n",
    "cp850": "Prénom,Réponse\nÉlodie,Très bien, déjà vu naïve\nJürgen,Größe über Straße\n",
    "cp932": "ID,年齢,性別,回答\n1,25,男性,とても良いと思います\n2,30,女性,アンケートはわかりません\n",
    "euc_jp": "名前,回答\n田中,とても良いと思います\n鈴木,わかりません\n",
    "gb18030": "姓名,回答\n王伟,我觉得非常好,谢谢\n李娜,不知道\n",
    "big5": "姓名,回答\n王偉,我覺得非常好,謝謝\n李娜,不知道\n",
    "cp949": "이름,대답\n김철수,아주 좋습니다 감사합니다\n이영희,모르겠습니다\n",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_older_encodings_are_told_by_their_letters(encoding: str) -> None:
    data = TEXTS[encoding].encode(encoding)
    text, (note,) = decode("s.csv", data)
    assert text == TEXTS[encoding]
    assert note.startswith("s.csv is not UTF-8 (byte ")
    assert readings(data)[0].text == text  # an erasure reads it in the same way


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark(encoding: str) -> None:
    japanese = "名前,回答\n" + "上,きのうはとても良かったです\n" * 9
    for written in ("Q,R\ncafé,日本\n", *([japanese] if encoding.startswith("utf-16") else [])):
        text, (note,) = decode("s.csv", written.encode(encoding))
        assert text == written
        assert "has no byte order mark" in note


def test_marks_need_no_note() -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert decode("s.csv", "Q,é\n1,2\n".encode(encoding)) == ("Q,é\n1,2\n", [])


def test_a_rare_letter_does_not_turn_a_western_text() -> None:
    for text in ("id,Q\n1,don’t\n", "id,Q\n1,£5\n", "id,Q\n1,café\n", "id,Q\n1,Å\n", "id,Q\n1,5 °C\n"):
        assert decode("s.csv", text.encode("cp1252"))[0] == text


def test_damaged_utf_8_stays_utf_8() -> None:
    data = "id,Q\n1,café und Öl und Straße\n2,naïve Übung\n".encode().replace(b"\xc3\x96", b"\x96")
    text, (note,) = decode("s.csv", data)
    assert "café und \ufffdl" in text
    assert "1 characters are lost" in note


@pytest.mark.parametrize(
    "data",
    [
        b"Q\0,R\n1,2\n",
        b"a,b\n1,\0\n",
        b"id,a\n1,x\0y\n22,z\0\n" * 20,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x81\x01\x02\x03,\n1,2",
    ],
)
def test_what_is_no_text(data: bytes) -> None:
    with pytest.raises(InputError, match="not a text file"):
        decode("s.csv", data)
