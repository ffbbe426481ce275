"""What survey software writes into its exports beside the answers: columns of its own, and rows that are no responses.

A heading such as “Status” or “end” may be a question elsewhere, so a platform is recognised first, by three of its
columns. Sources: Qualtrics, “Understanding Your Dataset” (Status 1: preview, 2: test, 8 and above: spam or offline);
the exports of SurveyMonkey, Typeform (response types “started”, “partial”, “completed”), Microsoft Forms, LimeSurvey
(no date of submission: not complete), KoBoToolbox, SoSci Survey and Alchemer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_LEAST = 3
_COLUMNS = {
    "Qualtrics": (
        "startdate|enddate|status|ipaddress|progress|duration (in seconds)|finished|recordeddate|responseid"
        "|recipientlastname|recipientfirstname|recipientemail|externalreference|externaldatareference|locationlatitude"
        "|locationlongitude|locationaccuracy|distributionchannel|userlanguage|q_recaptchascore|q_relevantidduplicate"
        "|q_relevantidduplicatescore|q_relevantidfraudscore|q_relevantidlaststartdate|q_totalduration"
        "|q_duplicaterespondent"
        "|q_ambiguoustextpresent|q_ambiguoustextquestions|q_unansweredpercentage|q_unansweredquestions"
        "|q_ballotboxstuffing"
        "|q_straightliningcount|q_straightliningpercentage|q_straightliningquestions|responseset"
    ),
    "SurveyMonkey": (
        "respondent id|respondentid|collector id|collectorid|start date|startdate|end date|enddate"
        "|date created|date modified"
        "|ip address|email address|first name|last name|custom data 1|custom data|custom 1|response status|custom value"
    ),
    "Typeform": (
        "#|response type|start date (utc)|stage date (utc)|submit date (utc)|network id|tags|ending|score"
        "|token|submitted at"
    ),
    "Microsoft Forms": "id|start time|completion time|email|name|last modified time|total points|quiz feedback"
    "|language",
    "LimeSurvey": (
        "id|response id|submitdate|date submitted|lastpage|last page|startlanguage|start language|seed|startdate"
        "|date started|datestamp|date last action|ipaddr|ip address|refurl|referrer url|token|access code|interviewtime"
        "|total time|antwort id|datum abgeschickt|letzte seite|start-sprache|zufallsstartwert"
        "|datum gestartet|datum letzte aktivität"
    ),
    "KoBoToolbox": (
        "start|end|today|deviceid|username|subscriberid|simserial|phonenumber|audit|_id|_uuid|_submission_time"
        "|_validation_status|_notes|_status|_submitted_by|__version__|_tags|_index|_parent_index|_parent_table_name"
        "|meta/instanceid|meta/rootuuid|formhub/uuid|_xform_id_string|_attachments|_geolocation|_bamboo_dataset_id"
        "|submissiondate|submitterid|submittername|instanceid|instancename|key|meta-instanceid|attachmentspresent"
        "|attachmentsexpected|reviewstate|edits|formversion"
    ),
    "SoSci Survey": (
        "case|serial|ref|questnnr|mode|language|started|lastdata|finished|q_viewer|lastpage|maxpage|missing|missrel"
        "|time_sum|time_rsi|deg_time|status|caseid"
    ),
    "Alchemer": (
        "response id|time started|date submitted|status|contact id|legacy comments|comments|language|referer|sessionid"
        "|user agent|tags|longitude|latitude|country|city|state/region|postal|ip address"
    ),
}
_OWN = {platform: frozenset(columns.split("|")) for platform, columns in _COLUMNS.items()}
_SIGNS = {
    "Qualtrics": {"responseid", "recordeddate", "distributionchannel", "duration (in seconds)"},
    "SurveyMonkey": {"collector id", "collectorid"},
    "Typeform": {"submit date (utc)", "network id"},
    "Microsoft Forms": {"completion time"},
    "LimeSurvey": {"lastpage", "last page", "startlanguage", "start language", "date last action", "letzte seite"},
    "KoBoToolbox": {"_uuid", "_submission_time", "meta/instanceid", "submissiondate", "formhub/uuid"},
    "SoSci Survey": {"questnnr"},
    "Alchemer": {"legacy comments", "sessionid"},
}
"""Of each platform the columns of which one is there: no other table has it."""
_CODE_AND_TEXT = re.compile(r"([A-Za-z]\w*)(?: ?\[[^\[\]]+\])*\. +(\S.*)", re.DOTALL)
"""A heading of LimeSurvey with “question code & question text”: ``Q1[SQ001]. Which do you own? [Phone]``."""
_PAGES = {
    "Qualtrics": re.compile(
        r".*_(?:First Click|Last Click|Page Submit|Click Count|Browser|Version|Operating System|Resolution)"
        r"|.+_DO(?:_.+)?"
    ),
    "SoSci Survey": re.compile(r"TIME\d{3}"),
    "LimeSurvey": re.compile(r"(?:Group|Question) time: .*"),
}
_STATUS = {
    **dict.fromkeys(("survey preview", "preview", "spam preview"), "previews"),
    **dict.fromkeys(("survey test", "test", "test response"), "tests"),
    **dict.fromkeys(("spam", "possible spam"), "spam"),
    **dict.fromkeys(
        (
            "partial",
            "partial complete",
            "incomplete",
            "in progress",
            "started",
            "abandoned",
            "disqualified",
            "terminated",
            "screened out",
            "quota full",
            "over quota",
        ),
        "unfinished",
    ),
}
_CODES = {"1": "previews", "9": "previews", "17": "previews", "2": "tests", "8": "spam", "40": "spam"}
_FINISHED = dict.fromkeys(("false", "0", "no", "falsch", "faux", "falso"), "unfinished")
_SUBMITTED = frozenset({"submitdate", "date submitted", "submit date (utc)", "datum abgeschickt"})


@dataclass(frozen=True)
class Platform:
    """A survey platform, as an export shows it.

    Args:
        name: its name; "" if none was recognised.
        columns: the headings that it wrote itself, as the table has them.
    """

    name: str = ""
    columns: frozenset[str] = frozenset()


def platform_of(headings: Iterable[str]) -> Platform:
    """Return the platform that wrote a table, by the columns of its own."""
    every = {heading: _plain(heading) for heading in headings}
    found = {name: {h for h, low in every.items() if low in own} for name, own in _OWN.items()}
    signed = [name for name, signs in _SIGNS.items() if not signs.isdisjoint(every.values())]
    best = max(signed, key=lambda name: len(found[name]), default="")
    if not best or len(found[best]) < _LEAST:
        return Platform()
    pages = {heading for heading in every if best in _PAGES and _PAGES[best].fullmatch(heading)}
    return Platform(best, frozenset(found[best] | pages))


def _plain(heading: str) -> str:
    """Return a heading as the lists above have it: of ``lastpage. Last page`` the code."""
    coded = _CODE_AND_TEXT.fullmatch(heading.strip())
    return coded[1].lower() if coded and coded[1].lower() in _OWN["LimeSurvey"] else heading.strip().lower()


def wordings(platform: Platform, headings: Iterable[str]) -> dict[str, str]:
    """Return the wording of each heading that holds the code of a question before it.

    Args:
        platform: what wrote the table.
        headings: of all columns.
    """
    if platform.name != "LimeSurvey":
        return {}
    found = {heading: _CODE_AND_TEXT.fullmatch(heading) for heading in headings}
    return {heading: match[2] for heading, match in found.items() if match}


def left_out(platform: Platform, rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return why each row is no response, "" for those that are: previews, tests, spam and unfinished ones.

    Where that would leave nobody, nobody is left out.

    Args:
        platform: what wrote the table.
        rows: the cells of each row by heading, gaps left out.
    """
    reasons = [""] * len(rows)
    for heading in sorted(platform.columns):
        states = _states(platform.name, _plain(heading))
        if states:
            found = [states.get(row.get(heading, "").lower(), "") for row in rows]
            reasons = [reason or state for reason, state in zip(reasons, found, strict=True)]
    submitted = [heading for heading in platform.columns if _plain(heading) in _SUBMITTED]
    if any(heading in row for row in rows for heading in submitted):
        missing = [not any(heading in row for heading in submitted) for row in rows]
        reasons = [reason or ("unfinished" if gap else "") for reason, gap in zip(reasons, missing, strict=True)]
    return reasons if "" in reasons else [""] * len(rows)


def _states(platform: str, heading: str) -> Mapping[str, str]:
    """Return what the cells of a column say of a response, by the reason to leave it out."""
    if heading == "finished":
        return _FINISHED
    if heading in ("status", "response status", "response type"):
        return _STATUS | _CODES if platform == "Qualtrics" else _STATUS
    return {}
