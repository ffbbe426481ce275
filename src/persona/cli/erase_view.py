"""How ``persona storage erase`` shows what it found, and its receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from persona.cli.render import fields, heading, human_size, of_path, table
from persona.storage.paths import printable

if TYPE_CHECKING:
    from persona.personas.findings import Found, Similar, Unsearched

NOT_SEARCHED = [
    "the input of generate on this or another disk",
    "exports, and copies that people took elsewhere",
    "other machines: their caches, outboxes and journals",
    "other workspaces and storages",
]
"""Where an erasure never looks."""
_ACTIONS = {"redact": "take out", "remove": "remove the object", "look": "look at it yourself"}
_MAX_SHOWN = 3
"""How many objects of one kind are named at the terminal; all of them are in the JSON."""


def unsearched_json(found: Iterable[Unsearched], shown: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """Return what could not be searched, by kind."""
    kinds: dict[tuple[str, str], dict[str, None]] = {}
    for each in found:
        kinds.setdefault((each.kind, each.reason), {})[shown(each.path)] = None
    return [
        {"kind": kind, "reason": reason or "It is no text.", "count": len(paths), "paths": [*paths]}
        for (kind, reason), paths in sorted(kinds.items())
    ]


def spellings(found: Iterable[Similar]) -> str:
    """Return similar ids with the number of objects that have each."""
    counts: dict[str, set[str]] = {}
    for each in found:
        counts.setdefault(each.spelling, set()).add(each.path)
    return ", ".join(
        f"{printable(spelling)} ({len(paths):,} object{'' if len(paths) == 1 else 's'})"
        for spelling, paths in sorted(counts.items())
    )


def found_json(found: Found, *, exact: bool) -> dict[str, Any]:
    """Return what was found, for JSON."""
    return {
        "applied": False,
        "objects": [
            {"path": hit.path, "version": hit.version, "size": hit.size, "what": [*hit.what], "action": hit.action}
            for hit in found.hits
        ],
        "earlier_versions": {
            "found": [
                {"path": hit.version.path, "version": hit.version.id, "kind": hit.version.kind, "what": [*hit.what]}
                for hit in found.past
            ],
            "unknown": found.past_unknown,
        },
        "outbox": [{"id": entry.id, "path": entry.path, "size": entry.size} for entry in found.waiting],
        "unread": [{"path": each.path, "reason": each.reason} for each in found.unread],
        "unsearched": unsearched_json(found.unsearched),
        "similar": [{"path": each.path, "id": each.spelling} for each in found.similar],
        "not_searched": NOT_SEARCHED,
        "complete": not (found.unread or found.unsearched or (found.similar and not exact)),
    }


def found_text(shown: dict[str, Any], subject: str) -> str:
    """Return what was found, for the terminal."""
    rows = [(human_size(e["size"]), ", ".join(e["what"]), _ACTIONS[e["action"]], e["path"]) for e in shown["objects"]]
    past = shown["earlier_versions"]
    parts = [heading("Erasure: what there is")]
    parts.append(table(("Size", "Holds", "With --yes", "Object"), rows) if rows else "No object holds this respondent.")
    parts += _listed(
        "In the outbox, dropped with --yes", [f"{e['id']}  {printable(e['path'])}" for e in shown["outbox"]]
    )
    parts += _listed(
        "Earlier versions at the provider, deleted with --yes --versions",
        [f"{printable(each['path'])}  {each['kind']} {each['version']}" for each in past["found"]],
    )
    if past["unknown"]:
        parts += ["", f"Whether the provider keeps earlier versions is not known: {past['unknown']}"]
    parts += _listed("Not looked through", [f"{printable(each['path'])}: {each['reason']}" for each in shown["unread"]])
    parts += _unsearched(shown["unsearched"])
    parts += _listed(
        "Similar ids, which are not erased", [f"{printable(e['id'])}  {printable(e['path'])}" for e in shown["similar"]]
    )
    parts += _listed("Never searched", shown["not_searched"])
    return "\n".join([*parts, "", _next(shown, subject)])


def incomplete_lines(found: Found, *, exact: bool) -> list[str]:
    """Return why a search is not complete, a line each."""
    lines = [f"Not looked through: {of_path(each.path, each.reason)}" for each in found.unread]
    lines += [f"Not looked into: {_kind_line(each)}" for each in unsearched_json(found.unsearched)]
    return [*lines, f"Similar ids: {spellings(found.similar)}."] if found.similar and not exact else lines


def _next(shown: dict[str, Any], subject: str) -> str:
    """Return what to do next."""
    if shown["objects"] or shown["outbox"] or shown["earlier_versions"]["found"]:
        return "Nothing was changed. To erase: add --yes."
    ids = [*dict.fromkeys(each["id"] for each in shown["similar"])]
    if ids:
        return f"Nothing holds “{printable(subject)}”. → Use the id as it stands there: --subject '{printable(ids[0])}'"
    return f"Nothing holds “{printable(subject)}”. → Check the id: “persona show” prints it beside each quote."


def receipt_text(document: dict[str, Any]) -> str:
    """Return the receipt, for the terminal."""
    past = document["earlier_versions"]
    facts = [
        ("Subject", document["subject"]),
        ("Location", document["location"]),
        ("Erased at", document["erased_at"]),
        ("By", f"persona {document['version']}"),
        ("Complete", "yes" if document["complete"] else "no"),
        ("Objects", f"{len(document['erased']):,}"),
        ("Earlier versions", f"{len(past['deleted']):,} deleted, {len(past['left']):,} left"),
        ("Outbox", f"{len(document['outbox']):,} dropped"),
        ("Cache", f"{document['cache_entries']:,} copies removed"),
        ("Journals", f"{document['journal_rows']:,} rows removed"),
    ]
    parts = [heading("Erasure: receipt"), fields(facts)]
    parts += _listed(
        "Erased", [f"{printable(e['path'])}: {e['action']} ({', '.join(e['what'])})" for e in document["erased"]]
    )
    parts += _listed("Dropped from the outbox", [f"{e['id']}  {printable(e['path'])}" for e in document["outbox"]])
    parts += _listed(
        "Earlier versions left; --versions deletes them",
        [f"{printable(each['path'])}  {each['kind']} {each['version']}" for each in past["left"]],
    )
    if past["unknown"]:
        parts += ["", f"Whether the provider keeps earlier versions is not known: {past['unknown']}"]
    parts += _listed("Left", [f"{printable(each['path'])}: {each['reason']}" for each in document["left"]])
    parts += _unsearched(document["unsearched"])
    parts += _listed("With a similar id, not erased", [*map(printable, dict.fromkeys(document["similar"]))])
    parts += _listed("Never searched", document["not_searched"])
    return "\n".join(parts)


def _unsearched(kinds: Sequence[dict[str, Any]]) -> list[str]:
    return _listed("Not looked into", [_kind_line(each) for each in kinds])


def _kind_line(kind: dict[str, Any]) -> str:
    paths = kind["paths"]
    more = f" and {len(paths) - _MAX_SHOWN:,} more" if len(paths) > _MAX_SHOWN else ""
    return f"{kind['count']:,} {kind['kind']}: {kind['reason']} ({', '.join(map(printable, paths[:_MAX_SHOWN]))}{more})"


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []
