"""How likely bytes in an encoding from before Unicode are the text that it makes of them.

Nothing in a file says its encoding, so each reading is judged by its letters beyond ASCII: those of one language that
writes with them, in the places where that language has them. The right reading of a sentence is near 1, wrong ones are
far below. What two encodings have in common, such as é in Windows-1252 and Windows-1250, leaves the first of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice, pairwise

_MOST_WORDS = 5_000
_WORD = re.compile(r"[^\W\d_]*[^\0-\x7f]+[^\W\d_]*(?:[^\0-\x7f]+[^\W\d_]*)*")
_INSIDE = re.compile(r"(?<=[^\W\d_])[^\w\s’·\u0300-\u036f](?=[^\W\d_])")
"""A mark between two letters of a word."""
_WESTERN = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüß",
    "áéíóúüñ",
    "áâãàçéêíóôõú",
    "àèéìíòù",
    "áéíóúýàèëïöü",  # Dutch
    "åäöéüæøà",  # the languages of the North
    "áðéíóúýþæö",
)
_OTHERS = (
    "ąćęłńóśźż",
    "áčďéěíňóřšťúůýž",
    "áäčďéíĺľňóôŕšťúýž",
    "áéíóöőúüű",
    "čćđšž",
    "ăâîșțşţ",
    "çğıİöşüâîû",
    "ąčęėįšųūž",
    "āčēģīķļņšūž",
    "äõöüšž",
    "ăâđêôơưàảãáạ",
)
_LATIN = [frozenset(alphabet) for alphabet in (*_WESTERN, *_OTHERS)]
_WEST = frozenset("".join(_WESTERN))
_MARKS = frozenset("“”‘’„‚«»–—…•€£§°·©®™¿¡ªº´ \u00a0")
_SCRIPTS = (
    # first letter, last letter, frequent ones, rare ones
    ("\u0400", "\u04ff", "оеаинтсрвлкмдпуіОЕАИНТСРВЛКМДПУ", "ъщэфцЪЩЭЪЫЬѓћќџђљњўґєѕјЃЋЌЏЂЉЊЎҐЄЅЈ"),
    ("\u0370", "\u03ff", "αοιετσνηυρπκμλςάόίέ", "ΐΰϊϋψξζ"),
    ("\u0590", "\u05ff", "יוהלאמרבשתנ", "ףךץגסטזצ"),
    ("\u0600", "\u06ff", "اليمونترهبعدسفةأ", "ظغذضپچژگ"),
    ("\u0e00", "\u0e7f", "านรอกเงมยลวดทส่้ี", ""),
)
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fc]")
_HALF_KANA = re.compile(r"[\uff61-\uff9f]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_WIDE_MARKS = re.compile(r"[\u3000-\u301f\uff01-\uff5e]")
_JAPANESE = frozenset(
    "人日本年男女性別齢回答名前田中大一何時思方月学生会社用事使見行出自分上下高良問題無有多少山川木村鈴佐藤"
)
_SIMPLIFIED = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所"
    "然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实非常很觉知谢问题"
    "男女性别龄姓名答案满意喜欢使什回复李王张刘陈杨"
)
_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所"
    "然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實非常很覺知謝問題"
    "男女性別齡姓名答案滿意喜歡使什回覆李王張劉陳楊"
)


def likelihood(text: str, encoding: str) -> float:
    """Return how likely a reading is, from 0 to 1; 0.5 if nothing beyond ASCII tells.

    Args:
        text: the reading.
        encoding: the codec that gives it.
    """
    words = [match[0] for match in islice(_WORD.finditer(text), _MOST_WORDS)]
    high = "".join(c for word in words for c in word if c > "\x7f")
    if not high:
        return 0.5
    if encoding in _WIDE:
        return _of_wide(high, encoding)
    marks = sum(not (c.isalpha() or c in _MARKS or "\u0300" <= c <= "\u036f") for c in high)
    marks += sum(len(_INSIDE.findall(word)) for word in words)
    odd = min(1.0, marks / len(high))
    return max(_of_latin(words, high), *(_of_script(words, high, *script) for script in _SCRIPTS)) * (1 - odd)


_WIDE = frozenset({"cp932", "euc_jp", "gb18030", "big5", "cp949"})


def _of_wide(high: str, encoding: str) -> float:
    """Return how likely characters are Japanese, Chinese or Korean, as the encoding has it."""
    kana, half = len(_KANA.findall(high)), len(_HALF_KANA.findall(high))
    han, hangul, marks = len(_HAN.findall(high)), len(_HANGUL.findall(high)), len(_WIDE_MARKS.findall(high))
    known = (kana + han + hangul + marks) / len(high)
    letters = max(1, len(high) - marks)
    if encoding == "cp949":
        return known * hangul / letters
    frequent = {"gb18030": _SIMPLIFIED, "big5": _TRADITIONAL}.get(encoding, _JAPANESE)
    common = sum(c in frequent for c in high) / max(1, han)
    if encoding in ("gb18030", "big5"):
        return known * min(1.0, 0.3 + common / 0.5) * (1 - kana / letters)
    return known * min(1.0, 0.3 + max(common / 0.5, kana / letters / 0.3)) * (1 - half / letters)


def _of_latin(words: Iterable[str], high: str) -> float:
    """Return how likely letters are of one language in Latin script, where they stand alone between others."""
    letters = [
        c if c == "İ" else c.lower() for word in words if len(word) > 1 for c in word if c > "\x7f" and c.isalpha()
    ]
    if not letters:
        return 1.0  # quotation marks, dashes and signs alone, or a letter that may be one
    crowded = sum(len(run) for word in words for run in re.findall(r"[^\0-\x7f]{3,}", word) if run.isalpha())
    best = max(sum(c in alphabet for c in letters) for alphabet in _LATIN)
    best_west = 0.95 * sum(c in _WEST for c in letters)
    return max(best, best_west) / len(letters) * (1 - crowded / len(letters)) * (1 - _misplaced(words))


def _of_script(words: Iterable[str], high: str, first: str, last: str, frequent: str, rare: str) -> float:
    """Return how likely letters are of a script: of it alone, the frequent ones often, with capitals at the front."""
    letters = [c for c in high if c.isalpha()]
    own = [c for c in letters if first <= c <= last]
    if not own or len(own) < 0.5 * len(letters):
        return 0.0
    weight = sum(1.0 if c in frequent else 0.0 if c in rare else 0.6 for c in own) / len(own)
    return min(1.0, weight / 0.8) * len(own) / len(letters) * (1 - _misplaced(words))


def _misplaced(words: Iterable[str]) -> float:
    """Return the share of letters that are capitals behind small ones, or small ones of two scripts in a word."""
    total = wrong = 0
    for word in words:
        total += len(word)
        for before, after in pairwise(word):
            wrong += before.islower() and after.isupper()
            foreign = (before > "\u036f") != (after > "\u036f")
            wrong += foreign and before.isalpha() and after.isalpha()
    return min(1.0, 2 * wrong / total) if total else 0.0
