"""``persona storage erase``: taking a respondent out of the storage and out of what this machine keeps of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from persona import __version__
from persona.cli.app import PersonaCommand
from persona.cli.erase_view import (
    NOT_SEARCHED,
    found_json,
    found_text,
    incomplete_lines,
    receipt_text,
    spellings,
    unsearched_json,
)
from persona.cli.files import LocalFile
from persona.cli.render import json_text
from persona.cli.session import Session
from persona.errors import ConfigError, InputError, NotFoundError, PersonaError
from persona.storage.paths import printable

if TYPE_CHECKING:
    from persona.personas.findings import Done, Found, PastHit, Unread
    from persona.storage.outbox_entry import Entry

_AGAIN = "It names the respondent again after it was erased. Run the command again."
_UNFINISHED = (
    "The job may have copied the respondent to {} before it was paused. Resume it, which removes such copies, or "
    "remove the job with “persona storage migrate prune”; then run the command again."
)
_TAKEN_OUT = ("erased", "outbox", "cache_entries", "journal_rows")


@click.command(cls=PersonaCommand)
@click.option("--subject", "text", required=True, metavar="ID", help="The respondent's id, as evidence names it.")
@click.option("--yes", is_flag=True, help="Erase. Without it nothing is changed.")
@click.option("--versions", is_flag=True, help="With --yes: also delete earlier versions that the provider keeps.")
@click.option("--exact", is_flag=True, help="Other spellings of the id, such as e08 and E8 for E08, are other people.")
@click.option("--receipt", type=LocalFile(), metavar="FILE", help="With --yes: write the receipt there.")
@click.pass_obj
def erase(session: Session, text: str, yes: bool, versions: bool, exact: bool, receipt: Path | None) -> int:
    """Find all that the storage holds of a respondent, and with --yes take it out.

    Raw data, personas with their quotes and evidence, backups, the cache and the outbox of this machine, and journals.
    """
    from persona.personas.subjects import subject_of

    subject = subject_of(text)
    receipt = _checked(receipt, yes=yes)
    work = _Erasure(session, subject, exact=exact)
    if not yes:
        found = asyncio.run(work.look())
        shown = found_json(found, exact=exact)
        session.emit(shown) if session.json else print(found_text(shown, subject))
        for line in incomplete_lines(found, exact=exact):
            session.warn_if_quiet(line)
        return 0 if shown["complete"] else 1
    document = asyncio.run(work.run(past=versions))
    session.emit(document) if session.json else print(receipt_text(document))
    if receipt is not None:
        _save(receipt, document)
    if not document["complete"] and not session.json:
        session.warn("It is not complete: see what is left above.")
    elif not document["complete"]:
        session.warn_if_quiet("The erasure is not complete: see what is left in the receipt.")
    if not any(document[part] for part in _TAKEN_OUT) and not document["earlier_versions"]["deleted"]:
        session.note("Nothing here held this respondent: see that the id is as “persona show” prints it.")
    return 0 if document["complete"] else 1


def _checked(receipt: Path | None, *, yes: bool) -> Path | None:
    """Return where the receipt goes, once it is sure that it can."""
    if receipt is None:
        return None
    if not yes:
        raise InputError("There is a receipt only for what was erased.", hint="Add --yes, or leave out --receipt.")
    if not receipt.parent.is_dir():
        raise NotFoundError(f"There is no folder {printable(str(receipt.parent))}.", hint="Make it first.")
    if receipt.exists():
        raise InputError(f"{printable(str(receipt))} is there already.", hint="Give the receipt another name.")
    return receipt


class _Erasure:
    """One run of the command.

    Args:
        session: the global options.
        subject: the respondent's id.
        exact: whether other spellings of the id are other people.
    """

    def __init__(self, session: Session, subject: str, *, exact: bool) -> None:
        from persona.storage.stack import open_outbox

        self._session = session
        self._subject = subject
        self._exact = exact
        self._settings = session.workspace.settings.storage
        self._keeping = session.keeping(force=True)
        self._outbox = open_outbox(self._settings, self._keeping)

    async def look(self) -> Found:
        """Find, and change nothing."""
        from persona.personas.erasure import Search
        from persona.personas.named import NOTES
        from persona.storage.stack import open_with_notes

        storage, noting = open_with_notes(self._settings, self._keeping)
        try:
            return await Search(storage, noting.notes(NOTES), self._subject).all(self._outbox)
        finally:
            await noting.close()

    async def run(self, *, past: bool) -> dict[str, Any]:
        """Erase, and return the receipt."""
        from persona.cli.erased import remember
        from persona.personas.erasure import Search
        from persona.personas.erasure import erase as take_out
        from persona.personas.named import NOTES
        from persona.storage import tombstones
        from persona.storage.stack import open_with_notes, sweep_left_overs

        storage, noting = open_with_notes(self._settings, self._keeping)
        try:
            search = Search(storage, noting.notes(NOTES), self._subject)
            known = (await tombstones.load(storage)).of(self._subject)
            if not known and not self._exact:
                self._check_spelling(await search.all(self._outbox))
            salt, mark = await tombstones.lay(storage, self._subject)
            remember(self._session, await tombstones.load(storage))
            found = await search.all(self._outbox)
            waiting, busy = self._drop(found.waiting)
            copies, _ = self._from_caches(found.versions, {hit.path for hit in found.hits})
            unread = [each for each in found.unread if each.path.startswith("outbox ")] + busy
            unsearched = [each for each in found.unsearched if each.path.startswith("outbox ")]
            done, left = await take_out(storage, search, self._subject, found, past=past)
            location = storage.url()
            sweep_left_overs(self._settings, self._outbox, self._session.workspace.home)
        finally:
            await noting.close()
        more, cache_error = self._from_caches(left.versions, {each.path for each in done.erased})
        rows, journals = self._from_journals(location)
        left.unread += [*unread, *journals, *done.failed, *done.doubts, *cache_error]
        left.unsearched += unsearched
        return self._receipt(location, f"{salt}/{mark}", done, left, waiting, copies + more, rows, past=past)

    def _check_spelling(self, found: Found) -> None:
        """Refuse to erase somebody who is not there while somebody with a similar id is.

        Raises:
            NotFoundError: so it is; the message names the ids.
        """
        if found.hits or found.past or found.waiting or not found.similar:
            return
        raise NotFoundError(
            f"Nothing holds “{printable(self._subject)}”. Similar ids: {spellings(found.similar)}.",
            hint="Give --subject the id as it stands there. If these are other people, add --exact.",
        )

    def _drop(self, waiting: Sequence[Entry]) -> tuple[list[dict[str, Any]], list[Unread]]:
        """Drop what waits and holds the respondent: upon what is redacted it could not be written any more."""
        from persona.personas.findings import Unread

        if not waiting:
            return [], []
        with self._outbox.flushing() as alone:
            if not alone:
                return [], [Unread(f"outbox {e.id}", "Another process is sending the outbox.") for e in waiting]
            for entry in waiting:
                self._outbox.drop(entry)
        return [{"id": entry.id, "path": self._masked(entry.path), "size": entry.size} for entry in waiting], []

    def _from_caches(self, versions: Mapping[str, str], paths: set[str]) -> tuple[int, list[Unread]]:
        """Remove the copies that this machine keeps of some objects, and of what is no longer current."""
        from persona.personas.findings import Unread
        from persona.storage.stack import erase_from_caches

        try:
            return erase_from_caches(self._settings, versions, paths), []
        except ConfigError as error:
            return 0, [Unread("the cache", str(error))]

    def _from_journals(self, location: str) -> tuple[int, list[Unread]]:
        """Remove the rows of journals that name the respondent, and name jobs that may have copied their words."""
        from persona.personas.findings import Unread
        from persona.personas.subjects import names
        from persona.transfer.jobs import Jobs

        jobs = Jobs(self._session.workspace.home, self._session.workspace.name)
        count, failed = jobs.forget(lambda path: names(path, self._subject))
        elsewhere = {job: url for job, url in jobs.unfinished().items() if not url.startswith(location)}
        failed |= {job: _UNFINISHED.format(url) for job, url in elsewhere.items() if job not in failed}
        return count, [Unread(f"the journal {name}", reason) for name, reason in failed.items()]

    def _masked(self, text: str) -> str:
        """Return a text without the id in it, in any spelling."""
        from persona.personas.content.mentions import masked

        return masked(text, self._subject, "[subject]")

    def _receipt(
        self,
        location: str,
        mark: str,
        done: Done,
        left: Found,
        waiting: list[dict[str, Any]],
        copies: int,
        rows: int,
        *,
        past: bool,
    ) -> dict[str, Any]:
        mentions = [hit for hit in left.hits if hit.action == "look"]
        failed = {each.path for each in done.failed}  # these say themselves why
        remaining = [hit for hit in left.hits if hit.action != "look" and hit.path not in failed]
        unknown = left.past_unknown if past else None
        similar = [] if self._exact else left.similar
        return {
            "subject": mark,
            "location": location,
            "erased_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
            "complete": not (
                mentions or remaining or failed or left.past or left.unread or left.unsearched or similar or unknown
            ),
            "erased": [
                {
                    "path": self._masked(each.path),
                    "action": each.action,
                    "what": [*map(self._masked, each.what)],
                    "version": each.version,
                    "now": each.now,
                }
                for each in done.erased
            ],
            "earlier_versions": {
                "deleted": [self._past(each) for each in done.past],
                "left": [self._past(each) for each in left.past],
                "unknown": left.past_unknown,
            },
            "outbox": waiting,
            "cache_entries": copies,
            "journal_rows": rows,
            "left": [
                *({"path": self._masked(hit.path), "reason": self._masked(_advice(hit.what))} for hit in mentions),
                *({"path": self._masked(hit.path), "reason": done.changed.get(hit.path, _AGAIN)} for hit in remaining),
                *({"path": self._masked(each.path), "reason": self._masked(each.reason)} for each in left.unread),
            ],
            "unsearched": unsearched_json(left.unsearched, self._masked),
            "similar": [self._masked(each.path) for each in left.similar],
            "not_searched": NOT_SEARCHED,
        }

    def _past(self, hit: PastHit) -> dict[str, Any]:
        version = hit.version
        return {"path": self._masked(version.path), "version": version.id, "kind": version.kind, "size": version.size}


def _advice(what: Sequence[str]) -> str:
    """Return what to do about a mention."""
    if any(" in " in each for each in what):
        return f"It mentions the id ({', '.join(what)}): edit the document, or delete it."
    return "It mentions the id: look at it yourself."


def _save(file: Path, document: dict[str, Any]) -> None:
    from persona.personas.local_file import write_file

    try:
        write_file(file, (json_text(document, indent=2) + "\n").encode())
    except PersonaError as error:
        error.message = f"The respondent was erased as shown, but the receipt was not saved: {error.message}"
        raise
