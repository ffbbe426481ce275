"""What a file of a form service holds beside the answers: wordings of questions, and what the service writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from persona.personas.sources.records import tidy

Row = dict[str, Any]
_WORDED = ("title", "heading", "headings", "text", "label", "wording")
NUMBERED = ("ref", "id", "questionId", "question_id")
"""What an object of a form calls its own number."""
_RESPONSE = frozenset(
    {"answers", "pages", "responseId", "response_id", "token", "submitted_at", "submitDate", "submitdate"}
    | {"_submission_time", "respondentEmail", "form_response", "response_status"}
)
_DEFINES = frozenset(("properties", "validations", "questionItem", "questionGroupItem", "headings", "family"))
_SERVICE = frozenset(
    {"landing_id", "landed_at", "submitted_at", "response_type", "survey_id", "collector_id", "recipient_id", "href"}
    | {"ip_address", "analyze_url", "edit_url", "total_time", "date_created", "date_modified", "collection_mode"}
    | {"response_status", "formId", "form_id", "createTime", "lastSubmittedTime", "submitDate", "event_id"}
    | {"event_type", "_uuid", "_xform_id_string", "_status", "_submission_time", "_submitted_by", "__version__"}
    | {"formhub/uuid", "meta/instanceID", "meta/rootUuid", "deviceid", "submitdate", "startlanguage", "seed"}
    | {"lastpage", "startdate", "datestamp", "ipaddr", "refurl"}
)
"""What the services write themselves."""
_KOBO = frozenset(("_xform_id_string", "formhub/uuid", "__version__"))
_TOTALS = ("total_items", "total", "count")
MAX_DEPTH = 12
"""How many levels of a document are looked into."""


def is_service(heading: str) -> bool:
    """Say whether a service writes a field itself."""
    return heading in _SERVICE or heading.startswith(("metadata.", "_validation_status", "custom_variables."))


def likelihood(rows: Sequence[Row]) -> int:
    """Say how likely objects are responses: 1 for those of a service, -1 for the questions of a form."""
    if 2 * sum(bool(_RESPONSE & row.keys()) for row in rows) >= len(rows):
        return 1
    return -1 if 2 * sum(bool(_DEFINES & row.keys()) for row in rows) >= len(rows) else 0


def missing_pages(document: Any, count: int) -> int:
    """Return how many responses there are in all, if the document says more than it holds; otherwise 0."""
    for each in _mappings(document, set()):
        for key in _TOTALS:
            text = str(each.get(key, ""))
            if text.isdecimal() and len(text) < 10 and int(text) > count:
                return int(text)
    return 0


def is_kobo(row: Row) -> bool:
    """Say whether a response is of KoBoToolbox."""
    return bool(_KOBO & row.keys())


def wordings_of(document: Any, rows: Sequence[Row], originals: set[int]) -> dict[str, str]:
    """Return the wordings of questions and options by their ids, out of all that is no response."""
    found: dict[str, str] = {}
    definitions = [row.pop("definition", None) for row in rows]
    for each in (*_mappings(document, originals), *_mappings(definitions[:1], set())):
        question = each.get("questionItem", {})
        asked = question.get("question", {}) if isinstance(question, dict) else {}
        for holder in (each, asked if isinstance(asked, dict) else {}):
            for key in NUMBERED:
                if isinstance(number := holder.get(key), str) and (text := worded(each)):
                    found.setdefault(number, text)
        row = each.get("rowQuestion")
        if isinstance(row, dict) and isinstance(each.get("questionId"), str) and (text := worded(row)):
            found[each["questionId"]] = text
    return found


def _mappings(value: Any, without: set[int], depth: int = 0) -> Iterator[Row]:
    """Yield all objects of a document but some, and what is in those."""
    if depth > MAX_DEPTH or id(value) in without:
        return
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _mappings(inner, without, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _mappings(inner, without, depth + 1)


def worded(item: Row) -> str:
    """Return the wording that an object of a form has."""
    for key in _WORDED:
        value = item.get(key)
        if isinstance(value, list):
            value = next((worded(each) for each in value if isinstance(each, dict)), "")
        if isinstance(value, str) and value.strip():
            return tidy(value)
    return ""
