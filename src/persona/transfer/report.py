"""What a job did, as the contract's JSON and as rows for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from persona.storage.reserved import BACKUPS, LeftOut
from persona.transfer.jobs import JobInfo
from persona.transfer.journal import Journal
from persona.transfer.model import PROVED, READING, WRITING, Action, Evidence, Kind, Row, Step, Tally

SHOWN = 100
"""How many failures a document names unless all are asked for."""
SHOWN_PATHS = 3
"""How many objects it names of those that lack the same."""
_DONE = {Step.COPIED.value, Step.VERIFIED.value}


def document(journal: Journal, info: JobInfo, *, everything: bool = False) -> dict[str, Any]:
    """Return what a job is and has done.

    Args:
        journal: its journal.
        info: its description.
        everything: name all failures, and each object with its evidence.
    """
    facts, tally = info.facts, journal.tally()
    copied = tally.count(WRITING, _DONE)
    failed = tally.count(steps={Step.FAILED})
    refused = journal.refused()
    shown = -1 if everything else SHOWN
    failures = [{"path": row.path, "error": row.error} for row in journal.rows(steps=[Step.FAILED], limit=shown)]
    result: dict[str, Any] = {
        "id": info.id,
        "kind": facts["kind"],
        "state": info.state,
        "phase": facts["phase"],
        "source": facts["source"]["url"],
        "destination": facts["destination"]["url"],
        "objects": {
            "total": tally.all.objects,
            "copied": copied.objects,
            "skipped": tally.count({Action.SKIP}, {Step.COPIED, Step.VERIFIED, Step.UNCHANGED}).objects,
            "verified": tally.count(steps={Step.VERIFIED}).objects,
            "failed": failed.objects + len(refused),
            "removed": tally.count({Action.REMOVE}, {Step.REMOVED}).objects,
            "gone": tally.count(steps={Step.GONE}).objects,
        },
        "bytes": {"total": tally.all.bytes, "copied": copied.bytes},
        "evidence": {evidence: tally.evidence.get(evidence, 0) for evidence in Evidence},
        "metadata": {
            "not_compared": journal.uncompared(),
            "lost": _lost(journal.lost(sent=True)),
            "differs": _lost(journal.lost(sent=False)),
        },
        "failures": failures
        + [{"path": key, "error": reason} for key, reason in refused[: None if everything else SHOWN]],
        "plan": _plan(journal, facts, tally, len(refused)),
        "folder_markers": facts.get("folder_markers", (0, None))[0],
        "changed": journal.changes(),
        "reserved": _reserved(facts),
        "backup": _backup(facts, tally),
        "switched": facts.get("switched"),
        "elapsed_seconds": facts["elapsed"],
        "created": facts["created"],
        "error": facts.get("error"),
    }
    if everything:
        result["items"] = [_item(row) for row in journal.rows()]
    return result


def _lost(objects: Iterable[tuple[str, list[str]]]) -> list[dict[str, Any]]:
    """Return what objects lack at the destination, each with their number and the first of them."""
    paths: dict[str, list[str]] = {}
    count: Counter[str] = Counter()
    for path, names in objects:
        count.update(names)
        for name in names:
            if len(shown := paths.setdefault(name, [])) < SHOWN_PATHS:
                shown.append(path)
    return [{"name": name, "objects": count[name], "paths": paths[name]} for name in sorted(count)]


def _plan(journal: Journal, facts: dict[str, Any], tally: Tally, refused: int) -> dict[str, Any]:
    """Return what a plan comes to: objects and bytes by what is to be done, and how many requests that takes."""
    plan: dict[str, Any] = {}
    for action in Action:
        count = tally.count({action})
        plan[action.value] = {"objects": count.objects, "bytes": count.bytes}
    plan["refuse"]["objects"] += refused
    plan["made_with"] = facts.get("planning")
    plan["requests"] = _requests(journal, facts, tally)
    return plan


def _requests(journal: Journal, facts: dict[str, Any], tally: Tally) -> dict[str, dict[str, int]]:
    """Return how many requests a run takes that makes the plan anew, where nothing fails or changes meanwhile.

    Not among them is what an endpoint takes that does not keep conditions by itself: probes, and looks before a write.
    """
    options = facts["options"]
    written, there = tally.count(WRITING).objects, facts.get("target_objects", 0)
    unproved = written + (tally.count({Action.SKIP}, {Step.COPIED, Step.VERIFIED}).objects if options["reread"] else 0)
    local = _is_local(facts, "destination")
    back = unproved if options["reread"] or local else _blocks(journal, facts)
    if facts.get("direct"):
        back = max(back, _unproved_copies(journal, facts, written))
    listed = 0 if options["reread"] else _verifying_pages(written, there, local=local)
    planning = facts.get("planning") or _listings(facts, tally.all.objects, there)
    guard = {side: _guard(written, local=_is_local(facts, side)) for side in ("source", "destination")}
    source = {kind: planning["source"][kind] + guard["source"][kind] for kind in READING}
    target = {kind: planning["destination"][kind] + guard["destination"][kind] for kind in READING}
    by_provider = written if facts.get("direct") else 0
    source["read"] += _unproved_copies(journal, facts, written) if by_provider else written
    if facts["kind"] == Kind.MIGRATE:  # the listing that completes the inventory, or looks for changes before a switch
        source["list"] += _listings(facts, tally.all.objects, there)["source"]["list"]
    removed = tally.count({Action.REMOVE}).objects
    source["head"] += 0 if _is_local(facts, "source") else removed
    target["list"] += listed
    target["read"] += back
    target["head"] += back if listed else unproved
    kept = tally.count({Action.REPLACE, Action.REMOVE}).objects if options["backup"] else 0
    target["write"] = 0 if by_provider else written if local else journal.writes(facts["part_bytes"])
    return {"source": source, "destination": target | {"copy": kept + by_provider, "delete": removed}}


def _is_local(facts: dict[str, Any], side: str) -> bool:
    return bool(facts[side]["identity"].startswith("local|"))


def _listings(facts: dict[str, Any], objects: int, there: int) -> dict[str, dict[str, int]]:
    """Return what the listings of a plan take that is not made yet."""
    sides = {"source": objects, "destination": there}
    return {
        side: {"list": 1 if _is_local(facts, side) else _pages(count), "read": 0, "head": 0}
        for side, count in sides.items()
    }


def _guard(written: int, *, local: bool) -> dict[str, int]:
    """Return what it takes to ask a side who was erased there: before anything is copied, and once more at the end."""
    asked = 2 * int(written > 0)
    return {"list": asked, "read": 0, "head": 0 if local else asked}


def _unproved_copies(journal: Journal, facts: dict[str, Any], written: int) -> int:
    """Return how many copies of the provider's own both sides are read for: listings prove the others."""
    if facts["options"]["reread"] or facts["destination"]["identity"].startswith("az "):
        return written
    return journal.large(facts["part_bytes"]) if facts["destination"]["identity"].startswith("s3 ") else 0


def _blocks(journal: Journal, facts: dict[str, Any]) -> int:
    """Return how many objects go to Azure in blocks: it does not check their MD5, so they are read back.

    Source: https://learn.microsoft.com/rest/api/storageservices/put-block-list
    """
    azure = facts["destination"]["identity"].startswith("az ")
    return journal.large(facts["part_bytes"]) if azure else 0


def _verifying_pages(written: int, there: int, *, local: bool) -> int:
    """Return how many requests verify by listing, or 0 where a question for each object takes fewer."""
    pages = _pages(there + written)
    return (1 if local else pages) if written > pages else 0


def _reserved(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what took no part since its name is reserved."""
    found = LeftOut.of(facts.get("reserved"))
    return {"objects": found.objects, "bytes": found.bytes, "names": found.names}


def _pages(objects: int) -> int:
    """Return how many requests list so many objects."""
    return objects // 1000 + 1


def _item(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "size": row.size,
        "action": row.action,
        "step": row.step,
        "evidence": row.evidence if row.step in PROVED else None,
        "sha256": row.sha256,
        "md5": row.md5,
        "error": row.error,
    }


def _backup(facts: dict[str, Any], tally: Tally) -> str | None:
    """Return where old content is kept, if any is."""
    kept = tally.count({Action.REPLACE}, _DONE).objects + tally.count({Action.REMOVE}, {Step.REMOVED}).objects
    if not kept or not facts["options"]["backup"]:
        return None
    return f"{facts['destination']['url'].rstrip('/')}/{BACKUPS}/{facts['id']}/"
