"""Answers as the interfaces of form services give them: lists of objects within each response.

The services differ in names rather than in shape: an answer names its question by an id, and holds a value, an option
or several. Wordings are in a definition of the form, if that is in the same file.

Sources: Typeform “Retrieve responses”, https://www.typeform.com/developers/responses/; Google
``forms.responses``, https://developers.google.com/workspace/forms/api/reference/rest/v1/forms.responses; SurveyMonkey
API v3 ``/responses/bulk``, https://api.surveymonkey.com/v3/docs; KoBoToolbox API v2 ``data``; LimeSurvey
RemoteControl 2 ``export_responses``; Power Automate “Get response details” for Microsoft Forms.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from persona.personas.sources.form_definitions import MAX_DEPTH, NUMBERED, Row, is_kobo, is_service, worded, wordings_of
from persona.personas.sources.records import tidy

_ASKED = ("field", "question", "item", "prompt")
_ASKED_BY = ("questionId", "question_id", "fieldId", "field_id", *_ASKED, "ref", "key", "label", "name", "title", "id")
_HELD = (
    *("value", "values", "answer", "answers", "answer1", "response", "responses", "responseValue", "selected"),
    *("selections", "choices", "choice", "labels", "label", "textAnswers", "simple_text", "text", "number", "boolean"),
    *("date", "email", "url", "file_url", "phone_number", "option", "options", "rating", "title", "name", "fileName"),
)
_SEVERAL = frozenset(("choices", "labels", "selections", "options"))
_SPEAKS = frozenset(("speaker", "role", "who"))
_NOTHING = object()
"""What is left of a field all of which was answers."""
_TOKENS = re.compile(r"[a-z0-9_.-]{1,60}(?: [a-z0-9_.-]{1,60})*")
_MOST_TOKENS = 60


def plain_rows(document: Any, rows: Sequence[Row]) -> list[Row]:
    """Return responses with their answers as fields of their own, by the wordings of the questions.

    Args:
        document: all of the file, in which the form may be defined.
        rows: the responses. What is no answer in them stays as it is. Several answers are a tuple.
    """
    originals = {id(row) for row in rows}
    rows = [dict(_unwrapped(row)) for row in rows]
    wordings = wordings_of(document, rows, originals)
    asked = Counter(text for row in rows for text in set(_interview_questions(row)))
    recurring = {text for text, count in asked.items() if count > 1 and 2 * count >= len(rows)}
    made = [_Response(wordings, recurring).read(row) for row in rows]
    several = {name for each in made for name in each.several}
    found = [each.fields(several) for each in made]
    if any(map(is_kobo, found)):
        _split_tokens(found)
    return found


class _Response:
    """One response, while its answers are collected."""

    def __init__(self, wordings: Mapping[str, str], recurring: set[str]) -> None:
        self._wordings, self._recurring = wordings, recurring
        self._answers: dict[str, list[str]] = {}
        self._rest: Row = {}
        self.several: set[str] = set()

    def read(self, row: Row) -> _Response:
        """Take the answers out of a response."""
        for key, value in row.items():
            if (remainder := self._take(key, _parsed(value), 0)) is not _NOTHING:
                self._rest[key] = remainder
        return self

    def fields(self, several: set[str]) -> Row:
        """Return the response, with a tuple for each question that anybody gave several answers to."""
        answers = {
            name: tuple(texts) if name in several else texts[0] for name, texts in self._answers.items() if texts
        }
        return {**{key: value for key, value in self._rest.items() if key not in answers}, **answers}

    def _take(self, key: str, value: Any, depth: int) -> Any:
        """Take the answers that a field holds, and return what else it holds."""
        if depth > MAX_DEPTH:
            return value
        if isinstance(value, dict) and key in ("answers", "responses") and _all_objects(value.values()):
            for question, given in value.items():
                self._answer(self._wordings.get(question, question), given)
            return _NOTHING
        if isinstance(value, dict):
            rest = {inner: self._take(inner, each, depth + 1) for inner, each in value.items()}
            return {inner: each for inner, each in rest.items() if each is not _NOTHING} or (_NOTHING if rest else rest)
        if isinstance(value, list) and _all_objects(value):
            return [each for each in value if not self._item(each, depth)] or _NOTHING
        return value

    def _item(self, item: Row, depth: int) -> bool:
        """Take an answer, or the answers in a page or question; return whether it was one."""
        if _SPEAKS & item.keys():
            return False
        if isinstance(inner := item.get("questions"), list):
            return self._take("questions", inner, depth + 1) is _NOTHING
        name = self._question(item)
        if not name or (isinstance(item.get("question"), str) and "answer" in item and name not in self._recurring):
            return False
        inner = item.get("answers")
        if isinstance(inner, list) and any(isinstance(each, dict) and "row_id" in each for each in inner):
            for each in inner:
                row = str(each.get("row_id", ""))
                self._answer(f"{name} - {self._wordings.get(row, row)}" if row else name, each)
            return True
        return self._answer(name, item)

    def _answer(self, name: str, item: Any) -> bool:
        item = {key: _parsed(value) for key, value in item.items()} if isinstance(item, dict) else item
        kind = item.get("type", "") if isinstance(item, dict) else ""
        held = item[kind] if isinstance(kind, str) and kind in item and kind != "type" else item
        several = isinstance(held, dict) and any(
            key in _SEVERAL or (key in _HELD and isinstance(held[key], list) and not _all_objects(held[key]))
            for key in held
        )
        texts = [*self._texts(held, 0, top=held is item)]
        self._put(name, texts, several=several)
        return bool(texts)

    def _put(self, name: str, texts: Sequence[str], *, several: bool) -> None:
        found = self._answers.setdefault(name, [])
        found += [text for text in texts if text and text not in found]
        if several or len(found) > 1:
            self.several.add(name)

    def _question(self, item: Row) -> str:
        for key in _ASKED_BY:
            asked = item.get(key)
            if isinstance(asked, dict):
                named = next((str(asked[each]) for each in NUMBERED if asked.get(each) in self._wordings), "")
                return self._wordings.get(named, "") or worded(asked) or str(asked.get("ref") or asked.get("id") or "")
            if isinstance(asked, str) and asked:
                return self._wordings.get(asked, tidy(asked))
        return ""

    def _texts(self, value: Any, depth: int, *, top: bool = False) -> Iterator[str]:
        """Yield the texts of what an answer holds, options by their wordings.

        Args:
            value: what it holds.
            depth: how deep in it.
            top: whether it is the answer itself, whose label may be the question's.
        """
        if depth > MAX_DEPTH:
            return
        if isinstance(value, list):
            for each in value:
                yield from self._texts(each, depth + 1)
        elif isinstance(value, dict):
            key = next((each for each in _HELD if each in value and not (top and self._is_question(value, each))), "")
            if key:
                yield from self._texts(value[key], depth + 1)
            elif option := next((str(value[each]) for each in ("choice_id", "other_id", "id") if each in value), ""):
                yield self._wordings.get(option, option)
            if "other" in value and key != "other":
                yield from self._texts(value["other"], depth + 1)
        elif text := _text(value):
            yield self._wordings.get(text, text)

    def _is_question(self, item: Row, key: str) -> bool:
        return key in ("label", "title", "name", "text") and self._question(item) in (
            item[key],
            self._wordings.get(str(item[key])),
        )


def _split_tokens(rows: Sequence[Row]) -> None:
    """Make several answers of those that KoBoToolbox gives as names of options with spaces between them."""
    columns: dict[str, list[str]] = {}
    for row in rows:
        for key, value in row.items():
            if isinstance(value, str) and not (is_service(key) or key.startswith("_")):
                columns.setdefault(key, []).append(value)
    for key, values in columns.items():
        counts = Counter(token for value in values for token in value.split(" "))
        listed = [value.split(" ") for value in values]
        recurring = counts.total() >= 2 * len(counts) and len(counts) <= _MOST_TOKENS
        names = all(map(_TOKENS.fullmatch, values)) and all(len(set(each)) == len(each) for each in listed)
        if recurring and names and max(map(len, listed)) > 1:
            for row in rows:
                row |= {key: tuple(row[key].split(" "))} if key in row else {}


def _unwrapped(row: Row) -> Row:
    """Return a response without what is around it: LimeSurvey's number, the event of a Typeform webhook."""
    if isinstance(inner := row.get("form_response"), dict):
        return dict(inner)
    if len(row) == 1 and isinstance(inner := next(iter(row.values())), dict) and next(iter(row)).isdecimal():
        return inner
    return row


def _interview_questions(row: Row) -> Iterator[str]:
    """Yield the questions of pairs of question and answer, which are of a form if they recur."""
    for value in row.values():
        for item in value if isinstance(value, list) else ():
            if isinstance(item, dict) and isinstance(item.get("question"), str) and "answer" in item:
                yield tidy(item["question"])


def _parsed(value: Any) -> Any:
    """Return what a text of JSON holds, as Microsoft Forms gives several answers; other values as they are."""
    if not (isinstance(value, str) and value.startswith("[") and value.endswith("]") and len(value) < 100_000):
        return value
    try:
        return json.loads(value, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return value


def _all_objects(values: Iterable[Any]) -> bool:
    found = [*values]
    return bool(found) and all(isinstance(each, dict) for each in found)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return tidy(value) if isinstance(value, str) else ""
