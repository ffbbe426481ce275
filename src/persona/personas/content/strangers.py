"""What in one respondent's words may be somebody else's: labels of people in another form than that of the turns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from persona.personas.content.people import in_series, names, normalised

_HEAD = 120
"""How much of a line is searched for a label at its start, in characters."""
_START = re.compile(r"[\s#*>_<\[(•–—-]*")
_NAME = r"[^\W_][\w.’'-]*"
_FIRST = re.compile(rf"({_NAME})(?: ({_NAME}))?(?: ({_NAME}))?")
_BEHIND = re.compile(r"\s*(?:[\])>:：;|\t–—]|-\s|\(|\d{1,2}:\d{2}|$)")
_TIMED = re.compile(r"([^\W\d_][^:\n]{0,40}?)\s+[\[(]?\d{1,2}:\d{2}(?::\d{2})?[\])]?\s*")
_LONG = re.compile(r"[^\W\d_a-z][^.!?:\n]{0,80}:\s")
_WITHIN = re.compile(rf"(?<![\w-])({_NAME}(?: {_NAME}){{0,2}})\s?(?:\([^()\n]{{0,60}}\)\s?)?[:：](?=\s)")
_NEW = re.compile(rf"(?:[.!?…]|\s\s|\t)\s*(?-i:[^\W\d_a-z])[\w’'-]*(?: {_NAME})?[:：]\s")


def timed_label(line: str) -> str:
    """Return who speaks below a line such as ``Anna 0:15``; "" if it is no such line."""
    match = _TIMED.fullmatch(line[:_HEAD].strip())
    return normalised(match[1]) if match else ""


class Strangers:
    """Finds where somebody else may speak in what looks like one respondent's words.

    Args:
        subject: the respondent.
        labels: who speaks in the text.
    """

    def __init__(self, subject: str, labels: Iterable[str]) -> None:
        self._subject = subject
        self._known = {normalised(label) for label in labels if subject not in names(label)}

    def may_speak(self, line: str) -> bool:
        """Say whether a line may be another's that has no label of the usual form: ``[P1] …``, ``Anna 0:15``."""
        head = line[:_HEAD]
        start = _START.match(head)
        at = start.end() if start else 0
        if (timed := _TIMED.fullmatch(head, at)) and not timed[0].startswith(self._subject):
            return True
        if _LONG.match(head, at):
            return True
        first = _FIRST.match(head, at)
        if first and self._is_series(first[1].rstrip(".’'-")):
            return True
        for count in (1, 2, 3) if first else ():
            if first is not None and first[count] is not None and self._is_known(head[at : first.end(count)]):
                behind = _BEHIND.match(head, first.end(count))
                if behind and (first.end(count) - at > 1 or behind[0].strip() in (":", ";", "]", "|")):
                    return True
        return self.may_speak_within(line)

    def may_speak_within(self, text: str) -> bool:
        """Say whether a label stands amid a text: of a person who is known, or like the respondent's own."""
        if ":" not in text and "：" not in text:
            return False
        for match in _WITHIN.finditer(text):
            words = match[1].split()
            tails = {" ".join(words[n:]) for n in range(len(words))}
            if any(self._subject == each or self._is_series(each) for each in tails):
                return True
            if any(len(each) > 1 and self._is_known(each) for each in tails):
                return True
        return _NEW.search(text) is not None

    def _is_series(self, word: str) -> bool:
        return word != self._subject and in_series(word, self._subject)

    def _is_known(self, label: str) -> bool:
        return normalised(label).rstrip(".’'-") in self._known
